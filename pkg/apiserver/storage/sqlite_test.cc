#include "pkg/apiserver/storage/sqlite.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <thread>

#include "pkg/apiserver/storage/contract_test.h"
#include "pkg/apiserver/storage/memory.h"
#include "pkg/base/file.h"

namespace knarr::storage {
namespace {

using namespace std::chrono_literals;

const Context kCtx = Context::Background();

struct TempDir {
  TempDir() {
    std::string pattern = "/tmp/knarr-sqlite-XXXXXX";
    BOOST_REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path = pattern;
  }
  ~TempDir() { BOOST_CHECK(RemoveAll(path).ok()); }
  std::string path;
};

template <typename T>
T Must(Result<T> result) {
  BOOST_REQUIRE_MESSAGE(result.ok(), result.status().message());
  return std::move(*result);
}
void Must(const Status& status) {
  BOOST_REQUIRE_MESSAGE(status.ok(), status.message());
}

std::unique_ptr<Store> Open(const std::string& dir, Clock* clock = nullptr) {
  return Must(OpenSqlite({.data_dir = dir, .clock = clock}));
}
Revision Create(Store& store, std::string_view key, std::string_view value = "v", int64_t ttl = 0) {
  const WriteResult result = Must(store.Create(kCtx, key, value, ttl));
  BOOST_REQUIRE(result.succeeded);
  return result.revision;
}
Revision Update(Store& store, std::string_view key, std::string_view value, Revision expected) {
  const WriteResult result = Must(store.Update(kCtx, key, value, expected, 0));
  BOOST_REQUIRE(result.succeeded);
  return result.revision;
}

void CheckDamaged(const std::string& dir, std::string_view what = {}) {
  const auto opened = OpenSqlite({.data_dir = dir});
  BOOST_REQUIRE(!opened.ok());
  const std::string text(opened.status().message());
  BOOST_CHECK_MESSAGE(opened.status().Is(Code::kDataLoss), text);
  BOOST_TEST_INFO(text);
  BOOST_TEST(text.find(dir + "/state.db") != std::string::npos);
  BOOST_TEST(text.find("knarr datastore restore --data-dir=" + dir) != std::string::npos);
  BOOST_TEST(text.find(what) != std::string::npos);
}
void Overwrite(const std::string& file, off_t at, std::string_view bytes) {
  const UniqueFd fd = Must(OpenFile(file, O_RDWR));
  BOOST_REQUIRE(::pwrite(fd.get(), bytes.data(), bytes.size(), at) == static_cast<ssize_t>(bytes.size()));
}
int64_t SizeOf(const std::string& file) {
  struct stat info {};
  return ::stat(file.c_str(), &info) == 0 ? info.st_size : 0;
}
// A closed store with a few hundred keys of a kilobyte.
void Fill(const std::string& dir) {
  const auto store = Open(dir);
  for (int i = 0; i < 300; ++i) {
    std::string value = fmt::format("value-{}-", i);
    value.resize(1000, 'x');
    Create(*store, fmt::format("/registry/pods/default/{}", i), value);
  }
}

struct Subject {
  TempDir dir;
  FakeClock clock;
  std::unique_ptr<Store> store = Open(dir.path, &clock);
};
ContractSubject MakeSubject() {
  auto subject = std::make_shared<Subject>();
  return {.store = std::shared_ptr<Store>(subject, subject->store.get()),
          .advance = [clock = &subject->clock](std::chrono::seconds by) { clock->Advance(by); }};
}

BOOST_AUTO_TEST_SUITE(sqlite_store)
KNARR_STORE_CONTRACT(MakeSubject);

BOOST_AUTO_TEST_CASE(what_was_written_is_there_after_a_restart) {
  const TempDir dir;
  Revision a1 = 0, a2 = 0, gone = 0;
  {
    const auto store = Open(dir.path);
    a1 = Create(*store, "/a", "1");
    a2 = Update(*store, "/a", "2", a1);
    const Revision b = Create(*store, "/b");
    gone = Must(store->Delete(kCtx, "/b", b)).revision;
  }
  const auto store = Open(dir.path);
  BOOST_TEST(Must(store->CurrentRevision(kCtx)) == gone);
  BOOST_TEST(Must(store->Get(kCtx, "/a"))->value == "2");
  BOOST_TEST(Must(store->Get(kCtx, "/a", a1))->value == "1");
  RecordingSink sink;
  auto watch = Must(store->Watch(kCtx, "/", a1, sink));
  BOOST_REQUIRE(sink.WaitForEvents(3));
  BOOST_TEST(Create(*store, "/c") == gone + 1);
  BOOST_REQUIRE(sink.WaitForEvents(4));
  BOOST_TEST(sink.events()[0].kv.mod_revision == a2);
  BOOST_TEST(sink.events()[0].previous.value == "1");
  BOOST_TEST((sink.events()[2].type == EventType::kDelete));
  watch.reset();
  BOOST_TEST(sink.problems().empty());
  struct stat info {};
  BOOST_REQUIRE(::stat(dir.path.c_str(), &info) == 0);
  BOOST_REQUIRE(::stat((dir.path + "/state.db").c_str(), &info) == 0);
  BOOST_TEST((info.st_mode & 077) == 0U);
}

BOOST_AUTO_TEST_CASE(one_process_at_a_time) {
  const TempDir dir;
  auto store = Open(dir.path);
  const auto second = OpenSqlite({.data_dir = dir.path});
  BOOST_REQUIRE(!second.ok());
  BOOST_TEST(second.status().Is(Code::kFailedPrecondition));
  BOOST_TEST(second.status().message().find("in use") != std::string::npos);
  store.reset();
  Open(dir.path);
}

BOOST_AUTO_TEST_CASE(keys_expire_over_a_restart) {
  const TempDir dir;
  FakeClock clock;
  {
    const auto store = Open(dir.path, &clock);
    Create(*store, "/short", "v", 10);
    Create(*store, "/long", "v", 1000);
  }
  clock.Advance(100s);
  const auto store = Open(dir.path, &clock);
  RecordingSink sink;
  const auto watch = Must(store->Watch(kCtx, "/", 1, sink));
  BOOST_REQUIRE(sink.WaitForEvents(2));
  while (clock.Pending() < 2) std::this_thread::yield();  // expiry and compaction
  clock.Advance(2s);
  BOOST_REQUIRE(sink.WaitForEvents(3));
  BOOST_TEST(sink.events()[2].kv.key == "/short");
  BOOST_TEST(Must(store->Count(kCtx, "/")) == 1);
}

BOOST_AUTO_TEST_CASE(many_keys_expire_at_once) {
  const TempDir dir;
  FakeClock clock;
  const auto store = Open(dir.path, &clock);
  for (int i = 0; i < 500; ++i) Create(*store, fmt::format("/{}", i), "v", 10);
  while (clock.Pending() < 2) std::this_thread::yield();
  clock.Advance(12s);
  RecordingSink sink;
  const auto watch = Must(store->Watch(kCtx, "/", 1, sink));
  BOOST_REQUIRE(sink.WaitForEvents(1000));
  BOOST_TEST(Must(store->Count(kCtx, "/")) == 0);
}

BOOST_AUTO_TEST_CASE(an_idle_store_has_no_timer) {
  const TempDir dir;
  FakeClock clock;
  const auto store = Open(dir.path, &clock);
  BOOST_TEST(clock.Pending() == 0U);
  const Revision first = Create(*store, "/a", "1");
  const Revision second = Update(*store, "/a", "2", first);
  while (clock.Pending() < 1) std::this_thread::yield();
  clock.Advance(301s);
  // Compacted to what was newest when the timer was set; then there may be one more round for what came later.
  for (int i = 0; i < 2000 && (clock.Pending() > 0 || Must(store->GetStatus(kCtx)).compacted < second); ++i) {
    std::this_thread::sleep_for(1ms);
    clock.Advance(301s);
  }
  BOOST_TEST(clock.Pending() == 0U);
  BOOST_TEST(Must(store->GetStatus(kCtx)).compacted == second);
  BOOST_TEST(store->Get(kCtx, "/a", first).status().Is(Code::kExpired));
  BOOST_TEST(Must(store->Get(kCtx, "/a", second))->value == "2");
}

BOOST_AUTO_TEST_CASE(the_file_stays_small) {
  const TempDir dir;
  constexpr int kKeys = 100, kThreads = 50, kUpdates = 20'000;
  constexpr int64_t kLog = 1 << 20;
  auto store = Must(OpenSqlite({.data_dir = dir.path, .max_log_bytes = kLog}));
  const std::string value(2000, 'x');
  std::vector<Revision> at(kKeys);
  for (int i = 0; i < kKeys; ++i) at[static_cast<size_t>(i)] = Create(*store, fmt::format("/{}", i), value);
  std::atomic<int> failures{0};
  int64_t largest = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < kUpdates / kThreads; ++i) {
          const auto key = static_cast<size_t>(t + kThreads * (i % 2));
          const auto result = store->Update(kCtx, fmt::format("/{}", key), value, at[key], 0);
          if (!result.ok() || !result->succeeded) ++failures;
          if (result.ok()) at[key] = result->revision;
        }
      });
    }
    while (Must(store->CurrentRevision(kCtx)) < kUpdates) {
      largest = std::max(largest, SizeOf(dir.path + "/state.db"));
      std::this_thread::sleep_for(5ms);
    }
  }
  BOOST_TEST(failures == 0);
  largest = std::max(largest, SizeOf(dir.path + "/state.db"));
  const StoreStatus status = Must(store->GetStatus(kCtx));
  BOOST_TEST(status.compacted > 1);
  BOOST_TEST(status.bytes_in_use >= kKeys * 2000);
  // Values lie in pages with some air.
  const int64_t bound = 2 * status.bytes_in_use + kLog * 3 / 2 + (1 << 20);
  BOOST_TEST_MESSAGE("largest " << largest << ", live " << status.bytes_in_use << ", bound " << bound);
  BOOST_TEST(largest <= bound);
  BOOST_TEST(SizeOf(dir.path + "/state.db-wal") <= 16 << 20);
  // What is over when the live data goes is given back.
  for (int i = 0; i < kKeys; ++i) Must(store->Delete(kCtx, fmt::format("/{}", i), at[static_cast<size_t>(i)]));
  Must(store->Compact(kCtx, Must(store->CurrentRevision(kCtx))));
  store.reset();
  Open(dir.path);
}

BOOST_AUTO_TEST_CASE(a_log_beyond_its_bound_expires_old_watches) {
  const TempDir dir;
  const auto store = Must(OpenSqlite({.data_dir = dir.path, .max_log_bytes = 100'000}));
  Revision at = Create(*store, "/a", std::string(1000, 'x'));
  const Revision first = at;
  for (int i = 0; i < 300; ++i) at = Update(*store, "/a", std::string(1000, 'x'), at);
  RecordingSink old, recent;
  const auto old_watch = Must(store->Watch(kCtx, "/", first, old));
  BOOST_REQUIRE(old.WaitForEnd());
  BOOST_TEST(old.end().Is(Code::kExpired));
  const auto recent_watch = Must(store->Watch(kCtx, "/", at - 20, recent));
  BOOST_REQUIRE(recent.WaitForEvents(20));
  BOOST_TEST(recent.problems().empty());
}

BOOST_AUTO_TEST_CASE(a_full_database_takes_no_more_but_lets_go) {
  const TempDir dir;
  const auto store = Must(OpenSqlite({.data_dir = dir.path, .max_log_bytes = 100'000, .max_bytes = 1 << 20}));
  const std::string value(10'000, 'x');
  Revision last = 0;
  Status refused;
  for (int i = 0; i < 200 && refused.ok(); ++i) {
    const auto result = store->Create(kCtx, fmt::format("/{:03}", i), value, 0);
    if (result.ok())
      last = result->revision;
    else
      refused = result.status();
  }
  BOOST_TEST(refused.Is(Code::kTooManyRequests));
  BOOST_TEST(refused.message().find("database space exceeded") != std::string::npos);
  BOOST_TEST(last > 50);
  BOOST_TEST(store->Healthy(kCtx).ok());
  const ListResult all = Must(store->List(kCtx, "/", {}));
  for (const KeyValue& kv : all.items) BOOST_TEST(Must(store->Delete(kCtx, kv.key, kv.mod_revision)).succeeded);
  Must(store->Compact(kCtx, Must(store->CurrentRevision(kCtx))));
  bool again = false;
  for (int i = 0; i < 2000 && !again; ++i) again = store->Create(kCtx, "/again", value, 0).ok();
  BOOST_TEST(again);
}

BOOST_AUTO_TEST_CASE(a_damaged_file_is_refused) {
  const TempDir dir;
  const std::string file = dir.path + "/state.db";
  Fill(dir.path);
  const std::string good = Must(ReadFile(file));
  const auto reset = [&] {
    for (const char* suffix : {"", "-wal", "-shm"}) ::unlink((file + suffix).c_str());
    std::ofstream(file, std::ios::binary) << good;
  };
  Overwrite(file, 0, "XXXX");
  CheckDamaged(dir.path, "begin");
  reset();
  Overwrite(file, 68, std::string(4, '\0'));  // the application id
  CheckDamaged(dir.path, "not a database of Knarr's");
  reset();
  // A page in the middle: of a tree or of a value, both are noticed.
  for (const size_t page : {size_t{1}, size_t{3}, size_t{20}, good.size() / 4096 / 2, good.size() / 4096 - 1}) {
    reset();
    Overwrite(file, static_cast<off_t>(page * 4096), std::string(64, '\xa5'));
    Overwrite(file, static_cast<off_t>(page * 4096 + 2000), std::string(64, '\xa5'));
    BOOST_TEST_INFO("page " << page);
    CheckDamaged(dir.path);
  }
  // One byte of a value, which SQLite itself cannot see.
  reset();
  const size_t at = good.find("value-150-");
  BOOST_REQUIRE(at != std::string::npos);
  Overwrite(file, static_cast<off_t>(at + 500), "y");
  CheckDamaged(dir.path, "/registry/pods/default/150");
  reset();
  BOOST_REQUIRE(::truncate(file.c_str(), static_cast<off_t>(good.size() / 2)) == 0);
  CheckDamaged(dir.path, "should have");
  reset();
  BOOST_REQUIRE(::truncate(file.c_str(), 50) == 0);
  CheckDamaged(dir.path, "cut off");
  BOOST_REQUIRE(::truncate(file.c_str(), 0) == 0);
  CheckDamaged(dir.path, "missing or empty");
  ::unlink(file.c_str());
  CheckDamaged(dir.path, "missing or empty");
  BOOST_TEST(!PathExists(file));
  // No damage: empty files beside it.
  reset();
  std::ofstream(file + "-wal", std::ios::binary).flush();
  BOOST_TEST(Must(Open(dir.path)->Count(kCtx, "/")) == 300);
  reset();
  std::ofstream(file + "-wal", std::ios::binary) << std::string(10'000, 'z');
  BOOST_TEST(Must(Open(dir.path)->Count(kCtx, "/")) == 300);
}

BOOST_AUTO_TEST_CASE(a_lost_log_is_noticed) {
  const TempDir dir;
  const std::string data = dir.path + "/data", copy = dir.path + "/copy", backup = dir.path + "/backup";
  const auto store = Open(data);
  Revision last = 0;
  for (int i = 0; i < 20; ++i) last = Create(*store, fmt::format("/{}", i), std::string(3000, 'x'));
  // As a crash leaves it: nothing is in the database itself yet.
  const auto crash = [&] {
    Must(RemoveAll(copy));
    Must(MakeDirs(copy, 0700));
    for (const char* name : {"/state.db", "/state.db-wal", "/state.lock"})
      std::ofstream(copy + name, std::ios::binary) << Must(ReadFile(data + name));
  };
  crash();
  BOOST_TEST(Must(Open(copy)->CurrentRevision(kCtx)) == last);
  crash();
  Overwrite(copy + "/state.db-wal", SizeOf(copy + "/state.db-wal") / 2, "damage");
  CheckDamaged(copy, "has lost writes");
  // Whoever goes on all the same does not give revisions twice.
  Must(BackupSqlite(kCtx, copy, backup));
  Must(RestoreSqlite(kCtx, backup, copy));
  const auto again = Open(copy);
  BOOST_TEST(Must(again->CurrentRevision(kCtx)) > last);
  BOOST_TEST(Must(again->Count(kCtx, "/")) < 20);
  // A log that was torn at its end, in what nobody was told of, is no damage.
  crash();
  std::ofstream(copy + "/state.db-wal", std::ios::binary | std::ios::app) << std::string(5000, 'z');
  BOOST_TEST(Must(Open(copy)->CurrentRevision(kCtx)) == last);
}

BOOST_AUTO_TEST_CASE(a_backup_of_a_busy_store_is_whole) {
  const TempDir dir;
  const std::string backup = dir.path + "/backup";
  const auto store = Open(dir.path + "/data");
  std::atomic<bool> stop{false};
  std::atomic<int> written{0};
  std::jthread writer([&] {
    // Two keys that change together are at most one apart.
    for (int i = 0; !stop; ++i) {
      Create(*store, fmt::format("/registry/a/{}", i), std::string(500, 'x'));
      Create(*store, fmt::format("/registry/b/{}", i), std::string(500, 'x'));
      ++written;
    }
  });
  while (written < 50) std::this_thread::yield();
  Must(BackupSqlite(kCtx, dir.path + "/data", backup));
  BOOST_TEST(BackupSqlite(kCtx, dir.path + "/data", backup).Is(Code::kAlreadyExists));
  stop = true;
  writer.join();
  BOOST_TEST(SizeOf(backup + "-wal") == 0);
  Must(RestoreSqlite(kCtx, backup, dir.path + "/copy"));
  const auto copy = Open(dir.path + "/copy");
  const int64_t a = Must(copy->Count(kCtx, "/registry/a/")), b = Must(copy->Count(kCtx, "/registry/b/"));
  BOOST_TEST(b >= 50);
  BOOST_TEST(a - b <= 1);
  BOOST_TEST(a - b >= 0);
}

BOOST_AUTO_TEST_CASE(a_restored_store_fools_no_watcher) {
  const TempDir dir;
  const std::string data = dir.path + "/data", backup = dir.path + "/backup";
  auto store = Open(data);
  const Revision a = Create(*store, "/a", "saved");
  Must(BackupSqlite(kCtx, data, backup));
  const Revision newer = Update(*store, "/a", "lost", a);
  BOOST_TEST(RestoreSqlite(kCtx, backup, data).Is(Code::kFailedPrecondition));  // in use
  store.reset();
  Must(RestoreSqlite(kCtx, backup, data));
  store = Open(data);
  BOOST_TEST(Must(store->Get(kCtx, "/a"))->value == "saved");
  BOOST_TEST(Must(store->CurrentRevision(kCtx)) > newer);
  RecordingSink sink;
  auto watch = Must(store->Watch(kCtx, "/", newer, sink));
  BOOST_REQUIRE(sink.WaitForEnd());
  BOOST_TEST(sink.end().Is(Code::kExpired));
  BOOST_TEST(Update(*store, "/a", "new", a) > newer + 1);
  store.reset();
  // What was there is kept.
  int kept = 0;
  for (const std::string& name : Must(ListDir(data))) kept += name.starts_with("state.db.") ? 1 : 0;
  BOOST_TEST(kept >= 1);

  // A damaged one cannot tell its newest revision; nor can one that is gone.
  Overwrite(data + "/state.db", 0, "XXXX");
  Must(RestoreSqlite(kCtx, backup, data));
  store = Open(data);
  BOOST_TEST(Must(store->CurrentRevision(kCtx)) > newer + 1'000'000);
  store.reset();
  Overwrite(backup, 0, "XXXX");
  const Status status = RestoreSqlite(kCtx, backup, data);
  BOOST_TEST(status.Is(Code::kDataLoss));
  BOOST_TEST(Must(Open(data)->Get(kCtx, "/a"))->value == "saved");
}

BOOST_AUTO_TEST_CASE(everything_migrates) {
  const TempDir dir;
  FakeClock clock;
  const auto from = Open(dir.path);
  const auto to = NewMemoryStore(clock);
  for (int i = 0; i < 1200; ++i) Create(*from, fmt::format("/registry/pods/default/{:04}", i), std::to_string(i));
  Create(*from, "/registry/events/default/a", "e");
  Create(*from, "/other", "not ours");
  Create(*to, "/compact_rev_key", "1");
  BOOST_TEST(Must(Migrate(kCtx, *from, *to)) == 1201);
  BOOST_TEST(Must(to->Count(kCtx, "/registry/")) == 1201);
  BOOST_TEST(Must(to->Get(kCtx, "/registry/pods/default/0777"))->value == "777");
  BOOST_TEST(clock.Pending() == 1U);  // events go on expiring
  BOOST_TEST(Migrate(kCtx, *from, *to).status().Is(Code::kFailedPrecondition));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::storage
