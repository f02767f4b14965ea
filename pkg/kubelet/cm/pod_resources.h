// What a pod asks for as a whole.
// Mirrors: k8s.io/component-helpers/resource (PodRequests, PodLimits), pkg/apis/core/v1/helper/qos,
// pkg/kubelet/cm/helpers_linux.go (ResourceConfigForPod), pkg/kubelet/types/pod_update.go (IsCriticalPod)
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/core/validation.h"
#include "pkg/api/types.h"

namespace knarr::kubelet {

using PodQos = api::QosClass;

// status.qosClass if it is set, else computed from the spec.
PodQos PodQosOf(const core::Pod& pod);

// Sums over the containers, the init containers' maximum, sidecars counted where they run, and the overhead.
struct PodResources {
  int64_t cpu_request_milli = 0, cpu_limit_milli = 0;
  int64_t memory_request = 0, memory_limit = 0;  // bytes
  // Every container (init containers too) has a limit above zero.
  bool all_have_cpu_limit = false, all_have_memory_limit = false;
};
PodResources ComputePodResources(const core::Pod& pod);

// The values of a pod's own cgroup; unset: the kernel's default (no limit).
struct CgroupLimits {
  std::optional<uint64_t> cpu_shares;
  std::optional<int64_t> cpu_quota;  // microseconds in each period; -1: none
  uint64_t cpu_period = 0;
  std::optional<int64_t> memory;  // bytes
  std::optional<int64_t> pids;
};
CgroupLimits PodCgroupLimits(const core::Pod& pod, bool enforce_cpu_quota, uint64_t period_us, int64_t pids_limit);

bool IsCriticalPod(const core::Pod& pod);
bool IsNodeCriticalPod(const core::Pod& pod);

}  // namespace knarr::kubelet
