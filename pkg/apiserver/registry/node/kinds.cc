#include "pkg/apiserver/registry/node/kinds.h"

#include "k8s.io/api/node/v1/generated.pb.h"
#include "pkg/api/names/names.h"
#include "pkg/api/node/validation.h"
#include "pkg/apiserver/registry/printers.h"
#include "pkg/apiserver/registry/strategies.h"

namespace knarr::registry {
namespace {

using node_v1::RuntimeClass;

class RuntimeClassStrategy : public TypedStrategy<RuntimeClass> {
 public:
  field::ErrorList Check(const RequestContext&, const RuntimeClass& runtime_class) const override {
    return api::ValidateRuntimeClass(runtime_class);
  }
  field::ErrorList CheckUpdate(const RequestContext&, const RuntimeClass& updated,
                               const RuntimeClass& old) const override {
    field::ErrorList errors = api::ValidateRuntimeClass(updated);
    field::Append(errors, api::ValidateRuntimeClassUpdate(updated, old));
    return errors;
  }
  bool AllowUnconditionalUpdate() const override { return false; }
  std::vector<Column> Columns() const override { return {NameColumn(), TextColumn("Handler"), AgeColumn()}; }
  std::vector<Cell> Row(const RuntimeClass& runtime_class, WallTime now) const override {
    return {runtime_class.metadata().name(), runtime_class.handler(), Age(runtime_class.metadata(), now)};
  }
};

}  // namespace

std::vector<Kind> NodeGroupKinds(const BuiltinDeps&) {
  Kind kind = BuiltinKind("node.k8s.io", "runtimeclasses", {"v1", "v1beta1"}, std::make_shared<RuntimeClassStrategy>());
  // What 1.20 writes; it can read both.
  kind.storage_version = "node.k8s.io/v1beta1";
  kind.name_validator = names::NameIsDNSSubdomain;
  Deprecate(kind, "v1beta1", 22, 25, "");
  return {std::move(kind)};
}

}  // namespace knarr::registry
