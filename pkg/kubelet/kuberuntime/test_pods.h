// Pods for tests, from YAML, with the API's defaults.
#pragma once

#include <string>
#include <string_view>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/types.h"

namespace knarr::kubelet {

// `spec` is the YAML of a PodSpec. Name web-node, namespace default, UID uid-1, a static pod.
core::Pod MakePod(std::string_view spec);

// containers: [{name: web, image: web:1}], restartPolicy Always
core::Pod WebPod();

}  // namespace knarr::kubelet
