// Tokens of service accounts: issued on request, verified against keys and against the live objects that they are
// bound to; and the documents by which others find the keys.
//
// Mirrors: pkg/serviceaccount/{jwt,claims,legacy,openidmetadata}.go, pkg/registry/core/serviceaccount/storage/token.go
// Thread-safe.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/apiserver/auth/serviceaccount/jwt.h"
#include "pkg/apiserver/auth/user.h"
#include "pkg/apiserver/registry/kind.h"
#include "pkg/base/clock.h"

namespace knarr::auth {

struct ServiceAccountOptions {
  std::vector<std::string> issuers;        // --service-account-issuer: the first signs, all are accepted
  std::vector<std::string> key_files;      // --service-account-key-file; empty: the signing key's
  std::string signing_key_file;            // --service-account-signing-key-file; empty: no TokenRequest
  std::vector<std::string> api_audiences;  // --api-audiences; empty: the issuers
  std::chrono::seconds max_expiration{0};  // --service-account-max-token-expiration; 0: no limit
  bool extend_expiration = true;           // --service-account-extend-token-expiration
  bool lookup = true;                      // --service-account-lookup: legacy tokens must be in their secret
  std::string jwks_uri;                    // --service-account-jwks-uri
};

// The keys read, the rest as given. Errors name the flag or file.
struct ServiceAccountKeys {
  std::vector<std::string> issuers, audiences;
  std::vector<jwt::PublicKey> keys;
  std::shared_ptr<const jwt::Signer> signer;  // null: tokens cannot be issued
  std::chrono::seconds max_expiration{0};
  bool extend_expiration = true;
  bool lookup = true;
  std::string jwks_uri;
};
Result<std::shared_ptr<const ServiceAccountKeys>> LoadServiceAccountKeys(const ServiceAccountOptions& options);

// Verifies tokens: bound ones of our issuers, and legacy ones out of secrets. nullopt for tokens of other issuers.
std::shared_ptr<TokenAuthenticator> NewServiceAccountAuthenticator(std::shared_ptr<const ServiceAccountKeys> keys,
                                                                   registry::Access& access, Clock& clock);

// What a token says. Empty names are left out.
struct BoundRef {
  std::string name, uid;
};
struct TokenClaims {
  std::string ns;
  BoundRef service_account, pod, secret, node;
  std::vector<std::string> audiences;
  WallTime issued_at;
  std::chrono::seconds lifetime{0};
  std::chrono::seconds warn_after{0};  // 0: no such claim
  std::string id;                      // jti
};
// The payload with its keys in order, as go-jose prints it.
std::string ClaimsJson(const TokenClaims& claims, std::string_view issuer);

// serviceaccounts/token, to be put into the kind's subresources. Without a signing key the call fails as upstream's.
registry::Subresource TokenSubresource(std::shared_ptr<const ServiceAccountKeys> keys);

// GET /.well-known/openid-configuration and /openid/v1/jwks. Empty where the issuer is no https URL.
struct DiscoveryDocuments {
  std::string configuration;  // application/json
  std::string keys;           // application/jwk-set+json
};
inline constexpr std::string_view kDiscoveryPath = "/.well-known/openid-configuration";
inline constexpr std::string_view kJwksPath = "/openid/v1/jwks";
inline constexpr std::string_view kDiscoveryCacheControl = "public, max-age=3600";
inline constexpr std::string_view kJwksContentType = "application/jwk-set+json";
// `external_address`: host:port that clients reach the server by, for jwks_uri where none is configured.
Result<DiscoveryDocuments> MakeDiscovery(const ServiceAccountKeys& keys, std::string_view external_address);

}  // namespace knarr::auth
