// Defaults and validation of policy/v1; metadata is validated apart.
// Mirrors: pkg/apis/policy/{helper.go,validation/validation.go} of 1.32
#pragma once

#include "pkg/api/field/field.h"

namespace k8s::io::api::policy::v1 {
class PodDisruptionBudget;
}

namespace knarr {
namespace policy = ::k8s::io::api::policy::v1;
}

namespace knarr::api {

// Takes out of the selector the label by which v1beta1 says what an empty selector means, unless it is all there is.
void SetDefaults(policy::PodDisruptionBudget& budget);
field::ErrorList ValidatePodDisruptionBudget(const policy::PodDisruptionBudget& budget);
field::ErrorList ValidatePodDisruptionBudgetStatus(const policy::PodDisruptionBudget& budget);

}  // namespace knarr::api
