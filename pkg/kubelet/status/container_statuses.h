// Part of generate.cc: the statuses of a pod's containers.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/types.h"
#include "pkg/kubelet/container/types.h"

namespace knarr::kubelet {

// Sets containerStatuses (by name) or initContainerStatuses (in the spec's order), without started and ready.
void SetContainerStatuses(const core::Pod& pod, const RuntimePodStatus& runtime, const std::map<std::string, WaitingReason>& waiting,
                          const std::string& runtime_name, const core::PodStatus& old, bool init, core::PodStatus* status);

// Cuts termination messages so that all of a pod's together stay below 12 KiB.
void LimitTerminationMessages(core::PodStatus* status);

meta::Time ToTime(WallTime time);

}  // namespace knarr::kubelet
