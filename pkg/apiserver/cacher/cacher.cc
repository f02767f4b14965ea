#include <algorithm>
#include <set>

#include "pkg/api/errors/errors.h"
#include "pkg/apiserver/cacher/core.h"
#include "pkg/apiserver/cacher/store_reads.h"
#include "pkg/base/metrics/metrics.h"
#include "pkg/base/pool.h"

namespace knarr::cacher {
namespace {

constexpr std::chrono::seconds kStoreTimeout{30};
constexpr std::chrono::milliseconds kFirstRetry{200};
constexpr std::chrono::seconds kLastRetry{15};

// Threads of all caches of the process: they fill, and ask for progress; a quiet process has none.
std::shared_ptr<ElasticPool> SharedPool() {
  static std::mutex mutex;
  static std::weak_ptr<ElasticPool> shared;
  std::lock_guard lock(mutex);
  std::shared_ptr<ElasticPool> pool = shared.lock();
  if (!pool) shared = pool = std::make_shared<ElasticPool>("watch-cache", 4);
  return pool;
}

// Upstream's names and texts. Mirrors: apiserver/pkg/storage/cacher/metrics/metrics.go
struct Metrics {
  explicit Metrics(const CacherOptions& options) {
    auto& r = metrics::Registry::Default();
    const std::vector<std::string> label{"resource"};
    const std::vector<std::string> resource{options.resource};
    const auto counter = [&](const char* name, const char* help) -> metrics::Counter& {
      return r.AddCounters(name, help, label).With(resource);
    };
    received = &counter("apiserver_watch_cache_events_received_total",
                        "Counter of events received in watch cache broken by resource type.");
    dispatched = &counter("apiserver_watch_cache_events_dispatched_total",
                          "Counter of events dispatched in watch cache broken by resource type.");
    initial = &counter("apiserver_init_events_total",
                       "Counter of init events processed in watch cache broken by resource type.");
    terminated = &counter("apiserver_terminated_watchers_total",
                          "Counter of watchers closed due to unresponsiveness broken by resource type.");
    initializations = &counter("apiserver_watch_cache_initializations_total",
                               "Counter of watch cache initializations broken by resource type.");
    undecodable = &r.AddGauges("knarr_watch_cache_undecodable_objects",
                               "Objects of the store that cannot be decoded and are missing in lists.", label)
                       .With(resource);
    revision = &r.AddGauges("apiserver_watch_cache_resource_version",
                            "Current resource version of watch cache broken by resource type.", label)
                    .With(resource);
    read_wait = &r.AddHistograms("apiserver_watch_cache_read_wait_seconds",
                                 "Histogram of time spent waiting for a watch cache to become fresh.", label,
                                 {0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2, 3})
                     .With(resource);
    auto& consistent = r.AddCounters("apiserver_watch_cache_consistent_read_total",
                                     "Counter for consistent reads from cache.", {"resource", "success", "fallback"});
    consistent_cache = &consistent.With({options.resource, "true", "false"});
    consistent_store = &consistent.With({options.resource, "true", "true"});
    // "/registry/pods/" -> "/pods"
    std::string prefix = options.prefix.substr(std::min(options.prefix.find('/', 1), options.prefix.size() - 1));
    if (prefix.size() > 1 && prefix.back() == '/') prefix.pop_back();
    lists = &r.AddCounters("apiserver_cache_list_total", "Number of LIST requests served from watch cache",
                           {"resource_prefix", "index"})
                 .With({prefix, ""});
    fetched = &r.AddCounters("apiserver_cache_list_fetched_objects_total",
                             "Number of objects read from watch cache in the course of serving a LIST request",
                             {"resource_prefix", "index"})
                   .With({prefix, ""});
    returned = &r.AddCounters("apiserver_cache_list_returned_objects_total",
                              "Number of objects returned for a LIST request from watch cache", {"resource_prefix"})
                    .With({prefix});
    r.AddGauges("watch_cache_capacity", "Total capacity of watch cache broken by resource type.", label)
        .With(resource)
        .Set(static_cast<double>(options.window_events));
  }
  metrics::Counter *received, *dispatched, *initial, *terminated, *initializations, *consistent_cache,
      *consistent_store, *lists, *fetched, *returned;
  metrics::Gauge *undecodable, *revision;
  metrics::Histogram* read_wait;
};

class Cacher : public Reader, public storage::WatchSink {
 public:
  Cacher(CacherOptions options, storage::Store& store, const EntryCodec& codec, Clock& clock, Logger log)
      : options_(std::move(options)),
        store_(store),
        codec_(codec),
        clock_(clock),
        log_(log.With({{"resource", options_.resource}})),
        metrics_(options_),
        core_(std::make_shared<Core>(options_, codec, clock, true, CountsOf(metrics_))),
        pool_(SharedPool()) {
    core_->SetAskProgress(
        [this] { Post([this] { (void)AskProgress(Context::Background().WithTimeout(kStoreTimeout)); }); });
  }

  ~Cacher() override {
    core_->Close(Status());
    stop_.request_stop();
    Timer retry;
    {
      std::unique_lock lock(mutex_);
      stopping_ = true;
      retry = std::move(retry_);
    }
    retry.Cancel();
    {
      std::unique_lock lock(mutex_);
      idle_.wait(lock, [this] { return tasks_ == 0; });
    }
    handle_.reset();
  }

  Result<EntryPtr> Get(const Context& ctx, const std::string& key, Freshness freshness, Revision revision) override {
    const auto from_store = [&] { return GetFromStore(ctx, store_, Reuse(), key, freshness, revision); };
    if (Undecodable(key)) return from_store();
    bool cached = false;
    Core::View view;
    switch (freshness) {
      case Freshness::kAny:
        cached = KNARR_TRY(Filled(ctx));
        view = core_->Look();
        break;
      case Freshness::kNotOlderThan:
        cached = KNARR_TRY(NotOlderThan(ctx, revision));
        view = core_->Look();
        break;
      case Freshness::kConsistent: {
        Start();
        view = core_->Look();
        // One read of the store settles it as well as a wait would.
        cached = view.filled && KNARR_TRY(store_.CurrentRevision(ctx)) <= view.seen;
        break;
      }
      case Freshness::kExact: {
        Start();
        view = core_->Look();
        if (!view.filled || revision > view.seen) return from_store();
        const EntryPtr* found = view.present.Find(key);
        if (found && (*found)->revision <= revision) return *found;
        cached = revision >= view.changed;
        break;
      }
    }
    if (!cached) return from_store();
    const EntryPtr* found = view.present.Find(key);
    return found ? *found : EntryPtr();
  }

  Result<ListAnswer> List(const Context& ctx, const ListQuery& query) override {
    Core::View view;
    bool cached = false;
    switch (query.freshness) {
      case Freshness::kAny: cached = KNARR_TRY(Filled(ctx)); break;
      case Freshness::kNotOlderThan: cached = KNARR_TRY(NotOlderThan(ctx, query.revision)); break;
      case Freshness::kConsistent: {
        Start();
        // Not filled yet: soon, most likely, and then one can watch from the answer's revision.
        if (!core_->Look().filled && (troubled_.load() || !KNARR_TRY(Filled(ctx)))) break;
        cached = KNARR_TRY(Wait(ctx, KNARR_TRY(store_.CurrentRevision(ctx)), true));
        (cached ? metrics_.consistent_cache : metrics_.consistent_store)->Inc();
        break;
      }
      case Freshness::kExact: {
        Start();
        view = core_->Look();
        cached = view.filled && query.revision >= view.changed && query.revision <= view.seen;
        if (!cached) return ListFromStore(ctx, store_, Reuse(), query);
        return ListFromCache(view, query, query.revision);
      }
    }
    if (!cached) return ListFromStore(ctx, store_, Reuse(), query);
    view = core_->Look();
    return ListFromCache(view, query, view.seen);
  }

  Result<std::unique_ptr<Watcher>> Watch(const Context& ctx, WatchQuery query) override {
    std::optional<MonoTime> ends;
    if (ctx.deadline()) ends = clock_.Monotonic() + *ctx.Remaining();
    if (!KNARR_TRY(Filled(ctx))) return errors::TooManyRequests("storage is (re)initializing", 1);
    if (query.initial_state) {
      if (query.freshness == Freshness::kNotOlderThan && !KNARR_TRY(NotOlderThan(ctx, query.after))) {
        return errors::TooManyRequests("storage is (re)initializing", 1);
      }
      if (query.freshness == Freshness::kConsistent) {
        const Revision current = KNARR_TRY(store_.CurrentRevision(ctx));
        if (!KNARR_TRY(Wait(ctx, current, false))) {
          return errors::TooLargeResourceVersion(current, core_->Look().seen, 1);
        }
      }
    } else if (query.after == 0) {
      query.after = core_->Look().seen;
    }
    return core_->Watch(std::move(query), ends);
  }

  Result<int64_t> Count(const Context& ctx) override {
    Start();
    if (core_->Look().filled) return core_->Size();
    return store_.Count(ctx, options_.prefix);
  }

  uint64_t Generation() const override { return core_->Generation(); }

  Status Ready() const override {
    const_cast<Cacher*>(this)->Start();  // asking is a use
    if (core_->Look().filled) return {};
    std::lock_guard lock(mutex_);
    return Error(Code::kServiceUnavailable, "the watch cache of {} has not been filled yet{}{}", options_.resource,
                 problem_.ok() ? "" : ": ", problem_.ok() ? "" : problem_.message());
  }

 private:
  static Core::Counts CountsOf(const Metrics& metrics) {
    // The core may outlive this object, the process's metrics outlive both.
    return {[c = metrics.dispatched](size_t n) { c->Inc(static_cast<double>(n)); },
            [c = metrics.terminated] { c->Inc(); },
            [c = metrics.initial](int64_t n) { c->Inc(static_cast<double>(n)); }};
  }

  // Reads -----------------------------------------------------------------------------------------------------------

  // The first use fills the cache.
  void Start() {
    if (!started_.load(std::memory_order_acquire) && !started_.exchange(true)) Post([this] { Feed(); });
  }

  Result<bool> Filled(const Context& ctx) {
    Start();
    return core_->WaitUntil(ctx, 0, nullptr);
  }

  // `elsewhere`: whoever asks can read from the store instead.
  Result<bool> Wait(const Context& ctx, Revision revision, bool elsewhere) {
    const auto began = std::chrono::steady_clock::now();
    Result<bool> seen = core_->WaitUntil(
        ctx, revision, [&] { return AskProgress(ctx); }, elsewhere);
    metrics_.read_wait->Observe(std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
    return seen;
  }

  // false: there is no cache yet, the store has to answer.
  Result<bool> NotOlderThan(const Context& ctx, Revision revision) {
    Start();
    if (!core_->Look().filled && !KNARR_TRY(Filled(ctx))) return false;
    if (KNARR_TRY(Wait(ctx, revision, false))) return true;
    return errors::TooLargeResourceVersion(revision, core_->Look().seen, 1);
  }

  Status AskProgress(const Context& ctx) {
    const Status asked = store_.RequestProgress(ctx);
    if (!asked.ok() && log_.V(2)) log_.Info("The store was not asked for progress", {{"err", asked}});
    return asked;
  }

  // Entries of the cache stand for bytes that they were made from.
  DecodeFn Reuse() {
    return [this, present = core_->Look().present](const storage::KeyValue& kv) -> Result<EntryPtr> {
      const EntryPtr* found = present.Find(kv.key);
      if (found && (*found)->revision == kv.mod_revision) return *found;
      return codec_.Decode(kv);
    };
  }

  ListAnswer ListFromCache(const Core::View& view, const ListQuery& query, Revision revision) {
    ListAnswer answer;
    answer.revision = revision;
    const bool everything = query.filter.Everything();
    if (everything && query.limit == 0) {
      answer.entries.reserve(static_cast<size_t>(
          view.present.CountFrom(view.present.LowerBound(std::max(query.start_key, query.prefix)), query.prefix)));
    }
    int64_t fetched = 0;
    bool full = false;
    ForEachCandidate(view.present, options_.prefix, query.prefix, query.start_key, query.filter,
                     [&](const EntryPtr& entry) {
                       if (full) {
                         answer.more = true;
                         answer.next_key = answer.entries.back()->key + '\0';
                         return false;
                       }
                       ++fetched;
                       if (everything || query.filter.Matches(*entry)) answer.entries.push_back(entry);
                       full = query.limit != 0 && static_cast<int64_t>(answer.entries.size()) >= query.limit;
                       return true;
                     });
    if (answer.more && everything) {
      answer.remaining = view.present.CountFrom(view.present.LowerBound(answer.next_key), query.prefix);
    }
    metrics_.lists->Inc();
    metrics_.fetched->Inc(static_cast<double>(fetched));
    metrics_.returned->Inc(static_cast<double>(answer.entries.size()));
    return answer;
  }

  // Filling -----------------------------------------------------------------------------------------------------------

  // One at a time, on the pool: ends the old watch, lists if need be, watches.
  void Feed() {
    std::lock_guard feeding(feed_mutex_);
    handle_.reset();
    const Context ctx = Context::Background().WithStop(stop_.get_token());
    Status status;
    if (must_list_.load()) status = ListAll(ctx);
    if (status.ok()) {
      Result<std::unique_ptr<storage::WatchHandle>> watch =
          store_.Watch(ctx, options_.prefix, core_->SeenByWriter(), *this);
      if (watch.ok()) {
        handle_ = std::move(*watch);
      } else {
        status = watch.status();
        if (status.Is(Code::kExpired)) must_list_ = true;
      }
    }
    if (!status.ok() && !ctx.Cancelled()) Retry(status);
  }

  void Retry(const Status& why) {
    Timer old;
    std::lock_guard lock(mutex_);
    problem_ = why;
    troubled_ = true;
    if (stopping_) return;
    Duration delay = kFirstRetry * (int64_t{1} << std::min(failures_++, 7));
    delay = std::min<Duration>(delay, kLastRetry);
    log_.Error(why, "The watch cache does not follow the store", {{"retryAfter", FormatSeconds(delay)}});
    old = std::exchange(retry_, clock_.RunAfter(delay, [this] { Post([this] { Feed(); }); }));
  }

  static std::string FormatSeconds(Duration d) {
    return fmt::format("{:.1f}s", std::chrono::duration<double>(d).count());
  }

  Status ListAll(const Context& ctx) {
    const bool first = !core_->Look().filled;
    const Tree::Snapshot old = core_->PresentAll();
    const Revision old_seen = core_->SeenByWriter();
    auto at = old.LowerBound(options_.prefix);
    Tree tree;
    std::set<std::string, std::less<>> undecodable;
    std::vector<std::shared_ptr<Change>> changes, deletions;
    std::vector<EntryPtr> gone;  // deleted at a revision nobody knows: that of the list
    const auto each = [&](storage::KeyValue& kv) -> Status {
      const EntryPtr* before = nullptr;
      for (; (before = old.At(at)) != nullptr && (*before)->key < kv.key; at = old.Next(at)) gone.push_back(*before);
      if (before && (*before)->key == kv.key) {
        at = old.Next(at);
        if ((*before)->revision == kv.mod_revision) return {};
      } else {
        before = nullptr;
      }
      Result<EntryPtr> entry = codec_.Decode(kv);
      if (!entry.ok()) {
        log_.Error(entry.status(), "An object that cannot be decoded is missing in lists");
        undecodable.insert(std::move(kv.key));
        return {};
      }
      if (first) {
        tree.Put(std::move(*entry));
        return {};
      }
      EntryPtr previous = before ? *before : nullptr;
      if (previous && kv.create_revision > old_seen) {
        // Another object of the same name.
        changes.push_back(MakeChange(codec_, std::exchange(previous, nullptr), nullptr, kv.create_revision - 1));
      }
      changes.push_back(MakeChange(codec_, std::move(previous), std::move(*entry), kv.mod_revision));
      return {};
    };
    const Result<Revision> revision = ReadAll(ctx.WithTimeout(kStoreTimeout * 10), store_, options_.prefix, 0, each);
    if (!revision.ok()) return revision.status();
    for (const EntryPtr* before; (before = old.At(at)) != nullptr; at = old.Next(at)) gone.push_back(*before);
    for (EntryPtr& entry : gone) {
      if (entry) changes.push_back(MakeChange(codec_, std::move(entry), nullptr, *revision));
    }
    std::stable_sort(changes.begin(), changes.end(),
                     [](const auto& a, const auto& b) { return a->revision < b->revision; });
    SetUndecodable(std::move(undecodable));
    metrics_.initializations->Inc();
    if (first) {
      core_->Fill(std::move(tree), *revision);
    } else {
      log_.Info("The watch cache was compared with the store again", {{"changes", changes.size()}});
      core_->Apply(std::move(changes), *revision);
    }
    must_list_ = false;
    Succeeded(*revision);
    return {};
  }

  void Succeeded(Revision revision) {
    metrics_.revision->Set(static_cast<double>(revision % 1'000'000'000'000'000));
    if (!troubled_.load(std::memory_order_relaxed)) return;
    std::lock_guard lock(mutex_);
    troubled_ = false;
    failures_ = 0;
    problem_ = Status();
  }

  void Post(std::function<void()> task) {
    {
      std::lock_guard lock(mutex_);
      if (stopping_) return;
      ++tasks_;
    }
    pool_->Post([this, task = std::move(task)] {
      task();
      std::lock_guard lock(mutex_);
      --tasks_;
      idle_.notify_all();
    });
  }

  void OnEvents(std::vector<storage::Event> events, Revision revision) override {
    std::vector<std::shared_ptr<Change>> changes;
    changes.reserve(events.size());
    // What this batch has changed already.
    std::map<std::string_view, EntryPtr> batch;
    for (const storage::Event& event : events) {
      const storage::KeyValue& kv = event.kv;
      if (kv.mod_revision <= core_->SeenByWriter()) continue;
      EntryPtr previous;
      if (const auto found = batch.find(kv.key); found != batch.end()) {
        previous = found->second;
      } else if (const EntryPtr* present = core_->Present(kv.key)) {
        previous = *present;
      }
      EntryPtr now;
      if (event.type == storage::EventType::kPut) {
        Result<EntryPtr> decoded = codec_.Decode(kv);
        if (!decoded.ok()) {
          // The last good state stays; a GET says what is wrong.
          log_.Error(decoded.status(), "An object that cannot be decoded is missing in lists, or old");
          AddUndecodable(kv.key);
          continue;
        }
        now = std::move(*decoded);
      }
      RemoveUndecodable(kv.key);
      if (!previous && !now) continue;
      if (events.size() > 1) batch[kv.key] = now;
      changes.push_back(MakeChange(codec_, std::move(previous), std::move(now), kv.mod_revision));
    }
    metrics_.received->Inc(static_cast<double>(changes.size()));
    core_->Apply(std::move(changes), revision);
    Succeeded(revision);
  }

  void OnProgress(Revision revision) override {
    core_->Progress(revision);
    Succeeded(revision);
  }

  void OnEnd(const Status& status) override {
    if (status.Is(Code::kExpired)) {
      must_list_ = true;
      Post([this] { Feed(); });
    } else {
      Retry(status.ok() ? Error(Code::kServiceUnavailable, "the store ended its watch") : status);
    }
  }

  bool Undecodable(std::string_view key) const {
    if (!any_undecodable_.load(std::memory_order_relaxed)) return false;
    std::lock_guard lock(mutex_);
    return undecodable_.contains(key);
  }
  void SetUndecodable(std::set<std::string, std::less<>> keys) {
    std::lock_guard lock(mutex_);
    undecodable_ = std::move(keys);
    CountUndecodableLocked();
  }
  void AddUndecodable(const std::string& key) {
    std::lock_guard lock(mutex_);
    undecodable_.insert(key);
    CountUndecodableLocked();
  }
  void RemoveUndecodable(const std::string& key) {
    if (!any_undecodable_.load(std::memory_order_relaxed)) return;
    std::lock_guard lock(mutex_);
    undecodable_.erase(key);
    CountUndecodableLocked();
  }
  void CountUndecodableLocked() {
    any_undecodable_ = !undecodable_.empty();
    metrics_.undecodable->Set(static_cast<double>(undecodable_.size()));
  }

  const CacherOptions options_;
  storage::Store& store_;
  const EntryCodec& codec_;
  Clock& clock_;
  const Logger log_;
  Metrics metrics_;
  const std::shared_ptr<Core> core_;
  const std::shared_ptr<ElasticPool> pool_;
  std::stop_source stop_;
  std::atomic<bool> started_{false};
  std::atomic<bool> must_list_{true};
  std::atomic<bool> troubled_{false};
  std::atomic<bool> any_undecodable_{false};

  std::mutex feed_mutex_;
  std::unique_ptr<storage::WatchHandle> handle_;  // under feed_mutex_

  mutable std::mutex mutex_;
  std::condition_variable idle_;
  bool stopping_ = false;
  int tasks_ = 0;
  int failures_ = 0;
  Status problem_;
  Timer retry_;
  std::set<std::string, std::less<>> undecodable_;
};

}  // namespace

Result<std::unique_ptr<Reader>> NewCacher(CacherOptions options, storage::Store& store, const EntryCodec& codec,
                                          Clock& clock, Logger log) {
  if (options.prefix.size() < 2 || options.prefix.front() != '/' || options.prefix.back() != '/') {
    return Error(Code::kInvalid, "a watch cache needs a prefix between slashes, not \"{}\"", options.prefix);
  }
  return std::unique_ptr<Reader>(std::make_unique<Cacher>(std::move(options), store, codec, clock, std::move(log)));
}

}  // namespace knarr::cacher
