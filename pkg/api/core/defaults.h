// Defaults of core/v1 objects, as an API server applies them when it decodes one.
// Mirrors: kubernetes/pkg/apis/core/v1/{defaults.go,zz_generated.defaults.go} of 1.32, and what conversion.go changes
// in passing (serviceAccount, stringData, negative grace periods).
#pragma once

#include "pkg/api/types.h"

namespace k8s::io::api::core::v1 {
class ConfigMap;
class Endpoints;
class LimitRange;
class Namespace;
class Node;
class PersistentVolume;
class PersistentVolumeClaim;
class Pod;
class PodSpec;
class PodTemplate;
class ReplicationController;
class ResourceQuota;
class Secret;
}  // namespace k8s::io::api::core::v1

namespace knarr::api {

// Everything a Pod contains: probes, ports, volumes, security context; tolerations are left alone (admission's).
// Applying it twice changes nothing.
void SetDefaults(core::Pod& pod);
// The part that pod templates get as well.
void SetDefaults(core::PodSpec& spec);
void SetDefaults(core::ConfigMap& config_map);
// stringData is moved into data, as in upstream's conversion.
void SetDefaults(core::Secret& secret);
void SetDefaults(core::Endpoints& endpoints);
void SetDefaults(core::LimitRange& range);
void SetDefaults(core::Namespace& space);
void SetDefaults(core::Node& node);
void SetDefaults(core::PersistentVolume& volume);
void SetDefaults(core::PersistentVolumeClaim& claim);
void SetDefaults(core::PodTemplate& object);
void SetDefaults(core::ReplicationController& controller);
void SetDefaults(core::ResourceQuota& quota);

}  // namespace knarr::api
