// hostPath volumes: the checks before a path of the node is given to a pod. Nothing of it is ever removed.
// Mirrors: pkg/volume/hostpath/host_path.go
#pragma once

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/types.h"
#include "pkg/base/status.h"

namespace knarr::kubelet {

// Creates the directory (0755) or file (0644) of the two OrCreate types. Errors in upstream's words:
// hostPath type check failed: /x is not a directory
Status PrepareHostPath(const core::HostPathVolumeSource& source);

// True if a component of the path is "..".
bool HasBackstep(std::string_view path);

}  // namespace knarr::kubelet
