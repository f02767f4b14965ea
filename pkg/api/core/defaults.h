// Defaults of core/v1 objects, as an API server applies them when it decodes one.
// Mirrors: kubernetes/pkg/apis/core/v1/{defaults.go,zz_generated.defaults.go} of 1.32, and what conversion.go changes
// in passing (serviceAccount, stringData, negative grace periods).
#pragma once

#include "pkg/api/types.h"

namespace k8s::io::api::core::v1 {
class ConfigMap;
class Pod;
class PodSpec;
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

}  // namespace knarr::api
