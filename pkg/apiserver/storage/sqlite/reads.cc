#include "pkg/apiserver/storage/sqlite/reads.h"

#include <algorithm>
#include <utility>

#include "pkg/apiserver/storage/keys.h"
#include "pkg/apiserver/storage/sqlite/files.h"

namespace knarr::storage::sqlite {
namespace {

constexpr int kMaxReaders = 4;
constexpr int kReaderCacheKib = 512;
constexpr int64_t kHistoryRows = 4000;
constexpr size_t kHistoryBytes = 2 << 20;

Status CheckReadable(const Meta& meta, Revision revision) {
  if (revision < meta.compacted) return CompactedError();
  if (revision > meta.revision) return FutureRevisionError();
  return OkStatus();
}

// Every key is less than this.
const std::string kLastKey(64, '\xff');
std::string EndOf(std::string_view prefix) {
  std::string end = PrefixEnd(prefix);
  return end.empty() ? kLastKey : end;
}

Result<std::optional<KeyValue>> LiveValue(Database& database, std::string_view key) {
  Query query = KNARR_TRY(database.Use("SELECT key, mod, created, sum, value FROM live WHERE key=?"));
  query.Bind(1, key);
  if (!KNARR_TRY(query.Step())) return std::nullopt;
  return KNARR_TRY(RowValue(query, database));
}

// What the key had right after `revision`, without the checks.
Result<std::optional<KeyValue>> ValueAt(Database& database, std::string_view key, Revision revision) {
  {
    Query query = KNARR_TRY(database.Use(
        "SELECT key, mod, created, sum, value FROM log WHERE key=? AND revision>? ORDER BY revision LIMIT 1"));
    query.Bind(1, key).Bind(2, revision);
    if (KNARR_TRY(query.Step())) {
      if (query.Int(1) == 0) return std::nullopt;
      return KNARR_TRY(RowValue(query, database));
    }
  }
  return LiveValue(database, key);
}

// Collects until the limit, then counts.
class Page {
 public:
  explicit Page(int64_t limit) : limit_(limit) {}
  bool Full() const { return limit_ > 0 && static_cast<int64_t>(result.items.size()) >= limit_; }
  void Skip(int64_t count = 1) {
    result.remaining += count;
    result.more = result.remaining > 0;
  }
  ListResult result;

 private:
  const int64_t limit_;
};

Status ListNewest(Database& database, const std::string& start, const std::string& end, Page& page) {
  Query query =
      KNARR_TRY(database.Use("SELECT key, mod, created, sum, value FROM live WHERE key>=? AND key<? ORDER BY key"));
  query.Bind(1, start).Bind(2, end);
  while (KNARR_TRY(query.Step())) {
    if (page.Full()) {
      Query count = KNARR_TRY(database.Use("SELECT count(*) FROM live WHERE key>=? AND key<?"));
      const std::string next(query.Bytes(0));
      count.Bind(1, next).Bind(2, end);
      KNARR_TRY(count.Step());
      page.Skip(count.Int(0));
      break;
    }
    page.result.items.push_back(KNARR_TRY(RowValue(query, database)));
  }
  return OkStatus();
}

// The live keys, and those that changed since, merged in key order.
Status ListAt(Database& database, const std::string& start, const std::string& end, Revision revision, Page& page) {
  Query live =
      KNARR_TRY(database.Use("SELECT key, mod, created, sum, value FROM live WHERE key>=? AND key<? ORDER BY key"));
  live.Bind(1, start).Bind(2, end);
  Query changed = KNARR_TRY(database.Use(
      "SELECT key, min(revision) FROM log WHERE key>=? AND key<? AND revision>? GROUP BY key ORDER BY key"));
  changed.Bind(1, start).Bind(2, end).Bind(3, revision);
  bool has_live = KNARR_TRY(live.Step());
  bool has_changed = KNARR_TRY(changed.Step());
  while (has_live || has_changed) {
    const int order = !has_changed ? -1 : !has_live ? 1 : live.Bytes(0).compare(changed.Bytes(0));
    if (order < 0) {
      if (page.Full())
        page.Skip();
      else
        page.result.items.push_back(KNARR_TRY(RowValue(live, database)));
    } else {
      Query before = KNARR_TRY(database.Use("SELECT key, mod, created, sum, value FROM log WHERE revision=?"));
      before.Bind(1, changed.Int(1));
      if (!KNARR_TRY(before.Step())) return DamagedError(database.path(), "the index of the log does not fit it");
      if (before.Int(1) != 0) {
        if (page.Full())
          page.Skip();
        else
          page.result.items.push_back(KNARR_TRY(RowValue(before, database)));
      }
      has_changed = KNARR_TRY(changed.Step());
    }
    if (order <= 0) has_live = KNARR_TRY(live.Step());
  }
  return OkStatus();
}

size_t SizeOf(const Event& event) {
  return sizeof(Event) + 2 * event.kv.key.size() + event.kv.value.size() + event.previous.value.size();
}

}  // namespace

Result<KeyValue> RowValue(const Query& row, const Database& database, int first) {
  KeyValue kv{.key = std::string(row.Bytes(first)),
              .value = std::string(row.Bytes(first + 4)),
              .mod_revision = row.Int(first + 1),
              .create_revision = row.Int(first + 2)};
  if (Checksum(kv.key, kv.mod_revision, kv.create_revision, kv.value) != row.Int(first + 3))
    return DamagedError(database.path(), fmt::format("wrong checksum of {}", kv.key));
  return kv;
}

Result<std::optional<KeyValue>> ReadGet(Database& database, std::string_view key, Revision revision) {
  if (revision == 0) return LiveValue(database, key);
  const Transaction transaction = KNARR_TRY(Transaction::BeginRead(database));
  KNARR_TRY(CheckReadable(KNARR_TRY(ReadMeta(database)), revision));
  return ValueAt(database, key, revision);
}

Result<ListResult> ReadList(Database& database, std::string_view prefix, const ListOptions& options) {
  const std::string start = std::max(std::string(prefix), options.start_key);
  const std::string end = EndOf(prefix);
  const Transaction transaction = KNARR_TRY(Transaction::BeginRead(database));
  const Meta meta = KNARR_TRY(ReadMeta(database));
  Page page(options.limit);
  page.result.revision = meta.revision;
  if (options.revision != 0) {
    KNARR_TRY(CheckReadable(meta, options.revision));
    page.result.revision = options.revision;
  }
  if (page.result.revision == meta.revision)
    KNARR_TRY(ListNewest(database, start, end, page));
  else
    KNARR_TRY(ListAt(database, start, end, options.revision, page));
  return std::move(page.result);
}

Result<int64_t> ReadCount(Database& database, std::string_view prefix) {
  Query query = KNARR_TRY(database.Use("SELECT count(*) FROM live WHERE key>=? AND key<?"));
  const std::string end = EndOf(prefix);
  query.Bind(1, prefix).Bind(2, end);
  KNARR_TRY(query.Step());
  return query.Int(0);
}

Result<WatchHub::History> ReadHistory(Database& database, const std::string& prefix, Revision after, Revision upto) {
  const Transaction transaction = KNARR_TRY(Transaction::BeginRead(database));
  if (after < KNARR_TRY(ReadMeta(database)).compacted) return CompactedError();
  Query rows = KNARR_TRY(
      database.Use("SELECT key, mod, created, sum, value, revision, deleted FROM log WHERE revision>? AND revision<=? "
                   "ORDER BY revision"));
  rows.Bind(1, after).Bind(2, upto);
  WatchHub::History history;
  size_t bytes = 0;
  int64_t seen = 0;
  while (KNARR_TRY(rows.Step())) {
    const Revision revision = rows.Int(5);
    if (rows.Bytes(0).starts_with(prefix)) {
      Event event;
      if (rows.Int(1) != 0) event.previous = KNARR_TRY(RowValue(rows, database));
      if (rows.Int(6) != 0) {
        event.type = EventType::kDelete;
        event.kv.key = rows.Bytes(0);
      } else {
        auto value = KNARR_TRY(ValueAt(database, rows.Bytes(0), revision));
        if (!value || value->mod_revision != revision)
          return DamagedError(database.path(), fmt::format("the change of revision {} is not there", revision));
        event.kv = std::move(*value);
      }
      event.kv.mod_revision = revision;
      bytes += SizeOf(event);
      history.events.push_back(std::move(event));
    }
    if (++seen >= kHistoryRows || bytes >= kHistoryBytes) {
      history.upto = revision;
      return history;
    }
  }
  history.upto = upto;
  return history;
}

Result<Readers::Lease> Readers::Take(const Context& ctx) {
  if (ctx.Done()) return ctx.Err();
  {
    std::unique_lock lock(mutex_);
    const auto ready = [&] { return !idle_.empty() || open_ < kMaxReaders; };
    const auto until = ctx.deadline().value_or(std::chrono::steady_clock::now() + std::chrono::hours(1));
    if (!free_.wait_until(lock, ctx.stop_token(), until, ready)) {
      if (ctx.Done()) return ctx.Err();
      return Error(Code::kServiceUnavailable, "{}: all readers are busy", path_);
    }
    if (!idle_.empty()) {
      Lease lease(*this, std::move(idle_.back()));
      idle_.pop_back();
      return lease;
    }
    ++open_;
  }
  auto database = Database::Open(path_, SQLITE_OPEN_READWRITE, kReaderCacheKib);
  if (database.ok()) {
    const Status status = (*database)->Execute("PRAGMA query_only=1");
    if (status.ok()) return Lease(*this, std::move(*database));
    database = status;
  }
  Return(nullptr);
  return database.status();
}

void Readers::Return(std::unique_ptr<Database> database) {
  {
    const std::lock_guard lock(mutex_);
    if (database)
      idle_.push_back(std::move(database));
    else
      --open_;
  }
  free_.notify_one();
}

}  // namespace knarr::storage::sqlite
