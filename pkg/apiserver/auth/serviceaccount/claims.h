// What a verified token claims, read strictly. Private to this library.
#pragma once

#include <optional>

#include "pkg/apiserver/auth/serviceaccount/serviceaccount.h"

namespace knarr::auth::internal {

inline constexpr std::string_view kLegacyIssuer = "kubernetes/serviceaccount";

struct Claims {
  std::string issuer, subject, id;
  std::vector<std::string> audiences;
  std::optional<double> expires, not_before, issued_at;  // seconds since 1970
  // "kubernetes.io"
  std::string ns;
  BoundRef service_account;
  std::optional<BoundRef> pod, secret, node;
  // "kubernetes.io/serviceaccount/..." of legacy tokens
  BoundRef legacy_account;
  std::string legacy_ns, legacy_secret;
};
// The issuer alone, "" where there is none: decides whose token it is before anything is verified.
std::string IssuerOf(std::string_view payload);
// A claim of the wrong type is an error.
Result<Claims> ParseClaims(std::string_view payload);

}  // namespace knarr::auth::internal
