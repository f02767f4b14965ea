#include "pkg/apiserver/auth/authz/references.h"

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/types.h"

namespace knarr::auth {
namespace {

constexpr const char* kMirrorAnnotation = "kubernetes.io/config.mirror";

template <typename Container, typename Visit>
void VisitContainer(const Container& container, const Visit& visit) {
  for (const auto& env : container.env()) {
    if (!env.has_valuefrom()) continue;
    const auto& from = env.valuefrom();
    if (from.has_secretkeyref()) visit(RefKind::kSecret, from.secretkeyref().localobjectreference().name());
    if (from.has_configmapkeyref()) visit(RefKind::kConfigMap, from.configmapkeyref().localobjectreference().name());
  }
  for (const auto& from : container.envfrom()) {
    if (from.has_secretref()) visit(RefKind::kSecret, from.secretref().localobjectreference().name());
    if (from.has_configmapref()) visit(RefKind::kConfigMap, from.configmapref().localobjectreference().name());
  }
}

}  // namespace

void VisitPodReferences(const core::Pod& pod, const std::function<void(RefKind, const std::string& name)>& visit_all) {
  if (pod.metadata().annotations().contains(kMirrorAnnotation)) return;
  const auto visit = [&](RefKind kind, const std::string& name) {
    if (!name.empty()) visit_all(kind, name);
  };
  const core::PodSpec& spec = pod.spec();
  visit(RefKind::kServiceAccount, spec.serviceaccountname());
  for (const auto& secret : spec.imagepullsecrets()) visit(RefKind::kSecret, secret.name());
  for (const auto& container : spec.initcontainers()) VisitContainer(container, visit);
  for (const auto& container : spec.containers()) VisitContainer(container, visit);
  for (const auto& container : spec.ephemeralcontainers()) VisitContainer(container.ephemeralcontainercommon(), visit);
  for (const auto& volume : spec.volumes()) {
    const core::VolumeSource& source = volume.volumesource();
    const auto ref = [&](const auto& from) {
      if (from.has_secretref()) visit(RefKind::kSecret, from.secretref().name());
    };
    ref(source.cephfs());
    ref(source.cinder());
    ref(source.flexvolume());
    ref(source.rbd());
    ref(source.scaleio());
    ref(source.iscsi());
    ref(source.storageos());
    visit(RefKind::kSecret, source.azurefile().secretname());
    visit(RefKind::kSecret, source.secret().secretname());
    visit(RefKind::kSecret, source.csi().nodepublishsecretref().name());
    visit(RefKind::kConfigMap, source.configmap().localobjectreference().name());
    for (const auto& part : source.projected().sources()) {
      visit(RefKind::kSecret, part.secret().localobjectreference().name());
      visit(RefKind::kConfigMap, part.configmap().localobjectreference().name());
    }
    if (source.has_persistentvolumeclaim()) {
      visit(RefKind::kClaim, source.persistentvolumeclaim().claimname());
    } else if (source.has_ephemeral()) {
      visit(RefKind::kClaim, pod.metadata().name() + "-" + volume.name());
    }
  }
}

void VisitVolumeSecrets(const core::PersistentVolume& volume,
                        const std::function<void(const std::string& ns, const std::string& name)>& visit) {
  const core::PersistentVolumeSource& source = volume.spec().persistentvolumesource();
  const std::string& claim_ns = volume.spec().claimref().namespace_();
  const auto add = [&](const auto& ref) {
    if (!ref.name().empty()) visit(ref.namespace_().empty() ? claim_ns : ref.namespace_(), ref.name());
  };
  if (const auto& azure = source.azurefile(); !azure.secretname().empty())
    visit(azure.secretnamespace().empty() ? claim_ns : azure.secretnamespace(), azure.secretname());
  add(source.cephfs().secretref());
  add(source.cinder().secretref());
  add(source.flexvolume().secretref());
  add(source.rbd().secretref());
  add(source.scaleio().secretref());
  add(source.iscsi().secretref());
  add(source.storageos().secretref());
  add(source.csi().nodepublishsecretref());
  add(source.csi().nodestagesecretref());
  add(source.csi().nodeexpandsecretref());
}

}  // namespace knarr::auth
