#include <limits>

#include "pkg/api/core/validation/internal.h"

namespace knarr::api {
namespace validation {
namespace {

void ValidateHostUsers(const core::PodSpec& spec, const Path& path, ErrorList& errors) {
  if (!spec.has_hostusers() || spec.hostusers()) return;
  constexpr std::string_view kText = "when `pod.Spec.HostUsers` is false";
  // The capitals are upstream's.
  if (spec.hostnetwork()) errors.push_back(field::Forbidden(path.Child("hostNetwork"), kText));
  if (spec.hostpid()) errors.push_back(field::Forbidden(path.Child("HostPID"), kText));
  if (spec.hostipc()) errors.push_back(field::Forbidden(path.Child("HostIPC"), kText));
}

void ValidatePolicies(const core::PodSpec& spec, const Path& path, ErrorList& errors) {
  static constexpr std::string_view kRestart[] = {"Always", "OnFailure", "Never"};
  static constexpr std::string_view kDns[] = {"ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"};
  RequireSetAndOneOf(errors, path.Child("restartPolicy"), spec.restartpolicy(), kRestart);
  RequireSetAndOneOf(errors, path.Child("dnsPolicy"), spec.dnspolicy(), kDns);
}

void ValidateReadinessGates(const core::PodSpec& spec, const Path& list, ErrorList& errors) {
  for (int i = 0; i < spec.readinessgates_size(); ++i) {
    const std::string& type = spec.readinessgates(i).conditiontype();
    AddInvalid(errors, list.Index(static_cast<size_t>(i)).Child("conditionType"), type, names::IsQualifiedName(type));
  }
}

// A name that is checked only if it is set.
void ValidateOptionalName(std::string_view name, names::Messages (*check)(std::string_view, bool), const Path& path,
                          ErrorList& errors) {
  if (!name.empty()) AddInvalid(errors, path, name, check(name, false));
}

void ValidateOverhead(const core::PodSpec& spec, const Path& path, const PodValidationOptions& options,
                      ErrorList& errors) {
  core::ResourceRequirements requirements;
  *requirements.mutable_limits() = spec.overhead();
  ValidateContainerResourceRequirements(requirements, {}, path, options, errors);
}

void ValidateNamesAndLimits(const core::PodSpec& spec, const Path& path, const PodValidationOptions& options,
                            ErrorList& errors) {
  static constexpr std::string_view kPreemption[] = {"PreemptLowerPriority", "Never"};
  ValidateOptionalName(spec.serviceaccountname(), names::NameIsDNSSubdomain, path.Child("serviceAccountName"), errors);
  ValidateOptionalName(spec.nodename(), names::NameIsDNSSubdomain, path.Child("nodeName"), errors);
  if (spec.has_activedeadlineseconds()) {
    AddInvalid(errors, path.Child("activeDeadlineSeconds"), spec.activedeadlineseconds(),
               names::IsInRange(spec.activedeadlineseconds(), 1, std::numeric_limits<int32_t>::max()));
  }
  ValidateOptionalName(spec.hostname(), names::NameIsDNSLabel, path.Child("hostname"), errors);
  ValidateOptionalName(spec.subdomain(), names::NameIsDNSLabel, path.Child("subdomain"), errors);
  ValidateTolerations(spec.tolerations(), path.Child("tolerations"), errors);
  ValidateHostAliases(spec, path.Child("hostAliases"), errors);
  ValidateOptionalName(spec.priorityclassname(), names::NameIsDNSSubdomain, path.Child("priorityClassName"), errors);
  if (spec.has_runtimeclassname()) {
    AddInvalid(errors, path.Child("runtimeClassName"), spec.runtimeclassname(),
               names::NameIsDNSSubdomain(spec.runtimeclassname(), false));
  }
  if (spec.has_preemptionpolicy()) {
    RequireSetAndOneOf(errors, path.Child("preemptionPolicy"), spec.preemptionpolicy(), kPreemption);
  }
  if (!spec.overhead().empty()) ValidateOverhead(spec, path.Child("overhead"), options, errors);
  if (spec.has_os()) ValidateOS(spec, path, errors);
}

PodContext MakeContext(const core::PodSpec& spec, std::string_view pod_name, const Path& path,
                       const PodValidationOptions& options, ErrorList& errors) {
  PodContext pod{.options = options, .spec = spec};
  if (spec.has_terminationgraceperiodseconds()) {
    pod.grace_period = spec.terminationgraceperiodseconds();
  } else {
    errors.push_back(field::Required(path.Child("terminationGracePeriodSeconds"), ""));
  }
  pod.host_users = !spec.has_hostusers() || spec.hostusers();
  pod.volumes = ValidateVolumes(spec, pod_name, path.Child("volumes"), options, errors);
  for (const core::PodResourceClaim& claim : spec.resourceclaims()) {
    if (!claim.name().empty()) pod.claim_names.insert(claim.name());
  }
  return pod;
}

void ValidatePodSpec(const core::PodSpec& spec, std::string_view pod_name, const Path& path,
                     const PodValidationOptions& options, ErrorList& errors) {
  const PodContext pod = MakeContext(spec, pod_name, path, options, errors);
  ValidatePodResourceClaims(spec, path.Child("resourceClaims"), errors);
  ValidateContainers(pod, path.Child("containers"), errors);
  ValidateInitContainers(pod, path.Child("initContainers"), errors);
  ValidateEphemeralContainers(pod, path.Child("ephemeralContainers"), errors);
  ValidatePodHostNetworkDeps(spec, path, options, errors);
  ValidatePolicies(spec, path, errors);
  ValidateLabels(spec.nodeselector(), path.Child("nodeSelector"), errors);
  ValidatePodSecurityContext(spec, path.Child("securityContext"), options, errors);
  if (spec.has_affinity()) ValidateAffinity(spec.affinity(), path.Child("affinity"), errors);
  ValidatePodDNS(spec, path.Child("dnsConfig"), options, errors);
  ValidateReadinessGates(spec, path.Child("readinessGates"), errors);
  ValidateSchedulingGates(spec, path.Child("schedulingGates"), errors);
  ValidateTopologySpreadConstraints(spec, path.Child("topologySpreadConstraints"), errors);
  ValidateWindowsHostProcessPod(spec, path, errors);
  ValidateHostUsers(spec, path, errors);
  ValidateNamesAndLimits(spec, path, options, errors);
}

void ForbidTokensWithoutAccount(const core::PodSpec& spec, const Path& spec_path, ErrorList& errors) {
  if (!spec.serviceaccountname().empty()) return;
  for (int i = 0; i < spec.volumes_size(); ++i) {
    const core::ProjectedVolumeSource& projected = spec.volumes(i).volumesource().projected();
    const Path path = spec_path.Child("volumes").Index(static_cast<size_t>(i)).Child("projected.sources");
    for (int j = 0; j < projected.sources_size(); ++j) {
      if (!projected.sources(j).has_serviceaccounttoken()) continue;
      errors.push_back(field::Forbidden(path.Index(static_cast<size_t>(j)).Child("serviceAccountToken"),
                                        "must not be specified when serviceAccountName is not set"));
    }
  }
}

template <typename Containers>
void ValidateContainersOnlyForPod(const Containers& containers, const Path& list, ErrorList& errors) {
  for (int i = 0; i < containers.size(); ++i) {
    ValidateContainerOnlyForPod(containers[i], list.Index(static_cast<size_t>(i)), errors);
  }
}

}  // namespace

void ValidatePodMetadataAndSpec(const core::Pod& pod, const PodValidationOptions& options, ErrorList& errors) {
  const core::PodSpec& spec = pod.spec();
  const Path metadata("metadata");
  const Path path("spec");
  if (options.validate_metadata) {
    ValidateObjectMeta(pod.metadata(), names::NameIsDNSSubdomain, metadata, errors);
  }
  ValidatePodSpecificAnnotations(pod, metadata.Child("annotations"), options, errors);
  ValidatePodSpec(spec, pod.metadata().name(), path, options, errors);
  ForbidTokensWithoutAccount(spec, path, errors);
  ValidateContainersOnlyForPod(spec.containers(), path.Child("containers"), errors);
  ValidateContainersOnlyForPod(spec.initcontainers(), path.Child("initContainers"), errors);
}

}  // namespace validation

field::ErrorList ValidatePod(const core::Pod& pod, const PodValidationOptions& options) {
  const core::PodSpec& spec = pod.spec();
  const field::Path path("spec");
  field::ErrorList errors;
  validation::ValidatePodMetadataAndSpec(pod, options, errors);
  if (spec.ephemeralcontainers_size() > 0) {
    errors.push_back(field::Forbidden(path.Child("ephemeralContainers"), "cannot be set on create"));
  }
  if (!spec.nodename().empty() && spec.schedulinggates_size() > 0) {
    errors.push_back(
        field::Forbidden(path.Child("nodeName"), "cannot be set until all schedulingGates have been cleared"));
  }
  validation::ValidateAnnotationsMatchFields(pod, path, errors);
  return errors;
}

field::ErrorList ValidatePodOverhead(const core::PodSpec& spec, const field::Path& path) {
  field::ErrorList errors;
  validation::ValidateOverhead(spec, path, {}, errors);
  return errors;
}

field::ErrorList ValidatePodTolerations(const core::PodSpec& spec, const field::Path& path) {
  field::ErrorList errors;
  validation::ValidateTolerations(spec.tolerations(), path, errors);
  return errors;
}

field::ErrorList ValidatePodTemplateMetadata(const core::PodTemplateSpec& pod_template, const field::Path& path,
                                             const PodValidationOptions& given) {
  PodValidationOptions options = given;
  options.resource_is_pod = false;
  core::Pod pod;
  *pod.mutable_metadata() = pod_template.metadata();
  *pod.mutable_spec() = pod_template.spec();
  field::ErrorList errors;
  validation::ValidateLabels(pod.metadata().labels(), path.Child("labels"), errors);
  validation::ValidateAnnotations(pod.metadata().annotations(), path.Child("annotations"), errors);
  validation::ValidatePodSpecificAnnotations(pod, path.Child("annotations"), options, errors);
  return errors;
}

field::ErrorList ValidatePodTemplateSpec(const core::PodTemplateSpec& pod_template, const field::Path& path,
                                         const PodValidationOptions& given) {
  PodValidationOptions options = given;
  options.resource_is_pod = false;
  const field::Path spec = path.Child("spec");
  field::ErrorList errors = ValidatePodTemplateMetadata(pod_template, path, options);
  validation::ValidatePodSpec(pod_template.spec(), "", spec, options, errors);
  core::Pod pod;
  *pod.mutable_metadata() = pod_template.metadata();
  *pod.mutable_spec() = pod_template.spec();
  validation::ValidateAnnotationsMatchFields(pod, spec, errors);
  if (pod_template.spec().ephemeralcontainers_size() > 0) {
    errors.push_back(
        field::Forbidden(spec.Child("ephemeralContainers"), "ephemeral containers not allowed in pod template"));
  }
  return errors;
}

}  // namespace knarr::api
