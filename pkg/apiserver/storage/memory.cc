#include "pkg/apiserver/storage/memory.h"

#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "pkg/apiserver/storage/keys.h"
#include "pkg/apiserver/storage/watch_hub.h"

namespace knarr::storage {
namespace {

constexpr size_t kHistorySlice = 1000;

class MemoryStore : public Store {
 public:
  explicit MemoryStore(Clock& clock)
      : clock_(clock),
        hub_([this](const std::string& prefix, Revision after,
                    Revision upto) { return ReadHistory(prefix, after, upto); },
             kFirstRevision, 4 << 20) {}

  ~MemoryStore() override {
    const std::lock_guard lock(timer_mutex_);
    closing_ = true;
    timer_.Cancel();
  }

  Result<std::optional<KeyValue>> Get(const Context& ctx, std::string_view key, Revision revision) override {
    if (ctx.Done()) return ctx.Err();
    const std::lock_guard lock(mutex_);
    if (revision == 0) return Find(key);
    KNARR_TRY(CheckReadable(revision));
    for (const auto& event : log_)
      if (event->kv.mod_revision > revision && event->kv.key == key) return Before(*event);
    return Find(key);
  }

  Result<ListResult> List(const Context& ctx, std::string_view prefix, const ListOptions& options) override {
    if (ctx.Done()) return ctx.Err();
    const std::lock_guard lock(mutex_);
    if (options.revision != 0) KNARR_TRY(CheckReadable(options.revision));
    const std::string start = std::max(std::string(prefix), options.start_key);
    const auto in_range = [&](const std::string& key) { return key >= start && key.starts_with(prefix); };
    // The newest state, then changes undone from the newest back.
    std::map<std::string_view, const KeyValue*> state;
    for (auto it = live_.lower_bound(start); it != live_.end() && in_range(it->first); ++it)
      state[it->first] = &it->second.kv;
    if (options.revision != 0) {
      for (auto it = log_.rbegin(); it != log_.rend() && (*it)->kv.mod_revision > options.revision; ++it) {
        const Event& event = **it;
        if (!in_range(event.kv.key)) continue;
        if (event.previous.mod_revision == 0)
          state.erase(event.kv.key);
        else
          state[event.kv.key] = &event.previous;
      }
    }
    ListResult result;
    result.revision = options.revision != 0 ? options.revision : revision_;
    for (const auto& [key, kv] : state) {
      if (options.limit > 0 && static_cast<int64_t>(result.items.size()) == options.limit) {
        result.more = true;
        result.remaining = static_cast<int64_t>(state.size()) - options.limit;
        break;
      }
      result.items.push_back(*kv);
    }
    return result;
  }

  Result<int64_t> Count(const Context& ctx, std::string_view prefix) override {
    if (ctx.Done()) return ctx.Err();
    const std::lock_guard lock(mutex_);
    int64_t count = 0;
    for (auto it = live_.lower_bound(prefix); it != live_.end() && it->first.starts_with(prefix); ++it) ++count;
    return count;
  }

  Result<WriteResult> Create(const Context& ctx, std::string_view key, std::string_view value,
                             int64_t ttl_seconds) override {
    return Write(ctx, EventType::kPut, key, value, 0, ttl_seconds);
  }
  Result<WriteResult> Update(const Context& ctx, std::string_view key, std::string_view value, Revision expected,
                             int64_t ttl_seconds) override {
    return Write(ctx, EventType::kPut, key, value, expected, ttl_seconds);
  }
  Result<WriteResult> Delete(const Context& ctx, std::string_view key, Revision expected) override {
    return Write(ctx, EventType::kDelete, key, {}, expected, 0);
  }

  Result<std::unique_ptr<WatchHandle>> Watch(const Context& ctx, std::string_view prefix, Revision after,
                                             WatchSink& sink) override {
    if (ctx.Done()) return ctx.Err();
    return hub_.Add(prefix, after, sink);
  }

  Status RequestProgress(const Context&) override {
    const std::lock_guard lock(mutex_);
    hub_.RequestProgress(revision_);
    return OkStatus();
  }

  Result<Revision> CurrentRevision(const Context& ctx) override {
    if (ctx.Done()) return ctx.Err();
    const std::lock_guard lock(mutex_);
    return revision_;
  }

  Status Compact(const Context& ctx, Revision revision) override {
    if (ctx.Done()) return ctx.Err();
    const std::lock_guard lock(mutex_);
    if (revision > revision_) return FutureRevisionError();
    if (revision <= compacted_) return OkStatus();
    compacted_ = revision;
    while (!log_.empty() && log_.front()->kv.mod_revision <= revision) log_.pop_front();
    return OkStatus();
  }

  Result<StoreStatus> GetStatus(const Context&) override {
    const std::lock_guard lock(mutex_);
    StoreStatus status{.backend = "memory", .revision = revision_, .compacted = compacted_};
    for (const auto& [key, entry] : live_)
      status.bytes_in_use += static_cast<int64_t>(key.size() + entry.kv.value.size());
    status.bytes = status.bytes_in_use;
    for (const auto& event : log_)
      status.bytes += static_cast<int64_t>(event->kv.key.size() + event->previous.value.size());
    return status;
  }

  Status Healthy(const Context& ctx) override { return ctx.Err(); }

 private:
  struct Live {
    KeyValue kv;
    std::optional<MonoTime> expires;
  };

  std::optional<KeyValue> Find(std::string_view key) const {
    const auto it = live_.find(key);
    if (it == live_.end()) return std::nullopt;
    return it->second.kv;
  }
  static std::optional<KeyValue> Before(const Event& event) {
    if (event.previous.mod_revision == 0) return std::nullopt;
    return event.previous;
  }
  Status CheckReadable(Revision revision) const {
    if (revision < compacted_) return CompactedError();
    if (revision > revision_) return FutureRevisionError();
    return OkStatus();
  }

  Result<WriteResult> Write(const Context& ctx, EventType type, std::string_view key, std::string_view value,
                            Revision expected, int64_t ttl_seconds) {
    if (ctx.Done()) return ctx.Err();
    WriteResult result;
    {
      const std::lock_guard lock(mutex_);
      const auto it = live_.find(key);
      const Revision present = it == live_.end() ? 0 : it->second.kv.mod_revision;
      if (present != expected || (type == EventType::kDelete && present == 0)) {
        result.current = Find(key);
        return result;
      }
      Apply(type, key, value, ttl_seconds);
      result.succeeded = true;
      result.revision = revision_;
    }
    if (ttl_seconds > 0) ArmTimer();
    return result;
  }

  void Apply(EventType type, std::string_view key, std::string_view value, int64_t ttl_seconds) {
    auto event = std::make_shared<Event>();
    event->type = type;
    event->kv.key = key;
    event->kv.mod_revision = ++revision_;
    const auto it = live_.find(key);
    if (it != live_.end()) {
      if (it->second.expires) expiries_.erase({*it->second.expires, it->first});
      event->previous = std::move(it->second.kv);
    }
    if (type == EventType::kDelete) {
      live_.erase(it);
    } else {
      event->kv.value = value;
      event->kv.create_revision = it == live_.end() ? revision_ : event->previous.create_revision;
      Live& live = live_[std::string(key)];
      live.kv = event->kv;
      live.expires.reset();
      if (ttl_seconds > 0) {
        live.expires = clock_.Monotonic() + std::chrono::seconds(ttl_seconds);
        expiries_.insert({*live.expires, std::string(key)});
      }
    }
    log_.push_back(event);
    hub_.Publish({event}, revision_);
  }

  // Never on the clock's thread, which may be running the timer that this replaces.
  void ArmTimer() {
    const std::lock_guard arming(timer_mutex_);
    if (closing_) return;
    std::optional<MonoTime> due;
    {
      const std::lock_guard lock(mutex_);
      if (!expiries_.empty()) due = expiries_.begin()->first;
    }
    if (!due || (armed_ && *armed_ <= *due)) return;
    armed_ = due;
    timer_ = clock_.RunAt(*due, [this] { hub_.Post([this] { Expire(); }); });
  }

  void Expire() {
    {
      const std::lock_guard arming(timer_mutex_);
      armed_.reset();
    }
    {
      const std::lock_guard lock(mutex_);
      while (!expiries_.empty() && expiries_.begin()->first <= clock_.Monotonic()) {
        const std::string key = expiries_.begin()->second;
        Apply(EventType::kDelete, key, {}, 0);
      }
    }
    ArmTimer();
  }

  Result<WatchHub::History> ReadHistory(const std::string& prefix, Revision after, Revision upto) {
    const std::lock_guard lock(mutex_);
    if (after < compacted_) return CompactedError();
    WatchHub::History history;
    history.upto = upto;
    for (const auto& event : log_) {
      if (event->kv.mod_revision <= after) continue;
      if (event->kv.mod_revision > upto) break;
      if (!event->kv.key.starts_with(prefix)) continue;
      history.events.push_back(*event);
      if (history.events.size() == kHistorySlice) {
        history.upto = event->kv.mod_revision;
        break;
      }
    }
    return history;
  }

  Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, Live, std::less<>> live_;
  std::set<std::pair<MonoTime, std::string>> expiries_;
  std::deque<std::shared_ptr<const Event>> log_;
  Revision revision_ = kFirstRevision;
  Revision compacted_ = 0;

  std::mutex timer_mutex_;  // before mutex_
  std::optional<MonoTime> armed_;
  bool closing_ = false;
  Timer timer_;
  WatchHub hub_;  // last: its thread uses the others
};

}  // namespace

std::unique_ptr<Store> NewMemoryStore(Clock& clock) {
  return std::make_unique<MemoryStore>(clock);
}

}  // namespace knarr::storage
