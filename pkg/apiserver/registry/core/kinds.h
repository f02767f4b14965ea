// The kinds of the core group.
// Mirrors: pkg/registry/core/rest/storage_core.go
#pragma once

#include <vector>

#include "pkg/apiserver/registry/builtin.h"

namespace knarr::registry {

std::vector<Kind> CoreKinds(const BuiltinDeps& deps);

}  // namespace knarr::registry
