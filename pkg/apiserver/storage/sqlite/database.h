// SQLite behind owners and Status: a connection with its prepared statements. Private to this folder.
// A Database is used by one thread at a time.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "pkg/base/status.h"

namespace knarr::storage::sqlite {

class Database;

// A prepared statement in use; it is reset when the object goes. Parameters count from 1, columns from 0.
class Query {
 public:
  Query(Query&& other) noexcept : statement_(std::exchange(other.statement_, nullptr)), database_(other.database_) {}
  Query& operator=(Query&&) = delete;
  ~Query();

  // What is bound must live until the query is done.
  Query& Bind(int index, int64_t value);
  Query& Bind(int index, std::string_view bytes);
  Query& BindNull(int index);

  // True: there is a row.
  Result<bool> Step();
  // For statements without rows, or whose rows do not matter.
  Status Run();

  int64_t Int(int column) const { return sqlite3_column_int64(statement_, column); }
  bool IsNull(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
  // Valid until the next Step.
  std::string_view Bytes(int column) const;

 private:
  friend class Database;
  Query(sqlite3_stmt* statement, Database& database) : statement_(statement), database_(database) {}
  sqlite3_stmt* statement_;
  Database& database_;
};

class Database {
 public:
  // flags: SQLITE_OPEN_READWRITE and so on. cache_kib: of pages.
  static Result<std::unique_ptr<Database>> Open(const std::string& path, int flags, int cache_kib);
  ~Database();
  Database(const Database&) = delete;

  // One or more statements without parameters; rows are dropped.
  Status Execute(const char* sql);
  // `sql` must be a literal: it is the key of the cache.
  Result<Query> Use(const char* sql);
  // The one number of a query or pragma.
  Result<int64_t> Number(const char* sql);

  sqlite3* handle() const { return handle_; }
  const std::string& path() const { return path_; }
  // The Status for a result code. Damage is kDataLoss and names the file and the way out.
  Status ErrorOf(int code) const;

 private:
  Database(sqlite3* handle, std::string path) : handle_(handle), path_(std::move(path)) {}
  sqlite3* handle_;
  const std::string path_;
  std::map<const char*, sqlite3_stmt*> statements_;
};

// Ends with ROLLBACK unless committed.
class Transaction {
 public:
  static Result<Transaction> BeginRead(Database& database);
  static Result<Transaction> BeginWrite(Database& database);
  Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  ~Transaction();
  Status Commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;
};

// "<path> is damaged: <what>", and how to restore.
Status DamagedError(std::string_view path, std::string_view what);

}  // namespace knarr::storage::sqlite
