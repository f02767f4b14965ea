// Nobody grants what they do not have: checks of the rbac kinds, for Strategy::Begin.
//
// A request without a user is the server's own. Reads roles and bindings through rc.access.
// Mirrors: pkg/registry/rbac/{escalation_check.go,*/policybased/storage.go}
#pragma once

#include "pkg/apiserver/auth/user.h"
#include "pkg/apiserver/registry/kind.h"

namespace knarr::auth {

// `object` is a Role, or with `cluster` a ClusterRole; `old` is null on create. Allowed: members of system:masters, who
// has the verb "escalate", who has all the rights in question.
Status CheckRoleEscalation(const registry::RequestContext& rc, Authorizer* authorizer, const api::Object& object,
                           const api::Object* old, bool cluster);
// A RoleBinding or ClusterRoleBinding. Allowed: system:masters, who has the verb "bind" on the role, who has all its
// rights.
Status CheckBindingEscalation(const registry::RequestContext& rc, Authorizer* authorizer, const api::Object& object,
                              const api::Object* old, bool cluster);

}  // namespace knarr::auth
