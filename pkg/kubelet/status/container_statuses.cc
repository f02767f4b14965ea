#include "pkg/kubelet/status/container_statuses.h"

#include <algorithm>

#include <fmt/core.h>

#include "pkg/kubelet/container/helpers.h"

namespace knarr::kubelet {
namespace {

using Old = std::map<std::string, core::ContainerStatus>;

constexpr int kUnknownExitCode = 137;

core::ContainerStatus Initial(const core::Container& container, bool has_init, const Old& old) {
  const auto before = old.find(container.name());
  if (before != old.end() && before->second.state().has_terminated()) return before->second;
  core::ContainerStatus status;
  status.set_name(container.name());
  status.set_image(container.image());
  status.mutable_state()->mutable_waiting()->set_reason(has_init ? "PodInitializing" : "ContainerCreating");
  if (before != old.end()) {
    status.set_restartcount(before->second.restartcount());
    if (before->second.has_laststate()) *status.mutable_laststate() = before->second.laststate();
  }
  return status;
}

// It ran when the kubelet looked last, and the runtime no longer knows it.
void MarkLost(const core::Pod& pod, const core::ContainerStatus& before, core::ContainerStatus* status) {
  if (before.state().has_terminated() || !before.state().has_running()) return;
  if (!status->state().has_waiting() || status->laststate().has_terminated()) return;
  auto* terminated = status->mutable_laststate()->mutable_terminated();
  terminated->set_reason("ContainerStatusUnknown");
  terminated->set_message("The container could not be located when the pod was deleted.  The container used to be Running");
  terminated->set_exitcode(kUnknownExitCode);
  if (!pod.metadata().has_deletiontimestamp()) status->set_restartcount(status->restartcount() + 1);
}

void SetUnknown(const core::ContainerStatus& before, core::ContainerStatus* status) {
  auto* terminated = status->mutable_state()->mutable_terminated();
  terminated->set_reason("ContainerStatusUnknown");
  terminated->set_message("The container could not be located when the pod was terminated");
  terminated->set_exitcode(kUnknownExitCode);
  status->set_restartcount(before.restartcount() + 1);
}

core::ContainerStatus Convert(const ContainerStatus& from, const core::ContainerStatus* before, const std::string& runtime_name) {
  core::ContainerStatus status;
  const std::string id = fmt::format("{}://{}", runtime_name, from.id);
  status.set_name(from.name);
  status.set_restartcount(from.restart_count);
  status.set_image(from.image);
  status.set_imageid(from.image_id);
  status.set_containerid(id);
  if (from.state == ContainerState::kRunning) {
    *status.mutable_state()->mutable_running()->mutable_startedat() = ToTime(from.started_at);
  } else if (from.state == ContainerState::kExited) {
    auto* terminated = status.mutable_state()->mutable_terminated();
    terminated->set_exitcode(from.exit_code);
    terminated->set_reason(from.reason);
    terminated->set_message(from.message);
    *terminated->mutable_startedat() = ToTime(from.started_at);
    *terminated->mutable_finishedat() = ToTime(from.finished_at);
    terminated->set_containerid(id);
  } else if (from.state == ContainerState::kUnknown && before && before->state().has_running()) {
    SetUnknown(*before, &status);
  } else {
    status.mutable_state()->mutable_waiting();
  }
  return status;
}

// Was done before the kubelet forgot: later containers exist.
bool CompletedUnseen(const core::Pod& pod, const RuntimePodStatus& runtime, const core::Container& container) {
  return !IsSidecar(container) && !runtime.Find(container.name()) && HasAnyRegularContainerCreated(pod, runtime);
}

void MarkCompletedUnseen(core::ContainerStatus* status) {
  status->clear_state();
  auto* terminated = status->mutable_state()->mutable_terminated();
  terminated->set_reason("Completed");
  terminated->set_message(
      "Unable to get init container status from container runtime and pod has been initialized, treat it as exited normally");
  terminated->set_exitcode(0);
}

void SetWaiting(const WaitingReason& reason, core::ContainerStatus* status) {
  if (status->state().has_terminated()) *status->mutable_laststate() = status->state();
  status->clear_state();
  auto* waiting = status->mutable_state()->mutable_waiting();
  waiting->set_reason(reason.reason);
  waiting->set_message(reason.message);
}

void SetVolumeMounts(const core::Container& container, core::ContainerStatus* status) {
  status->clear_volumemounts();
  for (const core::VolumeMount& mount : container.volumemounts()) {
    auto* out = status->add_volumemounts();
    out->set_name(mount.name());
    out->set_mountpath(mount.mountpath());
    out->set_readonly(mount.readonly());
    if (mount.readonly()) out->set_recursivereadonly(mount.recursivereadonly() == "Enabled" ? "Enabled" : "Disabled");
  }
}

}  // namespace

meta::Time ToTime(WallTime time) {
  meta::Time out;
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  out.set_seconds(seconds.time_since_epoch().count());
  out.set_nanos(0);
  return out;
}

void SetContainerStatuses(const core::Pod& pod, const RuntimePodStatus& runtime, const std::map<std::string, WaitingReason>& waiting,
                          const std::string& runtime_name, const core::PodStatus& old, bool init, core::PodStatus* out) {
  const auto& containers = init ? pod.spec().initcontainers() : pod.spec().containers();
  Old before;
  for (const auto& s : init ? old.initcontainerstatuses() : old.containerstatuses()) before[s.name()] = s;

  std::map<std::string, core::ContainerStatus> statuses;
  for (const core::Container& c : containers) {
    core::ContainerStatus& status = statuses[c.name()] = Initial(c, pod.spec().initcontainers_size() > 0, before);
    const auto known = before.find(c.name());
    if (!runtime.Find(c.name()) && known != before.end()) MarkLost(pod, known->second, &status);
  }

  std::map<std::string, int> seen;  // newest first: the newest is the state, the one before it the last state
  for (const ContainerStatus& from : runtime.containers) {
    const auto it = statuses.find(from.name);
    if (it == statuses.end() || seen[from.name] >= 2) continue;
    const auto known = before.find(from.name);
    core::ContainerStatus status = Convert(from, known == before.end() ? nullptr : &known->second, runtime_name);
    if (seen[from.name]++ == 0) {
      it->second = std::move(status);
    } else {
      *it->second.mutable_laststate() = status.state();
    }
  }

  for (const core::Container& c : containers) {
    core::ContainerStatus& status = statuses[c.name()];
    SetVolumeMounts(c, &status);
    const ContainerStatus* newest = runtime.Find(c.name());
    if (init) {
      if (newest && newest->state == ContainerState::kExited && newest->exit_code == 0 && !IsSidecar(c)) continue;
      if (CompletedUnseen(pod, runtime, c) && status.state().has_waiting()) {
        MarkCompletedUnseen(&status);
        continue;
      }
    }
    const auto reason = waiting.find(c.name());
    if (reason != waiting.end() && ShouldContainerBeRestarted(c, pod, runtime)) SetWaiting(reason->second, &status);
  }

  if (init) {
    for (const core::Container& c : containers) *out->add_initcontainerstatuses() = std::move(statuses[c.name()]);
  } else {
    for (auto& [name, status] : statuses) *out->add_containerstatuses() = std::move(status);
  }
}

void LimitTerminationMessages(core::PodStatus* status) {
  constexpr size_t kPodLimit = 12 << 10;
  constexpr size_t kContainerLimit = 4 << 10;
  const auto count = static_cast<size_t>(status->containerstatuses_size() + status->initcontainerstatuses_size());
  if (count == 0) return;
  const size_t limit = std::min(kContainerLimit, kPodLimit / count);
  const auto cut = [limit](core::ContainerState* state) {
    if (!state->has_terminated() || state->terminated().message().size() <= limit) return;
    state->mutable_terminated()->mutable_message()->resize(limit);
  };
  const auto cut_all = [&cut](auto* statuses) {
    for (core::ContainerStatus& s : *statuses) {
      if (s.has_state()) cut(s.mutable_state());
      if (s.has_laststate()) cut(s.mutable_laststate());
    }
  };
  cut_all(status->mutable_containerstatuses());
  cut_all(status->mutable_initcontainerstatuses());
}

}  // namespace knarr::kubelet
