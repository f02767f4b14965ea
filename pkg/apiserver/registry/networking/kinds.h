// Ingresses, IngressClasses, NetworkPolicies.
// Mirrors: pkg/registry/networking/rest/storage_settings.go
#pragma once

#include <vector>

#include "pkg/apiserver/registry/builtin.h"

namespace knarr::registry {

std::vector<Kind> NetworkingKinds(const BuiltinDeps& deps);

}  // namespace knarr::registry
