// PodDisruptionBudgets.
// Mirrors: pkg/registry/policy/rest/storage_policy.go
#pragma once

#include <vector>

#include "pkg/apiserver/registry/builtin.h"

namespace knarr::registry {

std::vector<Kind> PolicyKinds(const BuiltinDeps& deps);

}  // namespace knarr::registry
