// Validation of core/v1 objects with upstream's paths, reasons and messages.
// Mirrors: kubernetes/pkg/apis/core/validation/validation.go of 1.32. Input is an object after SetDefaults.
#pragma once

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/field/field.h"
#include "pkg/api/types.h"

namespace knarr::api {

field::ErrorList ValidatePod(const core::Pod& pod);
field::ErrorList ValidateConfigMap(const core::ConfigMap& config_map);
field::ErrorList ValidateSecret(const core::Secret& secret);
// What kubelet/config adds for static pods: no service account, no PVC, no claims. ConfigMaps and Secrets are
// allowed: Knarr resolves them from the manifest directory.
field::ErrorList ValidateStaticPod(const core::Pod& pod);

// v1.PodQOSClass by the resources of all containers. Mirrors: pkg/apis/core/v1/helper/qos/qos.go
enum class QosClass { kGuaranteed, kBurstable, kBestEffort };
QosClass ComputeQosClass(const core::Pod& pod);
std::string_view ToString(QosClass qos);

}  // namespace knarr::api
