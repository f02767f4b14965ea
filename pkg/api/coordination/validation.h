// Validation of coordination.k8s.io/v1; metadata is validated apart.
// Mirrors: pkg/apis/coordination/validation/validation.go of 1.32
#pragma once

#include "pkg/api/field/field.h"

namespace k8s::io::api::coordination::v1 {
class Lease;
}

namespace knarr {
namespace coordination = ::k8s::io::api::coordination::v1;
}

namespace knarr::api {

field::ErrorList ValidateLease(const coordination::Lease& lease);

}  // namespace knarr::api
