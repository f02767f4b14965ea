#include "pkg/kubelet/nodeinfo/os_release.h"

#include "pkg/base/file.h"

namespace knarr::kubelet {

namespace {

// The value as a shell would take it: quotes removed, backslash escapes resolved.
std::string Unquote(std::string_view value) {
  std::string out;
  char quote = '\0';
  for (size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    if (quote == '\0' && (c == '"' || c == '\'')) {
      quote = c;
    } else if (c == quote && quote != '\0') {
      quote = '\0';
    } else if (c == '\\' && quote != '\'' && i + 1 < value.size()) {
      out += value[++i];
    } else {
      out += c;
    }
  }
  return out;
}

std::string ValueOf(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    if (line.starts_with(key) && line.size() > key.size() && line[key.size()] == '=')
      return Unquote(line.substr(key.size() + 1));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return {};
}

}  // namespace

std::string FirstReadable(std::initializer_list<const char*> paths) {
  for (const char* path : paths) {
    Result<std::string> text = ReadFile(path, 1 << 16);
    if (text.ok()) return std::move(*text);
  }
  return {};
}

std::string OsImage(std::string_view os_release) {
  std::string name = ValueOf(os_release, "PRETTY_NAME");
  if (!name.empty()) return name;
  name = ValueOf(os_release, "NAME");
  const std::string version = ValueOf(os_release, "VERSION");
  if (name.empty()) return "Linux";
  return version.empty() ? name : name + " " + version;
}

}  // namespace knarr::kubelet
