#include "pkg/apiserver/admission/admission.h"
#include "pkg/apiserver/admission/plugins/plugins.h"

namespace knarr::admission {

// The order is upstream's: mutating plugins see what earlier ones did; ResourceQuota counts what is really written.
const std::vector<KnownPlugin>& KnownPlugins() {
  static const auto* const kAll = new std::vector<KnownPlugin>{
      {"AlwaysAdmit", false, NewAlwaysAdmit},
      {"NamespaceAutoProvision", false, NewNamespaceAutoProvision},
      {"NamespaceLifecycle", true, NewNamespaceLifecycle},
      {"NamespaceExists", false, NewNamespaceExists},
      {"LimitPodHardAntiAffinityTopology", false, NewLimitPodHardAntiAffinityTopology},
      {"LimitRanger", true, NewLimitRanger},
      {"ServiceAccount", true, NewServiceAccount},
      {"NodeRestriction", false, NewNodeRestriction},
      {"TaintNodesByCondition", true, NewTaintNodesByCondition},
      {"AlwaysPullImages", false, NewAlwaysPullImages},
      {"ImagePolicyWebhook", false, nullptr},
      {"PodSecurity", true, NewPodSecurity},
      {"PodNodeSelector", false, NewPodNodeSelector},
      {"Priority", true, NewPriority},
      {"DefaultTolerationSeconds", true, NewDefaultTolerationSeconds},
      {"PodTolerationRestriction", false, nullptr},
      {"EventRateLimit", false, nullptr},
      {"ExtendedResourceToleration", false, NewExtendedResourceToleration},
      {"DefaultStorageClass", true, NewDefaultStorageClass},
      {"StorageObjectInUseProtection", true, NewStorageObjectInUseProtection},
      {"OwnerReferencesPermissionEnforcement", false, NewOwnerReferencesPermissionEnforcement},
      {"PersistentVolumeClaimResize", true, NewPersistentVolumeClaimResize},
      {"RuntimeClass", true, NewRuntimeClass},
      {"CertificateApproval", true, NewCertificateApproval},
      {"CertificateSigning", true, NewCertificateSigning},
      {"ClusterTrustBundleAttest", true, nullptr},
      {"CertificateSubjectRestriction", true, NewCertificateSubjectRestriction},
      {"DefaultIngressClass", true, NewDefaultIngressClass},
      {"DenyServiceExternalIPs", false, NewDenyServiceExternalIPs},
      {"MutatingAdmissionPolicy", true, nullptr},
      {"MutatingAdmissionWebhook", true, nullptr},
      {"ValidatingAdmissionPolicy", true, nullptr},
      {"ValidatingAdmissionWebhook", true, nullptr},
      {"ResourceQuota", true, NewResourceQuota},
      {"AlwaysDeny", false, NewAlwaysDeny},
  };
  return *kAll;
}

}  // namespace knarr::admission
