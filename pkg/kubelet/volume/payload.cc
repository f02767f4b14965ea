#include "pkg/kubelet/volume/payload.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "pkg/api/field/quote.h"
#include "pkg/api/resource/quantity.h"

namespace knarr::kubelet {

namespace {

constexpr mode_t kDefaultMode = 0644;

std::string Join(const std::vector<std::string>& list) {
  std::string out;
  for (const std::string& text : list) out += (out.empty() ? "" : ",") + text;
  return out;
}

// key="value" lines, sorted by key.
template <typename StringMap>
std::string FormatMap(const StringMap& map) {
  std::map<std::string, std::string> sorted(map.begin(), map.end());
  std::string out;
  for (const auto& [key, value] : sorted)
    out += fmt::format("{}{}={}", out.empty() ? "" : "\n", key, field::Quote(value));
  return out;
}

// metadata.labels['app'] -> app
std::optional<std::string> Subscript(std::string_view path, std::string_view base) {
  if (!path.starts_with(base)) return std::nullopt;
  path.remove_prefix(base.size());
  if (path.size() < 5 || !path.starts_with("['") || !path.ends_with("']")) return std::nullopt;
  return std::string(path.substr(2, path.size() - 4));
}

template <typename StringMap>
std::string ValueOr(const StringMap& map, const std::string& key) {
  const auto found = map.find(key);
  return found == map.end() ? std::string() : found->second;
}

Result<std::string> FieldValue(const std::string& path, const PayloadInput& input) {
  const meta::ObjectMeta& metadata = input.pod.metadata();
  const DownwardFacts& facts = input.facts;
  if (path == "metadata.name") return metadata.name();
  if (path == "metadata.namespace") return metadata.namespace_();
  if (path == "metadata.uid") return metadata.uid();
  if (path == "metadata.labels") return FormatMap(metadata.labels());
  if (path == "metadata.annotations") return FormatMap(metadata.annotations());
  if (const auto key = Subscript(path, "metadata.labels")) return ValueOr(metadata.labels(), *key);
  if (const auto key = Subscript(path, "metadata.annotations")) return ValueOr(metadata.annotations(), *key);
  if (path == "spec.nodeName") return input.pod.spec().nodename();
  if (path == "spec.serviceAccountName") return input.pod.spec().serviceaccountname();
  if (path == "status.hostIP") return facts.host_ips.empty() ? std::string() : facts.host_ips.front();
  if (path == "status.hostIPs") return Join(facts.host_ips);
  if (path == "status.podIP") return facts.pod_ips.empty() ? std::string() : facts.pod_ips.front();
  if (path == "status.podIPs") return Join(facts.pod_ips);
  return Error(Code::kInvalid, "unsupported fieldPath: {}", path);
}

const core::Container* ContainerNamed(const core::PodSpec& spec, const std::string& name) {
  for (const auto* list : {&spec.containers(), &spec.initcontainers()}) {
    for (const core::Container& container : *list) {
      if (container.name() == name) return &container;
    }
  }
  return nullptr;
}

std::string DivideUp(int64_t value, int64_t divisor) {
  if (divisor <= 0) divisor = 1;
  return std::to_string(value / divisor + (value % divisor > 0 ? 1 : 0));
}

Result<std::string> ResourceValue(const core::ResourceFieldSelector& selector, const PayloadInput& input) {
  const core::Container* const container = ContainerNamed(input.pod.spec(), selector.containername());
  if (container == nullptr) return Error(Code::kNotFound, "container {} not found", selector.containername());
  const std::string& resource = selector.resource();
  const bool limit = resource.starts_with("limits.");
  const std::string name = resource.substr(std::min(resource.find('.'), resource.size() - 1) + 1);
  const bool known = name == "cpu" || name == "memory" || name == "ephemeral-storage" || name.starts_with("hugepages-");
  if ((!limit && !resource.starts_with("requests.")) || !known) {
    return Error(Code::kInvalid, "unsupported container resource : {}", resource);
  }
  const auto& list = limit ? container->resources().limits() : container->resources().requests();
  const auto found = list.find(name);
  Quantity value = found == list.end() ? Quantity() : Quantity::From(found->second);
  // What has no limit is limited by the node.
  if (const auto node = input.node_allocatable.find(name);
      limit && value.IsZero() && node != input.node_allocatable.end()) {
    value = KNARR_TRY_CTX(Quantity::Parse(node->second), "allocatable {} of the node", name);
  }
  Quantity divisor = selector.has_divisor() ? Quantity::From(selector.divisor()) : Quantity();
  if (divisor.IsZero()) divisor = Quantity(1);
  if (name == "cpu") return DivideUp(value.MilliValue(), divisor.MilliValue());
  return DivideUp(value.Value(), divisor.Value());
}

mode_t ModeOf(const auto& item, mode_t fallback) {
  return item.has_mode() ? static_cast<mode_t>(item.mode()) : fallback;
}
mode_t DefaultModeOf(const auto& source) {
  return source.has_defaultmode() ? static_cast<mode_t>(source.defaultmode()) : kDefaultMode;
}

using Data = std::map<std::string, std::string>;

// All keys, or the listed ones under their paths.
Status AddItems(const auto& items, const Data& data, mode_t mode, bool optional, std::string_view missing,
                Payload& payload) {
  if (items.empty()) {
    for (const auto& [key, value] : data) payload[key] = {value, mode};
    return {};
  }
  for (const core::KeyToPath& item : items) {
    const auto found = data.find(item.key());
    if (found != data.end()) {
      payload[item.path()] = {found->second, ModeOf(item, mode)};
    } else if (!optional) {
      return Error(Code::kNotFound, "{}: {}", missing, item.key());
    }
  }
  return {};
}

Status AddConfigMap(const std::string& name, const auto& source, mode_t mode, const PayloadInput& input,
                    Payload& payload) {
  Data data;
  const auto object = input.objects.GetConfigMap(input.pod.metadata().namespace_(), name);
  if (object.ok()) {
    data.insert((*object)->data().begin(), (*object)->data().end());
    data.insert((*object)->binarydata().begin(), (*object)->binarydata().end());
  } else if (!source.optional() || object.error().code() != Code::kNotFound) {
    return object.error();
  }
  return AddItems(source.items(), data, mode, source.optional(), "references non-existent config key", payload);
}

Status AddSecret(const std::string& name, const auto& source, mode_t mode, const PayloadInput& input,
                 Payload& payload) {
  Data data;
  const auto object = input.objects.GetSecret(input.pod.metadata().namespace_(), name);
  if (object.ok()) {
    data.insert((*object)->data().begin(), (*object)->data().end());
    for (const auto& [key, value] : (*object)->stringdata()) data[key] = value;
  } else if (!source.optional() || object.error().code() != Code::kNotFound) {
    return object.error();
  }
  return AddItems(source.items(), data, mode, source.optional(), "references non-existent secret key", payload);
}

Status AddDownward(const auto& items, mode_t mode, const PayloadInput& input, Payload& payload) {
  for (const core::DownwardAPIVolumeFile& item : items) {
    std::string value;
    if (item.has_fieldref()) {
      value = KNARR_TRY(FieldValue(item.fieldref().fieldpath(), input));
    } else if (item.has_resourcefieldref()) {
      value = KNARR_TRY(ResourceValue(item.resourcefieldref(), input));
    }
    payload[item.path()] = {std::move(value), ModeOf(item, mode)};
  }
  return {};
}

Status AddProjection(const core::VolumeProjection& source, mode_t mode, const PayloadInput& input, Payload& payload) {
  if (source.has_secret())
    return AddSecret(source.secret().localobjectreference().name(), source.secret(), mode, input, payload);
  if (source.has_configmap())
    return AddConfigMap(source.configmap().localobjectreference().name(), source.configmap(), mode, input, payload);
  if (source.has_downwardapi()) return AddDownward(source.downwardapi().items(), mode, input, payload);
  if (source.has_clustertrustbundle() && source.clustertrustbundle().optional()) {
    payload[source.clustertrustbundle().path()] = {"", mode};
    return {};
  }
  if (source.has_serviceaccounttoken()) {
    return Error(Code::kFailedPrecondition,
                 "failed to fetch token: a kubelet without an API server has no service account tokens; "
                 "set automountServiceAccountToken: false or remove the serviceAccountToken source");
  }
  return Error(Code::kFailedPrecondition, "a kubelet without an API server has no clusterTrustBundles");
}

Result<Payload> BuildProjected(const core::ProjectedVolumeSource& projected, const PayloadInput& input) {
  Payload payload;
  std::vector<std::string> errors;
  Code code = Code::kUnknown;
  for (const core::VolumeProjection& source : projected.sources()) {
    const Status status = AddProjection(source, DefaultModeOf(projected), input, payload);
    if (status.ok()) continue;
    code = status.code();
    if (std::find(errors.begin(), errors.end(), status.message()) == errors.end())
      errors.emplace_back(status.message());
  }
  if (errors.empty()) return payload;
  if (errors.size() == 1) return Error(code, "{}", errors.front());
  std::string all;
  for (const std::string& error : errors) all += (all.empty() ? "" : ", ") + error;
  return Error(code, "[{}]", all);
}

}  // namespace

bool IsPayloadVolume(const core::Volume& volume) {
  const core::VolumeSource& source = volume.volumesource();
  return source.has_configmap() || source.has_secret() || source.has_downwardapi() || source.has_projected();
}

Result<Payload> BuildPayload(const core::Volume& volume, const PayloadInput& input) {
  const core::VolumeSource& source = volume.volumesource();
  Payload payload;
  if (source.has_configmap()) {
    const auto& from = source.configmap();
    KNARR_TRY(AddConfigMap(from.localobjectreference().name(), from, DefaultModeOf(from), input, payload));
  } else if (source.has_secret()) {
    KNARR_TRY(AddSecret(source.secret().secretname(), source.secret(), DefaultModeOf(source.secret()), input, payload));
  } else if (source.has_downwardapi()) {
    KNARR_TRY(AddDownward(source.downwardapi().items(), DefaultModeOf(source.downwardapi()), input, payload));
  } else if (source.has_projected()) {
    return BuildProjected(source.projected(), input);
  }
  return payload;
}

}  // namespace knarr::kubelet
