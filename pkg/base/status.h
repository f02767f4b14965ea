// Errors as values: Status, Result<T> and the KNARR_TRY family.
//
// A Status is one pointer; null means success, so returning OK allocates nothing. Codes are the union of the
// Kubernetes StatusReasons (k8s.io/apimachinery/pkg/apis/meta/v1/types.go) and the gRPC codes that have no such
// reason; CodeTable() gives the total mapping to HTTP, StatusReason and gRPC.
// Messages are lower case, have no full stop, and gain context on the way up as "context: cause".
// Thread-safe as a value type (immutable, shared).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <tl/expected.hpp>

namespace knarr {

enum class Code : uint8_t {
  kOk = 0,
  kUnknown,
  kCancelled,
  kInvalid,
  kBadRequest,
  kUnauthorized,
  kForbidden,
  kNotFound,
  kAlreadyExists,
  kConflict,
  kGone,
  kExpired,
  kTooManyRequests,
  kTimeout,
  kServerTimeout,
  kServiceUnavailable,
  kInternal,
  kMethodNotAllowed,
  kNotAcceptable,
  kRequestEntityTooLarge,
  kUnsupportedMediaType,
  kUnimplemented,
  kFailedPrecondition,
  kOutOfRange,
  kDataLoss,
};
inline constexpr int kCodeCount = 25;

struct CodeInfo {
  Code code;
  std::string_view name;    // for logs
  std::string_view reason;  // metav1.StatusReason, "" where there is none
  int http;
  int grpc;  // grpc::StatusCode as a number, so that this header needs no gRPC
};
const CodeInfo& InfoOf(Code code);
Code CodeFromGrpc(int grpc_code);
Code CodeFromErrno(int error);

// metav1.StatusCause.
struct StatusCause {
  std::string reason;
  std::string message;
  std::string field;
};

// metav1.StatusDetails: what an error of the API says besides its message.
struct StatusDetails {
  std::string name;
  std::string group;
  std::string kind;  // the resource, where there is no kind to name
  std::string uid;
  std::vector<StatusCause> causes;
  int32_t retry_after_seconds = 0;
};

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Code code, std::string message, int error_number = 0);

  bool ok() const { return rep_ == nullptr; }
  Code code() const { return rep_ ? rep_->code : Code::kOk; }
  bool Is(Code code) const { return this->code() == code; }
  // errno of the failed system call, 0 where none was involved.
  int error_number() const { return rep_ ? rep_->error_number : 0; }
  std::string_view message() const { return rep_ ? std::string_view(rep_->message) : std::string_view("ok"); }

  // The same error with "context: " in front.
  Status WithContext(std::string_view context) const;
  // The same error with these details; OK stays OK.
  Status WithDetails(StatusDetails details) const;
  // null where there are none.
  const StatusDetails* details() const { return rep_ ? rep_->details.get() : nullptr; }

 private:
  struct Rep {
    Code code;
    int error_number;
    std::string message;
    std::shared_ptr<const StatusDetails> details;
  };
  explicit Status(Rep rep) : rep_(std::make_shared<const Rep>(std::move(rep))) {}
  std::shared_ptr<const Rep> rep_;
};

inline Status OkStatus() { return {}; }

// Builds an error: Error(Code::kNotFound, "pod {} not found", name).
template <typename... Args>
Status Error(Code code, fmt::format_string<Args...> format, Args&&... args) {
  return Status(code, fmt::format(format, std::forward<Args>(args)...));
}

// Builds an error from errno: the message is "<text>: <strerror>", the code follows errno.
template <typename... Args>
Status ErrnoError(int error, fmt::format_string<Args...> format, Args&&... args);
Status MakeErrnoError(int error, std::string text);
template <typename... Args>
Status ErrnoError(int error, fmt::format_string<Args...> format, Args&&... args) {
  return MakeErrnoError(error, fmt::format(format, std::forward<Args>(args)...));
}

// A value or the Status that explains its absence. Deriving (rather than aliasing) keeps [[nodiscard]].
template <typename T>
class [[nodiscard]] Result : public tl::expected<T, Status> {
 public:
  using Base = tl::expected<T, Status>;
  using Base::Base;
  Result(const Status& status) : Base(tl::unexpect, status) {}        // NOLINT: implicit by design
  Result(Status&& status) : Base(tl::unexpect, std::move(status)) {}  // NOLINT: implicit by design

  bool ok() const { return this->has_value(); }
  Status status() const { return ok() ? Status() : this->error(); }
};

namespace internal {
inline Status StatusOf(const Status& status) { return status; }
template <typename T>
Status StatusOf(const Result<T>& result) {
  return result.error();
}
inline void Take(Status&) {}
template <typename T>
T Take(Result<T>& result) {
  return std::move(*result);
}
[[noreturn]] void CheckFailed(const char* file, int line, const char* expression);
void BugFound(const char* file, int line, const char* text);
}  // namespace internal

// How often KNARR_BUG was reached; exported as the metric knarr_bug_total.
uint64_t BugCount();

}  // namespace knarr

template <>
struct fmt::formatter<knarr::Status> {
  constexpr auto parse(format_parse_context& context) { return context.begin(); }
  auto format(const knarr::Status& status, format_context& context) const {
    return fmt::format_to(context.out(), "{}", status.message());
  }
};

// auto value = KNARR_TRY(Function());   returns the error to the caller, or yields the value.
#define KNARR_TRY(expression)                                                      \
  __extension__({                                                                  \
    auto&& knarr_try_result = (expression);                                        \
    if (!knarr_try_result.ok()) return ::knarr::internal::StatusOf(knarr_try_result); \
    ::knarr::internal::Take(knarr_try_result);                                     \
  })

// The same with one line of context: KNARR_TRY_CTX(Attach(id), "attach {}", id).
#define KNARR_TRY_CTX(expression, ...)                                                                        \
  __extension__({                                                                                             \
    auto&& knarr_try_result = (expression);                                                                   \
    if (!knarr_try_result.ok())                                                                               \
      return ::knarr::internal::StatusOf(knarr_try_result).WithContext(::fmt::format(__VA_ARGS__)); \
    ::knarr::internal::Take(knarr_try_result);                                                                \
  })

// An invariant of our own code; never for what a peer or the environment decides. Always on.
#define KNARR_CHECK(condition) \
  (__builtin_expect(static_cast<bool>(condition), 1) ? void() : ::knarr::internal::CheckFailed(__FILE__, __LINE__, #condition))

// A state that should be impossible but can be survived: counted and logged, fatal in sanitizer builds.
#define KNARR_BUG(text) ::knarr::internal::BugFound(__FILE__, __LINE__, text)
