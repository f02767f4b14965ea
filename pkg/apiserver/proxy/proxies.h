// pods/proxy, services/proxy, nodes/proxy: any HTTP request to where the object is, upgrades included.
//
// Mirrors: pkg/registry/core/{pod/rest/subresources.go,service/proxy.go,node/rest/proxy.go}
#pragma once

#include <vector>

#include "pkg/apiserver/registry/builtin.h"
#include "pkg/apiserver/registry/kind.h"

namespace knarr::proxy {

std::vector<registry::Subresource> PodProxySubresources(const registry::BuiltinDeps& deps);
std::vector<registry::Subresource> NodeProxySubresources(const registry::BuiltinDeps& deps);
std::vector<registry::Subresource> ServiceProxySubresources(const registry::BuiltinDeps& deps);

}  // namespace knarr::proxy
