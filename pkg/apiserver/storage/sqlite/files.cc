#include "pkg/apiserver/storage/sqlite/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <zlib.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "pkg/base/file.h"

namespace knarr::storage::sqlite {
namespace {

constexpr std::string_view kMark = "knarr datastore 1, newest revision ";

constexpr char kSchema[] =
    "CREATE TABLE meta(id INTEGER PRIMARY KEY CHECK(id=1), revision INTEGER NOT NULL, compacted INTEGER NOT NULL,"
    "  live_bytes INTEGER NOT NULL, log_bytes INTEGER NOT NULL);"
    "CREATE TABLE live(id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, mod INTEGER NOT NULL, created INTEGER NOT "
    "NULL,"
    "  expires INTEGER, sum INTEGER NOT NULL, value BLOB NOT NULL);"
    "CREATE INDEX live_expires ON live(expires) WHERE expires IS NOT NULL;"
    "CREATE TABLE log(revision INTEGER PRIMARY KEY, key BLOB NOT NULL, deleted INTEGER NOT NULL, mod INTEGER NOT NULL,"
    "  created INTEGER NOT NULL, sum INTEGER NOT NULL, value BLOB NOT NULL);"
    "CREATE INDEX log_key ON log(key, revision);";

uint32_t BigEndian(const char* bytes, int count) {
  uint32_t value = 0;
  for (int i = 0; i < count; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

Status CheckSums(Database& database, const char* sql, const char* table) {
  Query rows = KNARR_TRY(database.Use(sql));
  while (KNARR_TRY(rows.Step())) {
    if (Checksum(rows.Bytes(0), rows.Int(1), rows.Int(2), rows.Bytes(4)) != rows.Int(3))
      return DamagedError(database.path(), fmt::format("wrong checksum of {} in {}", rows.Bytes(0), table));
  }
  return OkStatus();
}

}  // namespace

std::string DatabaseFile(const std::string& data_dir) {
  return JoinPath(data_dir, "state.db");
}

Result<Meta> ReadMeta(Database& database) {
  Query query = KNARR_TRY(database.Use("SELECT revision, compacted, live_bytes, log_bytes FROM meta"));
  if (!KNARR_TRY(query.Step())) return DamagedError(database.path(), "table meta is empty");
  return Meta{query.Int(0), query.Int(1), query.Int(2), query.Int(3)};
}

Status WriteMeta(Database& database, const Meta& meta) {
  Query query = KNARR_TRY(database.Use("UPDATE meta SET revision=?, compacted=?, live_bytes=?, log_bytes=?"));
  query.Bind(1, meta.revision).Bind(2, meta.compacted).Bind(3, meta.live_bytes).Bind(4, meta.log_bytes);
  return query.Run();
}

int64_t Checksum(std::string_view key, Revision mod, Revision created, std::string_view value) {
  const auto bytes = [](std::string_view s) { return reinterpret_cast<const Bytef*>(s.data()); };
  uLong sum = crc32_z(0, bytes(key), key.size());
  const int64_t numbers[] = {mod, created};
  sum = crc32_z(sum, reinterpret_cast<const Bytef*>(numbers), sizeof(numbers));
  if (!value.empty()) sum = crc32_z(sum, bytes(value), value.size());
  return static_cast<int64_t>(sum);
}

Result<DirectoryLock> DirectoryLock::Take(const std::string& data_dir) {
  KNARR_TRY(MakeDirs(data_dir, 0700));
  const std::string path = JoinPath(data_dir, "state.lock");
  UniqueFd fd = KNARR_TRY(OpenFile(path, O_RDWR | O_CREAT, 0600));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK)
      return Error(Code::kFailedPrecondition, "{} is in use by another process (it holds the lock on {})", data_dir,
                   path);
    return ErrnoError(errno, "flock {}", path);
  }
  const std::string mark = KNARR_TRY(ReadFd(fd.get(), 4096, path));
  DirectoryLock lock(std::move(fd), path);
  lock.used_ = !mark.empty();
  if (mark.starts_with(kMark)) std::from_chars(mark.data() + kMark.size(), mark.data() + mark.size(), lock.recorded_);
  return lock;
}

void DirectoryLock::Record(Revision newest) {
  // One write of a fixed length; a failure costs the notice, nothing else.
  const std::string text = fmt::format("{}{:<20}\n", kMark, newest);
  if (::pwrite(fd_.get(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size())) used_ = true;
}

Status DirectoryLock::MarkUsed(Revision newest) {
  const bool before = used_;
  Record(newest);
  if (!used_) return ErrnoError(errno, "write {}", path_);
  if (!before && ::fsync(fd_.get()) != 0) return ErrnoError(errno, "fsync {}", path_);
  return OkStatus();
}

Status CreateSchema(Database& database) {
  // auto_vacuum must be chosen before the first table.
  KNARR_TRY(
      database.Execute("PRAGMA page_size=4096; PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL;"
                       "PRAGMA synchronous=FULL"));
  Transaction transaction = KNARR_TRY(Transaction::BeginWrite(database));
  KNARR_TRY(database.Execute(kSchema));
  KNARR_TRY(database.Execute(fmt::format("PRAGMA application_id={}; PRAGMA user_version={};"
                                         "INSERT INTO meta VALUES(1, 1, 0, 0, 0)",
                                         kApplicationId, kFormat)
                                 .c_str()));
  return transaction.Commit();
}

Status CheckFormat(Database& database) {
  const int64_t application = KNARR_TRY(database.Number("PRAGMA application_id"));
  if (application != kApplicationId) return DamagedError(database.path(), "it is not a database of Knarr's");
  const int64_t format = KNARR_TRY(database.Number("PRAGMA user_version"));
  if (format > kFormat)
    return Error(Code::kFailedPrecondition, "{} has format {}, written by a newer knarr; this one knows {}",
                 database.path(), format, kFormat);
  return OkStatus();
}

Status CheckContent(Database& database) {
  {
    Query check = KNARR_TRY(database.Use("PRAGMA quick_check(1)"));
    if (!KNARR_TRY(check.Step())) return DamagedError(database.path(), "it cannot be checked");
    if (check.Bytes(0) != "ok") return DamagedError(database.path(), check.Bytes(0));
  }
  KNARR_TRY(CheckSums(database, "SELECT key, mod, created, sum, value FROM live", "live"));
  KNARR_TRY(CheckSums(database, "SELECT key, mod, created, sum, value FROM log", "log"));
  return OkStatus();
}

Status CheckHeader(const std::string& path) {
  const UniqueFd fd = KNARR_TRY(OpenFile(path, O_RDONLY));
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return ErrnoError(errno, "stat {}", path);
  char header[100] = {};
  const ssize_t got = ::pread(fd.get(), header, sizeof(header), 0);
  if (got < 0) return ErrnoError(errno, "read {}", path);
  if (got < static_cast<ssize_t>(sizeof(header))) return DamagedError(path, "its header is cut off");
  if (std::memcmp(header, "SQLite format 3", 16) != 0)
    return DamagedError(path, "it does not begin as a database does");
  struct stat wal {};
  const bool has_wal = ::stat((path + "-wal").c_str(), &wal) == 0 && wal.st_size > 0;
  const int64_t page = BigEndian(header + 16, 2) == 1 ? 65536 : BigEndian(header + 16, 2);
  const int64_t pages = BigEndian(header + 28, 4);
  // With a write-ahead log, the pages that are missing here may be in there.
  if (!has_wal && info.st_size < page * pages)
    return DamagedError(path, fmt::format("it has {} bytes and should have {}", info.st_size, page * pages));
  return OkStatus();
}

}  // namespace knarr::storage::sqlite
