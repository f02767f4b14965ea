#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "pkg/apiserver/storage/keys.h"
#include "pkg/apiserver/storage/sqlite.h"
#include "pkg/apiserver/storage/sqlite/files.h"
#include "pkg/apiserver/storage/sqlite/reads.h"
#include "pkg/apiserver/storage/sqlite/writer.h"
#include "pkg/apiserver/storage/watch_hub.h"
#include "pkg/base/file.h"

namespace knarr::storage {
namespace {

using sqlite::Database;
using sqlite::Job;

constexpr int kWriterCacheKib = 2048;
constexpr size_t kMaxValueBytes = 32 << 20;
constexpr size_t kMaxKeyBytes = 4096;
constexpr size_t kRecentBytes = 8 << 20;
// Files up to here are read as a whole when opened.
constexpr int64_t kFullCheckBytes = 64 << 20;

class SqliteStore : public Store {
 public:
  SqliteStore(std::string file, sqlite::DirectoryLock lock)
      : file_(std::move(file)), lock_(std::move(lock)), readers_(file_) {}

  Status Start(const SqliteOptions& options, Logger log, std::unique_ptr<Database> database) {
    const Revision revision = KNARR_TRY(sqlite::ReadMeta(*database)).revision;
    hub_ = std::make_unique<WatchHub>(
        [this](const std::string& prefix, Revision after, Revision upto) { return History(prefix, after, upto); },
        revision, kRecentBytes);
    Saw(revision);
    writer_ =
        KNARR_TRY(sqlite::Writer::Start(options, std::move(log), std::move(database),
                                        [this](std::vector<std::shared_ptr<const Event>> events, Revision newest) {
                                          lock_.Record(newest);
                                          Saw(newest);
                                          hub_->Publish(std::move(events), newest);
                                        }));
    return OkStatus();
  }

  ~SqliteStore() override {
    writer_.reset();  // publishes to the hub, which reads
    hub_.reset();
  }

  Result<std::optional<KeyValue>> Get(const Context& ctx, std::string_view key, Revision revision) override {
    auto reader = KNARR_TRY(readers_.Take(ctx));
    auto kv = KNARR_TRY(sqlite::ReadGet(*reader, key, revision));
    if (kv) Saw(kv->mod_revision);
    return kv;
  }

  Result<ListResult> List(const Context& ctx, std::string_view prefix, const ListOptions& options) override {
    auto reader = KNARR_TRY(readers_.Take(ctx));
    ListResult result = KNARR_TRY(sqlite::ReadList(*reader, prefix, options));
    Saw(result.revision);
    return result;
  }

  Result<int64_t> Count(const Context& ctx, std::string_view prefix) override {
    auto reader = KNARR_TRY(readers_.Take(ctx));
    return sqlite::ReadCount(*reader, prefix);
  }

  Result<WriteResult> Create(const Context& ctx, std::string_view key, std::string_view value,
                             int64_t ttl_seconds) override {
    return Put(ctx, key, value, 0, ttl_seconds);
  }
  Result<WriteResult> Update(const Context& ctx, std::string_view key, std::string_view value, Revision expected,
                             int64_t ttl_seconds) override {
    return Put(ctx, key, value, expected, ttl_seconds);
  }
  Result<WriteResult> Delete(const Context& ctx, std::string_view key, Revision expected) override {
    auto job = std::make_shared<Job>();
    job->kind = Job::Kind::kDelete;
    job->key = key;
    job->expected = expected;
    return writer_->Do(ctx, std::move(job));
  }

  Result<std::unique_ptr<WatchHandle>> Watch(const Context& ctx, std::string_view prefix, Revision after,
                                             WatchSink& sink) override {
    if (ctx.Done()) return ctx.Err();
    return hub_->Add(prefix, after, sink);
  }

  Status RequestProgress(const Context& ctx) override {
    if (ctx.Done()) return ctx.Err();
    hub_->RequestProgress(newest_);
    return OkStatus();
  }

  Result<Revision> CurrentRevision(const Context& ctx) override {
    if (ctx.Done()) return ctx.Err();
    return newest_;
  }

  Status Compact(const Context& ctx, Revision revision) override {
    auto job = std::make_shared<Job>();
    job->kind = Job::Kind::kCompact;
    job->expected = revision;
    return writer_->Do(ctx, std::move(job)).status();
  }

  Result<StoreStatus> GetStatus(const Context& ctx) override {
    if (ctx.Done()) return ctx.Err();
    StoreStatus status{.backend = "sqlite",
                       .bytes_in_use = writer_->live_bytes(),
                       .revision = newest_,
                       .compacted = writer_->compacted(),
                       .detail = file_};
    for (const char* suffix : {"", "-wal"}) {
      struct stat info {};
      if (::stat((file_ + suffix).c_str(), &info) == 0) status.bytes += info.st_size;
    }
    return status;
  }

  Status Healthy(const Context& ctx) override {
    KNARR_TRY(writer_->broken());
    auto reader = KNARR_TRY(readers_.Take(ctx));
    return sqlite::ReadMeta(*reader).status();
  }

 private:
  Result<WriteResult> Put(const Context& ctx, std::string_view key, std::string_view value, Revision expected,
                          int64_t ttl_seconds) {
    if (key.empty() || key.size() > kMaxKeyBytes) return Error(Code::kInvalid, "a key of {} bytes", key.size());
    if (value.size() > kMaxValueBytes)
      return Error(Code::kRequestEntityTooLarge, "a value of {} bytes, the limit is {}", value.size(), kMaxValueBytes);
    auto job = std::make_shared<Job>();
    job->key = key;
    job->value = value;
    job->expected = expected;
    job->ttl_seconds = ttl_seconds;
    return writer_->Do(ctx, std::move(job));
  }

  Result<WatchHub::History> History(const std::string& prefix, Revision after, Revision upto) {
    auto reader = KNARR_TRY(readers_.Take(Context::Background()));
    return sqlite::ReadHistory(*reader, prefix, after, upto);
  }

  // A reader may see a commit before the writer's thread has published it: what anybody has seen is the newest.
  void Saw(Revision revision) {
    Revision known = newest_;
    while (known < revision && !newest_.compare_exchange_weak(known, revision)) {
    }
  }

  const std::string file_;
  sqlite::DirectoryLock lock_;
  sqlite::Readers readers_;
  std::atomic<Revision> newest_{0};
  std::unique_ptr<WatchHub> hub_;
  std::unique_ptr<sqlite::Writer> writer_;
};

// The database of a locked directory, checked.
Result<std::unique_ptr<Database>> OpenDatabase(const std::string& file, sqlite::DirectoryLock& lock) {
  struct stat info {};
  const bool present = ::stat(file.c_str(), &info) == 0 && info.st_size > 0;
  if (!present && lock.used())
    return Error(Code::kDataLoss,
                 "{} is missing or empty though {} has been in use; put a backup in its place: knarr datastore restore "
                 "--data-dir={} BACKUP-FILE; or, to begin with nothing, remove the directory",
                 file, DirName(file), DirName(file));
  if (present)
    KNARR_TRY(sqlite::CheckHeader(file));
  else
    KNARR_TRY(OpenFile(file, O_RDWR | O_CREAT, 0600));
  auto database = KNARR_TRY(Database::Open(file, SQLITE_OPEN_READWRITE, kWriterCacheKib));
  // Nothing in it, and never in use: the first start, or one that a crash cut short.
  if (!lock.used() && KNARR_TRY(database->Number("SELECT count(*) FROM sqlite_master")) == 0)
    KNARR_TRY(sqlite::CreateSchema(*database));
  KNARR_TRY(sqlite::CheckFormat(*database));
  if (present && info.st_size <= kFullCheckBytes) KNARR_TRY(sqlite::CheckContent(*database));
  const Revision newest = KNARR_TRY(sqlite::ReadMeta(*database)).revision;
  if (newest < lock.recorded())
    return Error(Code::kDataLoss,
                 "{0} has lost writes: its newest revision is {1} and was {2} (is {0}-wal damaged or gone?); put a "
                 "backup in its place: knarr datastore restore --data-dir={3} BACKUP-FILE; or, to go on without them, "
                 "restore what knarr datastore backup saves now",
                 file, newest, lock.recorded(), DirName(file));
  KNARR_TRY(lock.MarkUsed(newest));
  return database;
}

}  // namespace

Result<std::unique_ptr<Store>> OpenSqlite(SqliteOptions options, Logger log) {
  auto lock = KNARR_TRY(sqlite::DirectoryLock::Take(options.data_dir));
  const std::string file = sqlite::DatabaseFile(options.data_dir);
  auto database = KNARR_TRY(OpenDatabase(file, lock));
  auto store = std::make_unique<SqliteStore>(file, std::move(lock));
  KNARR_TRY(store->Start(options, std::move(log), std::move(database)));
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace knarr::storage
