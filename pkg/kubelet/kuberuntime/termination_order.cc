#include "pkg/kubelet/kuberuntime/termination_order.h"

#include <algorithm>

#include "pkg/kubelet/container/helpers.h"

namespace knarr::kubelet {

TerminationOrder::TerminationOrder(Clock& clock, const core::Pod& pod, const std::vector<std::string>& running) : clock_(clock) {
  std::set<std::string> earlier;
  for (const std::string& name : running) {
    const core::Container* container = FindContainer(pod, name);
    if (container && !(IsInitContainer(pod, name) && IsSidecar(*container))) earlier.insert(name);
  }
  const auto& inits = pod.spec().initcontainers();
  for (int i = inits.size() - 1; i >= 0; --i) {
    const std::string& name = inits[i].name();
    if (!IsSidecar(inits[i]) || std::find(running.begin(), running.end(), name) == running.end()) continue;
    before_[name] = earlier;
    earlier.insert(name);
  }
}

void TerminationOrder::WaitForTurn(const Context& ctx, const std::string& container, Duration max) {
  bool due = false;
  const Timer timer = clock_.RunAfter(max, [&] {
    std::lock_guard lock(mutex_);
    due = true;
    wake_.notify_all();
  });
  std::unique_lock lock(mutex_);
  const auto ready = [&] { return due || before_[container].empty(); };
  if (const auto deadline = ctx.deadline()) {
    wake_.wait_until(lock, ctx.stop_token(), *deadline, ready);
  } else {
    wake_.wait(lock, ctx.stop_token(), ready);
  }
}

void TerminationOrder::Ended(const std::string& container) {
  std::lock_guard lock(mutex_);
  for (auto& [name, waits_for] : before_) waits_for.erase(container);
  wake_.notify_all();
}

}  // namespace knarr::kubelet
