// The embedded store: one SQLite file. For one machine; needs no other process.
//
// A table of live keys and a bounded log of changes (for watches that resume and for lists at an earlier revision).
// Writers queue to one thread that commits them together (group commit): WAL, synchronous=FULL, so an OK survives power
// loss at the price of one fsync for all that wait. Compaction runs in slices of a few milliseconds between commits and
// gives pages back (incremental vacuum): the file stays below about twice the live data plus the log's bound.
// The newest revision is kept in the file: it never goes back.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "pkg/apiserver/storage/store.h"
#include "pkg/base/clock.h"
#include "pkg/base/log.h"

namespace knarr::storage {

struct SqliteOptions {
  std::string data_dir;  // <data_dir>/state.db; made with mode 0700
  // The log keeps at least this much of the past (upstream's --etcd-compaction-interval) and at most that many bytes.
  std::chrono::seconds compaction_interval{300};
  int64_t max_log_bytes = 64 << 20;
  // Writes are refused (kTooManyRequests, "database space exceeded"), reads and deletes go on.
  int64_t max_bytes = int64_t{8} << 30;
  Clock* clock = nullptr;  // null: Clock::Real()
};

// kDataLoss when the file is damaged: the message names the file, what is wrong, and how to restore.
// kFailedPrecondition when another process has it open (it is locked by flock).
Result<std::unique_ptr<Store>> OpenSqlite(SqliteOptions options, Logger log = {});

// A consistent copy of a store that may be in use, written to a new file and fsynced (sqlite3_backup in slices).
Status BackupSqlite(const Context& ctx, const std::string& data_dir, const std::string& target_file);
// Puts a backup in place of the data. The store must not be open; what was there is kept as state.db.<time>.
// Revisions go on above both the backup's and the old file's newest, so that no watcher is fooled.
Status RestoreSqlite(const Context& ctx, const std::string& backup_file, const std::string& data_dir);
// Of a store that may be in use. `check`: read all of it, kDataLoss where it is damaged.
Result<StoreStatus> StatusOfSqlite(const Context& ctx, const std::string& data_dir, bool check);
// Every live key of `from`, written to an empty `to` (kFailedPrecondition if it has keys under /registry/).
// Returns how many.
Result<int64_t> Migrate(const Context& ctx, Store& from, Store& to);

}  // namespace knarr::storage
