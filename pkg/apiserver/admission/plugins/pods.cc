#include "pkg/apiserver/admission/plugins/pods.h"

#include <random>

#include "pkg/api/names/names.h"

namespace knarr::admission {
namespace {

void Add(ResourceList& to, const ResourceList& from) {
  for (const auto& [name, value] : from) to[name] += value;
}
void Max(ResourceList& to, const ResourceList& from) {
  for (const auto& [name, value] : from) {
    const auto [at, added] = to.emplace(name, value);
    if (!added && value > at->second) at->second = value;
  }
}

template <typename Pick>
ResourceList Total(const core::Pod& pod, const Pick& pick) {
  ResourceList total, sidecars, init;
  for (const auto& container : pod.spec().containers()) Add(total, pick(container));
  for (const auto& container : pod.spec().initcontainers()) {
    ResourceList needs = pick(container);
    if (container.restartpolicy() == "Always") {
      Add(total, needs);
      Add(sidecars, needs);
      needs = sidecars;
    } else {
      Add(needs, sidecars);
    }
    Max(init, needs);
  }
  Max(total, init);
  return total;
}

template <typename Container>
bool EnvUsesSecrets(const Container& container) {
  for (const auto& env : container.env()) {
    if (env.valuefrom().has_secretkeyref()) return true;
  }
  for (const auto& from : container.envfrom()) {
    if (from.has_secretref()) return true;
  }
  return false;
}

template <typename Container>
bool EnvUsesConfigMaps(const Container& container) {
  for (const auto& env : container.env()) {
    if (env.valuefrom().has_configmapkeyref()) return true;
  }
  for (const auto& from : container.envfrom()) {
    if (from.has_configmapref()) return true;
  }
  return false;
}

}  // namespace

bool IsMirrorPod(const core::Pod& pod) {
  return pod.metadata().annotations().contains(std::string(kMirrorPodAnnotation));
}

bool ReferencesSecrets(const core::Pod& pod) {
  if (pod.spec().imagepullsecrets_size() > 0) return true;
  bool found = false;
  VisitContainers(pod.spec(), [&](const auto& container) { found = found || EnvUsesSecrets(container); });
  for (const auto& volume : pod.spec().volumes()) {
    const auto& source = volume.volumesource();
    found = found || source.has_secret() || (source.has_azurefile() && !source.azurefile().secretname().empty()) ||
            source.cephfs().has_secretref() || source.cinder().has_secretref() || source.flexvolume().has_secretref() ||
            source.rbd().has_secretref() || source.scaleio().has_secretref() || source.iscsi().has_secretref() ||
            source.storageos().has_secretref() || source.csi().has_nodepublishsecretref();
    for (const auto& projection : source.projected().sources()) found = found || projection.has_secret();
  }
  return found;
}

bool ReferencesConfigMaps(const core::Pod& pod) {
  bool found = false;
  VisitContainers(pod.spec(), [&](const auto& container) { found = found || EnvUsesConfigMaps(container); });
  for (const auto& volume : pod.spec().volumes()) {
    found = found || volume.volumesource().has_configmap();
    for (const auto& projection : volume.volumesource().projected().sources())
      found = found || projection.has_configmap();
  }
  return found;
}

ResourceList PodRequests(const core::Pod& pod, bool with_overhead) {
  ResourceList total = Total(pod, [](const core::Container& c) { return ToResources(c.resources().requests()); });
  if (with_overhead) Add(total, ToResources(pod.spec().overhead()));
  return total;
}

ResourceList PodLimits(const core::Pod& pod, bool with_overhead) {
  ResourceList total = Total(pod, [](const core::Container& c) { return ToResources(c.resources().limits()); });
  if (with_overhead) {
    // A limit that nobody set stays unlimited.
    for (const auto& [name, value] : ToResources(pod.spec().overhead())) {
      if (const auto found = total.find(name); found != total.end()) found->second += value;
    }
  }
  return total;
}

std::string GenerateName(std::string_view base) {
  constexpr std::string_view kAlphabet = "bcdfghjklmnpqrstvwxz2456789";
  constexpr size_t kMaxBase = 58;
  thread_local std::mt19937 generator{std::random_device{}()};
  std::uniform_int_distribution<size_t> pick(0, kAlphabet.size() - 1);
  std::string name(base.substr(0, kMaxBase));
  for (int i = 0; i < 5; ++i) name.push_back(kAlphabet[pick(generator)]);
  return name;
}

// Mirrors: IsExtendedResourceName in pkg/apis/core/v1/helper/helpers.go
bool IsExtendedResourceName(std::string_view name) {
  const bool native = name.find('/') == std::string_view::npos || name.find("kubernetes.io/") != std::string_view::npos;
  if (native || name.starts_with("requests.")) return false;
  return names::IsQualifiedName("requests." + std::string(name)).empty();
}

}  // namespace knarr::admission
