#include "pkg/kubelet/kuberuntime/wait.h"

#include <condition_variable>
#include <mutex>

#include "pkg/base/pool.h"

namespace knarr::kubelet {

Status SleepOn(Clock& clock, const Context& ctx, Duration duration) {
  std::mutex mutex;
  std::condition_variable_any wake;
  bool due = false;
  const Timer timer = clock.RunAfter(duration, [&] {
    std::lock_guard lock(mutex);
    due = true;
    wake.notify_all();
  });
  std::unique_lock lock(mutex);
  const auto is_due = [&due] { return due; };
  if (const auto deadline = ctx.deadline()) {
    wake.wait_until(lock, ctx.stop_token(), *deadline, is_due);
  } else {
    wake.wait(lock, ctx.stop_token(), is_due);
  }
  return ctx.Err();
}

void ForEachInParallel(size_t count, const std::function<void(size_t)>& fn) {
  TaskGroup group;
  for (size_t i = 1; i < count; ++i) {
    group.Go("pod-start", [&fn, i](std::stop_token) { fn(i); });
  }
  if (count > 0) fn(0);
}

}  // namespace knarr::kubelet
