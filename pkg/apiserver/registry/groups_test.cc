// What must hold for the kinds of all groups but core: where and in which version they are stored, and that every
// version served can be reached and left.
#include <boost/test/unit_test.hpp>

#include <map>

#include "pkg/api/codec/codec.h"
#include "pkg/api/conversion/conversion.h"
#include "pkg/apiserver/registry/admissionregistration/kinds.h"
#include "pkg/apiserver/registry/apps/kinds.h"
#include "pkg/apiserver/registry/autoscaling/kinds.h"
#include "pkg/apiserver/registry/batch/kinds.h"
#include "pkg/apiserver/registry/certificates/kinds.h"
#include "pkg/apiserver/registry/coordination/kinds.h"
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

std::vector<Kind> AllKinds() {
  std::vector<Kind> all;
  for (std::vector<Kind> (*group)(const BuiltinDeps&) :
       {AdmissionRegistrationKinds, AppsKinds, AutoscalingKinds, BatchKinds, CertificatesKinds, CoordinationKinds,
        DiscoveryKinds, EventsKinds, FlowcontrolKinds, NetworkingKinds, NodeGroupKinds, PolicyKinds, RbacKinds,
        SchedulingKinds, StorageKinds}) {
    for (Kind& kind : group({})) all.push_back(std::move(kind));
  }
  return all;
}

BOOST_AUTO_TEST_SUITE(groups)

// What a kube-apiserver 1.20 on the same etcd finds and can read.
BOOST_AUTO_TEST_CASE(stored_as_1_20_reads_it) {
  const std::map<std::string, std::pair<std::string_view, std::string_view>> expected = {
      {"controllerrevisions.apps", {"apps/v1", "/registry/controllerrevisions/"}},
      {"daemonsets.apps", {"apps/v1", "/registry/daemonsets/"}},
      {"deployments.apps", {"apps/v1", "/registry/deployments/"}},
      {"replicasets.apps", {"apps/v1", "/registry/replicasets/"}},
      {"statefulsets.apps", {"apps/v1", "/registry/statefulsets/"}},
      {"horizontalpodautoscalers.autoscaling", {"autoscaling/v1", "/registry/horizontalpodautoscalers/"}},
      {"jobs.batch", {"batch/v1", "/registry/jobs/"}},
      {"cronjobs.batch", {"batch/v1beta1", "/registry/cronjobs/"}},
      {"certificatesigningrequests.certificates.k8s.io",
       {"certificates.k8s.io/v1", "/registry/certificatesigningrequests/"}},
      {"leases.coordination.k8s.io", {"coordination.k8s.io/v1", "/registry/leases/"}},
      {"endpointslices.discovery.k8s.io", {"discovery.k8s.io/v1beta1", "/registry/endpointslices/"}},
      {"events.events.k8s.io", {"v1", "/registry/events/"}},
      {"flowschemas.flowcontrol.apiserver.k8s.io", {"flowcontrol.apiserver.k8s.io/v1beta1", "/registry/flowschemas/"}},
      {"prioritylevelconfigurations.flowcontrol.apiserver.k8s.io",
       {"flowcontrol.apiserver.k8s.io/v1beta1", "/registry/prioritylevelconfigurations/"}},
      {"ingresses.networking.k8s.io", {"networking.k8s.io/v1", "/registry/ingress/"}},
      {"ingressclasses.networking.k8s.io", {"networking.k8s.io/v1", "/registry/ingressclasses/"}},
      {"networkpolicies.networking.k8s.io", {"networking.k8s.io/v1", "/registry/networkpolicies/"}},
      {"runtimeclasses.node.k8s.io", {"node.k8s.io/v1beta1", "/registry/runtimeclasses/"}},
      {"poddisruptionbudgets.policy", {"policy/v1beta1", "/registry/poddisruptionbudgets/"}},
      {"roles.rbac.authorization.k8s.io", {"rbac.authorization.k8s.io/v1", "/registry/roles/"}},
      {"clusterroles.rbac.authorization.k8s.io", {"rbac.authorization.k8s.io/v1", "/registry/clusterroles/"}},
      {"rolebindings.rbac.authorization.k8s.io", {"rbac.authorization.k8s.io/v1", "/registry/rolebindings/"}},
      {"clusterrolebindings.rbac.authorization.k8s.io",
       {"rbac.authorization.k8s.io/v1", "/registry/clusterrolebindings/"}},
      {"priorityclasses.scheduling.k8s.io", {"scheduling.k8s.io/v1", "/registry/priorityclasses/"}},
      {"storageclasses.storage.k8s.io", {"storage.k8s.io/v1", "/registry/storageclasses/"}},
      {"volumeattachments.storage.k8s.io", {"storage.k8s.io/v1", "/registry/volumeattachments/"}},
      {"csinodes.storage.k8s.io", {"storage.k8s.io/v1", "/registry/csinodes/"}},
      {"csidrivers.storage.k8s.io", {"storage.k8s.io/v1", "/registry/csidrivers/"}},
      {"csistoragecapacities.storage.k8s.io", {"storage.k8s.io/v1", "/registry/csistoragecapacities/"}},
  };
  size_t found = 0;
  for (const Kind& kind : AllKinds()) {
    if (kind.group == "admissionregistration.k8s.io") continue;
    const auto at = expected.find(kind.GroupResource());
    BOOST_TEST((at != expected.end()), kind.GroupResource());
    if (at == expected.end()) continue;
    ++found;
    BOOST_TEST(kind.storage_version == at->second.first);
    BOOST_TEST(kind.storage_prefix == at->second.second);
  }
  BOOST_TEST(found == expected.size());
}

BOOST_AUTO_TEST_CASE(every_version_there_and_back) {
  for (const Kind& kind : AllKinds()) {
    Object hub(std::unique_ptr<google::protobuf::Message>(kind.versions.front().prototype().New()));
    kind.strategy->SetDefaults(hub);
    std::vector<std::string> versions = {kind.storage_version};
    for (const ServedVersion& served : kind.versions) versions.push_back(kind.group + "/" + served.version);
    for (const std::string& version : versions) {
      auto there = conversion::Convert(hub.message(), kind.kind, kind.HubApiVersion(), version);
      BOOST_REQUIRE_MESSAGE(there.ok(), kind.GroupResource() + " " + version);
      auto back = conversion::Convert(**there, kind.kind, version, kind.HubApiVersion());
      BOOST_REQUIRE_MESSAGE(back.ok(), kind.GroupResource() + " " + version);
      Object again(std::move(*back));
      kind.strategy->SetDefaults(again);
      // v1beta1 gives certificate requests what v1 demands.
      if (kind.kind == "CertificateSigningRequest" && version.ends_with("v1beta1")) continue;
      BOOST_TEST(codec::EncodeJson(again.message()) == codec::EncodeJson(hub.message()));
    }
  }
}

BOOST_AUTO_TEST_CASE(every_kind_has_what_it_needs) {
  for (const Kind& kind : AllKinds()) {
    BOOST_TEST((kind.name_validator != nullptr), kind.GroupResource());
    const Object empty(std::unique_ptr<google::protobuf::Message>(kind.versions.front().prototype().New()));
    BOOST_TEST(kind.strategy->Cells(empty, WallTime()).size() == kind.strategy->Columns().size());
    // Betas are older than what they are warned of.
    for (const ServedVersion& served : kind.versions) {
      const bool beta = served.version.find("beta") != std::string::npos;
      BOOST_TEST(beta == !served.deprecation_warning.empty(), kind.GroupResource() + " " + served.version);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::registry
