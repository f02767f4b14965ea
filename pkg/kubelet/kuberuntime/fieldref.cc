#include "pkg/kubelet/kuberuntime/fieldref.h"

#include <optional>

#include "pkg/api/resource/quantity.h"
#include "pkg/kubelet/container/helpers.h"

namespace knarr::kubelet {
namespace {

std::string Join(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& part : parts) {
    if (!out.empty()) out += ',';
    out += part;
  }
  return out;
}

std::string First(const std::vector<std::string>& list) { return list.empty() ? std::string() : list.front(); }

// metadata.labels['app'] -> app
std::optional<std::string> Subscript(std::string_view path, std::string_view field) {
  if (!path.starts_with(field)) return std::nullopt;
  path.remove_prefix(field.size());
  if (!path.starts_with("['") || !path.ends_with("']") || path.size() < 5) return std::nullopt;
  return std::string(path.substr(2, path.size() - 4));
}

template <typename ProtoMap>
std::string ValueOf(const ProtoMap& map, const std::string& key) {
  const auto it = map.find(key);
  return it == map.end() ? std::string() : it->second;
}

int64_t DivideRoundingUp(int64_t value, int64_t divisor) { return divisor <= 0 ? value : value / divisor + (value % divisor > 0); }

}  // namespace

Result<std::string> PodFieldValue(const std::string& path, const core::Pod& pod, const std::vector<std::string>& pod_ips,
                                  const std::vector<std::string>& host_ips) {
  const meta::ObjectMeta& metadata = pod.metadata();
  if (path == "metadata.name") return metadata.name();
  if (path == "metadata.namespace") return metadata.namespace_();
  if (path == "metadata.uid") return metadata.uid();
  if (path == "spec.nodeName") return pod.spec().nodename();
  if (path == "spec.serviceAccountName") return pod.spec().serviceaccountname();
  if (path == "status.hostIP") return First(host_ips);
  if (path == "status.hostIPs") return Join(host_ips);
  if (path == "status.podIP") return First(pod_ips);
  if (path == "status.podIPs") return Join(pod_ips);
  if (const auto key = Subscript(path, "metadata.labels")) return ValueOf(metadata.labels(), *key);
  if (const auto key = Subscript(path, "metadata.annotations")) return ValueOf(metadata.annotations(), *key);
  return Error(Code::kInvalid, "field label not supported: {}", path);
}

Result<std::string> ResourceFieldValue(const core::ResourceFieldSelector& selector, const core::Pod& pod,
                                       const core::Container& container,
                                       const std::map<std::string, std::string>& node_allocatable) {
  const core::Container* from = selector.containername().empty() ? &container : FindContainer(pod, selector.containername());
  if (!from) return Error(Code::kNotFound, "container {} not found", selector.containername());
  const std::string& resource = selector.resource();
  const bool limit = resource.starts_with("limits.");
  if (!limit && !resource.starts_with("requests.")) return Error(Code::kInvalid, "unsupported container resource : {}", resource);
  const std::string name = resource.substr(resource.find('.') + 1);

  Quantity value;
  const auto& list = limit ? from->resources().limits() : from->resources().requests();
  if (const auto it = list.find(name); it != list.end()) {
    value = Quantity::From(it->second);
  } else if (const auto node = node_allocatable.find(name); limit && node != node_allocatable.end()) {
    value = KNARR_TRY_CTX(Quantity::Parse(node->second), "allocatable {} of the node", name);
  }
  Quantity divisor = selector.has_divisor() ? Quantity::From(selector.divisor()) : Quantity(1);
  if (divisor.IsZero()) divisor = Quantity(1);
  const int64_t result = name == "cpu" ? DivideRoundingUp(value.MilliValue(), divisor.MilliValue())
                                       : DivideRoundingUp(value.Value(), divisor.Value());
  return fmt::format("{}", result);
}

}  // namespace knarr::kubelet
