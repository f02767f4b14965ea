// systemReserved and kubeReserved: what of the machine is not for pods.
// Mirrors: pkg/kubelet/cm/node_container_manager_linux.go
#pragma once

#include <map>
#include <string>

#include "pkg/kubelet/nodeinfo/nodeinfo.h"

namespace knarr::kubelet {

using Reserved = std::map<std::string, std::string>;  // cpu, memory, ephemeral-storage, pid -> quantity

// Both together. An error when that is more than the machine has.
Result<Reserved> TotalReserved(const NodeInfo& node, const Reserved& system, const Reserved& kube);

// The limits of the group of all pods; zero: none.
struct PodsLimits {
  int64_t milli_cpu = 0;
  uint64_t memory = 0;
  int64_t pids = 0;
};
// Only what is reserved is limited. pid_max: of the kernel.
PodsLimits LimitsForPods(const NodeInfo& node, const Reserved& reserved, int64_t pid_max);

}  // namespace knarr::kubelet
