// Defaults and validation of rbac.authorization.k8s.io/v1; metadata is validated apart.
// Mirrors: pkg/apis/rbac/{v1/defaults.go,validation/validation.go} of 1.32
#pragma once

#include "pkg/api/field/field.h"

namespace k8s::io::api::rbac::v1 {
class ClusterRole;
class ClusterRoleBinding;
class Role;
class RoleBinding;
}  // namespace k8s::io::api::rbac::v1

namespace knarr {
namespace rbac = ::k8s::io::api::rbac::v1;
}

namespace knarr::api {

void SetDefaults(rbac::RoleBinding& binding);
void SetDefaults(rbac::ClusterRoleBinding& binding);

field::ErrorList ValidateRole(const rbac::Role& role);
field::ErrorList ValidateClusterRole(const rbac::ClusterRole& role);
field::ErrorList ValidateRoleBinding(const rbac::RoleBinding& binding);
field::ErrorList ValidateRoleBindingUpdate(const rbac::RoleBinding& updated, const rbac::RoleBinding& old);
field::ErrorList ValidateClusterRoleBinding(const rbac::ClusterRoleBinding& binding);
field::ErrorList ValidateClusterRoleBindingUpdate(const rbac::ClusterRoleBinding& updated,
                                                  const rbac::ClusterRoleBinding& old);

}  // namespace knarr::api
