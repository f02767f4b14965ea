// Key files, and the documents that publish the keys.
// Mirrors: pkg/serviceaccount/openidmetadata.go
#include <set>

#include "pkg/api/codec/json_text.h"
#include "pkg/apiserver/auth/serviceaccount/serviceaccount.h"
#include "pkg/base/file.h"
#include "pkg/net/http/message.h"

namespace knarr::auth {
namespace {

constexpr size_t kMaxKeyFile = 1 << 20;

void AddString(std::string_view name, std::string_view value, std::string* out) {
  out->append(out->size() > 1 ? "," : "");
  codec::AppendJsonString(name, out);
  out->append(":");
  codec::AppendJsonString(value, out);
}

}  // namespace

Result<std::shared_ptr<const ServiceAccountKeys>> LoadServiceAccountKeys(const ServiceAccountOptions& options) {
  auto keys = std::make_shared<ServiceAccountKeys>();
  if (options.issuers.empty() || options.issuers.front().empty())
    return Error(Code::kInvalid, "service-account-issuer is a required flag");
  std::set<std::string> seen;
  for (const std::string& issuer : options.issuers) {
    if (!seen.insert(issuer).second)
      return Error(Code::kInvalid, "service-account-issuer \"{}\" is already specified", issuer);
  }
  keys->issuers = options.issuers;
  keys->audiences = options.api_audiences.empty() ? options.issuers : options.api_audiences;
  keys->extend_expiration = options.extend_expiration;
  keys->lookup = options.lookup;
  keys->jwks_uri = options.jwks_uri;
  if (options.max_expiration.count() != 0) {
    constexpr auto kLow = std::chrono::hours(1);
    constexpr int64_t kHigh = int64_t{1} << 32;
    if (options.max_expiration < kLow || options.max_expiration.count() > kHigh) {
      return Error(Code::kInvalid, "the service-account-max-token-expiration must be between 1 hour and 2^32 seconds");
    }
  }
  keys->max_expiration = options.max_expiration;
  if (!options.signing_key_file.empty()) {
    const std::string pem = KNARR_TRY(ReadFile(options.signing_key_file, kMaxKeyFile));
    jwt::Signer signer = KNARR_TRY_CTX(jwt::Signer::ParsePem(pem, options.signing_key_file),
                                       "failed to parse service-account-signing-key-file");
    keys->signer = std::make_shared<const jwt::Signer>(std::move(signer));
  }
  std::vector<std::string> files = options.key_files;
  if (files.empty() && !options.signing_key_file.empty()) files.push_back(options.signing_key_file);
  if (files.empty()) return Error(Code::kInvalid, "service-account-key-file is a required flag");
  for (const std::string& file : files) {
    const std::string pem = KNARR_TRY(ReadFile(file, kMaxKeyFile));
    for (jwt::PublicKey& key : KNARR_TRY(jwt::PublicKey::ParsePem(pem, file))) {
      const auto same = [&](const jwt::PublicKey& other) { return other.id() == key.id(); };
      if (std::none_of(keys->keys.begin(), keys->keys.end(), same)) keys->keys.push_back(std::move(key));
    }
  }
  return std::shared_ptr<const ServiceAccountKeys>(std::move(keys));
}

Result<DiscoveryDocuments> MakeDiscovery(const ServiceAccountKeys& keys, std::string_view external_address) {
  const std::string& issuer = keys.issuers.front();
  const Result<http::Url> url = http::ParseUrl(issuer);
  if (!url.ok() || url->scheme != "https")
    return Error(Code::kInvalid, "issuer URL must use https scheme, got: {}", issuer);
  if (issuer.find('?') != std::string::npos)
    return Error(Code::kInvalid, "issuer URL may not include a query, got: {}", issuer);
  if (issuer.find('#') != std::string::npos)
    return Error(Code::kInvalid, "issuer URL may not include a fragment, got: {}", issuer);
  std::string jwks_uri = keys.jwks_uri;
  if (jwks_uri.empty()) {
    if (external_address.empty())
      return Error(Code::kInvalid, "either the JWKS URI or the default external address, or both, must be set");
    jwks_uri = fmt::format("https://{}{}", external_address, kJwksPath);
  } else if (!jwks_uri.starts_with("https://")) {
    return Error(Code::kInvalid, "jwksURI requires https scheme, parsed as: {}", jwks_uri);
  }

  std::set<std::string> algorithms;
  std::string list;
  for (const jwt::PublicKey& key : keys.keys) {
    algorithms.insert(key.algorithm());
    list += (list.empty() ? "" : ",") + key.ToJwk();
  }
  DiscoveryDocuments out;
  out.keys = R"({"keys":[)" + list + "]}";
  out.configuration = "{";
  AddString("issuer", issuer, &out.configuration);
  AddString("jwks_uri", jwks_uri, &out.configuration);
  out.configuration += R"(,"response_types_supported":["id_token"],"subject_types_supported":["public"],)";
  out.configuration += R"("id_token_signing_alg_values_supported":[)";
  std::string names;
  for (const std::string& name : algorithms) names += fmt::format("{}\"{}\"", names.empty() ? "" : ",", name);
  out.configuration += names + "]}";
  return out;
}

}  // namespace knarr::auth
