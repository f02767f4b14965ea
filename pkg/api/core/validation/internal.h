// What the files of core/v1 validation share. Internal to pkg/api/core: others include pkg/api/core/validation.h.
// Every function appends what it finds to `errors`, in upstream's order, except that map keys are taken sorted (Go
// takes them in random order). Functions keep upstream's names.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/core/validation.h"
#include "pkg/api/field/field.h"
#include "pkg/api/meta/validation.h"
#include "pkg/api/names/names.h"
#include "pkg/api/resource/quantity.h"
#include "pkg/api/types.h"

namespace knarr::api::validation {

using field::ErrorList;
using field::Path;

inline constexpr std::string_view kMustNotBeNegative = "must be greater than or equal to 0";
inline constexpr std::string_view kMustBePositive = "must be greater than zero";

// The volumes of a pod that are valid themselves, by name.
using Volumes = std::map<std::string, const core::VolumeSource*, std::less<>>;
using Names = std::set<std::string, std::less<>>;

// What the validation of a container needs to know of its pod.
struct PodContext {
  const PodValidationOptions& options;
  const core::PodSpec& spec;
  Volumes volumes;
  Names claim_names;
  std::optional<int64_t> grace_period;
  bool host_users = true;
};

// --- helpers (helpers.cc)
void AddInvalid(ErrorList& errors, const Path& path, std::string_view value, const names::Messages& messages);
void AddInvalid(ErrorList& errors, const Path& path, int64_t value, const names::Messages& messages);
void RequireText(ErrorList& errors, const Path& path, std::string_view value);
void ValidateNonnegativeField(int64_t value, const Path& path, ErrorList& errors);
void ValidateFileMode(int mode, const Path& path, ErrorList& errors);
void ValidatePathNoBacksteps(std::string_view target, const Path& path, ErrorList& errors);
void ValidateLocalDescendingPath(std::string_view target, const Path& path, ErrorList& errors);
void ValidateLocalNonReservedPath(std::string_view target, const Path& path, ErrorList& errors);
// The text as strings.TrimSpace leaves it.
std::string_view TrimSpace(std::string_view text);
std::string Lower(std::string_view text);

template <typename Map>
std::vector<std::string> SortedKeys(const Map& map) {
  std::vector<std::string> keys;
  keys.reserve(map.size());
  for (const auto& [key, value] : map) keys.push_back(key);
  std::sort(keys.begin(), keys.end());
  return keys;
}

// An enumeration; the values are printed in the given order, which is upstream's (sorted where upstream has a set).
template <size_t N>
void RequireOneOf(ErrorList& errors, const Path& path, std::string_view value, const std::string_view (&supported)[N]) {
  if (std::find(std::begin(supported), std::end(supported), value) == std::end(supported)) {
    errors.push_back(field::NotSupported(path, value, supported));
  }
}

// The same for fields that must be set.
template <size_t N>
void RequireSetAndOneOf(ErrorList& errors, const Path& path, std::string_view value,
                        const std::string_view (&supported)[N]) {
  if (value.empty()) {
    errors.push_back(field::Required(path, ""));
  } else {
    RequireOneOf(errors, path, value, supported);
  }
}

// Every container with its path: init containers, containers, ephemeral containers. Stops when the visitor returns
// false. The third argument of the visitor is the container's security context or null.
template <typename Visitor>
void VisitContainersWithPath(const core::PodSpec& spec, const Path& spec_path, Visitor visitor) {
  const auto visit_all = [&](const auto& containers, std::string_view list, const auto& common) {
    const Path path = spec_path.Child(list);
    for (int i = 0; i < containers.size(); ++i) {
      const auto& container = common(containers[i]);
      const auto* security = container.has_securitycontext() ? &container.securitycontext() : nullptr;
      if (!visitor(container.name(), path.Index(static_cast<size_t>(i)), security)) return false;
    }
    return true;
  };
  const auto self = [](const core::Container& container) -> const core::Container& { return container; };
  const auto inner = [](const core::EphemeralContainer& container) -> const core::EphemeralContainerCommon& {
    return container.ephemeralcontainercommon();
  };
  if (!visit_all(spec.initcontainers(), "initContainers", self)) return;
  if (!visit_all(spec.containers(), "containers", self)) return;
  visit_all(spec.ephemeralcontainers(), "ephemeralContainers", inner);
}

// --- metadata (meta.cc)
void ValidateObjectMeta(const meta::ObjectMeta& metadata, NameCheck check_name, const Path& path, ErrorList& errors);
void ValidateTemplateObjectMeta(const meta::ObjectMeta& metadata, const Path& path, ErrorList& errors);
void ValidateAnnotations(const google::protobuf::Map<std::string, std::string>& annotations, const Path& path,
                         ErrorList& errors);
void ValidateLabels(const google::protobuf::Map<std::string, std::string>& labels, const Path& path, ErrorList& errors);
void ValidateLabelName(std::string_view name, const Path& path, ErrorList& errors);
void ValidateLabelSelector(const meta::LabelSelector& selector, const Path& path, ErrorList& errors);

// --- pods (pod.cc)
// What new and changed pods must be alike.
void ValidatePodMetadataAndSpec(const core::Pod& pod, const PodValidationOptions& options, ErrorList& errors);

// --- volumes (volumes.cc, remote_volumes.cc, projected.cc, claims.cc)
Volumes ValidateVolumes(const core::PodSpec& spec, std::string_view pod_name, const Path& path,
                        const PodValidationOptions& options, ErrorList& errors);
void ValidateKeyToPath(const core::KeyToPath& item, const Path& path, ErrorList& errors);
void ValidateDownwardAPIVolumeSource(const core::DownwardAPIVolumeSource& source, const Path& path, ErrorList& errors);
void ValidateProjectedVolumeSource(const core::ProjectedVolumeSource& source, const Path& path,
                                   const PodValidationOptions& options, ErrorList& errors);
void ValidatePersistentVolumeClaimTemplate(const core::PersistentVolumeClaimTemplate& claim, const Path& path,
                                           ErrorList& errors);
void ValidatePersistentVolumeClaimSpec(const core::PersistentVolumeClaimSpec& spec, const Path& path,
                                       ErrorList& errors);
void ValidatePullPolicy(std::string_view policy, const Path& path, ErrorList& errors);

// --- containers (containers.cc, env.cc, mounts.cc, probes.cc, resources.cc)
void ValidateContainers(const PodContext& pod, const Path& path, ErrorList& errors);
void ValidateInitContainers(const PodContext& pod, const Path& path, ErrorList& errors);
void ValidateEphemeralContainers(const PodContext& pod, const Path& path, ErrorList& errors);
void ValidateContainerOnlyForPod(const core::Container& container, const Path& path, ErrorList& errors);
void ValidateEnv(const core::Container& container, const Path& path, const PodValidationOptions& options,
                 ErrorList& errors);
void ValidateEnvFrom(const core::Container& container, const Path& path, const PodValidationOptions& options,
                     ErrorList& errors);
void ValidateObjectFieldSelector(const core::ObjectFieldSelector& selector,
                                 std::span<const std::string_view> expressions, const Path& path, ErrorList& errors);
void ValidateContainerResourceFieldSelector(const core::ResourceFieldSelector& selector, const Path& path, bool volume,
                                            ErrorList& errors);
void ValidateVolumeMounts(const core::Container& container, const Volumes& volumes, const Path& path,
                          ErrorList& errors);
void ValidateVolumeDevices(const core::Container& container, const Volumes& volumes, const Path& path,
                           ErrorList& errors);
void ValidateLifecycleAndProbes(const core::Container& container, const PodContext& pod, const Path& path,
                                ErrorList& errors);
void ValidateContainerResourceRequirements(const core::ResourceRequirements& requirements, const Names& claim_names,
                                           const Path& path, const PodValidationOptions& options, ErrorList& errors);
// A known name, or one with a domain; false if not.
bool ValidateResourceName(std::string_view name, const Path& path, ErrorList& errors);
void ValidateContainerResourceName(std::string_view name, const Path& path, ErrorList& errors);
bool IsOvercommitAllowed(std::string_view name);
void ValidateResourceQuantityValue(std::string_view resource, const Quantity& value, const Path& path,
                                   ErrorList& errors);

// --- security (security.cc, windows.cc, annotations.cc)
void ValidateSecurityContext(const core::SecurityContext& security, const Path& path, bool host_users,
                             ErrorList& errors);
void ValidatePodSecurityContext(const core::PodSpec& spec, const Path& path, const PodValidationOptions& options,
                                ErrorList& errors);
void ValidateWindowsSecurityContextOptions(const core::WindowsSecurityContextOptions& options, const Path& path,
                                           ErrorList& errors);
void ValidateWindowsHostProcessPod(const core::PodSpec& spec, const Path& path, ErrorList& errors);
void ValidateOS(const core::PodSpec& spec, const Path& spec_path, ErrorList& errors);
void ValidatePodSpecificAnnotations(const core::Pod& pod, const Path& path, const PodValidationOptions& options,
                                    ErrorList& errors);
void ValidateAnnotationsMatchFields(const core::Pod& pod, const Path& spec_path, ErrorList& errors);

// --- scheduling (affinity.cc, scheduling.cc) and the network (network.cc)
void ValidateNodeSelector(const core::NodeSelector& selector, const Path& path, ErrorList& errors);
void ValidateAffinity(const core::Affinity& affinity, const Path& path, ErrorList& errors);
void ValidateTolerations(const google::protobuf::RepeatedPtrField<core::Toleration>& tolerations, const Path& path,
                         ErrorList& errors);
void ValidateTopologySpreadConstraints(const core::PodSpec& spec, const Path& path, ErrorList& errors);
void ValidateSchedulingGates(const core::PodSpec& spec, const Path& path, ErrorList& errors);
void ValidatePodResourceClaims(const core::PodSpec& spec, const Path& path, ErrorList& errors);
void ValidatePodDNS(const core::PodSpec& spec, const Path& spec_path, const PodValidationOptions& options,
                    ErrorList& errors);
void ValidateHostAliases(const core::PodSpec& spec, const Path& path, ErrorList& errors);
void ValidatePodHostNetworkDeps(const core::PodSpec& spec, const Path& spec_path, const PodValidationOptions& options,
                                ErrorList& errors);

// --- changes
// What differs between two messages, as lines of YAML: for people (pod_update.cc).
std::string Diff(const google::protobuf::Message& old, const google::protobuf::Message& updated);

// --- addresses (cluster.cc)
void ValidateNonSpecialIP(std::string_view ip, const Path& path, ErrorList& errors);

}  // namespace knarr::api::validation
