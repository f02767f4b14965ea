#include "pkg/apiserver/storage/etcd3/watches.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <utility>
#include <vector>

#include "pkg/apiserver/storage/keys.h"

namespace knarr::storage::etcd3 {
namespace {

constexpr std::chrono::milliseconds kFirstBackoff(50), kLastBackoff(2000);
// A progress request without an answer for so long was dropped by etcd, as it does while a watch catches up.
constexpr std::chrono::milliseconds kProgressLost(200);

Result<Event> ToEvent(mvccpb::Event& from) {
  Event event;
  mvccpb::KeyValue& kv = *from.mutable_kv();
  event.kv.key = std::move(*kv.mutable_key());
  event.kv.mod_revision = kv.mod_revision();
  if (from.type() == mvccpb::Event::DELETE) {
    event.type = EventType::kDelete;
  } else {
    event.kv.value = std::move(*kv.mutable_value());
    event.kv.create_revision = kv.create_revision();
  }
  if (from.has_prev_kv()) {
    mvccpb::KeyValue& previous = *from.mutable_prev_kv();
    event.previous = {.key = std::move(*previous.mutable_key()),
                      .value = std::move(*previous.mutable_value()),
                      .mod_revision = previous.mod_revision(),
                      .create_revision = previous.create_revision()};
  } else if (event.type == EventType::kDelete || event.kv.create_revision != event.kv.mod_revision) {
    // What it replaced was compacted while the watch caught up.
    return CompactedError();
  }
  return event;
}

}  // namespace

struct Watches::Watch {
  int64_t id = 0;
  std::string prefix;
  Revision position = 0;  // events up to it were delivered
  WatchSink* sink = nullptr;
  bool created = false;        // etcd has it, on the present stream
  Revision created_at = 0;     // the newest revision when etcd took it
  int uncertain_progress = 0;  // answers to requests from before it was created, which say nothing of it
  bool removed = false, ended = false;
  std::vector<mvccpb::Event> fragments;
};

// Outlives the owner as long as a handle does.
struct Watches::State {
  std::mutex mutex;
  std::condition_variable_any work;
  std::condition_variable idle;
  std::map<int64_t, WatchPtr> watches;
  int64_t last_id = 0;
  const Watch* calling = nullptr;
  // Writes are made with the lock; they are small and etcd reads them at once.
  grpc::ClientReaderWriter<pb::WatchRequest, pb::WatchResponse>* stream = nullptr;
  bool progress_asked = false;
  MonoTime progress_asked_at;

  void Create(const Watch& watch) {
    pb::WatchRequest request;
    pb::WatchCreateRequest& create = *request.mutable_create_request();
    create.set_key(watch.prefix.empty() ? std::string(1, '\0') : watch.prefix);
    const std::string end = PrefixEnd(watch.prefix);
    create.set_range_end(end.empty() ? std::string(1, '\0') : end);
    create.set_start_revision(watch.position + 1);
    create.set_prev_kv(true);
    create.set_progress_notify(true);
    create.set_fragment(true);
    create.set_watch_id(watch.id);
    stream->Write(request);  // a failure ends the reading, too
  }
};

class Watches::Handle : public WatchHandle {
 public:
  Handle(std::shared_ptr<State> state, WatchPtr watch) : state_(std::move(state)), watch_(std::move(watch)) {}
  ~Handle() override {
    Lock lock(state_->mutex);
    watch_->removed = true;
    if (state_->watches.erase(watch_->id) > 0 && state_->stream != nullptr) {
      pb::WatchRequest request;
      request.mutable_cancel_request()->set_watch_id(watch_->id);
      state_->stream->Write(request);
    }
    state_->idle.wait(lock, [&] { return state_->calling != watch_.get(); });
  }

 private:
  const std::shared_ptr<State> state_;
  const WatchPtr watch_;
};

Watches::Watches(Client& client, Logger log)
    : client_(client), log_(std::move(log)), state_(std::make_shared<State>()) {
  thread_.Go("etcd-watch", [this](std::stop_token stop) { Loop(stop); });
}

Watches::~Watches() {
  thread_.StopAndJoin();
}

std::unique_ptr<WatchHandle> Watches::Add(std::string_view prefix, Revision after, WatchSink& sink) {
  auto watch = std::make_shared<Watch>();
  watch->prefix = prefix;
  watch->position = after;
  watch->sink = &sink;
  const Lock lock(state_->mutex);
  watch->id = ++state_->last_id;
  state_->watches[watch->id] = watch;
  if (state_->stream != nullptr) state_->Create(*watch);
  state_->work.notify_all();
  return std::make_unique<Handle>(state_, std::move(watch));
}

void Watches::RequestProgress() {
  const Lock lock(state_->mutex);
  const MonoTime now = std::chrono::steady_clock::now();
  if (state_->stream == nullptr) return;
  if (state_->progress_asked && now - state_->progress_asked_at < kProgressLost) return;
  pb::WatchRequest request;
  request.mutable_progress_request();
  state_->progress_asked = true;
  state_->progress_asked_at = now;
  state_->stream->Write(request);
}

void Watches::Loop(std::stop_token stop) {
  const Context context = Context::Background().WithStop(stop);
  State& state = *state_;
  std::chrono::milliseconds backoff = kFirstBackoff;
  bool said = false;
  while (!stop.stop_requested()) {
    {
      Lock lock(state.mutex);
      state.work.wait(lock, stop, [&] { return !state.watches.empty(); });
    }
    if (stop.stop_requested()) break;
    const MonoTime begin = std::chrono::steady_clock::now();
    const Status status = RunStream(context);
    if (stop.stop_requested()) break;
    const bool worked = std::chrono::steady_clock::now() - begin > std::chrono::seconds(5);
    if (worked) {
      backoff = kFirstBackoff;
      said = false;
    }
    if (!std::exchange(said, true)) log_.Warning("Watches of etcd are interrupted", {{"err", status}});
    if (!context.Sleep(backoff).ok()) break;
    backoff = std::min(2 * backoff, kLastBackoff);
  }
  Lock lock(state.mutex);
  const auto rest = state.watches;
  for (const auto& [id, watch] : rest) End(watch, Error(Code::kCancelled, "the store is closed"), lock);
}

Status Watches::RunStream(const Context& context) {
  State& state = *state_;
  const Endpoint* endpoint = KNARR_TRY(client_.Connected(context));
  CallContext call(context, std::nullopt);
  // An etcd that has lost its leader ends the stream instead of being silent.
  call.grpc().AddMetadata("hasleader", "true");
  const auto stream = endpoint->watch->Watch(&call.grpc());
  {
    const Lock lock(state.mutex);
    state.stream = stream.get();
    state.progress_asked = false;
    for (const auto& [id, watch] : state.watches) {
      watch->created = false;
      watch->fragments.clear();
      state.Create(*watch);
    }
  }
  pb::WatchResponse response;
  while (stream->Read(&response)) OnResponse(std::move(response));
  {
    const Lock lock(state.mutex);
    state.stream = nullptr;
  }
  const grpc::Status status = stream->Finish();
  client_.Avoid(*endpoint);
  return ToStatus(context, status, endpoint->url);
}

void Watches::OnResponse(pb::WatchResponse response) {
  State& state = *state_;
  const Revision now = response.header().revision();
  Lock lock(state.mutex);
  if (response.watch_id() == -1 && !response.canceled() && response.events_size() == 0) {
    state.progress_asked = false;
    // Of all watches that etcd had when it was asked. One that came later may still be reading the past; the revision
    // tells which: etcd takes requests in order.
    const auto all = state.watches;
    for (const auto& [id, watch] : all) {
      if (!watch->created) continue;
      if (now == watch->created_at && watch->position < now && watch->uncertain_progress > 0)
        --watch->uncertain_progress;
      else if (now >= watch->created_at)
        ReportProgress(watch, now, lock);
    }
    return;
  }
  const auto found = state.watches.find(response.watch_id());
  if (found == state.watches.end()) return;
  const WatchPtr watch = found->second;
  if (response.canceled()) {
    if (response.compact_revision() != 0) {
      End(watch, CompactedError(), lock);
    } else {
      End(watch,
          Error(Code::kServiceUnavailable, "etcd ended the watch of {}: {}", watch->prefix, response.cancel_reason()),
          lock);
    }
    return;
  }
  if (response.created()) {
    watch->created = true;
    watch->created_at = now;
    watch->uncertain_progress = state.progress_asked ? 1 : 0;
    return;
  }
  if (response.events_size() == 0 && watch->fragments.empty()) {
    ReportProgress(watch, now, lock);
    return;
  }
  for (mvccpb::Event& event : *response.mutable_events()) watch->fragments.push_back(std::move(event));
  if (!response.fragment()) Deliver(watch, lock);
}

void Watches::Deliver(const WatchPtr& watch, Lock& lock) {
  State& state = *state_;
  std::vector<Event> events;
  Status bad;
  for (mvccpb::Event& from : watch->fragments) {
    if (from.kv().mod_revision() <= watch->position) continue;  // was delivered before the stream broke
    auto event = ToEvent(from);
    if (!event.ok()) {
      bad = event.status();
      break;
    }
    events.push_back(std::move(*event));
  }
  watch->fragments.clear();
  if (!bad.ok()) {
    End(watch, bad, lock);
    return;
  }
  if (events.empty() || watch->removed) return;
  // Not the header's revision: while a watch catches up, etcd says the newest one there.
  watch->position = events.back().kv.mod_revision;
  state.calling = watch.get();
  lock.unlock();
  watch->sink->OnEvents(std::move(events), watch->position);
  lock.lock();
  state.calling = nullptr;
  state.idle.notify_all();
}

void Watches::ReportProgress(const WatchPtr& watch, Revision revision, Lock& lock) {
  State& state = *state_;
  if (watch->removed || watch->ended) return;
  watch->position = std::max(watch->position, revision);
  state.calling = watch.get();
  lock.unlock();
  watch->sink->OnProgress(revision);
  lock.lock();
  state.calling = nullptr;
  state.idle.notify_all();
}

void Watches::End(const WatchPtr& watch, const Status& status, Lock& lock) {
  State& state = *state_;
  if (watch->removed || watch->ended) return;
  watch->ended = true;
  state.watches.erase(watch->id);
  state.calling = watch.get();
  lock.unlock();
  watch->sink->OnEnd(status);
  lock.lock();
  state.calling = nullptr;
  state.idle.notify_all();
}

}  // namespace knarr::storage::etcd3
