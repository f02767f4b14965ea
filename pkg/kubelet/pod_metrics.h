// Upstream's gauges of pods and containers, computed when somebody asks. Mirrors: pkg/kubelet/metrics/metrics.go
#pragma once

#include "pkg/base/metrics/metrics.h"
#include "pkg/kubelet/podworker/pod_workers.h"

namespace knarr::kubelet {

// kubelet_desired_pods, kubelet_active_pods, kubelet_running_pods, kubelet_running_containers. The workers must outlive
// the last Expose() of the registry.
void RegisterPodMetrics(metrics::Registry& registry, const PodWorkers& workers);

}  // namespace knarr::kubelet
