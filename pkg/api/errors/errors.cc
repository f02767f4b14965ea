#include "pkg/api/errors/errors.h"

#include <fmt/format.h>

#include "k8s.io/apimachinery/pkg/apis/meta/v1/generated.pb.h"
#include "pkg/api/codec/codec.h"

namespace knarr::errors {
namespace {

std::string Qualified(std::string_view group, std::string_view resource) {
  return group.empty() ? std::string(resource) : fmt::format("{}.{}", resource, group);
}

StatusDetails Details(std::string_view group, std::string_view resource, std::string_view name) {
  return {.name = std::string(name), .group = std::string(group), .kind = std::string(resource)};
}

std::optional<Code> CodeOfReason(std::string_view reason) {
  for (int i = 1; i < kCodeCount; ++i) {
    const CodeInfo& info = InfoOf(static_cast<Code>(i));
    if (!info.reason.empty() && info.reason == reason) return info.code;
  }
  return std::nullopt;
}

Code CodeOfHttp(int http) {
  for (int i = 2; i < kCodeCount; ++i) {
    const CodeInfo& info = InfoOf(static_cast<Code>(i));
    if (!info.reason.empty() && info.http == http) return info.code;
  }
  return http >= 500 ? Code::kInternal : Code::kUnknown;
}

}  // namespace

Status NotFound(std::string_view group, std::string_view resource, std::string_view name) {
  return Error(Code::kNotFound, "{} \"{}\" not found", Qualified(group, resource), name)
      .WithDetails(Details(group, resource, name));
}

Status AlreadyExists(std::string_view group, std::string_view resource, std::string_view name) {
  return Error(Code::kAlreadyExists, "{} \"{}\" already exists", Qualified(group, resource), name)
      .WithDetails(Details(group, resource, name));
}

Status Conflict(std::string_view group, std::string_view resource, std::string_view name, std::string_view why) {
  return Error(Code::kConflict, "Operation cannot be fulfilled on {} \"{}\": {}", Qualified(group, resource), name, why)
      .WithDetails(Details(group, resource, name));
}

Status Forbidden(std::string_view group, std::string_view resource, std::string_view name, std::string_view why) {
  std::string message;
  if (resource.empty() && name.empty()) {
    message = fmt::format("forbidden: {}", why);
  } else if (name.empty()) {
    message = fmt::format("{} is forbidden: {}", Qualified(group, resource), why);
  } else {
    message = fmt::format("{} \"{}\" is forbidden: {}", Qualified(group, resource), name, why);
  }
  return Status(Code::kForbidden, std::move(message)).WithDetails(Details(group, resource, name));
}

Status Invalid(std::string_view group, std::string_view kind, std::string_view name, const field::ErrorList& errors) {
  StatusDetails details = Details(group, kind, name);
  for (const field::FieldError& error : errors)
    details.causes.push_back({std::string(field::Reason(error.type)), error.Body(), error.field});
  const std::string subject = fmt::format("{} \"{}\" is invalid", Qualified(group, kind), name);
  const Status all = field::ToStatus(errors);
  return Status(Code::kInvalid, errors.empty() ? subject : fmt::format("{}: {}", subject, all.message()))
      .WithDetails(std::move(details));
}

Status BadRequest(std::string_view why) {
  return Status(Code::kBadRequest, std::string(why));
}

Status Unauthorized() {
  return Status(Code::kUnauthorized, "Unauthorized");
}

Status MethodNotSupported(std::string_view group, std::string_view resource, std::string_view action) {
  return Error(Code::kMethodNotAllowed, "{} is not supported on resources of kind \"{}\"", action,
               Qualified(group, resource))
      .WithDetails(Details(group, resource, ""));
}

Status Expired(std::string_view message) {
  return Status(Code::kExpired, std::string(message));
}

Status TooManyRequests(std::string_view message, int32_t retry_after_seconds) {
  return Status(Code::kTooManyRequests, std::string(message)).WithDetails({.retry_after_seconds = retry_after_seconds});
}

Status TooLargeResourceVersion(int64_t asked, int64_t current, int32_t retry_after_seconds) {
  StatusDetails details{.retry_after_seconds = retry_after_seconds};
  details.causes.push_back({"ResourceVersionTooLarge", "Too large resource version", ""});
  return Error(Code::kTimeout, "Timeout: Too large resource version: {}, current: {}", asked, current)
      .WithDetails(std::move(details));
}

Status GenericNotFound() {
  return Status(Code::kNotFound, "the server could not find the requested resource").WithDetails({});
}

Status InternalError(std::string_view why) {
  StatusDetails details;
  details.causes.push_back({"", std::string(why), ""});
  return Error(Code::kInternal, "Internal error occurred: {}", why).WithDetails(std::move(details));
}

void ToProto(const Status& status, ::knarr::meta::Status* out) {
  out->Clear();
  out->mutable_metadata();
  if (status.ok()) {
    out->set_status("Success");
    return;
  }
  const CodeInfo& info = InfoOf(status.code());
  out->set_status("Failure");
  out->set_message(std::string(status.message()));
  out->set_reason(std::string(info.reason));
  out->set_code(info.http);
  const StatusDetails* details = status.details();
  if (details == nullptr) return;
  auto* to = out->mutable_details();
  to->set_name(details->name);
  to->set_group(details->group);
  to->set_kind(details->kind);
  to->set_uid(details->uid);
  to->set_retryafterseconds(details->retry_after_seconds);
  for (const StatusCause& cause : details->causes) {
    auto* added = to->add_causes();
    added->set_reason(cause.reason);
    added->set_message(cause.message);
    added->set_field(cause.field);
  }
}

std::string ToJson(const Status& status) {
  ::knarr::meta::Status proto;
  ToProto(status, &proto);
  return codec::EncodeJson(proto, {.api_version = "v1", .kind = "Status"});
}

Status FromProto(const ::knarr::meta::Status& status) {
  if (status.status() == "Success") return {};
  const Code code = CodeOfReason(status.reason()).value_or(CodeOfHttp(status.code()));
  const Status error(code, status.message());
  if (!status.has_details()) return error;
  const auto& from = status.details();
  StatusDetails details{.name = from.name(),
                        .group = from.group(),
                        .kind = from.kind(),
                        .uid = from.uid(),
                        .causes = {},
                        .retry_after_seconds = from.retryafterseconds()};
  for (const auto& cause : from.causes()) details.causes.push_back({cause.reason(), cause.message(), cause.field()});
  return error.WithDetails(std::move(details));
}

Status FromHttp(int http, std::string_view content_type, std::string_view body) {
  ::knarr::meta::Status status;
  if (content_type.starts_with("application/vnd.kubernetes.protobuf")) {
    if (const auto envelope = codec::DecodeEnvelope(body); envelope.ok() && envelope->kind == "Status") {
      if (codec::DecodeProtobuf(envelope->raw, &status).ok()) return FromProto(status);
    }
  } else if (content_type.starts_with("application/json")) {
    const codec::DecodeOptions options{.validation = codec::FieldValidation::kIgnore};
    if (codec::DecodeJson(body, &status, options).ok() && !status.status().empty()) return FromProto(status);
  }
  constexpr size_t kShown = 512;
  return Error(CodeOfHttp(http), "the server answered with status {}: {}", http, body.substr(0, kShown));
}

}  // namespace knarr::errors
