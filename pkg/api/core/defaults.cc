#include "pkg/api/core/defaults.h"

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/names/image.h"
#include "pkg/api/resource/quantity.h"

namespace knarr::api {
namespace {

constexpr int kFileMode = 0644;
constexpr int kMilli = -3;

// Sets a string that Go has as a plain field: empty means unset.
#define KNARR_DEFAULT_STRING(message, name, value)             \
  do {                                                         \
    if ((message).name().empty()) (message).set_##name(value); \
  } while (false)

// Sets a number that Go has as a plain field: zero means unset.
#define KNARR_DEFAULT_NUMBER(message, name, value)          \
  do {                                                      \
    if ((message).name() == 0) (message).set_##name(value); \
  } while (false)

// Sets a field that Go has as a pointer.
#define KNARR_DEFAULT_POINTER(message, name, value)           \
  do {                                                        \
    if (!(message).has_##name()) (message).set_##name(value); \
  } while (false)

// Always for ":latest" and for no tag at all; what does not parse is validated elsewhere.
std::string_view PullPolicyOf(std::string_view image) {
  const auto reference = names::ParseImageName(image);
  if (!reference.ok()) return "IfNotPresent";
  const bool latest = reference->tag == "latest" || (reference->tag.empty() && reference->digest.empty());
  return latest ? "Always" : "IfNotPresent";
}

template <typename Map>
void RoundUpToMilli(Map* resources) {
  for (auto& [name, message] : *resources) {
    Quantity quantity = Quantity::From(message);
    if (!quantity.RoundUp(kMilli)) message = quantity.ToMessage();
  }
}

void DefaultResources(core::ResourceRequirements& resources) {
  RoundUpToMilli(resources.mutable_limits());
  RoundUpToMilli(resources.mutable_requests());
}

void DefaultFieldRef(core::ObjectFieldSelector& selector) {
  KNARR_DEFAULT_STRING(selector, apiversion, "v1");
}

void DefaultHttpGet(core::HTTPGetAction& http) {
  KNARR_DEFAULT_STRING(http, path, "/");
  KNARR_DEFAULT_STRING(http, scheme, "HTTP");
}

void DefaultProbe(core::Probe& probe) {
  KNARR_DEFAULT_NUMBER(probe, timeoutseconds, 1);
  KNARR_DEFAULT_NUMBER(probe, periodseconds, 10);
  KNARR_DEFAULT_NUMBER(probe, successthreshold, 1);
  KNARR_DEFAULT_NUMBER(probe, failurethreshold, 3);
  if (probe.handler().has_httpget()) DefaultHttpGet(*probe.mutable_handler()->mutable_httpget());
  if (probe.handler().has_grpc()) KNARR_DEFAULT_POINTER(*probe.mutable_handler()->mutable_grpc(), service, "");
}

void DefaultLifecycle(core::Lifecycle& lifecycle) {
  if (lifecycle.poststart().has_httpget()) DefaultHttpGet(*lifecycle.mutable_poststart()->mutable_httpget());
  if (lifecycle.prestop().has_httpget()) DefaultHttpGet(*lifecycle.mutable_prestop()->mutable_httpget());
}

// Container or EphemeralContainerCommon: the same fields in two messages.
template <typename Container>
void DefaultContainer(Container& container) {
  if (container.imagepullpolicy().empty()) container.set_imagepullpolicy(std::string(PullPolicyOf(container.image())));
  KNARR_DEFAULT_STRING(container, terminationmessagepath, "/dev/termination-log");
  KNARR_DEFAULT_STRING(container, terminationmessagepolicy, "File");
  for (auto& port : *container.mutable_ports()) KNARR_DEFAULT_STRING(port, protocol, "TCP");
  for (auto& variable : *container.mutable_env()) {
    if (variable.valuefrom().has_fieldref()) DefaultFieldRef(*variable.mutable_valuefrom()->mutable_fieldref());
  }
  if (container.has_resources()) DefaultResources(*container.mutable_resources());
  if (container.has_livenessprobe()) DefaultProbe(*container.mutable_livenessprobe());
  if (container.has_readinessprobe()) DefaultProbe(*container.mutable_readinessprobe());
  if (container.has_startupprobe()) DefaultProbe(*container.mutable_startupprobe());
  if (container.has_lifecycle()) DefaultLifecycle(*container.mutable_lifecycle());
}

template <typename Items>
void DefaultDownwardItems(Items* items) {
  for (auto& item : *items) {
    if (item.has_fieldref()) DefaultFieldRef(*item.mutable_fieldref());
  }
}

void DefaultProjected(core::ProjectedVolumeSource& projected) {
  KNARR_DEFAULT_POINTER(projected, defaultmode, kFileMode);
  for (auto& source : *projected.mutable_sources()) {
    if (source.has_downwardapi()) DefaultDownwardItems(source.mutable_downwardapi()->mutable_items());
    if (source.has_serviceaccounttoken()) {
      KNARR_DEFAULT_POINTER(*source.mutable_serviceaccounttoken(), expirationseconds, 3600);
    }
  }
}

void DefaultAzureDisk(core::AzureDiskVolumeSource& disk) {
  KNARR_DEFAULT_POINTER(disk, cachingmode, "ReadWrite");
  KNARR_DEFAULT_POINTER(disk, fstype, "ext4");
  KNARR_DEFAULT_POINTER(disk, readonly, false);
  KNARR_DEFAULT_POINTER(disk, kind, "Shared");
}

// Of a volume or of a persistent volume.
template <typename Rbd>
void DefaultRbd(Rbd& rbd) {
  KNARR_DEFAULT_STRING(rbd, pool, "rbd");
  KNARR_DEFAULT_STRING(rbd, user, "admin");
  KNARR_DEFAULT_STRING(rbd, keyring, "/etc/ceph/keyring");
}

template <typename ScaleIo>
void DefaultScaleIo(ScaleIo& scale_io) {
  KNARR_DEFAULT_STRING(scale_io, storagemode, "ThinProvisioned");
  KNARR_DEFAULT_STRING(scale_io, fstype, "xfs");
}

void DefaultClaimTemplate(core::PersistentVolumeClaimSpec& claim) {
  KNARR_DEFAULT_POINTER(claim, volumemode, "Filesystem");
  if (!claim.has_resources()) return;
  RoundUpToMilli(claim.mutable_resources()->mutable_limits());
  RoundUpToMilli(claim.mutable_resources()->mutable_requests());
}

void DefaultVolume(core::Volume& volume) {
  core::VolumeSource& source = *volume.mutable_volumesource();
  // Nothing set, not even a source this version does not know.
  if (source.ByteSizeLong() == 0) source.mutable_emptydir();
  if (source.has_image() && source.image().pullpolicy().empty()) {
    source.mutable_image()->set_pullpolicy(std::string(PullPolicyOf(source.image().reference())));
  }
  if (source.has_hostpath()) KNARR_DEFAULT_POINTER(*source.mutable_hostpath(), type, "");
  if (source.has_secret()) KNARR_DEFAULT_POINTER(*source.mutable_secret(), defaultmode, kFileMode);
  if (source.has_configmap()) KNARR_DEFAULT_POINTER(*source.mutable_configmap(), defaultmode, kFileMode);
  if (source.has_iscsi()) KNARR_DEFAULT_STRING(*source.mutable_iscsi(), iscsiinterface, "default");
  if (source.has_rbd()) DefaultRbd(*source.mutable_rbd());
  if (source.has_downwardapi()) {
    KNARR_DEFAULT_POINTER(*source.mutable_downwardapi(), defaultmode, kFileMode);
    DefaultDownwardItems(source.mutable_downwardapi()->mutable_items());
  }
  if (source.has_azuredisk()) DefaultAzureDisk(*source.mutable_azuredisk());
  if (source.has_projected()) DefaultProjected(*source.mutable_projected());
  if (source.has_scaleio()) DefaultScaleIo(*source.mutable_scaleio());
  if (source.ephemeral().has_volumeclaimtemplate()) {
    DefaultClaimTemplate(*source.mutable_ephemeral()->mutable_volumeclaimtemplate()->mutable_spec());
  }
}

template <typename Containers>
void DefaultRequestsToLimits(Containers* containers) {
  for (auto& container : *containers) {
    if (container.resources().limits().empty()) continue;
    auto& requests = *container.mutable_resources()->mutable_requests();
    for (const auto& [name, quantity] : container.resources().limits()) requests.insert({name, quantity});
  }
}

template <typename Containers>
void DefaultHostPorts(Containers* containers) {
  for (auto& container : *containers) {
    for (auto& port : *container.mutable_ports()) KNARR_DEFAULT_NUMBER(port, hostport, port.containerport());
  }
}

// Annotations of Kubernetes 1.5 that still must not mean anything.
void DropInitContainerAnnotations(core::Pod& pod) {
  for (const char* key :
       {"pod.beta.kubernetes.io/init-containers", "pod.alpha.kubernetes.io/init-containers",
        "pod.beta.kubernetes.io/init-container-statuses", "pod.alpha.kubernetes.io/init-container-statuses"}) {
    if (pod.metadata().annotations().contains(key)) pod.mutable_metadata()->mutable_annotations()->erase(key);
  }
}

}  // namespace

void SetDefaults(core::PodSpec& spec) {
  KNARR_DEFAULT_STRING(spec, dnspolicy, "ClusterFirst");
  KNARR_DEFAULT_STRING(spec, restartpolicy, "Always");
  spec.mutable_securitycontext();
  KNARR_DEFAULT_POINTER(spec, terminationgraceperiodseconds, 30);
  KNARR_DEFAULT_STRING(spec, schedulername, "default-scheduler");
  // serviceAccount is the old name of the same field; the new one wins.
  if (spec.serviceaccountname().empty() && !spec.serviceaccount().empty()) {
    spec.set_serviceaccountname(spec.serviceaccount());
  }
  if (!spec.serviceaccountname().empty()) spec.set_serviceaccount(spec.serviceaccountname());
  for (auto& volume : *spec.mutable_volumes()) DefaultVolume(volume);
  for (auto& container : *spec.mutable_initcontainers()) DefaultContainer(container);
  for (auto& container : *spec.mutable_containers()) DefaultContainer(container);
  for (auto& container : *spec.mutable_ephemeralcontainers()) {
    DefaultContainer(*container.mutable_ephemeralcontainercommon());
  }
  RoundUpToMilli(spec.mutable_overhead());
  if (spec.has_resources()) DefaultResources(*spec.mutable_resources());
}

void SetDefaults(core::Pod& pod) {
  DropInitContainerAnnotations(pod);
  core::PodSpec& spec = *pod.mutable_spec();
  DefaultRequestsToLimits(spec.mutable_containers());
  DefaultRequestsToLimits(spec.mutable_initcontainers());
  KNARR_DEFAULT_POINTER(spec, enableservicelinks, true);
  if (spec.hostnetwork()) {
    DefaultHostPorts(spec.mutable_containers());
    DefaultHostPorts(spec.mutable_initcontainers());
  }
  // Only for pods: templates keep what they were given.
  if (spec.terminationgraceperiodseconds() < 0) spec.set_terminationgraceperiodseconds(1);
  SetDefaults(spec);
}

// Go makes the map of an absent `data` here; protobuf has no absent maps.
void SetDefaults(core::ConfigMap& /*config_map*/) {}

void SetDefaults(core::Secret& secret) {
  KNARR_DEFAULT_STRING(secret, type, "Opaque");
  for (const auto& [key, value] : secret.stringdata()) (*secret.mutable_data())[key] = value;
  secret.clear_stringdata();
}

void SetDefaults(core::Endpoints& endpoints) {
  for (auto& subset : *endpoints.mutable_subsets()) {
    for (auto& port : *subset.mutable_ports()) KNARR_DEFAULT_STRING(port, protocol, "TCP");
  }
}

void SetDefaults(core::Namespace& space) {
  KNARR_DEFAULT_STRING(*space.mutable_status(), phase, "Active");
  const std::string& name = space.metadata().name();
  if (!name.empty()) (*space.mutable_metadata()->mutable_labels())["kubernetes.io/metadata.name"] = name;
}

// The new field and the first of the old one are the same; what old clients know wins.
void SetDefaults(core::Node& node) {
  core::NodeSpec& spec = *node.mutable_spec();
  if (!spec.podcidr().empty() && (spec.podcidrs_size() == 0 || spec.podcidrs(0) != spec.podcidr())) {
    spec.clear_podcidrs();
    spec.add_podcidrs(spec.podcidr());
  } else if (spec.podcidr().empty() && spec.podcidrs_size() > 0) {
    spec.set_podcidr(spec.podcidrs(0));
  }
  core::NodeStatus& status = *node.mutable_status();
  RoundUpToMilli(status.mutable_capacity());
  RoundUpToMilli(status.mutable_allocatable());
  if (status.allocatable().empty()) *status.mutable_allocatable() = status.capacity();
}

void SetDefaults(core::LimitRange& range) {
  for (core::LimitRangeItem& item : *range.mutable_spec()->mutable_limits()) {
    for (auto* resources : {item.mutable_max(), item.mutable_min(), item.mutable_default_(),
                            item.mutable_defaultrequest(), item.mutable_maxlimitrequestratio()}) {
      RoundUpToMilli(resources);
    }
    if (item.type() != "Container") continue;
    // insert() leaves what is there.
    for (const auto& [name, quantity] : item.max()) item.mutable_default_()->insert({name, quantity});
    for (const auto& [name, quantity] : item.default_()) item.mutable_defaultrequest()->insert({name, quantity});
    for (const auto& [name, quantity] : item.min()) item.mutable_defaultrequest()->insert({name, quantity});
  }
}

void SetDefaults(core::ResourceQuota& quota) {
  RoundUpToMilli(quota.mutable_spec()->mutable_hard());
  RoundUpToMilli(quota.mutable_status()->mutable_hard());
  RoundUpToMilli(quota.mutable_status()->mutable_used());
}

void SetDefaults(core::PersistentVolume& volume) {
  KNARR_DEFAULT_STRING(*volume.mutable_status(), phase, "Pending");
  core::PersistentVolumeSpec& spec = *volume.mutable_spec();
  KNARR_DEFAULT_STRING(spec, persistentvolumereclaimpolicy, "Retain");
  KNARR_DEFAULT_POINTER(spec, volumemode, "Filesystem");
  RoundUpToMilli(spec.mutable_capacity());
  core::PersistentVolumeSource& source = *spec.mutable_persistentvolumesource();
  if (source.has_hostpath()) KNARR_DEFAULT_POINTER(*source.mutable_hostpath(), type, "");
  if (source.has_iscsi()) KNARR_DEFAULT_STRING(*source.mutable_iscsi(), iscsiinterface, "default");
  if (source.has_rbd()) DefaultRbd(*source.mutable_rbd());
  if (source.has_azuredisk()) DefaultAzureDisk(*source.mutable_azuredisk());
  if (source.has_scaleio()) DefaultScaleIo(*source.mutable_scaleio());
}

void SetDefaults(core::PersistentVolumeClaim& claim) {
  KNARR_DEFAULT_STRING(*claim.mutable_status(), phase, "Pending");
  DefaultClaimTemplate(*claim.mutable_spec());
  RoundUpToMilli(claim.mutable_status()->mutable_capacity());
  RoundUpToMilli(claim.mutable_status()->mutable_allocatedresources());
}

void SetDefaults(core::PodTemplate& object) {
  SetDefaults(*object.mutable_template_()->mutable_spec());
}

void SetDefaults(core::ReplicationController& controller) {
  core::ReplicationControllerSpec& spec = *controller.mutable_spec();
  if (spec.has_template_()) {
    const auto& labels = spec.template_().metadata().labels();
    if (spec.selector().empty()) *spec.mutable_selector() = labels;
    if (controller.metadata().labels().empty()) *controller.mutable_metadata()->mutable_labels() = labels;
    SetDefaults(*spec.mutable_template_()->mutable_spec());
  }
  KNARR_DEFAULT_POINTER(spec, replicas, 1);
}

}  // namespace knarr::api
