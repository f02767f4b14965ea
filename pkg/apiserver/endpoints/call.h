// One API request on its way through the verbs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pkg/api/codec/codec.h"
#include "pkg/apiserver/endpoints/negotiate.h"
#include "pkg/apiserver/endpoints/request_info.h"
#include "pkg/apiserver/registry/registry.h"
#include "pkg/net/http/server.h"

namespace knarr::endpoints {

struct Call {
  const http::Request& request;
  http::ResponseWriter& response;
  const RequestInfo& info;
  const auth::UserInfo& user;
  const registry::ResourcePtr resource;
  const registry::Kind& kind;
  const registry::ServedVersion& version;
  std::string api_version;  // "apps/v1"
  registry::RequestContext rc;
  std::vector<std::string> warnings;
  Output output;

  bool hub() const { return version.version == kind.versions.front().version; }
  bool custom() const { return kind.custom != nullptr; }
};

// The parts of CreateOptions, UpdateOptions and PatchOptions that the query carries.
struct WriteOptions {
  bool dry_run = false;
  bool force = false;
  bool has_force = false;
  std::string field_manager;
  codec::FieldValidation field_validation = codec::FieldValidation::kWarn;
};
// options_kind: "CreateOptions", ... for the error. kInvalid in upstream's words.
Result<WriteOptions> ParseWriteOptions(const http::Request& request, std::string_view options_kind);

bool ParseBool(std::string_view text);

// Answers. A Status becomes metav1.Status in the negotiated form, with its code and Retry-After.
void ReplyError(const http::Request& request, http::ResponseWriter& response, const Status& status);
void AddWarnings(http::ResponseWriter& response, const std::vector<std::string>& warnings);

}  // namespace knarr::endpoints
