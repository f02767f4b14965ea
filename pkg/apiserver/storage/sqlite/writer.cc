#include "pkg/apiserver/storage/sqlite/writer.h"

#include <algorithm>
#include <utility>

#include "pkg/apiserver/storage/keys.h"
#include "pkg/apiserver/storage/sqlite/reads.h"

namespace knarr::storage::sqlite {
namespace {

constexpr size_t kMaxBatch = 512;
constexpr size_t kMaxBatchBytes = 16 << 20;
constexpr int64_t kExpirySlice = 200;
// Rows of the log that go along with a batch, and in a transaction of their own when nobody writes.
constexpr int64_t kCompactWithBatch = 1024;
constexpr int64_t kCompactAlone = 2048;
constexpr int kVacuumSlicePages = 256;
constexpr int kCheckpointPages = 1000;
constexpr int kLargeWalPages = 16000;

int64_t Milliseconds(WallTime time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

int64_t SizeOf(const KeyValue& kv) {
  return static_cast<int64_t>(kv.key.size() + kv.value.size());
}

}  // namespace

Writer::Writer(const SqliteOptions& options, Logger log, std::unique_ptr<Database> database, Publish publish)
    : options_(options),
      clock_(options.clock != nullptr ? *options.clock : Clock::Real()),
      log_(std::move(log)),
      database_(std::move(database)),
      publish_(std::move(publish)) {}

Result<std::unique_ptr<Writer>> Writer::Start(const SqliteOptions& options, Logger log,
                                              std::unique_ptr<Database> database, Publish publish) {
  std::unique_ptr<Writer> writer(new Writer(options, std::move(log), std::move(database), std::move(publish)));
  Database& db = *writer->database_;
  // Checkpoints are this thread's own business, after the answers; the file of the log is reused, not cut, while small.
  KNARR_TRY(
      db.Execute("PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0; PRAGMA journal_size_limit=8388608;"
                 "PRAGMA temp_store=MEMORY"));
  sqlite3_wal_hook(
      db.handle(),
      [](void* self, sqlite3*, const char*, int pages) {
        static_cast<Writer*>(self)->wal_pages_ = pages;
        return SQLITE_OK;
      },
      writer.get());
  writer->meta_ = writer->saved_ = KNARR_TRY(ReadMeta(db));
  writer->revision_ = writer->meta_.revision;
  writer->compacted_ = writer->meta_.compacted;
  writer->live_bytes_ = writer->meta_.live_bytes;
  writer->compact_to_ = writer->meta_.compacted;
  writer->trimming_ = writer->LogTooLarge();
  {
    Query query = KNARR_TRY(db.Use("SELECT min(expires) FROM live WHERE expires IS NOT NULL"));
    if (KNARR_TRY(query.Step()) && !query.IsNull(0)) writer->next_expiry_ = query.Int(0);
  }
  writer->thread_.Go("store-writer", [writer = writer.get()](std::stop_token) { writer->Loop(); });
  return writer;
}

Writer::~Writer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.StopAndJoin();
}

Status Writer::broken() const {
  const std::lock_guard lock(mutex_);
  return broken_;
}

Result<WriteResult> Writer::Do(const Context& ctx, std::shared_ptr<Job> job) {
  if (ctx.Done()) return ctx.Err();
  {
    const std::lock_guard lock(mutex_);
    if (!broken_.ok()) return broken_;
    if (stopping_) return Error(Code::kServiceUnavailable, "the store is closed");
    queue_.push_back(job);
  }
  wake_.notify_one();
  std::unique_lock lock(job->mutex);
  const auto done = [&] { return job->state == Job::State::kDone; };
  if (const auto deadline = ctx.deadline())
    job->changed.wait_until(lock, ctx.stop_token(), *deadline, done);
  else
    job->changed.wait(lock, ctx.stop_token(), done);
  if (!done()) {
    if (job->state == Job::State::kQueued) job->state = Job::State::kAbandoned;
    return ctx.Err();
  }
  if (!job->status.ok()) return job->status;
  return std::move(job->result);
}

void Writer::Loop() {
  ArmTimers();
  std::vector<std::shared_ptr<Job>> batch;
  for (;;) {
    batch.clear();
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] {
        return !queue_.empty() || stopping_ || expire_due_ || compact_due_ || HasCompaction() || vacuuming_;
      });
      if (stopping_ && queue_.empty()) break;
      for (size_t bytes = 0; !queue_.empty() && batch.size() < kMaxBatch && bytes < kMaxBatchBytes;) {
        std::shared_ptr<Job> job = std::move(queue_.front());
        queue_.pop_front();
        const std::lock_guard job_lock(job->mutex);
        if (job->state == Job::State::kAbandoned) continue;
        job->state = Job::State::kTaken;
        bytes += job->key.size() + job->value.size();
        batch.push_back(job);
      }
      if (std::exchange(compact_due_, false) && compact_mark_) {
        compact_to_ = std::max(compact_to_, *compact_mark_);
        compact_mark_.reset();
      }
    }
    RunBatch(batch);
    if (batch.empty() && vacuuming_ && !HasCompaction()) Vacuum();
    Checkpoint();
    ArmTimers();
    const std::lock_guard lock(mutex_);
    if (!broken_.ok()) {
      for (const auto& job : queue_) job->status = broken_;
      batch.assign(queue_.begin(), queue_.end());
      queue_.clear();
      Answer(batch, broken_);
      expire_due_ = compact_due_ = trimming_ = vacuuming_ = false;
      compact_to_ = trimmed_;
    }
  }
}

void Writer::RunBatch(const std::vector<std::shared_ptr<Job>>& batch) {
  std::vector<std::shared_ptr<const Event>> events;
  saved_ = meta_;
  changed_ = false;
  const Revision trimmed = trimmed_;
  const Status status = Evaluate(batch, events);
  if (!status.ok()) {
    meta_ = saved_;
    trimmed_ = trimmed;
    // Housekeeping that failed (a full disk) is tried again with its next timer, not at once.
    compact_to_ = trimmed_;
    trimming_ = false;
    armed_expiry_.reset();
    if (!status.Is(Code::kTooManyRequests)) {
      // After a failed write or fsync nobody knows what the file has: only opening it anew tells.
      log_.Error(status, "The datastore cannot be written");
      const std::lock_guard lock(mutex_);
      broken_ = Error(Code::kServiceUnavailable, "the datastore cannot be written until the next start: {}", status);
    }
    Answer(batch, status);
    return;
  }
  revision_ = meta_.revision;
  compacted_ = meta_.compacted;
  live_bytes_ = meta_.live_bytes;
  if (meta_.revision > saved_.revision) publish_(std::move(events), meta_.revision);
  Answer(batch, OkStatus());
  if (LogTooLarge()) trimming_ = true;
}

Status Writer::Evaluate(const std::vector<std::shared_ptr<Job>>& batch,
                        std::vector<std::shared_ptr<const Event>>& events) {
  Transaction transaction = KNARR_TRY(Transaction::BeginWrite(*database_));
  const int64_t used =
      KNARR_TRY(database_->Number("PRAGMA page_count")) - KNARR_TRY(database_->Number("PRAGMA freelist_count"));
  writes_refused_ = used >= options_.max_bytes / 4096;
  for (const auto& job : batch) KNARR_TRY(Apply(*job, events));
  bool expire = false;
  {
    const std::lock_guard lock(mutex_);
    expire = std::exchange(expire_due_, false);
  }
  if (expire) {
    armed_expiry_.reset();  // the wall clock may have gone back: whatever is left needs a timer again
    KNARR_TRY(ExpireSome(events));
  }
  if (HasCompaction()) KNARR_TRY(CompactSome(batch.empty() ? kCompactAlone : kCompactWithBatch));
  if (!changed_) return OkStatus();  // nothing to make durable
  KNARR_TRY(WriteMeta(*database_, meta_));
  return transaction.Commit();
}

Status Writer::Apply(Job& job, std::vector<std::shared_ptr<const Event>>& events) {
  if (job.kind == Job::Kind::kCompact) {
    if (job.expected > meta_.revision) {
      job.status = FutureRevisionError();
      return OkStatus();
    }
    if (job.expected > meta_.compacted) {
      meta_.compacted = job.expected;
      compact_to_ = std::max(compact_to_, job.expected);
      changed_ = true;
    }
    return OkStatus();
  }
  std::optional<KeyValue> before;
  {
    Query query = KNARR_TRY(database_->Use("SELECT key, mod, created, sum, value FROM live WHERE key=?"));
    query.Bind(1, job.key);
    if (KNARR_TRY(query.Step())) {
      auto row = RowValue(query, *database_);
      if (!row.ok()) {
        // One damaged value must not keep the others from being written.
        job.status = row.status();
        return OkStatus();
      }
      before = std::move(*row);
    }
  }
  const Revision present = before ? before->mod_revision : 0;
  if (present != job.expected || (job.kind == Job::Kind::kDelete && !before)) {
    job.result.current = std::move(before);
    return OkStatus();
  }
  if (job.kind == Job::Kind::kPut && writes_refused_) {
    job.status = Error(Code::kTooManyRequests, "{}: database space exceeded", database_->path());
    return OkStatus();
  }
  KNARR_TRY(Write(job, before, events));
  job.result.succeeded = true;
  job.result.revision = meta_.revision;
  return OkStatus();
}

Status Writer::Write(const Job& job, const std::optional<KeyValue>& before,
                     std::vector<std::shared_ptr<const Event>>& events) {
  changed_ = true;
  auto event = std::make_shared<Event>();
  event->kv.key = job.key;
  event->kv.mod_revision = ++meta_.revision;
  if (before) {
    event->previous = *before;
    meta_.live_bytes -= SizeOf(*before);
  }
  if (job.kind == Job::Kind::kDelete) {
    event->type = EventType::kDelete;
    Query remove = KNARR_TRY(database_->Use("DELETE FROM live WHERE key=?"));
    remove.Bind(1, job.key);
    KNARR_TRY(remove.Run());
  } else {
    event->kv.value = job.value;
    event->kv.create_revision = before ? before->create_revision : meta_.revision;
    meta_.live_bytes += SizeOf(event->kv);
    Query put = KNARR_TRY(database_->Use(
        before ? "UPDATE live SET mod=?2, created=?3, sum=?4, value=?5, expires=?6 WHERE key=?1"
               : "INSERT INTO live(key, mod, created, sum, value, expires) VALUES(?1, ?2, ?3, ?4, ?5, ?6)"));
    put.Bind(1, job.key).Bind(2, meta_.revision).Bind(3, event->kv.create_revision);
    put.Bind(4, Checksum(job.key, meta_.revision, event->kv.create_revision, job.value)).Bind(5, job.value);
    if (job.ttl_seconds > 0) {
      const int64_t expires = Milliseconds(clock_.Now()) + job.ttl_seconds * 1000;
      put.Bind(6, expires);
      next_expiry_ = next_expiry_ ? std::min(*next_expiry_, expires) : expires;
    } else {
      put.BindNull(6);
    }
    KNARR_TRY(put.Run());
  }
  const KeyValue& old = event->previous;
  Query log =
      KNARR_TRY(database_->Use("INSERT INTO log(revision, key, deleted, mod, created, sum, value) "
                               "VALUES(?, ?, ?, ?, ?, ?, ?)"));
  log.Bind(1, meta_.revision).Bind(2, job.key).Bind(3, job.kind == Job::Kind::kDelete ? 1 : 0);
  log.Bind(4, old.mod_revision).Bind(5, old.create_revision);
  log.Bind(6, Checksum(job.key, old.mod_revision, old.create_revision, old.value)).Bind(7, old.value);
  KNARR_TRY(log.Run());
  meta_.log_bytes += LogRowBytes(job.key.size(), old.value.size());
  events.push_back(std::move(event));
  return OkStatus();
}

Status Writer::ExpireSome(std::vector<std::shared_ptr<const Event>>& events) {
  std::vector<std::pair<std::string, Revision>> due;
  {
    Query query = KNARR_TRY(
        database_->Use("SELECT key, mod FROM live WHERE expires IS NOT NULL AND expires<=? ORDER BY expires LIMIT ?"));
    query.Bind(1, Milliseconds(clock_.Now())).Bind(2, kExpirySlice);
    while (KNARR_TRY(query.Step())) due.emplace_back(query.Bytes(0), query.Int(1));
  }
  for (const auto& [key, mod] : due) {
    Job job{.kind = Job::Kind::kDelete, .key = key, .expected = mod};
    KNARR_TRY(Apply(job, events));
  }
  if (static_cast<int64_t>(due.size()) == kExpirySlice) {
    const std::lock_guard lock(mutex_);
    expire_due_ = true;  // the rest after those who wait
  }
  Query query = KNARR_TRY(database_->Use("SELECT min(expires) FROM live WHERE expires IS NOT NULL"));
  next_expiry_.reset();
  if (KNARR_TRY(query.Step()) && !query.IsNull(0)) next_expiry_ = query.Int(0);
  return OkStatus();
}

Status Writer::CompactSome(int64_t rows) {
  // A log beyond its bound goes down to seven eighths of it, so that this does not come with every batch.
  const int64_t low = options_.max_log_bytes / 8 * 7;
  Revision upto = trimmed_;
  bool more = false;
  {
    Query query =
        KNARR_TRY(database_->Use("SELECT revision, length(key), length(value) FROM log ORDER BY revision LIMIT ?"));
    query.Bind(1, rows);
    int64_t count = 0;
    while (KNARR_TRY(query.Step())) {
      if (query.Int(0) > compact_to_ && !(trimming_ && meta_.log_bytes > low)) break;
      upto = query.Int(0);
      meta_.log_bytes -= LogRowBytes(static_cast<size_t>(query.Int(1)), static_cast<size_t>(query.Int(2)));
      more = ++count == rows;
    }
  }
  if (upto > trimmed_) {
    Query query = KNARR_TRY(database_->Use("DELETE FROM log WHERE revision<=?"));
    query.Bind(1, upto);
    KNARR_TRY(query.Run());
    changed_ = true;
  }
  if (!more) {
    upto = std::max(upto, compact_to_);
    trimming_ = false;
    vacuuming_ = true;
  }
  trimmed_ = upto;
  if (upto > meta_.compacted) {
    meta_.compacted = upto;
    changed_ = true;
  }
  compact_to_ = std::max(compact_to_, upto);
  return OkStatus();
}

void Writer::Vacuum() {
  const auto step = [this]() -> Result<bool> {
    const int64_t pages = KNARR_TRY(database_->Number("PRAGMA page_count"));
    const int64_t unused = KNARR_TRY(database_->Number("PRAGMA freelist_count"));
    // Some free pages are kept: the next writes need them.
    if (unused <= std::max<int64_t>(kVacuumSlicePages, pages / 4)) return false;
    KNARR_TRY(database_->Execute(fmt::format("PRAGMA incremental_vacuum({})", kVacuumSlicePages).c_str()));
    return KNARR_TRY(database_->Number("PRAGMA freelist_count")) < unused;
  };
  const auto more = step();
  vacuuming_ = more.ok() && *more;
  if (!more.ok()) log_.Error(more.status(), "Free pages of the datastore cannot be given back");
}

void Writer::Checkpoint() {
  if (wal_pages_ < kCheckpointPages) return;
  int pages = 0, done = 0;
  // Readers hold up only what they still read. A log that has become large all the same is cut when they are done.
  const int mode = wal_pages_ >= kLargeWalPages ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
  const int code = sqlite3_wal_checkpoint_v2(database_->handle(), nullptr, mode, &pages, &done);
  if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY) {
    log_.Error(database_->ErrorOf(code), "The datastore's write-ahead log cannot be checkpointed");
  }
  wal_pages_ = 0;  // the next commit tells
}

// On the thread only, and with no lock: replacing a timer waits for its call.
void Writer::ArmTimers() {
  const auto wake = [this](bool Writer::*flag) {
    {
      const std::lock_guard lock(mutex_);
      this->*flag = true;
    }
    wake_.notify_one();
  };
  if (!next_expiry_) {
    armed_expiry_.reset();
  } else if (!armed_expiry_ || *armed_expiry_ != *next_expiry_) {
    armed_expiry_ = next_expiry_;
    // To the full second, so that keys made together go together.
    const int64_t wait = (std::max<int64_t>(1, *next_expiry_ - Milliseconds(clock_.Now())) + 999) / 1000;
    expiry_timer_ = clock_.RunAfter(std::chrono::seconds(wait), [wake] { wake(&Writer::expire_due_); });
  }
  if (!compact_mark_ && options_.compaction_interval.count() > 0 && meta_.log_bytes > 0) {
    compact_mark_ = meta_.revision;
    compact_timer_ = clock_.RunAfter(options_.compaction_interval, [wake] { wake(&Writer::compact_due_); });
  }
}

void Writer::Answer(const std::vector<std::shared_ptr<Job>>& batch, const Status& status) {
  for (const auto& job : batch) {
    {
      const std::lock_guard lock(job->mutex);
      if (!status.ok()) job->status = status;
      job->state = Job::State::kDone;
    }
    job->changed.notify_all();
  }
}

}  // namespace knarr::storage::sqlite
