#include "pkg/apiserver/endpoints/call.h"

#include <fmt/format.h>

#include "k8s.io/apimachinery/pkg/apis/meta/v1/generated.pb.h"
#include "pkg/api/errors/errors.h"
#include "pkg/apiserver/endpoints/encode.h"

namespace knarr::endpoints {

bool ParseBool(std::string_view text) {
  return text == "true" || text == "1" || text == "t" || text == "T" || text == "True" || text == "TRUE";
}

Result<WriteOptions> ParseWriteOptions(const http::Request& request, std::string_view options_kind) {
  WriteOptions options;
  field::ErrorList errors;
  for (const auto& [key, value] : request.query) {
    if (key == "dryRun") {
      if (value != "All") {
        errors.push_back(field::NotSupported(field::Path("dryRun"), value, {"All"}));
      } else {
        options.dry_run = true;
      }
    } else if (key == "fieldManager") {
      options.field_manager = value;
      constexpr int kMaxManager = 128;
      if (value.size() > kMaxManager) errors.push_back(field::TooLong(field::Path("fieldManager"), value, kMaxManager));
    } else if (key == "force") {
      options.has_force = true;
      options.force = ParseBool(value);
    } else if (key == "fieldValidation") {
      if (value == "Strict") {
        options.field_validation = codec::FieldValidation::kStrict;
      } else if (value == "Warn" || value.empty()) {
        options.field_validation = codec::FieldValidation::kWarn;
      } else if (value == "Ignore") {
        options.field_validation = codec::FieldValidation::kIgnore;
      } else {
        errors.push_back(field::NotSupported(field::Path("fieldValidation"), value, {"Ignore", "Strict", "Warn"}));
      }
    }
  }
  if (!errors.empty()) return errors::Invalid("meta.k8s.io", options_kind, "", errors);
  return options;
}

void AddWarnings(http::ResponseWriter& response, const std::vector<std::string>& warnings) {
  constexpr size_t kMaxBytes = 4 << 10;  // of all, as upstream bounds them
  size_t bytes = 0;
  std::vector<std::string_view> seen;
  for (const std::string& warning : warnings) {
    if (std::find(seen.begin(), seen.end(), warning) != seen.end()) continue;
    seen.push_back(warning);
    if ((bytes += warning.size()) > kMaxBytes) return;
    std::string quoted;
    for (const char c : warning) {
      if (c == '"' || c == '\\') quoted += '\\';
      quoted += c == '\n' || c == '\r' ? ' ' : c;
    }
    response.headers().Add("Warning", fmt::format("299 - \"{}\"", quoted));
  }
}

void ReplyError(const http::Request& request, http::ResponseWriter& response, const Status& status) {
  ::knarr::meta::Status proto;
  errors::ToProto(status, &proto);
  const Output output = Negotiate(request, {}).value_or(Output());
  if (proto.details().retryafterseconds() > 0)
    response.headers().Set("Retry-After", std::to_string(proto.details().retryafterseconds()));
  int http = InfoOf(status.code()).http;
  if (http < 200 || http > 599) http = 500;  // a client that is gone does not read it
  if (output.media == Media::kJson && !output.pretty) {
    response.Reply(http, output.ContentType(),
                   codec::EncodeJson(proto, {.api_version = "v1", .kind = "Status"}) + "\n");
    return;
  }
  response.Reply(http, output.ContentType(), EncodeMessage(proto, "v1", "Status", output));
}

}  // namespace knarr::endpoints
