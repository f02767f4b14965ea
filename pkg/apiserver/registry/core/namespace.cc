// Mirrors: pkg/registry/core/namespace/{strategy.go,storage/storage.go}
//
// Deletion takes two steps: the phase becomes Terminating and the object stays until spec.finalizers is empty, which
// the namespace controller sees to through the finalize subresource.
#include <algorithm>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/core/defaults.h"
#include "pkg/api/core/validation.h"
#include "pkg/api/names/names.h"
#include "pkg/apiserver/registry/core/internal.h"
#include "pkg/apiserver/registry/printers.h"

namespace knarr::registry::core_group {
namespace {

class NamespaceStrategy : public TypedStrategy<core::Namespace> {
 public:
  std::vector<std::string> ResetFields() const override { return {"status"}; }
  void Default(core::Namespace& object) const override { api::SetDefaults(object); }
  void PrepareCreate(const RequestContext&, core::Namespace& object) const override {
    object.mutable_status()->Clear();
    object.mutable_status()->set_phase("Active");
    // Generated names came after the defaults.
    api::SetDefaults(object);
    auto& finalizers = *object.mutable_spec()->mutable_finalizers();
    if (std::find(finalizers.begin(), finalizers.end(), "kubernetes") == finalizers.end()) {
      *finalizers.Add() = "kubernetes";
    }
  }
  void PrepareUpdate(const RequestContext&, core::Namespace& updated, const core::Namespace& old) const override {
    *updated.mutable_spec()->mutable_finalizers() = old.spec().finalizers();
    *updated.mutable_status() = old.status();
  }
  field::ErrorList Check(const RequestContext&, const core::Namespace& object) const override {
    return api::ValidateNamespace(object);
  }
  bool HeldBySpec(const Object& object) const override {
    return object.As<core::Namespace>().spec().finalizers_size() > 0;
  }
  void OnDeletionBegun(Object& object) const override {
    object.As<core::Namespace>().mutable_status()->set_phase("Terminating");
  }
  std::vector<std::pair<std::string, std::string>> SelectableFields(const Object& object) const override {
    // "name" is upstream's oldest spelling of metadata.name.
    const auto& space = object.As<core::Namespace>();
    return {{"status.phase", space.status().phase()}, {"name", space.metadata().name()}};
  }
  std::vector<std::string_view> SelectableFieldNames() const override { return {"status.phase", "name"}; }
  std::vector<Column> Columns() const override { return {NameColumn(), TextColumn("Status"), AgeColumn()}; }
  std::vector<Cell> Row(const core::Namespace& object, WallTime now) const override {
    return {object.metadata().name(), object.status().phase(), Age(object.metadata(), now)};
  }
};

class NamespaceStatusStrategy : public NamespaceStrategy {
 public:
  std::vector<std::string> ResetFields() const override { return {"spec"}; }
  void PrepareUpdate(const RequestContext&, core::Namespace& updated, const core::Namespace& old) const override {
    *updated.mutable_spec() = old.spec();
  }
  field::ErrorList CheckUpdate(const RequestContext&, const core::Namespace& updated,
                               const core::Namespace& old) const override {
    return api::ValidateNamespaceStatusUpdate(updated, old);
  }
};

class NamespaceFinalizeStrategy : public NamespaceStrategy {
 public:
  std::vector<std::string> ResetFields() const override { return {"status"}; }
  void PrepareUpdate(const RequestContext&, core::Namespace& updated, const core::Namespace& old) const override {
    *updated.mutable_status() = old.status();
  }
  field::ErrorList CheckUpdate(const RequestContext&, const core::Namespace& updated,
                               const core::Namespace& old) const override {
    return api::ValidateNamespaceFinalizeUpdate(updated, old);
  }
};

}  // namespace

Kind NamespaceKind() {
  Kind kind = BuiltinKind("", "namespaces", {"v1"}, std::make_shared<NamespaceStrategy>());
  kind.name_validator = names::NameIsDNSLabel;
  // No collection of namespaces can be deleted at once.
  std::erase(kind.verbs, "deletecollection");
  Subresource finalize;
  finalize.name = "finalize";
  finalize.verbs = {"update"};
  finalize.strategy = std::make_shared<NamespaceFinalizeStrategy>();
  kind.subresources.push_back(std::move(finalize));
  kind.subresources.push_back(StatusSubresource(std::make_shared<NamespaceStatusStrategy>()));
  return kind;
}

}  // namespace knarr::registry::core_group
