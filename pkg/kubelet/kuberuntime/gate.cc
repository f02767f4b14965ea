#include "pkg/kubelet/kuberuntime/gate.h"

#include <algorithm>

namespace knarr::kubelet {

Result<Gate::Pass> Gate::Enter(const Context& ctx, std::optional<Duration> max_wait, bool* waited) {
  if (waited) *waited = false;
  if (slots_ <= 0) return Pass();
  std::optional<Context::TimePoint> until = ctx.deadline();
  if (max_wait) {
    const auto limit = std::chrono::steady_clock::now() + *max_wait;
    until = until ? std::min(*until, limit) : limit;
  }
  std::unique_lock lock(mutex_);
  const auto free = [this] { return used_ < slots_; };
  if (!free()) {
    if (waited) *waited = true;
    const std::stop_token stop = ctx.stop_token();
    if (until) {
      wake_.wait_until(lock, stop, *until, free);
    } else {
      wake_.wait(lock, stop, free);
    }
    if (!free()) {
      if (ctx.Done()) return ctx.Err();
      return Pass();
    }
  }
  ++used_;
  return Pass(this);
}

void Gate::Leave() {
  {
    std::lock_guard lock(mutex_);
    --used_;
  }
  wake_.notify_one();
}

}  // namespace knarr::kubelet
