// FlowSchemas and PriorityLevelConfigurations.
// Mirrors: pkg/registry/flowcontrol/rest/storage_flowcontrol.go
#pragma once

#include <vector>

#include "pkg/apiserver/registry/builtin.h"

namespace knarr::registry {

std::vector<Kind> FlowcontrolKinds(const BuiltinDeps& deps);

}  // namespace knarr::registry
