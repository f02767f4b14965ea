#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <utility>
#include <vector>

#include "pkg/apiserver/storage/sqlite.h"
#include "pkg/apiserver/storage/sqlite/files.h"
#include "pkg/base/file.h"

namespace knarr::storage {
namespace {

using sqlite::Database;
using sqlite::Transaction;

constexpr int kCacheKib = 2048;
constexpr int kSlicePages = 256;
constexpr Revision kFarAhead = 1'000'000'000;

Status Sync(const std::string& path, int flags) {
  const UniqueFd fd = KNARR_TRY(OpenFile(path, flags));
  if (::fsync(fd.get()) != 0) return ErrnoError(errno, "fsync {}", path);
  return OkStatus();
}
Status Rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return ErrnoError(errno, "rename {} to {}", from, to);
  return OkStatus();
}

// Removes a file that was not finished, with what SQLite puts beside it.
class Unfinished {
 public:
  explicit Unfinished(std::string path) : path_(std::move(path)) {}
  ~Unfinished() {
    if (path_.empty()) return;
    for (const char* suffix : {"", "-journal", "-wal", "-shm"}) ::unlink((path_ + suffix).c_str());
  }
  void Finished() { path_.clear(); }

 private:
  std::string path_;
};

// The whole database as of now, into a new file that needs no other files beside it.
Status CopyTo(const Context& ctx, Database& source, const std::string& file) {
  KNARR_TRY(OpenFile(file, O_RDWR | O_CREAT | O_EXCL, 0600));
  auto target = KNARR_TRY(Database::Open(file, SQLITE_OPEN_READWRITE, kCacheKib));
  {
    // Holding the snapshot, so that writers do not make the copy begin anew.
    const Transaction snapshot = KNARR_TRY(Transaction::BeginRead(source));
    KNARR_TRY(sqlite::ReadMeta(source));
    sqlite3_backup* backup = sqlite3_backup_init(target->handle(), "main", source.handle(), "main");
    if (backup == nullptr) return target->ErrorOf(sqlite3_errcode(target->handle()));
    int code = SQLITE_OK;
    while (code == SQLITE_OK && !ctx.Done()) code = sqlite3_backup_step(backup, kSlicePages);
    sqlite3_backup_finish(backup);
    if (code == SQLITE_OK) return ctx.Err();
    if (code != SQLITE_DONE) return target->ErrorOf(code);
  }
  KNARR_TRY(target->Execute("PRAGMA journal_mode=DELETE"));
  target.reset();
  return Sync(file, O_RDWR);
}

Result<std::unique_ptr<Database>> OpenChecked(const std::string& file, int flags) {
  KNARR_TRY(sqlite::CheckHeader(file));
  auto database = KNARR_TRY(Database::Open(file, flags, kCacheKib));
  KNARR_TRY(sqlite::CheckFormat(*database));
  return database;
}

// The newest revision of the database that a backup replaces; 0: it has none to tell.
Revision NewestOf(const std::string& file) {
  const auto read = [&]() -> Result<Revision> {
    auto database = KNARR_TRY(OpenChecked(file, SQLITE_OPEN_READWRITE));
    return KNARR_TRY(sqlite::ReadMeta(*database)).revision;
  };
  return read().value_or(0);
}

// What the API server gives such keys; how long they had left is not known.
int64_t TtlOf(std::string_view key) {
  if (key.starts_with("/registry/events/")) return 3600;
  if (key.starts_with("/registry/masterleases/")) return 15;
  return 0;
}

}  // namespace

Status BackupSqlite(const Context& ctx, const std::string& data_dir, const std::string& target_file) {
  const std::string file = sqlite::DatabaseFile(data_dir);
  if (!PathExists(file)) return Error(Code::kNotFound, "{} does not exist", file);
  if (PathExists(target_file)) return Error(Code::kAlreadyExists, "{} exists", target_file);
  auto source = KNARR_TRY(Database::Open(file, SQLITE_OPEN_READWRITE, kCacheKib));
  KNARR_TRY(sqlite::CheckFormat(*source));
  const std::string unfinished = target_file + ".unfinished";
  if (::unlink(unfinished.c_str()) != 0 && errno != ENOENT) return ErrnoError(errno, "remove {}", unfinished);
  Unfinished guard(unfinished);
  KNARR_TRY(CopyTo(ctx, *source, unfinished));
  {
    auto copy = KNARR_TRY(Database::Open(unfinished, SQLITE_OPEN_READONLY, kCacheKib));
    KNARR_TRY_CTX(sqlite::CheckContent(*copy), "the copy is of no use");
  }
  KNARR_TRY(Rename(unfinished, target_file));
  guard.Finished();
  return Sync(std::string(DirName(target_file)).empty() ? "." : std::string(DirName(target_file)),
              O_RDONLY | O_DIRECTORY);
}

Status RestoreSqlite(const Context& ctx, const std::string& backup_file, const std::string& data_dir) {
  auto lock = KNARR_TRY(sqlite::DirectoryLock::Take(data_dir));
  const std::string file = sqlite::DatabaseFile(data_dir);
  const std::string unfinished = file + ".unfinished";
  if (::unlink(unfinished.c_str()) != 0 && errno != ENOENT) return ErrnoError(errno, "remove {}", unfinished);
  Unfinished guard(unfinished);
  Revision before = 0;
  {
    auto backup = KNARR_TRY(OpenChecked(backup_file, SQLITE_OPEN_READONLY));
    KNARR_TRY(sqlite::CheckContent(*backup));
    KNARR_TRY(CopyTo(ctx, *backup, unfinished));
    before = KNARR_TRY(sqlite::ReadMeta(*backup)).revision;
  }
  const bool replaces = PathExists(file);
  Revision restored = 0;
  {
    auto database = KNARR_TRY(Database::Open(unfinished, SQLITE_OPEN_READWRITE, kCacheKib));
    Transaction transaction = KNARR_TRY(Transaction::BeginWrite(*database));
    sqlite::Meta meta = KNARR_TRY(sqlite::ReadMeta(*database));
    // Where the old one cannot tell its newest revision, far beyond what it can have reached.
    const Revision old = replaces || lock.used() ? NewestOf(file) : before;
    meta.revision = std::max({before, lock.recorded(), old == 0 ? before + kFarAhead : old}) + 1;
    restored = meta.revision;
    meta.compacted = meta.revision;
    meta.log_bytes = 0;
    KNARR_TRY(database->Execute("DELETE FROM log"));
    KNARR_TRY(sqlite::WriteMeta(*database, meta));
    KNARR_TRY(transaction.Commit());
    KNARR_TRY(database->Execute("PRAGMA journal_mode=WAL"));
  }
  KNARR_TRY(Sync(unfinished, O_RDWR));
  // From here on a database that is missing is noticed (see OpenSqlite), should this be cut short.
  KNARR_TRY(lock.MarkUsed(lock.recorded()));
  if (replaces) {
    const std::string kept = fmt::format("{}.{}", file, std::time(nullptr));
    for (const char* suffix : {"", "-wal", "-shm"})
      if (PathExists(file + suffix)) KNARR_TRY(Rename(file + suffix, kept + suffix));
  }
  KNARR_TRY(Rename(unfinished, file));
  guard.Finished();
  lock.Record(restored);
  return Sync(data_dir, O_RDONLY | O_DIRECTORY);
}

Result<StoreStatus> StatusOfSqlite(const Context& ctx, const std::string& data_dir, bool check) {
  KNARR_TRY(ctx.Err());
  const std::string file = sqlite::DatabaseFile(data_dir);
  if (!PathExists(file)) return Error(Code::kNotFound, "{} does not exist", file);
  auto database = KNARR_TRY(Database::Open(file, SQLITE_OPEN_READWRITE, kCacheKib));
  KNARR_TRY(sqlite::CheckFormat(*database));
  if (check) KNARR_TRY(sqlite::CheckContent(*database));
  const sqlite::Meta meta = KNARR_TRY(sqlite::ReadMeta(*database));
  StoreStatus status{.backend = "sqlite",
                     .bytes_in_use = meta.live_bytes,
                     .revision = meta.revision,
                     .compacted = meta.compacted,
                     .detail = file};
  for (const char* suffix : {"", "-wal"}) {
    struct stat info {};
    if (::stat((file + suffix).c_str(), &info) == 0) status.bytes += info.st_size;
  }
  return status;
}

Result<int64_t> Migrate(const Context& ctx, Store& from, Store& to) {
  if (const int64_t present = KNARR_TRY(to.Count(ctx, "/registry/")); present > 0)
    return Error(Code::kFailedPrecondition, "the target has {} keys under /registry/ already", present);
  int64_t copied = 0;
  ListOptions options{.limit = 500};
  for (;;) {
    const ListResult page = KNARR_TRY(from.List(ctx, "/registry/", options));
    for (const KeyValue& kv : page.items) {
      const WriteResult result = KNARR_TRY_CTX(to.Create(ctx, kv.key, kv.value, TtlOf(kv.key)), "write {}", kv.key);
      if (!result.succeeded) return Error(Code::kConflict, "{} appeared in the target meanwhile", kv.key);
      ++copied;
    }
    if (!page.more) return copied;
    options.revision = page.revision;
    options.start_key = page.items.back().key + '\0';
  }
}

}  // namespace knarr::storage
