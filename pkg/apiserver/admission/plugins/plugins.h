// Makers of the plugins, each in the file of its name or of its subject.
#pragma once

#include <memory>

#include "pkg/apiserver/admission/admission.h"

namespace knarr::admission {

using PluginResult = Result<std::unique_ptr<Plugin>>;

PluginResult NewAlwaysAdmit(const PluginDeps& deps);
PluginResult NewAlwaysDeny(const PluginDeps& deps);
PluginResult NewNamespaceAutoProvision(const PluginDeps& deps);
PluginResult NewNamespaceExists(const PluginDeps& deps);
PluginResult NewNamespaceLifecycle(const PluginDeps& deps);
PluginResult NewLimitPodHardAntiAffinityTopology(const PluginDeps& deps);
PluginResult NewLimitRanger(const PluginDeps& deps);
PluginResult NewServiceAccount(const PluginDeps& deps);
PluginResult NewNodeRestriction(const PluginDeps& deps);
PluginResult NewTaintNodesByCondition(const PluginDeps& deps);
PluginResult NewAlwaysPullImages(const PluginDeps& deps);
PluginResult NewPodSecurity(const PluginDeps& deps);
PluginResult NewPodNodeSelector(const PluginDeps& deps);
PluginResult NewPriority(const PluginDeps& deps);
PluginResult NewDefaultTolerationSeconds(const PluginDeps& deps);
PluginResult NewExtendedResourceToleration(const PluginDeps& deps);
PluginResult NewDefaultStorageClass(const PluginDeps& deps);
PluginResult NewStorageObjectInUseProtection(const PluginDeps& deps);
PluginResult NewOwnerReferencesPermissionEnforcement(const PluginDeps& deps);
PluginResult NewPersistentVolumeClaimResize(const PluginDeps& deps);
PluginResult NewRuntimeClass(const PluginDeps& deps);
PluginResult NewCertificateApproval(const PluginDeps& deps);
PluginResult NewCertificateSigning(const PluginDeps& deps);
PluginResult NewCertificateSubjectRestriction(const PluginDeps& deps);
PluginResult NewDefaultIngressClass(const PluginDeps& deps);
PluginResult NewDenyServiceExternalIPs(const PluginDeps& deps);
PluginResult NewResourceQuota(const PluginDeps& deps);

// A list for plugins; empty where the kind is not served.
inline Result<std::vector<registry::ObjectRef>> ListServed(const Context& ctx, registry::Access& access,
                                                           registry::GroupResource what, std::string_view ns) {
  auto listed = access.List(ctx, what, ns);
  if (!listed.ok() && listed.status().Is(Code::kNotFound)) return std::vector<registry::ObjectRef>();
  return listed;
}

// For plugins that do a part of the operations.
class PluginBase : public Plugin {
 public:
  PluginBase(std::string_view name, std::initializer_list<Operation> operations, const PluginDeps& deps)
      : deps_(deps), name_(name) {
    for (const Operation operation : operations) operations_ |= 1U << static_cast<unsigned>(operation);
  }
  std::string_view Name() const final { return name_; }
  bool Handles(Operation operation) const final { return (operations_ >> static_cast<unsigned>(operation) & 1U) != 0; }

 protected:
  const PluginDeps deps_;

 private:
  const std::string_view name_;
  unsigned operations_ = 0;
};

}  // namespace knarr::admission
