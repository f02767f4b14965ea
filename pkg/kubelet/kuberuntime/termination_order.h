// In which order a pod's containers stop: regular ones first, then sidecars from the last to the first.
// Mirrors: pkg/kubelet/kuberuntime/kuberuntime_termination_order.go. Thread-safe.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/types.h"
#include "pkg/base/clock.h"
#include "pkg/base/context.h"

namespace knarr::kubelet {

class TerminationOrder {
 public:
  TerminationOrder(Clock& clock, const core::Pod& pod, const std::vector<std::string>& running);
  // Blocks until those before it have ended, but not longer than max.
  void WaitForTurn(const Context& ctx, const std::string& container, Duration max);
  void Ended(const std::string& container);

 private:
  Clock& clock_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::map<std::string, std::set<std::string>> before_;  // who must end first, not yet ended
};

}  // namespace knarr::kubelet
