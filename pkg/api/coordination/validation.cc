#include "pkg/api/coordination/validation.h"

#include "k8s.io/api/coordination/v1/generated.pb.h"

namespace knarr::api {

field::ErrorList ValidateLease(const coordination::Lease& lease) {
  field::ErrorList errors;
  const field::Path path("spec");
  const coordination::LeaseSpec& spec = lease.spec();
  if (spec.has_leasedurationseconds() && spec.leasedurationseconds() <= 0) {
    errors.push_back(
        field::Invalid(path.Child("leaseDurationSeconds"), spec.leasedurationseconds(), "must be greater than 0"));
  }
  if (spec.has_leasetransitions() && spec.leasetransitions() < 0) {
    errors.push_back(
        field::Invalid(path.Child("leaseTransitions"), spec.leasetransitions(), "must be greater than or equal to 0"));
  }
  return errors;
}

}  // namespace knarr::api
