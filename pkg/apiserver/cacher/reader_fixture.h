// For the tests of this package: a codec of a plain text format, a store whose watches can be held back and ended, and
// a watcher that is drained by a thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "pkg/apiserver/cacher/reader.h"
#include "pkg/apiserver/storage/memory.h"

namespace knarr::cacher {

inline const std::string kPrefix = "/registry/things/";

// Values are "label=x;label2=y|field=z|payload"; "BAD" cannot be decoded.
class TextCodec : public EntryCodec {
 public:
  Result<EntryPtr> Decode(const storage::KeyValue& kv) const override;
  EntryPtr WithRevision(const Entry& entry, Revision revision) const override;
  mutable std::atomic<int> decoded{0};
  mutable std::atomic<int> revised{0};
};

std::string Value(const std::string& labels, const std::string& fields, const std::string& payload);

// The memory store with a door in front of its watches.
class DoorStore : public storage::Store {
 public:
  explicit DoorStore(Clock& clock) : store_(storage::NewMemoryStore(clock)) {}

  // Events and progress wait until Open.
  void Hold();
  void Open();
  // Ends all watches, as a store that lost its connection (or its history) would; no new ones until AllowWatches.
  void EndWatches(const Status& why, bool allow_new);
  void AllowWatches();
  void FailLists(Status status);
  int watches() const;
  int lists() const { return lists_; }

  Result<std::optional<storage::KeyValue>> Get(const Context& ctx, std::string_view key, Revision revision) override;
  Result<storage::ListResult> List(const Context& ctx, std::string_view prefix,
                                   const storage::ListOptions& options) override;
  Result<int64_t> Count(const Context& ctx, std::string_view prefix) override { return store_->Count(ctx, prefix); }
  Result<storage::WriteResult> Create(const Context& ctx, std::string_view key, std::string_view value,
                                      int64_t ttl) override {
    return store_->Create(ctx, key, value, ttl);
  }
  Result<storage::WriteResult> Update(const Context& ctx, std::string_view key, std::string_view value,
                                      Revision expected, int64_t ttl) override {
    return store_->Update(ctx, key, value, expected, ttl);
  }
  Result<storage::WriteResult> Delete(const Context& ctx, std::string_view key, Revision expected) override {
    return store_->Delete(ctx, key, expected);
  }
  Result<std::unique_ptr<storage::WatchHandle>> Watch(const Context& ctx, std::string_view prefix, Revision after,
                                                      storage::WatchSink& sink) override;
  Status RequestProgress(const Context& ctx) override { return store_->RequestProgress(ctx); }
  Result<Revision> CurrentRevision(const Context& ctx) override { return store_->CurrentRevision(ctx); }
  Status Compact(const Context& ctx, Revision revision) override { return store_->Compact(ctx, revision); }
  Result<storage::StoreStatus> GetStatus(const Context& ctx) override { return store_->GetStatus(ctx); }
  Status Healthy(const Context& ctx) override { return store_->Healthy(ctx); }

  // Shorthands: put creates or overwrites; both return the revision of the write.
  Revision Put(const std::string& name, const std::string& value);
  Revision Remove(const std::string& name);

 private:
  class Door;
  class Handle;
  const std::unique_ptr<storage::Store> store_;
  mutable std::mutex mutex_;
  std::condition_variable opened_;
  bool held_ = false;
  Status refuse_;
  Status fail_lists_;
  std::set<Door*> doors_;
  std::atomic<int> lists_{0};
};

// Takes events until told to stop, waiting for wake-ups; for tests with real threads.
class Drain {
 public:
  explicit Drain(std::unique_ptr<Watcher> watcher, size_t batch = 64);
  ~Drain();
  // Blocks until the state that the events add up to is at this revision or later (events or bookmarks), or it ended.
  void WaitFor(Revision revision);
  // Blocks until so many events came.
  void WaitForEvents(size_t count);
  void WaitForEnd();
  std::vector<WatchEvent> events() const;
  // name -> bytes
  std::map<std::string, std::string> state() const;
  Status status() const;
  int wakes() const { return wakes_; }
  // What is wrong with the order of events: an ADDED of what is there, a DELETED of what is not, going back.
  std::vector<std::string> problems() const;

 private:
  void Loop();
  const size_t batch_;
  std::unique_ptr<Watcher> watcher_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool woken_ = true;
  bool stop_ = false;
  bool ended_ = false;
  std::atomic<int> wakes_{0};
  std::vector<WatchEvent> events_;
  std::map<std::string, std::string> state_;
  std::map<std::string, Revision> revisions_;
  Revision revision_ = 0;
  std::vector<std::string> problems_;
  std::thread thread_;
};

}  // namespace knarr::cacher
