#include "pkg/apiserver/registry/builtin.h"

#include <iterator>

#include "pkg/apiserver/auth/reviews/reviews.h"
#include "pkg/apiserver/auth/serviceaccount/serviceaccount.h"
#include "pkg/apiserver/proxy/pod_streams.h"
#include "pkg/apiserver/proxy/proxies.h"
#include "pkg/apiserver/registry/admissionregistration/kinds.h"
#include "pkg/apiserver/registry/apps/kinds.h"
#include "pkg/apiserver/registry/autoscaling/kinds.h"
#include "pkg/apiserver/registry/batch/kinds.h"
#include "pkg/apiserver/registry/certificates/kinds.h"
#include "pkg/apiserver/registry/coordination/kinds.h"
#include "pkg/apiserver/registry/core/kinds.h"
#include "pkg/apiserver/registry/discovery/kinds.h"
#include "pkg/apiserver/registry/events/kinds.h"
#include "pkg/apiserver/registry/flowcontrol/kinds.h"
#include "pkg/apiserver/registry/networking/kinds.h"
#include "pkg/apiserver/registry/node/kinds.h"
#include "pkg/apiserver/registry/policy/kinds.h"
#include "pkg/apiserver/registry/rbac/kinds.h"
#include "pkg/apiserver/registry/scheduling/kinds.h"
#include "pkg/apiserver/registry/storage/kinds.h"

namespace knarr::registry {
namespace {

// What leads out of the server, to kubelets and backends.
void AddStreams(const BuiltinDeps& deps, Kind& kind) {
  const auto add = [&](std::vector<Subresource> some) {
    kind.subresources.insert(kind.subresources.end(), std::make_move_iterator(some.begin()),
                             std::make_move_iterator(some.end()));
  };
  if (!kind.group.empty()) return;
  if (kind.resource == "pods") {
    add(proxy::PodStreamSubresources(deps));
    add(proxy::PodProxySubresources(deps));
  } else if (kind.resource == "nodes") {
    add(proxy::NodeProxySubresources(deps));
  } else if (kind.resource == "services") {
    add(proxy::ServiceProxySubresources(deps));
  }
}

}  // namespace

std::vector<Kind> BuiltinKinds(const BuiltinDeps& deps) {
  std::vector<Kind> kinds;
  for (std::vector<Kind> (*group)(const BuiltinDeps&) : {
           CoreKinds,
           AdmissionRegistrationKinds,
           AppsKinds,
           auth::ReviewKinds,
           AutoscalingKinds,
           BatchKinds,
           CertificatesKinds,
           CoordinationKinds,
           DiscoveryKinds,
           EventsKinds,
           FlowcontrolKinds,
           NetworkingKinds,
           NodeGroupKinds,
           PolicyKinds,
           RbacKinds,
           SchedulingKinds,
           StorageKinds,
       }) {
    std::vector<Kind> some = group(deps);
    kinds.insert(kinds.end(), std::make_move_iterator(some.begin()), std::make_move_iterator(some.end()));
  }
  for (Kind& kind : kinds) AddStreams(deps, kind);
  if (deps.service_account_keys) {
    for (Kind& kind : kinds) {
      if (kind.group.empty() && kind.resource == "serviceaccounts")
        kind.subresources.push_back(auth::TokenSubresource(deps.service_account_keys));
    }
  }
  return kinds;
}

}  // namespace knarr::registry
