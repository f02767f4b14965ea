// Defaults of core/v1 objects. Mirrors: kubernetes/pkg/apis/core/v1/{defaults.go,zz_generated.defaults.go} of 1.32.
#pragma once

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/types.h"

namespace knarr::api {

// Everything a Pod contains: probes, ports, volumes, security context, tolerations left alone.
void SetDefaults(core::Pod& pod);
void SetDefaults(core::PodSpec& spec);
void SetDefaults(core::ConfigMap& config_map);
void SetDefaults(core::Secret& secret);

}  // namespace knarr::api
