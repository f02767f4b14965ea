#include "pkg/cli/datastore.h"

#include <stdlib.h>

#include <boost/test/unit_test.hpp>

#include "pkg/apiserver/storage/sqlite.h"
#include "pkg/base/file.h"

namespace knarr::cli {
namespace {

std::string NewFolder() {
  std::string path = "/tmp/knarr-datastore-XXXXXX";
  BOOST_REQUIRE(::mkdtemp(path.data()) != nullptr);
  return path;
}
struct Folder {
  ~Folder() { BOOST_CHECK(RemoveAll(path).ok()); }
  const std::string path = NewFolder();
  const std::string data = path + "/data";
  const std::string backup = path + "/backup";
};

std::unique_ptr<storage::Store> Open(const std::string& dir) {
  auto store = storage::OpenSqlite({.data_dir = dir});
  BOOST_REQUIRE_MESSAGE(store.ok(), store.status().message());
  return std::move(*store);
}

BOOST_AUTO_TEST_SUITE(datastore)

BOOST_FIXTURE_TEST_CASE(a_backup_comes_back, Folder) {
  const Context ctx;
  {
    auto store = Open(data);
    BOOST_REQUIRE(store->Create(ctx, "/registry/a", "1", 0).ok());
    // In use: it can be saved and looked at, not replaced.
    BOOST_TEST(DatastoreMain({"backup", "--data-dir=" + data, backup}) == 0);
    BOOST_TEST(DatastoreMain({"backup", "--data-dir=" + data, backup}) == 1);  // never overwrites
    BOOST_TEST(DatastoreMain({"status", "--data-dir=" + data, "--check"}) == 0);
    BOOST_TEST(DatastoreMain({"restore", "--data-dir=" + data, backup}) == 1);
    BOOST_REQUIRE(store->Create(ctx, "/registry/b", "1", 0).ok());
  }
  BOOST_TEST(DatastoreMain({"restore", "--data-dir=" + data, backup}) == 0);
  auto store = Open(data);
  BOOST_TEST(store->Count(ctx, "/registry/").value_or(-1) == 1);
}

BOOST_FIXTURE_TEST_CASE(wrong_words_are_refused, Folder) {
  BOOST_TEST(DatastoreMain({}) == 1);
  BOOST_TEST(DatastoreMain({"drop"}) == 1);
  BOOST_TEST(DatastoreMain({"backup", backup}) == 1);
  BOOST_TEST(DatastoreMain({"backup", "--data-dir=" + data}) == 1);
  BOOST_TEST(DatastoreMain({"status", "--data-dir=" + data}) == 1);  // is not there, and is not made
  BOOST_TEST(!PathExists(data));
  BOOST_TEST(DatastoreMain({"status", "--data-dir=" + data, "more"}) == 1);
  BOOST_TEST(DatastoreMain({"restore", "--data-dir=" + data, "--etcd-servers=http://127.0.0.1:1", backup}) == 1);
  BOOST_TEST(DatastoreMain({"migrate", "--data-dir=" + data}) == 1);
  BOOST_TEST(DatastoreMain({"migrate", "--data-dir=" + data, "--etcd-servers=http://127.0.0.1:1", "--to=file"}) == 1);
}

BOOST_AUTO_TEST_CASE(help_is_no_error) {
  BOOST_TEST(DatastoreMain({"--help"}) == 0);
  for (const char* command : {"backup", "restore", "migrate", "status"})
    BOOST_TEST(DatastoreMain({command, "-h"}) == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::cli
