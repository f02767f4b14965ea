// Defaults of apps/v1. Applying them twice changes nothing.
// Mirrors: pkg/apis/apps/v1/defaults.go of 1.32
#pragma once

#include "pkg/api/types.h"

namespace k8s::io::api::apps::v1 {
class DaemonSet;
class Deployment;
class ReplicaSet;
class StatefulSet;
}  // namespace k8s::io::api::apps::v1

namespace knarr::api {

void SetDefaults(apps::Deployment& deployment);
void SetDefaults(apps::ReplicaSet& replica_set);
void SetDefaults(apps::DaemonSet& daemon_set);
void SetDefaults(apps::StatefulSet& stateful_set);

}  // namespace knarr::api
