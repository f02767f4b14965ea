// What a watch cache consists of once bytes are decoded: the present entries, the window of recent changes, and those
// who watch. One lock, held for the time of a few pointers; filters, encodings and wake functions run outside of it.
//
// One writer (the feeder: Fill, Apply, Progress), any number of readers. A Core lives as long as one of its watchers.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "pkg/apiserver/cacher/reader.h"
#include "pkg/apiserver/cacher/tree.h"

namespace knarr::cacher {

// How long a read waits for the cache before it gives up or goes to the store. Mirrors: blockTimeout
inline constexpr std::chrono::seconds kReadWait{3};

// One event of the window; immutable but for `left`, which is made once.
struct Change {
  Revision revision = 0;
  EntryPtr entry;  // the state after it; of a deletion: the last one, with the revision of the deletion
  // The state before, kept only where a selector can tell the two apart: most updates need no old bytes.
  EntryPtr previous;
  bool created = false;
  bool deleted = false;
  MonoTime at;
  size_t cost = 0;
  // `previous` as those see it whose selector it left.
  EntryPtr Left(const EntryCodec& codec) const;

 private:
  mutable std::once_flag once_;
  mutable EntryPtr left_;
};
using ChangePtr = std::shared_ptr<const Change>;

// previous null: created. now null: deleted at `revision`.
std::shared_ptr<Change> MakeChange(const EntryCodec& codec, EntryPtr previous, EntryPtr now, Revision revision);

class Core : public std::enable_shared_from_this<Core> {
 public:
  // What the owner counts.
  struct Counts {
    std::function<void(size_t)> dispatched;
    std::function<void()> terminated;
    std::function<void(int64_t)> initial;  // synthetic events
  };
  // keep_present false: entries are only what Fill gave, for a first state.
  Core(const CacherOptions& options, const EntryCodec& codec, Clock& clock, bool keep_present, Counts counts);

  // The writer.
  void Fill(Tree tree, Revision revision);
  const EntryPtr* Present(std::string_view key) const { return tree_.Find(key); }
  Tree::Snapshot PresentAll() const { return tree_.Take(); }
  Revision SeenByWriter() const { return seen_; }
  // In order of revision; what is in them has been seen then.
  void Apply(std::vector<std::shared_ptr<Change>> changes, Revision seen);
  void Progress(Revision seen);
  // Ends all watches and waits. OK: without an error.
  void Close(const Status& why);

  // Readers.
  struct View {
    bool filled = false;
    Tree::Snapshot present;
    Revision changed = 0;  // present is the state of every revision from this one
    Revision seen = 0;     // to this one
  };
  View Look() const;
  int64_t Size() const;
  uint64_t Generation() const { return generation_.load(std::memory_order_acquire); }
  // Until the cache is filled and has seen the revision: true. false after kReadWait; an error when the context is
  // done. `ask` makes the store report progress; may be null.
  // `give_up_unasked`: false at once if `ask` answers kUnimplemented (etcd before 3.4.31): the caller can read
  // elsewhere.
  Result<bool> WaitUntil(const Context& ctx, Revision revision, const std::function<Status()>& ask,
                         bool give_up_unasked = false);
  // Must be filled. `ends` : when the context of the request does, if so.
  Result<std::unique_ptr<Watcher>> Watch(WatchQuery query, std::optional<MonoTime> ends);
  // Asks the store for progress soon, without blocking; for bookmarks.
  void SetAskProgress(std::function<void()> ask);

 private:
  friend class CoreWatcher;

  // One watch as the core sees it; guarded by mutex_ but for what says otherwise.
  struct Subscription {
    std::string prefix;  // constant
    Filter filter;       // constant
    bool everything = true;
    bool bookmarks = false;
    Revision after = 0;
    std::string name, field, value;  // which bucket has it: a name, a field's value, or (none) the prefix
    uint64_t position = 0;           // of the next change to look at; without meaning while waiting
    bool waiting = false;            // nothing since concerned it
    bool ended = false;
    Status why;
    bool bookmark_due = false;
    MonoTime next_bookmark{};
    std::optional<MonoTime> ends;
    std::atomic<Revision> told{0};  // the newest revision that its reader knows

    std::mutex wake_mutex;  // of the two below
    std::function<void()> wake;
    bool missed = false;
    bool closed = false;
    void Wake();
  };
  using SubscriptionPtr = std::shared_ptr<Subscription>;
  using Bucket = std::vector<SubscriptionPtr>;
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view s) const { return std::hash<std::string_view>()(s); }
  };
  using Buckets = std::unordered_map<std::string, Bucket, Hash, std::equal_to<>>;

  struct Collected {
    std::vector<ChangePtr> changes;
    Revision bookmark = 0;
    Watcher::State state = Watcher::State::kMore;
  };
  // At most `room` changes and bookmarks together.
  Collected Collect(Subscription& sub, size_t room);
  Status WhyEnded(const Subscription& sub) const;
  void Remove(const SubscriptionPtr& sub);

  // All under mutex_.
  uint64_t EndLocked() const { return first_ + window_.size(); }
  Bucket& BucketLocked(const Subscription& sub);
  void NotifyLocked(const Change& change, uint64_t position, std::vector<SubscriptionPtr>* wake);
  void NotifyBucketLocked(Bucket& bucket, const Change& change, uint64_t position, std::vector<SubscriptionPtr>* wake);
  void TrimLocked(MonoTime now);
  void SeenLocked(Revision seen, std::vector<SubscriptionPtr>* wake);
  void ForEachLocked(const std::function<void(const SubscriptionPtr&)>& fn);
  MonoTime NextBookmark(const Subscription& sub, MonoTime now) const;
  // Sets the timer to the first bookmark; the old timer comes back, to be destroyed without the lock.
  Timer ArmLocked(MonoTime at);
  void Tick();

  const CacherOptions options_;
  const EntryCodec& codec_;
  Clock& clock_;
  const bool keep_present_;
  const Counts counts_;

  mutable std::mutex mutex_;
  std::condition_variable seen_changed_;
  int waiters_ = 0;
  Tree tree_;
  bool filled_ = false;
  bool closed_ = false;
  Status closed_why_;
  Revision seen_ = 0;
  Revision changed_ = 0;
  std::atomic<uint64_t> generation_{0};

  std::deque<ChangePtr> window_;
  uint64_t first_ = 0;         // position of window_.front()
  Revision history_from_ = 0;  // changes after this revision are all in the window
  size_t window_cost_ = 0;

  Buckets by_prefix_, by_name_;
  std::map<std::string, Buckets, std::less<>> by_field_;
  int bookmark_watchers_ = 0;
  bool bookmarks_due_ = false;
  MonoTime tick_at_{};
  Timer tick_;
  std::function<void()> ask_progress_;
};

// The entries of `present` with this prefix and, if the selector demands one, this name: calls fn until it says false.
void ForEachCandidate(const Tree::Snapshot& present, const std::string& resource_prefix, std::string_view prefix,
                      std::string_view start_key, const Filter& filter, const std::function<bool(const EntryPtr&)>& fn);

}  // namespace knarr::cacher
