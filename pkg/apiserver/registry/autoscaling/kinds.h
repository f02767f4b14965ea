// HorizontalPodAutoscalers.
// Mirrors: pkg/registry/autoscaling/rest/storage_autoscaling.go
#pragma once

#include <vector>

#include "pkg/apiserver/registry/builtin.h"

namespace knarr::registry {

std::vector<Kind> AutoscalingKinds(const BuiltinDeps& deps);

}  // namespace knarr::registry
