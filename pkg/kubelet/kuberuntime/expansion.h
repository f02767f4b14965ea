// $(VAR) in commands, arguments and variables: $(NAME) is replaced, $$ is one dollar, an unknown name stays as it is.
// Mirrors: k8s.io/kubernetes/third_party/forked/golang/expansion
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace knarr::kubelet {

std::string Expand(std::string_view text, const std::function<std::optional<std::string>(const std::string&)>& lookup);
std::string Expand(std::string_view text, const std::map<std::string, std::string>& variables);

}  // namespace knarr::kubelet
