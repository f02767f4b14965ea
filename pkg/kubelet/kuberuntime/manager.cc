#include "pkg/kubelet/kuberuntime/manager.h"

#include <algorithm>
#include <thread>

#include "pkg/base/file.h"
#include "pkg/kubelet/kuberuntime/names.h"
#include "pkg/kubelet/kuberuntime/sandbox_config.h"
#include "pkg/kubelet/kuberuntime/sysctls.h"
#include "pkg/kubelet/kuberuntime/wait.h"

namespace knarr::kubelet {
namespace {

constexpr size_t kMaxExecOutput = 16 << 10;
constexpr auto kRetryPeriod = std::chrono::seconds(10);

int StartSlots(const RuntimeManagerOptions& options) {
  if (options.max_parallel_starts > 0) return options.max_parallel_starts;
  return std::max(4, 2 * static_cast<int>(std::thread::hardware_concurrency()));
}

// failed to "StartContainer" for "web" with CrashLoopBackOff: "back-off ..."
Status SyncError(std::string_view action, std::string_view target, std::string_view reason, std::string_view message) {
  return Error(Code::kUnknown, "failed to \"{}\" for \"{}\" with {}: \"{}\"", action, target, reason, message);
}

void Fail(Status error, SyncResult* result) {
  if (result->error.ok()) result->error = std::move(error);
}

}  // namespace

std::unique_ptr<RuntimeManager> RuntimeManager::Create(RuntimeManagerOptions options, RuntimeDependencies dependencies) {
  return std::make_unique<RuntimeManagerImpl>(std::move(options), std::move(dependencies));
}

RuntimeManagerImpl::RuntimeManagerImpl(RuntimeManagerOptions options, RuntimeDependencies dependencies)
    : options_(std::move(options)),
      deps_(std::move(dependencies)),
      puller_(options_, deps_.cri, deps_.clock, deps_.events, deps_.objects, deps_.long_wait),
      crash_backoff_(deps_.clock, options_.backoff_base, options_.backoff_max),
      start_gate_(StartSlots(options_)) {}

ObjectRef RuntimeManagerImpl::ContainerEventRef(const core::Pod& pod, const core::Container& container) {
  return ContainerRef(pod, container);
}

SyncResult RuntimeManagerImpl::SyncPod(const Context& ctx, const core::Pod& pod, const RuntimePodStatus& status) {
  SyncResult result;
  const ProbeAnswers probes{[this](const std::string& id) { return deps_.probes.Live(id); },
                            [this](const std::string& id) { return deps_.probes.Started(id); }};
  const PodActions actions = ComputePodActions(pod, status, probes);
  if (actions.Nothing()) return result;
  if (actions.create_sandbox && !actions.sandbox_id.empty()) {
    deps_.events.Record(PodRef(pod), EventType::kNormal, "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.");
  }
  if (!KillUnwanted(ctx, pod, status, actions, &result)) return result;
  if (actions.init_containers_to_start.empty() && actions.containers_to_start.empty()) return result;
  if (!actions.init_containers_to_start.empty() && !actions.create_sandbox) PruneInitContainers(ctx, pod, status, 1);
  Sandbox sandbox;
  if (!PrepareSandbox(ctx, pod, status, actions, &sandbox, &result)) return result;
  Start(ctx, pod, status, actions, sandbox, &result);
  return result;
}

bool RuntimeManagerImpl::KillUnwanted(const Context& ctx, const core::Pod& pod, const RuntimePodStatus& status,
                                      const PodActions& actions, SyncResult* result) {
  if (actions.kill_pod) {
    // A network that cannot be taken down after a crash must not keep the pod from starting again.
    const Status error = KillRunning(ctx, &pod, status, {}, !actions.create_sandbox, &result->changed);
    if (!error.ok()) {
      Fail(SyncError("KillPodSandbox", FormatPod(pod), "KillPodSandboxError", error.message()), result);
      return false;
    }
    // A new sandbox starts from the first init container, whatever the old ones did.
    if (actions.create_sandbox) PruneInitContainers(ctx, pod, status, 0);
    return true;
  }
  for (const ContainerToKill& kill : actions.containers_to_kill) {
    result->changed = true;
    const Status error = KillContainer(ctx, &pod, {kill.id, kill.name, kill.message, kill.reason, std::nullopt}, status.ips, nullptr);
    if (error.ok()) continue;
    Fail(SyncError("KillContainer", kill.name, "KillContainerError", error.message()), result);
    return false;
  }
  return true;
}

bool RuntimeManagerImpl::PrepareSandbox(const Context& ctx, const core::Pod& pod, const RuntimePodStatus& status,
                                        const PodActions& actions, Sandbox* sandbox, SyncResult* result) {
  const auto fail = [&](const Status& error) {
    if (!ctx.Cancelled()) {
      deps_.events.Record(PodRef(pod), EventType::kWarning, "FailedCreatePodSandBox",
                          fmt::format("Failed to create pod sandbox: {}", error.message()));
    }
    Fail(SyncError("CreatePodSandbox", FormatPod(pod), "CreatePodSandboxError", error.message()), result);
    return false;
  };
  if (const Status error = CheckSysctls(pod, options_.allowed_unsafe_sysctls); !error.ok()) return fail(error);
  const auto network = deps_.network_settings ? deps_.network_settings(pod, actions.create_sandbox) : PodNetworkSettings{};
  if (!network.ok()) return fail(network.status());
  sandbox->config = MakeSandboxConfig(pod, actions.attempt, *network, options_.pod_logs_dir, deps_.cgroups.CgroupParent(pod));
  sandbox->id = actions.sandbox_id;
  sandbox->pod_ips = status.ips;
  if (actions.create_sandbox) {
    result->changed = true;
    auto id = CreateSandbox(ctx, pod, &sandbox->config);
    if (!id.ok()) return fail(id.status());
    sandbox->id = *std::move(id);
    if (!pod.spec().hostnetwork()) {
      auto ips = SandboxAddresses(ctx, sandbox->id);
      if (!ips.ok()) {
        deps_.events.Record(PodRef(pod), EventType::kWarning, "FailedPodSandBoxStatus",
                            fmt::format("Unable to get pod sandbox status: {}", cri::RpcErrorText(ips.status())));
        Fail(ips.status(), result);
        return false;
      }
      sandbox->pod_ips = SortPodIps(*ips, options_.host_ips);
    }
  }
  if (pod.spec().hostnetwork()) sandbox->pod_ips = options_.host_ips;
  if (!deps_.hosts_file) return true;
  auto hosts = deps_.hosts_file(pod, sandbox->pod_ips);
  if (!hosts.ok()) {
    Fail(hosts.status(), result);
    return false;
  }
  sandbox->hosts_file = *std::move(hosts);
  return true;
}

void RuntimeManagerImpl::Start(const Context& ctx, const core::Pod& pod, const RuntimePodStatus& status, const PodActions& actions,
                               const Sandbox& sandbox, SyncResult* result) {
  bool retry_soon = false;
  const auto note = [&](const core::Container& container, StartOutcome outcome) {
    if (outcome.why.reason.empty()) {
      result->changed = true;
      return true;
    }
    Fail(SyncError("StartContainer", container.name(), outcome.why.reason, outcome.why.message), result);
    if (!outcome.retry_after) {
      retry_soon = true;
    } else if (!result->retry_after || *outcome.retry_after < *result->retry_after) {
      result->retry_after = outcome.retry_after;
    }
    // Failed after it was created: there is something new to see.
    if (outcome.why.reason == "RunContainerError" || outcome.why.reason == "PostStartHookError") result->changed = true;
    result->waiting[container.name()] = std::move(outcome.why);
    return false;
  };
  bool go_on = true;
  for (const int index : actions.init_containers_to_start) {
    const core::Container& container = pod.spec().initcontainers(index);
    go_on = note(container, StartContainer(ctx, pod, container, status, sandbox)) || IsSidecar(container);
    if (!go_on) break;
  }
  const size_t count = go_on ? actions.containers_to_start.size() : 0;
  std::vector<StartOutcome> outcomes(count);
  ForEachInParallel(count, [&](size_t i) {
    outcomes[i] = StartContainer(ctx, pod, pod.spec().containers(actions.containers_to_start[i]), status, sandbox);
  });
  for (size_t i = 0; i < count; ++i) note(pod.spec().containers(actions.containers_to_start[i]), std::move(outcomes[i]));
  // The long back-off of one container must not be that of another.
  if (retry_soon && result->retry_after) result->retry_after = std::min<Duration>(*result->retry_after, kRetryPeriod);
}

void RuntimeManagerImpl::PruneInitContainers(const Context& ctx, const core::Pod& pod, const RuntimePodStatus& status, int keep) {
  std::map<std::string, int> seen;
  for (const ContainerStatus& c : status.containers) {
    if (!IsInitContainer(pod, c.name)) continue;
    if (keep > 0 && c.state != ContainerState::kExited && c.state != ContainerState::kUnknown) continue;
    if (seen[c.name]++ < keep) continue;
    RemoveContainerAndLogs(ctx, {c.id, status.uid, status.name, status.ns, c.name, static_cast<uint32_t>(c.restart_count), 0, false});
  }
}

Status RuntimeManagerImpl::PrePullImages(const Context& ctx, const core::Pod& pod) {
  for (const auto* list : {&pod.spec().initcontainers(), &pod.spec().containers()}) {
    for (const core::Container& container : *list) {
      const PullOutcome outcome = puller_.Ensure(ctx, pod, container, nullptr);
      if (outcome.image) continue;
      return Error(Code::kUnknown, "container {}: {}: {}", container.name(), outcome.why.reason, outcome.why.message);
    }
  }
  return OkStatus();
}

std::string RuntimeManagerImpl::ContainerLogPath(const core::Pod& pod, const std::string& container, int restart_count) const {
  const meta::ObjectMeta& m = pod.metadata();
  return JoinPath(PodLogsDirectory(options_.pod_logs_dir, m.namespace_(), m.name(), m.uid()), ContainerLogFile(container, restart_count));
}

Result<RuntimeManager::ExecResult> RuntimeManagerImpl::Exec(const Context& ctx, const std::string& container_id,
                                                            const std::vector<std::string>& command, Duration timeout) {
  const auto response = KNARR_TRY(deps_.cri.ExecSync(ctx, container_id, command, std::chrono::ceil<std::chrono::seconds>(timeout)));
  ExecResult result{response.exit_code(), response.stdout()};
  result.output += response.stderr();
  if (result.output.size() > kMaxExecOutput) result.output.resize(kMaxExecOutput);
  return result;
}

}  // namespace knarr::kubelet
