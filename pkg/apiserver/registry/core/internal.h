// One function for each kind of the core group; each lies in a file of its own or with its relatives.
#pragma once

#include "pkg/apiserver/registry/builtin.h"

namespace knarr::registry::core_group {

Kind ComponentStatusKind(const BuiltinDeps& deps);
Kind ConfigMapKind();
Kind SecretKind();
Kind ServiceAccountKind(const BuiltinDeps& deps);
Kind NamespaceKind();
Kind NodeKind();
Kind EventKind();
Kind EndpointsKind();
Kind PodKind();
Kind PodTemplateKind();
Kind ReplicationControllerKind();
Kind LimitRangeKind();
Kind ResourceQuotaKind();
Kind PersistentVolumeKind();
Kind PersistentVolumeClaimKind();

// A status subresource: GET, PATCH and PUT of the object itself.
inline Subresource StatusSubresource(std::shared_ptr<const Strategy> strategy) {
  Subresource status;
  status.name = "status";
  status.verbs = {"get", "patch", "update"};
  status.strategy = std::move(strategy);
  return status;
}

}  // namespace knarr::registry::core_group
