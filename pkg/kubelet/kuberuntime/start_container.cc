// Starting one container: back-off, image, configuration, create, start, postStart hook.
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "pkg/base/duration.h"
#include "pkg/base/file.h"
#include "pkg/kubelet/kuberuntime/container_config.h"
#include "pkg/kubelet/kuberuntime/manager.h"
#include "pkg/kubelet/kuberuntime/names.h"
#include "pkg/kubelet/kuberuntime/runtime_lists.h"

namespace knarr::kubelet {
namespace {

constexpr int kMaxAttempts = 5;

std::string BackoffKey(const core::Pod& pod, const core::Container& container) {
  const meta::ObjectMeta& m = pod.metadata();
  return fmt::format("{}_{}_{}_{}_{:x}", m.name(), m.namespace_(), m.uid(), container.name(), HashContainer(container));
}

}  // namespace

RuntimeManagerImpl::StartOutcome RuntimeManagerImpl::StartContainer(const Context& ctx, const core::Pod& pod,
                                                                    const core::Container& container,
                                                                    const RuntimePodStatus& status, const Sandbox& sandbox) {
  if (auto backoff = CheckBackoff(pod, container, status)) return *std::move(backoff);
  const auto fail = [&](const char* reason, std::string message) -> StartOutcome {
    // A start that was called off is no failure.
    if (!ctx.Cancelled()) ContainerEvent(pod, container, EventType::kWarning, "Failed", "Error: " + message);
    return {{reason, std::move(message)}, std::nullopt};
  };
  PullOutcome pulled = puller_.Ensure(ctx, pod, container, &sandbox.config);
  if (!pulled.image) {
    if (!ctx.Cancelled()) ContainerEvent(pod, container, EventType::kWarning, "Failed", "Error: " + pulled.why.reason);
    return {std::move(pulled.why), pulled.retry_after};
  }
  auto config = ConfigFor(ctx, pod, container, NextAttempt(pod, container, status), *pulled.image, sandbox);
  if (!config.ok()) return fail("CreateContainerConfigError", std::string(config.status().message()));

  auto pass = EnterStartGate(ctx);
  if (!pass.ok()) return fail("CreateContainerError", std::string(pass.status().message()));
  const auto id = CreateContainer(ctx, pod, container, &*config, sandbox);
  if (!id.ok()) return fail("CreateContainerError", std::string(id.status().message()));
  ContainerEvent(pod, container, EventType::kNormal, "Created", "Created container: " + container.name());
  if (const Status error = deps_.cri.StartContainer(ctx, *id); !error.ok()) {
    return fail("RunContainerError", std::string(error.message()));
  }
  { const auto done = std::move(*pass); }
  ContainerEvent(pod, container, EventType::kNormal, "Started", "Started container " + container.name());
  LinkLegacyLog(pod, container.name(), *id, JoinPath(sandbox.config.log_directory(), config->log_path()));

  if (!container.lifecycle().has_poststart()) return {};
  const Status hook = RunHook(ctx, pod, container, *id, container.lifecycle().poststart(), sandbox.pod_ips, std::nullopt);
  if (hook.ok()) return {};
  // The hook's output may hold secrets: it goes into the status, which its owner reads, not into the event.
  ContainerEvent(pod, container, EventType::kWarning, "FailedPostStartHook", "PostStartHook failed");
  const Status killed = KillContainer(ctx, &pod, {*id, container.name(), "FailedPostStartHook", KillReason::kFailedPostStartHook, std::nullopt},
                                      sandbox.pod_ips, nullptr);
  if (!killed.ok()) deps_.log.Error(killed, "Failed to kill container", {{"pod", FormatPod(pod)}, {"containerName", container.name()}});
  return {{"PostStartHookError", std::string(hook.message())}, std::nullopt};
}

std::optional<RuntimeManagerImpl::StartOutcome> RuntimeManagerImpl::CheckBackoff(const core::Pod& pod, const core::Container& container,
                                                                                 const RuntimePodStatus& status) {
  const auto exited = std::find_if(status.containers.begin(), status.containers.end(), [&](const ContainerStatus& c) {
    return c.name == container.name() && c.state == ContainerState::kExited;
  });
  if (exited == status.containers.end()) return std::nullopt;
  const std::string key = BackoffKey(pod, container);
  const auto left = crash_backoff_.LeftSince(key, exited->finished_at);
  if (!left) {
    crash_backoff_.Next(key, exited->finished_at);
    return std::nullopt;
  }
  const std::string pod_text = FormatPod(pod);
  ContainerEvent(pod, container, EventType::kWarning, "BackOff",
                 fmt::format("Back-off restarting failed container {} in pod {}", container.name(), pod_text));
  std::string message = fmt::format("back-off {} restarting failed container={} pod={}", FormatDuration(crash_backoff_.Get(key)),
                                    container.name(), pod_text);
  return StartOutcome{{"CrashLoopBackOff", std::move(message)}, *left};
}

int RuntimeManagerImpl::NextAttempt(const core::Pod& pod, const core::Container& container, const RuntimePodStatus& status) {
  if (const ContainerStatus* newest = status.Find(container.name())) return newest->restart_count + 1;
  // A runtime may have forgotten its containers (a reboot): go on counting where the log files end.
  const meta::ObjectMeta& m = pod.metadata();
  return AttemptFromLogDirectory(JoinPath(PodLogsDirectory(options_.pod_logs_dir, m.namespace_(), m.name(), m.uid()), container.name()));
}

Result<cri_v1::ContainerConfig> RuntimeManagerImpl::ConfigFor(const Context& ctx, const core::Pod& pod, const core::Container& container,
                                                              int attempt, const PulledImage& image, const Sandbox& sandbox) {
  const EnvSources sources{deps_.objects, sandbox.pod_ips, options_.host_ips, options_.node_allocatable,
                           [&](std::string_view kind, const std::string& name, const std::vector<std::string>& keys) {
                             std::string list;
                             for (const std::string& key : keys) list += (list.empty() ? "" : ", ") + key;
                             deps_.events.Record(PodRef(pod), EventType::kWarning, "InvalidEnvironmentVariableNames",
                                                 fmt::format("Keys [{}] from the EnvFrom {} {}/{} were skipped since they are considered "
                                                             "invalid environment variable names.",
                                                             list, kind, pod.metadata().namespace_(), name));
                           }};
  const Environment env = KNARR_TRY(MakeEnvironment(pod, container, sources));
  const std::vector<ContainerMount> mounts = KNARR_TRY(deps_.volumes.MountsFor(ctx, pod, container, env.by_name));
  KNARR_TRY_CTX(MakeDirs(JoinPath(sandbox.config.log_directory(), container.name())),
                "create container log directory for container {} failed", container.name());
  const ContainerResources resources = deps_.cgroups.ResourcesFor(pod, container);
  const SeccompSettings seccomp{options_.seccomp_profile_root, options_.seccomp_default};
  ContainerConfigInput in{.pod = pod,
                          .container = container,
                          .attempt = attempt,
                          .image_id = image.id,
                          .image_user = image.user,
                          .env = env,
                          .volume_mounts = mounts,
                          .hosts_file = sandbox.hosts_file,
                          .termination_log = {},
                          .resources = resources,
                          .seccomp = seccomp};
  if (!container.terminationmessagepath().empty()) {
    in.termination_log = KNARR_TRY(MakeTerminationLog(options_.root_dir, pod.metadata().uid(), container.name()));
  }
  return MakeContainerConfig(in);
}

Result<std::string> RuntimeManagerImpl::CreateContainer(const Context& ctx, const core::Pod& pod, const core::Container& container,
                                                        cri_v1::ContainerConfig* config, const Sandbox& sandbox) {
  Status error;
  for (int i = 0; i < kMaxAttempts; ++i) {
    auto id = deps_.cri.CreateContainer(ctx, sandbox.id, *config, sandbox.config);
    if (id.ok()) return *std::move(id);
    error = id.status();
    if (!IsNameConflict(error)) return error;
    const uint32_t attempt = config->metadata().attempt();
    std::string existing = KNARR_TRY(ResolveContainerConflict(ctx, pod, container, attempt, sandbox));
    if (!existing.empty()) return existing;
    const int next = static_cast<int>(attempt) + 1;
    config->mutable_metadata()->set_attempt(attempt + 1);
    config->set_log_path(ContainerLogFile(container.name(), next));
    for (const auto& [key, value] : ContainerAnnotations(pod, container, next)) (*config->mutable_annotations())[key] = value;
  }
  return error;
}

Result<std::string> RuntimeManagerImpl::ResolveContainerConflict(const Context& ctx, const core::Pod& pod, const core::Container& container,
                                                                 uint32_t attempt, const Sandbox& sandbox) {
  for (const auto& c : KNARR_TRY(deps_.cri.ListContainers(ctx, ContainersOf(pod.metadata().uid())))) {
    if (c.metadata().name() != container.name() || c.metadata().attempt() != attempt) continue;
    const ContainerInfo info = ParseContainerInfo(ToStringMap(c.labels()), ToStringMap(c.annotations()));
    const bool ours = c.pod_sandbox_id() == sandbox.id && info.hash == HashContainer(container);
    // The create whose answer was lost: it is what we want.
    if (ours && c.state() == cri_v1::CONTAINER_CREATED) return c.id();
    if (c.state() == cri_v1::CONTAINER_RUNNING) {
      return Error(Code::kConflict, "container {} (attempt {}) runs already as {}", container.name(), attempt, c.id());
    }
    KNARR_TRY(deps_.cri.RemoveContainer(ctx, c.id()));
    return std::string();
  }
  return std::string();  // still being made: skip its number, the garbage collector takes it away
}

void RuntimeManagerImpl::LinkLegacyLog(const core::Pod& pod, const std::string& container, const std::string& id,
                                       const std::string& log) const {
  if (options_.legacy_logs_dir.empty()) return;
  const std::string link =
      JoinPath(options_.legacy_logs_dir, LegacyLogLink(pod.metadata().name(), pod.metadata().namespace_(), container, id));
  Status error = MakeDirs(options_.legacy_logs_dir);
  if (error.ok() && symlink(log.c_str(), link.c_str()) != 0 && errno != EEXIST) error = ErrnoError(errno, "symlink {}", link);
  if (!error.ok()) deps_.log.Error(error, "Failed to create legacy symbolic link", {{"path", link}, {"containerID", id}});
}

}  // namespace knarr::kubelet
