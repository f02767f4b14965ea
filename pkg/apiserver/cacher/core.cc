#include "pkg/apiserver/cacher/core.h"

#include <algorithm>
#include <stop_token>

#include "pkg/api/errors/errors.h"

namespace knarr::cacher {
namespace {

// Events are kept at least so long if the window's bytes allow. Mirrors: eventFreshDuration
constexpr std::chrono::seconds kFresh{75};
// Mirrors: defaultLowerBoundCapacity
constexpr size_t kLeastEvents = 100;
// A read that waits asks again so often. Mirrors: progressRequestPeriod
constexpr std::chrono::milliseconds kAskAgain{100};
// A bookmark comes so long before the end of a watch. Mirrors: bookmarkFrequency, watch_cache's timeoutBookmark
constexpr std::chrono::seconds kBeforeEnd{2};
// Changes looked at in one turn under the lock.
constexpr size_t kScan = 512;

bool SameStrings(const StringMap& a, const StringMap& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

std::string_view NameOf(std::string_view key) {
  return key.substr(key.rfind('/') + 1);
}

Status TooOld(Revision asked, Revision from) {
  return errors::Expired(fmt::format("too old resource version: {} ({})", asked, from));
}

}  // namespace

EntryPtr Change::Left(const EntryCodec& codec) const {
  std::call_once(once_, [this, &codec] { left_ = codec.WithRevision(*previous, revision); });
  return left_;
}

std::shared_ptr<Change> MakeChange(const EntryCodec& codec, EntryPtr previous, EntryPtr now, Revision revision) {
  auto change = std::make_shared<Change>();
  change->revision = revision;
  change->created = previous == nullptr;
  change->deleted = now == nullptr;
  if (change->deleted) {
    change->entry = codec.WithRevision(*previous, revision);
  } else {
    change->entry = std::move(now);
    if (previous && !(SameStrings(previous->labels, change->entry->labels) &&
                      SameStrings(previous->fields, change->entry->fields))) {
      change->previous = std::move(previous);
    }
  }
  // What a window of such changes costs, roughly: the entry will be superseded.
  change->cost = sizeof(Change) + sizeof(Entry) + 64 + change->entry->bytes.size() +
                 (change->previous ? sizeof(Entry) + change->previous->bytes.size() : 0);
  return change;
}

void ForEachCandidate(const Tree::Snapshot& present, const std::string& resource_prefix, std::string_view prefix,
                      std::string_view start_key, const Filter& filter,
                      const std::function<bool(const EntryPtr&)>& fn) {
  if (const std::optional<std::string> name = filter.field.RequiresExactMatch("metadata.name")) {
    // One object: of a namespace, or of a kind without namespaces.
    const std::string key = std::string(prefix) + *name;
    if (const EntryPtr* found = present.Find(key)) {
      if (key >= start_key) fn(*found);
      return;
    }
    if (prefix != resource_prefix) return;
  }
  for (auto at = present.LowerBound(std::max(start_key, prefix));; at = present.Next(at)) {
    const EntryPtr* entry = present.At(at);
    if (!entry || !std::string_view((*entry)->key).starts_with(prefix) || !fn(*entry)) return;
  }
}

class CoreWatcher : public Watcher {
 public:
  CoreWatcher(std::shared_ptr<Core> core, Core::SubscriptionPtr sub) : core_(std::move(core)), sub_(std::move(sub)) {}
  ~CoreWatcher() override {
    core_->Remove(sub_);
    // Waits for a wake function that runs at this moment.
    std::lock_guard lock(sub_->wake_mutex);
    sub_->closed = true;
    sub_->wake = nullptr;
  }

  State Next(std::vector<WatchEvent>* out, size_t max) override {
    size_t room = max;
    const auto add = [&](WatchEvent event) {
      sub_->told.store(event.revision, std::memory_order_relaxed);
      out->push_back(std::move(event));
      --room;
    };
    for (; next_initial_ < initial_.size(); ++next_initial_) {
      if (room == 0) return State::kMore;
      EntryPtr& entry = initial_[next_initial_];
      const Revision revision = entry->revision;
      out->push_back({WatchType::kAdded, std::move(entry), revision});
      --room;
    }
    if (!initial_.empty()) initial_ = {};
    next_initial_ = 0;
    if (initial_end_ != 0) {
      if (room == 0) return State::kMore;
      add({WatchType::kInitialEventsEnd, nullptr, initial_end_});
      initial_end_ = 0;
    }
    for (;;) {
      if (room == 0) return State::kMore;
      Core::Collected collected = core_->Collect(*sub_, room);
      for (const ChangePtr& change : collected.changes) {
        std::optional<WatchEvent> event = Seen(*change);
        if (event) add(std::move(*event));
      }
      if (collected.bookmark > sub_->told.load(std::memory_order_relaxed)) {
        add({WatchType::kBookmark, nullptr, collected.bookmark});
      }
      if (collected.state != State::kMore) return collected.state;
    }
  }

  void SetWake(std::function<void()> wake) override {
    std::lock_guard lock(sub_->wake_mutex);
    sub_->wake = std::move(wake);
    if (sub_->wake && std::exchange(sub_->missed, false)) sub_->wake();
  }

  Status status() const override { return core_->WhyEnded(*sub_); }

  // In key order, of those that match.
  std::vector<EntryPtr> initial_;
  size_t next_initial_ = 0;
  Revision initial_end_ = 0;

 private:
  // The change as this watcher's selector sees it.
  std::optional<WatchEvent> Seen(const Change& change) const {
    const bool now = sub_->everything || sub_->filter.Matches(*change.entry);
    if (change.deleted) {
      if (!now) return std::nullopt;
      return WatchEvent{WatchType::kDeleted, change.entry, change.revision};
    }
    const bool before =
        !change.created && (change.previous ? sub_->everything || sub_->filter.Matches(*change.previous) : now);
    if (now) return WatchEvent{before ? WatchType::kModified : WatchType::kAdded, change.entry, change.revision};
    if (before) return WatchEvent{WatchType::kDeleted, change.Left(core_->codec_), change.revision};
    return std::nullopt;
  }

  const std::shared_ptr<Core> core_;
  const Core::SubscriptionPtr sub_;
};

void Core::Subscription::Wake() {
  std::lock_guard lock(wake_mutex);
  if (closed) return;
  if (wake) {
    wake();
  } else {
    missed = true;
  }
}

Core::Core(const CacherOptions& options, const EntryCodec& codec, Clock& clock, bool keep_present, Counts counts)
    : options_(options), codec_(codec), clock_(clock), keep_present_(keep_present), counts_(std::move(counts)) {}

void Core::Fill(Tree tree, Revision revision) {
  Tree old;
  std::lock_guard lock(mutex_);
  old = std::exchange(tree_, std::move(tree));
  filled_ = true;
  seen_ = changed_ = history_from_ = revision;
  generation_.fetch_add(1, std::memory_order_release);
  seen_changed_.notify_all();
}

void Core::Apply(std::vector<std::shared_ptr<Change>> changes, Revision seen) {
  std::vector<SubscriptionPtr> wake;
  {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    const MonoTime now = clock_.Monotonic();
    for (std::shared_ptr<Change>& change : changes) {
      if (keep_present_) {
        if (change->deleted) {
          tree_.Erase(change->entry->key);
        } else {
          tree_.Put(change->entry);
        }
      }
      changed_ = std::max(changed_, change->revision);
      change->at = now;
      window_cost_ += change->cost;
      NotifyLocked(*change, EndLocked(), &wake);
      window_.push_back(std::move(change));
    }
    generation_.fetch_add(changes.size(), std::memory_order_release);
    TrimLocked(now);
    SeenLocked(seen, &wake);
  }
  if (counts_.dispatched && !changes.empty()) counts_.dispatched(changes.size());
  for (const SubscriptionPtr& sub : wake) sub->Wake();
}

void Core::Progress(Revision seen) {
  std::vector<SubscriptionPtr> wake;
  {
    std::lock_guard lock(mutex_);
    SeenLocked(seen, &wake);
  }
  for (const SubscriptionPtr& sub : wake) sub->Wake();
}

void Core::Close(const Status& why) {
  std::vector<SubscriptionPtr> wake;
  Timer tick;
  {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    closed_ = true;
    closed_why_ = why;
    tick = std::move(tick_);
    ask_progress_ = nullptr;
    ForEachLocked([&](const SubscriptionPtr& sub) {
      if (sub->ended) return;
      sub->ended = true;
      sub->why = why;
      if (std::exchange(sub->waiting, false)) wake.push_back(sub);
    });
    seen_changed_.notify_all();
  }
  for (const SubscriptionPtr& sub : wake) sub->Wake();
}

Core::View Core::Look() const {
  std::lock_guard lock(mutex_);
  return {filled_ && !closed_, tree_.Take(), changed_, seen_};
}

int64_t Core::Size() const {
  std::lock_guard lock(mutex_);
  return tree_.size();
}

Result<bool> Core::WaitUntil(const Context& ctx, Revision revision, const std::function<Status()>& ask,
                             bool give_up_unasked) {
  const auto fresh = [&] { return filled_ && seen_ >= revision; };
  {
    std::lock_guard lock(mutex_);
    if (fresh()) return true;
  }
  // Timers and the stop callback take the lock: they are made and destroyed without it.
  bool given_up = false;
  bool ask_again = true;
  const auto set = [this](bool* flag) {
    return [this, flag] {
      std::lock_guard lock(mutex_);
      *flag = true;
      seen_changed_.notify_all();
    };
  };
  const Timer give_up = clock_.RunAfter(kReadWait, set(&given_up));
  bool stopped = false;
  const std::stop_callback on_stop(ctx.stop_token(), set(&stopped));
  Timer again;
  for (;;) {
    bool must_ask = false;
    {
      std::unique_lock lock(mutex_);
      ++waiters_;
      const auto ready = [&] { return fresh() || given_up || closed_ || ctx.Done() || (ask && filled_ && ask_again); };
      if (ctx.deadline()) {
        seen_changed_.wait_until(lock, *ctx.deadline(), ready);
      } else {
        seen_changed_.wait(lock, ready);
      }
      --waiters_;
      if (fresh()) return true;
      if (ctx.Done()) return ctx.Err();
      if (closed_) return closed_why_.ok() ? Error(Code::kCancelled, "the cache was closed") : closed_why_;
      if (given_up) return false;
      must_ask = std::exchange(ask_again, false);
    }
    if (must_ask) {
      // Another error is not the end: events alone may bring the revision.
      if (const Status asked = ask(); give_up_unasked && asked.Is(Code::kUnimplemented)) return false;
      again = clock_.RunAfter(kAskAgain, set(&ask_again));
    }
  }
}

Result<std::unique_ptr<Watcher>> Core::Watch(WatchQuery query, std::optional<MonoTime> ends) {
  auto sub = std::make_shared<Subscription>();
  sub->prefix = std::move(query.prefix);
  sub->filter = std::move(query.filter);
  sub->everything = sub->filter.Everything();
  sub->bookmarks = query.bookmarks;
  sub->ends = ends;
  sub->told = query.after;
  if (std::optional<std::string> name = sub->filter.field.RequiresExactMatch("metadata.name")) {
    sub->name = std::move(*name);
  } else {
    for (const fields::Requirement& requirement : sub->filter.field.requirements()) {
      if (!requirement.equals || requirement.field == "metadata.namespace") continue;
      sub->field = requirement.field;
      sub->value = requirement.value;
      break;
    }
  }
  auto watcher = std::make_unique<CoreWatcher>(shared_from_this(), sub);
  Tree::Snapshot present;
  Timer old;
  {
    std::lock_guard lock(mutex_);
    if (closed_) return closed_why_.ok() ? Error(Code::kCancelled, "the cache was closed") : closed_why_;
    sub->position = EndLocked();
    if (query.initial_state) {
      present = tree_.Take();
      if (query.initial_events_end) watcher->initial_end_ = seen_;
      // The present state may be older than what the reader knows (freshness "any"): never tell it twice.
      sub->after = seen_;
    } else {
      if (query.after < history_from_) return TooOld(query.after, history_from_);
      sub->after = query.after;
      const auto first = std::upper_bound(window_.begin(), window_.end(), query.after,
                                          [](Revision r, const ChangePtr& change) { return r < change->revision; });
      sub->position = first_ + static_cast<uint64_t>(first - window_.begin());
    }
    BucketLocked(*sub).push_back(sub);
    if (sub->bookmarks) {
      sub->next_bookmark = NextBookmark(*sub, clock_.Monotonic());
      if (bookmark_watchers_++ == 0 || sub->next_bookmark < tick_at_) old = ArmLocked(sub->next_bookmark);
    }
  }
  if (query.initial_state) {
    ForEachCandidate(present, options_.prefix, sub->prefix, "", sub->filter, [&](const EntryPtr& entry) {
      if (sub->everything || sub->filter.Matches(*entry)) watcher->initial_.push_back(entry);
      return true;
    });
    if (counts_.initial) counts_.initial(static_cast<int64_t>(watcher->initial_.size()));
  }
  return std::unique_ptr<Watcher>(std::move(watcher));
}

void Core::SetAskProgress(std::function<void()> ask) {
  std::lock_guard lock(mutex_);
  ask_progress_ = std::move(ask);
}

Core::Collected Core::Collect(Subscription& sub, size_t room) {
  Collected out;
  std::lock_guard lock(mutex_);
  if (sub.ended) {
    out.state = Watcher::State::kEnd;
    return out;
  }
  if (sub.waiting) sub.position = EndLocked();
  if (sub.position < first_) {
    sub.ended = true;
    sub.why = TooOld(sub.told.load(std::memory_order_relaxed), history_from_);
    if (counts_.terminated) counts_.terminated();
    out.state = Watcher::State::kEnd;
    return out;
  }
  for (size_t scanned = 0; sub.position < EndLocked() && scanned < kScan && out.changes.size() < room; ++scanned) {
    const ChangePtr& change = window_[static_cast<size_t>(sub.position++ - first_)];
    if (change->revision > sub.after && std::string_view(change->entry->key).starts_with(sub.prefix)) {
      out.changes.push_back(change);
    }
  }
  if (sub.position < EndLocked()) return out;
  if (sub.bookmark_due && !bookmarks_due_) {
    if (out.changes.size() == room) return out;
    sub.bookmark_due = false;
    out.bookmark = seen_;
  }
  sub.waiting = true;
  out.state = Watcher::State::kWait;
  return out;
}

Status Core::WhyEnded(const Subscription& sub) const {
  std::lock_guard lock(mutex_);
  return sub.why;
}

void Core::Remove(const SubscriptionPtr& sub) {
  Timer tick;
  std::lock_guard lock(mutex_);
  const auto erase = [&sub](Buckets& buckets, const std::string& key) {
    const auto found = buckets.find(key);
    if (found == buckets.end()) return false;
    const bool was = std::erase(found->second, sub) > 0;
    if (found->second.empty()) buckets.erase(found);
    return was;
  };
  bool was = false;
  if (!sub->name.empty()) {
    was = erase(by_name_, sub->name);
  } else if (!sub->field.empty()) {
    if (const auto field = by_field_.find(sub->field); field != by_field_.end()) {
      was = erase(field->second, sub->value);
      if (field->second.empty()) by_field_.erase(field);
    }
  } else {
    was = erase(by_prefix_, sub->prefix);
  }
  if (was && sub->bookmarks) --bookmark_watchers_;
}

Core::Bucket& Core::BucketLocked(const Subscription& sub) {
  if (!sub.name.empty()) return by_name_[sub.name];
  if (!sub.field.empty()) return by_field_[sub.field][sub.value];
  return by_prefix_[sub.prefix];
}

void Core::NotifyLocked(const Change& change, uint64_t position, std::vector<SubscriptionPtr>* wake) {
  const std::string_view key = change.entry->key;
  const auto notify = [&](Buckets& buckets, std::string_view at) {
    if (const auto found = buckets.find(at); found != buckets.end()) {
      NotifyBucketLocked(found->second, change, position, wake);
    }
  };
  for (size_t end = options_.prefix.size() - 1; end != std::string_view::npos; end = key.find('/', end + 1)) {
    notify(by_prefix_, key.substr(0, end + 1));
  }
  if (!by_name_.empty()) notify(by_name_, NameOf(key));
  for (auto& [field, buckets] : by_field_) {
    const std::string_view now = change.entry->fields.Get(field);
    notify(buckets, now);
    if (!change.previous) continue;
    const std::string_view before = change.previous->fields.Get(field);
    if (before != now) notify(buckets, before);
  }
}

void Core::NotifyBucketLocked(Bucket& bucket, const Change& change, uint64_t position,
                              std::vector<SubscriptionPtr>* wake) {
  for (const SubscriptionPtr& sub : bucket) {
    if (!sub->waiting || change.revision <= sub->after) continue;
    if (!std::string_view(change.entry->key).starts_with(sub->prefix)) continue;
    if (!sub->everything && !sub->filter.Matches(*change.entry) &&
        !(change.previous && sub->filter.Matches(*change.previous))) {
      continue;
    }
    sub->waiting = false;
    sub->position = position;
    wake->push_back(sub);
  }
}

void Core::TrimLocked(MonoTime now) {
  while (!window_.empty()) {
    const bool heavy =
        window_cost_ > options_.window_bytes && window_.size() > std::min(kLeastEvents, options_.window_events);
    const bool old = window_.size() > options_.window_events && now - window_.front()->at > kFresh;
    if (!heavy && !old) return;
    history_from_ = window_.front()->revision;
    window_cost_ -= window_.front()->cost;
    window_.pop_front();
    ++first_;
  }
}

void Core::SeenLocked(Revision seen, std::vector<SubscriptionPtr>* wake) {
  seen_ = std::max(seen_, seen);
  if (std::exchange(bookmarks_due_, false)) {
    ForEachLocked([&](const SubscriptionPtr& sub) {
      if (!sub->waiting || !sub->bookmark_due || seen_ <= sub->told.load(std::memory_order_relaxed)) return;
      sub->waiting = false;
      sub->position = EndLocked();
      wake->push_back(sub);
    });
  }
  if (waiters_ > 0) seen_changed_.notify_all();
}

void Core::ForEachLocked(const std::function<void(const SubscriptionPtr&)>& fn) {
  const auto all = [&fn](const Buckets& buckets) {
    for (const auto& [key, bucket] : buckets) {
      for (const SubscriptionPtr& sub : bucket) fn(sub);
    }
  };
  all(by_prefix_);
  all(by_name_);
  for (const auto& [field, buckets] : by_field_) all(buckets);
}

MonoTime Core::NextBookmark(const Subscription& sub, MonoTime now) const {
  // All caches of a process tick together: one wake-up a minute, not one for each.
  const auto round_up = [](MonoTime at, Duration grid) {
    return MonoTime((at.time_since_epoch() + grid - Duration(1)) / grid * grid);
  };
  const MonoTime next = round_up(now + Duration(1), options_.bookmark_interval);
  if (!sub.ends) return next;
  const MonoTime last = round_up(*sub.ends - kBeforeEnd, std::chrono::seconds(1));
  return last > now ? std::min(next, last) : next;
}

Timer Core::ArmLocked(MonoTime at) {
  tick_at_ = at;
  return std::exchange(tick_, clock_.RunAt(at, [weak = weak_from_this()] {
    if (const std::shared_ptr<Core> core = weak.lock()) core->Tick();
  }));
}

void Core::Tick() {
  Timer old;
  std::function<void()> ask;
  {
    std::lock_guard lock(mutex_);
    if (closed_ || bookmark_watchers_ == 0) return;
    const MonoTime now = clock_.Monotonic();
    MonoTime next = MonoTime::max();
    ForEachLocked([&](const SubscriptionPtr& sub) {
      if (!sub->bookmarks) return;
      if (sub->next_bookmark <= now) {
        sub->bookmark_due = true;
        sub->next_bookmark = NextBookmark(*sub, now);
      }
      next = std::min(next, sub->next_bookmark);
    });
    bookmarks_due_ = true;
    old = ArmLocked(next);
    ask = ask_progress_;
  }
  // What the store answers sets them free: a bookmark says what is true now.
  if (ask) ask();
}

}  // namespace knarr::cacher
