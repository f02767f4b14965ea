#include "pkg/kubelet/kuberuntime/expansion.h"

namespace knarr::kubelet {

std::string Expand(std::string_view text, const std::function<std::optional<std::string>(const std::string&)>& lookup) {
  std::string out;
  out.reserve(text.size());
  size_t i = 0;
  while (i < text.size()) {
    if (text[i] != '$' || i + 1 == text.size()) {
      out += text[i++];
      continue;
    }
    const char next = text[i + 1];
    if (next == '$') {
      out += '$';
      i += 2;
    } else if (next == '(') {
      const size_t end = text.find(')', i + 2);
      if (end == std::string_view::npos) {
        out += "$(";
        i += 2;
        continue;
      }
      const std::string name(text.substr(i + 2, end - i - 2));
      const std::optional<std::string> value = lookup(name);
      out += value ? *value : "$(" + name + ")";
      i = end + 1;
    } else {
      out += '$';
      out += next;
      i += 2;
    }
  }
  return out;
}

std::string Expand(std::string_view text, const std::map<std::string, std::string>& variables) {
  return Expand(text, [&variables](const std::string& name) -> std::optional<std::string> {
    const auto it = variables.find(name);
    if (it == variables.end()) return std::nullopt;
    return it->second;
  });
}

}  // namespace knarr::kubelet
