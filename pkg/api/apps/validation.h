// Validation of apps/v1 with upstream's paths, reasons and messages; metadata is validated apart.
// Mirrors: pkg/apis/apps/validation/validation.go of 1.32. Input is an object after SetDefaults.
#pragma once

#include "pkg/api/field/field.h"
#include "pkg/api/types.h"

namespace k8s::io::api::apps::v1 {
class ControllerRevision;
class DaemonSet;
class Deployment;
class ReplicaSet;
class StatefulSet;
}  // namespace k8s::io::api::apps::v1

namespace knarr::api {

field::ErrorList ValidateDeployment(const apps::Deployment& deployment);
field::ErrorList ValidateDeploymentUpdate(const apps::Deployment& updated, const apps::Deployment& old);
field::ErrorList ValidateDeploymentStatusUpdate(const apps::Deployment& updated, const apps::Deployment& old);

field::ErrorList ValidateReplicaSet(const apps::ReplicaSet& replica_set);
field::ErrorList ValidateReplicaSetUpdate(const apps::ReplicaSet& updated, const apps::ReplicaSet& old);
field::ErrorList ValidateReplicaSetStatus(const apps::ReplicaSet& replica_set);

field::ErrorList ValidateDaemonSet(const apps::DaemonSet& daemon_set);
field::ErrorList ValidateDaemonSetUpdate(const apps::DaemonSet& updated, const apps::DaemonSet& old);
field::ErrorList ValidateDaemonSetStatusUpdate(const apps::DaemonSet& updated, const apps::DaemonSet& old);

field::ErrorList ValidateStatefulSet(const apps::StatefulSet& stateful_set);
field::ErrorList ValidateStatefulSetUpdate(const apps::StatefulSet& updated, const apps::StatefulSet& old);
field::ErrorList ValidateStatefulSetStatusUpdate(const apps::StatefulSet& updated, const apps::StatefulSet& old);

field::ErrorList ValidateControllerRevision(const apps::ControllerRevision& revision);
field::ErrorList ValidateControllerRevisionUpdate(const apps::ControllerRevision& updated,
                                                  const apps::ControllerRevision& old);

}  // namespace knarr::api
