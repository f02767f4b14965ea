// Small questions about a pod's spec and what runs of it, asked by the runtime manager and by the status.
// Mirrors: pkg/kubelet/container/helpers.go, pkg/kubelet/kuberuntime/util/util.go, pkg/api/v1/pod/util.go
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/types.h"
#include "pkg/kubelet/container/types.h"

namespace knarr::kubelet {

// The container of that name, init containers included; null if there is none.
const core::Container* FindContainer(const core::Pod& pod, std::string_view name);
bool IsInitContainer(const core::Pod& pod, std::string_view name);
// An init container with restartPolicy Always.
bool IsSidecar(const core::Container& container);
bool HasSidecar(const core::Pod& pod);
// Any source but the API server (annotation kubernetes.io/config.source).
bool IsStaticPod(const core::Pod& pod);

// Would the next sync start it? By its newest status, the restart policy and the pod's deletion.
bool ShouldContainerBeRestarted(const core::Container& container, const core::Pod& pod, const RuntimePodStatus& status);
bool ShouldRestartOnFailure(const core::Pod& pod);
// One regular container exists in the runtime: the init containers were done once.
bool HasAnyRegularContainerCreated(const core::Pod& pod, const RuntimePodStatus& status);

// What the API allows of a pod's addresses: the first of the node's primary IP family (that of host_ips; IPv4 without),
// then the first of the other.
std::vector<std::string> SortPodIps(const std::vector<std::string>& pod_ips, const std::vector<std::string>& host_ips);

// Does the pod need a new sandbox; with which attempt number, and which sandbox does it have (or had last)?
struct SandboxDecision {
  bool create = false;
  uint32_t attempt = 0;
  std::string id;
};
SandboxDecision DecideSandbox(const core::Pod& pod, const RuntimePodStatus& status);

}  // namespace knarr::kubelet
