// POST serviceaccounts/<name>/token.
// Mirrors: pkg/registry/core/serviceaccount/storage/token.go
#include <openssl/rand.h>

#include "k8s.io/api/authentication/v1/generated.pb.h"
#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/errors/errors.h"
#include "pkg/api/types.h"
#include "pkg/apiserver/auth/serviceaccount/serviceaccount.h"
#include "pkg/apiserver/registry/access.h"

namespace knarr::auth {
namespace {

namespace authentication = ::k8s::io::api::authentication::v1;
using google::protobuf::Message;
using registry::ObjectRef;
using registry::RequestContext;

constexpr std::string_view kGroup = "authentication.k8s.io", kKind = "TokenRequest";
constexpr int64_t kDefaultSeconds = 3600, kLeastSeconds = 600, kMostSeconds = int64_t{1} << 32;
// What kubelets ask for on behalf of clients that may not reload their token, and what they get.
constexpr int64_t kWarnOnlySeconds = 60 * 60 + 7, kExtendedSeconds = 365 * 24 * 60 * 60;

Result<std::string> RandomUuid() {
  unsigned char b[16];
  if (RAND_bytes(b, sizeof(b)) != 1) return Error(Code::kInternal, "no random bytes");
  b[6] = static_cast<unsigned char>((b[6] & 0x0f) | 0x40);
  b[8] = static_cast<unsigned char>((b[8] & 0x3f) | 0x80);
  std::string out;
  for (size_t i = 0; i < sizeof(b); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
    out += fmt::format("{:02x}", b[i]);
  }
  return out;
}

// "/v1, Kind=Pod"
std::string DescribeKind(const authentication::BoundObjectReference& ref) {
  const std::string& version = ref.apiversion();
  const size_t slash = version.find('/');
  return slash == std::string::npos
             ? fmt::format("/{}, Kind={}", version, ref.kind())
             : fmt::format("{}/{}, Kind={}", version.substr(0, slash), version.substr(slash + 1), ref.kind());
}

template <typename T>
BoundRef RefOf(const T& object) {
  return {object.metadata().name(), object.metadata().uid()};
}

// Fills claims in with what the token is to be bound to.
Status Bind(const RequestContext& rc, const authentication::BoundObjectReference& ref, TokenClaims* claims) {
  const bool core_group = ref.apiversion().find('/') == std::string::npos;
  const auto get = [&](std::string_view resource, std::string_view ns) {
    return rc.access->GetConsistent(rc.ctx, {"", resource}, ns, ref.name());
  };
  std::string uid;
  if (core_group && ref.kind() == "Pod") {
    const ObjectRef object = KNARR_TRY(get("pods", rc.namespace_));
    const auto& pod = object->As<core::Pod>();
    if (pod.spec().serviceaccountname() != rc.name) {
      return errors::BadRequest(fmt::format(
          "cannot bind token for serviceaccount \"{}\" to pod running with different serviceaccount name.", rc.name));
    }
    claims->pod = RefOf(pod);
    uid = claims->pod.uid;
    if (const std::string& node_name = pod.spec().nodename(); !node_name.empty()) {
      // A node that is gone, or not there yet, is still named.
      claims->node.name = node_name;
      Result<ObjectRef> node = rc.access->Get(rc.ctx, {"", "nodes"}, "", node_name);
      if (!node.ok()) node = rc.access->GetConsistent(rc.ctx, {"", "nodes"}, "", node_name);
      if (node.ok()) {
        claims->node = RefOf((*node)->As<core::Node>());
      } else if (!node.error().Is(Code::kNotFound)) {
        return errors::InternalError(node.error().message());
      }
    }
  } else if (core_group && ref.kind() == "Node") {
    const ObjectRef object = KNARR_TRY(get("nodes", ""));
    claims->node = RefOf(object->As<core::Node>());
    uid = claims->node.uid;
  } else if (core_group && ref.kind() == "Secret") {
    const ObjectRef object = KNARR_TRY(get("secrets", rc.namespace_));
    claims->secret = RefOf(object->As<core::Secret>());
    uid = claims->secret.uid;
  } else {
    return errors::BadRequest(fmt::format("cannot bind token to object of type {}", DescribeKind(ref)));
  }
  if (!ref.uid().empty() && ref.uid() != uid) {
    return errors::Conflict(
        "", ref.kind(), ref.name(),
        fmt::format("the UID in the bound object reference ({}) does not match the UID in record. The object might "
                    "have been deleted and then recreated",
                    ref.uid()));
  }
  return {};
}

Result<std::unique_ptr<Message>> Create(const ServiceAccountKeys& keys, const RequestContext& rc,
                                        std::unique_ptr<Message> body) {
  auto& request = static_cast<authentication::TokenRequest&>(*body);
  auto& meta = *request.mutable_metadata();
  auto& spec = *request.mutable_spec();
  const auto invalid_meta = [&](const char* name, const std::string& value, const char* what) {
    const field::Path path = field::Path("metadata").Child(name);
    return errors::Invalid(
        kGroup, kKind, rc.name,
        {field::Invalid(path, value, fmt::format("must match the service account {} if specified", what))});
  };
  if (!meta.name().empty() && meta.name() != rc.name) return invalid_meta("name", meta.name(), "name");
  if (!meta.namespace_().empty() && meta.namespace_() != rc.namespace_)
    return invalid_meta("namespace", meta.namespace_(), "namespace");
  const ObjectRef account_object =
      KNARR_TRY(rc.access->GetConsistent(rc.ctx, {"", "serviceaccounts"}, rc.namespace_, rc.name));
  const auto& account = account_object->As<core::ServiceAccount>();

  if (spec.audiences().empty()) {
    for (const std::string& audience : keys.audiences) spec.add_audiences(audience);
  }
  if (!spec.has_expirationseconds()) spec.set_expirationseconds(kDefaultSeconds);
  meta.set_name(rc.name);
  meta.set_namespace_(rc.namespace_);
  const WallTime now = rc.clock->Now();
  const int64_t now_seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  meta.mutable_creationtimestamp()->set_seconds(now_seconds);
  request.clear_status();

  field::ErrorList wrong;
  const field::Path path = field::Path("spec").Child("expirationSeconds");
  if (spec.expirationseconds() < kLeastSeconds)
    wrong.push_back(field::Invalid(path, spec.expirationseconds(), "may not specify a duration less than 10 minutes"));
  if (spec.expirationseconds() > kMostSeconds) {
    wrong.push_back(
        field::Invalid(path, spec.expirationseconds(), "may not specify a duration larger than 2^32 seconds"));
  }
  if (!wrong.empty()) return errors::Invalid(kGroup, kKind, "", wrong);

  TokenClaims claims{.ns = rc.namespace_, .service_account = RefOf(account)};
  if (spec.has_boundobjectref()) KNARR_TRY(Bind(rc, spec.boundobjectref(), &claims));

  if (const int64_t most = keys.max_expiration.count(); most > 0 && spec.expirationseconds() > most) {
    rc.warnings->push_back(
        fmt::format("requested expiration of {} seconds shortened to {} seconds", spec.expirationseconds(), most));
    spec.set_expirationseconds(most);
  }
  claims.lifetime = std::chrono::seconds(spec.expirationseconds());
  for (const std::string& audience : spec.audiences()) claims.audiences.push_back(audience);
  const auto own = [&](const std::string& audience) {
    return std::find(keys.audiences.begin(), keys.audiences.end(), audience) != keys.audiences.end();
  };
  if (keys.extend_expiration && !claims.pod.name.empty() && spec.expirationseconds() == kWarnOnlySeconds &&
      std::all_of(claims.audiences.begin(), claims.audiences.end(), own)) {
    claims.warn_after = claims.lifetime;
    claims.lifetime = std::chrono::seconds(kExtendedSeconds);
  }
  claims.issued_at = now;
  claims.id = KNARR_TRY(RandomUuid());
  if (!keys.signer) return errors::InternalError("failed to generate token: no signing key is configured");
  // A dry run is as good a token as any: nothing is stored either way.
  const Result<std::string> token = keys.signer->Sign(ClaimsJson(claims, keys.issuers.front()));
  if (!token.ok()) return errors::InternalError(fmt::format("failed to generate token: {}", token.error().message()));
  request.mutable_status()->set_token(*token);
  request.mutable_status()->mutable_expirationtimestamp()->set_seconds(now_seconds + spec.expirationseconds());
  return body;
}

}  // namespace

registry::Subresource TokenSubresource(std::shared_ptr<const ServiceAccountKeys> keys) {
  registry::Subresource out;
  out.name = "token";
  out.group = kGroup;
  out.version = "v1";
  out.kind = kKind;
  out.verbs = {"create"};
  out.prototype = []() -> const Message& { return authentication::TokenRequest::default_instance(); };
  out.create = [keys = std::move(keys)](const RequestContext& rc, std::unique_ptr<Message> body) {
    return Create(*keys, rc, std::move(body));
  };
  return out;
}

}  // namespace knarr::auth
