#include "pkg/apiserver/auth/filter.h"

#include "pkg/api/errors/errors.h"
#include "pkg/api/field/quote.h"
#include "pkg/apiserver/auth/authn/authn.h"
#include "pkg/apiserver/auth/authz/authz.h"
#include "pkg/net/http/message.h"
#include "pkg/net/http/server.h"

namespace knarr::auth {
namespace {

constexpr std::string_view kUser = "Impersonate-User", kUid = "Impersonate-Uid", kGroup = "Impersonate-Group",
                           kExtraPrefix = "Impersonate-Extra-";
constexpr const char* kAuthentication = "authentication.k8s.io";
constexpr size_t kMaxParts = 200;

bool IsExtra(std::string_view name) {
  return name.size() >= kExtraPrefix.size() && http::EqualFold(name.substr(0, kExtraPrefix.size()), kExtraPrefix);
}

std::string ExtraKey(std::string_view header) {
  std::string key(header.substr(kExtraPrefix.size()));
  for (char& c : key) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  const Result<std::string> decoded = http::PercentDecode(key, false);
  return decoded.ok() ? *decoded : key;
}

// One thing that is asked for: upstream's ObjectReference.
struct Part {
  std::string kind, ns, name, api_version, path;
};

}  // namespace

Result<UserInfo> AuthenticateRequest(Authenticator& chain, const http::Request& request) {
  Result<std::optional<UserInfo>> user = chain.Authenticate(request);
  if (!user.ok()) {
    request.ctx.log().Error(user.error(), "Unable to authenticate the request");
    return errors::Unauthorized();
  }
  if (!*user) return errors::Unauthorized();
  return std::move(**user);
}

Result<std::optional<UserInfo>> Impersonate(const Context& ctx, Authorizer& authorizer, const UserInfo& requestor,
                                            const http::Request& request) {
  std::vector<Part> parts;
  const std::string wanted(request.headers.Get(kUser));
  std::string ns, account;
  const bool is_account = SplitServiceAccountUsername(wanted, &ns, &account);
  if (is_account) {
    parts.push_back({.kind = "ServiceAccount", .ns = ns, .name = account, .api_version = {}, .path = {}});
  } else if (!wanted.empty()) {
    parts.push_back({.kind = "User", .ns = {}, .name = wanted, .api_version = {}, .path = {}});
  }
  for (const auto& [name, value] : request.headers) {
    if (http::EqualFold(name, kGroup))
      parts.push_back({.kind = "Group", .ns = {}, .name = value, .api_version = {}, .path = {}});
  }
  const std::string version = fmt::format("{}/v1", kAuthentication);
  for (const auto& [name, value] : request.headers) {
    if (IsExtra(name))
      parts.push_back({.kind = "UserExtra", .ns = {}, .name = value, .api_version = version, .path = ExtraKey(name)});
  }
  if (const std::string uid(request.headers.Get(kUid)); !uid.empty())
    parts.push_back({.kind = "UID", .ns = {}, .name = uid, .api_version = version, .path = {}});
  if (parts.empty()) return std::nullopt;
  if (wanted.empty()) {
    std::string list;
    for (const Part& p : parts)
      list +=
          fmt::format("{}{{{} {} {}  {}  {}}}", list.empty() ? "" : " ", p.kind, p.ns, p.name, p.api_version, p.path);
    return Error(Code::kInternal, "Internal Server Error: {}: requested [{}] without impersonating a user",
                 field::Quote(request.target), list);
  }
  if (parts.size() > kMaxParts) return errors::BadRequest("too many impersonation headers");

  UserInfo out{.name = wanted};
  for (const Part& part : parts) {
    Attributes attributes{
        .user = &requestor, .verb = "impersonate", .resource_request = true, .name = part.name, .namespace_ = part.ns};
    if (!part.api_version.empty()) {
      attributes.api_group = kAuthentication;
      attributes.api_version = "v1";
    }
    if (part.kind == "ServiceAccount") {
      attributes.api_version = "v1";
      attributes.resource = "serviceaccounts";
    } else if (part.kind == "User") {
      attributes.resource = "users";
    } else if (part.kind == "Group") {
      attributes.resource = "groups";
      out.groups.push_back(part.name);
    } else if (part.kind == "UserExtra") {
      attributes.resource = "userextras";
      attributes.subresource = part.path;
      out.extra[part.path].push_back(part.name);
    } else {
      attributes.resource = "uids";
      out.uid = part.name;
    }
    const Verdict verdict = authorizer.Authorize(ctx, attributes);
    if (verdict.decision != Decision::kAllow) return Forbidden(attributes, verdict.reason);
  }
  // Groups that are named are all there are; a service account's are known.
  if (is_account && !request.headers.Has(kGroup)) out.groups = ServiceAccountGroups(ns);
  if (wanted == kAnonymous) {
    if (!out.InGroup(kUnauthenticatedGroup)) out.groups.emplace_back(kUnauthenticatedGroup);
  } else if (!out.InGroup(kAuthenticatedGroup) && !out.InGroup(kUnauthenticatedGroup)) {
    out.groups.emplace_back(kAuthenticatedGroup);
  }
  return out;
}

void StripImpersonation(http::Headers& headers) {
  std::vector<std::string> remove = {std::string(kUser), std::string(kUid), std::string(kGroup)};
  for (const auto& [name, value] : headers) {
    if (IsExtra(name)) remove.push_back(name);
  }
  for (const std::string& name : remove) headers.Remove(name);
}

Result<Identity> Identify(Authenticator& chain, Authorizer& authorizer, const http::Request& request) {
  Identity identity;
  identity.user = KNARR_TRY(AuthenticateRequest(chain, request));
  std::optional<UserInfo> other = KNARR_TRY(Impersonate(request.ctx, authorizer, identity.user, request));
  if (!other) return identity;
  identity.impersonator = std::move(identity.user);
  identity.user = std::move(*other);
  return identity;
}

}  // namespace knarr::auth
