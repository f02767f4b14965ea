// Stopping containers and sandboxes.
#include <algorithm>

#include "pkg/kubelet/kuberuntime/long_wait.h"
#include "pkg/kubelet/kuberuntime/manager.h"
#include "pkg/kubelet/kuberuntime/names.h"
#include "pkg/kubelet/kuberuntime/termination_order.h"
#include "pkg/kubelet/kuberuntime/wait.h"

namespace knarr::kubelet {
namespace {

// Even a container without any grace period may clean up for a moment, unless it is to be killed at once.
constexpr int64_t kMinimumGraceSeconds = 2;

int64_t GraceOf(const core::Pod& pod, const core::Container& container, KillReason reason) {
  if (pod.metadata().has_deletiongraceperiodseconds()) return pod.metadata().deletiongraceperiodseconds();
  if (!pod.spec().has_terminationgraceperiodseconds()) return kMinimumGraceSeconds;
  if (reason == KillReason::kStartupProbe && container.startupprobe().has_terminationgraceperiodseconds()) {
    return container.startupprobe().terminationgraceperiodseconds();
  }
  if (reason == KillReason::kLivenessProbe && container.livenessprobe().has_terminationgraceperiodseconds()) {
    return container.livenessprobe().terminationgraceperiodseconds();
  }
  return pod.spec().terminationgraceperiodseconds();
}

}  // namespace

Status RuntimeManagerImpl::KillPod(const Context& ctx, const core::Pod* pod, const RuntimePodStatus& status, const KillOptions& options) {
  bool changed = false;
  return KillRunning(ctx, pod, status, options, true, &changed);
}

Status RuntimeManagerImpl::KillRunning(const Context& ctx, const core::Pod* pod, const RuntimePodStatus& status,
                                       const KillOptions& options, bool must_stop_dead, bool* changed) {
  std::vector<KillTarget> targets;
  std::vector<std::string> names;
  for (const ContainerStatus& c : status.containers) {
    if (c.state != ContainerState::kRunning && c.state != ContainerState::kUnknown) continue;
    std::string message = options.reason.empty() ? std::string() : fmt::format("{} {}", options.reason, c.name);
    targets.push_back({c.id, c.name, std::move(message), KillReason::kNone, options.grace_period_seconds});
    names.push_back(c.name);
  }
  std::optional<TerminationOrder> order;
  if (pod && HasSidecar(*pod)) order.emplace(deps_.clock, *pod, names);
  std::vector<Status> errors(targets.size());
  ForEachInParallel(targets.size(), [&](size_t i) {
    errors[i] = KillContainer(ctx, pod, targets[i], status.ips, order ? &*order : nullptr);
    if (order) order->Ended(targets[i].name);
  });
  *changed = *changed || !targets.empty();
  for (size_t i = 0; i < errors.size(); ++i) {
    if (!errors[i].ok()) return errors[i].WithContext(fmt::format("kill container {}", targets[i].name));
  }
  for (const SandboxStatus& sandbox : status.sandboxes) {
    {
      std::lock_guard lock(mutex_);
      if (!sandbox.ready && stopped_sandboxes_.contains(sandbox.id)) continue;
    }
    const Status error = deps_.cri.StopPodSandbox(ctx, sandbox.id);
    if (!error.ok() && (sandbox.ready || must_stop_dead)) return error.WithContext(fmt::format("stop sandbox {}", sandbox.id));
    *changed = true;
    if (!error.ok()) {
      deps_.log.Error(error, "Failed to stop a dead sandbox, going on without", {{"sandboxID", sandbox.id}});
      continue;
    }
    std::lock_guard lock(mutex_);
    stopped_sandboxes_.insert(sandbox.id);
    sandboxes_.erase(sandbox.id);
  }
  return OkStatus();
}

Status RuntimeManagerImpl::KillContainer(const Context& ctx, const core::Pod* pod, const KillTarget& target,
                                         const std::vector<std::string>& pod_ips, TerminationOrder* order) {
  Restored restored;
  const core::Container* container = pod ? FindContainer(*pod, target.name) : nullptr;
  if (!container) {
    auto spec = RestoreSpec(ctx, target.id);
    if (!spec.ok()) return spec.status().Is(Code::kNotFound) ? OkStatus() : spec.status();
    restored = *std::move(spec);
    pod = &restored.pod;
    container = &restored.container;
  }
  int64_t grace = target.grace.value_or(GraceOf(*pod, *container, target.reason));
  ContainerEvent(*pod, *container, EventType::kNormal, "Killing",
                 target.message.empty() ? fmt::format("Stopping container {}", container->name()) : target.message);

  const MonoTime began = deps_.clock.Monotonic();
  const auto left = [&] { return grace - std::chrono::floor<std::chrono::seconds>(deps_.clock.Monotonic() - began).count(); };
  if (container->lifecycle().has_prestop() && grace > 0) {
    const Status hook = RunHook(ctx, *pod, *container, target.id, container->lifecycle().prestop(), pod_ips, std::chrono::seconds(grace));
    if (!hook.ok()) {
      deps_.log.Error(hook, "PreStop hook failed", {{"pod", FormatPod(*pod)}, {"containerName", container->name()}});
      ContainerEvent(*pod, *container, EventType::kWarning, "FailedPreStopHook", "PreStopHook failed");
    }
  }
  const LongWait wait(deps_.long_wait, pod->metadata().uid());
  if (order && left() > 0) order->WaitForTurn(ctx, target.name, std::chrono::seconds(left()));
  const int64_t minimum = target.grace == 0 ? 0 : kMinimumGraceSeconds;
  const Status error = deps_.cri.StopContainer(ctx, target.id, std::chrono::seconds(std::max(left(), minimum)));
  return error.Is(Code::kNotFound) ? OkStatus() : error;
}

Result<RuntimeManagerImpl::Restored> RuntimeManagerImpl::RestoreSpec(const Context& ctx, const std::string& container_id) {
  const auto response = KNARR_TRY(deps_.cri.ContainerStatus(ctx, container_id));
  ContainerInfo info = ParseContainerInfo(ToStringMap(response.status().labels()), ToStringMap(response.status().annotations()));
  Restored out;
  out.pod.mutable_metadata()->set_name(info.pod_name);
  out.pod.mutable_metadata()->set_namespace_(info.pod_namespace);
  out.pod.mutable_metadata()->set_uid(info.pod_uid);
  if (info.deletion_grace_period) out.pod.mutable_metadata()->set_deletiongraceperiodseconds(*info.deletion_grace_period);
  if (info.termination_grace_period) out.pod.mutable_spec()->set_terminationgraceperiodseconds(*info.termination_grace_period);
  out.container.set_name(info.name);
  if (info.pre_stop) *out.container.mutable_lifecycle()->mutable_prestop() = *std::move(info.pre_stop);
  for (core::ContainerPort& port : info.ports) *out.container.add_ports() = std::move(port);
  return out;
}

}  // namespace knarr::kubelet
