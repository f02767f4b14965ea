// The one connection that writes, and its thread. Private to this folder.
//
// Writers queue; the thread takes what is there, evaluates all of it in one transaction (each sees what those before it
// did), commits with one fsync, publishes the events and answers. Between commits it does the housekeeping in slices of
// a few milliseconds: expiry, compaction of the log, giving back pages, checkpoints. Without work it sleeps.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "pkg/apiserver/storage/sqlite.h"
#include "pkg/apiserver/storage/sqlite/database.h"
#include "pkg/apiserver/storage/sqlite/files.h"
#include "pkg/apiserver/storage/store.h"
#include "pkg/apiserver/storage/watch_hub.h"

namespace knarr::storage::sqlite {

struct Job {
  enum class Kind : uint8_t { kPut, kDelete, kCompact };
  Kind kind = Kind::kPut;
  std::string key, value;
  Revision expected = 0;  // of kCompact: the target
  int64_t ttl_seconds = 0;

  // The answer; written by the thread before `done`.
  Status status;
  WriteResult result;

  std::mutex mutex;
  std::condition_variable_any changed;
  enum class State : uint8_t { kQueued, kTaken, kDone, kAbandoned } state = State::kQueued;
};

class Writer {
 public:
  using Publish = std::function<void(std::vector<std::shared_ptr<const Event>> events, Revision revision)>;
  // Takes over an open, checked database. `publish` is called on the thread, in order of revision.
  static Result<std::unique_ptr<Writer>> Start(const SqliteOptions& options, Logger log,
                                               std::unique_ptr<Database> database, Publish publish);
  // Does what is queued, then closes.
  ~Writer();

  // Blocks until it is committed, or the context ends; whether it is done is then unknown unless it was still queued.
  Result<WriteResult> Do(const Context& ctx, std::shared_ptr<Job> job);

  Revision revision() const { return revision_; }
  Revision compacted() const { return compacted_; }
  int64_t live_bytes() const { return live_bytes_; }
  // What keeps it from writing, for good.
  Status broken() const;

 private:
  Writer(const SqliteOptions& options, Logger log, std::unique_ptr<Database> database, Publish publish);

  void Loop();
  void RunBatch(const std::vector<std::shared_ptr<Job>>& batch);
  Status Evaluate(const std::vector<std::shared_ptr<Job>>& batch, std::vector<std::shared_ptr<const Event>>& events);
  Status Apply(Job& job, std::vector<std::shared_ptr<const Event>>& events);
  Status Write(const Job& job, const std::optional<KeyValue>& before,
               std::vector<std::shared_ptr<const Event>>& events);
  Status ExpireSome(std::vector<std::shared_ptr<const Event>>& events);
  Status CompactSome(int64_t rows);
  bool LogTooLarge() const { return meta_.log_bytes > options_.max_log_bytes; }
  bool HasCompaction() const { return compact_to_ > trimmed_ || trimming_; }
  void Vacuum();
  void Checkpoint();
  void ArmTimers();
  void Answer(const std::vector<std::shared_ptr<Job>>& batch, const Status& status);

  const SqliteOptions options_;
  Clock& clock_;
  const Logger log_;
  const std::unique_ptr<Database> database_;
  const Publish publish_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Job>> queue_;
  bool stopping_ = false, expire_due_ = false, compact_due_ = false;
  Status broken_;

  std::atomic<Revision> revision_{0}, compacted_{0};
  std::atomic<int64_t> live_bytes_{0};

  // Of the thread.
  Meta meta_, saved_;
  bool changed_ = false;     // this transaction has something to commit
  Revision trimmed_ = 0;     // log rows up to it are gone
  Revision compact_to_ = 0;  // and up to here they are to go
  bool trimming_ = false;    // the log has grown beyond its bound
  bool vacuuming_ = false;
  bool writes_refused_ = false;  // the database has reached its bound
  int wal_pages_ = 0;
  std::optional<int64_t> next_expiry_, armed_expiry_;  // wall clock, milliseconds
  std::optional<Revision> compact_mark_;               // the newest revision when the timer was armed
  Timer expiry_timer_, compact_timer_;
  TaskGroup thread_;
};

}  // namespace knarr::storage::sqlite
