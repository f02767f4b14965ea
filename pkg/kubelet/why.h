// Why a pod is not Ready, in one line, and what to do next. Pure: from what the kubelet knows to words.
#pragma once

#include <string>
#include <vector>

#include "pkg/kubelet/config/config.h"
#include "pkg/kubelet/events/events.h"
#include "pkg/kubelet/podworker/pod_workers.h"

namespace knarr::kubelet {

struct Explanation {
  std::string reason;  // CamelCase as `kubectl get pods` would show: CrashLoopBackOff, ImagePullBackOff, Waiting, ...
  std::string why;     // names pod, container and cause
  std::string next;    // what to do
};

// All empty for a pod that is Ready (or Succeeded).
Explanation ExplainPod(const PodWorkers::Snapshot& pod, const std::vector<Event>& events, const std::vector<ManifestProblem>& problems);

}  // namespace knarr::kubelet
