#include "pkg/apiserver/registry/rbac/kinds.h"

#include "k8s.io/api/rbac/v1/generated.pb.h"
#include "pkg/api/meta/validation.h"
#include "pkg/api/rbac/validation.h"
#include "pkg/apiserver/auth/authz/escalation.h"
#include "pkg/apiserver/registry/printers.h"
#include "pkg/apiserver/registry/strategies.h"

namespace knarr::registry {
namespace {

constexpr std::string_view kGroup = "rbac.authorization.k8s.io";

template <typename T>
class RoleStrategy : public TypedStrategy<T> {
 public:
  explicit RoleStrategy(auth::Authorizer* authorizer) : authorizer_(authorizer) {}
  // Nobody grants what they do not have.
  Result<Strategy::Finish> Begin(const RequestContext& rc, Object& role, const Object* old) const override {
    KNARR_TRY(auth::CheckRoleEscalation(rc, authorizer_, role, old, std::is_same_v<T, rbac::ClusterRole>));
    return Strategy::Finish();
  }
  field::ErrorList Check(const RequestContext&, const T& role) const override {
    if constexpr (std::is_same_v<T, rbac::Role>) {
      return api::ValidateRole(role);
    } else {
      return api::ValidateClusterRole(role);
    }
  }
  bool AllowCreateOnUpdate() const override { return true; }
  // Without a printer of its own upstream: Name and Created At.
  std::vector<Cell> Row(const T& role, WallTime) const override {
    std::string created = codec::EncodeJson(role.metadata().creationtimestamp());
    if (created.size() > 2 && created.front() == '"') created = created.substr(1, created.size() - 2);
    return {role.metadata().name(), std::move(created)};
  }

 private:
  auth::Authorizer* const authorizer_;
};

template <typename T>
class BindingStrategy : public TypedStrategy<T> {
 public:
  explicit BindingStrategy(auth::Authorizer* authorizer) : authorizer_(authorizer) {}
  Result<Strategy::Finish> Begin(const RequestContext& rc, Object& binding, const Object* old) const override {
    KNARR_TRY(auth::CheckBindingEscalation(rc, authorizer_, binding, old, std::is_same_v<T, rbac::ClusterRoleBinding>));
    return Strategy::Finish();
  }
  void Default(T& binding) const override { api::SetDefaults(binding); }
  field::ErrorList Check(const RequestContext&, const T& binding) const override {
    if constexpr (std::is_same_v<T, rbac::RoleBinding>) {
      return api::ValidateRoleBinding(binding);
    } else {
      return api::ValidateClusterRoleBinding(binding);
    }
  }
  field::ErrorList CheckUpdate(const RequestContext&, const T& updated, const T& old) const override {
    if constexpr (std::is_same_v<T, rbac::RoleBinding>) {
      return api::ValidateRoleBindingUpdate(updated, old);
    } else {
      return api::ValidateClusterRoleBindingUpdate(updated, old);
    }
  }
  bool AllowCreateOnUpdate() const override { return true; }
  std::vector<Column> Columns() const override {
    return {NameColumn(),           TextColumn("Role"),      AgeColumn(),
            TextColumn("Users", 1), TextColumn("Groups", 1), TextColumn("ServiceAccounts", 1)};
  }
  std::vector<Cell> Row(const T& binding, WallTime now) const override {
    std::string users, groups, accounts;
    const auto add = [](std::string& list, std::string_view name) {
      if (!list.empty()) list += ", ";
      list += name;
    };
    for (const rbac::Subject& subject : binding.subjects()) {
      if (subject.kind() == "User") add(users, subject.name());
      if (subject.kind() == "Group") add(groups, subject.name());
      if (subject.kind() == "ServiceAccount") add(accounts, subject.namespace_() + "/" + subject.name());
    }
    return {binding.metadata().name(),
            fmt::format("{}/{}", binding.roleref().kind(), binding.roleref().name()),
            Age(binding.metadata(), now),
            std::move(users),
            std::move(groups),
            std::move(accounts)};
  }

 private:
  auth::Authorizer* const authorizer_;
};

Kind Make(std::string_view resource, std::shared_ptr<const Strategy> strategy) {
  Kind kind = BuiltinKind(kGroup, resource, {"v1", "v1beta1"}, std::move(strategy));
  kind.name_validator = api::ValidatePathSegmentName;
  Deprecate(kind, "v1beta1", 17, 22, "v1");
  return kind;
}

}  // namespace

std::vector<Kind> RbacKinds(const BuiltinDeps& deps) {
  return {Make("roles", std::make_shared<RoleStrategy<rbac::Role>>(deps.authorizer)),
          Make("clusterroles", std::make_shared<RoleStrategy<rbac::ClusterRole>>(deps.authorizer)),
          Make("rolebindings", std::make_shared<BindingStrategy<rbac::RoleBinding>>(deps.authorizer)),
          Make("clusterrolebindings", std::make_shared<BindingStrategy<rbac::ClusterRoleBinding>>(deps.authorizer))};
}

}  // namespace knarr::registry
