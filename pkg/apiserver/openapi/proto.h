// The OpenAPI v2 document in the protobuf form that kubectl before 1.27 asks for: openapi.v2.Document of
// github.com/google/gnostic-models, written straight to the wire.
#pragma once

#include <string>
#include <string_view>

#include "pkg/apiserver/openapi/builder.h"

namespace knarr::openapi {

// `builder` must be a new one, of Version::kV2.
std::string V2Protobuf(Builder& builder, std::string_view git_version);

}  // namespace knarr::openapi
