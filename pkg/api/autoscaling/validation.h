// Defaults and validation of autoscaling/v2; metadata is validated apart.
// Mirrors: pkg/apis/autoscaling/{v2/defaults.go,validation/validation.go} of 1.32
#pragma once

#include "pkg/api/field/field.h"

namespace k8s::io::api::autoscaling::v2 {
class HorizontalPodAutoscaler;
}

namespace knarr {
namespace autoscaling = ::k8s::io::api::autoscaling::v2;
}

namespace knarr::api {

// A target of 80 % CPU where there is no metric; the rules of scaling up and down are filled in where any is given.
void SetDefaults(autoscaling::HorizontalPodAutoscaler& autoscaler);
// `lowest_replicas`: 1, or 0 for objects that have 0 already (scaling to zero is an alpha feature).
field::ErrorList ValidateHorizontalPodAutoscaler(const autoscaling::HorizontalPodAutoscaler& autoscaler,
                                                 int32_t lowest_replicas);
field::ErrorList ValidateHorizontalPodAutoscalerStatus(const autoscaling::HorizontalPodAutoscaler& autoscaler);

}  // namespace knarr::api
