#include "pkg/apiserver/auth/authz/bootstrap.h"

#include <algorithm>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "k8s.io/api/rbac/v1/generated.pb.h"
#include "pkg/api/types.h"
#include "pkg/apiserver/auth/authz/bootstrap_table.h"

namespace knarr::auth {
namespace {

namespace pb = ::k8s::io::api::rbac::v1;
using registry::ObjectRef;

constexpr std::string_view kGroup = "rbac.authorization.k8s.io";
constexpr const char* kAutoUpdate = "rbac.authorization.kubernetes.io/autoupdate";
constexpr const char* kBootstrapping = "kubernetes.io/bootstrapping";

std::string AggregateLabel(std::string_view to) {
  return fmt::format("rbac.authorization.k8s.io/aggregate-to-{}", to);
}

void FillMeta(std::string_view ns, std::string_view name, ::knarr::meta::ObjectMeta* meta) {
  meta->set_name(std::string(name));
  if (!ns.empty()) meta->set_namespace_(std::string(ns));
  (*meta->mutable_annotations())[kAutoUpdate] = "true";
  (*meta->mutable_labels())[kBootstrapping] = "rbac-defaults";
}

// What the object says already stays. True if something was added.
bool AddMissing(const google::protobuf::Map<std::string, std::string>& from,
                google::protobuf::Map<std::string, std::string>* to) {
  bool added = false;
  for (const auto& [key, value] : from) added |= to->insert({key, value}).second;
  return added;
}

bool Protected(const ::knarr::meta::ObjectMeta& meta) {
  const auto found = meta.annotations().find(kAutoUpdate);
  return found != meta.annotations().end() && found->second == "false";
}

std::vector<rbac::Rule> RulesOf(const google::protobuf::RepeatedPtrField<pb::PolicyRule>& from) {
  std::vector<rbac::Rule> rules;
  for (const pb::PolicyRule& rule : from) rules.push_back(rbac::FromProto(rule));
  return rules;
}

// Adds what is missing; true if the object changed.
bool MergeRole(const pb::ClusterRole& expected, pb::ClusterRole& role) {
  bool changed = false;
  if (!expected.has_aggregationrule() && role.has_aggregationrule()) {
    role.clear_aggregationrule();
    changed = true;
  }
  for (const auto& selector : expected.aggregationrule().clusterroleselectors()) {
    const auto& have = role.aggregationrule().clusterroleselectors();
    if (std::any_of(have.begin(), have.end(),
                    [&](const auto& other) { return other.SerializeAsString() == selector.SerializeAsString(); }))
      continue;
    *role.mutable_aggregationrule()->add_clusterroleselectors() = selector;
    changed = true;
  }
  return changed;
}
bool MergeRole(const pb::Role&, pb::Role&) {
  return false;
}

template <typename T>
Status EnsureRole(const Context& ctx, registry::Access& access, std::string_view resource, const T& expected) {
  const std::string &ns = expected.metadata().namespace_(), &name = expected.metadata().name();
  const Result<ObjectRef> present = access.GetConsistent(ctx, {kGroup, resource}, ns, name);
  if (!present.ok()) {
    if (!present.error().Is(Code::kNotFound)) return present.error();
    const Status created = access.Create(ctx, {kGroup, resource}, api::Object(std::make_unique<T>(expected))).status();
    // Another server of this cluster was faster.
    return created.Is(Code::kAlreadyExists) ? OkStatus() : created;
  }
  const auto merge = [&](T& role) {
    bool changed = AddMissing(expected.metadata().annotations(), role.mutable_metadata()->mutable_annotations());
    changed |= AddMissing(expected.metadata().labels(), role.mutable_metadata()->mutable_labels());
    changed |= MergeRole(expected, role);
    // The rules refer to texts of `role`, so they are copied before it grows.
    const T before = role;
    for (const rbac::Rule& rule : rbac::Missing(RulesOf(before.rules()), RulesOf(expected.rules()))) {
      rbac::ToProto(rule, role.add_rules());
      changed = true;
    }
    return changed;
  };
  T trial = (*present)->As<T>();
  if (!merge(trial)) return {};
  if (Protected((*present)->metadata())) {
    ctx.log().Warning("Bootstrap role lacks something but is not to be updated",
                      {{"resource", resource}, {"namespace", ns}, {"name", name}});
    return {};
  }
  return access
      .Update(ctx, {kGroup, resource}, ns, name, "",
              [&](api::Object& object) {
                merge(object.As<T>());
                return OkStatus();
              })
      .status();
}

template <typename T>
Status EnsureBinding(const Context& ctx, registry::Access& access, std::string_view resource, const T& expected) {
  const std::string &ns = expected.metadata().namespace_(), &name = expected.metadata().name();
  const auto create = [&] {
    const Status created = access.Create(ctx, {kGroup, resource}, api::Object(std::make_unique<T>(expected))).status();
    return created.Is(Code::kAlreadyExists) ? OkStatus() : created;
  };
  const Result<ObjectRef> present = access.GetConsistent(ctx, {kGroup, resource}, ns, name);
  if (!present.ok()) return present.error().Is(Code::kNotFound) ? create() : present.error();
  const T& old = (*present)->As<T>();
  const bool other_role = old.roleref().SerializeAsString() != expected.roleref().SerializeAsString();
  const auto merge = [&](T& binding) {
    bool changed = AddMissing(expected.metadata().annotations(), binding.mutable_metadata()->mutable_annotations());
    changed |= AddMissing(expected.metadata().labels(), binding.mutable_metadata()->mutable_labels());
    for (const pb::Subject& subject : expected.subjects()) {
      const auto same = [&](const pb::Subject& other) {
        return other.kind() == subject.kind() && other.name() == subject.name() &&
               other.namespace_() == subject.namespace_();
      };
      if (std::any_of(binding.subjects().begin(), binding.subjects().end(), same)) continue;
      *binding.add_subjects() = subject;
      changed = true;
    }
    return changed;
  };
  T trial = old;
  if (!merge(trial) && !other_role) return {};
  if (Protected(old.metadata())) {
    ctx.log().Warning("Bootstrap binding lacks something but is not to be updated",
                      {{"resource", resource}, {"namespace", ns}, {"name", name}});
    return {};
  }
  if (other_role) {
    // A roleRef cannot change.
    KNARR_TRY(access.Delete(ctx, {kGroup, resource}, ns, name, old.metadata().uid()));
    return create();
  }
  return access
      .Update(ctx, {kGroup, resource}, ns, name, "",
              [&](api::Object& object) {
                merge(object.As<T>());
                return OkStatus();
              })
      .status();
}

template <typename T>
T MakeRole(const bootstrap::RoleRow& row) {
  T role;
  FillMeta(row.ns, row.name, role.mutable_metadata());
  if (!row.part_of.empty()) (*role.mutable_metadata()->mutable_labels())[AggregateLabel(row.part_of)] = "true";
  for (const rbac::Rule& rule : bootstrap::ParseRules(row.rules)) rbac::ToProto(rule, role.add_rules());
  return role;
}

template <typename T>
T MakeBinding(const bootstrap::BindingRow& row) {
  T binding;
  FillMeta(row.ns, row.name, binding.mutable_metadata());
  binding.mutable_roleref()->set_apigroup(std::string(kGroup));
  binding.mutable_roleref()->set_kind(row.ns.empty() ? "ClusterRole" : "Role");
  binding.mutable_roleref()->set_name(std::string(row.role));
  for (std::string_view rest = row.subjects; !rest.empty();) {
    const std::string_view one = rest.substr(0, rest.find(' '));
    rest.remove_prefix(std::min(one.size() + 1, rest.size()));
    const size_t colon = one.find(':');
    const std::string_view kind = one.substr(0, colon), who = one.substr(colon + 1);
    pb::Subject* subject = binding.add_subjects();
    if (kind == "account") {
      const size_t slash = who.find('/');
      subject->set_kind("ServiceAccount");
      subject->set_namespace_(std::string(who.substr(0, slash)));
      subject->set_name(std::string(who.substr(slash + 1)));
    } else {
      subject->set_kind(kind == "group" ? "Group" : "User");
      subject->set_apigroup(std::string(kGroup));
      subject->set_name(std::string(who));
    }
  }
  return binding;
}

Status EnsureNamespace(const Context& ctx, registry::Access& access, std::string_view name) {
  const Result<ObjectRef> present = access.Get(ctx, {"", "namespaces"}, "", name);
  if (present.ok() || !present.error().Is(Code::kNotFound)) return present.status();
  auto ns = std::make_unique<core::Namespace>();
  ns->mutable_metadata()->set_name(std::string(name));
  const Status created = access.Create(ctx, {"", "namespaces"}, api::Object(std::move(ns))).status();
  return created.Is(Code::kAlreadyExists) ? OkStatus() : created;
}

}  // namespace

Status EnsureBootstrapPolicy(const Context& ctx, registry::Access& access) {
  Status first;
  const auto note = [&](std::string_view what, std::string_view name, const Status& status) {
    if (status.ok()) return;
    ctx.log().Error(status, "Cannot reconcile the bootstrap policy", {{"kind", what}, {"name", name}});
    if (first.ok()) first = status.WithContext(fmt::format("unable to reconcile {} {}", what, name));
  };
  const auto bind = [&](const bootstrap::BindingRow& row) {
    if (row.ns.empty()) {
      note("clusterrolebinding", row.name,
           EnsureBinding(ctx, access, "clusterrolebindings", MakeBinding<pb::ClusterRoleBinding>(row)));
    } else {
      note("rolebinding", row.name, EnsureBinding(ctx, access, "rolebindings", MakeBinding<pb::RoleBinding>(row)));
    }
  };
  std::string_view ns;
  for (const bootstrap::RoleRow& row : bootstrap::Roles()) {
    if (row.ns.empty()) {
      auto role = MakeRole<pb::ClusterRole>(row);
      if (!row.made_of.empty()) {
        auto* selector = role.mutable_aggregationrule()->add_clusterroleselectors();
        (*selector->mutable_matchlabels())[AggregateLabel(row.made_of)] = "true";
      }
      note("clusterrole", row.name, EnsureRole(ctx, access, "clusterroles", role));
    } else {
      if (row.ns != ns) note("namespace", row.ns, EnsureNamespace(ctx, access, row.ns));
      ns = row.ns;
      note("role", row.name, EnsureRole(ctx, access, "roles", MakeRole<pb::Role>(row)));
    }
    if (ctx.Done()) return ctx.Err();
  }
  for (const bootstrap::RoleRow& row : bootstrap::Roles()) {
    if (row.controller.empty()) continue;
    const std::string subject = fmt::format("account:kube-system/{}", row.controller);
    bind({row.ns, row.name, row.name, subject});
  }
  for (const bootstrap::BindingRow& row : bootstrap::Bindings()) bind(row);
  return first;
}

}  // namespace knarr::auth
