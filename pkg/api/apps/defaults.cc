#include "pkg/api/apps/defaults.h"

#include "k8s.io/api/apps/v1/generated.pb.h"
#include "pkg/api/core/defaults.h"
#include "pkg/api/intstr/intstr.h"

namespace knarr::api {
namespace {

// What a claim of a StatefulSet gets.
void SetClaimDefaults(core::PersistentVolumeClaim& claim) {
  if (claim.status().phase().empty()) claim.mutable_status()->set_phase("Pending");
  if (!claim.spec().has_volumemode()) claim.mutable_spec()->set_volumemode("Filesystem");
}

}  // namespace

void SetDefaults(apps::Deployment& deployment) {
  apps::DeploymentSpec& spec = *deployment.mutable_spec();
  if (!spec.has_replicas()) spec.set_replicas(1);
  apps::DeploymentStrategy& strategy = *spec.mutable_strategy();
  if (strategy.type().empty()) strategy.set_type("RollingUpdate");
  if (strategy.type() == "RollingUpdate") {
    apps::RollingUpdateDeployment& rolling = *strategy.mutable_rollingupdate();
    if (!rolling.has_maxunavailable()) *rolling.mutable_maxunavailable() = intstr::FromString("25%");
    if (!rolling.has_maxsurge()) *rolling.mutable_maxsurge() = intstr::FromString("25%");
  }
  if (!spec.has_revisionhistorylimit()) spec.set_revisionhistorylimit(10);
  if (!spec.has_progressdeadlineseconds()) spec.set_progressdeadlineseconds(600);
  SetDefaults(*spec.mutable_template_()->mutable_spec());
}

void SetDefaults(apps::ReplicaSet& replica_set) {
  apps::ReplicaSetSpec& spec = *replica_set.mutable_spec();
  if (!spec.has_replicas()) spec.set_replicas(1);
  SetDefaults(*spec.mutable_template_()->mutable_spec());
}

void SetDefaults(apps::DaemonSet& daemon_set) {
  apps::DaemonSetSpec& spec = *daemon_set.mutable_spec();
  apps::DaemonSetUpdateStrategy& strategy = *spec.mutable_updatestrategy();
  if (strategy.type().empty()) strategy.set_type("RollingUpdate");
  if (strategy.type() == "RollingUpdate") {
    apps::RollingUpdateDaemonSet& rolling = *strategy.mutable_rollingupdate();
    if (!rolling.has_maxunavailable()) *rolling.mutable_maxunavailable() = intstr::FromInt32(1);
    if (!rolling.has_maxsurge()) *rolling.mutable_maxsurge() = intstr::FromInt32(0);
  }
  if (!spec.has_revisionhistorylimit()) spec.set_revisionhistorylimit(10);
  SetDefaults(*spec.mutable_template_()->mutable_spec());
}

void SetDefaults(apps::StatefulSet& stateful_set) {
  apps::StatefulSetSpec& spec = *stateful_set.mutable_spec();
  if (spec.podmanagementpolicy().empty()) spec.set_podmanagementpolicy("OrderedReady");
  apps::StatefulSetUpdateStrategy& strategy = *spec.mutable_updatestrategy();
  if (strategy.type().empty()) {
    strategy.set_type("RollingUpdate");
    if (!strategy.has_rollingupdate()) strategy.mutable_rollingupdate();
  }
  if (strategy.type() == "RollingUpdate" && strategy.has_rollingupdate() && !strategy.rollingupdate().has_partition()) {
    strategy.mutable_rollingupdate()->set_partition(0);
  }
  auto& retention = *spec.mutable_persistentvolumeclaimretentionpolicy();
  if (retention.whendeleted().empty()) retention.set_whendeleted("Retain");
  if (retention.whenscaled().empty()) retention.set_whenscaled("Retain");
  if (!spec.has_replicas()) spec.set_replicas(1);
  if (!spec.has_revisionhistorylimit()) spec.set_revisionhistorylimit(10);
  SetDefaults(*spec.mutable_template_()->mutable_spec());
  for (auto& claim : *spec.mutable_volumeclaimtemplates()) SetClaimDefaults(claim);
}

}  // namespace knarr::api
