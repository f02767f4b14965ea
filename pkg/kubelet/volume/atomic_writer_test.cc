#include "pkg/kubelet/volume/atomic_writer.h"

#include "pkg/kubelet/volume/volume_test_util.h"

namespace knarr::kubelet {
namespace {

using testing::Get;
using testing::ModeOf;
using testing::TempDir;

struct Fixture {
  TempDir dir;
  Result<bool> Write(const Payload& payload) { return AtomicWriter(dir.path()).Write(payload); }
  std::string Link(const std::string& name) {
    char target[4096];
    const ssize_t n = ::readlink((dir / name).c_str(), target, sizeof target);
    return n < 0 ? "(none)" : std::string(target, static_cast<size_t>(n));
  }
  std::string Refusal(const std::string& path) { return std::string(Write({{path, {"x"}}}).status().message()); }
};

BOOST_FIXTURE_TEST_SUITE(atomic_writer, Fixture)

BOOST_AUTO_TEST_CASE(files_are_links_into_a_timestamped_directory) {
  BOOST_TEST(Write({{"plain", {"1", 0600}}, {"nested/a/b", {"2", 0444}}}).value());
  BOOST_TEST(Get(dir / "plain") == "1");
  BOOST_TEST(Get(dir / "nested/a/b") == "2");
  BOOST_TEST(Link("plain") == "..data/plain");
  BOOST_TEST(Link("nested") == "..data/nested");
  const std::string stamp = Link("..data");
  BOOST_TEST(stamp.starts_with("..20"));
  BOOST_TEST(stamp.find('/') == std::string::npos);
  BOOST_TEST(ModeOf(dir / stamp) == 0755U);
  BOOST_TEST(ModeOf((dir / stamp) + "/plain") == 0600U);
  BOOST_TEST(ModeOf((dir / stamp) + "/nested/a/b") == 0444U);
}

BOOST_AUTO_TEST_CASE(the_same_content_is_not_written_again) {
  const Payload payload{{"a", {"1"}}, {"b/c", {""}}};
  BOOST_TEST(Write(payload).value());
  const std::string stamp = Link("..data");
  BOOST_TEST(!Write(payload).value());
  BOOST_TEST(Link("..data") == stamp);
}

BOOST_AUTO_TEST_CASE(changes_and_removals_replace_the_whole_set) {
  BOOST_TEST(Write({{"a", {"1"}}, {"b", {"2"}}, {"d/e", {"3"}}}).value());
  const std::string old = Link("..data");
  BOOST_TEST(Write({{"a", {"1"}}, {"d/f", {"4"}}}).value());
  BOOST_TEST(Link("..data") != old);
  BOOST_TEST(!PathExists(dir / old));
  BOOST_TEST(!PathExists(dir / "b"));
  BOOST_TEST(!PathExists(dir / "d/e"));
  BOOST_TEST(Get(dir / "d/f") == "4");
  BOOST_TEST(Write({}).value());
  BOOST_TEST(ListDir(dir.path())->size() == 2U);  // ..data and its directory
}

BOOST_AUTO_TEST_CASE(paths_that_could_leave_the_volume_are_refused) {
  BOOST_TEST(Refusal("") == "invalid path: must not be empty: \"\"");
  BOOST_TEST(Refusal("/etc/passwd") == "invalid path: must be relative path: /etc/passwd");
  BOOST_TEST(Refusal("a/../../b") == "invalid path: must not contain '..': a/../../b");
  BOOST_TEST(Refusal("..") == "invalid path: must not contain '..': ..");
  BOOST_TEST(Refusal("..data") == "invalid path: must not start with '..': ..data");
  BOOST_TEST(Refusal(std::string(256, 'x')) == "invalid path: filenames must be less than or equal to 255 characters");
  std::string deep = "x";
  while (deep.size() <= 4096) deep += "/x";
  BOOST_TEST(Refusal(deep) == "invalid path: must be less than or equal to 4096 characters");
  BOOST_TEST(Refusal(".") != "");
  BOOST_TEST(ListDir(dir.path())->empty());
}

BOOST_AUTO_TEST_CASE(two_dots_inside_a_name_are_fine) {
  BOOST_TEST(Write({{"a..b", {"1"}}, {"sub/..c", {"2"}}}).value());
  BOOST_TEST(Get(dir / "sub/..c") == "2");
}

BOOST_AUTO_TEST_CASE(a_crash_before_any_step_shows_the_old_or_the_new_set_and_heals) {
  const Payload before{{"a", {"old"}}, {"gone", {"old"}}}, after{{"a", {"new"}}, {"b/c", {"new"}}};
  for (int crash_at = 0;; ++crash_at) {
    TempDir volume;
    BOOST_REQUIRE(AtomicWriter(volume.path()).Write(before).ok());
    int step = 0;
    const Result<bool> crashed = AtomicWriter(volume.path(), [&](std::string_view) {
                                   return step++ == crash_at ? Error(Code::kCancelled, "crash") : Status();
                                 }).Write(after);
    const std::string a = Get(volume / "a");
    if (a == "old") {
      BOOST_TEST(Get(volume / "gone") == "old");
    } else {
      BOOST_TEST(a == "new");
      BOOST_TEST(Get(volume / "b/c") == "new");
    }
    // A third set after the crash: nothing of the interrupted one may stay.
    BOOST_REQUIRE(AtomicWriter(volume.path()).Write({{"z", {"last"}}}).ok());
    const std::vector<std::string> names = ListDir(volume.path()).value();
    BOOST_TEST(names.size() == 3U);
    BOOST_TEST(Get(volume / "z") == "last");
    if (crashed.ok()) {
      BOOST_TEST(crash_at > 6);
      break;
    }
  }
}

BOOST_AUTO_TEST_CASE(files_of_others_in_the_directory_are_left_alone) {
  testing::Put(dir / "mine", "keep");
  BOOST_REQUIRE(::symlink("/etc/hostname", (dir / "link").c_str()) == 0);
  BOOST_TEST(Write({{"a", {"1"}}}).value());
  BOOST_TEST(Get(dir / "mine") == "keep");
  BOOST_TEST(Link("link") == "/etc/hostname");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::kubelet
