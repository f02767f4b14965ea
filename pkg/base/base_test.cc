#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>

#include <boost/test/unit_test.hpp>

#include "pkg/base/context.h"
#include "pkg/base/file.h"
#include "pkg/base/log.h"
#include "pkg/base/memory.h"
#include "pkg/base/pool.h"

namespace knarr {
namespace {

struct TempDir {
  TempDir() {
    char name[] = "/tmp/knarr-base.XXXXXX";
    path = ::mkdtemp(name);
  }
  ~TempDir() { std::filesystem::remove_all(path); }
  std::string path;
};

Result<int> Half(int n) {
  if (n % 2 != 0) return Error(Code::kInvalid, "{} is odd", n);
  return n / 2;
}

Result<int> Quarter(int n) {
  const int half = KNARR_TRY_CTX(Half(n), "first half of {}", n);
  return KNARR_TRY(Half(half));
}

BOOST_AUTO_TEST_SUITE(base)

BOOST_AUTO_TEST_CASE(status_keeps_its_details_when_context_is_added) {
  const Status status = Error(Code::kInvalid, "is invalid")
                            .WithDetails({.name = "web", .kind = "pods", .causes = {{"FieldValueRequired", "m", "f"}}})
                            .WithContext("create");
  BOOST_TEST(status.message() == "create: is invalid");
  BOOST_REQUIRE(status.details());
  BOOST_TEST(status.details()->name == "web");
  BOOST_REQUIRE(status.details()->causes.size() == 1u);
  BOOST_TEST(status.details()->causes[0].field == "f");
  BOOST_TEST(!OkStatus().WithDetails({.name = "web"}).details());
}

BOOST_AUTO_TEST_CASE(try_returns_the_error_with_its_context) {
  BOOST_TEST(Quarter(8).value() == 2);
  BOOST_TEST(Quarter(7).status().message() == "first half of 7: 7 is odd");
  BOOST_TEST(Quarter(6).status().message() == "3 is odd");
  BOOST_TEST((Quarter(6).status().code() == Code::kInvalid));
}

BOOST_AUTO_TEST_CASE(errno_becomes_code_and_lower_case_text) {
  const Status status = ErrnoError(ENOENT, "open {}", "/x");
  BOOST_TEST(status.message() == "open /x: no such file or directory");
  BOOST_TEST(status.Is(Code::kNotFound));
  BOOST_TEST(status.error_number() == ENOENT);
}

BOOST_AUTO_TEST_CASE(every_code_has_its_row) {
  for (int i = 0; i < kCodeCount; ++i) BOOST_TEST(static_cast<int>(InfoOf(static_cast<Code>(i)).code) == i);
}

BOOST_AUTO_TEST_CASE(atomic_write_replaces_whole_files_and_leaves_no_temporary) {
  const TempDir dir;
  const std::string path = dir.path + "/f";
  BOOST_TEST(WriteFileAtomically(path, "one", 0600).ok());
  BOOST_TEST(WriteFileAtomically(path, "two", 0644).ok());
  BOOST_TEST(ReadFile(path).value() == "two");
  BOOST_TEST(ListDir(dir.path)->size() == 1u);
  BOOST_TEST((std::filesystem::status(path).permissions() == static_cast<std::filesystem::perms>(0644)));
}

BOOST_AUTO_TEST_CASE(read_stops_at_the_limit) {
  const TempDir dir;
  BOOST_TEST(WriteFileAtomically(dir.path + "/f", std::string(1000, 'x'), 0600).ok());
  BOOST_TEST(ReadFile(dir.path + "/f", 999).status().Is(Code::kRequestEntityTooLarge));
  BOOST_TEST(ReadFile(dir.path + "/f", 1000).ok());
}

BOOST_AUTO_TEST_CASE(remove_all_does_not_follow_symlinks) {
  const TempDir dir;
  BOOST_TEST(MakeDirs(dir.path + "/keep").ok());
  BOOST_TEST(WriteFileAtomically(dir.path + "/keep/f", "x", 0600).ok());
  BOOST_TEST(MakeDirs(dir.path + "/gone/deep/er").ok());
  std::filesystem::create_symlink(dir.path + "/keep", dir.path + "/gone/deep/link");
  BOOST_TEST(RemoveAll(dir.path + "/gone").ok());
  BOOST_TEST(!PathExists(dir.path + "/gone"));
  BOOST_TEST(PathExists(dir.path + "/keep/f"));
  BOOST_TEST(RemoveAll(dir.path + "/never-was").ok());
}

BOOST_AUTO_TEST_CASE(child_contexts_only_shorten) {
  std::stop_source outer, inner;
  const Context parent = Context::Background().WithStop(outer.get_token()).WithTimeout(std::chrono::hours(1));
  const Context child = parent.WithStop(inner.get_token()).WithTimeout(std::chrono::hours(2));
  BOOST_TEST((*child.deadline() == *parent.deadline()));
  BOOST_TEST(!child.Done());
  outer.request_stop();
  BOOST_TEST(child.Err().Is(Code::kCancelled));
  BOOST_TEST(parent.WithTimeout(std::chrono::seconds(0)).WithStop({}).Err().Is(Code::kCancelled));
}

BOOST_AUTO_TEST_CASE(elastic_pool_runs_everything_and_keeps_to_its_bound) {
  std::atomic<int> ran = 0;
  {
    ElasticPool pool("test", 3);
    for (int i = 0; i < 100; ++i) pool.Post([&] { ++ran; });
    BOOST_TEST(pool.Threads() <= 3u);
    pool.Drain();
    BOOST_TEST(ran == 100);
    pool.Post([&] { ++ran; });
  }
  BOOST_TEST(ran == 101);
}

long ResidentKilobytes() {
  const std::string text = ReadFile("/proc/self/smaps_rollup").value();
  return std::stol(text.substr(text.find("Rss:") + 4));
}

BOOST_AUTO_TEST_CASE(released_memory_is_no_longer_resident_and_the_program_goes_on) {
  {
    std::vector<std::string> blocks(2000);
    for (std::string& block : blocks) block.assign(10000, 'x');
  }
  const long before = ResidentKilobytes();
  ReleaseUnusedMemory();
  const long after = ResidentKilobytes();
  BOOST_TEST(after < before);
  BOOST_TEST(Quarter(8).value() == 2);
}

BOOST_AUTO_TEST_CASE(log_lines_escape_what_they_quote) {
  const TempDir dir;
  const UniqueFd file = OpenFile(dir.path + "/log", O_CREAT | O_RDWR, 0600).value();
  SetLogOptions({.verbosity = 2, .format = LogFormat::kText, .fd = file.get()});
  const Logger log = Logger().With({{"pod", "default/web"}});
  log.Info("Started", {{"line", "a\n\"b\""}, {"n", 3}});
  log.Error(Error(Code::kInternal, "boom"), "Failed");
  SetLogOptions({});
  const std::string text = ReadFile(dir.path + "/log").value();
  BOOST_TEST(text.find("] \"Started\" pod=\"default/web\" line=\"a\\n\\\"b\\\"\" n=3\n") != std::string::npos);
  BOOST_TEST(text.find("] \"Failed\" err=\"boom\" pod=\"default/web\"\n") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr
