// Upstream's roles and bindings of Kubernetes 1.32, which every cluster has.
//
// Mirrors: plugin/pkg/auth/authorizer/rbac/bootstrappolicy, component-helpers/auth/rbac/reconciliation
#pragma once

#include "pkg/apiserver/registry/access.h"

namespace knarr::auth {

// Creates what is missing and adds missing rules and subjects to what is there; never takes anything away, and leaves
// objects with the annotation rbac.authorization.kubernetes.io/autoupdate: "false" alone. Goes on after an error and
// returns the first. To be run once the server reads and writes, again after an error (with back-off). Idempotent.
Status EnsureBootstrapPolicy(const Context& ctx, registry::Access& access);

}  // namespace knarr::auth
