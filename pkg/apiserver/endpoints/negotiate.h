// Which form an answer takes: Accept, pretty, and kubectl's Table.
// Mirrors: staging/src/k8s.io/apiserver/pkg/endpoints/handlers/negotiation/negotiate.go
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "pkg/base/status.h"
#include "pkg/net/http/server.h"

namespace knarr::endpoints {

enum class Media { kJson, kYaml, kProtobuf };
enum class As { kObject, kTable, kPartialObjectMetadata, kPartialObjectMetadataList };

struct Output {
  Media media = Media::kJson;
  As as = As::kObject;
  std::string as_version;  // of Table and PartialObjectMetadata: v1, v1beta1
  bool pretty = false;
  std::string ContentType() const;
};

// What the answer could be shown as, beside itself.
struct Accepts {
  bool table = false;
  bool partial = false;
  bool partial_list = false;
  bool yaml = true;
};
// kNotAcceptable: only the following media types are accepted: ...
Result<Output> Negotiate(const http::Request& request, const Accepts& accepts);

// Of a body: nullopt for a type that is not read (415).
std::optional<Media> BodyMedia(std::string_view content_type);

}  // namespace knarr::endpoints
