// JSON Web Tokens as Kubernetes uses them: compact JWS, RS256 and ES256/384/512, nothing else.
//
// The key decides the algorithm; what the token's header says must agree with it, so neither "none" nor a MAC with a
// public key can pass. Bounded: tokens above kMaxToken bytes are refused before they are looked at.
// Mirrors: gopkg.in/square/go-jose.v2, pkg/serviceaccount/jwt.go. Immutable, thread-safe.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/base/status.h"

namespace knarr::auth::jwt {

inline constexpr size_t kMaxToken = 32 << 10;

struct KeyData;  // an OpenSSL key

class PublicKey {
 public:
  // Every public key of a PEM text: PUBLIC KEY, RSA PUBLIC KEY, CERTIFICATE, or the public half of a private key.
  static Result<std::vector<PublicKey>> ParsePem(std::string_view pem, std::string_view name);
  const std::string& id() const { return id_; }  // base64url(sha256(SubjectPublicKeyInfo))
  const std::string& algorithm() const { return algorithm_; }
  bool Verify(std::string_view signing_input, std::string_view signature) const;
  // {"use":"sig","kty":"RSA",...} as go-jose prints it.
  std::string ToJwk() const;

 private:
  friend class Signer;
  std::shared_ptr<const KeyData> key_;
  std::string id_, algorithm_;
};

class Signer {
 public:
  static Result<Signer> ParsePem(std::string_view pem, std::string_view name);
  const PublicKey& public_key() const { return key_; }
  // The compact token of this payload.
  Result<std::string> Sign(std::string_view payload_json) const;

 private:
  PublicKey key_;
};

struct Token {
  std::string algorithm, key_id;  // as the header claims
  std::string payload;            // JSON, not yet believed
  std::string signing_input, signature;
};
// Form only: three parts of unpadded base64url, a JSON object in the first two, an allowed algorithm, no critical
// extensions.
Result<Token> Parse(std::string_view token);
// Some key of those accepts it: of the same id where both have one, of the algorithm the header claims.
bool VerifiedBy(const Token& token, const std::vector<PublicKey>& keys);

}  // namespace knarr::auth::jwt
