// PriorityClasses.
// Mirrors: pkg/registry/scheduling/rest/storage_scheduling.go
#pragma once

#include <vector>

#include "pkg/apiserver/registry/builtin.h"

namespace knarr::registry {

std::vector<Kind> SchedulingKinds(const BuiltinDeps& deps);

}  // namespace knarr::registry
