#include "pkg/apiserver/registry/policy/kinds.h"

#include "k8s.io/api/policy/v1/generated.pb.h"
#include "pkg/api/intstr/intstr.h"
#include "pkg/api/names/names.h"
#include "pkg/api/policy/validation.h"
#include "pkg/apiserver/registry/printers.h"
#include "pkg/apiserver/registry/strategies.h"

namespace knarr::registry {
namespace {

using policy::PodDisruptionBudget;

class BudgetStrategy : public SpecStrategy<PodDisruptionBudget> {
 public:
  void Default(PodDisruptionBudget& budget) const override { api::SetDefaults(budget); }
  field::ErrorList Check(const RequestContext&, const PodDisruptionBudget& budget) const override {
    return api::ValidatePodDisruptionBudget(budget);
  }
  bool AllowUnconditionalUpdate() const override { return false; }
  std::vector<Column> Columns() const override {
    return {NameColumn(), TextColumn("Min Available"), TextColumn("Max Unavailable"),
            NumberColumn("Allowed Disruptions"), AgeColumn()};
  }
  std::vector<Cell> Row(const PodDisruptionBudget& budget, WallTime now) const override {
    const auto& spec = budget.spec();
    return {budget.metadata().name(),
            spec.has_minavailable() ? intstr::ToString(spec.minavailable()) : std::string("N/A"),
            spec.has_maxunavailable() ? intstr::ToString(spec.maxunavailable()) : std::string("N/A"),
            int64_t{budget.status().disruptionsallowed()}, Age(budget.metadata(), now)};
  }
};

class BudgetStatusStrategy : public BudgetStrategy {
 public:
  void PrepareUpdate(const RequestContext&, PodDisruptionBudget& updated,
                     const PodDisruptionBudget& old) const override {
    KeepSpec(updated, old);
  }
  field::ErrorList CheckUpdate(const RequestContext&, const PodDisruptionBudget& updated,
                               const PodDisruptionBudget&) const override {
    return api::ValidatePodDisruptionBudgetStatus(updated);
  }
};

}  // namespace

std::vector<Kind> PolicyKinds(const BuiltinDeps&) {
  Kind kind = BuiltinKind("policy", "poddisruptionbudgets", {"v1", "v1beta1"}, std::make_shared<BudgetStrategy>());
  // The version that 1.20 can read.
  kind.storage_version = "policy/v1beta1";
  kind.name_validator = names::NameIsDNSSubdomain;
  kind.subresources.push_back(StatusPart(std::make_shared<BudgetStatusStrategy>()));
  Deprecate(kind, "v1beta1", 21, 25, "v1");
  return {std::move(kind)};
}

}  // namespace knarr::registry
