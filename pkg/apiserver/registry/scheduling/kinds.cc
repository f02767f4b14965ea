#include "pkg/apiserver/registry/scheduling/kinds.h"

#include "k8s.io/api/scheduling/v1/generated.pb.h"
#include "pkg/api/names/names.h"
#include "pkg/api/scheduling/validation.h"
#include "pkg/apiserver/registry/printers.h"
#include "pkg/apiserver/registry/strategies.h"

namespace knarr::registry {
namespace {

class PriorityClassStrategy : public TypedStrategy<scheduling::PriorityClass> {
 public:
  void Default(scheduling::PriorityClass& priority_class) const override { api::SetDefaults(priority_class); }
  void PrepareCreate(const RequestContext&, scheduling::PriorityClass& priority_class) const override {
    priority_class.mutable_metadata()->set_generation(1);
  }
  field::ErrorList Check(const RequestContext&, const scheduling::PriorityClass& priority_class) const override {
    return api::ValidatePriorityClass(priority_class);
  }
  field::ErrorList CheckUpdate(const RequestContext&, const scheduling::PriorityClass& updated,
                               const scheduling::PriorityClass& old) const override {
    return api::ValidatePriorityClassUpdate(updated, old);
  }
  std::vector<Column> Columns() const override {
    return {NameColumn(),
            NumberColumn("Value"),
            {.name = "Global-Default", .type = "boolean"},
            AgeColumn(),
            TextColumn("PreemptionPolicy")};
  }
  std::vector<Cell> Row(const scheduling::PriorityClass& object, WallTime now) const override {
    return {object.metadata().name(), int64_t{object.value()}, object.globaldefault(), Age(object.metadata(), now),
            object.has_preemptionpolicy() ? object.preemptionpolicy() : std::string("PreemptLowerPriority")};
  }
};

}  // namespace

std::vector<Kind> SchedulingKinds(const BuiltinDeps&) {
  std::vector<Kind> kinds;
  kinds.push_back(BuiltinKind("scheduling.k8s.io", "priorityclasses", {"v1", "v1beta1"},
                              std::make_shared<PriorityClassStrategy>()));
  kinds.back().name_validator = names::NameIsDNSSubdomain;
  Deprecate(kinds.back(), "v1beta1", 14, 22, "v1");
  return kinds;
}

}  // namespace knarr::registry
