#include "pkg/kubelet/prober/prober.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <random>
#include <tuple>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/types.h"

namespace knarr::kubelet {
namespace {

using std::chrono::seconds;

constexpr int kMaxRetries = 3;
constexpr size_t kMaxEventOutput = 1024;

constexpr ProbeType kTypes[] = {ProbeType::kStartup, ProbeType::kReadiness, ProbeType::kLiveness};

std::string_view BareId(std::string_view id) {
  const size_t scheme = id.find("://");
  return scheme == std::string_view::npos ? id : id.substr(scheme + 3);
}

bool IsSidecar(const core::Container& container) {
  return container.restartpolicy() == "Always";
}

const core::Probe* ProbeOf(const core::Container& container, ProbeType type) {
  switch (type) {
    case ProbeType::kLiveness: return container.has_livenessprobe() ? &container.livenessprobe() : nullptr;
    case ProbeType::kReadiness: return container.has_readinessprobe() ? &container.readinessprobe() : nullptr;
    case ProbeType::kStartup: return container.has_startupprobe() ? &container.startupprobe() : nullptr;
  }
  return nullptr;
}

ProbeResult InitialResult(ProbeType type) {
  switch (type) {
    case ProbeType::kLiveness: return ProbeResult::kSuccess;
    case ProbeType::kReadiness: return ProbeResult::kFailure;
    case ProbeType::kStartup: break;
  }
  return ProbeResult::kUnknown;
}

double RandomFraction() {
  thread_local std::minstd_rand generator{std::random_device{}()};
  return std::uniform_real_distribution<double>(0, 1)(generator);
}

// pod uid, container, type
using Key = std::tuple<std::string, std::string, ProbeType>;

struct Worker {
  std::string pod_uid, pod_namespace, pod_name, container;
  ProbeType type;
  core::Probe probe;
  std::map<std::string, int> named_ports;
  bool restarts = true;  // its container is started again after it ended
  Duration period{};

  // Guarded by the manager's mutex.
  bool running = false, again = false, stopped = false;
  Timer timer;
  std::stop_source stop;

  // Of the thread that looks; one at a time.
  std::string container_id;
  ProbeResult last_result = ProbeResult::kUnknown;
  bool has_last = false;
  int result_run = 0;
  bool on_hold = false;
  bool unprobed = true;  // this container was not probed yet
  MonoTime next_look{};
  MonoTime next_probe{};  // not probed earlier, whoever notifies

  Key key() const { return {pod_uid, container, type}; }
};
using WorkerPtr = std::shared_ptr<Worker>;

}  // namespace

std::string_view ProbeTypeName(ProbeType type) {
  switch (type) {
    case ProbeType::kLiveness: return "Liveness";
    case ProbeType::kReadiness: return "Readiness";
    case ProbeType::kStartup: return "Startup";
  }
  return "UNKNOWN";
}

struct ProbeManager::Impl {
  Impl(Options o, ElasticPool& p, Clock& c, Logger l)
      : options(std::move(o)),
        pool(p),
        clock(c),
        logger(std::move(l)),
        registry(options.registry != nullptr ? *options.registry : own_registry),
        total(registry.AddCounters(
            "prober_probe_total",
            "[ALPHA] Cumulative number of a liveness, readiness or startup probe for a container by result.",
            {"probe_type", "result", "container", "pod", "namespace", "pod_uid"})),
        duration(registry.AddHistograms("prober_probe_duration_seconds",
                                        "[ALPHA] Duration in seconds for a probe response.",
                                        {"probe_type", "container", "pod", "namespace"})) {
    if (!options.jitter) options.jitter = RandomFraction;
    started = clock.Monotonic();
  }

  void Add(const core::Pod& pod, const core::Container& container, ProbeType type);
  void Kick(const WorkerPtr& worker);
  void Run(const WorkerPtr& worker);
  bool Look(Worker& w);
  bool Examine(Worker& w, const ProbePodState& pod, const ProbeContainerState& container);
  void Execute(Worker& w, const ProbePodState& pod);
  void Count(const Worker& w, ProbeResult result, Duration took);
  void Judge(Worker& w, ProbeResult result, const std::string& output);
  void Stop(const std::function<bool(const Worker&)>& which);
  void Forget(Worker& w);
  bool Started(const std::string& uid, const std::string& container, std::string_view id) const;
  bool Exists(const std::string& uid, const std::string& container, ProbeType type) const;
  std::optional<ProbeResult> Get(ProbeType type, std::string_view id) const;
  bool Set(const Worker& w, ProbeResult result);
  void Emit(const Worker& w, std::string_view reason, std::string message);

  Options options;
  ElasticPool& pool;
  Clock& clock;
  const Logger logger;
  metrics::Registry own_registry;
  metrics::Registry& registry;
  metrics::Family<metrics::Counter>& total;
  metrics::Family<metrics::Histogram>& duration;
  MonoTime started;

  mutable std::mutex mutex;
  std::condition_variable quiet;
  std::map<Key, WorkerPtr> workers;
  std::map<std::pair<ProbeType, std::string>, ProbeResult> results;  // by bare container id
  std::atomic<size_t> active{0};                                     // looks posted or running
  bool closing = false;
};

void ProbeManager::Impl::Add(const core::Pod& pod, const core::Container& container, ProbeType type) {
  const core::Probe* probe = ProbeOf(container, type);
  if (probe == nullptr) return;
  auto worker = std::make_shared<Worker>();
  worker->pod_uid = pod.metadata().uid();
  worker->pod_namespace = pod.metadata().namespace_();
  worker->pod_name = pod.metadata().name();
  worker->container = container.name();
  worker->type = type;
  worker->probe = *probe;
  for (const core::ContainerPort& port : container.ports()) {
    if (!port.name().empty()) worker->named_ports[port.name()] = port.containerport();
  }
  worker->restarts = pod.spec().restartpolicy() != "Never" || IsSidecar(container);
  worker->period = seconds(std::max(probe->periodseconds() > 0 ? probe->periodseconds() : 10, 1));

  // After a restart of the kubelet the probes of all pods that run already would come at once: spread them. A
  // container that is yet to start is not made to wait.
  Duration delay{};
  const MonoTime now = clock.Monotonic();
  if (worker->period > now - started) {
    const auto state = options.state(worker->pod_uid);
    const auto found = state ? state->containers.find(worker->container)
                             : std::map<std::string, ProbeContainerState>::const_iterator{};
    if (state && found != state->containers.end() && found->second.running) {
      delay = std::chrono::duration_cast<Duration>(options.jitter() * std::chrono::duration<double>(worker->period));
    }
  }
  worker->next_look = worker->next_probe = now + delay;
  {
    std::lock_guard lock(mutex);
    if (closing || !workers.emplace(worker->key(), worker).second) return;
  }
  Kick(worker);
}

// Has a pool thread look at the worker. Takes no lock of ours, as timers call it.
void ProbeManager::Impl::Kick(const WorkerPtr& worker) {
  ++active;
  pool.Post([this, worker] {
    Run(worker);
    std::lock_guard lock(mutex);
    if (--active == 0) quiet.notify_all();
  });
}

void ProbeManager::Impl::Run(const WorkerPtr& worker) {
  Worker& w = *worker;
  {
    std::lock_guard lock(mutex);
    if (w.running) {
      w.again = true;
      return;
    }
    if (w.stopped) return;
    w.running = true;
  }
  const bool keep = Look(w);
  std::lock_guard lock(mutex);
  w.running = false;
  if (!keep || w.stopped) {
    w.stopped = true;
    Forget(w);
    return;
  }
  if (std::exchange(w.again, false)) return Kick(worker);
  w.timer = clock.RunAt(w.next_look, [this, worker = std::weak_ptr(worker)] {
    if (const WorkerPtr alive = worker.lock()) Kick(alive);
  });
}

// Looks at the container and probes it if that is due. False: the worker's life is over.
bool ProbeManager::Impl::Look(Worker& w) {
  const MonoTime now = clock.Monotonic();
  if (now < w.next_probe && w.container_id.empty()) return true;  // still spreading after a restart
  // Steps of the period from when it was due, not from when a thread was free.
  while (w.next_look <= now) w.next_look += w.period;
  const std::optional<ProbePodState> pod = options.state(w.pod_uid);
  if (!pod) return true;
  if (pod->finished) return false;
  const auto found = pod->containers.find(w.container);
  if (found == pod->containers.end() || found->second.id.empty()) return true;
  return Examine(w, *pod, found->second);
}

bool ProbeManager::Impl::Examine(Worker& w, const ProbePodState& pod, const ProbeContainerState& container) {
  const MonoTime now = clock.Monotonic();
  if (const std::string_view id = BareId(container.id); id != w.container_id) {
    std::lock_guard lock(mutex);
    results.erase({w.type, w.container_id});
    w.container_id = id;
    results[{w.type, w.container_id}] = InitialResult(w.type);
    w.on_hold = false;
    w.unprobed = true;
    w.next_probe = now;
  }
  if (w.on_hold) return true;
  if (!container.running) {
    Set(w, ProbeResult::kFailure);
    return !container.terminated || w.restarts;
  }
  if (pod.terminating && w.type != ProbeType::kReadiness) {
    Set(w, ProbeResult::kSuccess);
    return false;
  }
  const auto since_start = clock.Now() - container.started_at;
  if (const auto left = seconds(w.probe.initialdelayseconds()) - since_start; left > WallTime::duration::zero()) {
    w.next_look = std::min(w.next_look, now + std::chrono::duration_cast<Duration>(left));
    return true;
  }
  if (Started(w.pod_uid, w.container, w.container_id) == (w.type == ProbeType::kStartup)) return true;
  if (now < w.next_probe) return true;
  // The first probe of a container sets the beat for those that follow.
  if (std::exchange(w.unprobed, false)) w.next_look = now + w.period;
  w.next_probe = w.next_look;
  Execute(w, pod);
  return true;
}

// Runs the probe (a probe that could not be done is tried again at once, a few times) and draws the consequences.
void ProbeManager::Impl::Execute(Worker& w, const ProbePodState& pod) {
  const ProbeTarget target{.pod_ip = pod.pod_ip, .container_id = w.container_id, .named_ports = w.named_ports};
  const MonoTime begin = clock.Monotonic();
  ProbeOutcome outcome;
  for (int i = 0; i < kMaxRetries; ++i) {
    const Context ctx =
        Context::Background().WithStop(w.stop.get_token()).WithTimeout(seconds(std::max(w.probe.timeoutseconds(), 1)));
    outcome = RunProbe(ctx, w.probe, target, options.exec);
    if (outcome.error.ok() || w.stop.stop_requested()) break;
  }
  if (w.stop.stop_requested()) return;
  const std::string_view name = ProbeTypeName(w.type);
  if (!outcome.error.ok()) {
    Emit(w, "Unhealthy",
         fmt::format("{} probe errored and resulted in unknown state: {}", name, outcome.error.message()));
    return;
  }
  ProbeResult result = ProbeResult::kSuccess;
  if (outcome.kind == ProbeOutcome::kWarning) {
    Emit(w, "ProbeWarning", fmt::format("{} probe warning: {}", name, outcome.output));
  } else if (outcome.kind != ProbeOutcome::kSuccess) {
    result = ProbeResult::kFailure;
    if (logger.V(1))
      logger.Info("Probe failed", {{"probeType", name},
                                   {"pod", w.pod_namespace + "/" + w.pod_name},
                                   {"containerName", w.container},
                                   {"output", outcome.output}});
    Emit(w, "Unhealthy", fmt::format("{} probe failed: {}", name, outcome.output));
  }
  Count(w, result, clock.Monotonic() - begin);
  Judge(w, result, outcome.output);
}

void ProbeManager::Impl::Count(const Worker& w, ProbeResult result, Duration took) {
  const std::string type(ProbeTypeName(w.type));
  total
      .With({type, result == ProbeResult::kSuccess ? "successful" : "failed", w.container, w.pod_name, w.pod_namespace,
             w.pod_uid})
      .Inc();
  if (result != ProbeResult::kSuccess) return;
  duration.With({type, w.container, w.pod_name, w.pod_namespace}).Observe(std::chrono::duration<double>(took).count());
}

// Counts towards the thresholds; what reaches one becomes the container's result.
void ProbeManager::Impl::Judge(Worker& w, ProbeResult result, const std::string& output) {
  w.result_run = w.has_last && w.last_result == result ? w.result_run + 1 : 1;
  w.last_result = result;
  w.has_last = true;
  const int threshold = result == ProbeResult::kFailure ? std::max(w.probe.failurethreshold(), 1)
                                                        : std::max(w.probe.successthreshold(), 1);
  if (w.result_run < threshold) return;
  const bool changed = Set(w, result);
  if (w.type != ProbeType::kReadiness && result == ProbeResult::kFailure) {
    // The container will be restarted; it is left in peace until it has a new id.
    w.on_hold = true;
    w.result_run = 0;
  }
  if (!changed) return;
  if (options.on_update) {
    options.on_update({.type = w.type,
                       .result = result,
                       .pod_uid = w.pod_uid,
                       .container = w.container,
                       .container_id = w.container_id,
                       .message = output});
  }
  if (w.type != ProbeType::kStartup || result != ProbeResult::kSuccess) return;
  // The container's other probes waited for this.
  std::vector<WorkerPtr> waiting;
  {
    std::lock_guard lock(mutex);
    for (const ProbeType type : {ProbeType::kReadiness, ProbeType::kLiveness}) {
      const auto found = workers.find({w.pod_uid, w.container, type});
      if (found != workers.end()) waiting.push_back(found->second);
    }
  }
  for (const WorkerPtr& other : waiting) Kick(other);
}

// True when the cached result changed.
bool ProbeManager::Impl::Set(const Worker& w, ProbeResult result) {
  std::lock_guard lock(mutex);
  if (w.stopped) return false;
  const auto [at, fresh] = results.try_emplace({w.type, w.container_id}, result);
  const bool changed = fresh || at->second != result;
  at->second = result;
  return changed;
}

void ProbeManager::Impl::Emit(const Worker& w, std::string_view reason, std::string message) {
  if (!options.on_event) return;
  if (message.size() > kMaxEventOutput) message.resize(kMaxEventOutput);
  options.on_event(
      {.pod_uid = w.pod_uid, .container = w.container, .reason = std::string(reason), .message = std::move(message)});
}

// With the mutex held.
void ProbeManager::Impl::Forget(Worker& w) {
  results.erase({w.type, w.container_id});
  workers.erase(w.key());
  const std::string type(ProbeTypeName(w.type));
  for (const char* result : {"successful", "failed"})
    total.Remove({type, result, w.container, w.pod_name, w.pod_namespace, w.pod_uid});
  duration.Remove({type, w.container, w.pod_name, w.pod_namespace});
}

void ProbeManager::Impl::Stop(const std::function<bool(const Worker&)>& which) {
  std::vector<Timer> timers;
  std::vector<std::stop_source> stops;
  {
    std::lock_guard lock(mutex);
    std::vector<WorkerPtr> chosen;
    for (const auto& [key, worker] : workers) {
      if (which(*worker)) chosen.push_back(worker);
    }
    for (const WorkerPtr& worker : chosen) {
      worker->stopped = true;
      timers.push_back(std::move(worker->timer));
      stops.push_back(worker->stop);
      if (!worker->running) Forget(*worker);
    }
  }
  for (std::stop_source& stop : stops) stop.request_stop();
}

bool ProbeManager::Impl::Exists(const std::string& uid, const std::string& container, ProbeType type) const {
  std::lock_guard lock(mutex);
  return workers.contains({uid, container, type});
}

std::optional<ProbeResult> ProbeManager::Impl::Get(ProbeType type, std::string_view id) const {
  std::lock_guard lock(mutex);
  const auto found = results.find({type, std::string(BareId(id))});
  return found == results.end() ? std::nullopt : std::optional(found->second);
}

bool ProbeManager::Impl::Started(const std::string& uid, const std::string& container, std::string_view id) const {
  if (const auto result = Get(ProbeType::kStartup, id)) return *result == ProbeResult::kSuccess;
  return !Exists(uid, container, ProbeType::kStartup);
}

ProbeManager::ProbeManager(Options options, ElasticPool& pool, Clock& clock, Logger logger)
    : impl_(std::make_shared<Impl>(std::move(options), pool, clock, std::move(logger))) {}

ProbeManager::~ProbeManager() {
  {
    std::lock_guard lock(impl_->mutex);
    impl_->closing = true;
  }
  impl_->Stop([](const Worker&) { return true; });
  std::unique_lock lock(impl_->mutex);
  impl_->quiet.wait(lock, [this] { return impl_->active == 0; });
}

void ProbeManager::AddPod(const core::Pod& pod) {
  const auto add = [&](const core::Container& container) {
    for (const ProbeType type : kTypes) {
      if (ProbeOf(container, type) != nullptr && !impl_->Exists(pod.metadata().uid(), container.name(), type))
        impl_->Add(pod, container, type);
    }
  };
  for (const core::Container& container : pod.spec().containers()) add(container);
  for (const core::Container& container : pod.spec().initcontainers()) {
    if (IsSidecar(container)) add(container);
  }
}

void ProbeManager::StopLivenessAndStartup(const std::string& pod_uid) {
  impl_->Stop([&](const Worker& w) { return w.pod_uid == pod_uid && w.type != ProbeType::kReadiness; });
}

void ProbeManager::RemovePod(const std::string& pod_uid) {
  impl_->Stop([&](const Worker& w) { return w.pod_uid == pod_uid; });
}

void ProbeManager::CleanupPods(const std::set<std::string>& desired_uids) {
  impl_->Stop([&](const Worker& w) { return !desired_uids.contains(w.pod_uid); });
}

void ProbeManager::Notify(const std::string& pod_uid) {
  std::vector<WorkerPtr> concerned;
  {
    std::lock_guard lock(impl_->mutex);
    if (impl_->closing) return;
    for (auto it = impl_->workers.lower_bound({pod_uid, "", ProbeType::kLiveness}); it != impl_->workers.end(); ++it) {
      if (it->second->pod_uid != pod_uid) break;
      concerned.push_back(it->second);
    }
    for (const WorkerPtr& worker : concerned) impl_->Kick(worker);
  }
}

void ProbeManager::UpdatePodStatus(const core::Pod& pod, core::PodStatus* status) {
  const std::string& uid = pod.metadata().uid();
  const auto update = [&](core::ContainerStatus& c) {
    const bool running = c.state().has_running();
    const bool started = running && impl_->Started(uid, c.name(), c.containerid());
    c.set_started(started);
    if (!started) return c.set_ready(false);
    const std::optional<ProbeResult> result = impl_->Get(ProbeType::kReadiness, c.containerid());
    c.set_ready((result && *result == ProbeResult::kSuccess) || !impl_->Exists(uid, c.name(), ProbeType::kReadiness));
  };
  for (core::ContainerStatus& c : *status->mutable_containerstatuses()) update(c);
  for (core::ContainerStatus& c : *status->mutable_initcontainerstatuses()) {
    const auto& specs = pod.spec().initcontainers();
    const auto spec =
        std::find_if(specs.begin(), specs.end(), [&](const core::Container& s) { return s.name() == c.name(); });
    if (spec == specs.end()) continue;
    if (IsSidecar(*spec)) {
      update(c);
    } else {
      c.set_ready(c.state().has_terminated() && c.state().terminated().exitcode() == 0);
    }
  }
}

std::optional<ProbeResult> ProbeManager::Get(ProbeType type, const std::string& container_id) const {
  return impl_->Get(type, container_id);
}

std::optional<ProbeType> ProbeManager::MustRestart(const std::string& container_id) const {
  for (const ProbeType type : {ProbeType::kLiveness, ProbeType::kStartup}) {
    if (impl_->Get(type, container_id) == ProbeResult::kFailure) return type;
  }
  return std::nullopt;
}

const metrics::Registry& ProbeManager::metrics() const {
  return impl_->registry;
}

size_t ProbeManager::Workers() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->workers.size();
}

}  // namespace knarr::kubelet
