// Field paths and validation errors in upstream's words.
// Mirrors: k8s.io/apimachinery/pkg/util/validation/field/{path,errors}.go
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pkg/base/status.h"

namespace knarr::field {

// A cheap path that renders as upstream's: spec.containers[0].env[2].name, data[key]. Children refer to their parent,
// which must outlive them (they live on the stack of the validation functions, as in upstream).
class Path {
 public:
  explicit Path(std::string_view name) : name_(name) {}
  Path Child(std::string_view name) const { return Path(this, name, Kind::kChild, 0); }
  Path Index(size_t index) const { return Path(this, {}, Kind::kIndex, index); }
  Path Key(std::string_view key) const { return Path(this, key, Kind::kKey, 0); }
  std::string ToString() const;

 private:
  enum class Kind { kChild, kIndex, kKey };
  Path(const Path* parent, std::string_view name, Kind kind, size_t index)
      : parent_(parent), name_(name), kind_(kind), index_(index) {}
  const Path* parent_ = nullptr;
  std::string_view name_;
  Kind kind_ = Kind::kChild;
  size_t index_ = 0;
};

enum class ErrorType { kNotFound, kRequired, kDuplicate, kInvalid, kNotSupported, kForbidden, kTooLong, kTooMany, kInternal, kTypeInvalid };
std::string_view Reason(ErrorType type);  // FieldValueRequired, FieldValueInvalid, ...

struct FieldError {
  ErrorType type;
  std::string field;
  std::string value;   // the bad value as upstream prints it ("\"abc\"", "70000"); unused for Required and Forbidden
  std::string detail;
  std::string Body() const;      // Required value: must be specified
  std::string ToString() const;  // spec.containers[0].name: Required value: must be specified
};

FieldError Required(const Path& path, std::string_view detail);
FieldError Duplicate(const Path& path, std::string_view value);
FieldError Invalid(const Path& path, std::string_view string_value, std::string_view detail);
FieldError Invalid(const Path& path, int64_t value, std::string_view detail);
FieldError NotSupported(const Path& path, std::string_view value, std::vector<std::string_view> supported);
FieldError Forbidden(const Path& path, std::string_view detail);
FieldError NotFound(const Path& path, std::string_view value);
FieldError TooLong(const Path& path, std::string_view value, int max_bytes);
FieldError TooMany(const Path& path, int64_t actual, int64_t max);

using ErrorList = std::vector<FieldError>;
// utilerrors.Aggregate: one message, or [a, b, c]. OK when empty; the code is kInvalid.
Status ToStatus(const ErrorList& errors);

}  // namespace knarr::field
