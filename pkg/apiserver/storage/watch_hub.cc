#include "pkg/apiserver/storage/watch_hub.h"

#include <algorithm>
#include <utility>

namespace knarr::storage {

struct WatchHub::Watch {
  std::string prefix;
  Revision position = 0;     // events up to it were delivered
  Revision progress_at = 0;  // wants OnProgress once the position is there; 0: does not
  WatchSink* sink = nullptr;
  bool removed = false;
  bool ended = false;
};

// Outlives the hub as long as a handle does.
struct WatchHub::State {
  std::mutex mutex;
  std::condition_variable work;  // for the thread
  std::condition_variable idle;  // for handles: the sink in `calling` may be another one now
  std::list<std::shared_ptr<Watch>> watches;
  const Watch* calling = nullptr;
  std::deque<std::shared_ptr<const Event>> recent;
  size_t recent_bytes = 0;
  Revision recent_after = 0;  // `recent` has everything after it
  Revision published = 0;
  std::vector<std::function<void()>> tasks;
  bool dirty = false;
};

class WatchHub::Handle : public WatchHandle {
 public:
  Handle(std::shared_ptr<State> state, std::shared_ptr<Watch> watch)
      : state_(std::move(state)), watch_(std::move(watch)) {}
  ~Handle() override {
    std::unique_lock lock(state_->mutex);
    watch_->removed = true;
    state_->watches.remove(watch_);
    state_->idle.wait(lock, [&] { return state_->calling != watch_.get(); });
  }

 private:
  const std::shared_ptr<State> state_;
  const std::shared_ptr<Watch> watch_;
};

namespace {
size_t SizeOf(const Event& event) {
  return sizeof(Event) + 2 * event.kv.key.size() + event.kv.value.size() + event.previous.value.size();
}
}  // namespace

WatchHub::WatchHub(ReadHistory read_history, Revision current, size_t max_recent_bytes)
    : read_history_(std::move(read_history)), max_recent_bytes_(max_recent_bytes), state_(std::make_shared<State>()) {
  state_->published = state_->recent_after = current;
  thread_.Go("store-watch", [this](std::stop_token stop) { Loop(stop); });
}

WatchHub::~WatchHub() {
  thread_.RequestStop();
  {
    const std::lock_guard lock(state_->mutex);
    state_->dirty = true;
  }
  state_->work.notify_all();
  thread_.StopAndJoin();
}

std::unique_ptr<WatchHandle> WatchHub::Add(std::string_view prefix, Revision after, WatchSink& sink) {
  auto watch = std::make_shared<Watch>();
  watch->prefix = prefix;
  watch->position = after;
  watch->sink = &sink;
  {
    const std::lock_guard lock(state_->mutex);
    state_->watches.push_back(watch);
    state_->dirty = true;
  }
  state_->work.notify_one();
  return std::make_unique<Handle>(state_, std::move(watch));
}

void WatchHub::Publish(std::vector<std::shared_ptr<const Event>> events, Revision revision) {
  {
    const std::lock_guard lock(state_->mutex);
    state_->published = std::max(state_->published, revision);
    if (state_->watches.empty()) {
      // Whoever comes later reads them from the history.
      state_->recent.clear();
      state_->recent_bytes = 0;
      state_->recent_after = state_->published;
      return;
    }
    for (auto& event : events) {
      state_->recent_bytes += SizeOf(*event);
      state_->recent.push_back(std::move(event));
    }
    while (state_->recent_bytes > max_recent_bytes_) {
      state_->recent_bytes -= SizeOf(*state_->recent.front());
      state_->recent_after = state_->recent.front()->kv.mod_revision;
      state_->recent.pop_front();
    }
    state_->dirty = true;
  }
  state_->work.notify_one();
}

void WatchHub::RequestProgress(Revision at_least) {
  {
    const std::lock_guard lock(state_->mutex);
    for (const auto& watch : state_->watches)
      watch->progress_at = std::max({watch->progress_at, at_least, Revision{1}});
    state_->dirty = true;
  }
  state_->work.notify_one();
}

void WatchHub::Post(std::function<void()> task) {
  {
    const std::lock_guard lock(state_->mutex);
    state_->tasks.push_back(std::move(task));
    state_->dirty = true;
  }
  state_->work.notify_one();
}

void WatchHub::TrimRecent() {
  Revision all_have = state_->published;
  for (const auto& watch : state_->watches)
    if (!watch->ended) all_have = std::min(all_have, watch->position);
  while (!state_->recent.empty() && state_->recent.front()->kv.mod_revision <= all_have) {
    state_->recent_bytes -= SizeOf(*state_->recent.front());
    state_->recent.pop_front();
  }
  state_->recent_after = std::max(state_->recent_after, all_have);
}

bool WatchHub::Serve(std::unique_lock<std::mutex>& lock, Watch& watch) {
  State& state = *state_;
  if (watch.removed || watch.ended) return false;
  const bool behind = watch.position < state.published;
  const bool progress = watch.progress_at != 0 && state.published >= watch.progress_at;
  if (!behind && !progress) return false;

  std::vector<Event> events;
  Status end;
  const Revision from = watch.position;
  const Revision known = state.published;  // a position may be later: of that nothing is known yet
  Revision upto = std::max(from, known);
  const bool old = behind && from < state.recent_after;
  if (behind && !old) {
    auto first = std::upper_bound(state.recent.begin(), state.recent.end(), from,
                                  [](Revision r, const auto& event) { return r < event->kv.mod_revision; });
    for (; first != state.recent.end(); ++first)
      if ((*first)->kv.key.starts_with(watch.prefix)) events.push_back(**first);
  }
  state.calling = &watch;
  lock.unlock();
  if (old) {
    auto history = read_history_(watch.prefix, from, upto);
    if (history.ok()) {
      events = std::move(history->events);
      upto = history->upto;
    } else {
      end = history.status();
    }
  }
  const bool caught_up = end.ok() && progress && upto >= watch.progress_at;
  if (!events.empty()) watch.sink->OnEvents(std::move(events), upto);
  if (caught_up) watch.sink->OnProgress(std::min(upto, known));
  if (!end.ok()) watch.sink->OnEnd(end);
  lock.lock();
  state.calling = nullptr;
  watch.position = std::max(watch.position, upto);
  if (!end.ok()) watch.ended = true;
  if (caught_up && watch.progress_at <= upto) watch.progress_at = 0;
  state.idle.notify_all();
  return true;
}

void WatchHub::Loop(std::stop_token stop) {
  State& state = *state_;
  std::unique_lock lock(state.mutex);
  while (!stop.stop_requested()) {
    state.work.wait(lock, [&] { return state.dirty || stop.stop_requested(); });
    state.dirty = false;
    for (auto& task : std::exchange(state.tasks, {})) {
      lock.unlock();
      task();
      lock.lock();
    }
    // One step each and round again, so that a long catch-up does not hold up the others.
    const std::vector<std::shared_ptr<Watch>> round(state.watches.begin(), state.watches.end());
    bool more = false;
    for (const auto& watch : round) {
      if (stop.stop_requested()) break;
      more = Serve(lock, *watch) || more;
    }
    if (more) state.dirty = true;
    TrimRecent();
  }
  for (const auto& watch : std::vector<std::shared_ptr<Watch>>(state.watches.begin(), state.watches.end())) {
    if (watch->removed || watch->ended) continue;
    watch->ended = true;
    state.calling = watch.get();
    lock.unlock();
    watch->sink->OnEnd(Error(Code::kCancelled, "the store is closed"));
    lock.lock();
    state.calling = nullptr;
    state.idle.notify_all();
  }
}

}  // namespace knarr::storage
