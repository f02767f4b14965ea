#include "pkg/base/status.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>

namespace knarr {
namespace {

constexpr std::array<CodeInfo, kCodeCount> kCodes{{
    {Code::kOk, "OK", "", 200, 0},
    {Code::kUnknown, "Unknown", "", 500, 2},
    {Code::kCancelled, "Cancelled", "", 499, 1},
    {Code::kInvalid, "Invalid", "Invalid", 422, 3},
    {Code::kBadRequest, "BadRequest", "BadRequest", 400, 3},
    {Code::kUnauthorized, "Unauthorized", "Unauthorized", 401, 16},
    {Code::kForbidden, "Forbidden", "Forbidden", 403, 7},
    {Code::kNotFound, "NotFound", "NotFound", 404, 5},
    {Code::kAlreadyExists, "AlreadyExists", "AlreadyExists", 409, 6},
    {Code::kConflict, "Conflict", "Conflict", 409, 10},
    {Code::kGone, "Gone", "Gone", 410, 5},
    {Code::kExpired, "Expired", "Expired", 410, 11},
    {Code::kTooManyRequests, "TooManyRequests", "TooManyRequests", 429, 8},
    {Code::kTimeout, "Timeout", "Timeout", 504, 4},
    {Code::kServerTimeout, "ServerTimeout", "ServerTimeout", 500, 4},
    {Code::kServiceUnavailable, "ServiceUnavailable", "ServiceUnavailable", 503, 14},
    {Code::kInternal, "Internal", "InternalError", 500, 13},
    {Code::kMethodNotAllowed, "MethodNotAllowed", "MethodNotAllowed", 405, 12},
    {Code::kNotAcceptable, "NotAcceptable", "NotAcceptable", 406, 3},
    {Code::kRequestEntityTooLarge, "RequestEntityTooLarge", "RequestEntityTooLarge", 413, 8},
    {Code::kUnsupportedMediaType, "UnsupportedMediaType", "UnsupportedMediaType", 415, 3},
    {Code::kUnimplemented, "Unimplemented", "", 501, 12},
    {Code::kFailedPrecondition, "FailedPrecondition", "", 412, 9},
    {Code::kOutOfRange, "OutOfRange", "", 400, 11},
    {Code::kDataLoss, "DataLoss", "", 500, 15},
}};

std::atomic<uint64_t> bug_count{0};

}  // namespace

const CodeInfo& InfoOf(Code code) { return kCodes[static_cast<size_t>(code)]; }

Code CodeFromGrpc(int grpc_code) {
  switch (grpc_code) {
    case 0: return Code::kOk;
    case 1: return Code::kCancelled;
    case 3: return Code::kInvalid;
    case 4: return Code::kTimeout;
    case 5: return Code::kNotFound;
    case 6: return Code::kAlreadyExists;
    case 7: return Code::kForbidden;
    case 8: return Code::kTooManyRequests;
    case 9: return Code::kFailedPrecondition;
    case 10: return Code::kConflict;
    case 11: return Code::kOutOfRange;
    case 12: return Code::kUnimplemented;
    case 13: return Code::kInternal;
    case 14: return Code::kServiceUnavailable;
    case 15: return Code::kDataLoss;
    case 16: return Code::kUnauthorized;
    default: return Code::kUnknown;
  }
}

Code CodeFromErrno(int error) {
  switch (error) {
    case 0: return Code::kOk;
    case ENOENT:
    case ESRCH:
    case ENODEV:
    case ENXIO: return Code::kNotFound;
    case EEXIST: return Code::kAlreadyExists;
    case EACCES:
    case EPERM:
    case EROFS: return Code::kForbidden;
    case EINVAL:
    case ENAMETOOLONG:
    case ENOTDIR:
    case EISDIR:
    case ELOOP: return Code::kInvalid;
    case ETIMEDOUT: return Code::kTimeout;
    case ECANCELED: return Code::kCancelled;
    case EAGAIN:
    case EBUSY:
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
    case ENETUNREACH:
    case EHOSTUNREACH: return Code::kServiceUnavailable;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case ENOMEM: return Code::kTooManyRequests;
    case ENOSYS:
    case EOPNOTSUPP: return Code::kUnimplemented;
    default: return Code::kInternal;
  }
}

Status::Status(Code code, std::string message, int error_number) {
  if (code == Code::kOk) return;
  rep_ = std::make_shared<const Rep>(Rep{code, error_number, std::move(message), nullptr});
}

Status Status::WithContext(std::string_view context) const {
  if (ok()) return *this;
  return Status(Rep{rep_->code, rep_->error_number, fmt::format("{}: {}", context, rep_->message), rep_->details});
}

Status Status::WithDetails(StatusDetails details) const {
  if (ok()) return *this;
  return Status(Rep{rep_->code, rep_->error_number, rep_->message,
                    std::make_shared<const StatusDetails>(std::move(details))});
}

Status MakeErrnoError(int error, std::string text) {
  char buffer[128];
  const char* reason = ::strerror_r(error, buffer, sizeof buffer);
  std::string message = fmt::format("{}: {}", text, reason);
  // strerror's texts start with a capital letter; ours do not.
  if (const size_t at = text.size() + 2; at + 1 < message.size() && message[at + 1] >= 'a') {
    message[at] = static_cast<char>(std::tolower(static_cast<unsigned char>(message[at])));
  }
  return Status(CodeFromErrno(error), std::move(message), error);
}

uint64_t BugCount() { return bug_count.load(std::memory_order_relaxed); }

namespace internal {

void CheckFailed(const char* file, int line, const char* expression) {
  std::fprintf(stderr, "F %s:%d] check failed: %s\n", file, line, expression);
  std::abort();
}

void BugFound(const char* file, int line, const char* text) {
  bug_count.fetch_add(1, std::memory_order_relaxed);
  std::fprintf(stderr, "E %s:%d] bug: %s\n", file, line, text);
#ifdef KNARR_SANITIZE
  std::abort();
#endif
}

}  // namespace internal
}  // namespace knarr
