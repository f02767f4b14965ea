// What must be done to bring a pod from what runs to what should run. A pure function; SyncPod carries it out.
// Mirrors: pkg/kubelet/kuberuntime/{kuberuntime_manager.go computePodActions,kuberuntime_container.go
// computeInitContainerActions} of 1.32, with sidecar containers on
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/types.h"
#include "pkg/kubelet/container/types.h"

namespace knarr::kubelet {

// Why a container is killed; a failed probe may bring its own grace period.
enum class KillReason { kNone, kLivenessProbe, kStartupProbe, kUnknownState, kFailedPostStartHook };

struct ContainerToKill {
  std::string id, name;
  std::string message;  // of the Killing event
  KillReason reason = KillReason::kNone;
};

struct PodActions {
  bool kill_pod = false;        // everything that runs, and the sandbox
  bool create_sandbox = false;  // after killing
  uint32_t attempt = 0;         // of the sandbox to create, or of the one there is
  std::string sandbox_id;       // the pod's sandbox, or the one to replace
  std::vector<int> init_containers_to_start;  // indexes into spec.initContainers, in order
  std::vector<int> containers_to_start;       // indexes into spec.containers
  std::vector<ContainerToKill> containers_to_kill;

  bool Nothing() const {
    return !kill_pod && !create_sandbox && init_containers_to_start.empty() && containers_to_start.empty() && containers_to_kill.empty();
  }
};

// Answers of the prober by container id: false: failed for good, kill it; nullopt: nothing known yet.
struct ProbeAnswers {
  std::function<std::optional<bool>(const std::string& id)> live, started;
};

PodActions ComputePodActions(const core::Pod& pod, const RuntimePodStatus& status, const ProbeAnswers& probes);

}  // namespace knarr::kubelet
