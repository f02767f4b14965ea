// From the flags of a server to everything that tells who asks and what they may: one call for the composition root.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pkg/apiserver/auth/authn/authn.h"
#include "pkg/apiserver/auth/authz/authz.h"
#include "pkg/apiserver/auth/serviceaccount/serviceaccount.h"

namespace knarr::auth {

struct AuthOptions {
  std::string client_ca_file;                                      // --client-ca-file
  std::string requestheader_client_ca_file;                        // --requestheader-client-ca-file
  FrontProxyOptions front_proxy;                                   // --requestheader-*; used with the above
  std::string token_auth_file;                                     // --token-auth-file
  bool bootstrap_tokens = false;                                   // --enable-bootstrap-token-auth
  bool anonymous = true;                                           // --anonymous-auth
  ServiceAccountOptions service_accounts;                          // --service-account-*, --api-audiences
  std::vector<std::string> authorization_modes = {"AlwaysAllow"};  // --authorization-mode
  UnsupportedAuthFlags unsupported;
};

struct Auth {
  std::shared_ptr<const ServiceAccountKeys> keys;
  TokenAuthenticatorPtr tokens;  // for TokenReview, too
  AuthenticatorPtr authenticator;
  AuthorizerPtr authorizer;
};
// `access` and `clock` outlive the result; nothing is read through `access` yet.
Result<Auth> SetUpAuth(const AuthOptions& options, registry::Access& access, Clock& clock);

// Publishes the authorities for aggregated and extension API servers, and for a kube-controller-manager or
// kube-scheduler that delegates to this one: the config map extension-apiserver-authentication of kube-system. Other
// servers' certificates are kept; what is no longer valid is dropped by hand. To be run after the start and when a CA
// file changed. Mirrors: pkg/controlplane/controller/clusterauthenticationtrust
Status PublishAuthentication(const Context& ctx, registry::Access& access, const AuthOptions& options);

}  // namespace knarr::auth
