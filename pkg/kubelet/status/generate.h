// The pod's status as the API shows it, from its spec, what the runtime says, and what the kubelet knows beside that.
// Pure: same input, same output; no clock, no calls but the probe callback.
// Mirrors: pkg/kubelet/kubelet_pods.go (generateAPIPodStatus, convertStatusToAPIStatus, getPhase) and
// pkg/kubelet/status/{generate,status_manager}.go of 1.32
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/types.h"
#include "pkg/base/clock.h"
#include "pkg/kubelet/container/types.h"

namespace knarr::kubelet {

struct StatusFacts {
  WallTime now{};                     // for conditions that change
  std::vector<std::string> host_ips;  // status.hostIP(s), and the addresses of pods on the host's network
  std::string runtime_name = "containerd";
  bool terminal = false;              // the kubelet is done with this pod: nothing of it will be restarted
};

// `waiting`: SyncResult::waiting of the last sync. `set_probe_results` sets started and ready of the container statuses
// (ProbeManager::UpdatePodStatus); without it running containers count as both. `old` is the status reported last (empty
// at first): it keeps transition times, the start time, terminal phases and what the runtime has forgotten.
core::PodStatus GeneratePodStatus(const core::Pod& pod, const RuntimePodStatus& runtime,
                                  const std::map<std::string, WaitingReason>& waiting,
                                  const std::function<void(core::PodStatus*)>& set_probe_results, const StatusFacts& facts,
                                  const core::PodStatus& old);

}  // namespace knarr::kubelet
