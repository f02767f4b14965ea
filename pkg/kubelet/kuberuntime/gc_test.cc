// Collecting containers, sandboxes, logs; rotating logs.
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include "pkg/base/file.h"
#include "pkg/kubelet/kuberuntime/test_fixture.h"

namespace knarr::kubelet {
namespace {

using namespace std::chrono_literals;

struct GcFixture : ManagerFixture {
  std::string LogDir() const { return root + "/pods/default_web-node_uid-1/web"; }
  void Crash(int times) {
    for (int i = 0; i < times; ++i) {
      Sync(WebPod());
      BOOST_REQUIRE(WriteFileAtomically(fmt::format("{}/{}.log", LogDir(), i), "x", 0640).ok());
      clock.Advance(1s);
      runtime.ExitContainer(IdOf("web"), 1);
      clock.Advance(6min);
    }
  }
  knarr::Status Collect(bool known, bool terminated = false) {
    return manager->CollectGarbage(ctx, {[known](const std::string&) { return known; }, [terminated](const std::string&) { return terminated; }});
  }
  size_t Containers() { return runtime.ListContainers(ctx)->size(); }
  size_t Sandboxes() { return runtime.ListPodSandbox(ctx)->size(); }
};

BOOST_FIXTURE_TEST_SUITE(kuberuntime_gc, GcFixture)

BOOST_AUTO_TEST_CASE(of_a_known_pod_the_newest_dead_container_stays_with_its_log) {
  Crash(3);
  BOOST_REQUIRE(Collect(true).ok());
  BOOST_TEST(Containers() == 1u);
  BOOST_TEST(Status(WebPod()).containers.at(0).restart_count == 2);
  BOOST_TEST(!PathExists(LogDir() + "/0.log"));
  BOOST_TEST(PathExists(LogDir() + "/2.log"));
  BOOST_TEST(Sandboxes() == 1u);
  Sync(WebPod());
  BOOST_TEST(runtime.FindContainer("web")->metadata().attempt() == 3u);
}

BOOST_AUTO_TEST_CASE(running_containers_are_never_collected) {
  Sync(WebPod());
  BOOST_REQUIRE(Collect(false).ok());
  BOOST_TEST(Containers() == 1u);
  BOOST_TEST(Sandboxes() == 1u);
}

BOOST_AUTO_TEST_CASE(of_a_pod_that_is_gone_nothing_stays) {
  Crash(2);
  const core::Pod pod = WebPod();
  BOOST_REQUIRE(manager->KillPod(ctx, &pod, Status(pod), {}).ok());
  BOOST_REQUIRE(Collect(false).ok());
  BOOST_TEST(Containers() == 0u);
  BOOST_TEST(Sandboxes() == 0u);
  BOOST_TEST(!PathExists(root + "/pods/default_web-node_uid-1"));
}

BOOST_AUTO_TEST_CASE(of_a_terminated_pod_only_the_logs_stay) {
  Crash(1);
  const core::Pod pod = WebPod();
  BOOST_REQUIRE(manager->KillPod(ctx, &pod, Status(pod), {}).ok());
  BOOST_REQUIRE(Collect(true, true).ok());
  BOOST_TEST(Containers() == 0u);
  BOOST_TEST(Sandboxes() == 0u);
  BOOST_TEST(PathExists(root + "/pods/default_web-node_uid-1"));
}

BOOST_AUTO_TEST_CASE(the_sandboxes_of_others_are_not_ours) {
  ::runtime::v1::PodSandboxConfig foreign;
  foreign.mutable_metadata()->set_name("theirs");
  const std::string id = runtime.RunPodSandbox(ctx, foreign).value();
  BOOST_TEST(runtime.StopPodSandbox(ctx, id).ok());
  BOOST_REQUIRE(Collect(false).ok());
  BOOST_TEST(Sandboxes() == 1u);
  BOOST_TEST(manager->ListPods(ctx)->empty());
}

BOOST_AUTO_TEST_CASE(old_sandboxes_go_when_they_are_empty) {
  Sync(WebPod());
  runtime.KillSandbox(runtime.FindSandbox("web-node")->id());
  clock.Advance(1s);
  Sync(WebPod());
  BOOST_TEST(Sandboxes() == 2u);
  BOOST_REQUIRE(Collect(true).ok());  // the last dead container still lies in the old sandbox
  BOOST_TEST(Sandboxes() == 2u);
  options.max_per_pod_container_count = 0;
  Restart();
  BOOST_REQUIRE(Collect(true).ok());
  BOOST_TEST(Sandboxes() == 1u);
}

BOOST_AUTO_TEST_CASE(dead_links_go_and_those_of_existing_containers_stay) {
  Sync(WebPod());
  const std::string link = root + "/containers/web-node_default_web-" + IdOf("web") + ".log";
  const std::string dead = root + "/containers/old_default_web-0123456789abcdef.log";
  BOOST_REQUIRE(symlink("/nowhere", dead.c_str()) == 0);
  struct stat info {};
  BOOST_TEST(lstat(link.c_str(), &info) == 0);
  BOOST_REQUIRE(Collect(true).ok());
  BOOST_TEST(lstat(link.c_str(), &info) == 0);
  BOOST_TEST(lstat(dead.c_str(), &info) != 0);
}

BOOST_AUTO_TEST_CASE(pods_are_listed_in_two_calls) {
  Sync(WebPod());
  runtime.ClearCalls();
  const auto pods = manager->ListPods(ctx).value();
  BOOST_TEST(runtime.Calls().size() == 2u);
  BOOST_TEST(pods.at(0).uid == "uid-1");
  BOOST_TEST(pods.at(0).name == "web-node");
  BOOST_TEST(pods.at(0).any_running);
}

BOOST_AUTO_TEST_CASE(a_long_log_is_rotated_compressed_and_limited) {
  options.container_log_max_size = 10;
  options.container_log_max_files = 3;
  Restart();
  Sync(WebPod());
  const std::string log = LogDir() + "/0.log";
  for (int i = 0; i < 4; ++i) {
    BOOST_REQUIRE(WriteFileAtomically(log, "0123456789", 0640).ok());
    BOOST_REQUIRE(manager->RotateLogs(ctx).ok());
    BOOST_TEST(!PathExists(log));  // the runtime would make it anew
    clock.Advance(1s);
  }
  const auto files = ListDir(LogDir()).value();
  BOOST_TEST(files.size() == 2u);  // and the current one: three
  BOOST_TEST(files.at(0).ends_with(".gz"));
  BOOST_TEST(!files.at(1).ends_with(".gz"));
  BOOST_TEST(Calls("ReopenContainerLog") == 4u);
}

BOOST_AUTO_TEST_CASE(a_short_log_is_left_alone_and_a_failed_reopen_undone) {
  Sync(WebPod());
  const std::string log = LogDir() + "/0.log";
  BOOST_REQUIRE(WriteFileAtomically(log, "short", 0640).ok());
  BOOST_TEST(manager->RotateLogs(ctx).ok());
  BOOST_TEST(Calls("ReopenContainerLog") == 0u);
  options.container_log_max_size = 1;
  Restart();
  runtime.FailNext("ReopenContainerLog", Error(Code::kUnknown, "no"));
  BOOST_TEST(!manager->RotateLogs(ctx).ok());
  BOOST_TEST(ReadFile(log).value() == "short");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::kubelet
