// Part of generate.cc: the conditions that the kubelet owns.
#pragma once

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/types.h"
#include "pkg/kubelet/container/types.h"

namespace knarr::kubelet {

// Appends PodReadyToStartContainers, Initialized, Ready, ContainersReady and PodScheduled, after the conditions of
// others in pod.status; transition times are those of `old` where the status is the same, else `now`.
void SetConditions(const core::Pod& pod, const RuntimePodStatus& runtime, const core::PodStatus& old, WallTime now,
                   core::PodStatus* status);

}  // namespace knarr::kubelet
