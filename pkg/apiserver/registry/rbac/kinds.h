// Roles and bindings, cluster-wide and of namespaces.
// Mirrors: pkg/registry/rbac/rest/storage_rbac.go
#pragma once

#include <vector>

#include "pkg/apiserver/registry/builtin.h"

namespace knarr::registry {

std::vector<Kind> RbacKinds(const BuiltinDeps& deps);

}  // namespace knarr::registry
