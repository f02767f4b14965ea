// Validation of node.k8s.io/v1; metadata is validated apart. Mirrors: pkg/apis/node/validation/validation.go of 1.32
#pragma once

#include "pkg/api/field/field.h"

namespace k8s::io::api::node::v1 {
class RuntimeClass;
}

namespace knarr {
namespace node_v1 = ::k8s::io::api::node::v1;
}

namespace knarr::api {

field::ErrorList ValidateRuntimeClass(const node_v1::RuntimeClass& runtime_class);
field::ErrorList ValidateRuntimeClassUpdate(const node_v1::RuntimeClass& updated, const node_v1::RuntimeClass& old);

}  // namespace knarr::api
