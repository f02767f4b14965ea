// Labels and annotations on sandboxes and containers, as upstream writes them: an upstream kubelet, crictl and log
// shippers understand our containers, and we theirs.
// Mirrors: pkg/kubelet/kuberuntime/labels.go, pkg/kubelet/container/helpers.go (HashContainer)
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/types.h"

namespace knarr::kubelet {

using StringMap = std::map<std::string, std::string>;

// Upstream's hash of the fields whose change restarts a container: name and image (since 1.31).
uint64_t HashContainer(const core::Container& container);

StringMap PodLabels(const core::Pod& pod);
StringMap ContainerLabels(const core::Pod& pod, const core::Container& container);
StringMap ContainerAnnotations(const core::Pod& pod, const core::Container& container, int restart_count);

// What the annotations of a container say about the spec it was created from.
struct ContainerInfo {
  std::string pod_name, pod_namespace, pod_uid, name;
  // 0: written by another algorithm (another kubelet), so no change can be told from it.
  uint64_t hash = 0;
  int restart_count = 0;
  std::optional<int64_t> deletion_grace_period, termination_grace_period;
  std::string termination_message_path, termination_message_policy;
  std::optional<core::LifecycleHandler> pre_stop;
  std::vector<core::ContainerPort> ports;
};
ContainerInfo ParseContainerInfo(const StringMap& labels, const StringMap& annotations);

// protobuf maps come in no order; a std::map of them.
template <typename ProtoMap>
StringMap ToStringMap(const ProtoMap& map) {
  return StringMap(map.begin(), map.end());
}

}  // namespace knarr::kubelet
