// One worker per pod: the state machine from "a manifest says so" to "nothing of it is left".
//
//   waiting ──► running ──► finished            (a pod whose containers ended for good stays visible, resources freed)
//      │           │            │
//      └───────────┴────────────┴──► terminating ──► gone
//
// waiting: an older pod of the same name is still there (its successor's images are pulled before it is stopped), or a
//   pod named in knarr.dev/after is not Ready.
// A worker is a key in a queue and runs on a bounded elastic pool; it blocks on the runtime, never on an API server.
// Nothing here polls: it runs when the desired state, the runtime, a probe or a timer says so.
// Mirrors: pkg/kubelet/pod_workers.go, kubelet.go (SyncPod, SyncTerminatingPod, SyncTerminatedPod)
// Thread-safe. Callbacks run without locks held.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "pkg/base/context.h"
#include "pkg/base/pool.h"
#include "pkg/base/workqueue.h"
#include "pkg/kubelet/config/config.h"
#include "pkg/kubelet/kuberuntime/kuberuntime.h"
#include "pkg/kubelet/podworker/dependencies.h"
#include "pkg/kubelet/podworker/pass_watch.h"

namespace knarr::kubelet {

// What pod workers need of the prober; ProbeManager through an adapter.
class PodProber {
 public:
  virtual ~PodProber() = default;
  virtual void AddPod(const core::Pod& pod) = 0;
  virtual void StopLivenessAndStartup(const std::string& pod_uid) = 0;
  virtual void RemovePod(const std::string& pod_uid) = 0;
  // The pod's containers changed.
  virtual void Notify(const std::string& pod_uid) = 0;
};

struct StatusInput {
  const core::Pod& pod;
  const RuntimePodStatus& runtime;
  const std::map<std::string, WaitingReason>& waiting;
  const core::PodStatus& old_status;
  bool terminal = false;  // nothing of the pod will be started again
};

struct PodWorkerDependencies {
  RuntimeManager& runtime;
  VolumeManager& volumes;
  CgroupManager& cgroups;
  PodProber& prober;
  EventRecorder& events;
  Clock& clock;
  std::function<core::PodStatus(const StatusInput&)> generate_status;
  // What was just read from the runtime.
  std::function<void(const RuntimePodStatus&)> on_runtime_status;
  // A pod is gone: remove its directory, hosts file and the like.
  std::function<void(const std::string& pod_uid)> on_gone;
  // What is left of dead containers may be collected now (called often; the callee coalesces).
  std::function<void()> request_gc;
  std::vector<std::string> host_ips;
  int max_pods = 0;  // more are not let in until one ends; 0: no bound
  Logger log;
};

class PodWorkers {
 public:
  enum class Phase { kWaiting, kRunning, kFinished, kTerminating };

  // A copy for readers.
  struct Snapshot {
    PodPtr pod;  // null for a pod known only to the runtime
    std::string uid, ns, name, file;
    Phase phase = Phase::kWaiting;
    core::PodStatus status;
    RuntimePodStatus runtime;
    std::string waits_for;  // why kWaiting, in words
    std::string last_error;
  };

  PodWorkers(PodWorkerDependencies dependencies, size_t max_threads = 128);
  // Stops working; pods keep running.
  ~PodWorkers();
  PodWorkers(const PodWorkers&) = delete;

  // The whole desired state. Pods that are not in it are terminated, but only once sources_ready.
  void SetDesired(std::shared_ptr<const DesiredState> desired);
  // Pods found in the runtime at start or by a relist. Those that are desired are adopted as they are; the others are
  // terminated once the sources are ready.
  void SetObserved(const std::vector<RunningPod>& pods);
  // Something happened to the pod: look again. relist: the runtime has news (else only probes do).
  void Wake(const std::string& uid, bool relist);

  std::vector<Snapshot> List() const;
  std::optional<Snapshot> Get(const std::string& uid) const;
  std::optional<Snapshot> FindByName(const std::string& ns, const std::string& name) const;
  bool Known(const std::string& uid) const;
  bool Finished(const std::string& uid) const;
  // The runtime had this pod at the last look.
  bool SeenInRuntime(const std::string& uid) const;

  // For how long the slowest pass that runs now has been busy, long waits left out.
  Duration LongestPass() const { return passes_.Longest(); }
  // The pod's pass begins (or ends) to wait for a pull, a hook or a grace period.
  void LongWait(const std::string& uid, bool begins) { passes_.Wait(uid, begins); }

  // Terminates every pod, dependents before what they depend on (knarr.dev/after in reverse), and waits for it.
  // SetDesired has no effect from then on.
  Status ShutDownPods(const Context& ctx);
  // Stops taking work and interrupts what can be interrupted; pods keep running.
  void Stop();
  // Blocks until nothing is queued or running; for tests.
  void Drain();

 private:
  struct Worker {
    std::string uid, ns, name;
    SourcePod desired;  // pod is null for orphans
    bool wanted = true;
    Phase phase = Phase::kWaiting;
    uint64_t order = 0;  // a pod waits for those of its name that came before it
    bool images_pulled = false;
    bool relist = true;       // the cached runtime status is stale
    bool seen_in_runtime = false;
    RuntimePodStatus runtime;
    core::PodStatus status;
    std::map<std::string, WaitingReason> waiting;
    std::string waits_for, last_error;
    // Counted against max_pods; refused by it and asked again when a pod ends.
    bool admitted = false, rejected = false;
    bool killed_for_deadline = false;
    std::stop_source stop;  // interrupts work for a pod that is no longer wanted
  };
  using WorkerPtr = std::shared_ptr<Worker>;

  void RunOne();
  void SyncKey(const std::string& uid);
  // Each returns with nothing locked; they lock for short copies only.
  bool MayStart(const WorkerPtr& worker);
  bool Admit(const WorkerPtr& worker);
  bool HandOver(const WorkerPtr& worker);
  void SyncRunning(const WorkerPtr& worker);
  Status RefreshRuntimeStatus(const WorkerPtr& worker, const Context& ctx);
  Status PrepareResources(const core::Pod& pod, const RuntimePodStatus& runtime, const Context& ctx);
  void SyncTerminating(const WorkerPtr& worker);
  void Finish(const WorkerPtr& worker, const RuntimePodStatus& runtime);
  bool DeadlineExceeded(const WorkerPtr& worker, const core::Pod& pod, const RuntimePodStatus& runtime);
  void CheckVolumeLimits(const WorkerPtr& worker, const core::Pod& pod, const Context& ctx);
  void PublishStatus(const WorkerPtr& worker, core::PodStatus status);
  void ScheduleRetry(const std::string& uid, const SyncResult& result);
  void Unwant(const WorkerPtr& worker);
  void Erase(const WorkerPtr& worker);
  std::vector<std::string> RejectedLocked() const;
  WorkerPtr FindLocked(const std::string& uid) const;
  WorkerPtr AddLocked(const SourcePod& pod);
  WorkerPtr AddOrphanLocked(const RunningPod& pod);
  WorkerPtr PredecessorLocked(const Worker& worker) const;
  PodPtr PodOf(const WorkerPtr& worker) const;
  std::set<std::string> ReadyNamesLocked() const;
  std::set<std::string> AliveNamesLocked() const;
  Snapshot SnapshotOf(const Worker& worker) const;

  PodWorkerDependencies deps_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, WorkerPtr> workers_;  // by uid
  std::shared_ptr<const DesiredState> desired_;
  std::map<std::string, RunningPod> observed_;  // before the sources are ready
  std::set<std::string> runtime_uids_;          // seen in the runtime at the last observation
  Dependencies dependencies_;
  bool observed_once_ = false;
  uint64_t last_order_ = 0;
  bool shutting_down_ = false;
  std::stop_source stop_;
  PassWatch passes_;
  WorkQueue queue_;
  std::optional<ElasticPool> pool_;
};

std::string_view ToString(PodWorkers::Phase phase);

}  // namespace knarr::kubelet
