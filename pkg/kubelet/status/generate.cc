#include "pkg/kubelet/status/generate.h"

#include <algorithm>

#include "pkg/api/core/validation.h"
#include "pkg/kubelet/container/helpers.h"
#include "pkg/kubelet/status/conditions.h"
#include "pkg/kubelet/status/container_statuses.h"
#include "pkg/kubelet/status/phase.h"

namespace knarr::kubelet {
namespace {

bool Terminal(const std::string& phase) { return phase == "Failed" || phase == "Succeeded"; }

// A regular container of the sandbox that is up now has started: restarts of sidecars no longer make the pod pending.
bool InitializedNow(const core::Pod& pod, const RuntimePodStatus& runtime) {
  if (runtime.sandboxes.empty() || !runtime.sandboxes.front().ready) return false;
  return std::any_of(runtime.containers.begin(), runtime.containers.end(), [&](const ContainerStatus& c) {
    return c.sandbox_id == runtime.sandboxes.front().id && !IsInitContainer(pod, c.name) && FindContainer(pod, c.name) &&
           (c.state == ContainerState::kRunning || c.state == ContainerState::kExited);
  });
}

void SetProbesWithoutProber(const core::Pod& pod, core::PodStatus* status) {
  for (auto& s : *status->mutable_containerstatuses()) {
    s.set_started(s.state().has_running());
    s.set_ready(s.state().has_running());
  }
  for (auto& s : *status->mutable_initcontainerstatuses()) {
    const core::Container* container = FindContainer(pod, s.name());
    s.set_started(s.state().has_running());
    const bool done = s.state().has_terminated() && s.state().terminated().exitcode() == 0;
    s.set_ready(container && IsSidecar(*container) ? s.state().has_running() : done);
  }
}

void SetAddresses(const core::Pod& pod, const RuntimePodStatus& runtime, const StatusFacts& facts, core::PodStatus* status) {
  for (const std::string& ip : facts.host_ips) status->add_hostips()->set_ip(ip);
  if (!facts.host_ips.empty()) status->set_hostip(facts.host_ips.front());
  for (const std::string& ip : pod.spec().hostnetwork() ? facts.host_ips : runtime.ips) status->add_podips()->set_ip(ip);
  if (status->podips_size() > 0) status->set_podip(status->podips(0).ip());
}

void SetPhase(const core::Pod& pod, const RuntimePodStatus& runtime, bool terminal, const core::PodStatus& old, core::PodStatus* status) {
  std::string phase = PodPhase(pod, *status, terminal, InitializedNow(pod, runtime));
  // No way back from a terminal phase.
  if (Terminal(pod.status().phase())) {
    phase = pod.status().phase();
  } else if (!Terminal(phase) && Terminal(old.phase())) {
    phase = old.phase();
  }
  status->set_phase(phase);
  if (phase != old.phase()) return;
  if (const std::string& reason = old.reason().empty() ? pod.status().reason() : old.reason(); !reason.empty()) status->set_reason(reason);
  if (const std::string& text = old.message().empty() ? pod.status().message() : old.message(); !text.empty()) status->set_message(text);
}

}  // namespace

core::PodStatus GeneratePodStatus(const core::Pod& pod, const RuntimePodStatus& runtime,
                                  const std::map<std::string, WaitingReason>& waiting,
                                  const std::function<void(core::PodStatus*)>& set_probe_results, const StatusFacts& facts,
                                  const core::PodStatus& old) {
  core::PodStatus status;
  SetContainerStatuses(pod, runtime, waiting, facts.runtime_name, old, false, &status);
  SetContainerStatuses(pod, runtime, waiting, facts.runtime_name, old, true, &status);
  status.set_qosclass(std::string(api::ToString(api::ComputeQosClass(pod))));
  // Sidecars that run count as pending until they have started: what the prober says comes before the phase.
  if (set_probe_results) {
    set_probe_results(&status);
  } else {
    SetProbesWithoutProber(pod, &status);
  }
  SetPhase(pod, runtime, facts.terminal, old, &status);
  SetConditions(pod, runtime, old, facts.now, &status);
  SetAddresses(pod, runtime, facts, &status);
  *status.mutable_starttime() = old.has_starttime() ? old.starttime() : ToTime(facts.now);
  LimitTerminationMessages(&status);
  return status;
}

}  // namespace knarr::kubelet
