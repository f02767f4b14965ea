// Deployments, ReplicaSets, DaemonSets, StatefulSets, ControllerRevisions.
// Mirrors: pkg/registry/apps/rest/storage_apps.go
#pragma once

#include <vector>

#include "pkg/apiserver/registry/builtin.h"

namespace knarr::registry {

std::vector<Kind> AppsKinds(const BuiltinDeps& deps);

}  // namespace knarr::registry
