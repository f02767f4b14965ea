// Who asks: one small authenticator for each kind of credential, and the order in which they are tried.
//
// Thread-safe. Nothing here logs a token, a header's value or a secret.
// Mirrors: pkg/kubeapiserver/authenticator/config.go, staging/src/k8s.io/apiserver/pkg/authentication/{request,token}
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/apiserver/auth/user.h"
#include "pkg/base/clock.h"

namespace knarr::http {
class Headers;
}
namespace knarr::registry {
class Access;
}

namespace knarr::auth {

using AuthenticatorPtr = std::unique_ptr<Authenticator>;
using TokenAuthenticatorPtr = std::shared_ptr<TokenAuthenticator>;

// --requestheader-*. The authority (--requestheader-client-ca-file) is tls::ServerOptions::front_proxy_ca_file.
struct FrontProxyOptions {
  std::vector<std::string> allowed_names;  // common names; empty: any that the authority signed
  std::vector<std::string> username_headers = {"x-remote-user"};
  std::vector<std::string> uid_headers;
  std::vector<std::string> group_headers = {"x-remote-group"};
  std::vector<std::string> extra_header_prefixes = {"x-remote-extra-"};
};

// The user is the certificate's common name, the groups are its organizations.
AuthenticatorPtr NewX509Authenticator(Clock& clock);
// Who the headers name, but only over a connection with a certificate of the front proxies' own authority.
AuthenticatorPtr NewFrontProxyAuthenticator(FrontProxyOptions options, Clock& clock);
// Authorization: Bearer, or of a WebSocket the subprotocol base64url.bearer.authorization.k8s.io.<token>.
AuthenticatorPtr NewBearerAuthenticator(TokenAuthenticatorPtr tokens);

// known_tokens.csv: token,user,uid[,"group,group"]. `audiences` are the server's own.
Result<TokenAuthenticatorPtr> ParseTokenFile(std::string_view csv, std::string_view path,
                                             std::vector<std::string> audiences);
Result<TokenAuthenticatorPtr> LoadTokenFile(const std::string& path, std::vector<std::string> audiences);
// Secrets bootstrap-token-<id> of kube-system.
TokenAuthenticatorPtr NewBootstrapTokenAuthenticator(registry::Access& access, Clock& clock,
                                                     std::vector<std::string> audiences);
// The first that accepts; all errors if none does.
TokenAuthenticatorPtr NewTokenUnion(std::vector<TokenAuthenticatorPtr> parts);
// Remembers who was accepted. Keyed by a keyed hash, bounded; what is refused is asked about again.
TokenAuthenticatorPtr NewTokenCache(TokenAuthenticatorPtr inner, Clock& clock, Duration ttl = std::chrono::seconds(10),
                                    size_t capacity = 4096);

struct ChainOptions {
  bool client_ca = false;                          // --client-ca-file is given
  const FrontProxyOptions* front_proxy = nullptr;  // --requestheader-client-ca-file is given
  TokenAuthenticatorPtr tokens;                    // null: no tokens are understood
  bool anonymous = true;                           // --anonymous-auth
};
// Front proxy, certificate, token; then anonymous, unless a credential was wrong. Adds system:authenticated.
// Answers nullopt if nobody is meant (anonymous is off), an error if a credential is no good: both are 401.
AuthenticatorPtr NewChain(const ChainOptions& options, Clock& clock);

// What no handler and no backend may see: Authorization, the front proxy's headers (standard and configured), the
// token's WebSocket subprotocol. After authentication, whatever its result.
void StripCredentials(http::Headers& headers, const FrontProxyOptions* front_proxy);

// Flags of what is left for later: an error that says so if one is set.
struct UnsupportedAuthFlags {
  std::string oidc_issuer_url, token_webhook_config, authentication_config, authorization_webhook_config,
      authorization_config;
};
Status RefuseUnsupported(const UnsupportedAuthFlags& flags);

// Parts of names that several places need.
std::string ServiceAccountUsername(std::string_view ns, std::string_view name);
std::vector<std::string> ServiceAccountGroups(std::string_view ns);
// system:serviceaccount:<ns>:<name>; false if it is none.
bool SplitServiceAccountUsername(std::string_view username, std::string* ns, std::string* name);
// Equal, in time that does not tell where they differ.
bool ConstantTimeEqual(std::string_view a, std::string_view b);
// Those of `a` that are in `b`.
std::vector<std::string> Intersect(const std::vector<std::string>& a, const std::vector<std::string>& b);

inline constexpr std::string_view kCredentialIdExtra = "authentication.kubernetes.io/credential-id";

}  // namespace knarr::auth
