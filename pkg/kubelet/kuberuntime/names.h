// Names that upstream tools rely on: label keys, log paths, how pods and containers are called in messages.
// Mirrors: pkg/kubelet/types/labels.go, pkg/kubelet/kuberuntime/{helpers,legacy}.go, pkg/kubelet/util/format/pod.go
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/types.h"
#include "pkg/base/status.h"
#include "pkg/kubelet/container/helpers.h"
#include "pkg/kubelet/events/events.h"

namespace knarr::kubelet {

inline constexpr std::string_view kPodNameLabel = "io.kubernetes.pod.name";
inline constexpr std::string_view kPodNamespaceLabel = "io.kubernetes.pod.namespace";
inline constexpr std::string_view kPodUidLabel = "io.kubernetes.pod.uid";
inline constexpr std::string_view kContainerNameLabel = "io.kubernetes.container.name";

// "web-node_default(1234-...)"
std::string FormatPod(std::string_view name, std::string_view ns, std::string_view uid);
std::string FormatPod(const core::Pod& pod);

// What events about the pod, or about one container of it (field path spec.containers{web}), refer to.
ObjectRef PodRef(const core::Pod& pod);
ObjectRef ContainerRef(const core::Pod& pod, const core::Container& container);

// <root>/<ns>_<name>_<uid>
std::string PodLogsDirectory(std::string_view root, std::string_view ns, std::string_view name, std::string_view uid);
// <ns>_<name>_<uid> -> uid; nullopt for names of another form.
std::optional<std::string> PodUidFromLogsDirectory(std::string_view directory_name);
// Relative to the pod's directory: <container>/<attempt>.log
std::string ContainerLogFile(std::string_view container, int attempt);
// <pod>_<ns>_<container>-<id>.log, at most 255 bytes: the link under /var/log/containers that log shippers read.
std::string LegacyLogLink(std::string_view pod, std::string_view ns, std::string_view container, std::string_view id);
std::optional<std::string> ContainerIdFromLegacyLogLink(std::string_view link_name);

// The attempt that continues the log files in a container's log directory: one more than the highest <n>.log*; 0 for
// a directory without any. Keeps a restart count through a runtime that forgot its containers.
int AttemptFromLogDirectory(const std::string& directory);

}  // namespace knarr::kubelet
