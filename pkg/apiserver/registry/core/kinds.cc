#include "pkg/apiserver/registry/core/kinds.h"

#include "pkg/apiserver/registry/core/internal.h"
#include "pkg/apiserver/registry/core/pod.h"
#include "pkg/apiserver/registry/core/service.h"

namespace knarr::registry {

std::vector<Kind> CoreKinds(const BuiltinDeps& deps) {
  using namespace core_group;  // NOLINT: the list is all of that namespace
  std::vector<Kind> kinds;
  kinds.push_back(BindingKind());
  kinds.push_back(ComponentStatusKind(deps));
  kinds.push_back(ConfigMapKind());
  kinds.push_back(EndpointsKind());
  kinds.push_back(EventKind());
  kinds.push_back(LimitRangeKind());
  kinds.push_back(NamespaceKind());
  kinds.push_back(NodeKind());
  kinds.push_back(PersistentVolumeClaimKind());
  kinds.push_back(PersistentVolumeKind());
  kinds.push_back(PodKind());
  kinds.push_back(PodTemplateKind());
  kinds.push_back(ReplicationControllerKind());
  kinds.push_back(ResourceQuotaKind());
  kinds.push_back(SecretKind());
  kinds.push_back(ServiceAccountKind(deps));
  kinds.push_back(ServiceKind(deps));
  return kinds;
}

}  // namespace knarr::registry
