#include "pkg/apiserver/auth/reviews/reviews.h"

#include <algorithm>

#include "k8s.io/api/authentication/v1/generated.pb.h"
#include "k8s.io/api/authorization/v1/generated.pb.h"
#include "pkg/api/conversion/conversion.h"
#include "pkg/api/errors/errors.h"
#include "pkg/api/field/quote.h"
#include "pkg/api/fields/selector.h"
#include "pkg/apiserver/auth/authn/authn.h"
#include "pkg/apiserver/auth/serviceaccount/serviceaccount.h"
#include "pkg/apiserver/registry/strategies.h"

namespace knarr::auth {
namespace {

namespace authentication = ::k8s::io::api::authentication::v1;
namespace authorization = ::k8s::io::api::authorization::v1;
using field::Quote;
using google::protobuf::Message;
using registry::Kind;
using registry::RequestContext;
using Answer = Result<std::unique_ptr<Message>>;

constexpr std::string_view kAuthentication = "authentication.k8s.io", kAuthorization = "authorization.k8s.io";

void FillUser(const UserInfo& user, authentication::UserInfo* out) {
  out->set_username(user.name);
  if (!user.uid.empty()) out->set_uid(user.uid);
  for (const std::string& group : user.groups) out->add_groups(group);
  for (const auto& [key, values] : user.extra) {
    auto& list = (*out->mutable_extra())[key];
    for (const std::string& value : values) list.add_items(value);
  }
}

Answer ReviewToken(TokenAuthenticator* tokens, const std::vector<std::string>& own, const RequestContext& rc,
                   std::unique_ptr<Message> body) {
  auto& review = static_cast<authentication::TokenReview&>(*body);
  review.clear_status();
  auto& status = *review.mutable_status();
  if (review.spec().token().empty()) return errors::BadRequest("token is required for TokenReview in authentication");
  std::vector<std::string> audiences(review.spec().audiences().begin(), review.spec().audiences().end());
  if (audiences.empty()) audiences = own;
  Result<std::optional<TokenAuthenticator::Answer>> answer = std::nullopt;
  if (tokens != nullptr) answer = tokens->AuthenticateToken(rc.ctx, review.spec().token(), audiences);
  if (!answer.ok()) {
    status.set_error(std::string(answer.error().message()));
    return body;
  }
  if (!*answer) {
    status.set_error("invalid bearer token");
    return body;
  }
  UserInfo& user = (**answer).user;
  if (user.name != kAnonymous && !user.InGroup(kAuthenticatedGroup) && !user.InGroup(kUnauthenticatedGroup))
    user.groups.emplace_back(kAuthenticatedGroup);
  if (!audiences.empty() && Intersect(audiences, (**answer).audiences).empty())
    return errors::InternalError("error validating audiences");
  status.set_authenticated(true);
  FillUser(user, status.mutable_user());
  for (const std::string& audience : (**answer).audiences) status.add_audiences(audience);
  return body;
}

Answer ReviewSelf(const RequestContext& rc, std::unique_ptr<Message> body) {
  if (rc.user == nullptr) return errors::BadRequest("no user present on request");
  auto& review = static_cast<authentication::SelfSubjectReview&>(*body);
  review.clear_status();
  review.mutable_metadata()->mutable_creationtimestamp()->set_seconds(
      std::chrono::duration_cast<std::chrono::seconds>(rc.clock->Now().time_since_epoch()).count());
  FillUser(*rc.user, review.mutable_status()->mutable_userinfo());
  return body;
}

// %#v of Go's metav1.ObjectMeta, of the fields that a client is likely to have set.
std::string DumpMeta(const ::knarr::meta::ObjectMeta& meta) {
  const auto map = [](const auto& from) {
    if (from.empty()) return std::string("map[string]string(nil)");
    std::map<std::string, std::string> sorted(from.begin(), from.end());
    std::string out = "map[string]string{";
    for (const auto& [key, value] : sorted)
      out += fmt::format("{}{}:{}", out.back() == '{' ? "" : ", ", Quote(key), Quote(value));
    return out + "}";
  };
  return fmt::format(
      "v1.ObjectMeta{{Name:{}, GenerateName:{}, Namespace:{}, SelfLink:{}, UID:{}, ResourceVersion:{}, Generation:{}, "
      "CreationTimestamp:time.Date(1, time.January, 1, 0, 0, 0, 0, time.UTC), DeletionTimestamp:<nil>, "
      "DeletionGracePeriodSeconds:(*int64)(nil), Labels:{}, Annotations:{}, OwnerReferences:[]v1.OwnerReference(nil), "
      "Finalizers:[]string(nil), ManagedFields:[]v1.ManagedFieldsEntry(nil)}}",
      Quote(meta.name()), Quote(meta.generatename()), Quote(meta.namespace_()), Quote(meta.selflink()),
      Quote(meta.uid()), Quote(meta.resourceversion()), meta.generation(), map(meta.labels()), map(meta.annotations()));
}

// What is left of metadata once what may be there is taken away.
bool EmptyMeta(::knarr::meta::ObjectMeta meta, bool namespace_allowed) {
  meta.clear_managedfields();
  if (namespace_allowed) meta.clear_namespace_();
  // Value fields may be present and zero.
  if (meta.has_creationtimestamp() && meta.creationtimestamp().seconds() == 0) meta.clear_creationtimestamp();
  return meta.name().empty() && meta.generatename().empty() && meta.namespace_().empty() && meta.selflink().empty() &&
         meta.uid().empty() && meta.resourceversion().empty() && meta.generation() == 0 &&
         !meta.has_creationtimestamp() && !meta.has_deletiontimestamp() && !meta.has_deletiongraceperiodseconds() &&
         meta.labels().empty() && meta.annotations().empty() && meta.ownerreferences().empty() &&
         meta.finalizers().empty();
}

std::string DumpPath(const authorization::NonResourceAttributes& path) {
  return fmt::format("authorization.NonResourceAttributes{{Path:{}, Verb:{}}}", Quote(path.path()), Quote(path.verb()));
}

template <typename Selector>
void CheckSelector(const field::Path& path, const Selector& selector, field::ErrorList* wrong) {
  if (!selector.rawselector().empty() && !selector.requirements().empty()) {
    wrong->push_back(field::Invalid(path.Child("rawSelector"), selector.rawselector(),
                                    "may not specified at the same time as requirements"));
  }
  if (selector.rawselector().empty() && selector.requirements().empty()) {
    wrong->push_back(
        field::Required(path.Child("requirements"),
                        fmt::format("when {} is specified, requirements or rawSelector is required", path.ToString())));
  }
}

// Of SelfSubjectAccessReviewSpec, and the first half of SubjectAccessReviewSpec.
template <typename Spec>
field::ErrorList CheckWhat(const Spec& spec) {
  const field::Path path("spec");
  field::ErrorList wrong;
  if (spec.has_resourceattributes() && spec.has_nonresourceattributes()) {
    wrong.push_back(field::InvalidLiteral(path.Child("nonResourceAttributes"), DumpPath(spec.nonresourceattributes()),
                                          "cannot be specified in combination with resourceAttributes"));
  }
  if (!spec.has_resourceattributes() && !spec.has_nonresourceattributes()) {
    wrong.push_back(field::Invalid(path.Child("resourceAttributes"), "null",
                                   "exactly one of nonResourceAttributes or resourceAttributes must be specified"));
  }
  if (spec.has_resourceattributes()) {
    const field::Path what = path.Child("resourceAttributes");
    if (spec.resourceattributes().has_fieldselector())
      CheckSelector(what.Child("fieldSelector"), spec.resourceattributes().fieldselector(), &wrong);
    if (spec.resourceattributes().has_labelselector())
      CheckSelector(what.Child("labelSelector"), spec.resourceattributes().labelselector(), &wrong);
  }
  return wrong;
}

field::ErrorList CheckSpec(const authorization::SubjectAccessReviewSpec& spec) {
  field::ErrorList wrong = CheckWhat(spec);
  if (spec.user().empty() && spec.groups().empty()) {
    wrong.push_back(field::Invalid(field::Path("spec").Child("user"), spec.user(),
                                   "at least one of user or group must be specified"));
  }
  return wrong;
}

void CheckMeta(const ::knarr::meta::ObjectMeta& meta, bool namespace_allowed, field::ErrorList* wrong) {
  if (EmptyMeta(meta, namespace_allowed)) return;
  wrong->push_back(field::InvalidLiteral(field::Path("metadata"), DumpMeta(meta),
                                         namespace_allowed ? "must be empty except for namespace" : "must be empty"));
}

// As the selector would stand in a URL; "" if it cannot.
std::string RawSelector(const authorization::FieldSelectorAttributes& selector) {
  if (!selector.rawselector().empty()) return selector.rawselector();
  std::string raw;
  for (const auto& requirement : selector.requirements()) {
    const bool in = requirement.operator_() == "In";
    if ((!in && requirement.operator_() != "NotIn") || requirement.values_size() != 1) continue;
    raw += fmt::format("{}{}{}{}", raw.empty() ? "" : ",", requirement.key(),
                       in ? "=" : "!=", fields::EscapeValue(requirement.values(0)));
  }
  return raw;
}

template <typename Spec>
Attributes AttributesOf(const Spec& spec, const UserInfo* user) {
  Attributes out{.user = user};
  if (spec.has_resourceattributes()) {
    const authorization::ResourceAttributes& from = spec.resourceattributes();
    out.resource_request = true;
    out.verb = from.verb();
    out.api_group = from.group();
    out.api_version = from.version().empty() ? "*" : from.version();
    out.resource = from.resource();
    out.subresource = from.subresource();
    out.name = from.name();
    out.namespace_ = from.namespace_();
    out.field_selector = RawSelector(from.fieldselector());
    out.label_selector = from.labelselector().rawselector();
  } else {
    out.verb = spec.nonresourceattributes().verb();
    out.path = spec.nonresourceattributes().path();
  }
  return out;
}

void FillStatus(const Verdict& verdict, authorization::SubjectAccessReviewStatus* status) {
  status->Clear();
  status->set_allowed(verdict.decision == Decision::kAllow);
  if (verdict.decision == Decision::kDeny) status->set_denied(true);
  if (!verdict.reason.empty()) status->set_reason(verdict.reason);
}

UserInfo UserOf(const authorization::SubjectAccessReviewSpec& spec) {
  UserInfo user{.name = spec.user(), .uid = spec.uid(), .groups = {spec.groups().begin(), spec.groups().end()}};
  for (const auto& [key, values] : spec.extra())
    user.extra[key] = std::vector<std::string>(values.items().begin(), values.items().end());
  return user;
}

// Upstream names no kind here: internal objects have none.
Status Invalid(const field::ErrorList& wrong) {
  return errors::Invalid(kAuthorization, "", "", wrong);
}

Answer ReviewAccess(Authorizer& authorizer, const RequestContext& rc, std::unique_ptr<Message> body) {
  auto& review = static_cast<authorization::SubjectAccessReview&>(*body);
  field::ErrorList wrong = CheckSpec(review.spec());
  CheckMeta(review.metadata(), false, &wrong);
  if (!wrong.empty()) return Invalid(wrong);
  const UserInfo user = UserOf(review.spec());
  FillStatus(authorizer.Authorize(rc.ctx, AttributesOf(review.spec(), &user)), review.mutable_status());
  return body;
}

Answer ReviewLocalAccess(Authorizer& authorizer, const RequestContext& rc, std::unique_ptr<Message> body) {
  auto& review = static_cast<authorization::LocalSubjectAccessReview&>(*body);
  if (rc.namespace_.empty())
    return errors::BadRequest(fmt::format("namespace is required on this type: {}", rc.namespace_));
  if (review.metadata().namespace_().empty()) review.mutable_metadata()->set_namespace_(rc.namespace_);
  field::ErrorList wrong = CheckSpec(review.spec());
  CheckMeta(review.metadata(), true, &wrong);
  if (review.spec().has_resourceattributes() &&
      review.spec().resourceattributes().namespace_() != review.metadata().namespace_()) {
    wrong.push_back(field::Invalid(field::Path("spec.resourceAttributes.namespace"),
                                   review.spec().resourceattributes().namespace_(), "must match metadata.namespace"));
  }
  if (review.spec().has_nonresourceattributes()) {
    wrong.push_back(field::InvalidLiteral(field::Path("spec.nonResourceAttributes"),
                                          DumpPath(review.spec().nonresourceattributes()),
                                          "disallowed on this kind of request"));
  }
  if (!wrong.empty()) return Invalid(wrong);
  if (rc.namespace_ != review.metadata().namespace_()) {
    return errors::BadRequest(fmt::format("spec.resourceAttributes.namespace must match namespace: {}", rc.namespace_));
  }
  const UserInfo user = UserOf(review.spec());
  FillStatus(authorizer.Authorize(rc.ctx, AttributesOf(review.spec(), &user)), review.mutable_status());
  return body;
}

Answer ReviewSelfAccess(Authorizer& authorizer, const RequestContext& rc, std::unique_ptr<Message> body) {
  auto& review = static_cast<authorization::SelfSubjectAccessReview&>(*body);
  field::ErrorList wrong = CheckWhat(review.spec());
  CheckMeta(review.metadata(), false, &wrong);
  if (!wrong.empty()) return Invalid(wrong);
  if (rc.user == nullptr) return errors::BadRequest("no user present on request");
  FillStatus(authorizer.Authorize(rc.ctx, AttributesOf(review.spec(), rc.user)), review.mutable_status());
  return body;
}

Answer ReviewSelfRules(Authorizer& authorizer, const RequestContext& rc, std::unique_ptr<Message> body) {
  auto& review = static_cast<authorization::SelfSubjectRulesReview&>(*body);
  if (rc.user == nullptr) return errors::BadRequest("no user present on request");
  if (review.spec().namespace_().empty()) return errors::BadRequest("no namespace on request");
  const Rules rules = authorizer.RulesFor(rc.ctx, *rc.user, review.spec().namespace_());
  // The answer does not repeat the question.
  review.Clear();
  review.mutable_metadata();
  review.mutable_spec();
  auto& status = *review.mutable_status();
  for (const ResourceRule& rule : rules.resource) {
    auto* to = status.add_resourcerules();
    to->mutable_verbs()->Assign(rule.verbs.begin(), rule.verbs.end());
    to->mutable_apigroups()->Assign(rule.api_groups.begin(), rule.api_groups.end());
    to->mutable_resources()->Assign(rule.resources.begin(), rule.resources.end());
    to->mutable_resourcenames()->Assign(rule.resource_names.begin(), rule.resource_names.end());
  }
  for (const NonResourceRule& rule : rules.non_resource) {
    auto* to = status.add_nonresourcerules();
    to->mutable_verbs()->Assign(rule.verbs.begin(), rule.verbs.end());
    to->mutable_nonresourceurls()->Assign(rule.paths.begin(), rule.paths.end());
  }
  status.set_incomplete(rules.incomplete);
  if (!rules.error.empty()) status.set_evaluationerror(rules.error);
  return body;
}

// Nothing is stored, so nothing is special.
class NoStrategy final : public registry::Strategy {};

Kind Make(std::string_view group, std::string_view resource, bool beta,
          std::function<Answer(const RequestContext&, std::unique_ptr<Message>)> create) {
  std::vector<std::string_view> versions = {"v1"};
  if (beta) versions.push_back("v1beta1");
  Kind kind = registry::BuiltinKind(group, resource, versions, std::make_shared<NoStrategy>());
  // Bodies come in any version that is served; the functions know one.
  kind.create_only = [name = kind.kind, hub = kind.HubApiVersion(), other = std::string(group) + "/v1beta1",
                      descriptor = kind.versions.front().prototype().GetDescriptor(),
                      create = std::move(create)](const RequestContext& rc, std::unique_ptr<Message> body) -> Answer {
    if (body->GetDescriptor() == descriptor) return create(rc, std::move(body));
    std::unique_ptr<Message> converted = KNARR_TRY(conversion::Convert(*body, name, other, hub));
    const std::unique_ptr<Message> answer = KNARR_TRY(create(rc, std::move(converted)));
    return conversion::Convert(*answer, name, hub, other);
  };
  registry::Deprecate(kind, "v1beta1", 19, 22, "v1");
  return kind;
}

}  // namespace

std::vector<Kind> ReviewKinds(const registry::BuiltinDeps& deps) {
  Authorizer* authorizer = deps.authorizer;
  const auto with_authorizer = [authorizer](auto* function) {
    return [authorizer, function](const RequestContext& rc, std::unique_ptr<Message> body) -> Answer {
      if (authorizer == nullptr) return errors::InternalError("no authorizer is configured");
      return function(*authorizer, rc, std::move(body));
    };
  };
  std::vector<std::string> audiences;
  if (deps.service_account_keys) audiences = deps.service_account_keys->audiences;
  std::vector<Kind> kinds;
  kinds.push_back(Make(kAuthentication, "tokenreviews", true,
                       [tokens = deps.tokens, audiences](const RequestContext& rc, std::unique_ptr<Message> body) {
                         return ReviewToken(tokens.get(), audiences, rc, std::move(body));
                       }));
  kinds.push_back(Make(kAuthentication, "selfsubjectreviews", false, ReviewSelf));
  kinds.push_back(Make(kAuthorization, "subjectaccessreviews", true, with_authorizer(&ReviewAccess)));
  kinds.push_back(Make(kAuthorization, "localsubjectaccessreviews", true, with_authorizer(&ReviewLocalAccess)));
  kinds.push_back(Make(kAuthorization, "selfsubjectaccessreviews", true, with_authorizer(&ReviewSelfAccess)));
  kinds.push_back(Make(kAuthorization, "selfsubjectrulesreviews", true, with_authorizer(&ReviewSelfRules)));
  return kinds;
}

}  // namespace knarr::auth
