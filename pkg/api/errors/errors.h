// API errors in upstream's words, and metav1.Status from and to Status.
// Mirrors: k8s.io/apimachinery/pkg/api/errors/errors.go
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "pkg/api/field/field.h"
#include "pkg/api/types.h"
#include "pkg/base/status.h"

namespace k8s::io::apimachinery::pkg::apis::meta::v1 {
class Status;
}

namespace knarr::errors {

// `resource` may be qualified by its group: "deployments.apps" in messages, split again in details.
Status NotFound(std::string_view group, std::string_view resource, std::string_view name);
Status AlreadyExists(std::string_view group, std::string_view resource, std::string_view name);
// Operation cannot be fulfilled on pods "web": <why>
Status Conflict(std::string_view group, std::string_view resource, std::string_view name, std::string_view why);
// pods "web" is forbidden: <why>
Status Forbidden(std::string_view group, std::string_view resource, std::string_view name, std::string_view why);
// Pod "web" is invalid: [causes]
Status Invalid(std::string_view group, std::string_view kind, std::string_view name, const field::ErrorList& errors);
Status BadRequest(std::string_view why);
Status Unauthorized();
// the server does not allow this method on the requested resource
Status MethodNotSupported(std::string_view group, std::string_view resource, std::string_view action);
Status Expired(std::string_view message);
Status TooManyRequests(std::string_view message, int32_t retry_after_seconds);
// Too large resource version: 12, current: 10 (cause ResourceVersionTooLarge)
Status TooLargeResourceVersion(int64_t asked, int64_t current, int32_t retry_after_seconds);
// the server could not find the requested resource
Status GenericNotFound();
Status InternalError(std::string_view why);
// The object has been modified; please apply your changes to the latest version and try again
inline constexpr std::string_view kOptimisticLock =
    "the object has been modified; please apply your changes to the latest version and try again";

void ToProto(const Status& status, ::knarr::meta::Status* out);
// metav1.Status as JSON with TypeMeta, as Go prints it; no newline.
std::string ToJson(const Status& status);
// What a server answered; `http` where the body is no Status.
Status FromProto(const ::knarr::meta::Status& status);
Status FromHttp(int http, std::string_view content_type, std::string_view body);

}  // namespace knarr::errors
