// pods/log, pods/exec, pods/attach, pods/portforward: validated here, served by the kubelet of the pod's node.
//
// Mirrors: pkg/registry/core/pod/rest/{log,subresources}.go, pkg/registry/core/pod/strategy.go
#pragma once

#include <vector>

#include "pkg/apiserver/registry/builtin.h"
#include "pkg/apiserver/registry/kind.h"

namespace knarr::proxy {

std::vector<registry::Subresource> PodStreamSubresources(const registry::BuiltinDeps& deps);

}  // namespace knarr::proxy
