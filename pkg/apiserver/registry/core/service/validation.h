// What a Service must be. Mirrors: ValidateService and friends in pkg/apis/core/validation/validation.go of 1.32
#pragma once

#include <string>
#include <vector>

#include "pkg/api/field/field.h"
#include "pkg/api/types.h"

namespace k8s::io::api::core::v1 {
class Service;
}

namespace knarr::registry::service {

void SetDefaults(core::Service& service);
// spec only; before addresses and ports are given: what is still to be allocated may be missing.
field::ErrorList ValidateService(const core::Service& service);
field::ErrorList ValidateServiceUpdate(const core::Service& service, const core::Service& old);
field::ErrorList ValidateServiceStatus(const core::Service& service);
// For the Warning header. Mirrors: pkg/api/service/warnings.go
std::vector<std::string> ServiceWarnings(const core::Service& service, const core::Service* old);
// clusterIP, clusterIPs, ipFamilies, ipFamilyPolicy among each other.
field::ErrorList ValidateClusterIpFields(const core::Service& service);

}  // namespace knarr::registry::service
