// Pod -> PodSandboxConfig. Mirrors: pkg/kubelet/kuberuntime/kuberuntime_sandbox.go
#pragma once

#include <string>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "k8s.io/cri-api/pkg/apis/runtime/v1/api.pb.h"
#include "pkg/api/types.h"
#include "pkg/base/status.h"
#include "pkg/kubelet/kuberuntime/kuberuntime.h"

namespace knarr::kubelet {

namespace cri_v1 = ::runtime::v1;

cri_v1::PodSandboxConfig MakeSandboxConfig(const core::Pod& pod, uint32_t attempt, const PodNetworkSettings& network,
                                           const std::string& pod_logs_dir, const std::string& cgroup_parent);

}  // namespace knarr::kubelet
