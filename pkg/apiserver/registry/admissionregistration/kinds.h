// Webhook configurations and admission policies: known by name, refused.
// Mirrors: pkg/registry/admissionregistration/rest/storage_apiserver.go
#pragma once

#include <vector>

#include "pkg/apiserver/registry/builtin.h"

namespace knarr::registry {

std::vector<Kind> AdmissionRegistrationKinds(const BuiltinDeps& deps);

}  // namespace knarr::registry
