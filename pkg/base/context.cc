#include "pkg/base/context.h"

#include <functional>

namespace knarr {

Context Context::WithDeadline(TimePoint deadline) const {
  Context child = *this;
  if (!child.deadline_ || deadline < *child.deadline_) child.deadline_ = deadline;
  return child;
}

Context Context::WithStop(std::stop_token token) const {
  Context child = *this;
  if (!stop_.stop_possible()) {
    child.stop_ = std::move(token);
    return child;
  }
  struct Link {
    Link(std::stop_token a, std::stop_token b)
        : on_a(std::move(a), [this] { source.request_stop(); }), on_b(std::move(b), [this] { source.request_stop(); }) {}
    std::stop_source source;
    std::stop_callback<std::function<void()>> on_a, on_b;
  };
  auto link = std::make_shared<Link>(stop_, std::move(token));
  child.stop_ = link->source.get_token();
  struct Both {
    std::shared_ptr<void> parent;
    std::shared_ptr<Link> link;
  };
  child.link_ = std::make_shared<Both>(Both{link_, std::move(link)});
  return child;
}

Context Context::WithLogger(Logger logger) const {
  Context child = *this;
  child.log_ = std::move(logger);
  return child;
}

std::optional<Context::Duration> Context::Remaining() const {
  if (!deadline_) return std::nullopt;
  const auto now = std::chrono::steady_clock::now();
  return now >= *deadline_ ? Duration::zero() : *deadline_ - now;
}

Status Context::Err() const {
  if (Cancelled()) return knarr::Error(Code::kCancelled, "context canceled");
  if (Done()) return knarr::Error(Code::kTimeout, "context deadline exceeded");
  return {};
}

Status Context::Sleep(Duration duration) const {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  auto until = std::chrono::steady_clock::now() + duration;
  if (deadline_ && *deadline_ < until) until = *deadline_;
  wake.wait_until(lock, stop_, until, [] { return false; });
  return Err();
}

}  // namespace knarr
