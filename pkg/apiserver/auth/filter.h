// From a request to who makes it, and as whom: the first two filters of the handler chain.
// Mirrors: staging/src/k8s.io/apiserver/pkg/endpoints/filters/{authentication,impersonation}.go
#pragma once

#include <optional>

#include "pkg/apiserver/auth/user.h"

namespace knarr::http {
class Headers;
struct Request;
}  // namespace knarr::http

namespace knarr::auth {

// 401 as upstream's ("Unauthorized"), whatever the reason; the reason is logged. The chain is NewChain's.
Result<UserInfo> AuthenticateRequest(Authenticator& chain, const http::Request& request);

// Who the headers Impersonate-User, -Group, -Uid and -Extra-* ask to be, nullopt where there are none. Every part needs
// the verb "impersonate"; a refusal is 403.
Result<std::optional<UserInfo>> Impersonate(const Context& ctx, Authorizer& authorizer, const UserInfo& requestor,
                                            const http::Request& request);
// What must not reach a backend.
void StripImpersonation(http::Headers& headers);

// Both in order.
struct Identity {
  UserInfo user;                         // acts
  std::optional<UserInfo> impersonator;  // asked; for the audit
};
Result<Identity> Identify(Authenticator& chain, Authorizer& authorizer, const http::Request& request);

}  // namespace knarr::auth
