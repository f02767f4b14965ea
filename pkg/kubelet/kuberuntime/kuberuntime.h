// Makes the container runtime run a pod: from core::Pod to CRI calls and back.
// Mirrors: pkg/kubelet/kuberuntime/{kuberuntime_manager,kuberuntime_container,kuberuntime_sandbox,kuberuntime_image,
// kuberuntime_gc,labels,helpers,security_context}.go, pkg/kubelet/images, pkg/kubelet/lifecycle.
// Level-based: SyncPod looks at what runs and at what should run, and does the next steps. Blocking, thread-safe for
// different pods; calls for one pod come one at a time (from its worker).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/types.h"
#include "pkg/base/clock.h"
#include "pkg/base/context.h"
#include "pkg/kubelet/cm/cm.h"
#include "pkg/kubelet/config/config.h"
#include "pkg/kubelet/container/types.h"
#include "pkg/kubelet/events/events.h"
#include "pkg/kubelet/volume/volume.h"

namespace knarr::cri {
class CriRuntime;
}

namespace knarr::kubelet {

// What the prober found, by container id (without "containerd://"); nullopt: nothing yet. false means that the failure
// threshold was reached: the container is killed. A startup probe that has not succeeded yet is nullopt, not false.
class ProbeResults {
 public:
  virtual ~ProbeResults() = default;
  virtual std::optional<bool> Live(const std::string& container_id) const = 0;
  virtual std::optional<bool> Started(const std::string& container_id) const = 0;
};

// Node-dependent parts of a sandbox that are decided elsewhere.
struct PodNetworkSettings {
  std::string hostname;                       // empty for host network: the node's
  std::vector<std::string> dns_servers, dns_searches, dns_options;
};

// Of a file system, in bytes.
struct DiskSpace {
  uint64_t capacity = 0, available = 0;
};

struct RuntimeManagerOptions {
  std::string root_dir = "/var/lib/kubelet";
  std::string pod_logs_dir = "/var/log/pods";
  std::string legacy_logs_dir = "/var/log/containers";  // links for log shippers; empty: none
  std::string seccomp_profile_root = "/var/lib/kubelet/seccomp";
  std::string node_name;
  std::vector<std::string> host_ips;          // status.hostIP(s)
  bool seccomp_default = false;
  bool cpu_cfs_quota = true;
  bool serialize_image_pulls = true;
  int max_parallel_image_pulls = 0;           // 0: no limit when not serialised
  double registry_qps = 5;
  int registry_burst = 10;
  Duration image_pull_progress_deadline = std::chrono::minutes(1);
  Duration backoff_base = std::chrono::seconds(10);  // restart and image pull back-off, doubled to the maximum
  Duration backoff_max = std::chrono::minutes(5);
  int64_t container_log_max_size = 10 << 20;
  int container_log_max_files = 5;
  int max_per_pod_container_count = 1;
  Duration min_container_age = std::chrono::seconds(0);
  std::vector<std::string> allowed_unsafe_sysctls;
  std::string pause_image;                    // never collected
  // For resourceFieldRef of limits that are not set: "cpu" -> "2", "memory" -> "1Gi".
  std::map<std::string, std::string> node_allocatable;
  // RunPodSandbox, CreateContainer and StartContainer at once; 0: four, or twice the processors if that is more.
  int max_parallel_starts = 0;
  std::function<Result<DiskSpace>(const std::string& path)> disk_space = {};  // empty: statvfs
};

// Whom an httpGet hook asks when the action names no host, and the container's ports by name.
struct HookTarget {
  std::string pod_ip;
  std::map<std::string, int> named_ports;
};

struct RuntimeDependencies {
  cri::CriRuntime& cri;
  Clock& clock;
  EventRecorder& events;
  VolumeManager& volumes;
  CgroupManager& cgroups;
  const ObjectGetter& objects;
  const ProbeResults& probes;
  // new_sandbox: the pod starts, so what the user should know is said now.
  std::function<Result<PodNetworkSettings>(const core::Pod&, bool new_sandbox)> network_settings;
  // /etc/hosts for the pod once its addresses are known; returns the host path to mount, or "" for none.
  std::function<Result<std::string>(const core::Pod&, const std::vector<std::string>& pod_ips)> hosts_file;
  Logger log;
  // httpGet hooks (RunHttpGetHook of the prober): an error unless the answer is 200..399. Without it they fail.
  std::function<Status(const Context&, const core::HTTPGetAction&, const HookTarget&)> http_get_hook = {};
  // A pod's call begins or ends to wait for what may take as long as it likes: a pull, a hook, a grace period.
  std::function<void(const std::string& pod_uid, bool begins)> long_wait = {};
};

struct SyncResult {
  Status error;                                  // first failure; the worker retries with back-off
  std::map<std::string, WaitingReason> waiting;  // by container name: those that could not be started
  std::optional<Duration> retry_after;           // back-off ends then; no need to try earlier
  bool changed = false;                          // containers or sandboxes were started or stopped: read the status again
};

// A pod seen in the runtime, known to the kubelet or not.
struct RunningPod {
  std::string uid, name, ns;
  bool any_running = false;
  std::vector<std::string> sandbox_ids, container_ids;
};

class RuntimeManager {
 public:
  static std::unique_ptr<RuntimeManager> Create(RuntimeManagerOptions options, RuntimeDependencies dependencies);
  virtual ~RuntimeManager() = default;

  // All pods the runtime knows by our labels, dead ones too, in two list calls.
  virtual Result<std::vector<RunningPod>> ListPods(const Context& ctx) = 0;
  virtual Result<RuntimePodStatus> GetPodStatus(const Context& ctx, const std::string& uid, const std::string& name, const std::string& ns) = 0;

  // Sandbox, init containers, sidecars, containers, restarts, one pass. Volumes and the cgroup must be there.
  virtual SyncResult SyncPod(const Context& ctx, const core::Pod& pod, const RuntimePodStatus& status) = 0;

  // Pulls what SyncPod would need; for updates, before the old pod is stopped.
  virtual Status PrePullImages(const Context& ctx, const core::Pod& pod) = 0;

  struct KillOptions {
    std::optional<int64_t> grace_period_seconds;  // overrides the spec's; 0 kills at once
    std::string reason;  // of the Killing event, the container's name is added; empty: "Stopping container"
  };
  // preStop hooks, SIGTERM, grace, SIGKILL; all containers in parallel, sidecars last and in reverse; then stops the
  // sandboxes. `pod` may be null for a pod known only to the runtime (grace from the container annotations).
  virtual Status KillPod(const Context& ctx, const core::Pod* pod, const RuntimePodStatus& status, const KillOptions& options) = 0;

  // Removes dead containers and sandboxes: of pods that are gone everything, of others all but the newest dead ones.
  struct GcInput {
    std::function<bool(const std::string& uid)> pod_known;        // desired or still terminating
    std::function<bool(const std::string& uid)> pod_terminated;   // all containers may go
  };
  virtual Status CollectGarbage(const Context& ctx, const GcInput& input) = 0;
  // Image GC: deletes unused images, oldest first, until usage is below the low threshold; never the pause image,
  // pinned images or `keep`. Says what it could not free and why.
  struct ImageGcPolicy {
    int high_threshold_percent = 85, low_threshold_percent = 80;
    Duration min_age = std::chrono::minutes(2), max_age{};
  };
  virtual Status CollectImages(const Context& ctx, const ImageGcPolicy& policy, const std::vector<std::string>& keep) = 0;
  // Rotates logs of running containers above the size.
  virtual Status RotateLogs(const Context& ctx) = 0;

  virtual std::string ContainerLogPath(const core::Pod& pod, const std::string& container, int restart_count) const = 0;
  // exec for probes and hooks: exit code and combined output (bounded to 16 KiB).
  struct ExecResult {
    int exit_code = 0;
    std::string output;
  };
  virtual Result<ExecResult> Exec(const Context& ctx, const std::string& container_id, const std::vector<std::string>& command, Duration timeout) = 0;
};

}  // namespace knarr::kubelet
