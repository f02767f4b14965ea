#include "pkg/apiserver/auth/serviceaccount/claims.h"

#include <boost/json.hpp>

namespace knarr::auth {
namespace internal {
namespace {

using boost::json::object;
using boost::json::value;

Result<object> ParseObject(std::string_view text) {
  boost::system::error_code error;
  boost::json::parse_options options;
  options.max_depth = 16;
  value parsed = boost::json::parse({text.data(), text.size()}, error, {}, options);
  if (error || !parsed.is_object()) return Error(Code::kUnauthorized, "token: malformed claims");
  return std::move(parsed.as_object());
}

Status Wrong(std::string_view name) {
  return Error(Code::kUnauthorized, "token: claim {} has a wrong type", name);
}

// Absent and null leave `to` alone, as encoding/json does.
Status ReadString(const object& from, std::string_view name, std::string* to) {
  const value* found = from.if_contains({name.data(), name.size()});
  if (found == nullptr || found->is_null()) return {};
  if (!found->is_string()) return Wrong(name);
  to->assign(found->as_string().data(), found->as_string().size());
  return {};
}

Status ReadNumber(const object& from, std::string_view name, std::optional<double>* to) {
  const value* found = from.if_contains({name.data(), name.size()});
  if (found == nullptr || found->is_null()) return {};
  if (!found->is_number()) return Wrong(name);
  *to = found->to_number<double>();
  return {};
}

Status ReadAudiences(const object& from, std::vector<std::string>* to) {
  const value* found = from.if_contains("aud");
  if (found == nullptr || found->is_null()) return {};
  const auto add = [&](const value& one) {
    if (!one.is_string()) return false;
    to->emplace_back(one.as_string().data(), one.as_string().size());
    return true;
  };
  if (found->is_array()) {
    for (const value& one : found->as_array()) {
      if (!add(one)) return Wrong("aud");
    }
    return {};
  }
  return add(*found) ? Status() : Wrong("aud");
}

Status ReadRef(const object& from, std::string_view name, std::optional<BoundRef>* to) {
  const value* found = from.if_contains({name.data(), name.size()});
  if (found == nullptr || found->is_null()) return {};
  if (!found->is_object()) return Wrong(name);
  to->emplace();
  KNARR_TRY(ReadString(found->as_object(), "name", &(*to)->name));
  return ReadString(found->as_object(), "uid", &(*to)->uid);
}

}  // namespace

std::string IssuerOf(std::string_view payload) {
  std::string issuer;
  const Result<object> parsed = ParseObject(payload);
  if (!parsed.ok() || !ReadString(*parsed, "iss", &issuer).ok()) return {};
  return issuer;
}

Result<Claims> ParseClaims(std::string_view payload) {
  const object parsed = KNARR_TRY(ParseObject(payload));
  Claims out;
  KNARR_TRY(ReadString(parsed, "iss", &out.issuer));
  KNARR_TRY(ReadString(parsed, "sub", &out.subject));
  KNARR_TRY(ReadString(parsed, "jti", &out.id));
  KNARR_TRY(ReadAudiences(parsed, &out.audiences));
  KNARR_TRY(ReadNumber(parsed, "exp", &out.expires));
  KNARR_TRY(ReadNumber(parsed, "nbf", &out.not_before));
  KNARR_TRY(ReadNumber(parsed, "iat", &out.issued_at));
  KNARR_TRY(ReadString(parsed, "kubernetes.io/serviceaccount/namespace", &out.legacy_ns));
  KNARR_TRY(ReadString(parsed, "kubernetes.io/serviceaccount/secret.name", &out.legacy_secret));
  KNARR_TRY(ReadString(parsed, "kubernetes.io/serviceaccount/service-account.name", &out.legacy_account.name));
  KNARR_TRY(ReadString(parsed, "kubernetes.io/serviceaccount/service-account.uid", &out.legacy_account.uid));
  const value* ours = parsed.if_contains("kubernetes.io");
  if (ours == nullptr || ours->is_null()) return out;
  if (!ours->is_object()) return Wrong("kubernetes.io");
  const object& bound = ours->as_object();
  KNARR_TRY(ReadString(bound, "namespace", &out.ns));
  std::optional<BoundRef> account;
  KNARR_TRY(ReadRef(bound, "serviceaccount", &account));
  if (account) out.service_account = *account;
  KNARR_TRY(ReadRef(bound, "pod", &out.pod));
  KNARR_TRY(ReadRef(bound, "secret", &out.secret));
  KNARR_TRY(ReadRef(bound, "node", &out.node));
  return out;
}

}  // namespace internal

std::string ClaimsJson(const TokenClaims& claims, std::string_view issuer) {
  const auto text = [](std::string_view s) { return boost::json::string(s.data(), s.size()); };
  const auto ref = [&](const BoundRef& from) {
    boost::json::object out;
    out["name"] = text(from.name);
    if (!from.uid.empty()) out["uid"] = text(from.uid);
    return out;
  };
  using std::chrono::duration_cast;
  const int64_t now = duration_cast<std::chrono::seconds>(claims.issued_at.time_since_epoch()).count();
  boost::json::object out, bound;
  boost::json::array audiences;
  for (const std::string& audience : claims.audiences) audiences.push_back(text(audience));
  out["aud"] = std::move(audiences);
  out["exp"] = now + claims.lifetime.count();
  out["iat"] = now;
  out["iss"] = text(issuer);
  if (!claims.id.empty()) out["jti"] = text(claims.id);
  bound["namespace"] = text(claims.ns);
  if (!claims.node.name.empty()) bound["node"] = ref(claims.node);
  if (!claims.pod.name.empty()) bound["pod"] = ref(claims.pod);
  if (!claims.secret.name.empty()) bound["secret"] = ref(claims.secret);
  bound["serviceaccount"] = ref(claims.service_account);
  if (claims.warn_after.count() > 0) bound["warnafter"] = now + claims.warn_after.count();
  out["kubernetes.io"] = std::move(bound);
  out["nbf"] = now;
  out["sub"] = text(fmt::format("system:serviceaccount:{}:{}", claims.ns, claims.service_account.name));
  const std::string json = boost::json::serialize(out);
  return json;
}

}  // namespace knarr::auth
