#include "pkg/apiserver/cacher/core.h"
#include "pkg/apiserver/cacher/store_reads.h"
#include "pkg/base/pool.h"

namespace knarr::cacher {
namespace {

// One watch with its own watch of the store: a core with one watcher, whose window is its queue.
class DirectWatcher : public Watcher, public storage::WatchSink {
 public:
  DirectWatcher(const CacherOptions& options, const EntryCodec& codec, Clock& clock, Logger log)
      : codec_(codec),
        log_(std::move(log)),
        core_(std::make_shared<Core>(options, codec, clock, false, Core::Counts{})) {}
  ~DirectWatcher() override {
    core_->SetAskProgress(nullptr);
    core_->Close(Status());
    handle_.reset();
    watcher_.reset();
  }

  Status Start(const Context& ctx, storage::Store& store, Tree initial, Revision from, WatchQuery query,
               std::optional<MonoTime> ends) {
    const std::string prefix = query.prefix;
    core_->Fill(std::move(initial), from);
    watcher_ = KNARR_TRY(core_->Watch(std::move(query), ends));
    handle_ = KNARR_TRY(store.Watch(ctx, prefix, from, *this));
    return {};
  }
  Core& core() { return *core_; }

  State Next(std::vector<WatchEvent>* out, size_t max) override { return watcher_->Next(out, max); }
  void SetWake(std::function<void()> wake) override { watcher_->SetWake(std::move(wake)); }
  Status status() const override { return watcher_->status(); }

 private:
  void OnEvents(std::vector<storage::Event> events, Revision revision) override {
    std::vector<std::shared_ptr<Change>> changes;
    changes.reserve(events.size());
    for (const storage::Event& event : events) {
      Result<EntryPtr> previous = EntryPtr();
      if (event.previous.mod_revision != 0) previous = codec_.Decode(event.previous);
      Result<EntryPtr> now = EntryPtr();
      if (event.type == storage::EventType::kPut) now = codec_.Decode(event.kv);
      if (!previous.ok() || !now.ok()) {
        log_.Error(previous.ok() ? now.status() : previous.status(), "An object that cannot be decoded is left out");
        continue;
      }
      if (!*previous && !*now) continue;
      changes.push_back(MakeChange(codec_, std::move(*previous), std::move(*now), event.kv.mod_revision));
    }
    core_->Apply(std::move(changes), revision);
  }
  void OnProgress(Revision revision) override { core_->Progress(revision); }
  void OnEnd(const Status& status) override {
    core_->Close(status.Is(Code::kExpired)
                     ? Status(Code::kExpired, "The resourceVersion for the provided watch is too old.")
                     : status);
  }

  const EntryCodec& codec_;
  const Logger log_;
  const std::shared_ptr<Core> core_;
  std::unique_ptr<Watcher> watcher_;
  std::unique_ptr<storage::WatchHandle> handle_;
};

class DirectReader : public Reader {
 public:
  DirectReader(CacherOptions options, storage::Store& store, const EntryCodec& codec, Clock& clock, Logger log)
      : options_(std::move(options)),
        store_(store),
        codec_(codec),
        clock_(clock),
        log_(log.With({{"resource", options_.resource}})),
        decode_([this](const storage::KeyValue& kv) { return codec_.Decode(kv); }) {}

  Result<EntryPtr> Get(const Context& ctx, const std::string& key, Freshness freshness, Revision revision) override {
    return GetFromStore(ctx, store_, decode_, key, freshness, revision);
  }

  Result<ListAnswer> List(const Context& ctx, const ListQuery& query) override {
    return ListFromStore(ctx, store_, decode_, query);
  }

  Result<std::unique_ptr<Watcher>> Watch(const Context& ctx, WatchQuery query) override {
    std::optional<MonoTime> ends;
    if (ctx.deadline()) ends = clock_.Monotonic() + *ctx.Remaining();
    Tree initial;
    Revision from = query.after;
    if (query.initial_state) {
      ListQuery list;
      list.prefix = query.prefix;
      list.freshness = query.freshness;
      list.revision = query.after;
      list.filter = query.filter;
      ListAnswer answer = KNARR_TRY(List(ctx, list));
      from = answer.revision;
      for (EntryPtr& entry : answer.entries) initial.Put(std::move(entry));
    } else if (from == 0) {
      from = KNARR_TRY(store_.CurrentRevision(ctx));
      query.after = from;
    }
    auto watcher = std::make_unique<DirectWatcher>(options_, codec_, clock_, log_);
    watcher->core().SetAskProgress([asker = asker_, &store = store_, log = log_] {
      // The timer's thread must not wait for a store.
      asker->Post([&store, log] {
        const Status asked = store.RequestProgress(Context::Background().WithTimeout(std::chrono::seconds(5)));
        if (!asked.ok()) log.Error(asked, "The store was not asked for progress");
      });
    });
    KNARR_TRY(watcher->Start(ctx, store_, std::move(initial), from, std::move(query), ends));
    return std::unique_ptr<Watcher>(std::move(watcher));
  }

  Result<int64_t> Count(const Context& ctx) override { return store_.Count(ctx, options_.prefix); }

  // Nothing is known without asking: always a new one.
  uint64_t Generation() const override { return generation_.fetch_add(1, std::memory_order_relaxed); }
  Status Ready() const override { return {}; }

 private:
  const CacherOptions options_;
  storage::Store& store_;
  const EntryCodec& codec_;
  Clock& clock_;
  const Logger log_;
  const DecodeFn decode_;
  mutable std::atomic<uint64_t> generation_{1};
  const std::shared_ptr<ElasticPool> asker_ = std::make_shared<ElasticPool>("watch-progress", 1);
};

}  // namespace

std::unique_ptr<Reader> NewDirectReader(CacherOptions options, storage::Store& store, const EntryCodec& codec,
                                        Clock& clock, Logger log) {
  return std::make_unique<DirectReader>(std::move(options), store, codec, clock, std::move(log));
}

Result<int64_t> CompareWithStore(const Context& ctx, Reader& cache, storage::Store& store, const std::string& prefix) {
  ListQuery query;
  query.prefix = prefix;
  query.freshness = Freshness::kAny;
  const ListAnswer cached = KNARR_TRY(cache.List(ctx, query));
  int64_t differences = 0;
  size_t at = 0;
  const auto each = [&](storage::KeyValue& kv) -> Status {
    for (; at < cached.entries.size() && cached.entries[at]->key < kv.key; ++at) ++differences;
    if (at == cached.entries.size() || cached.entries[at]->key != kv.key) {
      ++differences;
    } else {
      if (cached.entries[at]->revision != kv.mod_revision) ++differences;
      ++at;
    }
    return {};
  };
  KNARR_TRY(ReadAll(ctx, store, prefix, cached.revision, each));
  return differences + static_cast<int64_t>(cached.entries.size() - at);
}

}  // namespace knarr::cacher
