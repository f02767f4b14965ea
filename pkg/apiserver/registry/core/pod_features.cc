// Fields of pods that features of 1.32 guard which are off by default: InPlacePodVerticalScaling, PodLevelResources,
// DynamicResourceAllocation, ImageVolume, SupplementalGroupsPolicy, UserNamespacesSupport, ProcMountType,
// ClusterTrustBundleProjection, SELinuxChangePolicy, ResourceHealthStatus.
#include <algorithm>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/apiserver/registry/core/pod.h"

namespace knarr::registry::core_group {
namespace {

// Visits all containers of a spec as they are: Container or EphemeralContainerCommon.
template <typename Spec, typename Visitor>
void ForEachContainer(Spec& spec, Visitor visit) {
  if constexpr (std::is_const_v<Spec>) {
    for (const auto& container : spec.initcontainers()) visit(container);
    for (const auto& container : spec.containers()) visit(container);
    for (const auto& container : spec.ephemeralcontainers()) visit(container.ephemeralcontainercommon());
  } else {
    for (auto& container : *spec.mutable_initcontainers()) visit(container);
    for (auto& container : *spec.mutable_containers()) visit(container);
    for (auto& container : *spec.mutable_ephemeralcontainers()) {
      visit(*container.mutable_ephemeralcontainercommon());
    }
  }
}

// What an old pod has of these may stay.
struct InUse {
  bool claims = false, hosts_users = false, image_volumes = false, proc_mount = false, resize_policy = false;
  bool pod_resources = false, groups_policy = false, selinux_policy = false, trust_bundles = false;

  InUse() = default;
  explicit InUse(const core::PodSpec& spec) {
    claims = spec.resourceclaims_size() > 0;
    hosts_users = spec.has_hostusers();
    pod_resources = spec.has_resources();
    groups_policy = spec.securitycontext().has_supplementalgroupspolicy();
    selinux_policy = spec.securitycontext().has_selinuxchangepolicy();
    for (const core::Volume& volume : spec.volumes()) {
      image_volumes |= volume.volumesource().has_image();
      for (const core::VolumeProjection& source : volume.volumesource().projected().sources()) {
        trust_bundles |= source.has_clustertrustbundle();
      }
    }
    ForEachContainer(spec, [&](const auto& container) {
      resize_policy |= container.resizepolicy_size() > 0;
      const std::string& mount = container.securitycontext().procmount();
      proc_mount |= !mount.empty() && mount != "Default";
    });
  }
};

void DropFromContainers(core::PodSpec& spec, const InUse& used) {
  ForEachContainer(spec, [&](auto& container) {
    if (!used.resize_policy) container.clear_resizepolicy();
    if (!used.claims && container.resources().claims_size() > 0) container.mutable_resources()->clear_claims();
    if (!used.proc_mount && container.securitycontext().has_procmount()) {
      container.mutable_securitycontext()->set_procmount("Default");
    }
  });
}

void DropFromVolumes(core::PodSpec& spec, const InUse& used) {
  for (core::Volume& volume : *spec.mutable_volumes()) {
    core::VolumeSource& source = *volume.mutable_volumesource();
    if (!used.image_volumes) source.clear_image();
    if (used.trust_bundles || !source.has_projected()) continue;
    for (core::VolumeProjection& one : *source.mutable_projected()->mutable_sources()) one.clear_clustertrustbundle();
  }
}

void DropDisabledSpecFields(core::PodSpec& spec, const core::PodSpec* old) {
  const InUse used = old == nullptr ? InUse() : InUse(*old);
  DropFromContainers(spec, used);
  DropFromVolumes(spec, used);
  if (!used.claims) spec.clear_resourceclaims();
  if (!used.hosts_users) spec.clear_hostusers();
  if (!used.pod_resources) spec.clear_resources();
  if (!spec.has_securitycontext()) return;
  if (!used.groups_policy) spec.mutable_securitycontext()->clear_supplementalgroupspolicy();
  if (!used.selinux_policy) spec.mutable_securitycontext()->clear_selinuxchangepolicy();
}

template <typename Statuses>
void DropFromStatuses(Statuses* statuses) {
  for (core::ContainerStatus& status : *statuses) {
    status.clear_allocatedresources();
    status.clear_resources();
    status.clear_user();
    status.clear_allocatedresourcesstatus();
  }
}

bool StatusUses(const core::PodStatus& status) {
  const auto uses = [](const core::ContainerStatus& one) {
    return !one.allocatedresources().empty() || one.has_resources() || one.has_user() ||
           one.allocatedresourcesstatus_size() > 0;
  };
  const auto any = [&](const auto& statuses) { return std::any_of(statuses.begin(), statuses.end(), uses); };
  return any(status.containerstatuses()) || any(status.initcontainerstatuses()) ||
         any(status.ephemeralcontainerstatuses());
}

void DropDisabledStatusFields(core::PodStatus& status, const core::PodStatus* old, bool claims_in_use) {
  if (old == nullptr || old->resize().empty()) status.clear_resize();
  if (!claims_in_use) status.clear_resourceclaimstatuses();
  if (old != nullptr && StatusUses(*old)) return;
  DropFromStatuses(status.mutable_containerstatuses());
  DropFromStatuses(status.mutable_initcontainerstatuses());
  DropFromStatuses(status.mutable_ephemeralcontainerstatuses());
}

}  // namespace

void DropDisabledPodFields(core::Pod& pod, const core::Pod* old) {
  DropDisabledSpecFields(*pod.mutable_spec(), old == nullptr ? nullptr : &old->spec());
  DropDisabledStatusFields(*pod.mutable_status(), old == nullptr ? nullptr : &old->status(),
                           old != nullptr && old->spec().resourceclaims_size() > 0);
}

void DropDisabledTemplateFields(core::PodTemplateSpec& pod_template, const core::PodTemplateSpec* old) {
  DropDisabledSpecFields(*pod_template.mutable_spec(), old == nullptr ? nullptr : &old->spec());
}

}  // namespace knarr::registry::core_group
