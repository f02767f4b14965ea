// The state machine under a clock that stands still: what is looked at when.
#include "pkg/kubelet/config/file_source.h"

#include <fcntl.h>

#include "pkg/kubelet/config/testing.h"

namespace knarr::kubelet {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

struct Fixture {
  TestDir dir;
  FakeClock clock;
  PodConfigOptions options;
  std::optional<FileSource> source;

  Fixture() {
    options.static_pod_path = dir.path();
    options.node_name = "node1";
    source.emplace(options, clock, nullptr);
    source->Rescan();
  }
  // Time passes, then what is due is done.
  size_t Pods(Duration after) {
    source->HandleEvents();
    clock.Advance(after);
    source->Advance();
    return source->Manifests().size();
  }
};

BOOST_AUTO_TEST_SUITE(kubelet_config_file_source)

BOOST_FIXTURE_TEST_CASE(a_closed_file_is_read_soon, Fixture) {
  dir.Write("web.yaml", PodYaml("web"));
  BOOST_TEST(Pods(milliseconds(9)) == 0U);
  BOOST_TEST(Pods(milliseconds(1)) == 1U);
}

BOOST_FIXTURE_TEST_CASE(a_file_that_changes_again_or_is_removed_waits_for_the_debounce, Fixture) {
  dir.Write("web.yaml", PodYaml("web"));
  BOOST_TEST(Pods(milliseconds(5)) == 0U);
  dir.Write("web.yaml", PodYaml("web"));
  BOOST_TEST(Pods(milliseconds(49)) == 0U);
  BOOST_TEST(Pods(milliseconds(1)) == 1U);
  dir.Remove("web.yaml");
  BOOST_TEST(Pods(milliseconds(49)) == 1U);
  BOOST_TEST(Pods(milliseconds(1)) == 0U);
}

BOOST_FIXTURE_TEST_CASE(a_storm_of_changes_is_read_after_ten_debounces_at_the_latest, Fixture) {
  int changes = 0;
  do {
    dir.Write("web.yaml", PodYaml("web", fmt::format("nginx:{}", ++changes)));
  } while (Pods(milliseconds(8)) == 0 && changes < 100);
  BOOST_TEST(changes == 63);  // 63 * 8 ms > 500 ms
}

BOOST_FIXTURE_TEST_CASE(the_directory_is_looked_at_from_time_to_time, Fixture) {
  BOOST_REQUIRE(source->NextDue().has_value());
  BOOST_TEST((*source->NextDue() == clock.Monotonic() + seconds(20)));
  BOOST_TEST(Pods(seconds(20)) == 0U);
  BOOST_TEST((*source->NextDue() == clock.Monotonic() + seconds(20)));
}

BOOST_FIXTURE_TEST_CASE(a_file_that_stays_open_is_read_when_its_writer_was_quiet_for_minutes, Fixture) {
  const UniqueFd fd(::open(dir.File("web.yaml").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
  BOOST_REQUIRE(WriteAll(fd.get(), PodYaml("web"), "web").ok());
  BOOST_TEST(Pods(seconds(1)) == 0U);
  BOOST_TEST(Pods(minutes(2)) == 0U);  // rescans do not read it either
  BOOST_TEST(Pods(minutes(3)) == 1U);
}

BOOST_FIXTURE_TEST_CASE(a_file_that_is_removed_and_made_anew_within_the_debounce_was_never_gone, Fixture) {
  dir.Write("web.yaml", PodYaml("web"));
  BOOST_TEST(Pods(milliseconds(50)) == 1U);
  dir.Rename("web.yaml", "web.yaml~");  // as vim does
  BOOST_TEST(Pods(milliseconds(20)) == 1U);
  dir.Write("web.yaml", PodYaml("web", "nginx:2"));
  BOOST_TEST(Pods(milliseconds(50)) == 1U);
  BOOST_TEST(source->Manifests().at(0)->pods.at(0).pod->spec().containers(0).image() == "nginx:2");
  dir.Remove("web.yaml");
  BOOST_TEST(Pods(milliseconds(50)) == 0U);
}

BOOST_FIXTURE_TEST_CASE(a_removed_directory_takes_no_file_with_it, Fixture) {
  dir.Write("web.yaml", PodYaml("web"));
  BOOST_TEST(Pods(milliseconds(50)) == 1U);
  BOOST_REQUIRE(RemoveAll(dir.path()).ok());
  BOOST_TEST(Pods(milliseconds(50)) == 1U);
  BOOST_TEST(Pods(minutes(4)) == 1U);
  BOOST_TEST(!source->Problems().empty());
  BOOST_TEST(Pods(minutes(1)) == 0U);
  BOOST_TEST(source->ready());
}

BOOST_FIXTURE_TEST_CASE(places_of_a_path_are_its_links_and_its_end, Fixture) {
  BOOST_REQUIRE(MakeDirs(dir.File("real/deep")).ok());
  dir.Write("real/deep/file", "");
  dir.Link("real", "link");
  dir.Link("../real/deep/file", "real/back");
  using Places = std::vector<std::pair<std::string, std::string>>;
  BOOST_TEST(
      (ResolvePlaces(dir.File("link/deep/file")) == Places{{dir.path(), "link"}, {dir.File("real/deep"), "file"}}));
  BOOST_TEST((ResolvePlaces(dir.File("link/back")) ==
              Places{{dir.path(), "link"}, {dir.File("real"), "back"}, {dir.File("real/deep"), "file"}}));
  BOOST_TEST((ResolvePlaces(dir.File("no/such/thing")) == Places{{dir.path(), "no"}}));
  dir.Link("loop", "loop");
  BOOST_TEST(ResolvePlaces(dir.File("loop")).size() == 41U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::kubelet
