// Tokens come from anybody: reading one neither crashes nor takes long, and what is not signed is not believed.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "pkg/apiserver/auth/serviceaccount/claims.h"
#include "pkg/apiserver/auth/serviceaccount/jwt.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace knarr::auth;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)internal::ParseClaims(text);
  (void)internal::IssuerOf(text);
  const auto token = jwt::Parse(text);
  if (!token.ok()) return 0;
  (void)internal::ParseClaims(token->payload);
  static const auto keys = *jwt::PublicKey::ParsePem(
      "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAELGUzig0lQVE5Hm1ks/qQdaqUcBm3\n"
      "L09n4q7G6XH9PRdbsNM29O8dx0QlOvn0+9HqKpt7LzWnd+X5bksU0GZZRA==\n-----END PUBLIC KEY-----\n",
      "fuzz");
  (void)jwt::VerifiedBy(*token, keys);
  return 0;
}
