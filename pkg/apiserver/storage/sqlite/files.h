// The files of a data directory and what their tables look like. Private to this folder.
//
// `live` holds the present state. `log` holds one row for each revision since the last compaction, with the value that
// the change replaced: every value is stored once, in `live` while it is current and in `log` afterwards. The state at
// an earlier revision is `live` with the rows after it undone; the new value of a change is what the next row of its
// key replaced, or what is live.
#pragma once

#include <memory>
#include <string>

#include "pkg/apiserver/storage/sqlite/database.h"
#include "pkg/apiserver/storage/store.h"
#include "pkg/base/unique_fd.h"

namespace knarr::storage::sqlite {

inline constexpr int64_t kApplicationId = 0x4b6e6172;  // "Knar", in the file's header
inline constexpr int64_t kFormat = 1;

std::string DatabaseFile(const std::string& data_dir);

// What is in `meta`, one row.
struct Meta {
  Revision revision = 0;
  Revision compacted = 0;
  int64_t live_bytes = 0;
  int64_t log_bytes = 0;
};
Result<Meta> ReadMeta(Database& database);
Status WriteMeta(Database& database, const Meta& meta);
// What a row of `log` adds to log_bytes.
inline int64_t LogRowBytes(size_t key, size_t value) {
  return static_cast<int64_t>(2 * key + value + 64);
}

// Guards a row against damage that SQLite does not see.
int64_t Checksum(std::string_view key, Revision mod, Revision created, std::string_view value);

// Exclusive as long as it lives. kFailedPrecondition if another process has it. Its file also holds the newest revision
// that was acknowledged, written after each commit (not synced: it may be older than the database, never newer), so
// that a write-ahead log that was lost or damaged, which SQLite takes for a short one, is noticed.
class DirectoryLock {
 public:
  static Result<DirectoryLock> Take(const std::string& data_dir);
  // Has the directory been in use before? Then a missing or empty database is a loss.
  bool used() const { return used_; }
  // When it was taken; 0: none.
  Revision recorded() const { return recorded_; }
  void Record(Revision newest);
  Status MarkUsed(Revision newest);

 private:
  DirectoryLock(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  UniqueFd fd_;
  std::string path_;
  bool used_ = false;
  Revision recorded_ = 0;
};

// A new database's tables.
Status CreateSchema(Database& database);
// Is it one of ours, in a format that this program knows?
Status CheckFormat(Database& database);
// Reads everything: SQLite's structures and every row's checksum.
Status CheckContent(Database& database);
// Before SQLite sees the file: is it one, and as long as it says?
Status CheckHeader(const std::string& path);

}  // namespace knarr::storage::sqlite
