#include "pkg/kubelet/health.h"

#include <boost/test/unit_test.hpp>

#include "pkg/kubelet/podworker/pass_watch.h"

namespace knarr::kubelet {
namespace {

using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(health)

BOOST_AUTO_TEST_CASE(a_pass_older_than_the_bound_is_not_healthy) {
  FakeClock clock;
  PassWatch watch(clock);
  const auto healthy = [&](Duration sync_frequency = 1min) {
    return SyncLoopHealth(watch.Longest(), 0s, sync_frequency);
  };
  watch.Begin("1");
  clock.Advance(5min);
  BOOST_TEST(healthy().ok());
  clock.Advance(1s);
  BOOST_TEST(healthy().message() == "sync Loop took longer than expected");
  // Twice the sync frequency, if that is more.
  BOOST_TEST(healthy(3min).ok());
  clock.Advance(1min);
  BOOST_TEST(!healthy(3min).ok());
  // A quick pass of another pod does not hide it; its own end does.
  watch.Begin("2");
  BOOST_TEST(!healthy().ok());
  watch.End("1");
  BOOST_TEST(healthy().ok());
}

BOOST_AUTO_TEST_CASE(a_pull_may_take_its_time) {
  FakeClock clock;
  PassWatch watch(clock);
  watch.Begin("1");
  watch.Wait("1", true);
  clock.Advance(1h);
  BOOST_TEST(SyncLoopHealth(watch.Longest(), 0s, 1min).ok());
  watch.Wait("1", false);
  clock.Advance(6min);
  BOOST_TEST(!SyncLoopHealth(watch.Longest(), 0s, 1min).ok());
  watch.Wait("unknown", true);
  watch.End("unknown");
}

BOOST_AUTO_TEST_CASE(the_thread_of_the_sources_counts_too) {
  BOOST_TEST(SyncLoopHealth(0s, 5min, 1min).ok());
  BOOST_TEST(!SyncLoopHealth(0s, 5min + 1ms, 1min).ok());
}

BOOST_AUTO_TEST_CASE(a_network_that_is_not_ready_is_one_line_and_what_to_do) {
  BOOST_TEST(ExplainNetwork({.ready = true}).empty());
  std::vector<NodeProblem> problems =
      ExplainNetwork({.ready = false,
                      .reason = "NetworkPluginNotReady",
                      .message = "Network plugin returns error: cni plugin not initialized",
                      .detail = "no network configuration in /etc/cni/net.d"});
  BOOST_REQUIRE(problems.size() == 1u);
  BOOST_TEST(problems[0].reason == "NetworkPluginNotReady");
  BOOST_TEST(problems[0].why ==
             "network plugin not ready: cni plugin not initialized: no network configuration in /etc/cni/net.d");
  BOOST_TEST(problems[0].next.find("--cni-conf-dir") != std::string::npos);
  problems = ExplainNetwork(
      {.ready = false,
       .reason = "NetworkPluginNotReady",
       .message = "Network plugin returns error: failed to find plugin \"flannel\" in path [/opt/cni/bin]",
       .detail = "network \"cbr0\" of 10.conflist\nneeds it"});
  BOOST_TEST(problems[0].why.find('\n') == std::string::npos);
  BOOST_TEST(problems[0].next == "install the plugin into a directory of --cni-bin-dir");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::kubelet
