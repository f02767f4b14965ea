#include "pkg/apiserver/auth/setup.h"

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/codec/json_text.h"
#include "pkg/api/types.h"
#include "pkg/apiserver/registry/access.h"
#include "pkg/base/file.h"

namespace knarr::auth {
namespace {

constexpr std::string_view kNamespace = "kube-system", kName = "extension-apiserver-authentication";
constexpr size_t kMaxBundle = 1 << 20;

// ["a","b"]
std::string JsonList(const std::vector<std::string>& texts) {
  std::string out = "[";
  for (const std::string& text : texts) {
    if (out.size() > 1) out += ',';
    codec::AppendJsonString(text, &out);
  }
  return out + "]";
}

// The PEM blocks of both, each once: other servers of the cluster may trust other authorities.
std::string JoinBundles(std::string_view present, std::string_view ours) {
  constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE-----", kEnd = "-----END CERTIFICATE-----";
  std::string out;
  for (std::string_view rest : {present, ours}) {
    for (;;) {
      const size_t begin = rest.find(kBegin);
      if (begin == std::string_view::npos) break;
      const size_t end = rest.find(kEnd, begin);
      if (end == std::string_view::npos) break;
      const std::string_view block = rest.substr(begin, end + kEnd.size() - begin);
      if (out.find(block) == std::string::npos) out.append(block).append("\n");
      rest.remove_prefix(end + kEnd.size());
    }
  }
  return out;
}

}  // namespace

Result<Auth> SetUpAuth(const AuthOptions& options, registry::Access& access, Clock& clock) {
  KNARR_TRY(RefuseUnsupported(options.unsupported));
  Auth auth;
  auth.keys = KNARR_TRY(LoadServiceAccountKeys(options.service_accounts));
  std::vector<TokenAuthenticatorPtr> tokens;
  if (!options.token_auth_file.empty())
    tokens.push_back(KNARR_TRY(LoadTokenFile(options.token_auth_file, auth.keys->audiences)));
  tokens.push_back(NewServiceAccountAuthenticator(auth.keys, access, clock));
  if (options.bootstrap_tokens) tokens.push_back(NewBootstrapTokenAuthenticator(access, clock, auth.keys->audiences));
  auth.tokens = NewTokenCache(NewTokenUnion(std::move(tokens)), clock);
  auth.authenticator =
      NewChain({.client_ca = !options.client_ca_file.empty(),
                .front_proxy = options.requestheader_client_ca_file.empty() ? nullptr : &options.front_proxy,
                .tokens = auth.tokens,
                .anonymous = options.anonymous},
               clock);
  auth.authorizer = KNARR_TRY(NewAuthorizer(options.authorization_modes, access, clock));
  return auth;
}

Status PublishAuthentication(const Context& ctx, registry::Access& access, const AuthOptions& options) {
  std::map<std::string, std::string> bundles, lists;
  if (!options.client_ca_file.empty())
    bundles["client-ca-file"] = KNARR_TRY(ReadFile(options.client_ca_file, kMaxBundle));
  if (!options.requestheader_client_ca_file.empty()) {
    bundles["requestheader-client-ca-file"] = KNARR_TRY(ReadFile(options.requestheader_client_ca_file, kMaxBundle));
    lists["requestheader-username-headers"] = JsonList(options.front_proxy.username_headers);
    lists["requestheader-group-headers"] = JsonList(options.front_proxy.group_headers);
    lists["requestheader-extra-headers-prefix"] = JsonList(options.front_proxy.extra_header_prefixes);
    lists["requestheader-allowed-names"] = JsonList(options.front_proxy.allowed_names);
    if (!options.front_proxy.uid_headers.empty())
      lists["requestheader-uid-headers"] = JsonList(options.front_proxy.uid_headers);
  }
  if (bundles.empty()) return {};
  // True if something changed.
  const auto fill = [&](core::ConfigMap& map) {
    bool changed = false;
    auto& data = *map.mutable_data();
    const auto set = [&](const std::string& key, const std::string& value) {
      if (const auto found = data.find(key); found != data.end() && found->second == value) return;
      data[key] = value;
      changed = true;
    };
    for (const auto& [key, pem] : bundles) {
      const auto found = data.find(key);
      set(key, JoinBundles(found == data.end() ? std::string_view() : std::string_view(found->second), pem));
    }
    for (const auto& [key, value] : lists) set(key, value);
    return changed;
  };
  const Result<registry::ObjectRef> present = access.GetConsistent(ctx, {"", "configmaps"}, kNamespace, kName);
  if (!present.ok()) {
    if (!present.error().Is(Code::kNotFound)) return present.error();
    auto map = std::make_unique<core::ConfigMap>();
    map->mutable_metadata()->set_name(std::string(kName));
    map->mutable_metadata()->set_namespace_(std::string(kNamespace));
    fill(*map);
    return access.Create(ctx, {"", "configmaps"}, api::Object(std::move(map))).status();
  }
  core::ConfigMap trial = (*present)->As<core::ConfigMap>();
  if (!fill(trial)) return {};
  return access
      .Update(ctx, {"", "configmaps"}, kNamespace, kName, "",
              [&](api::Object& object) {
                fill(object.As<core::ConfigMap>());
                return OkStatus();
              })
      .status();
}

}  // namespace knarr::auth
