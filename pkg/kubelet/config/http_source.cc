#include "pkg/kubelet/config/http_source.h"

namespace knarr::kubelet {

HttpSource::HttpSource(const PodConfigOptions& options, Clock& clock, std::function<void()> on_change, Fetch fetch)
    : options_(options), clock_(clock), on_change_(std::move(on_change)), fetch_(std::move(fetch)) {}

void HttpSource::Start() {
  tasks_.Go("pod-url", [this](std::stop_token stop) { Loop(stop); });
}

void HttpSource::Stop() {
  tasks_.StopAndJoin();
}

HttpSource::State HttpSource::Current() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

void HttpSource::Loop(std::stop_token stop) {
  while (!stop.stop_requested()) {
    Poll(Context::Background().WithStop(stop).WithTimeout(std::chrono::seconds(10)));
    const Timer timer = clock_.RunAfter(options_.http_check_frequency, [this] {
      const std::lock_guard lock(mutex_);
      due_ = true;
      wake_.notify_all();
    });
    std::unique_lock lock(mutex_);
    wake_.wait(lock, stop, [this] { return due_; });
    due_ = false;
  }
}

void HttpSource::Poll(const Context& ctx) {
  Result<std::string> body = fetch_(ctx, options_);
  if (ctx.Cancelled()) return;
  if (body.ok() && *body == last_body_ && Current().problems.empty() && Current().ready) return;
  Take(body);
  if (body.ok()) last_body_ = std::move(*body);
  on_change_();
}

void HttpSource::Take(const Result<std::string>& body) {
  State next = Current();
  ParsedManifest parsed;
  if (body.ok()) {
    ParseOptions options;
    options.origin = {"http", options_.static_pod_url, options_.node_name};
    options.max_bytes = options_.max_manifest_bytes;
    options.previous = next.good.get();
    options.now = clock_.Now();
    options.allow_empty = true;
    // Upstream: an empty answer is a mistake of the server, not a wish for no pods.
    if (body->empty()) {
      parsed.problems.push_back({options_.static_pod_url, 0, "", "zero-length data received", "", clock_.Now()});
    } else {
      parsed = ParseManifest(*body, options);
    }
  } else {
    parsed.problems.push_back({options_.static_pod_url, 0, "", std::string(body.error().message()), "", clock_.Now()});
  }
  if (parsed.problems.empty()) {
    next.good = std::make_shared<const Manifest>(std::move(parsed.manifest));
    next.ready = true;
  } else if (next.good) {
    std::string keeps;
    for (const ManifestPod& entry : next.good->pods) {
      keeps += (keeps.empty() ? "" : ",") + entry.pod->metadata().namespace_() + "/" + entry.pod->metadata().name();
    }
    for (ManifestProblem& problem : parsed.problems) problem.keeps = keeps;
  }
  next.problems = std::move(parsed.problems);
  const std::lock_guard lock(mutex_);
  state_ = std::move(next);
}

}  // namespace knarr::kubelet
