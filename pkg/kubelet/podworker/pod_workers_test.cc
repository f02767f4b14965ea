#include "pkg/kubelet/podworker/pod_workers.h"

#include <algorithm>
#include <atomic>

#include <boost/test/unit_test.hpp>

#include "pkg/kubelet/podworker/test_fakes.h"

namespace knarr::kubelet {
namespace {

using std::chrono::seconds;

class FakeProber : public PodProber {
 public:
  void AddPod(const core::Pod&) override {}
  void StopLivenessAndStartup(const std::string&) override {}
  void RemovePod(const std::string&) override {}
  void Notify(const std::string&) override {}
};

SourcePod MakePod(const std::string& name, const std::string& uid, std::vector<std::string> after = {}) {
  auto pod = std::make_shared<core::Pod>();
  pod->mutable_metadata()->set_namespace_("default");
  pod->mutable_metadata()->set_name(name);
  pod->mutable_metadata()->set_uid(uid);
  pod->mutable_spec()->add_containers()->set_name("web");
  return {.pod = std::move(pod), .file = "/m/" + name + ".yaml", .after = std::move(after)};
}

struct Node {
  explicit Node(int max_pods = 0) {
    runtime.clock = &clock;
    workers.emplace(PodWorkerDependencies{
        .runtime = runtime,
        .volumes = volumes,
        .cgroups = cgroups,
        .prober = prober,
        .events = events,
        .clock = clock,
        .generate_status =
            [this](const StatusInput& input) {
              core::PodStatus status;
              const bool runs = !input.runtime.containers.empty() && input.runtime.containers[0].state == ContainerState::kRunning;
              const bool ended = !input.runtime.containers.empty() && input.runtime.containers[0].state == ContainerState::kExited;
              status.set_phase(ended ? "Succeeded" : runs ? "Running" : "Pending");
              auto* condition = status.add_conditions();
              condition->set_type("Ready");
              condition->set_status(runs && !never_ready ? "True" : "False");
              return status;
            },
        .on_runtime_status = [](const RuntimePodStatus&) {},
        .on_gone = [this](const std::string& uid) { gone.push_back(uid); },
        .request_gc = [] {},
        .host_ips = {},
        .max_pods = max_pods,
        .log = Logger()});
  }
  void Want(std::vector<SourcePod> pods, bool ready = true) {
    auto desired = std::make_shared<DesiredState>();
    desired->pods = std::move(pods);
    desired->sources_ready = ready;
    workers->SetDesired(std::move(desired));
    workers->Drain();
  }
  PodWorkers::Phase PhaseOf(const std::string& uid) { return workers->Get(uid)->phase; }

  FakeClock clock;
  FakeManager runtime;
  FakeVolumes volumes;
  FakeCgroups cgroups;
  FakeProber prober;
  EventStore events{clock, Logger()};
  std::atomic<bool> never_ready = false;
  std::vector<std::string> gone;
  std::optional<PodWorkers> workers;
};

using Calls = std::vector<std::string>;

BOOST_AUTO_TEST_SUITE(pod_workers)

BOOST_AUTO_TEST_CASE(a_desired_pod_runs_and_an_undesired_one_is_gone) {
  Node node;
  node.workers->SetObserved({});
  node.Want({MakePod("web", "1")});
  BOOST_TEST(node.runtime.Calls() == Calls{"sync 1"}, boost::test_tools::per_element());
  BOOST_TEST(node.workers->Get("1")->status.phase() == "Running");
  node.Want({});
  BOOST_TEST(node.runtime.Calls() == Calls{"kill 1"}, boost::test_tools::per_element());
  BOOST_TEST(!node.workers->Known("1"));
  BOOST_TEST(node.volumes.torn_down == Calls{"1"}, boost::test_tools::per_element());
  BOOST_TEST(node.gone == Calls{"1"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_same_desired_state_again_does_nothing) {
  Node node;
  node.workers->SetObserved({});
  node.Want({MakePod("web", "1")});
  node.runtime.Calls();
  node.Want({MakePod("web", "1")});
  BOOST_TEST(node.runtime.Calls().empty());
  BOOST_TEST(node.clock.Pending() == 0u);
}

BOOST_AUTO_TEST_CASE(nothing_is_killed_before_all_sources_have_reported) {
  Node node;
  node.workers->SetObserved({{.uid = "old", .name = "old", .ns = "default", .any_running = true, .sandbox_ids = {}, .container_ids = {}}});
  node.Want({}, /*ready=*/false);
  BOOST_TEST(node.runtime.Calls().empty());
  node.Want({});
  BOOST_TEST(node.runtime.Calls() == Calls{"kill-orphan old"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(an_update_pulls_first_then_stops_the_old_pod_then_starts_the_new_one) {
  Node node;
  node.workers->SetObserved({});
  node.Want({MakePod("web", "1")});
  node.runtime.Calls();
  node.Want({MakePod("web", "2")});
  BOOST_TEST(node.runtime.Calls() == (Calls{"pull 2", "kill 1", "sync 2"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_old_pod_keeps_running_while_the_new_image_cannot_be_pulled) {
  Node node;
  node.workers->SetObserved({});
  node.Want({MakePod("web", "1")});
  node.runtime.Calls();
  node.runtime.pull_error = Error(Code::kNotFound, "no such image");
  node.Want({MakePod("web", "2")});
  BOOST_TEST((node.PhaseOf("1") == PodWorkers::Phase::kRunning));
  BOOST_TEST(node.workers->Get("2")->last_error == "no such image");
  BOOST_TEST(node.runtime.Calls() == Calls{"pull 2"}, boost::test_tools::per_element());
  // The mistake is taken back: the old pod was never touched.
  node.Want({MakePod("web", "1")});
  BOOST_TEST(node.runtime.Calls().empty());
  BOOST_TEST(!node.workers->Known("2"));
  // A third version that can be pulled takes over.
  node.runtime.pull_error = {};
  node.Want({MakePod("web", "3")});
  BOOST_TEST(node.runtime.Calls() == (Calls{"pull 3", "kill 1", "sync 3"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(two_quick_updates_end_with_the_last_one_and_one_pod) {
  Node node;
  node.workers->SetObserved({});
  node.Want({MakePod("web", "1")});
  node.runtime.pull_error = Error(Code::kNotFound, "not yet");
  node.Want({MakePod("web", "2")});
  node.runtime.pull_error = {};
  node.Want({MakePod("web", "3")});
  BOOST_TEST(!node.workers->Known("1"));
  BOOST_TEST(!node.workers->Known("2"));
  BOOST_TEST((node.PhaseOf("3") == PodWorkers::Phase::kRunning));
  BOOST_TEST(node.runtime.running.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_manifest_that_comes_back_while_its_pod_terminates_starts_it_again) {
  Node node;
  node.workers->SetObserved({});
  node.Want({MakePod("web", "1")});
  node.runtime.Calls();
  node.runtime.kill_error = Error(Code::kServiceUnavailable, "runtime is busy");
  node.Want({});
  BOOST_TEST((node.PhaseOf("1") == PodWorkers::Phase::kTerminating));
  node.runtime.kill_error = {};
  node.Want({MakePod("web", "1")});
  node.clock.Advance(seconds(1));
  node.workers->Drain();
  BOOST_TEST(node.runtime.Calls() == (Calls{"kill 1", "kill 1", "sync 1"}), boost::test_tools::per_element());
  BOOST_TEST((node.PhaseOf("1") == PodWorkers::Phase::kRunning));
}

BOOST_AUTO_TEST_CASE(a_running_pod_is_adopted_as_it_is) {
  Node node;
  node.runtime.running.emplace("1", node.clock.Now());
  node.workers->SetObserved({{.uid = "1", .name = "web", .ns = "default", .any_running = true, .sandbox_ids = {}, .container_ids = {}}});
  // Even though what it is declared to come after is not there.
  node.Want({MakePod("web", "1", {"default/etcd"})});
  BOOST_TEST((node.PhaseOf("1") == PodWorkers::Phase::kRunning));
  BOOST_TEST(node.workers->Get("1")->status.phase() == "Running");
}

BOOST_AUTO_TEST_CASE(an_orphan_of_the_same_name_is_replaced_after_its_successors_images_are_there) {
  Node node;
  node.runtime.running.emplace("1", node.clock.Now());
  node.workers->SetObserved({{.uid = "1", .name = "web", .ns = "default", .any_running = true, .sandbox_ids = {}, .container_ids = {}}});
  node.Want({MakePod("web", "2")});
  BOOST_TEST(node.runtime.Calls() == (Calls{"pull 2", "kill-orphan 1", "sync 2"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(after_waits_for_ready_and_shutdown_goes_in_reverse) {
  Node node;
  node.workers->SetObserved({});
  node.never_ready = true;
  node.Want({MakePod("api", "a", {"default/etcd"}), MakePod("etcd", "e")});
  BOOST_TEST((node.PhaseOf("a") == PodWorkers::Phase::kWaiting));
  BOOST_TEST(node.workers->Get("a")->waits_for == "waiting for pod default/etcd to be Ready (knarr.dev/after)");
  BOOST_TEST(node.runtime.Calls() == Calls{"sync e"}, boost::test_tools::per_element());
  node.never_ready = false;
  node.workers->Wake("e", false);
  node.workers->Drain();
  BOOST_TEST((node.PhaseOf("a") == PodWorkers::Phase::kRunning));
  node.runtime.Calls();
  BOOST_TEST(node.workers->ShutDownPods(Context::Background().WithTimeout(seconds(20))).ok());
  BOOST_TEST(node.runtime.Calls() == (Calls{"kill a", "kill e"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_pass_that_hangs_shows_its_age_and_a_long_wait_does_not) {
  Node node;
  std::vector<Duration> ages;
  node.runtime.on_sync = [&](const std::string& uid) {
    node.clock.Advance(seconds(200));
    ages.push_back(node.workers->LongestPass());
    node.workers->LongWait(uid, true);
    node.workers->LongWait(uid, true);
    node.clock.Advance(std::chrono::hours(1));
    ages.push_back(node.workers->LongestPass());
    node.workers->LongWait(uid, false);
    ages.push_back(node.workers->LongestPass());
    node.workers->LongWait(uid, false);
    node.clock.Advance(seconds(7));
    ages.push_back(node.workers->LongestPass());
  };
  node.workers->SetObserved({});
  node.Want({MakePod("web", "1")});
  BOOST_REQUIRE(ages.size() == 4u);
  BOOST_TEST((ages[0] == seconds(200)));
  BOOST_TEST((ages[1] == Duration::zero()));
  BOOST_TEST((ages[2] == Duration::zero()));
  BOOST_TEST((ages[3] == seconds(7)));
  node.clock.Advance(std::chrono::hours(1));
  BOOST_TEST((node.workers->LongestPass() == Duration::zero()));
}

BOOST_AUTO_TEST_CASE(more_pods_than_max_pods_are_not_admitted_until_one_ends) {
  Node node(2);
  node.runtime.running.emplace("1", node.clock.Now());
  node.workers->SetObserved({{.uid = "1", .name = "one", .ns = "default", .any_running = true, .sandbox_ids = {}, .container_ids = {}}});
  const SourcePod one = MakePod("one", "1"), two = MakePod("two", "2"), three = MakePod("three", "3");
  node.Want({one, two});
  node.Want({one, two, three});
  BOOST_TEST((node.PhaseOf("3") == PodWorkers::Phase::kWaiting));
  BOOST_TEST(node.workers->Get("3")->status.phase() == "Failed");
  BOOST_TEST(node.workers->Get("3")->status.reason() == "OutOfpods");
  BOOST_TEST(node.workers->Get("3")->status.message() ==
             "Pod was rejected: Node didn't have enough resource: pods, requested: 1, used: 2, capacity: 2");
  const std::vector<Event> events = node.events.List("default", "three");
  BOOST_REQUIRE(events.size() == 1u);
  BOOST_TEST(events[0].reason == "OutOfpods");
  BOOST_TEST(events[0].message == "Node didn't have enough resource: pods, requested: 1, used: 2, capacity: 2");
  // What runs is never touched, and a pod that ended makes room.
  BOOST_TEST((node.PhaseOf("1") == PodWorkers::Phase::kRunning));
  node.Want({two, three});
  BOOST_TEST((node.PhaseOf("3") == PodWorkers::Phase::kRunning));
  BOOST_TEST(node.workers->Get("3")->status.phase() == "Running");
  BOOST_TEST(node.workers->Get("3")->status.reason() == "");
}

BOOST_AUTO_TEST_CASE(many_at_once_are_admitted_up_to_max_pods) {
  Node node(3);
  node.workers->SetObserved({});
  std::vector<SourcePod> pods;
  for (int i = 0; i < 20; ++i) pods.push_back(MakePod(fmt::format("p{}", i), fmt::format("u{}", i)));
  node.Want(pods);
  BOOST_TEST(node.runtime.Calls().size() == 3u);
}

BOOST_AUTO_TEST_CASE(a_failed_sync_is_tried_again_with_back_off) {
  Node node;
  node.workers->SetObserved({});
  node.runtime.failing_syncs = 2;
  node.Want({MakePod("web", "1")});
  BOOST_TEST(node.workers->Get("1")->last_error == "no luck");
  node.clock.Advance(seconds(1));
  node.workers->Drain();
  node.clock.Advance(seconds(2));
  node.workers->Drain();
  BOOST_TEST(node.runtime.Calls() == (Calls{"sync 1", "sync 1", "sync 1"}), boost::test_tools::per_element());
  BOOST_TEST(node.workers->Get("1")->last_error == "");
  BOOST_TEST(node.clock.Pending() == 0u);
}

BOOST_AUTO_TEST_CASE(a_pod_that_completed_frees_its_resources_and_stays_visible) {
  Node node;
  node.workers->SetObserved({});
  node.Want({MakePod("job", "1")});
  node.runtime.exited.insert("1");
  node.workers->Wake("1", true);
  node.workers->Drain();
  BOOST_TEST((node.PhaseOf("1") == PodWorkers::Phase::kFinished));
  BOOST_TEST(node.workers->Get("1")->status.phase() == "Succeeded");
  BOOST_TEST(node.volumes.torn_down == Calls{"1"}, boost::test_tools::per_element());
  node.runtime.Calls();
  node.workers->Wake("1", true);
  node.workers->Drain();
  BOOST_TEST(node.runtime.Calls().empty());
}

BOOST_AUTO_TEST_CASE(a_pod_past_its_active_deadline_fails) {
  Node node;
  node.workers->SetObserved({});
  auto source = MakePod("web", "1");
  auto pod = std::make_shared<core::Pod>(*source.pod);
  pod->mutable_spec()->set_activedeadlineseconds(30);
  source.pod = pod;
  node.Want({source});
  node.workers->Wake("1", true);
  node.workers->Drain();
  BOOST_TEST((node.PhaseOf("1") == PodWorkers::Phase::kRunning));
  node.clock.Advance(seconds(30));
  node.workers->Drain();
  BOOST_TEST((node.PhaseOf("1") == PodWorkers::Phase::kFinished));
  BOOST_TEST(node.workers->Get("1")->status.reason() == "DeadlineExceeded");
  BOOST_TEST(node.workers->Get("1")->status.phase() == "Failed");
}

BOOST_AUTO_TEST_CASE(a_changed_config_map_refreshes_volumes_without_a_restart) {
  Node node;
  node.workers->SetObserved({});
  auto desired = std::make_shared<DesiredState>();
  desired->pods = {MakePod("web", "1")};
  desired->sources_ready = true;
  node.workers->SetDesired(desired);
  node.workers->Drain();
  const int before = node.volumes.refreshed;
  auto changed = std::make_shared<DesiredState>(*desired);
  changed->config_maps[{"default", "settings"}] = std::make_shared<core::ConfigMap>();
  node.workers->SetDesired(changed);
  node.workers->Drain();
  BOOST_TEST(node.volumes.refreshed == before + 1);
}

BOOST_AUTO_TEST_CASE(other_content_under_a_fixed_uid_replaces_the_pod) {
  Node node;
  node.workers->SetObserved({});
  auto with_hash = [](const char* hash) {
    SourcePod source = MakePod("web", "fixed");
    auto pod = std::make_shared<core::Pod>(*source.pod);
    (*pod->mutable_metadata()->mutable_annotations())["kubernetes.io/config.hash"] = hash;
    source.pod = pod;
    return source;
  };
  node.Want({with_hash("one")});
  node.runtime.Calls();
  node.Want({with_hash("one")});
  BOOST_TEST(node.runtime.Calls().empty());
  node.Want({with_hash("two")});
  BOOST_TEST(node.runtime.Calls() == (Calls{"kill fixed", "sync fixed"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(stopping_the_kubelet_leaves_pods_running) {
  Node node;
  node.workers->SetObserved({});
  node.Want({MakePod("web", "1")});
  node.runtime.Calls();
  node.workers.reset();
  BOOST_TEST(node.runtime.Calls().empty());
  BOOST_TEST(node.runtime.running.size() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::kubelet
