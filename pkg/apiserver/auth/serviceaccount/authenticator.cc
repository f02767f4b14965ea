// Who a service account's token speaks for, and whether what it is bound to still exists.
// Mirrors: pkg/serviceaccount/{jwt,claims,legacy}.go
#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/types.h"
#include "pkg/apiserver/auth/authn/authn.h"
#include "pkg/apiserver/auth/serviceaccount/claims.h"
#include "pkg/apiserver/auth/serviceaccount/serviceaccount.h"
#include "pkg/apiserver/registry/access.h"

namespace knarr::auth {
namespace {

using internal::Claims;
using registry::ObjectRef;

constexpr double kLeeway = 60;  // seconds
constexpr std::string_view kInvalidSinceLabel = "kubernetes.io/legacy-token-invalid-since";

Status Refuse(std::string text) {
  return Status(Code::kUnauthorized, std::move(text));
}

class Tokens final : public TokenAuthenticator {
 public:
  Tokens(std::shared_ptr<const ServiceAccountKeys> keys, registry::Access& access, Clock& clock)
      : keys_(std::move(keys)), access_(access), clock_(clock) {}

  Result<std::optional<Answer>> AuthenticateToken(const Context& ctx, const std::string& text,
                                                  const std::vector<std::string>& audiences) override {
    // What is no JWT, or not of our issuers, may be somebody else's token.
    const Result<jwt::Token> token = jwt::Parse(text);
    if (!token.ok()) return std::nullopt;
    const std::string issuer = internal::IssuerOf(token->payload);
    const bool legacy = issuer == internal::kLegacyIssuer;
    if (!legacy &&
        (issuer.empty() || std::find(keys_->issuers.begin(), keys_->issuers.end(), issuer) == keys_->issuers.end())) {
      return std::nullopt;
    }
    if (!jwt::VerifiedBy(*token, keys_->keys)) return Refuse("invalid signature, no keys found");
    const Claims claims = KNARR_TRY(internal::ParseClaims(token->payload));

    std::vector<std::string> valid_for = claims.audiences;
    // Legacy tokens have no audience; they are for the server itself.
    if (valid_for.empty() && legacy) valid_for = keys_->audiences;
    const std::vector<std::string>& asked = audiences.empty() ? keys_->audiences : audiences;
    Answer answer;
    answer.audiences = Intersect(asked, valid_for);
    if (answer.audiences.empty() && !(legacy && asked.empty())) {
      return Refuse(fmt::format("token audiences [{}] is invalid for the target audiences [{}]", Quoted(valid_for),
                                Quoted(asked)));
    }
    answer.user = KNARR_TRY(legacy ? CheckLegacy(ctx, text, claims) : CheckBound(ctx, claims));
    return answer;
  }

 private:
  static std::string Quoted(const std::vector<std::string>& texts) {
    std::string out;
    for (const std::string& text : texts) out += fmt::format("{}\"{}\"", out.empty() ? "" : " ", text);
    return out;
  }

  double Now() const { return std::chrono::duration<double>(clock_.Now().time_since_epoch()).count(); }

  // The cache first; what it does not have (yet) is looked for in the store.
  Result<ObjectRef> Get(const Context& ctx, std::string_view resource, std::string_view ns,
                        const std::string& name) const {
    Result<ObjectRef> object = access_.Get(ctx, {"", resource}, ns, name);
    if (object.ok() || !object.error().Is(Code::kNotFound)) return object;
    return access_.GetConsistent(ctx, {"", resource}, ns, name);
  }

  template <typename T>
  static bool Deleted(const T& object, double before) {
    return object.metadata().has_deletiontimestamp() &&
           static_cast<double>(object.metadata().deletiontimestamp().seconds()) < before;
  }

  Result<UserInfo> CheckBound(const Context& ctx, const Claims& claims) const {
    const double now = Now();
    if (!claims.expires) return Refuse("service account token has no expiration");
    if (claims.not_before && now + kLeeway < *claims.not_before)
      return Refuse("service account token is not valid yet");
    if (now - kLeeway > *claims.expires) return Refuse("service account token has expired");
    if (claims.issued_at && now + kLeeway < *claims.issued_at)
      return Refuse("service account token is issued in the future");

    const std::string &ns = claims.ns, &name = claims.service_account.name;
    std::string subject_ns, subject_name;
    if (ns.empty() || name.empty() || !SplitServiceAccountUsername(claims.subject, &subject_ns, &subject_name) ||
        subject_ns != ns || subject_name != name) {
      return Refuse("sub claim is invalid");
    }
    const double gone_before = now - kLeeway;
    const ObjectRef account_object = KNARR_TRY(Get(ctx, "serviceaccounts", ns, name));
    const auto& account = account_object->As<core::ServiceAccount>();
    if (Deleted(account, gone_before)) return Refuse(fmt::format("service account {}/{} has been deleted", ns, name));
    if (account.metadata().uid() != claims.service_account.uid) {
      return Refuse(fmt::format("service account UID ({}) does not match claim ({})", account.metadata().uid(),
                                claims.service_account.uid));
    }
    const Status invalidated = Refuse("service account token has been invalidated");
    if (claims.secret) {
      const Result<ObjectRef> object = Get(ctx, "secrets", ns, claims.secret->name);
      if (!object.ok()) return invalidated;
      const auto& secret = (*object)->As<core::Secret>();
      if (Deleted(secret, gone_before)) return invalidated;
      if (secret.metadata().uid() != claims.secret->uid) {
        return Refuse(fmt::format("secret UID ({}) does not match service account secret ref claim ({})",
                                  secret.metadata().uid(), claims.secret->uid));
      }
    }
    UserInfo user{.name = ServiceAccountUsername(ns, name),
                  .uid = claims.service_account.uid,
                  .groups = ServiceAccountGroups(ns)};
    const auto extra = [&](std::string_view key, const std::string& value) {
      if (!value.empty()) user.extra["authentication.kubernetes.io/" + std::string(key)] = {value};
    };
    if (claims.pod) {
      const Result<ObjectRef> object = Get(ctx, "pods", ns, claims.pod->name);
      if (!object.ok()) return invalidated;
      const auto& pod = (*object)->As<core::Pod>();
      if (Deleted(pod, gone_before)) return invalidated;
      if (pod.metadata().uid() != claims.pod->uid) {
        return Refuse(fmt::format("pod UID ({}) does not match service account pod ref claim ({})",
                                  pod.metadata().uid(), claims.pod->uid));
      }
      extra("pod-name", claims.pod->name);
      extra("pod-uid", claims.pod->uid);
    }
    if (claims.node) {
      // Of a pod's token the node is information, not a binding.
      if (!claims.pod) {
        const Result<ObjectRef> object = Get(ctx, "nodes", "", claims.node->name);
        if (!object.ok()) return invalidated;
        const auto& node = (*object)->As<core::Node>();
        if (Deleted(node, gone_before)) return invalidated;
        if (node.metadata().uid() != claims.node->uid) {
          return Refuse(fmt::format("node UID ({}) does not match service account node ref claim ({})",
                                    node.metadata().uid(), claims.node->uid));
        }
      }
      extra("node-name", claims.node->name);
      extra("node-uid", claims.node->uid);
    }
    if (!claims.id.empty()) user.extra[std::string(kCredentialIdExtra)] = {"JTI=" + claims.id};
    return user;
  }

  Result<UserInfo> CheckLegacy(const Context& ctx, const std::string& text, const Claims& claims) const {
    const std::string &ns = claims.legacy_ns, &name = claims.legacy_account.name;
    if (claims.subject.empty()) return Refuse("sub claim is missing");
    if (ns.empty()) return Refuse("namespace claim is missing");
    if (claims.legacy_secret.empty()) return Refuse("secretName claim is missing");
    if (name.empty()) return Refuse("serviceAccountName claim is missing");
    if (claims.legacy_account.uid.empty()) return Refuse("serviceAccountUID claim is missing");
    std::string subject_ns, subject_name;
    if (!SplitServiceAccountUsername(claims.subject, &subject_ns, &subject_name) || subject_ns != ns ||
        subject_name != name) {
      return Refuse("sub claim is invalid");
    }
    if (keys_->lookup) {
      const Result<ObjectRef> secret_object = Get(ctx, "secrets", ns, claims.legacy_secret);
      if (!secret_object.ok()) return Refuse("Token has been invalidated");
      const auto& secret = (*secret_object)->As<core::Secret>();
      if (secret.metadata().has_deletiontimestamp()) return Refuse("Token has been invalidated");
      const auto stored = secret.data().find("token");
      if (stored == secret.data().end() || !ConstantTimeEqual(stored->second, text))
        return Refuse("Token does not match server's copy");
      const ObjectRef account_object = KNARR_TRY(Get(ctx, "serviceaccounts", ns, name));
      const auto& account = account_object->As<core::ServiceAccount>();
      if (account.metadata().has_deletiontimestamp())
        return Refuse(fmt::format("ServiceAccount {}/{} has been deleted", ns, name));
      if (account.metadata().uid() != claims.legacy_account.uid) {
        return Refuse(fmt::format("ServiceAccount UID ({}) does not match claim ({})", account.metadata().uid(),
                                  claims.legacy_account.uid));
      }
      if (secret.metadata().labels().contains(std::string(kInvalidSinceLabel))) {
        return Refuse(fmt::format(
            "the token in secret {}/{} for service account {}/{} has been marked invalid. Use tokens from the "
            "TokenRequest API or manually created secret-based tokens, or remove the '{}' label from the secret to "
            "temporarily allow use of this token",
            ns, claims.legacy_secret, ns, name, kInvalidSinceLabel));
      }
    }
    return UserInfo{
        .name = ServiceAccountUsername(ns, name), .uid = claims.legacy_account.uid, .groups = ServiceAccountGroups(ns)};
  }

  const std::shared_ptr<const ServiceAccountKeys> keys_;
  registry::Access& access_;
  Clock& clock_;
};

}  // namespace

std::shared_ptr<TokenAuthenticator> NewServiceAccountAuthenticator(std::shared_ptr<const ServiceAccountKeys> keys,
                                                                   registry::Access& access, Clock& clock) {
  return std::make_shared<Tokens>(std::move(keys), access, clock);
}

}  // namespace knarr::auth
