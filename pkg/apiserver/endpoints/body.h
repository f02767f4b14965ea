// Request bodies -> objects.
// Mirrors: decoding in staging/src/k8s.io/apiserver/pkg/endpoints/handlers/{create,update,rest}.go
#pragma once

#include <google/protobuf/message.h>

#include <memory>
#include <string>
#include <string_view>

#include "pkg/apiserver/endpoints/call.h"

namespace knarr::endpoints {

// apiVersion and kind at the top of a JSON text, without parsing the rest; "" where absent.
struct TypeMeta {
  std::string api_version, kind;
};
Result<TypeMeta> PeekTypeMeta(std::string_view json);

// The body as an object of the call's kind, hub version, not defaulted. Unknown fields: errors, warnings or nothing.
Result<registry::ObjectPtr> DecodeObject(Call& call, std::string_view body, Media media,
                                         codec::FieldValidation validation);
// JSON text of the request's version (what patches make).
Result<registry::ObjectPtr> DecodeJsonObject(Call& call, std::string_view json, codec::FieldValidation validation);

// A body of a fixed type (Binding, Eviction, Scale, DeleteOptions) in any version that the scheme has of it; `to` is an
// empty message of the wanted version.
Status DecodeInto(Call& call, std::string_view body, Media media, codec::FieldValidation validation,
                  std::string_view api_version, std::string_view kind, google::protobuf::Message* to);

// The media type of the body; kUnsupportedMediaType otherwise.
Result<Media> RequestMedia(const http::Request& request);

}  // namespace knarr::endpoints
