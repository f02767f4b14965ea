// What several plugins ask of pods. Mirrors: pkg/api/pod/util.go, component-helpers/resource/helpers.go
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/resource/quantity.h"
#include "pkg/api/types.h"
#include "pkg/apiserver/admission/admission.h"

namespace knarr::admission {

using ResourceList = std::map<std::string, Quantity>;

inline constexpr std::string_view kMirrorPodAnnotation = "kubernetes.io/config.mirror";

// pods itself, not a subresource.
inline bool IsPod(const Attributes& attributes) {
  return attributes.Is("", "pods") && attributes.subresource.empty() && attributes.object != nullptr;
}
inline core::Pod& PodOf(Attributes& attributes) {
  return attributes.object->As<core::Pod>();
}
inline const core::Pod& PodOf(const Attributes& attributes) {
  return const_cast<const api::Object*>(attributes.object)->As<core::Pod>();
}

bool IsMirrorPod(const core::Pod& pod);
bool ReferencesSecrets(const core::Pod& pod);
bool ReferencesConfigMaps(const core::Pod& pod);

// visit(container) of init, ordinary and ephemeral containers, in this order.
template <typename Spec, typename Visit>
void VisitContainers(Spec& spec, const Visit& visit) {
  if constexpr (std::is_const_v<Spec>) {
    for (const auto& container : spec.initcontainers()) visit(container);
    for (const auto& container : spec.containers()) visit(container);
    for (const auto& container : spec.ephemeralcontainers()) visit(container.ephemeralcontainercommon());
  } else {
    for (auto& container : *spec.mutable_initcontainers()) visit(container);
    for (auto& container : *spec.mutable_containers()) visit(container);
    for (auto& container : *spec.mutable_ephemeralcontainers()) visit(*container.mutable_ephemeralcontainercommon());
  }
}

template <typename Map>
ResourceList ToResources(const Map& map) {
  ResourceList out;
  for (const auto& [name, value] : map) out[name] = Quantity::From(value);
  return out;
}

// Of all containers: the sum of the ordinary ones and sidecars, or the most that an init container needs.
ResourceList PodRequests(const core::Pod& pod, bool with_overhead);
ResourceList PodLimits(const core::Pod& pod, bool with_overhead);

// Go's names.SimpleNameGenerator: five characters without vowels.
std::string GenerateName(std::string_view base);

bool IsExtendedResourceName(std::string_view name);

}  // namespace knarr::admission
