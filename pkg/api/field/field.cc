#include "pkg/api/field/field.h"

#include <algorithm>
#include <iterator>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include "pkg/api/field/quote.h"

namespace knarr::field {
namespace {

bool PrintsValue(const FieldError& error) {
  switch (error.type) {
    case ErrorType::kRequired:
    case ErrorType::kForbidden:
    case ErrorType::kTooLong:
    case ErrorType::kInternal: return false;
    case ErrorType::kTooMany: return !error.value.empty();
    default: return true;
  }
}

FieldError Make(ErrorType type, const Path& path, std::string value, std::string_view detail) {
  return {type, path.ToString(), std::move(value), std::string(detail)};
}

}  // namespace

Path Path::Child(std::string_view name) const {
  Path child;
  child.text_.reserve(text_.size() + 1 + name.size());
  child.text_.append(text_).append(1, '.').append(name);
  return child;
}

Path Path::Index(size_t index) const {
  Path element;
  element.text_ = fmt::format("{}[{}]", text_, index);
  return element;
}

Path Path::Key(std::string_view key) const {
  Path element;
  element.text_.reserve(text_.size() + 2 + key.size());
  element.text_.append(text_).append(1, '[').append(key).append(1, ']');
  return element;
}

std::string_view Reason(ErrorType type) {
  switch (type) {
    case ErrorType::kNotFound: return "FieldValueNotFound";
    case ErrorType::kRequired: return "FieldValueRequired";
    case ErrorType::kDuplicate: return "FieldValueDuplicate";
    case ErrorType::kInvalid: return "FieldValueInvalid";
    case ErrorType::kNotSupported: return "FieldValueNotSupported";
    case ErrorType::kForbidden: return "FieldValueForbidden";
    case ErrorType::kTooLong: return "FieldValueTooLong";
    case ErrorType::kTooMany: return "FieldValueTooMany";
    case ErrorType::kInternal: return "InternalError";
    case ErrorType::kTypeInvalid: return "FieldValueTypeInvalid";
  }
  return "";
}

std::string_view ToString(ErrorType type) {
  switch (type) {
    case ErrorType::kNotFound: return "Not found";
    case ErrorType::kRequired: return "Required value";
    case ErrorType::kDuplicate: return "Duplicate value";
    case ErrorType::kInvalid: return "Invalid value";
    case ErrorType::kNotSupported: return "Unsupported value";
    case ErrorType::kForbidden: return "Forbidden";
    case ErrorType::kTooLong: return "Too long";
    case ErrorType::kTooMany: return "Too many";
    case ErrorType::kInternal: return "Internal error";
    case ErrorType::kTypeInvalid: return "Invalid value";
  }
  return "";
}

std::string FieldError::Body() const {
  std::string body(field::ToString(type));
  // Upstream leaves out a value it calls omitted; every other one prints as something.
  if (PrintsValue(*this) && !value.empty()) body.append(": ").append(value);
  if (!detail.empty()) body.append(": ").append(detail);
  return body;
}

std::string FieldError::ToString() const {
  return field + ": " + Body();
}

FieldError Required(const Path& path, std::string_view detail) {
  return Make(ErrorType::kRequired, path, "", detail);
}

FieldError Duplicate(const Path& path, std::string_view value) {
  return Make(ErrorType::kDuplicate, path, Quote(value), "");
}

FieldError Duplicate(const Path& path, int64_t value) {
  return Make(ErrorType::kDuplicate, path, std::to_string(value), "");
}

FieldError Invalid(const Path& path, std::string_view string_value, std::string_view detail) {
  return Make(ErrorType::kInvalid, path, Quote(string_value), detail);
}

FieldError Invalid(const Path& path, int64_t value, std::string_view detail) {
  return Make(ErrorType::kInvalid, path, std::to_string(value), detail);
}

FieldError InvalidLiteral(const Path& path, std::string_view literal, std::string_view detail) {
  return Make(ErrorType::kInvalid, path, std::string(literal), detail);
}

FieldError TypeInvalid(const Path& path, std::string_view string_value, std::string_view detail) {
  return Make(ErrorType::kTypeInvalid, path, Quote(string_value), detail);
}

FieldError NotSupported(const Path& path, std::string_view value, std::span<const std::string_view> supported) {
  std::string detail;
  for (const std::string_view one : supported)
    detail.append(detail.empty() ? "supported values: " : ", ").append(Quote(one));
  return Make(ErrorType::kNotSupported, path, Quote(value), detail);
}

FieldError NotSupported(const Path& path, std::string_view value, std::initializer_list<std::string_view> supported) {
  return NotSupported(path, value, std::span<const std::string_view>(supported.begin(), supported.size()));
}

FieldError Forbidden(const Path& path, std::string_view detail) {
  return Make(ErrorType::kForbidden, path, "", detail);
}

FieldError NotFound(const Path& path, std::string_view value) {
  return Make(ErrorType::kNotFound, path, Quote(value), "");
}

FieldError TooLong(const Path& path, std::string_view /*value*/, int max_bytes) {
  return Make(ErrorType::kTooLong, path, "",
              max_bytes >= 0 ? fmt::format("may not be more than {} bytes", max_bytes) : "value is too long");
}

FieldError TooMany(const Path& path, int64_t actual, int64_t max) {
  return Make(ErrorType::kTooMany, path, actual >= 0 ? std::to_string(actual) : "",
              max >= 0 ? fmt::format("must have at most {} items", max) : "has too many items");
}

FieldError InternalError(const Path& path, std::string_view detail) {
  return Make(ErrorType::kInternal, path, "", detail);
}

void Append(ErrorList& errors, ErrorList more) {
  errors.insert(errors.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

Status ToStatus(const ErrorList& errors) {
  if (errors.empty()) return OkStatus();
  std::string text;
  std::unordered_set<std::string> seen;
  for (const FieldError& error : errors) {
    std::string message = error.ToString();
    if (seen.contains(message)) continue;
    text.append(seen.empty() ? "" : ", ").append(message);
    seen.insert(std::move(message));
  }
  return Status(Code::kInvalid, seen.size() == 1 ? text : "[" + text + "]");
}

}  // namespace knarr::field
