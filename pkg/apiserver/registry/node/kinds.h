// RuntimeClasses.
// Mirrors: pkg/registry/node/rest/runtime_class.go
#pragma once

#include <vector>

#include "pkg/apiserver/registry/builtin.h"

namespace knarr::registry {

std::vector<Kind> NodeGroupKinds(const BuiltinDeps& deps);

}  // namespace knarr::registry
