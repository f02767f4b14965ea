// The hazards of upstream's manifest directory, one test each.
#include <fcntl.h>
#include <sys/stat.h>
#include <utime.h>

#include "pkg/kubelet/config/common.h"
#include "pkg/kubelet/config/testing.h"

namespace knarr::kubelet {
namespace {

BOOST_AUTO_TEST_SUITE(kubelet_config_hazards)

// 1. A missing directory means "zero pods".

BOOST_AUTO_TEST_CASE(a_directory_that_disappears_keeps_everything_for_the_grace_period) {
  TestDir root;
  BOOST_REQUIRE(MakeDirs(root.File("m")).ok());
  root.Write("m/web.yaml", PodYaml("web"));
  FakeClock clock;
  Sources sources(Sources::Of(root.File("m")), clock);
  BOOST_TEST(Names(*sources.Start()) == "default/web-node1");
  root.Rename("m", "gone");
  State state = sources.Rescan();
  BOOST_TEST(Names(*state) == "default/web-node1");
  BOOST_TEST(Problems(*state).find("no such file or directory; its pods keep running for 5m0s") != std::string::npos);
  BOOST_REQUIRE(state->problems.size() == 1U);
  BOOST_TEST(state->problems[0].keeps == "default/web-node1");
  clock.Advance(std::chrono::minutes(4));
  BOOST_TEST(Names(*sources.Rescan()) == "default/web-node1");
  clock.Advance(std::chrono::seconds(61));
  sources.WaitForNames("");
  root.Rename("gone", "m");
  state = sources.Rescan();
  BOOST_TEST(Names(*state) == "default/web-node1");
  BOOST_TEST(Problems(*state) == "");
}

BOOST_AUTO_TEST_CASE(a_directory_that_is_moved_away_and_back_restarts_nothing) {
  TestDir root;
  BOOST_REQUIRE(MakeDirs(root.File("m")).ok());
  root.Write("m/web.yaml", PodYaml("web"));
  Sources sources(Sources::Of(root.File("m")));
  const PodPtr pod = sources.Start()->pods.at(0).pod;
  root.Rename("m", "gone");
  sources.WaitForProblem("no such file or directory");
  root.Rename("gone", "m");
  const State state = sources.WaitForNoProblem();
  BOOST_TEST(state->pods.at(0).pod == pod);
  for (const State& old : sources.history()) BOOST_TEST(Names(*old) == "default/web-node1");
}

BOOST_AUTO_TEST_CASE(a_directory_that_is_deleted_and_made_anew_keeps_its_pods_until_it_has_manifests_again) {
  TestDir root;
  BOOST_REQUIRE(MakeDirs(root.File("m")).ok());
  root.Write("m/web.yaml", PodYaml("web"));
  FakeClock clock;
  Sources sources(Sources::Of(root.File("m")), clock);
  sources.Start();
  root.Rename("m", "old");
  BOOST_REQUIRE(MakeDirs(root.File("m")).ok());
  const State state = sources.Rescan();
  BOOST_TEST(Names(*state) == "default/web-node1");
  BOOST_TEST(Problems(*state).find("an empty directory took its place") != std::string::npos);
  root.Write("m/db.yaml", PodYaml("db"));
  BOOST_TEST(Names(*sources.Rescan()) == "default/db-node1");
}

BOOST_AUTO_TEST_CASE(a_directory_that_comes_late_is_seen_at_once_and_nothing_may_be_killed_before) {
  TestDir root;
  Sources sources(Sources::Of(root.File("a/b/m")));
  State state = sources.Start();
  BOOST_TEST(!state->sources_ready);
  BOOST_TEST(Problems(*state).find("no such file or directory") != std::string::npos);
  BOOST_REQUIRE(MakeDirs(root.File("a/b/m")).ok());
  state = sources.WaitFor([](const DesiredState& s) { return s.sources_ready; });
  root.Write("a/b/m/web.yaml", PodYaml("web"));
  sources.WaitForNames("default/web-node1");
}

// 2. A typo kills the running pod.

BOOST_AUTO_TEST_CASE(a_typo_keeps_the_last_good_pod_until_the_file_is_removed) {
  TestDir dir;
  const std::string file = dir.Write("web.yaml", PodYaml("web"));
  Sources sources(Sources::Of(dir.path()));
  const PodPtr pod = sources.Start()->pods.at(0).pod;
  dir.Write("web.yaml", PodYaml("web", "nginx:2", "", "    imagePullPolicyy: Always\n"));
  State state = sources.WaitForProblem("imagePullPolicyy");
  BOOST_TEST(state->pods.at(0).pod == pod);
  BOOST_TEST(state->problems.at(0).file == file);
  BOOST_TEST(state->problems.at(0).keeps == "default/web-node1");
  BOOST_TEST(state->problems.at(0).line == 9);
  state = sources.Rescan();
  BOOST_TEST(state->pods.at(0).pod == pod);
  dir.Write("web.yaml", PodYaml("web", "nginx:2"));
  state = sources.WaitForNoProblem();
  BOOST_TEST(state->pods.at(0).pod->metadata().uid() != pod->metadata().uid());
  dir.Write("web.yaml", "{");
  sources.WaitFor([](const DesiredState& s) { return !s.problems.empty(); });
  dir.Remove("web.yaml");
  state = sources.WaitForNames("");
  BOOST_TEST(Problems(*state) == "");
}

BOOST_AUTO_TEST_CASE(a_typo_that_meets_a_restart_of_the_kubelet_stops_nothing) {
  TestDir dir, store;
  PodConfigOptions options = Sources::Of(dir.path());
  options.state_dir = store.File("last-good");
  dir.Write("web.yaml", PodYaml("web"));
  std::string uid;
  {
    Sources sources(options);
    uid = UidOf(*sources.Start(), "default/web-node1");
    sources.Rescan();  // comes after the first round's saving
  }
  dir.Write("web.yaml", "kind: Pod\napiVersion: v1\nspec: [");
  {
    Sources sources(options);
    const State state = sources.Start();
    BOOST_TEST(UidOf(*state, "default/web-node1") == uid);
    BOOST_TEST(state->problems.at(0).keeps == "default/web-node1");
  }
  dir.Rename("web.yaml", "web.yaml.off");
  {
    Sources sources(options);
    BOOST_TEST(Names(*sources.Start()) == "");
    sources.Rescan();
  }
  dir.Write("web.yaml", "{");
  Sources sources(options);
  BOOST_TEST(Names(*sources.Start()) == "");
}

// 3. Half-written files.

BOOST_AUTO_TEST_CASE(a_half_written_file_is_left_alone_until_its_writer_closes_it) {
  TestDir dir;
  Sources sources(Sources::Of(dir.path()));
  sources.Start();
  const int fd = ::open(dir.File("web.yaml").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
  const std::string first = PodYaml("web"), second = "  - name: sidecar\n    image: busybox\n";
  BOOST_REQUIRE(WriteAll(fd, first, "web.yaml").ok());  // a whole pod already
  BOOST_TEST(Names(*sources.Rescan()) == "");
  BOOST_REQUIRE(WriteAll(fd, second, "web.yaml").ok());
  ::close(fd);
  const State state = sources.WaitForNames("default/web-node1");
  BOOST_TEST(state->pods.at(0).pod->spec().containers_size() == 2);
  for (const State& old : sources.history()) BOOST_TEST(Problems(*old) == "");
}

BOOST_AUTO_TEST_CASE(an_edit_in_place_is_left_alone_until_its_writer_closes_it) {
  TestDir dir;
  dir.Write("web.yaml", PodYaml("web"));
  Sources sources(Sources::Of(dir.path()));
  const PodPtr pod = sources.Start()->pods.at(0).pod;
  const int fd = ::open(dir.File("web.yaml").c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC);
  BOOST_TEST(sources.Rescan()->pods.at(0).pod == pod);
  BOOST_REQUIRE(WriteAll(fd, PodYaml("web", "nginx:2"), "web.yaml").ok());
  BOOST_REQUIRE(::fchmod(fd, 0600) == 0);  // as cp -p does before it closes
  BOOST_TEST(sources.Rescan()->pods.at(0).pod == pod);
  ::close(fd);
  sources.WaitFor([&](const DesiredState& s) { return s.pods.at(0).pod != pod; });
  for (const State& old : sources.history()) BOOST_TEST(Problems(*old) == "");
}

// 4. Symlinks.

BOOST_AUTO_TEST_CASE(an_edit_of_a_symlinks_target_is_seen) {
  TestDir dir, elsewhere;
  elsewhere.Write("real.txt", PodYaml("web"));
  dir.Link(elsewhere.File("real.txt"), "web.yaml");
  Sources sources(Sources::Of(dir.path()));
  const State before = sources.Start();
  const std::string uid = UidOf(*before, "default/web-node1");
  BOOST_TEST(!uid.empty());
  elsewhere.Write("real.txt", PodYaml("web", "nginx:2"));
  sources.WaitFor([&](const DesiredState& s) { return UidOf(s, "default/web-node1") != uid; });
  elsewhere.Write("next", PodYaml("web", "nginx:3"));
  elsewhere.Rename("next", "real.txt");
  sources.WaitFor([&](const DesiredState& s) {
    return !s.pods.empty() && s.pods[0].pod->spec().containers(0).image() == "nginx:3";
  });
}

BOOST_AUTO_TEST_CASE(the_swap_of_a_config_map_volume_is_seen) {
  TestDir dir;
  BOOST_REQUIRE(MakeDirs(dir.File("..2024_1")).ok());
  BOOST_REQUIRE(MakeDirs(dir.File("..2024_2")).ok());
  dir.Write("..2024_1/web.yaml", PodYaml("web", "nginx:1"));
  dir.Write("..2024_2/web.yaml", PodYaml("web", "nginx:2"));
  dir.Link("..2024_1", "..data");
  dir.Link("..data/web.yaml", "web.yaml");
  Sources sources(Sources::Of(dir.path()));
  const State before = sources.Start();
  BOOST_TEST(before->pods.at(0).pod->spec().containers(0).image() == "nginx:1");
  dir.Link("..2024_2", "..data_tmp");
  dir.Rename("..data_tmp", "..data");
  sources.WaitFor([](const DesiredState& s) { return s.pods.at(0).pod->spec().containers(0).image() == "nginx:2"; });
  // The new target is watched now.
  dir.Write("..2024_2/web.yaml", PodYaml("web", "nginx:3"));
  sources.WaitFor([](const DesiredState& s) { return s.pods.at(0).pod->spec().containers(0).image() == "nginx:3"; });
}

BOOST_AUTO_TEST_CASE(a_dangling_symlink_keeps_the_last_good_pod_and_is_healed_by_its_target) {
  TestDir dir, elsewhere;
  elsewhere.Write("a", PodYaml("web"));
  dir.Link(elsewhere.File("a"), "web.yaml");
  Sources sources(Sources::Of(dir.path()));
  const PodPtr pod = sources.Start()->pods.at(0).pod;
  elsewhere.Rename("a", "b");
  const State state = sources.WaitForProblem("symbolic link to a file that does not exist");
  BOOST_TEST(state->pods.at(0).pod == pod);
  elsewhere.Rename("b", "a");
  BOOST_TEST(sources.WaitForNoProblem()->pods.at(0).pod == pod);
}

BOOST_AUTO_TEST_CASE(a_manifest_directory_behind_a_symlink_may_be_pointed_elsewhere) {
  TestDir root;
  BOOST_REQUIRE(MakeDirs(root.File("one")).ok());
  BOOST_REQUIRE(MakeDirs(root.File("two")).ok());
  root.Write("one/web.yaml", PodYaml("web"));
  root.Write("two/db.yaml", PodYaml("db"));
  root.Link("one", "m");
  Sources sources(Sources::Of(root.File("m")));
  BOOST_TEST(Names(*sources.Start()) == "default/web-node1");
  root.Link("two", "m2");
  root.Rename("m2", "m");
  sources.WaitForNames("default/db-node1");
  root.Write("two/db.yaml", PodYaml("db2"));
  sources.WaitForNames("default/db2-node1");
}

// 5. Two files, same pod.

BOOST_AUTO_TEST_CASE(two_files_that_claim_one_pod_keep_the_running_one) {
  TestDir dir;
  dir.Write("web.yaml", PodYaml("web"));
  Sources sources(Sources::Of(dir.path()));
  const PodPtr pod = sources.Start()->pods.at(0).pod;
  dir.Write("a-backup.yaml", PodYaml("web", "nginx:old"));  // sorts first
  State state = sources.WaitForProblem("pod default/web-node1 is already defined in " + dir.File("web.yaml"));
  BOOST_TEST(state->pods.size() == 1U);
  BOOST_TEST(state->pods.at(0).pod == pod);
  BOOST_TEST(state->problems.at(0).file == dir.File("a-backup.yaml"));
  BOOST_TEST(state->problems.at(0).line == 1);
  dir.Remove("web.yaml");
  state = sources.WaitForNoProblem();
  BOOST_TEST(state->pods.at(0).file == dir.File("a-backup.yaml"));
}

BOOST_AUTO_TEST_CASE(after_a_restart_the_pod_that_runs_keeps_its_name) {
  TestDir dir;
  dir.Write("a-backup.yaml", PodYaml("web", "nginx:old"));
  dir.Write("web.yaml", PodYaml("web"));
  PodConfigOptions options = Sources::Of(dir.path());
  std::string uid;
  {
    TestDir other;
    Sources sources(options);
    BOOST_TEST(sources.Start()->pods.at(0).file == dir.File("a-backup.yaml"));
    dir.Rename("a-backup.yaml", "x");
    uid = UidOf(*sources.WaitForNoProblem(), "default/web-node1");
    dir.Rename("x", "a-backup.yaml");
  }
  options.uid_is_running = [&](const std::string& candidate) { return candidate == uid; };
  Sources sources(options);
  BOOST_TEST(sources.Start()->pods.at(0).file == dir.File("web.yaml"));
}

// 6. chmod and touch.

BOOST_AUTO_TEST_CASE(chmod_touch_rewriting_and_comments_change_nothing) {
  TestDir dir;
  const std::string file = dir.Write("web.yaml", PodYaml("web"));
  Sources sources(Sources::Of(dir.path()));
  const State first = sources.Start();
  const PodPtr pod = first->pods.at(0).pod;
  BOOST_REQUIRE(::chmod(file.c_str(), 0600) == 0);
  BOOST_REQUIRE(::utime(file.c_str(), nullptr) == 0);
  sources.Rescan();
  dir.Write("web.yaml", PodYaml("web"));
  sources.Rescan();
  dir.Write("web.yaml", "# a comment\n" + PodYaml("web") + "  hostNetwork: false\n");
  BOOST_TEST(sources.Rescan()->pods.at(0).pod == pod);
  dir.Write("db.yaml", PodYaml("db"));
  const State state = sources.WaitForNames("default/db-node1 default/web-node1");
  BOOST_TEST(state->pods.at(1).pod == pod);
  BOOST_TEST(sources.history().size() == 2U);  // the start and db: nothing else was news
}

// 7. Order.

BOOST_AUTO_TEST_CASE(pods_come_in_order_and_know_whom_they_wait_for) {
  TestDir dir;
  dir.Write("1.yaml", AfterYaml("web", "db, kube-system/dns,db-node1"));
  dir.Write("2.yaml", PodYaml("db"));
  dir.Write("3.yaml", PodYaml("dns", "dns:1", "  namespace: kube-system\n"));
  Sources sources(Sources::Of(dir.path()));
  const State state = sources.Start();
  BOOST_TEST(Names(*state) == "default/db-node1 default/web-node1 kube-system/dns-node1");
  BOOST_TEST(Problems(*state) == "");
  const std::vector<std::string> expected = {"default/db-node1", "kube-system/dns-node1"};
  BOOST_TEST(FindPod(*state, "default/web-node1")->after == expected, boost::test_tools::per_element());
}

// 8. A fixed UID.

BOOST_AUTO_TEST_CASE(a_fixed_uid_is_kept_and_a_change_shows_in_the_hash) {
  TestDir dir;
  dir.Write("web.yaml", PodYaml("web", "nginx:1", "  uid: 11111111-2222-3333-4444-555555555555\n"));
  Sources sources(Sources::Of(dir.path()));
  const PodPtr before = sources.Start()->pods.at(0).pod;
  dir.Write("web.yaml", PodYaml("web", "nginx:2", "  uid: 11111111-2222-3333-4444-555555555555\n"));
  const State state = sources.WaitFor([&](const DesiredState& s) { return s.pods.at(0).pod != before; });
  const PodPtr after = state->pods.at(0).pod;
  BOOST_TEST(after->metadata().uid() == before->metadata().uid());
  BOOST_TEST(after->metadata().annotations().at(kConfigHashAnnotation) !=
             before->metadata().annotations().at(kConfigHashAnnotation));
}

BOOST_AUTO_TEST_CASE(two_pods_with_one_fixed_uid_keep_the_first) {
  TestDir dir;
  dir.Write("web.yaml", PodYaml("web", "nginx:1", "  uid: abc\n"));
  Sources sources(Sources::Of(dir.path()));
  sources.Start();
  dir.Write("db.yaml", PodYaml("db", "nginx:1", "  uid: abc\n"));
  const State state =
      sources.WaitForProblem("metadata.uid: Duplicate value: \"abc\": pod default/web-node1 has this uid too");
  BOOST_TEST(Names(*state) == "default/web-node1");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::kubelet
