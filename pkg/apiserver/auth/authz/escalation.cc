#include "pkg/apiserver/auth/authz/escalation.h"

#include <algorithm>
#include <set>

#include "k8s.io/api/rbac/v1/generated.pb.h"
#include "pkg/api/errors/errors.h"
#include "pkg/api/field/quote.h"
#include "pkg/apiserver/auth/authz/policy.h"

namespace knarr::auth {
namespace {

namespace pb = ::k8s::io::api::rbac::v1;
using rbac::Rule;
using registry::RequestContext;

constexpr std::string_view kGroup = "rbac.authorization.k8s.io";

bool MayAnything(const RequestContext& rc) {
  return rc.user == nullptr || rc.user->InGroup(kMastersGroup);
}

bool Authorized(const RequestContext& rc, Authorizer* authorizer, std::string verb, std::string resource,
                std::string name) {
  if (authorizer == nullptr) return false;
  const Attributes attributes{.user = rc.user,
                              .verb = std::move(verb),
                              .resource_request = true,
                              .api_group = std::string(kGroup),
                              .api_version = "*",
                              .resource = std::move(resource),
                              .name = std::move(name),
                              .namespace_ = rc.namespace_};
  return authorizer->Authorize(rc.ctx, attributes).decision == Decision::kAllow;
}

// Owners, finalizers and bookkeeping may change: the garbage collector must be able to, and they grant nothing.
template <typename T>
bool SameButForOwners(const T& object, const T& old) {
  const auto strip = [](T copy) {
    auto* meta = copy.mutable_metadata();
    meta->clear_ownerreferences();
    meta->clear_finalizers();
    meta->clear_managedfields();
    meta->clear_resourceversion();
    return copy.SerializeAsString();
  };
  return strip(object) == strip(old);
}

// The message of a refusal; "" if the user holds all of `wanted`.
std::string Lacks(const RequestContext& rc, const rbac::Policy& policy, const std::vector<Rule>& wanted) {
  std::vector<std::string> problems;
  const std::vector<Rule> owned = policy.RulesFor(*rc.user, rc.namespace_, &problems);
  const std::vector<Rule> missing = rbac::Missing(owned, wanted);
  if (missing.empty()) return {};
  std::set<std::string> lines;
  for (const Rule& rule : rbac::Compact(missing)) lines.insert(rbac::Describe(rule));
  std::string text = fmt::format("user {} (groups={}) is attempting to grant RBAC permissions not currently held:",
                                 field::Quote(rc.user->name), rbac::QuotedList(rc.user->groups));
  for (const std::string& line : lines) text += "\n" + line;
  if (!problems.empty()) {
    text += "; resolution errors: [";
    for (size_t i = 0; i < problems.size(); ++i) text += (i == 0 ? "" : " ") + problems[i];
    text += "]";
  }
  return text;
}

template <typename T>
std::vector<Rule> RulesOf(const T& role) {
  std::vector<Rule> rules;
  for (const pb::PolicyRule& rule : role.rules()) rules.push_back(rbac::FromProto(rule));
  return rules;
}

bool Aggregates(const api::Object* role) {
  return role != nullptr && role->As<pb::ClusterRole>().aggregationrule().clusterroleselectors_size() > 0;
}

template <typename T>
Status CheckBinding(const RequestContext& rc, Authorizer* authorizer, const T& binding, const T* old, bool cluster) {
  if (old != nullptr && SameButForOwners(binding, *old)) return {};
  const pb::RoleRef& ref = binding.roleref();
  const bool known = ref.kind() == "ClusterRole" || ref.kind() == "Role";
  const std::string role_resource = ref.kind() == "Role" ? "roles" : "clusterroles";
  if (known && Authorized(rc, authorizer, "bind", role_resource, ref.name())) return {};
  const auto policy = KNARR_TRY(rbac::Policy::Compile(rc.ctx, *rc.access));
  const std::vector<Rule>* rules = policy->FindRole(ref.kind(), rc.namespace_, ref.name());
  if (rules == nullptr) {
    if (!known)
      return errors::InternalError(fmt::format("unsupported role reference kind: {}", field::Quote(ref.kind())));
    return errors::NotFound(kGroup, ref.kind() == "Role" ? "role" : "clusterrole", ref.name());
  }
  const std::string why = Lacks(rc, *policy, *rules);
  if (why.empty()) return {};
  return errors::Forbidden(kGroup, cluster ? "clusterrolebindings" : "rolebindings", binding.metadata().name(), why);
}

}  // namespace

Status CheckRoleEscalation(const RequestContext& rc, Authorizer* authorizer, const api::Object& object,
                           const api::Object* old, bool cluster) {
  const std::string resource = cluster ? "clusterroles" : "roles";
  if (MayAnything(rc) || Authorized(rc, authorizer, "escalate", resource, rc.name)) return {};
  std::vector<Rule> wanted;
  std::string name;
  if (cluster) {
    const auto& role = object.As<pb::ClusterRole>();
    if (old != nullptr && SameButForOwners(role, old->As<pb::ClusterRole>())) return {};
    wanted = RulesOf(role);
    name = role.metadata().name();
  } else {
    const auto& role = object.As<pb::Role>();
    if (old != nullptr && SameButForOwners(role, old->As<pb::Role>())) return {};
    wanted = RulesOf(role);
    name = role.metadata().name();
  }
  const auto policy = KNARR_TRY(rbac::Policy::Compile(rc.ctx, *rc.access));
  if (const std::string why = Lacks(rc, *policy, wanted); !why.empty())
    return errors::Forbidden(kGroup, resource, name, why);
  // Selectors may gather anything.
  if (cluster && (Aggregates(&object) || Aggregates(old))) {
    const std::vector<Rule> everything = {{.verbs = {"*"}, .api_groups = {"*"}, .resources = {"*"}},
                                          {.verbs = {"*"}, .urls = {"*"}}};
    if (!Lacks(rc, *policy, everything).empty()) {
      return errors::Forbidden(kGroup, resource, name, "must have cluster-admin privileges to use the aggregationRule");
    }
  }
  return {};
}

Status CheckBindingEscalation(const RequestContext& rc, Authorizer* authorizer, const api::Object& object,
                              const api::Object* old, bool cluster) {
  if (MayAnything(rc)) return {};
  if (cluster) {
    return CheckBinding(rc, authorizer, object.As<pb::ClusterRoleBinding>(),
                        old == nullptr ? nullptr : &old->As<pb::ClusterRoleBinding>(), true);
  }
  return CheckBinding(rc, authorizer, object.As<pb::RoleBinding>(),
                      old == nullptr ? nullptr : &old->As<pb::RoleBinding>(), false);
}

}  // namespace knarr::auth
