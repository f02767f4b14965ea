#include "pkg/kubelet/pod_metrics.h"

#include <algorithm>
#include <map>

namespace knarr::kubelet {
namespace {

std::string_view NameOf(ContainerState state) {
  switch (state) {
    case ContainerState::kCreated: return "created";
    case ContainerState::kRunning: return "running";
    case ContainerState::kExited: return "exited";
    case ContainerState::kUnknown: return "unknown";
  }
  return "unknown";
}

void Write(const PodWorkers& workers, metrics::TextWriter& out) {
  double desired = 0, active = 0, running = 0;
  std::map<std::string_view, double> containers;
  for (const PodWorkers::Snapshot& pod : workers.List()) {
    if (pod.pod) ++desired;
    if (pod.phase != PodWorkers::Phase::kFinished) ++active;
    if (std::any_of(pod.runtime.sandboxes.begin(), pod.runtime.sandboxes.end(), [](const SandboxStatus& s) { return s.ready; })) ++running;
    for (const ContainerStatus& container : pod.runtime.containers) ++containers[NameOf(container.state)];
  }
  out.Family("kubelet_active_pods", "[ALPHA] The number of pods the kubelet considers active and which are being considered when admitting new pods.", "gauge");
  out.Sample("kubelet_active_pods", {{"static", "true"}}, active);
  out.Family("kubelet_desired_pods", "[ALPHA] The number of pods the kubelet is being instructed to run.", "gauge");
  out.Sample("kubelet_desired_pods", {{"static", "true"}}, desired);
  out.Family("kubelet_running_containers", "[ALPHA] Number of containers currently running", "gauge");
  for (const auto& [state, count] : containers) out.Sample("kubelet_running_containers", {{"container_state", state}}, count);
  out.Family("kubelet_running_pods", "[ALPHA] Number of pods that have a running pod sandbox", "gauge");
  out.Sample("kubelet_running_pods", {}, running);
}

}  // namespace

void RegisterPodMetrics(metrics::Registry& registry, const PodWorkers& workers) {
  registry.AddCollector("kubelet_pods", [&workers](metrics::TextWriter& out) { Write(workers, out); });
}

}  // namespace knarr::kubelet
