#include "pkg/apiserver/storage/sqlite/database.h"

#include <utility>

#include "pkg/base/file.h"

namespace knarr::storage::sqlite {

Status DamagedError(std::string_view path, std::string_view what) {
  return Error(Code::kDataLoss,
               "{} is damaged: {}; put a backup in its place: knarr datastore restore --data-dir={} BACKUP-FILE", path,
               what, DirName(path));
}

Query::~Query() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

Query& Query::Bind(int index, int64_t value) {
  sqlite3_bind_int64(statement_, index, value);
  return *this;
}
Query& Query::Bind(int index, std::string_view bytes) {
  // A null pointer would bind NULL.
  sqlite3_bind_blob64(statement_, index, bytes.empty() ? "" : bytes.data(), bytes.size(), SQLITE_STATIC);
  return *this;
}
Query& Query::BindNull(int index) {
  sqlite3_bind_null(statement_, index);
  return *this;
}

Result<bool> Query::Step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return database_.ErrorOf(code);
}

Status Query::Run() {
  while (KNARR_TRY(Step())) {
  }
  return OkStatus();
}

std::string_view Query::Bytes(int column) const {
  const void* data = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  if (data == nullptr || size <= 0) return {};
  return {static_cast<const char*>(data), static_cast<size_t>(size)};
}

Result<std::unique_ptr<Database>> Database::Open(const std::string& path, int flags, int cache_kib) {
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  std::unique_ptr<Database> database(new Database(handle, path));
  if (code != SQLITE_OK) return database->ErrorOf(code);
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, 5000);
  KNARR_TRY(database->Execute(fmt::format("PRAGMA cache_size=-{}; PRAGMA mmap_size=0", cache_kib).c_str()));
  return database;
}

Database::~Database() {
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close(handle_);
}

Status Database::Execute(const char* sql) {
  const int code = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? OkStatus() : ErrorOf(code);
}

Result<Query> Database::Use(const char* sql) {
  sqlite3_stmt*& statement = statements_[sql];
  if (statement == nullptr) {
    const int code = sqlite3_prepare_v3(handle_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    if (code != SQLITE_OK) return ErrorOf(code);
  }
  return Query(statement, *this);
}

Result<int64_t> Database::Number(const char* sql) {
  Query query = KNARR_TRY(Use(sql));
  if (!KNARR_TRY(query.Step())) return Error(Code::kInternal, "{}: \"{}\" has no result", path_, sql);
  return query.Int(0);
}

Status Database::ErrorOf(int code) const {
  const char* text = handle_ != nullptr ? sqlite3_errmsg(handle_) : sqlite3_errstr(code);
  const int error = handle_ != nullptr ? sqlite3_system_errno(handle_) : 0;
  switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return DamagedError(path_, text);
    case SQLITE_FULL:
      return Status(Code::kTooManyRequests, fmt::format("{}: database space exceeded: {}", path_, text), error);
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return Error(Code::kServiceUnavailable, "{}: {}", path_, text);
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
      if (error != 0) return ErrnoError(error, "{}: {}", path_, text);
      return Error(Code::kInternal, "{}: {}", path_, text);
    default: return Error(Code::kInternal, "{}: {}", path_, text);
  }
}

Result<Transaction> Transaction::BeginRead(Database& database) {
  KNARR_TRY(KNARR_TRY(database.Use("BEGIN")).Run());
  return Transaction(database);
}
Result<Transaction> Transaction::BeginWrite(Database& database) {
  KNARR_TRY(KNARR_TRY(database.Use("BEGIN IMMEDIATE")).Run());
  return Transaction(database);
}

Transaction::~Transaction() {
  // Some errors have ended the transaction already. One that cannot be undone shows at the next BEGIN.
  if (database_ != nullptr && sqlite3_get_autocommit(database_->handle()) == 0)
    sqlite3_exec(database_->handle(), "ROLLBACK", nullptr, nullptr, nullptr);
}

Status Transaction::Commit() {
  KNARR_TRY(KNARR_TRY(database_->Use("COMMIT")).Run());
  database_ = nullptr;
  return OkStatus();
}

}  // namespace knarr::storage::sqlite
