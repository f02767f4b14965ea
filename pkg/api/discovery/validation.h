// Defaults and validation of discovery.k8s.io/v1; metadata is validated apart.
// Mirrors: pkg/apis/discovery/{v1/defaults.go,validation/validation.go} of 1.32
#pragma once

#include "pkg/api/field/field.h"

namespace k8s::io::api::discovery::v1 {
class EndpointSlice;
}

namespace knarr {
namespace discovery = ::k8s::io::api::discovery::v1;
}

namespace knarr::api {

void SetDefaults(discovery::EndpointSlice& slice);
field::ErrorList ValidateEndpointSlice(const discovery::EndpointSlice& slice);
field::ErrorList ValidateEndpointSliceUpdate(const discovery::EndpointSlice& updated,
                                             const discovery::EndpointSlice& old);

}  // namespace knarr::api
