// Filters for the runtime's lists, and its answers in the kubelet's words.
#pragma once

#include <string>

#include "k8s.io/cri-api/pkg/apis/runtime/v1/api.pb.h"
#include "pkg/kubelet/container/types.h"
#include "pkg/kubelet/kuberuntime/labels.h"

namespace knarr::kubelet {

namespace cri_v1 = ::runtime::v1;

cri_v1::PodSandboxFilter SandboxesOf(const std::string& pod_uid);
cri_v1::ContainerFilter ContainersOf(const std::string& pod_uid);

ContainerState ToState(cri_v1::ContainerState state);
SandboxStatus ToSandboxStatus(const cri_v1::PodSandboxStatus& from);
// Without the termination message.
ContainerStatus ToContainerStatus(const cri_v1::ContainerStatus& from, const ContainerInfo& info, const std::string& sandbox_id);

}  // namespace knarr::kubelet
