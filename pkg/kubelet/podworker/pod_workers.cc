#include "pkg/kubelet/podworker/pod_workers.h"

#include <algorithm>

namespace knarr::kubelet {
namespace {

constexpr Duration kRetryBase = std::chrono::seconds(1);
constexpr Duration kRetryMax = std::chrono::seconds(10);
constexpr Duration kVolumeLimitInterval = std::chrono::seconds(60);

std::string FullName(std::string_view ns, std::string_view name) { return fmt::format("{}/{}", ns, name); }

ObjectRef RefOf(const core::Pod& pod) {
  return {.kind = "Pod", .ns = pod.metadata().namespace_(), .name = pod.metadata().name(), .uid = pod.metadata().uid(), .field_path = ""};
}

std::string ConfigHash(const core::Pod& pod) {
  const auto it = pod.metadata().annotations().find("kubernetes.io/config.hash");
  return it == pod.metadata().annotations().end() ? "" : it->second;
}

bool IsReady(const core::PodStatus& status) {
  for (const core::PodCondition& condition : status.conditions()) {
    if (condition.type() == "Ready") return condition.status() == "True";
  }
  return false;
}

bool IsTerminal(const core::PodStatus& status) { return status.phase() == "Succeeded" || status.phase() == "Failed"; }

// The clock of activeDeadlineSeconds: when the pod's first sandbox was made, which survives a restart of the kubelet.
std::optional<WallTime> StartedAt(const RuntimePodStatus& runtime) {
  std::optional<WallTime> first;
  for (const SandboxStatus& sandbox : runtime.sandboxes) {
    if (!first || sandbox.created_at < *first) first = sandbox.created_at;
  }
  return first;
}

bool HasSizeLimitedDisk(const core::Pod& pod) {
  return std::any_of(pod.spec().volumes().begin(), pod.spec().volumes().end(), [](const core::Volume& volume) {
    const auto& source = volume.volumesource();
    return source.has_emptydir() && source.emptydir().has_sizelimit() && source.emptydir().medium().empty();
  });
}

}  // namespace

std::string_view ToString(PodWorkers::Phase phase) {
  switch (phase) {
    case PodWorkers::Phase::kWaiting: return "waiting";
    case PodWorkers::Phase::kRunning: return "running";
    case PodWorkers::Phase::kFinished: return "finished";
    case PodWorkers::Phase::kTerminating: return "terminating";
  }
  return "unknown";
}

PodWorkers::PodWorkers(PodWorkerDependencies dependencies, size_t max_threads)
    : deps_(std::move(dependencies)), passes_(deps_.clock), queue_(deps_.clock, {.base_delay = kRetryBase, .max_delay = kRetryMax}) {
  pool_.emplace("pod-worker", max_threads);
  queue_.OnReady([this] { pool_->Post([this] { RunOne(); }); });
}

PodWorkers::~PodWorkers() { Stop(); }

void PodWorkers::Stop() {
  stop_.request_stop();
  queue_.ShutDown();
  queue_.OnReady(nullptr);
  pool_.reset();
}

void PodWorkers::Drain() {
  // A task may queue another; quiet is reached when the queue is empty after a drain.
  do {
    pool_->Drain();
  } while (queue_.Length() > 0);
}

void PodWorkers::RunOne() {
  const std::optional<std::string> uid = queue_.TryGet();
  if (!uid) return;
  passes_.Begin(*uid);
  SyncKey(*uid);
  passes_.End(*uid);
  queue_.Done(*uid);
}

// ---- desired and observed state ------------------------------------------------------------------------------------

void PodWorkers::SetDesired(std::shared_ptr<const DesiredState> desired) {
  std::vector<std::string> wake;
  std::vector<WorkerPtr> unwanted;
  {
    std::lock_guard lock(mutex_);
    if (shutting_down_) return;
    const bool objects_changed =
        desired_ && (desired_->config_maps != desired->config_maps || desired_->secrets != desired->secrets);
    desired_ = desired;
    std::set<std::string> uids, names;
    for (const SourcePod& source : desired->pods) {
      uids.insert(source.pod->metadata().uid());
      names.insert(FullName(source.pod->metadata().namespace_(), source.pod->metadata().name()));
    }
    if (desired->sources_ready) {
      // What the runtime has and no manifest wants. Before the desired pods, which may have to wait for them.
      for (const auto& [uid, pod] : observed_) {
        if (uids.contains(uid) || workers_.contains(uid)) continue;
        AddOrphanLocked(pod);
      }
      observed_.clear();
    }
    for (const SourcePod& source : desired->pods) {
      const std::string& uid = source.pod->metadata().uid();
      dependencies_.Set(FullName(source.pod->metadata().namespace_(), source.pod->metadata().name()), source.after);
      const WorkerPtr existing = FindLocked(uid);
      if (!existing) {
        AddLocked(source);
        wake.push_back(uid);
        continue;
      }
      if (existing->desired.pod && ConfigHash(*existing->desired.pod) != ConfigHash(*source.pod)) {
        // Another content under a UID that the manifest fixes: the old pod ends first, then this one starts (Erase).
        unwanted.push_back(existing);
        continue;
      }
      existing->desired = source;
      if (objects_changed && existing->phase == Phase::kRunning) wake.push_back(uid);
    }
    if (desired->sources_ready) {
      for (const auto& [uid, worker] : workers_) {
        if (uids.contains(uid) || !worker->wanted) continue;
        // A pod that runs and has a successor stays until the successor's images are there (HandOver).
        if (worker->phase != Phase::kWaiting && names.contains(FullName(worker->ns, worker->name))) continue;
        unwanted.push_back(worker);
      }
    }
  }
  for (const WorkerPtr& worker : unwanted) Unwant(worker);
  for (const std::string& uid : wake) queue_.Add(uid);
}

void PodWorkers::SetObserved(const std::vector<RunningPod>& pods) {
  std::vector<std::string> wake;
  std::vector<WorkerPtr> orphans;
  {
    std::lock_guard lock(mutex_);
    runtime_uids_.clear();
    observed_.clear();
    observed_once_ = true;
    for (const RunningPod& pod : pods) {
      runtime_uids_.insert(pod.uid);
      if (const WorkerPtr worker = FindLocked(pod.uid)) {
        worker->relist = true;
        worker->seen_in_runtime = true;
        continue;
      }
      if (desired_ && desired_->sources_ready && !shutting_down_) {
        orphans.push_back(AddOrphanLocked(pod));
      } else {
        observed_[pod.uid] = pod;
      }
    }
    for (const auto& [uid, worker] : workers_) {
      worker->relist = true;
      wake.push_back(uid);
    }
  }
  for (const WorkerPtr& orphan : orphans) Unwant(orphan);
  for (const std::string& uid : wake) queue_.Add(uid);
}

PodWorkers::WorkerPtr PodWorkers::AddLocked(const SourcePod& source) {
  auto worker = std::make_shared<Worker>();
  worker->uid = source.pod->metadata().uid();
  worker->ns = source.pod->metadata().namespace_();
  worker->name = source.pod->metadata().name();
  worker->desired = source;
  worker->order = ++last_order_;
  worker->seen_in_runtime = !observed_once_ || runtime_uids_.contains(worker->uid);
  // A pod that already runs was let in before; knarr.dev/after is about starting.
  if (runtime_uids_.contains(worker->uid) && !PredecessorLocked(*worker)) worker->phase = Phase::kRunning;
  worker->status = deps_.generate_status({*source.pod, worker->runtime, worker->waiting, worker->status});
  workers_.emplace(worker->uid, worker);
  return worker;
}

PodWorkers::WorkerPtr PodWorkers::AddOrphanLocked(const RunningPod& pod) {
  auto orphan = std::make_shared<Worker>();
  orphan->uid = pod.uid;
  orphan->ns = pod.ns;
  orphan->name = pod.name;
  orphan->order = ++last_order_;
  orphan->phase = Phase::kRunning;
  orphan->seen_in_runtime = true;
  workers_.emplace(pod.uid, orphan);
  return orphan;
}

PodWorkers::WorkerPtr PodWorkers::PredecessorLocked(const Worker& worker) const {
  for (const auto& [uid, other] : workers_) {
    if (other->ns == worker.ns && other->name == worker.name && other->order < worker.order) return other;
  }
  return nullptr;
}

PodPtr PodWorkers::PodOf(const WorkerPtr& worker) const {
  std::lock_guard lock(mutex_);
  return worker->desired.pod;
}

PodWorkers::WorkerPtr PodWorkers::FindLocked(const std::string& uid) const {
  const auto it = workers_.find(uid);
  return it == workers_.end() ? nullptr : it->second;
}

void PodWorkers::Unwant(const WorkerPtr& worker) {
  {
    std::lock_guard lock(mutex_);
    if (!worker->wanted) return;
    worker->wanted = false;
    worker->phase = Phase::kTerminating;
  }
  worker->stop.request_stop();
  queue_.Add(worker->uid);
}

void PodWorkers::Wake(const std::string& uid, bool relist) {
  {
    std::lock_guard lock(mutex_);
    const WorkerPtr worker = FindLocked(uid);
    if (!worker) return;
    if (relist) {
      worker->relist = true;
      worker->seen_in_runtime = true;
    }
  }
  queue_.Add(uid);
}

// ---- one pass over one pod -----------------------------------------------------------------------------------------

void PodWorkers::SyncKey(const std::string& uid) {
  WorkerPtr worker;
  bool wanted = false;
  bool orphan = false;
  Phase phase = Phase::kWaiting;
  {
    std::lock_guard lock(mutex_);
    worker = FindLocked(uid);
    if (!worker) return;
    wanted = worker->wanted;
    orphan = !worker->desired.pod;
    phase = worker->phase;
  }
  if (!wanted) return SyncTerminating(worker);
  // An orphan that is still wanted has a successor, which will take over.
  if (orphan || phase == Phase::kFinished) return;
  if (phase == Phase::kWaiting && !MayStart(worker)) return;
  SyncRunning(worker);
}

bool PodWorkers::MayStart(const WorkerPtr& worker) {
  if (!HandOver(worker) || !Admit(worker)) return false;
  std::string waits_for;
  bool news = false;
  {
    std::lock_guard lock(mutex_);
    const std::string dependency = dependencies_.WaitsFor(FullName(worker->ns, worker->name), ReadyNamesLocked());
    if (!dependency.empty()) waits_for = fmt::format("waiting for pod {} to be Ready (knarr.dev/after)", dependency);
    news = waits_for != worker->waits_for;
    worker->waits_for = waits_for;
    if (waits_for.empty()) worker->phase = Phase::kRunning;
  }
  if (waits_for.empty()) return true;
  if (news) deps_.events.Record(RefOf(*PodOf(worker)), EventType::kNormal, "Waiting", waits_for);
  return false;
}

// Pods that hold something of the node count: those that run and those that are being stopped.
bool PodWorkers::Admit(const WorkerPtr& worker) {
  PodPtr pod;
  std::string message;
  {
    std::lock_guard lock(mutex_);
    const auto used = std::count_if(workers_.begin(), workers_.end(), [&](const auto& entry) {
      const Worker& other = *entry.second;
      return &other != worker.get() && other.phase != Phase::kFinished && (other.admitted || other.phase != Phase::kWaiting);
    });
    if (worker->admitted || deps_.max_pods <= 0 || used < deps_.max_pods) {
      worker->admitted = true;
      if (std::exchange(worker->rejected, false)) worker->status = deps_.generate_status({*worker->desired.pod, worker->runtime, worker->waiting, {}});
      return true;
    }
    if (worker->rejected) return false;
    worker->rejected = true;
    pod = worker->desired.pod;
    message = fmt::format("Node didn't have enough resource: pods, requested: 1, used: {}, capacity: {}", used, deps_.max_pods);
    worker->waits_for = "waiting for another pod to end: maxPods is reached";
    worker->status.set_phase("Failed");
    worker->status.set_reason("OutOfpods");
    worker->status.set_message("Pod was rejected: " + message);
  }
  deps_.events.Record(RefOf(*pod), EventType::kWarning, "OutOfpods", std::move(message));
  return false;
}

std::vector<std::string> PodWorkers::RejectedLocked() const {
  std::vector<std::string> rejected;
  for (const auto& [uid, worker] : workers_) {
    if (worker->rejected) rejected.push_back(uid);
  }
  return rejected;
}

bool PodWorkers::HandOver(const WorkerPtr& worker) {
  WorkerPtr old;
  PodPtr pod;
  bool old_wanted = false;
  {
    std::lock_guard lock(mutex_);
    old = PredecessorLocked(*worker);
    if (!old) return true;
    old_wanted = old->wanted;
    pod = worker->desired.pod;
  }
  if (!worker->images_pulled && old_wanted) {
    const Context ctx = Context::Background().WithStop(stop_.get_token()).WithStop(worker->stop.get_token()).WithLogger(deps_.log);
    if (const Status status = deps_.runtime.PrePullImages(ctx, *pod); !status.ok()) {
      if (ctx.Cancelled()) return false;
      {
        std::lock_guard lock(mutex_);
        worker->last_error = std::string(status.message());
        worker->waits_for = fmt::format("the previous version keeps running: {}", status.message());
      }
      deps_.events.Record(RefOf(*pod), EventType::kWarning, "FailedUpdate",
                          fmt::format("the previous version of the pod keeps running: {}", status.message()));
      queue_.AddRateLimited(worker->uid);
      return false;
    }
  }
  queue_.Forget(worker->uid);
  {
    std::lock_guard lock(mutex_);
    worker->images_pulled = true;
    worker->last_error.clear();
    worker->waits_for = "waiting for the previous version of the pod to end";
  }
  Unwant(old);
  return false;  // woken when the old pod is gone
}

Status PodWorkers::RefreshRuntimeStatus(const WorkerPtr& worker, const Context& ctx) {
  {
    std::lock_guard lock(mutex_);
    worker->relist = false;  // news that arrive from here on mean another pass
  }
  Result<RuntimePodStatus> status = deps_.runtime.GetPodStatus(ctx, worker->uid, worker->name, worker->ns);
  if (status.ok()) deps_.on_runtime_status(*status);
  std::lock_guard lock(mutex_);
  if (!status.ok()) {
    worker->relist = true;
    return status.status();
  }
  worker->runtime = std::move(*status);
  return {};
}

Status PodWorkers::PrepareResources(const core::Pod& pod, const RuntimePodStatus& runtime, const Context& ctx) {
  KNARR_TRY_CTX(deps_.cgroups.EnsurePod(pod), "create the pod's cgroup");
  const DownwardFacts facts{.pod_ips = runtime.ips, .host_ips = deps_.host_ips};
  KNARR_TRY(deps_.volumes.SetUp(ctx, pod, facts));
  return deps_.volumes.Refresh(ctx, pod, facts);
}

void PodWorkers::SyncRunning(const WorkerPtr& worker) {
  const Context ctx = Context::Background().WithStop(stop_.get_token()).WithStop(worker->stop.get_token()).WithLogger(deps_.log);
  PodPtr pod;
  bool relist = false;
  {
    std::lock_guard lock(mutex_);
    pod = worker->desired.pod;
    relist = worker->relist && worker->seen_in_runtime;
    worker->waits_for.clear();
  }
  SyncResult result;
  if (relist) result.error = RefreshRuntimeStatus(worker, ctx);
  RuntimePodStatus runtime = worker->runtime;  // only this worker's thread writes it
  if (result.error.ok()) {
    core::PodStatus status = deps_.generate_status({*pod, runtime, worker->waiting, worker->status});
    if (IsTerminal(status) || DeadlineExceeded(worker, *pod, runtime)) {
      PublishStatus(worker, std::move(status));
      return Finish(worker, runtime);
    }
    result.error = PrepareResources(*pod, runtime, ctx);
    if (!result.error.ok() && !ctx.Cancelled()) {
      deps_.events.Record(RefOf(*pod), EventType::kWarning, "FailedMount", std::string(result.error.message()));
    }
  }
  if (result.error.ok()) {
    deps_.prober.AddPod(*pod);
    result = deps_.runtime.SyncPod(ctx, *pod, runtime);
    if (result.changed) {
      {
        std::lock_guard lock(mutex_);
        worker->seen_in_runtime = true;
      }
      if (const Status status = RefreshRuntimeStatus(worker, ctx); result.error.ok()) result.error = status;
      runtime = worker->runtime;
    }
  }
  if (ctx.Cancelled()) return;
  {
    std::lock_guard lock(mutex_);
    worker->waiting = result.waiting;
    worker->last_error = result.error.ok() ? "" : std::string(result.error.message());
  }
  PublishStatus(worker, deps_.generate_status({*pod, runtime, worker->waiting, worker->status}));
  if (result.changed) {
    deps_.prober.Notify(worker->uid);
    deps_.request_gc();
  }
  CheckVolumeLimits(worker, *pod, ctx);
  ScheduleRetry(worker->uid, result);
  // A sidecar that runs now lets the next init container start; no event of the runtime says so.
  if (result.changed && pod->spec().initcontainers_size() > 0) queue_.Add(worker->uid);
}

void PodWorkers::ScheduleRetry(const std::string& uid, const SyncResult& result) {
  if (result.retry_after) {
    queue_.AddAfter(uid, *result.retry_after);
    return;
  }
  if (result.error.ok() && result.waiting.empty()) {
    queue_.Forget(uid);
    return;
  }
  queue_.AddRateLimited(uid);
}

bool PodWorkers::DeadlineExceeded(const WorkerPtr& worker, const core::Pod& pod, const RuntimePodStatus& runtime) {
  if (!pod.spec().has_activedeadlineseconds()) return false;
  const std::optional<WallTime> started = StartedAt(runtime);
  if (!started) return false;
  const auto left = *started + std::chrono::seconds(pod.spec().activedeadlineseconds()) - deps_.clock.Now();
  if (left > WallTime::duration::zero()) {
    queue_.AddAfter(worker->uid, left);
    return false;
  }
  deps_.events.Record(RefOf(pod), EventType::kNormal, "DeadlineExceeded",
                      "Pod was active on the node longer than the specified deadline");
  std::lock_guard lock(mutex_);
  worker->killed_for_deadline = true;
  return true;
}

void PodWorkers::CheckVolumeLimits(const WorkerPtr& worker, const core::Pod& pod, const Context& ctx) {
  if (!HasSizeLimitedDisk(pod)) return;
  const Result<std::string> over = deps_.volumes.OverLimit(ctx, pod);
  if (!over.ok()) {
    deps_.log.Error(over.status(), "Could not measure the pod's volumes", {{"pod", FullName(worker->ns, worker->name)}});
  } else if (!over->empty()) {
    deps_.events.Record(RefOf(pod), EventType::kWarning, "Evicted", *over);
    core::PodStatus status = worker->status;
    status.set_phase("Failed");
    status.set_reason("Evicted");
    status.set_message(*over);
    PublishStatus(worker, std::move(status));
    return Finish(worker, worker->runtime);
  }
  queue_.AddAfter(worker->uid, kVolumeLimitInterval);
}

void PodWorkers::Finish(const WorkerPtr& worker, const RuntimePodStatus& runtime) {
  const Context ctx = Context::Background().WithStop(stop_.get_token()).WithStop(worker->stop.get_token()).WithLogger(deps_.log);
  const PodPtr pod = PodOf(worker);
  deps_.prober.RemovePod(worker->uid);
  Status status = deps_.runtime.KillPod(ctx, pod.get(), runtime, {.grace_period_seconds = {}, .reason = "Stopping container"});
  if (status.ok()) status = deps_.volumes.TearDown(ctx, worker->uid);
  if (status.ok()) status = deps_.cgroups.DestroyPod(worker->uid);
  if (!status.ok()) {
    if (ctx.Cancelled()) return;
    deps_.log.Error(status, "Could not free what an ended pod held; trying again", {{"pod", FullName(worker->ns, worker->name)}});
    queue_.AddRateLimited(worker->uid);
    return;
  }
  const Status refreshed = RefreshRuntimeStatus(worker, ctx);
  core::PodStatus final_status = worker->status;
  if (refreshed.ok() && !IsTerminal(final_status)) {
    final_status = deps_.generate_status({*pod, worker->runtime, {}, worker->status, /*terminal=*/true});
  }
  if (worker->killed_for_deadline) {
    final_status.set_phase("Failed");
    final_status.set_reason("DeadlineExceeded");
    final_status.set_message("Pod was active on the node longer than the specified deadline");
  }
  std::vector<std::string> rejected;
  {
    std::lock_guard lock(mutex_);
    if (worker->wanted) worker->phase = Phase::kFinished;
    worker->waiting.clear();
    rejected = RejectedLocked();
  }
  for (const std::string& uid : rejected) queue_.Add(uid);
  PublishStatus(worker, std::move(final_status));
  deps_.request_gc();
}

void PodWorkers::PublishStatus(const WorkerPtr& worker, core::PodStatus status) {
  const bool satisfied = IsReady(status) || status.phase() == "Succeeded";
  std::vector<std::string> wake;
  {
    std::lock_guard lock(mutex_);
    const bool was = IsReady(worker->status) || worker->status.phase() == "Succeeded";
    worker->status = std::move(status);
    if (satisfied && !was) {
      const std::vector<std::string> dependents = dependencies_.DependentsOf(FullName(worker->ns, worker->name));
      for (const auto& [uid, other] : workers_) {
        if (other->phase == Phase::kWaiting &&
            std::find(dependents.begin(), dependents.end(), FullName(other->ns, other->name)) != dependents.end()) {
          wake.push_back(uid);
        }
      }
    }
  }
  for (const std::string& uid : wake) queue_.Add(uid);
}

// ---- the end of a pod ----------------------------------------------------------------------------------------------

void PodWorkers::SyncTerminating(const WorkerPtr& worker) {
  const Context ctx = Context::Background().WithStop(stop_.get_token()).WithLogger(deps_.log);
  const std::string full_name = FullName(worker->ns, worker->name);
  PodPtr pod;
  bool seen = false;
  {
    std::lock_guard lock(mutex_);
    pod = worker->desired.pod;
    seen = worker->seen_in_runtime;
    if (shutting_down_) {
      const std::string holder = dependencies_.HeldBy(full_name, AliveNamesLocked());
      if (!holder.empty()) {
        worker->waits_for = fmt::format("waiting for pod {} to end first (knarr.dev/after)", holder);
        return;  // woken when a pod is gone
      }
    }
    worker->waits_for.clear();
  }
  deps_.prober.StopLivenessAndStartup(worker->uid);
  Status status;
  if (seen) {
    status = RefreshRuntimeStatus(worker, ctx);
    if (status.ok()) {
      status = deps_.runtime.KillPod(ctx, pod.get(), worker->runtime, {.grace_period_seconds = {}, .reason = "Stopping container"});
    }
  }
  deps_.prober.RemovePod(worker->uid);
  if (status.ok()) status = deps_.volumes.TearDown(ctx, worker->uid);
  if (status.ok()) status = deps_.cgroups.DestroyPod(worker->uid);
  if (!status.ok()) {
    if (ctx.Cancelled()) return;
    deps_.log.Error(status, "Could not terminate a pod; trying again", {{"pod", full_name}, {"podUID", worker->uid}});
    if (pod) deps_.events.Record(RefOf(*pod), EventType::kWarning, "FailedKillPod", fmt::format("error killing pod: {}", status.message()));
    {
      std::lock_guard lock(mutex_);
      worker->last_error = std::string(status.message());
    }
    queue_.AddRateLimited(worker->uid);
    return;
  }
  queue_.Forget(worker->uid);
  Erase(worker);
}

void PodWorkers::Erase(const WorkerPtr& worker) {
  std::vector<std::string> wake;
  {
    std::lock_guard lock(mutex_);
    workers_.erase(worker->uid);
    runtime_uids_.erase(worker->uid);
    bool name_in_use = false;
    for (const auto& [uid, other] : workers_) {
      const bool same_name = other->ns == worker->ns && other->name == worker->name;
      name_in_use |= same_name;
      if ((same_name && other->phase == Phase::kWaiting) || shutting_down_) wake.push_back(uid);
    }
    if (desired_ && !shutting_down_) {
      // The manifest came back, unchanged, while its pod was being terminated.
      for (const SourcePod& source : desired_->pods) {
        if (source.pod->metadata().uid() != worker->uid) continue;
        AddLocked(source);
        wake.push_back(worker->uid);
        name_in_use = true;
      }
    }
    for (std::string& uid : RejectedLocked()) wake.push_back(std::move(uid));
    if (!name_in_use) dependencies_.Erase(FullName(worker->ns, worker->name));
  }
  deps_.on_gone(worker->uid);
  deps_.request_gc();
  deps_.log.Info("Pod is gone", {{"pod", FullName(worker->ns, worker->name)}, {"podUID", worker->uid}});
  changed_.notify_all();
  for (const std::string& uid : wake) queue_.Add(uid);
}

Status PodWorkers::ShutDownPods(const Context& ctx) {
  std::vector<WorkerPtr> all;
  {
    std::lock_guard lock(mutex_);
    shutting_down_ = true;
    // All at once: a pod woken by another's end must already know that it goes too.
    for (const auto& [uid, worker] : workers_) {
      worker->wanted = false;
      worker->phase = Phase::kTerminating;
      all.push_back(worker);
    }
  }
  for (const WorkerPtr& worker : all) {
    worker->stop.request_stop();
    queue_.Add(worker->uid);
  }
  std::unique_lock lock(mutex_);
  while (!workers_.empty()) {
    if (ctx.Done()) return Error(Code::kTimeout, "{} pods are still terminating", workers_.size());
    changed_.wait_for(lock, std::chrono::milliseconds(100));
  }
  return {};
}

// ---- views ---------------------------------------------------------------------------------------------------------

std::set<std::string> PodWorkers::ReadyNamesLocked() const {
  std::set<std::string> names;
  for (const auto& [uid, worker] : workers_) {
    if (worker->wanted && (IsReady(worker->status) || worker->status.phase() == "Succeeded")) names.insert(FullName(worker->ns, worker->name));
  }
  return names;
}

std::set<std::string> PodWorkers::AliveNamesLocked() const {
  std::set<std::string> names;
  for (const auto& [uid, worker] : workers_) names.insert(FullName(worker->ns, worker->name));
  return names;
}

PodWorkers::Snapshot PodWorkers::SnapshotOf(const Worker& worker) const {
  return {.pod = worker.desired.pod,
          .uid = worker.uid,
          .ns = worker.ns,
          .name = worker.name,
          .file = worker.desired.file,
          .phase = worker.phase,
          .status = worker.status,
          .runtime = worker.runtime,
          .waits_for = worker.waits_for,
          .last_error = worker.last_error};
}

std::vector<PodWorkers::Snapshot> PodWorkers::List() const {
  std::vector<Snapshot> snapshots;
  std::lock_guard lock(mutex_);
  snapshots.reserve(workers_.size());
  for (const auto& [uid, worker] : workers_) snapshots.push_back(SnapshotOf(*worker));
  return snapshots;
}

std::optional<PodWorkers::Snapshot> PodWorkers::Get(const std::string& uid) const {
  std::lock_guard lock(mutex_);
  const WorkerPtr worker = FindLocked(uid);
  if (!worker) return std::nullopt;
  return SnapshotOf(*worker);
}

std::optional<PodWorkers::Snapshot> PodWorkers::FindByName(const std::string& ns, const std::string& name) const {
  std::lock_guard lock(mutex_);
  const Worker* found = nullptr;
  for (const auto& [uid, worker] : workers_) {
    // While a pod is replaced there are two of its name; the one that still has containers is the one people mean.
    if (worker->ns == ns && worker->name == name && (!found || worker->phase != Phase::kWaiting)) found = worker.get();
  }
  if (!found) return std::nullopt;
  return SnapshotOf(*found);
}

bool PodWorkers::Known(const std::string& uid) const {
  std::lock_guard lock(mutex_);
  return workers_.contains(uid);
}

bool PodWorkers::SeenInRuntime(const std::string& uid) const {
  std::lock_guard lock(mutex_);
  return runtime_uids_.contains(uid);
}

bool PodWorkers::Finished(const std::string& uid) const {
  std::lock_guard lock(mutex_);
  const WorkerPtr worker = FindLocked(uid);
  return worker && worker->phase == Phase::kFinished;
}

}  // namespace knarr::kubelet
