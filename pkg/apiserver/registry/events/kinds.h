// The events of the core group, as events.k8s.io shows them.
// Mirrors: pkg/registry/events/rest/storage_events.go
#pragma once

#include <vector>

#include "pkg/apiserver/registry/builtin.h"

namespace knarr::registry {

std::vector<Kind> EventsKinds(const BuiltinDeps& deps);

}  // namespace knarr::registry
