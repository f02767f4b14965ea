#include "pkg/kubelet/kuberuntime/names.h"

#include <algorithm>
#include <charconv>

#include "pkg/base/file.h"

namespace knarr::kubelet {

std::string FormatPod(std::string_view name, std::string_view ns, std::string_view uid) {
  return fmt::format("{}_{}({})", name, ns, uid);
}

std::string FormatPod(const core::Pod& pod) {
  return FormatPod(pod.metadata().name(), pod.metadata().namespace_(), pod.metadata().uid());
}

ObjectRef PodRef(const core::Pod& pod) {
  return {"Pod", pod.metadata().namespace_(), pod.metadata().name(), pod.metadata().uid(), ""};
}

ObjectRef ContainerRef(const core::Pod& pod, const core::Container& container) {
  ObjectRef ref = PodRef(pod);
  ref.field_path = fmt::format("spec.{}{{{}}}", IsInitContainer(pod, container.name()) ? "initContainers" : "containers", container.name());
  return ref;
}

std::string PodLogsDirectory(std::string_view root, std::string_view ns, std::string_view name, std::string_view uid) {
  return JoinPath(root, fmt::format("{}_{}_{}", ns, name, uid));
}

std::optional<std::string> PodUidFromLogsDirectory(std::string_view directory_name) {
  const size_t first = directory_name.find('_');
  if (first == std::string_view::npos) return std::nullopt;
  const size_t last = directory_name.rfind('_');
  if (last == first || last + 1 == directory_name.size()) return std::nullopt;
  return std::string(directory_name.substr(last + 1));
}

std::string ContainerLogFile(std::string_view container, int attempt) { return fmt::format("{}/{}.log", container, attempt); }

std::string LegacyLogLink(std::string_view pod, std::string_view ns, std::string_view container, std::string_view id) {
  constexpr size_t kMaxFileName = 255;
  constexpr std::string_view kSuffix = ".log";
  std::string link = fmt::format("{}_{}_{}-{}", pod, ns, container, id);
  if (link.size() > kMaxFileName - kSuffix.size()) link.resize(kMaxFileName - kSuffix.size());
  return link.append(kSuffix);
}

std::optional<std::string> ContainerIdFromLegacyLogLink(std::string_view link_name) {
  if (!link_name.ends_with(".log")) return std::nullopt;
  link_name.remove_suffix(4);
  const size_t dash = link_name.rfind('-');
  // Shorter ids come from links that were cut to the length of a file name.
  if (dash == std::string_view::npos || link_name.size() - dash - 1 < 6) return std::nullopt;
  return std::string(link_name.substr(dash + 1));
}

int AttemptFromLogDirectory(const std::string& directory) {
  const auto names = ListDir(directory);
  if (!names.ok()) return 0;
  int next = 0;
  for (const std::string& name : *names) {
    int attempt = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), attempt);
    if (error != std::errc() || attempt < 0 || !std::string_view(end).starts_with(".log")) continue;
    next = std::max(next, attempt + 1);
  }
  return next;
}

}  // namespace knarr::kubelet
