// Defaults and validation of scheduling.k8s.io/v1; metadata is validated apart.
// Mirrors: pkg/apis/scheduling/{v1/defaults.go,v1/helpers.go,validation/validation.go} of 1.32
#pragma once

#include "pkg/api/field/field.h"

namespace k8s::io::api::scheduling::v1 {
class PriorityClass;
}

namespace knarr {
namespace scheduling = ::k8s::io::api::scheduling::v1;
}

namespace knarr::api {

void SetDefaults(scheduling::PriorityClass& priority_class);
field::ErrorList ValidatePriorityClass(const scheduling::PriorityClass& priority_class);
field::ErrorList ValidatePriorityClassUpdate(const scheduling::PriorityClass& updated,
                                             const scheduling::PriorityClass& old);

}  // namespace knarr::api
