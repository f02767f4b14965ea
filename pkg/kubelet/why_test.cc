#include "pkg/kubelet/why.h"

#include <boost/test/unit_test.hpp>

namespace knarr::kubelet {
namespace {

PodWorkers::Snapshot Running() {
  PodWorkers::Snapshot pod;
  pod.ns = "default";
  pod.name = "web-node1";
  pod.phase = PodWorkers::Phase::kRunning;
  pod.status.set_phase("Running");
  return pod;
}

void SetReady(PodWorkers::Snapshot& pod) {
  auto* condition = pod.status.add_conditions();
  condition->set_type("Ready");
  condition->set_status("True");
}

BOOST_AUTO_TEST_SUITE(why)

BOOST_AUTO_TEST_CASE(nothing_to_say_of_a_ready_pod) {
  auto pod = Running();
  SetReady(pod);
  BOOST_TEST(ExplainPod(pod, {}, {}).why.empty());
}

BOOST_AUTO_TEST_CASE(a_ready_pod_whose_manifest_went_bad_is_stale) {
  auto pod = Running();
  SetReady(pod);
  const ManifestProblem problem{.file = "/m/web.yaml", .line = 3, .field = "spec.containers", .message = "Required value", .keeps = "default/web-node1", .since = {}};
  const Explanation e = ExplainPod(pod, {}, {problem});
  BOOST_TEST(e.reason == "StaleManifest");
  BOOST_TEST(e.next == "correct /m/web.yaml");
}

BOOST_AUTO_TEST_CASE(a_crash_loop_names_container_count_and_exit_code) {
  auto pod = Running();
  auto* status = pod.status.add_containerstatuses();
  status->set_name("app");
  status->set_restartcount(4);
  status->mutable_state()->mutable_waiting()->set_reason("CrashLoopBackOff");
  status->mutable_state()->mutable_waiting()->set_message("back-off 40s restarting failed container=app");
  status->mutable_laststate()->mutable_terminated()->set_exitcode(2);
  status->mutable_laststate()->mutable_terminated()->set_reason("Error");
  const Explanation e = ExplainPod(pod, {}, {});
  BOOST_TEST(e.reason == "CrashLoopBackOff");
  BOOST_TEST(e.why == "container app ended 5 times, last with exit code 2 (Error): back-off 40s restarting failed container=app");
  BOOST_TEST(e.next == "look at its output: knarr logs --previous web-node1 -c app");
}

BOOST_AUTO_TEST_CASE(an_init_container_comes_before_the_containers_that_wait_for_it) {
  auto pod = Running();
  auto* init = pod.status.add_initcontainerstatuses();
  init->set_name("setup");
  init->mutable_state()->mutable_waiting()->set_reason("ImagePullBackOff");
  init->mutable_state()->mutable_waiting()->set_message("Back-off pulling image \"nope\"");
  auto* app = pod.status.add_containerstatuses();
  app->set_name("app");
  app->mutable_state()->mutable_waiting()->set_reason("PodInitializing");
  const Explanation e = ExplainPod(pod, {}, {});
  BOOST_TEST(e.why == "init container setup: Back-off pulling image \"nope\"");
}

BOOST_AUTO_TEST_CASE(a_container_that_fails_its_readiness_probe_quotes_the_probe) {
  auto pod = Running();
  auto* app = pod.status.add_containerstatuses();
  app->set_name("app");
  app->mutable_state()->mutable_running();
  Event event;
  event.type = EventType::kWarning;
  event.reason = "Unhealthy";
  event.message = "Readiness probe failed: HTTP probe failed with statuscode: 503";
  const Explanation e = ExplainPod(pod, {event}, {});
  BOOST_TEST(e.why == "container app runs and is not ready: Readiness probe failed: HTTP probe failed with statuscode: 503");
}

BOOST_AUTO_TEST_CASE(a_probe_whose_command_printed_nothing_is_said_so) {
  auto pod = Running();
  auto* app = pod.status.add_containerstatuses();
  app->set_name("app");
  app->mutable_state()->mutable_running();
  Event event;
  event.type = EventType::kWarning;
  event.reason = "Unhealthy";
  event.message = "Readiness probe failed: ";
  BOOST_TEST(ExplainPod(pod, {event}, {}).why ==
             "container app runs and is not ready: Readiness probe failed: its command printed nothing");
}

BOOST_AUTO_TEST_CASE(a_pod_beyond_max_pods_says_what_to_do) {
  auto pod = Running();
  pod.phase = PodWorkers::Phase::kWaiting;
  pod.waits_for = "waiting for another pod to end: maxPods is reached";
  pod.status.set_phase("Failed");
  pod.status.set_reason("OutOfpods");
  pod.status.set_message("Pod was rejected: Node didn't have enough resource: pods, requested: 1, used: 2, capacity: 2");
  const Explanation e = ExplainPod(pod, {}, {});
  BOOST_TEST(e.reason == "OutOfpods");
  BOOST_TEST(e.why == pod.status.message());
  BOOST_TEST(!e.next.empty());
}

BOOST_AUTO_TEST_CASE(a_waiting_pod_names_what_it_waits_for) {
  auto pod = Running();
  pod.phase = PodWorkers::Phase::kWaiting;
  pod.waits_for = "waiting for pod default/etcd to be Ready (knarr.dev/after)";
  BOOST_TEST(ExplainPod(pod, {}, {}).why == pod.waits_for);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::kubelet
