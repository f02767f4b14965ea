// Leases.
// Mirrors: pkg/registry/coordination/rest/storage_coordination.go
#pragma once

#include <vector>

#include "pkg/apiserver/registry/builtin.h"

namespace knarr::registry {

std::vector<Kind> CoordinationKinds(const BuiltinDeps& deps);

}  // namespace knarr::registry
