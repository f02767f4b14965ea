// Values of the downward API for environment variables.
// Mirrors: pkg/kubelet/kubelet_pods.go (podFieldSelectorRuntimeValue), pkg/api/v1/resource/helpers.go, pkg/fieldpath
#pragma once

#include <map>
#include <string>
#include <vector>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/types.h"
#include "pkg/base/status.h"

namespace knarr::kubelet {

Result<std::string> PodFieldValue(const std::string& path, const core::Pod& pod, const std::vector<std::string>& pod_ips,
                                  const std::vector<std::string>& host_ips);

// Divided by the selector's divisor and rounded up; limits that are not set are the node's allocatable.
Result<std::string> ResourceFieldValue(const core::ResourceFieldSelector& selector, const core::Pod& pod,
                                       const core::Container& container,
                                       const std::map<std::string, std::string>& node_allocatable);

}  // namespace knarr::kubelet
