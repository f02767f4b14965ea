#include "pkg/kubelet/kuberuntime/labels.h"

#include <charconv>

#include <fmt/core.h>

#include "pkg/api/codec/codec.h"
#include "pkg/kubelet/kuberuntime/names.h"

namespace knarr::kubelet {
namespace {

constexpr char kHash[] = "io.kubernetes.container.hash";
constexpr char kRestartCount[] = "io.kubernetes.container.restartCount";
constexpr char kMessagePath[] = "io.kubernetes.container.terminationMessagePath";
constexpr char kMessagePolicy[] = "io.kubernetes.container.terminationMessagePolicy";
constexpr char kPreStop[] = "io.kubernetes.container.preStopHandler";
constexpr char kPorts[] = "io.kubernetes.container.ports";
constexpr char kDeletionGrace[] = "io.kubernetes.pod.deletionGracePeriod";
constexpr char kTerminationGrace[] = "io.kubernetes.pod.terminationGracePeriod";
// Ours: which algorithm made the hash. Upstream changed its own several times and restarted containers over it.
constexpr char kHashAlgorithm[] = "knarr.dev/container-hash-algorithm";
constexpr char kOurAlgorithm[] = "name-image-fnv32a";

std::string Get(const StringMap& map, std::string_view key) {
  const auto it = map.find(std::string(key));
  return it == map.end() ? std::string() : it->second;
}

template <typename T>
std::optional<T> GetNumber(const StringMap& map, std::string_view key, int base = 10) {
  const std::string text = Get(map, key);
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string EncodePorts(const core::Container& container) {
  std::string out = "[";
  for (const core::ContainerPort& port : container.ports()) {
    if (out.size() > 1) out += ',';
    out += codec::EncodeJson(port);
  }
  return out + "]";
}

// Text that is none of ours is as if it were not there: the container is then stopped without its hook.
std::optional<core::LifecycleHandler> DecodeHandler(const std::string& json) {
  core::LifecycleHandler handler;
  if (!codec::DecodeJson(json, &handler, {.validation = codec::FieldValidation::kIgnore}).ok()) return std::nullopt;
  return handler;
}

std::vector<core::ContainerPort> DecodePorts(const std::string& json) {
  core::Container container;
  if (!codec::DecodeJson(R"({"ports":)" + json + "}", &container, {.validation = codec::FieldValidation::kIgnore}).ok()) return {};
  return {container.ports().begin(), container.ports().end()};
}

// As Go's json.Marshal quotes a string; names and images need no other escapes than these.
void AppendJsonString(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || c == '<' || c == '>' || c == '&') {
      out += fmt::format("\\u{:04x}", byte);
    } else {
      out += c;
    }
  }
  out += '"';
}

}  // namespace

uint64_t HashContainer(const core::Container& container) {
  std::string json = R"({"image":)";
  AppendJsonString(json, container.image());
  json += R"(,"name":)";
  AppendJsonString(json, container.name());
  json += '}';
  // Upstream hashes a Go dump of the JSON's bytes.
  uint32_t hash = 2166136261U;
  const auto add = [&hash](std::string_view text) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  };
  add("([]uint8)[");
  for (size_t i = 0; i < json.size(); ++i) {
    if (i > 0) add(" ");
    add(std::to_string(static_cast<unsigned char>(json[i])));
  }
  add("]");
  return hash;
}

StringMap PodLabels(const core::Pod& pod) {
  StringMap labels = ToStringMap(pod.metadata().labels());
  labels[std::string(kPodNameLabel)] = pod.metadata().name();
  labels[std::string(kPodNamespaceLabel)] = pod.metadata().namespace_();
  labels[std::string(kPodUidLabel)] = pod.metadata().uid();
  return labels;
}

StringMap ContainerLabels(const core::Pod& pod, const core::Container& container) {
  return {{std::string(kPodNameLabel), pod.metadata().name()},
          {std::string(kPodNamespaceLabel), pod.metadata().namespace_()},
          {std::string(kPodUidLabel), pod.metadata().uid()},
          {std::string(kContainerNameLabel), container.name()}};
}

StringMap ContainerAnnotations(const core::Pod& pod, const core::Container& container, int restart_count) {
  StringMap out;
  out[kHash] = fmt::format("{:x}", HashContainer(container));
  out[kHashAlgorithm] = kOurAlgorithm;
  out[kRestartCount] = fmt::format("{}", restart_count);
  out[kMessagePath] = container.terminationmessagepath();
  out[kMessagePolicy] = container.terminationmessagepolicy();
  if (pod.metadata().has_deletiongraceperiodseconds()) {
    out[kDeletionGrace] = fmt::format("{}", pod.metadata().deletiongraceperiodseconds());
  }
  if (pod.spec().has_terminationgraceperiodseconds()) {
    out[kTerminationGrace] = fmt::format("{}", pod.spec().terminationgraceperiodseconds());
  }
  if (container.lifecycle().has_prestop()) out[kPreStop] = codec::EncodeJson(container.lifecycle().prestop());
  if (container.ports_size() > 0) out[kPorts] = EncodePorts(container);
  return out;
}

ContainerInfo ParseContainerInfo(const StringMap& labels, const StringMap& annotations) {
  ContainerInfo info;
  info.pod_name = Get(labels, kPodNameLabel);
  info.pod_namespace = Get(labels, kPodNamespaceLabel);
  info.pod_uid = Get(labels, kPodUidLabel);
  info.name = Get(labels, kContainerNameLabel);
  if (Get(annotations, kHashAlgorithm) == kOurAlgorithm) info.hash = GetNumber<uint64_t>(annotations, kHash, 16).value_or(0);
  info.restart_count = GetNumber<int>(annotations, kRestartCount).value_or(0);
  info.deletion_grace_period = GetNumber<int64_t>(annotations, kDeletionGrace);
  info.termination_grace_period = GetNumber<int64_t>(annotations, kTerminationGrace);
  info.termination_message_path = Get(annotations, kMessagePath);
  info.termination_message_policy = Get(annotations, kMessagePolicy);
  if (const std::string json = Get(annotations, kPreStop); !json.empty()) info.pre_stop = DecodeHandler(json);
  if (const std::string json = Get(annotations, kPorts); !json.empty()) info.ports = DecodePorts(json);
  return info;
}

}  // namespace knarr::kubelet
