// ConfigMaps, Secrets, ServiceAccounts: what pods are configured with.
// Mirrors: pkg/registry/core/{configmap,secret,serviceaccount}/strategy.go
#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/core/defaults.h"
#include "pkg/api/core/validation.h"
#include "pkg/api/names/names.h"
#include "pkg/apiserver/auth/serviceaccount/serviceaccount.h"
#include "pkg/apiserver/registry/core/internal.h"
#include "pkg/apiserver/registry/printers.h"

namespace knarr::registry::core_group {
namespace {

class ConfigMapStrategy : public TypedStrategy<core::ConfigMap> {
 public:
  void Default(core::ConfigMap& object) const override { api::SetDefaults(object); }
  field::ErrorList Check(const RequestContext&, const core::ConfigMap& object) const override {
    return api::ValidateConfigMap(object, api::Metadata::kSkip);
  }
  field::ErrorList CheckUpdate(const RequestContext&, const core::ConfigMap& updated,
                               const core::ConfigMap& old) const override {
    return api::ValidateConfigMapUpdate(updated, old);
  }
  std::vector<Column> Columns() const override { return {NameColumn(), TextColumn("Data"), AgeColumn()}; }
  std::vector<Cell> Row(const core::ConfigMap& object, WallTime now) const override {
    return {object.metadata().name(), static_cast<int64_t>(object.data().size() + object.binarydata().size()),
            Age(object.metadata(), now)};
  }
};

class SecretStrategy : public TypedStrategy<core::Secret> {
 public:
  void Default(core::Secret& object) const override { api::SetDefaults(object); }
  field::ErrorList Check(const RequestContext&, const core::Secret& object) const override {
    return api::ValidateSecret(object, api::Metadata::kSkip);
  }
  field::ErrorList CheckUpdate(const RequestContext&, const core::Secret& updated,
                               const core::Secret& old) const override {
    return api::ValidateSecretUpdate(updated, old);
  }
  std::vector<std::pair<std::string, std::string>> SelectableFields(const Object& object) const override {
    return {{"type", object.As<core::Secret>().type()}};
  }
  std::vector<std::string_view> SelectableFieldNames() const override { return {"type"}; }
  std::vector<Column> Columns() const override {
    return {NameColumn(), TextColumn("Type"), TextColumn("Data"), AgeColumn()};
  }
  std::vector<Cell> Row(const core::Secret& object, WallTime now) const override {
    return {object.metadata().name(), object.type(), static_cast<int64_t>(object.data().size()),
            Age(object.metadata(), now)};
  }
};

class ServiceAccountStrategy : public TypedStrategy<core::ServiceAccount> {
 public:
  void PrepareCreate(const RequestContext&, core::ServiceAccount& object) const override { CleanReferences(object); }
  void PrepareUpdate(const RequestContext&, core::ServiceAccount& updated, const core::ServiceAccount&) const override {
    CleanReferences(updated);
  }
  bool ReturnDeletedObject() const override { return true; }
  std::vector<std::string> Warnings(const RequestContext&, const Object& object, const Object* old) const override {
    const char* key = "kubernetes.io/enforce-mountable-secrets";
    if (!object.metadata().annotations().contains(key)) return {};
    if (old != nullptr && old->metadata().annotations().contains(key)) return {};
    return {
        "metadata.annotations[kubernetes.io/enforce-mountable-secrets]: deprecated in v1.32+; prefer separate "
        "namespaces to isolate access to mounted secrets"};
  }
  std::vector<Column> Columns() const override { return {NameColumn(), TextColumn("Secrets"), AgeColumn()}; }
  std::vector<Cell> Row(const core::ServiceAccount& object, WallTime now) const override {
    return {object.metadata().name(), static_cast<int64_t>(object.secrets_size()), Age(object.metadata(), now)};
  }

 private:
  // Only the name of a secret counts; the rest would be lies.
  static void CleanReferences(core::ServiceAccount& object) {
    for (core::ObjectReference& secret : *object.mutable_secrets()) {
      const std::string name = secret.name();
      secret.Clear();
      secret.set_name(name);
    }
  }
};

}  // namespace

Kind ConfigMapKind() {
  Kind kind = BuiltinKind("", "configmaps", {"v1"}, std::make_shared<ConfigMapStrategy>());
  kind.name_validator = names::NameIsDNSSubdomain;
  return kind;
}

Kind SecretKind() {
  Kind kind = BuiltinKind("", "secrets", {"v1"}, std::make_shared<SecretStrategy>());
  kind.name_validator = names::NameIsDNSSubdomain;
  return kind;
}

Kind ServiceAccountKind(const BuiltinDeps& deps) {
  Kind kind = BuiltinKind("", "serviceaccounts", {"v1"}, std::make_shared<ServiceAccountStrategy>());
  kind.name_validator = names::NameIsDNSSubdomain;
  if (deps.service_account_keys) kind.subresources.push_back(auth::TokenSubresource(deps.service_account_keys));
  return kind;
}

}  // namespace knarr::registry::core_group
