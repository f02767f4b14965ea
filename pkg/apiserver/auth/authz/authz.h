// What somebody may do: the authorizers behind --authorization-mode and the words of a refusal.
//
// Thread-safe. RBAC and Node read the API's objects through Access and keep what they computed until one changes.
// Mirrors: pkg/kubeapiserver/authorizer/config.go, plugin/pkg/auth/authorizer/{rbac,node}
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/apiserver/auth/user.h"
#include "pkg/base/clock.h"

namespace knarr::registry {
class Access;
}

namespace knarr::auth {

using AuthorizerPtr = std::unique_ptr<Authorizer>;

AuthorizerPtr NewAlwaysAllow();
AuthorizerPtr NewAlwaysDeny();
// Members of these groups may do everything.
AuthorizerPtr NewPrivilegedGroups(std::vector<std::string> groups);
// The first that allows or denies decides; reasons of the others are kept, one a line.
AuthorizerPtr NewAuthorizerUnion(std::vector<AuthorizerPtr> parts);
AuthorizerPtr NewRbacAuthorizer(registry::Access& access);
// What kubelets (system:node:<name> of system:nodes) may do: their own node, lease and CSINode, their pods, and what
// those pods refer to.
AuthorizerPtr NewNodeAuthorizer(registry::Access& access, Clock& clock);

// system:masters first, then --authorization-mode in its order. Modes that are left for later are refused by name.
Result<AuthorizerPtr> NewAuthorizer(const std::vector<std::string>& modes, registry::Access& access, Clock& clock);

// 403 as upstream words it:
//   pods "web" is forbidden: User "jane" cannot get resource "pods" in API group "" in the namespace "default":
//   <reason>
Status Forbidden(const Attributes& attributes, std::string_view reason);
// Of the same, the part that says who cannot do what.
std::string ForbiddenMessage(const Attributes& attributes);

// system:node:<name> and member of system:nodes: true; `name` is "" where the user name is not of that form.
bool IsNode(const UserInfo& user, std::string* name);

}  // namespace knarr::auth
