// Validation of core/v1 objects with upstream's paths, reasons and messages.
// Mirrors: kubernetes/pkg/apis/core/validation/validation.go of 1.32. Input is an object after SetDefaults.
//
// Where upstream prints a Go struct with pointers as the bad value, these print the name or the fields concerned.
#pragma once

#include <string_view>

#include "pkg/api/field/field.h"
#include "pkg/api/types.h"

namespace k8s::io::api::core::v1 {
class Binding;
class ConfigMap;
class Endpoints;
class Event;
class LimitRange;
class Namespace;
class Node;
class PersistentVolume;
class PersistentVolumeClaim;
class Pod;
class PodSpec;
class PodTemplateSpec;
class ReplicationController;
class ResourceQuota;
class Secret;
}  // namespace k8s::io::api::core::v1

namespace knarr::api {

// validation.PodValidationOptions; the defaults are an API server's of 1.32 for a new pod.
struct PodValidationOptions {
  // Names of environment variables may be any printable ASCII but '=' (RelaxedEnvironmentVariableValidation).
  bool allow_relaxed_environment_variable_validation = true;
  bool allow_relaxed_dns_search_validation = false;
  bool allow_pod_lifecycle_sleep_action_zero_value = false;
  bool allow_invalid_pod_deletion_cost = false;
  bool allow_indivisible_huge_pages_values = false;
  bool allow_non_local_projected_token_path = false;
  bool allow_namespaced_sysctls_for_host_net_and_host_ipc = false;
  // False for pod templates.
  bool resource_is_pod = true;
  // False where the registry has validated metadata already.
  bool validate_metadata = true;
};

// ValidatePodCreate: everything a new pod must be.
field::ErrorList ValidatePod(const core::Pod& pod, const PodValidationOptions& options = {});
// What RuntimeClasses have of a pod.
field::ErrorList ValidatePodOverhead(const core::PodSpec& spec, const field::Path& path);
field::ErrorList ValidatePodTolerations(const core::PodSpec& spec, const field::Path& path);
// The template of a controller; resource_is_pod is taken for false.
field::ErrorList ValidatePodTemplateSpec(const core::PodTemplateSpec& pod_template, const field::Path& path,
                                         const PodValidationOptions& options = {});
// Only its labels and annotations: what StatefulSets check, as volumes come from their claim templates too.
field::ErrorList ValidatePodTemplateMetadata(const core::PodTemplateSpec& pod_template, const field::Path& path,
                                             const PodValidationOptions& options = {});
// Of ConfigMaps and Secrets by themselves. The API server's registry validates metadata for all kinds alike, so its
// strategies skip it.
enum class Metadata { kValidate, kSkip };
field::ErrorList ValidateConfigMap(const core::ConfigMap& config_map, Metadata metadata = Metadata::kValidate);
field::ErrorList ValidateSecret(const core::Secret& secret, Metadata metadata = Metadata::kValidate);
// What a static pod may not have besides: references to API objects, which upstream refuses too (service account,
// claims, ...). ConfigMaps and Secrets are allowed: Knarr resolves them from the manifest directory.
// Mirrors: pkg/kubelet/config/common.go, pkg/api/pod/util.go (HasAPIObjectReference)
field::ErrorList ValidateStaticPod(const core::Pod& pod);

// v1.PodQOSClass by the resources of all containers. Mirrors: pkg/apis/core/v1/helper/qos/qos.go
enum class QosClass { kGuaranteed, kBurstable, kBestEffort };
QosClass ComputeQosClass(const core::Pod& pod);
std::string_view ToString(QosClass qos);

// --- Everything below leaves metadata to the registry (pkg/api/meta/validation.h).

field::ErrorList ValidateConfigMapUpdate(const core::ConfigMap& updated, const core::ConfigMap& old);
field::ErrorList ValidateSecretUpdate(const core::Secret& updated, const core::Secret& old);
// Pods keep their spec: images, activeDeadlineSeconds, tolerations, and (of gated pods) gates and node selection may
// change.
field::ErrorList ValidatePodUpdate(const core::Pod& updated, const core::Pod& old, const PodValidationOptions& options);
field::ErrorList ValidatePodStatusUpdate(const core::Pod& updated, const core::Pod& old,
                                         const PodValidationOptions& options);
field::ErrorList ValidatePodEphemeralContainersUpdate(const core::Pod& updated, const core::Pod& old,
                                                      const PodValidationOptions& options);
field::ErrorList ValidatePodBinding(const core::Binding& binding);
field::ErrorList ValidateNamespace(const core::Namespace& space);
field::ErrorList ValidateNamespaceStatusUpdate(const core::Namespace& updated, const core::Namespace& old);
field::ErrorList ValidateNamespaceFinalizeUpdate(const core::Namespace& updated, const core::Namespace& old);
field::ErrorList ValidateNode(const core::Node& node);
field::ErrorList ValidateNodeUpdate(const core::Node& updated, const core::Node& old);
// As the core group accepts them; events.k8s.io/v1 is stricter: ValidateEventStrictly, of its events as core ones.
field::ErrorList ValidateEvent(const core::Event& event);
field::ErrorList ValidateEventStrictly(const core::Event& event, const core::Event* old);
field::ErrorList ValidateEndpoints(const core::Endpoints& endpoints);

field::ErrorList ValidateLimitRange(const core::LimitRange& range);
field::ErrorList ValidateResourceQuota(const core::ResourceQuota& quota);
field::ErrorList ValidateResourceQuotaUpdate(const core::ResourceQuota& updated, const core::ResourceQuota& old);
field::ErrorList ValidateResourceQuotaStatusUpdate(const core::ResourceQuota& updated);
field::ErrorList ValidateReplicationController(const core::ReplicationController& controller);
field::ErrorList ValidateReplicationControllerStatusUpdate(const core::ReplicationController& controller);
field::ErrorList ValidatePersistentVolume(const core::PersistentVolume& volume);
field::ErrorList ValidatePersistentVolumeUpdate(const core::PersistentVolume& updated,
                                                const core::PersistentVolume& old);
field::ErrorList ValidatePersistentVolumeClaim(const core::PersistentVolumeClaim& claim);
field::ErrorList ValidatePersistentVolumeClaimUpdate(const core::PersistentVolumeClaim& updated,
                                                     const core::PersistentVolumeClaim& old);
field::ErrorList ValidatePersistentVolumeClaimStatusUpdate(const core::PersistentVolumeClaim& updated);

}  // namespace knarr::api
