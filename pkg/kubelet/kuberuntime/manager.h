// The runtime manager, one class in several files by what they do: manager.cc (SyncPod), create_sandbox.cc,
// start_container.cc, kill.cc, hooks.cc, pod_status.cc, gc.cc, image_gc.cc, log_rotation.cc.
// State: back-offs, attempt numbers to skip, and statuses of containers that cannot change any more; all of it can be lost.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pkg/cri/runtime.h"
#include "pkg/kubelet/kuberuntime/backoff.h"
#include "pkg/kubelet/kuberuntime/gate.h"
#include "pkg/kubelet/kuberuntime/image_puller.h"
#include "pkg/kubelet/kuberuntime/kuberuntime.h"
#include "pkg/kubelet/kuberuntime/labels.h"
#include "pkg/kubelet/kuberuntime/pod_actions.h"

namespace knarr::kubelet {

class TerminationOrder;

class RuntimeManagerImpl : public RuntimeManager {
 public:
  RuntimeManagerImpl(RuntimeManagerOptions options, RuntimeDependencies dependencies);

  Result<std::vector<RunningPod>> ListPods(const Context& ctx) override;
  Result<RuntimePodStatus> GetPodStatus(const Context& ctx, const std::string& uid, const std::string& name,
                                        const std::string& ns) override;
  SyncResult SyncPod(const Context& ctx, const core::Pod& pod, const RuntimePodStatus& status) override;
  Status PrePullImages(const Context& ctx, const core::Pod& pod) override;
  Status KillPod(const Context& ctx, const core::Pod* pod, const RuntimePodStatus& status, const KillOptions& options) override;
  Status CollectGarbage(const Context& ctx, const GcInput& input) override;
  Status CollectImages(const Context& ctx, const ImageGcPolicy& policy, const std::vector<std::string>& keep) override;
  Status RotateLogs(const Context& ctx) override;
  std::string ContainerLogPath(const core::Pod& pod, const std::string& container, int restart_count) const override;
  Result<ExecResult> Exec(const Context& ctx, const std::string& container_id, const std::vector<std::string>& command,
                          Duration timeout) override;

 private:
  // What the containers of one sync start in.
  struct Sandbox {
    std::string id;
    cri_v1::PodSandboxConfig config;
    std::vector<std::string> pod_ips;
    std::string hosts_file;
  };
  struct StartOutcome {
    WaitingReason why;  // empty reason: started
    std::optional<Duration> retry_after;
  };

  // manager.cc
  void Start(const Context& ctx, const core::Pod& pod, const RuntimePodStatus& status, const PodActions& actions,
             const Sandbox& sandbox, SyncResult* result);
  bool KillUnwanted(const Context& ctx, const core::Pod& pod, const RuntimePodStatus& status, const PodActions& actions,
                    SyncResult* result);
  bool PrepareSandbox(const Context& ctx, const core::Pod& pod, const RuntimePodStatus& status, const PodActions& actions,
                      Sandbox* sandbox, SyncResult* result);
  void PruneInitContainers(const Context& ctx, const core::Pod& pod, const RuntimePodStatus& status, int keep);
  Result<Gate::Pass> EnterStartGate(const Context& ctx) { return start_gate_.Enter(ctx, std::chrono::seconds(2)); }

  // create_sandbox.cc
  Result<std::string> CreateSandbox(const Context& ctx, const core::Pod& pod, cri_v1::PodSandboxConfig* config);
  // After a name conflict: the ID of a sandbox of this attempt that may be used, or "" after the attempt is free or to
  // be skipped.
  Result<std::string> ResolveSandboxConflict(const Context& ctx, const core::Pod& pod, uint32_t attempt);
  Result<std::vector<std::string>> SandboxAddresses(const Context& ctx, const std::string& id);

  // start_container.cc
  StartOutcome StartContainer(const Context& ctx, const core::Pod& pod, const core::Container& container,
                              const RuntimePodStatus& status, const Sandbox& sandbox);
  std::optional<StartOutcome> CheckBackoff(const core::Pod& pod, const core::Container& container, const RuntimePodStatus& status);
  Result<cri_v1::ContainerConfig> ConfigFor(const Context& ctx, const core::Pod& pod, const core::Container& container, int attempt,
                                            const PulledImage& image, const Sandbox& sandbox);
  Result<std::string> CreateContainer(const Context& ctx, const core::Pod& pod, const core::Container& container,
                                      cri_v1::ContainerConfig* config, const Sandbox& sandbox);
  // As for sandboxes.
  Result<std::string> ResolveContainerConflict(const Context& ctx, const core::Pod& pod, const core::Container& container,
                                               uint32_t attempt, const Sandbox& sandbox);
  int NextAttempt(const core::Pod& pod, const core::Container& container, const RuntimePodStatus& status);
  void LinkLegacyLog(const core::Pod& pod, const std::string& container, const std::string& id, const std::string& log) const;

  // kill.cc
  struct KillTarget {
    std::string id, name;
    std::string message;  // of the event; empty: "Stopping container <name>"
    KillReason reason = KillReason::kNone;
    std::optional<int64_t> grace;  // overrides
  };
  // pod null: grace and hooks come from the container's annotations. order may be null.
  Status KillContainer(const Context& ctx, const core::Pod* pod, const KillTarget& target, const std::vector<std::string>& pod_ips,
                       TerminationOrder* order);
  // must_stop_dead false: a sandbox that is dead already and cannot be stopped is left to the garbage collector.
  Status KillRunning(const Context& ctx, const core::Pod* pod, const RuntimePodStatus& status, const KillOptions& options,
                     bool must_stop_dead, bool* changed);
  struct Restored {
    core::Pod pod;
    core::Container container;
  };
  Result<Restored> RestoreSpec(const Context& ctx, const std::string& container_id);

  // hooks.cc
  // Runs a hook, at most for `limit` (nullopt: as long as it takes). The error's message is the waiting message.
  Status RunHook(const Context& ctx, const core::Pod& pod, const core::Container& container, const std::string& id,
                 const core::LifecycleHandler& hook, const std::vector<std::string>& pod_ips, std::optional<Duration> limit);

  // pod_status.cc
  std::optional<Result<ContainerStatus>> ReadContainer(const Context& ctx, const cri_v1::Container& listed);
  Result<SandboxStatus> ReadSandbox(const Context& ctx, const cri_v1::PodSandbox& listed);
  void ForgetAllBut(const std::set<std::string>& ids);

  // gc.cc
  struct DeadContainer {
    std::string id, pod_uid, pod_name, pod_ns, name;
    uint32_t attempt = 0;
    int64_t created_at = 0;
    bool unknown = false;
  };
  void RemoveContainerAndLogs(const Context& ctx, const DeadContainer& container);
  void CollectContainers(const Context& ctx, const GcInput& input, const std::vector<cri_v1::Container>& all);
  Status CollectSandboxes(const Context& ctx, const GcInput& input, const std::vector<cri_v1::Container>& containers);
  Status CollectLogDirectories(const GcInput& input);
  void CollectLegacyLinks(const std::set<std::string>& containers);

  void ContainerEvent(const core::Pod& pod, const core::Container& container, EventType type, std::string_view reason,
                      std::string message) {
    deps_.events.Record(ContainerEventRef(pod, container), type, reason, std::move(message));
  }
  static ObjectRef ContainerEventRef(const core::Pod& pod, const core::Container& container);

  const RuntimeManagerOptions options_;
  const RuntimeDependencies deps_;
  ImagePuller puller_;
  Backoff crash_backoff_;
  Gate start_gate_;

  std::mutex mutex_;
  // Of running and exited containers, by id: what the runtime says about them does not change until the state does.
  struct CachedStatus {
    ContainerStatus status;
    bool final_message = false;
  };
  std::map<std::string, CachedStatus> statuses_;
  std::map<std::string, SandboxStatus> sandboxes_;  // ready ones
  std::set<std::string> stopped_sandboxes_;         // StopPodSandbox succeeded
  struct ImageRecord {
    WallTime first_seen{}, last_used{};
  };
  std::map<std::string, ImageRecord> images_;  // by image id
};

// "failed to reserve container name ..." and its sandbox twin.
bool IsNameConflict(const Status& error);

}  // namespace knarr::kubelet
