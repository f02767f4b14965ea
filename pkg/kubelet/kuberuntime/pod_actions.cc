#include "pkg/kubelet/kuberuntime/pod_actions.h"

#include <algorithm>

#include <fmt/core.h>

#include "pkg/kubelet/container/helpers.h"
#include "pkg/kubelet/kuberuntime/labels.h"

namespace knarr::kubelet {
namespace {

std::string_view StateName(ContainerState state) {
  switch (state) {
    case ContainerState::kCreated:
      return "created";
    case ContainerState::kRunning:
      return "running";
    case ContainerState::kExited:
      return "exited";
    case ContainerState::kUnknown:
      break;
  }
  return "unknown";
}

bool Succeeded(const core::Container& container, const RuntimePodStatus& status) {
  const ContainerStatus* newest = status.Find(container.name());
  return newest && newest->state == ContainerState::kExited && newest->exit_code == 0;
}

// A hash of 0 was made by another algorithm: nothing can be told from it, and a healthy container is left alone.
bool Changed(const core::Container& container, const ContainerStatus& status) {
  return status.hash != 0 && status.hash != HashContainer(container);
}

bool Failed(const ContainerStatus& status) {
  return status.state == ContainerState::kUnknown || (status.state == ContainerState::kExited && status.exit_code != 0);
}

bool Says(const std::function<std::optional<bool>(const std::string&)>& answers, const std::string& id, bool value) {
  if (!answers) return false;
  const std::optional<bool> answer = answers(id);
  return answer && *answer == value;
}

// Steps through the init containers from the last to the first: finished ones may have been removed from the runtime,
// so only the latest trace counts.
class InitPlanner {
 public:
  InitPlanner(const core::Pod& pod, const RuntimePodStatus& status, const ProbeAnswers& probes, PodActions* actions)
      : pod_(pod), status_(status), probes_(probes), actions_(*actions), count_(pod.spec().initcontainers_size()) {}

  // True: the pod is initialized, look at the regular containers.
  bool Plan() {
    if (count_ == 0) return true;
    initialized_ = RegularContainerCreatedOrRunning();
    previously_ = initialized_;
    for (int i = count_ - 1; i >= 0; --i) {
      const core::Container& container = pod_.spec().initcontainers(i);
      const ContainerStatus* newest = status_.Find(container.name());
      if (!newest) {
        if (previously_ && IsSidecar(container)) Start(i);
        continue;
      }
      if (previously_ && !IsSidecar(container)) continue;
      if (!PlanOne(i, container, *newest)) return false;
      previously_ = true;
    }
    if (!previously_) Start(0);
    std::reverse(actions_.init_containers_to_start.begin(), actions_.init_containers_to_start.end());
    return initialized_;
  }

 private:
  bool RegularContainerCreatedOrRunning() const {
    const auto& containers = pod_.spec().containers();
    return std::any_of(containers.begin(), containers.end(), [this](const core::Container& c) {
      const ContainerStatus* newest = status_.Find(c.name());
      return newest && (newest->state == ContainerState::kCreated || newest->state == ContainerState::kRunning);
    });
  }

  void Start(int index) { actions_.init_containers_to_start.push_back(index); }

  void Restart(int index, const ContainerStatus& status, std::string message, KillReason reason) {
    actions_.containers_to_kill.push_back({status.id, status.name, std::move(message), reason});
    Start(index);
  }

  // This one is done (or, a sidecar, up): the next may go, or all are done.
  void Pass(int index, bool start_next) {
    if (index == count_ - 1) {
      initialized_ = true;
    } else if (start_next) {
      Start(index + 1);
    }
  }

  bool GiveUp() {
    actions_.kill_pod = true;
    actions_.init_containers_to_start.clear();
    return false;
  }

  // False: the pod is finished.
  bool PlanOne(int index, const core::Container& container, const ContainerStatus& status) {
    switch (status.state) {
      case ContainerState::kCreated:
        // Created and started in one go; one that is only created failed to start.
        Start(index);
        return true;
      case ContainerState::kRunning:
        if (IsSidecar(container)) PlanRunningSidecar(index, container, status);
        return true;
      case ContainerState::kExited:
        if (IsSidecar(container)) {
          Start(index);
        } else if (Failed(status)) {
          if (!ShouldRestartOnFailure(pod_)) return GiveUp();
          Start(index);
        } else {
          Pass(index, true);
        }
        return true;
      case ContainerState::kUnknown:
        break;
    }
    if (!IsSidecar(container) && !ShouldRestartOnFailure(pod_)) return GiveUp();
    Restart(index, status, fmt::format("Init container is in \"{}\" state, try killing it before restart", StateName(status.state)),
            KillReason::kUnknownState);
    return true;
  }

  void PlanRunningSidecar(int index, const core::Container& container, const ContainerStatus& status) {
    if (container.has_startupprobe() && !Says(probes_.started, status.id, true)) {
      if (Says(probes_.started, status.id, false)) {
        Restart(index, status, fmt::format("Init container {} failed startup probe", container.name()), KillReason::kStartupProbe);
      }
      return;
    }
    Pass(index, !previously_);
    if (Changed(container, status)) {
      Restart(index, status, fmt::format("Init container {} definition changed", container.name()), KillReason::kNone);
    } else if (container.has_livenessprobe() && Says(probes_.live, status.id, false)) {
      Restart(index, status, fmt::format("Init container {} failed liveness probe", container.name()), KillReason::kLivenessProbe);
    }
  }

  const core::Pod& pod_;
  const RuntimePodStatus& status_;
  const ProbeAnswers& probes_;
  PodActions& actions_;
  const int count_;
  bool initialized_ = false;
  bool previously_ = false;  // a later container left a trace
};

// The sandbox is gone or was never there: everything starts anew, if it should.
void PlanNewSandbox(const core::Pod& pod, const RuntimePodStatus& status, PodActions* actions) {
  if (!ShouldRestartOnFailure(pod) && actions->attempt != 0 && !status.containers.empty()) {
    actions->create_sandbox = false;
    return;
  }
  std::vector<int> start;
  for (int i = 0; i < pod.spec().containers_size(); ++i) {
    if (pod.spec().restartpolicy() == "OnFailure" && Succeeded(pod.spec().containers(i), status)) continue;
    start.push_back(i);
  }
  if (start.empty() && HasAnyRegularContainerCreated(pod, status)) {
    actions->create_sandbox = false;
    return;
  }
  if (pod.spec().initcontainers_size() > 0) {
    actions->init_containers_to_start = {0};
  } else {
    actions->containers_to_start = std::move(start);
  }
}

// A message: it must go, for this reason.
std::string WhyKill(const core::Container& container, const ContainerStatus& status, const ProbeAnswers& probes, KillReason* reason) {
  if (Changed(container, status)) return fmt::format("Container {} definition changed", container.name());
  if (Says(probes.live, status.id, false)) {
    *reason = KillReason::kLivenessProbe;
    return fmt::format("Container {} failed liveness probe", container.name());
  }
  if (Says(probes.started, status.id, false)) {
    *reason = KillReason::kStartupProbe;
    return fmt::format("Container {} failed startup probe", container.name());
  }
  return {};
}

// True: it runs and stays.
bool PlanRegular(const core::Pod& pod, int index, const RuntimePodStatus& status, const ProbeAnswers& probes, PodActions* actions) {
  const core::Container& container = pod.spec().containers(index);
  const ContainerStatus* newest = status.Find(container.name());
  if (!newest || newest->state != ContainerState::kRunning) {
    if (!ShouldContainerBeRestarted(container, pod, status)) return false;
    actions->containers_to_start.push_back(index);
    if (newest && newest->state == ContainerState::kUnknown) {
      actions->containers_to_kill.push_back(
          {newest->id, newest->name,
           fmt::format("Container is in \"{}\" state, try killing it before restart", StateName(newest->state)),
           KillReason::kUnknownState});
    }
    return false;
  }
  KillReason reason = KillReason::kNone;
  std::string message = WhyKill(container, *newest, probes, &reason);
  if (message.empty()) return true;
  // A changed spec restarts whatever the policy says.
  if (reason == KillReason::kNone || ShouldRestartOnFailure(pod)) {
    message += ", will be restarted";
    actions->containers_to_start.push_back(index);
  }
  actions->containers_to_kill.push_back({newest->id, newest->name, std::move(message), reason});
  return false;
}

}  // namespace

PodActions ComputePodActions(const core::Pod& pod, const RuntimePodStatus& status, const ProbeAnswers& probes) {
  const SandboxDecision sandbox = DecideSandbox(pod, status);
  PodActions actions;
  actions.kill_pod = actions.create_sandbox = sandbox.create;
  actions.attempt = sandbox.attempt;
  actions.sandbox_id = sandbox.id;
  if (sandbox.create) {
    PlanNewSandbox(pod, status, &actions);
    return actions;
  }
  if (!InitPlanner(pod, status, probes, &actions).Plan()) return actions;
  int kept = 0;
  for (int i = 0; i < pod.spec().containers_size(); ++i) kept += PlanRegular(pod, i, status, probes, &actions);
  if (kept == 0 && actions.containers_to_start.empty()) {
    actions.kill_pod = true;
    // Sidecars do not keep a pod alive.
    actions.init_containers_to_start.clear();
  }
  return actions;
}

}  // namespace knarr::kubelet
