// What the kubelet knows of a pod from the container runtime, in plain structs.
// Mirrors: pkg/kubelet/container/runtime.go (PodStatus, Status, State).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pkg/base/clock.h"

namespace knarr::kubelet {

enum class ContainerState { kCreated, kRunning, kExited, kUnknown };

struct ContainerStatus {
  std::string id;    // the runtime's id, without "containerd://"
  std::string name;  // the container's name in the pod
  ContainerState state = ContainerState::kUnknown;
  WallTime created_at{}, started_at{}, finished_at{};
  int exit_code = 0;
  std::string image;      // as the pod names it
  std::string image_id;   // digest
  std::string reason;     // OOMKilled, Completed, Error, ContainerCannotRun
  std::string message;    // termination message
  uint64_t hash = 0;      // hash of the container spec it was created from (annotation)
  int restart_count = 0;  // attempt
  std::string log_path;
  std::string sandbox_id;
};

struct SandboxStatus {
  std::string id;
  bool ready = false;
  uint32_t attempt = 0;
  WallTime created_at{};
  std::vector<std::string> ips;  // empty for host network
  bool host_network = false;
};

// Why a container is waiting, for the pod's status: reason and message in upstream's words (ImagePullBackOff, ...).
struct WaitingReason {
  std::string reason, message;
};

// Newest first in both lists, as upstream sorts them.
struct RuntimePodStatus {
  std::string uid, name, ns;
  std::vector<std::string> ips;
  std::vector<SandboxStatus> sandboxes;
  std::vector<ContainerStatus> containers;

  // The newest status of the container with this name, or null.
  const ContainerStatus* Find(std::string_view container_name) const {
    for (const ContainerStatus& c : containers) {
      if (c.name == container_name) return &c;
    }
    return nullptr;
  }
};

}  // namespace knarr::kubelet
