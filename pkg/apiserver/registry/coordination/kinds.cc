#include "pkg/apiserver/registry/coordination/kinds.h"

#include "k8s.io/api/coordination/v1/generated.pb.h"
#include "pkg/api/coordination/validation.h"
#include "pkg/api/names/names.h"
#include "pkg/apiserver/registry/printers.h"
#include "pkg/apiserver/registry/strategies.h"

namespace knarr::registry {
namespace {

// Coordinated leader election is an alpha feature: its fields go unless the object has them already.
void DropAlphaFields(coordination::LeaseSpec& spec, const coordination::LeaseSpec& old) {
  if (!old.has_strategy()) spec.clear_strategy();
  if (!old.has_preferredholder()) spec.clear_preferredholder();
}

class LeaseStrategy : public TypedStrategy<coordination::Lease> {
 public:
  void PrepareCreate(const RequestContext&, coordination::Lease& lease) const override {
    if (lease.has_spec()) DropAlphaFields(*lease.mutable_spec(), {});
  }
  void PrepareUpdate(const RequestContext&, coordination::Lease& updated,
                     const coordination::Lease& old) const override {
    if (updated.has_spec()) DropAlphaFields(*updated.mutable_spec(), old.spec());
  }
  field::ErrorList Check(const RequestContext&, const coordination::Lease& lease) const override {
    return api::ValidateLease(lease);
  }
  bool AllowCreateOnUpdate() const override { return true; }
  bool AllowUnconditionalUpdate() const override { return false; }
  std::vector<Column> Columns() const override { return {NameColumn(), TextColumn("Holder"), AgeColumn()}; }
  std::vector<Cell> Row(const coordination::Lease& lease, WallTime now) const override {
    return {lease.metadata().name(), lease.spec().holderidentity(), Age(lease.metadata(), now)};
  }
};

}  // namespace

std::vector<Kind> CoordinationKinds(const BuiltinDeps&) {
  std::vector<Kind> kinds;
  kinds.push_back(BuiltinKind("coordination.k8s.io", "leases", {"v1", "v1beta1"}, std::make_shared<LeaseStrategy>()));
  kinds.back().name_validator = names::NameIsDNSSubdomain;
  Deprecate(kinds.back(), "v1beta1", 19, 22, "v1");
  return kinds;
}

}  // namespace knarr::registry
