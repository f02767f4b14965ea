#include "pkg/kubelet/pleg/pleg.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <vector>

#include <boost/json.hpp>

#include "pkg/base/pool.h"
#include "pkg/cri/events.h"
#include "pkg/cri/runtime.h"
#include "pkg/kubelet/pleg/exit_watcher.h"

namespace knarr::kubelet {
namespace {

constexpr Duration kFullRelist = std::chrono::minutes(10);
constexpr Duration kMinInterval = std::chrono::seconds(1);
constexpr Duration kMaxInterval = std::chrono::seconds(10);
// containerd learns of an exit a moment after the kernel: look again soon, then less and less often.
constexpr Duration kAfterExit = std::chrono::milliseconds(5);

// The pid in the verbose answer of ContainerStatus and PodSandboxStatus: info["info"] is JSON with "pid".
std::optional<pid_t> PidOf(const google::protobuf::Map<std::string, std::string>& info) {
  const auto it = info.find("info");
  if (it == info.end()) return std::nullopt;
  boost::json::error_code error;
  const boost::json::value value = boost::json::parse(it->second, error);
  if (error || !value.is_object()) return std::nullopt;
  const boost::json::value* pid = value.as_object().if_contains("pid");
  if (!pid || !pid->is_int64() || pid->as_int64() <= 0) return std::nullopt;
  return static_cast<pid_t>(pid->as_int64());
}

// Keys of the watcher: "<pod uid> c <container id>" or "<pod uid> s <sandbox id>".
std::string KeyOf(const std::string& uid, char kind, const std::string& id) { return uid + ' ' + kind + ' ' + id; }

}  // namespace

struct Pleg::Impl {
  Impl(cri::CriRuntime& runtime, Clock& clock, Callbacks callbacks, Logger log)
      : runtime(runtime), clock(clock), callbacks(std::move(callbacks)), log(std::move(log)) {}

  struct PodState {
    std::set<std::string> keys;        // running processes as the runtime last told
    std::set<std::string> exited;      // the kernel says gone, the runtime not yet
    std::set<std::string> unwatchable; // no pid from the runtime
    Timer timer;
    Duration interval{};
  };

  void Start();
  void OnState(cri::EventStream::State state, const Status& why);
  void OnExit(const std::string& key);
  void ScheduleRelist();
  void Resolve(const std::string& uid, const std::string& key);
  void LookAgainLocked(const std::string& uid, PodState& pod, Duration after);
  void WatchAll();

  cri::CriRuntime& runtime;
  Clock& clock;
  const Callbacks callbacks;
  const Logger log;
  mutable std::mutex mutex;
  cri::EventStream::State state = cri::EventStream::State::kConnecting;
  std::map<std::string, PodState> pods;
  Timer relist_timer;
  std::stop_source stop;
  // In this order: what is destroyed first must not be called by what is destroyed later.
  std::optional<ExitWatcher> watcher;
  std::optional<ElasticPool> pool;  // asks the runtime for pids
  std::optional<cri::EventStream> stream;
};

void Pleg::Impl::Start() {
  watcher.emplace([this](const std::string& key) { OnExit(key); });
  pool.emplace("pleg", 4);
  ScheduleRelist();
  stream.emplace(Context::Background().WithStop(stop.get_token()), runtime,
                 cri::EventStream::Callbacks{
                     .on_state = [this](cri::EventStream::State s, const Status& why) { OnState(s, why); },
                     .on_event =
                         [this](cri::v1::ContainerEventResponse&& event) {
                           // What we started ourselves is no news.
                           if (event.container_event_type() == cri::v1::CONTAINER_CREATED_EVENT ||
                               event.container_event_type() == cri::v1::CONTAINER_STARTED_EVENT) {
                             return;
                           }
                           callbacks.on_change(event.pod_sandbox_status().metadata().uid());
                         }});
}

void Pleg::Impl::OnState(cri::EventStream::State new_state, const Status& why) {
  {
    std::lock_guard lock(mutex);
    state = new_state;
  }
  switch (new_state) {
    case cri::EventStream::State::kStreaming:
      log.Info("Container events are streaming");
      callbacks.on_relist();
      break;
    case cri::EventStream::State::kUnsupported:
      log.Info("The container runtime has no events; watching processes instead", {{"reason", why}});
      WatchAll();
      break;
    case cri::EventStream::State::kConnecting:
      if (!why.ok()) log.Warning("Container events were interrupted; subscribing again", {{"reason", why}});
      break;
  }
}

void Pleg::Impl::ScheduleRelist() {
  std::lock_guard lock(mutex);
  relist_timer = clock.RunAfter(kFullRelist, [this] {
    pool->Post([this] {
      stream->Retry();
      callbacks.on_relist();
      ScheduleRelist();
    });
  });
}

// After a wake-up with the state unchanged the next look comes later; Observe resets the interval on news.
void Pleg::Impl::LookAgainLocked(const std::string& uid, PodState& pod, Duration after) {
  pod.timer = clock.RunAfter(after, [this, uid] {
    pool->Post([this, uid] { callbacks.on_change(uid); });
  });
}

void Pleg::Impl::OnExit(const std::string& key) {
  const std::string uid = key.substr(0, key.find(' '));
  {
    std::lock_guard lock(mutex);
    const auto it = pods.find(uid);
    if (it == pods.end() || !it->second.keys.contains(key)) return;
    it->second.exited.insert(key);
    it->second.interval = kAfterExit;
  }
  callbacks.on_change(uid);
}

void Pleg::Impl::Resolve(const std::string& uid, const std::string& key) {
  const char kind = key[uid.size() + 1];
  const std::string id = key.substr(uid.size() + 3);
  const Context ctx = Context::Background().WithStop(stop.get_token());
  std::optional<pid_t> pid;
  Status error;
  if (kind == 'c') {
    const auto response = runtime.ContainerStatus(ctx, id, /*verbose=*/true);
    if (response.ok()) pid = PidOf(response->info());
    else error = response.status();
  } else {
    const auto response = runtime.PodSandboxStatus(ctx, id, /*verbose=*/true);
    if (response.ok()) pid = PidOf(response->info());
    else error = response.status();
  }
  if (error.Is(Code::kNotFound)) return callbacks.on_change(uid);
  Status watched = Error(Code::kUnimplemented, "the runtime does not tell the process id");
  if (pid) watched = watcher->Watch(key, *pid);
  if (watched.ok()) return;
  std::lock_guard lock(mutex);
  const auto it = pods.find(uid);
  if (it == pods.end() || !it->second.keys.contains(key)) return;
  it->second.unwatchable.insert(key);
  if (it->second.interval == Duration::zero()) it->second.interval = kMinInterval;
  LookAgainLocked(uid, it->second, it->second.interval);
}

void Pleg::Impl::WatchAll() {
  std::vector<std::pair<std::string, std::string>> all;
  {
    std::lock_guard lock(mutex);
    for (const auto& [uid, pod] : pods) {
      for (const std::string& key : pod.keys) all.emplace_back(uid, key);
    }
  }
  for (const auto& [uid, key] : all) pool->Post([this, uid = uid, key = key] { Resolve(uid, key); });
}

Pleg::Pleg(cri::CriRuntime& runtime, Clock& clock, Callbacks callbacks, Logger log)
    : impl_(std::make_unique<Impl>(runtime, clock, std::move(callbacks), std::move(log))) {
  impl_->Start();
}

Pleg::~Pleg() {
  impl_->stop.request_stop();
  impl_->stream.reset();
  std::map<std::string, Impl::PodState> pods;
  Timer relist;
  {
    std::lock_guard lock(impl_->mutex);
    pods.swap(impl_->pods);
    relist = std::move(impl_->relist_timer);
  }
  pods.clear();
  relist.Cancel();
  impl_->watcher.reset();
  impl_->pool.reset();
  // A relist that ran on the pool just now may have set the timer again.
  impl_->relist_timer.Cancel();
}

void Pleg::Observe(const RuntimePodStatus& status) {
  std::set<std::string> running;
  for (const ContainerStatus& container : status.containers) {
    if (container.state == ContainerState::kRunning) running.insert(KeyOf(status.uid, 'c', container.id));
  }
  for (const SandboxStatus& sandbox : status.sandboxes) {
    if (sandbox.ready) running.insert(KeyOf(status.uid, 's', sandbox.id));
  }
  std::vector<std::string> resolve, forget;
  Timer dropped;
  {
    std::lock_guard lock(impl_->mutex);
    Impl::PodState& pod = impl_->pods[status.uid];
    const bool unchanged = pod.keys == running;
    std::set_difference(running.begin(), running.end(), pod.keys.begin(), pod.keys.end(), std::back_inserter(resolve));
    std::set_difference(pod.keys.begin(), pod.keys.end(), running.begin(), running.end(), std::back_inserter(forget));
    pod.keys = running;
    for (const std::string& key : forget) {
      pod.exited.erase(key);
      pod.unwatchable.erase(key);
    }
    dropped = std::move(pod.timer);
    const bool waiting = !pod.exited.empty() || !pod.unwatchable.empty();
    if (!waiting) pod.interval = Duration::zero();
    else if (unchanged) pod.interval = std::min(std::max(pod.interval, kAfterExit) * 2, kMaxInterval);
    else pod.interval = pod.exited.empty() ? kMinInterval : kAfterExit;
    if (waiting) impl_->LookAgainLocked(status.uid, pod, pod.interval);
    if (impl_->state != cri::EventStream::State::kUnsupported) resolve.clear();
  }
  for (const std::string& key : forget) impl_->watcher->Forget(key);
  for (const std::string& key : resolve) {
    impl_->pool->Post([impl = impl_.get(), uid = status.uid, key] { impl->Resolve(uid, key); });
  }
}

void Pleg::Forget(const std::string& pod_uid) {
  Impl::PodState pod;
  {
    std::lock_guard lock(impl_->mutex);
    const auto it = impl_->pods.find(pod_uid);
    if (it == impl_->pods.end()) return;
    pod = std::move(it->second);
    impl_->pods.erase(it);
  }
  for (const std::string& key : pod.keys) impl_->watcher->Forget(key);
}

std::string Pleg::Mode() const {
  std::lock_guard lock(impl_->mutex);
  switch (impl_->state) {
    case cri::EventStream::State::kStreaming: return "events";
    case cri::EventStream::State::kUnsupported: return "pidfd";
    case cri::EventStream::State::kConnecting: return "starting";
  }
  return "starting";
}

size_t Pleg::Watched() const { return impl_->watcher->Size(); }

}  // namespace knarr::kubelet
