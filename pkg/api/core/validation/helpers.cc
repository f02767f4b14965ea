#include <cctype>

#include "pkg/api/core/validation/internal.h"

namespace knarr::api::validation {

void AddInvalid(ErrorList& errors, const Path& path, std::string_view value, const names::Messages& messages) {
  for (const std::string& message : messages) errors.push_back(field::Invalid(path, value, message));
}

void AddInvalid(ErrorList& errors, const Path& path, int64_t value, const names::Messages& messages) {
  for (const std::string& message : messages) errors.push_back(field::Invalid(path, value, message));
}

void RequireText(ErrorList& errors, const Path& path, std::string_view value) {
  if (value.empty()) errors.push_back(field::Required(path, ""));
}

void ValidateNonnegativeField(int64_t value, const Path& path, ErrorList& errors) {
  if (value < 0) errors.push_back(field::Invalid(path, value, kMustNotBeNegative));
}

void ValidateFileMode(int mode, const Path& path, ErrorList& errors) {
  if (mode >= 0 && mode <= 0777) return;
  errors.push_back(field::Invalid(path, mode, "must be a number between 0 and 0777 (octal), both inclusive"));
}

void ValidatePathNoBacksteps(std::string_view target, const Path& path, ErrorList& errors) {
  std::string_view rest = target;
  for (;;) {
    const size_t slash = rest.find('/');
    if (rest.substr(0, slash) == "..") {
      errors.push_back(field::Invalid(path, target, "must not contain '..'"));
      return;
    }
    if (slash == std::string_view::npos) return;
    rest.remove_prefix(slash + 1);
  }
}

void ValidateLocalDescendingPath(std::string_view target, const Path& path, ErrorList& errors) {
  if (target.starts_with('/')) errors.push_back(field::Invalid(path, target, "must be a relative path"));
  ValidatePathNoBacksteps(target, path, errors);
}

void ValidateLocalNonReservedPath(std::string_view target, const Path& path, ErrorList& errors) {
  ValidateLocalDescendingPath(target, path, errors);
  if (target.starts_with("..") && !target.starts_with("../")) {
    errors.push_back(field::Invalid(path, target, "must not start with '..'"));
  }
}

// The spaces of Unicode that UTF-8 writes in one byte, and U+0085, U+00A0 in two; the rarer ones are not trimmed.
std::string_view TrimSpace(std::string_view text) {
  static constexpr std::string_view kSpaces[] = {" ", "\t", "\n", "\v", "\f", "\r", "\xc2\x85", "\xc2\xa0"};
  const auto trim_once = [&] {
    for (const std::string_view space : kSpaces) {
      if (text.starts_with(space)) {
        text.remove_prefix(space.size());
        return true;
      }
      if (text.ends_with(space)) {
        text.remove_suffix(space.size());
        return true;
      }
    }
    return false;
  };
  while (trim_once()) {
  }
  return text;
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  return lower;
}

}  // namespace knarr::api::validation
