// Questions to a database: each is one read transaction, so what it sees is of one revision. Private to this folder.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "pkg/apiserver/storage/sqlite/database.h"
#include "pkg/apiserver/storage/store.h"
#include "pkg/apiserver/storage/watch_hub.h"
#include "pkg/base/context.h"

namespace knarr::storage::sqlite {

Result<std::optional<KeyValue>> ReadGet(Database& database, std::string_view key, Revision revision);
Result<ListResult> ReadList(Database& database, std::string_view prefix, const ListOptions& options);
Result<int64_t> ReadCount(Database& database, std::string_view prefix);
// A slice of at most a few thousand changes or about 2 MiB.
Result<WatchHub::History> ReadHistory(Database& database, const std::string& prefix, Revision after, Revision upto);

// Columns key, mod, created, sum, value, in this order; kDataLoss if they do not fit the checksum.
Result<KeyValue> RowValue(const Query& row, const Database& database, int first_column = 0);

// A few connections for readers, opened when needed. Thread-safe.
class Readers {
 public:
  explicit Readers(std::string path) : path_(std::move(path)) {}

  class Lease {
   public:
    Lease(Lease&& other) noexcept = default;
    ~Lease() {
      if (database_) owner_->Return(std::move(database_));
    }
    Database& operator*() { return *database_; }

   private:
    friend class Readers;
    Lease(Readers& owner, std::unique_ptr<Database> database) : owner_(&owner), database_(std::move(database)) {}
    Readers* owner_;
    std::unique_ptr<Database> database_;
  };
  // Waits for a free one.
  Result<Lease> Take(const Context& ctx);

 private:
  void Return(std::unique_ptr<Database> database);

  const std::string path_;
  std::mutex mutex_;
  std::condition_variable_any free_;
  std::vector<std::unique_ptr<Database>> idle_;
  int open_ = 0;
};

}  // namespace knarr::storage::sqlite
