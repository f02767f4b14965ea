// Field paths and validation errors in upstream's words.
// Mirrors: k8s.io/apimachinery/pkg/util/validation/field/{path,errors}.go
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/base/status.h"

namespace knarr::field {

// A path that renders as upstream's: spec.containers[0].env[2].name, data[key]. A value: it refers to nothing.
class Path {
 public:
  explicit Path(std::string_view name) : text_(name) {}
  // Also takes several names at once: Child("securityContext.runAsUser").
  Path Child(std::string_view name) const;
  Path Index(size_t index) const;
  Path Key(std::string_view key) const;
  const std::string& ToString() const { return text_; }

 private:
  Path() = default;
  std::string text_;
};

enum class ErrorType {
  kNotFound,
  kRequired,
  kDuplicate,
  kInvalid,
  kNotSupported,
  kForbidden,
  kTooLong,
  kTooMany,
  kInternal,
  kTypeInvalid
};
std::string_view Reason(ErrorType type);    // metav1.CauseType: FieldValueRequired, FieldValueInvalid, ...
std::string_view ToString(ErrorType type);  // Required value, Invalid value, ...

struct FieldError {
  ErrorType type;
  std::string field;
  // The bad value as upstream prints it ("\"abc\"", "70000"). Required, Forbidden, TooLong and Internal print none.
  std::string value;
  std::string detail;
  std::string Body() const;      // Required value: must be specified
  std::string ToString() const;  // spec.containers[0].name: Required value: must be specified
  friend bool operator==(const FieldError&, const FieldError&) = default;
};

FieldError Required(const Path& path, std::string_view detail);
FieldError Duplicate(const Path& path, std::string_view value);
FieldError Duplicate(const Path& path, int64_t value);
FieldError Invalid(const Path& path, std::string_view string_value, std::string_view detail);
FieldError Invalid(const Path& path, int64_t value, std::string_view detail);
// A bad value that is already rendered: what Go's %#v prints for a struct, a map or a slice, or "null", "true".
FieldError InvalidLiteral(const Path& path, std::string_view literal, std::string_view detail);
FieldError TypeInvalid(const Path& path, std::string_view string_value, std::string_view detail);
// The supported values are printed in the given order.
FieldError NotSupported(const Path& path, std::string_view value, std::span<const std::string_view> supported);
FieldError NotSupported(const Path& path, std::string_view value, std::initializer_list<std::string_view> supported);
FieldError Forbidden(const Path& path, std::string_view detail);
FieldError NotFound(const Path& path, std::string_view value);
FieldError TooLong(const Path& path, std::string_view value, int max_bytes);
// A negative actual is not printed; a negative max says only that there are too many.
FieldError TooMany(const Path& path, int64_t actual, int64_t max);
FieldError InternalError(const Path& path, std::string_view detail);

using ErrorList = std::vector<FieldError>;
void Append(ErrorList& errors, ErrorList more);
// utilerrors.Aggregate: one message, or [a, b, c], each text once. OK when empty; the code is kInvalid.
Status ToStatus(const ErrorList& errors);

}  // namespace knarr::field
