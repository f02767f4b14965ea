// EndpointSlices.
// Mirrors: pkg/registry/discovery/rest/storage_discovery.go
#pragma once

#include <vector>

#include "pkg/apiserver/registry/builtin.h"

namespace knarr::registry {

std::vector<Kind> DiscoveryKinds(const BuiltinDeps& deps);

}  // namespace knarr::registry
