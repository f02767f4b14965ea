// Defaults and validation of flowcontrol.apiserver.k8s.io/v1; metadata is validated apart.
// Mirrors: pkg/apis/flowcontrol/{v1/defaults.go,validation/validation.go} of 1.32, but for the fixed specs of the
// objects called exempt and catch-all.
#pragma once

#include "pkg/api/field/field.h"

namespace k8s::io::api::flowcontrol::v1 {
class FlowSchema;
class PriorityLevelConfiguration;
}  // namespace k8s::io::api::flowcontrol::v1

namespace knarr {
namespace flowcontrol = ::k8s::io::api::flowcontrol::v1;
}

namespace knarr::api {

void SetDefaults(flowcontrol::FlowSchema& schema);
void SetDefaults(flowcontrol::PriorityLevelConfiguration& level);
field::ErrorList ValidateFlowSchema(const flowcontrol::FlowSchema& schema);
field::ErrorList ValidateFlowSchemaStatus(const flowcontrol::FlowSchema& schema);
field::ErrorList ValidatePriorityLevel(const flowcontrol::PriorityLevelConfiguration& level);
field::ErrorList ValidatePriorityLevelStatus(const flowcontrol::PriorityLevelConfiguration& level);

}  // namespace knarr::api
