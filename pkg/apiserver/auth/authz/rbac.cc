#include <algorithm>
#include <array>
#include <mutex>

#include "k8s.io/api/rbac/v1/generated.pb.h"
#include "pkg/api/field/quote.h"
#include "pkg/apiserver/auth/authn/authn.h"
#include "pkg/apiserver/auth/authz/authz.h"
#include "pkg/apiserver/auth/authz/policy.h"
#include "pkg/apiserver/registry/access.h"

namespace knarr::auth {
namespace rbac {
namespace {

namespace pb = ::k8s::io::api::rbac::v1;
constexpr std::string_view kGroup = "rbac.authorization.k8s.io";
constexpr std::array<std::string_view, 4> kResources = {"clusterroles", "roles", "clusterrolebindings", "rolebindings"};

}  // namespace

Result<std::shared_ptr<const Policy>> Policy::Compile(const Context& ctx, registry::Access& access) {
  auto policy = std::make_shared<Policy>();
  const auto add_role = [&](const std::string& ns, const auto& role) {
    std::vector<Rule>& rules = policy->roles_[{policy->Intern(ns), policy->Intern(role.metadata().name())}];
    for (const pb::PolicyRule& from : role.rules()) {
      Rule rule = FromProto(from);
      for (Texts* texts : {&rule.verbs, &rule.api_groups, &rule.resources, &rule.resource_names, &rule.urls}) {
        for (std::string_view& text : *texts) text = policy->Intern(std::string(text));
      }
      rules.push_back(std::move(rule));
    }
  };
  for (const registry::ObjectRef& object : KNARR_TRY(access.List(ctx, {kGroup, "clusterroles"}, "")))
    add_role("", object->As<pb::ClusterRole>());
  for (const registry::ObjectRef& object : KNARR_TRY(access.List(ctx, {kGroup, "roles"}, ""))) {
    const auto& role = object->As<pb::Role>();
    add_role(role.metadata().namespace_(), role);
  }

  const auto add_binding = [&](const std::string& ns, const auto& from) {
    Binding binding{.name = policy->Intern(from.metadata().name()),
                    .ns = policy->Intern(ns),
                    .role_kind = policy->Intern(from.roleref().kind()),
                    .role_name = policy->Intern(from.roleref().name())};
    for (const pb::Subject& subject : from.subjects()) {
      binding.subjects.push_back(
          {policy->Intern(subject.kind()), policy->Intern(subject.name()), policy->Intern(subject.namespace_())});
    }
    binding.rules = policy->FindRole(binding.role_kind, ns, binding.role_name);
    policy->bindings_.push_back(std::move(binding));
  };
  for (const registry::ObjectRef& object : KNARR_TRY(access.List(ctx, {kGroup, "clusterrolebindings"}, "")))
    add_binding("", object->As<pb::ClusterRoleBinding>());
  for (const registry::ObjectRef& object : KNARR_TRY(access.List(ctx, {kGroup, "rolebindings"}, ""))) {
    const auto& binding = object->As<pb::RoleBinding>();
    add_binding(binding.metadata().namespace_(), binding);
  }
  for (size_t i = 0; i < policy->bindings_.size(); ++i) {
    const std::string_view ns = policy->bindings_[i].ns;
    policy->AddTo(ns.empty() ? policy->cluster_ : policy->namespaces_[ns], i);
  }
  return std::shared_ptr<const Policy>(std::move(policy));
}

void Policy::AddTo(Index& index, size_t binding) {
  const Binding& b = bindings_[binding];
  for (size_t i = 0; i < b.subjects.size(); ++i) {
    const Subject& subject = b.subjects[i];
    if (subject.kind == "User") {
      index.users[subject.name].push_back({binding, i});
    } else if (subject.kind == "Group") {
      index.groups[subject.name].push_back({binding, i});
    } else if (subject.kind == "ServiceAccount") {
      // Without a namespace it is of the binding's own.
      const std::string_view ns = subject.ns.empty() ? b.ns : subject.ns;
      if (!ns.empty()) index.users[Intern(ServiceAccountUsername(ns, subject.name))].push_back({binding, i});
    }
  }
}

void Policy::Collect(const Index& index, const UserInfo& user, std::vector<Hit>* hits) const {
  const size_t first = hits->size();
  if (const auto found = index.users.find(user.name); found != index.users.end())
    hits->insert(hits->end(), found->second.begin(), found->second.end());
  for (const std::string& group : user.groups) {
    if (const auto found = index.groups.find(group); found != index.groups.end())
      hits->insert(hits->end(), found->second.begin(), found->second.end());
  }
  // Each binding once, by its first subject that fits.
  const auto begin = hits->begin() + static_cast<std::ptrdiff_t>(first);
  std::sort(begin, hits->end(), [](const Hit& a, const Hit& b) {
    return std::pair(a.binding, a.subject) < std::pair(b.binding, b.subject);
  });
  hits->erase(std::unique(begin, hits->end(), [](const Hit& a, const Hit& b) { return a.binding == b.binding; }),
              hits->end());
}

void Policy::Visit(const UserInfo& user, std::string_view ns,
                   const std::function<bool(const Binding& binding, size_t subject)>& visit) const {
  std::vector<Hit> hits;
  Collect(cluster_, user, &hits);
  if (!ns.empty()) {
    if (const auto found = namespaces_.find(ns); found != namespaces_.end()) Collect(found->second, user, &hits);
  }
  for (const Hit& hit : hits) {
    if (!visit(bindings_[hit.binding], hit.subject)) return;
  }
}

std::vector<Rule> Policy::RulesFor(const UserInfo& user, std::string_view ns, std::vector<std::string>* errors) const {
  std::vector<Rule> rules;
  Visit(user, ns, [&](const Binding& binding, size_t) {
    if (binding.rules != nullptr) {
      rules.insert(rules.end(), binding.rules->begin(), binding.rules->end());
    } else {
      errors->push_back(binding.Error());
    }
    return true;
  });
  return rules;
}

const std::vector<Rule>* Policy::FindRole(std::string_view kind, std::string_view ns, std::string_view name) const {
  if (kind == "ClusterRole") ns = "";
  if (kind == "Role" && ns.empty()) return nullptr;
  if (kind != "Role" && kind != "ClusterRole") return nullptr;
  const auto found = roles_.find({ns, name});
  return found == roles_.end() ? nullptr : &found->second;
}

std::string Policy::Binding::Describe(size_t index) const {
  const Subject& subject = subjects[index];
  std::string who(subject.name);
  if (subject.kind == "ServiceAccount") who += "/" + std::string(subject.ns.empty() ? ns : subject.ns);
  const std::string what = ns.empty() ? std::string(name) : fmt::format("{}/{}", name, ns);
  return fmt::format("{} {} of {} {} to {} {}", ns.empty() ? "ClusterRoleBinding" : "RoleBinding", field::Quote(what),
                     role_kind, field::Quote(role_name), subject.kind, field::Quote(who));
}

std::string Policy::Binding::Error() const {
  if (role_kind == "ClusterRole" || role_kind == "Role") {
    return fmt::format("{}.rbac.authorization.k8s.io {} not found", role_kind == "Role" ? "role" : "clusterrole",
                       field::Quote(role_name));
  }
  return fmt::format("unsupported role reference kind: {}", field::Quote(role_kind));
}

namespace {

// utilerrors.NewAggregate's text.
std::string Aggregate(const std::vector<std::string>& errors) {
  std::vector<std::string> once;
  for (const std::string& error : errors) {
    if (std::find(once.begin(), once.end(), error) == once.end()) once.push_back(error);
  }
  if (once.size() == 1) return once[0];
  std::string out = "[";
  for (const std::string& error : once) out.append(out.size() > 1 ? ", " : "").append(error);
  return out + "]";
}

class Authorizer final : public auth::Authorizer {
 public:
  explicit Authorizer(registry::Access& access) : access_(access) {}

  Verdict Authorize(const Context& ctx, const Attributes& attributes) override {
    const Result<std::shared_ptr<const Policy>> policy = Current(ctx);
    if (!policy.ok()) return {Decision::kNoOpinion, fmt::format("RBAC: {}", policy.error().message())};
    Verdict verdict;
    std::vector<std::string> errors;
    (*policy)->Visit(*attributes.user, attributes.namespace_, [&](const Policy::Binding& binding, size_t subject) {
      if (binding.rules == nullptr) {
        errors.push_back(binding.Error());
        return true;
      }
      for (const Rule& rule : *binding.rules) {
        if (!Allows(rule, attributes)) continue;
        verdict = {Decision::kAllow, fmt::format("RBAC: allowed by {}", binding.Describe(subject))};
        return false;
      }
      return true;
    });
    if (verdict.decision == Decision::kNoOpinion && !errors.empty())
      verdict.reason = fmt::format("RBAC: {}", Aggregate(errors));
    return verdict;
  }

  Rules RulesFor(const Context& ctx, const UserInfo& user, std::string_view ns) override {
    Rules out;
    const Result<std::shared_ptr<const Policy>> policy = Current(ctx);
    if (!policy.ok()) return {.resource = {}, .non_resource = {}, .error = std::string(policy.error().message())};
    std::vector<std::string> errors;
    const auto copy = [](const Texts& from) { return std::vector<std::string>(from.begin(), from.end()); };
    for (const Rule& rule : (*policy)->RulesFor(user, ns, &errors)) {
      if (!rule.resources.empty())
        out.resource.push_back(
            {copy(rule.verbs), copy(rule.api_groups), copy(rule.resources), copy(rule.resource_names)});
      if (!rule.urls.empty()) out.non_resource.push_back({copy(rule.verbs), copy(rule.urls)});
    }
    if (!errors.empty()) out.error = Aggregate(errors);
    return out;
  }

 private:
  // Compiled anew when any of the four kinds changed; by one thread, for which the others wait.
  Result<std::shared_ptr<const Policy>> Current(const Context& ctx) {
    std::lock_guard lock(mutex_);
    std::array<uint64_t, kResources.size()> generations;
    for (size_t i = 0; i < kResources.size(); ++i) generations[i] = access_.Generation({kGroup, kResources[i]});
    if (policy_ && generations == generations_) return policy_;
    policy_ = KNARR_TRY(Policy::Compile(ctx, access_));
    generations_ = generations;
    return policy_;
  }

  registry::Access& access_;
  std::mutex mutex_;
  std::shared_ptr<const Policy> policy_;
  std::array<uint64_t, kResources.size()> generations_{};
};

}  // namespace
}  // namespace rbac

AuthorizerPtr NewRbacAuthorizer(registry::Access& access) {
  return std::make_unique<rbac::Authorizer>(access);
}

}  // namespace knarr::auth
