// Between the versions of a built-in kind: networking.k8s.io/v1beta1 Ingress <-> v1, autoscaling/v1 <-> v2, ...
// Most pairs have the same fields under the same numbers and go through the wire; the rest has a function each.
// Mirrors: pkg/apis/*/v*/conversion.go. Stateless, thread-safe.
#pragma once

#include <google/protobuf/message.h>

#include <memory>
#include <string_view>

#include "pkg/base/status.h"

namespace knarr::conversion {

// A new object of `to`'s version with the same content. kInvalid if something cannot be said there. The same version
// gives a copy.
Result<std::unique_ptr<google::protobuf::Message>> Convert(const google::protobuf::Message& from, std::string_view kind,
                                                           std::string_view from_api_version,
                                                           std::string_view to_api_version);
// Field selectors of one version in terms of the hub's: Event v1 "involvedObject.name" <-> events.k8s.io
// "regarding.name". An unknown field of the kind is kBadRequest: "<field>" is not a known field selector: only ...
Result<std::string> ConvertFieldLabel(std::string_view kind, std::string_view api_version, std::string_view field);

}  // namespace knarr::conversion
