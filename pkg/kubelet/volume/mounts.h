// From a container's volumeMounts to what CRI mounts.
// Mirrors: pkg/kubelet/kubelet_pods.go (makeMounts, translateMountPropagation, resolveRecursiveReadOnly)
#pragma once

#include <map>
#include <string>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/types.h"
#include "pkg/base/status.h"
#include "pkg/kubelet/volume/volume.h"

namespace knarr::kubelet {

Result<ContainerMount::Propagation> TranslatePropagation(const core::VolumeMount& mount);
Result<bool> ResolveRecursiveReadOnly(const core::VolumeMount& mount, bool runtime_supports);
// subPath, or subPathExpr with $(VAR) replaced; an unknown variable is an error. Relative and without "..", else an
// error.
Result<std::string> SubPathOf(const core::VolumeMount& mount, const std::map<std::string, std::string>& env);

}  // namespace knarr::kubelet
