// What a container left to say: its termination message file, else the end of its log.
// Mirrors: pkg/kubelet/kuberuntime/kuberuntime_container.go (getTerminationMessage, readLastStringFromContainerLogs)
#pragma once

#include <string>

#include "k8s.io/cri-api/pkg/apis/runtime/v1/api.pb.h"
#include "pkg/kubelet/kuberuntime/labels.h"

namespace knarr::kubelet {

namespace cri_v1 = ::runtime::v1;

// For an exited container: the runtime's own message, then the container's, at most 4 KiB of a file and 2 KiB or 80
// lines of a log. Follows no symlinks.
std::string TerminationMessage(const cri_v1::ContainerStatus& status, const ContainerInfo& info);

// The text of the last lines of a log in CRI's format, without time stamps.
std::string TailOfLog(const std::string& path, size_t max_lines, size_t max_bytes);

}  // namespace knarr::kubelet
