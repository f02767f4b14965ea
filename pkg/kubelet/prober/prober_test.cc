#include "pkg/kubelet/prober/prober.h"

#include <boost/test/unit_test.hpp>

#include <atomic>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/types.h"

namespace knarr::kubelet {
namespace {

using namespace std::chrono_literals;

core::Pod MakePod() {
  core::Pod pod;
  pod.mutable_metadata()->set_name("web");
  pod.mutable_metadata()->set_namespace_("default");
  pod.mutable_metadata()->set_uid("u1");
  pod.mutable_spec()->set_restartpolicy("Always");
  pod.mutable_spec()->add_containers()->set_name("c");
  return pod;
}

core::Probe ExecProbe(const std::string& command, int period = 10, int failures = 1, int successes = 1, int delay = 0) {
  core::Probe probe;
  probe.mutable_handler()->mutable_exec()->add_command(command);
  probe.set_periodseconds(period);
  probe.set_failurethreshold(failures);
  probe.set_successthreshold(successes);
  probe.set_initialdelayseconds(delay);
  probe.set_timeoutseconds(1);
  return probe;
}

struct Fixture {
  FakeClock clock;
  ElasticPool pool{"probe", 4};
  std::mutex mutex;
  ProbePodState state{.pod_ip = "127.0.0.1"};
  bool known = true;
  std::map<std::string, Result<ExecOutput>> answers;
  std::map<std::string, int> runs;
  std::vector<ProbeManager::Update> updates;
  std::vector<ProbeManager::Event> events;
  double jitter = 0;
  core::Pod pod = MakePod();
  std::unique_ptr<ProbeManager> manager;

  Fixture() { Start(); }
  void Start() {
    ProbeManager::Options options;
    options.state = [this](const std::string&) -> std::optional<ProbePodState> {
      std::lock_guard lock(mutex);
      return known ? std::optional(state) : std::nullopt;
    };
    options.exec = [this](const Context&, const std::string&,
                          const std::vector<std::string>& command) -> Result<ExecOutput> {
      std::lock_guard lock(mutex);
      ++runs[command[0]];
      const auto found = answers.find(command[0]);
      return found == answers.end() ? Result<ExecOutput>(ExecOutput{}) : found->second;
    };
    options.on_update = [this](const ProbeManager::Update& update) {
      std::lock_guard lock(mutex);
      updates.push_back(update);
    };
    options.on_event = [this](const ProbeManager::Event& event) {
      std::lock_guard lock(mutex);
      events.push_back(event);
    };
    options.jitter = [this] { return jitter; };
    manager = std::make_unique<ProbeManager>(std::move(options), pool, clock);
  }
  core::Container& Container() { return *pod.mutable_spec()->mutable_containers(0); }
  void Run(const std::string& id = "containerd://id1") {
    std::lock_guard lock(mutex);
    state.containers["c"] = {.id = id, .running = true, .started_at = clock.Now()};
  }
  void Fail(const std::string& command, const std::string& output = "no") {
    Answer(command, ExecOutput{.exit_code = 1, .output = output});
  }
  void Answer(const std::string& command, Result<ExecOutput> answer) {
    std::lock_guard lock(mutex);
    answers.insert_or_assign(command, std::move(answer));
  }
  void Settle() { pool.Drain(); }
  void Advance(Duration by) {
    clock.Advance(by);
    Settle();
  }
  void Add() {
    manager->AddPod(pod);
    Settle();
  }
  std::optional<ProbeResult> Get(ProbeType type, const std::string& id = "id1") { return manager->Get(type, id); }
};

constexpr auto kLive = ProbeType::kLiveness;
constexpr auto kReady = ProbeType::kReadiness;
constexpr auto kStart = ProbeType::kStartup;

BOOST_FIXTURE_TEST_SUITE(prober, Fixture)

BOOST_AUTO_TEST_CASE(the_first_probe_runs_at_once_and_the_next_after_each_period) {
  *Container().mutable_readinessprobe() = ExecProbe("r");
  Run();
  Add();
  BOOST_TEST(runs["r"] == 1);
  BOOST_TEST((Get(kReady) == ProbeResult::kSuccess));
  Advance(9s);
  BOOST_TEST(runs["r"] == 1);
  Advance(1s);
  BOOST_TEST(runs["r"] == 2);
  BOOST_TEST(clock.Pending() == 1u);
  BOOST_REQUIRE(updates.size() == 1u);
  BOOST_TEST(updates[0].container_id == "id1");
}

BOOST_AUTO_TEST_CASE(before_the_first_result_a_container_is_alive_and_not_ready) {
  *Container().mutable_readinessprobe() = ExecProbe("r", 10, 1, 1, 30);
  *Container().mutable_livenessprobe() = ExecProbe("l", 10, 1, 1, 30);
  Run();
  Add();
  BOOST_TEST((Get(kReady) == ProbeResult::kFailure));
  BOOST_TEST((Get(kLive) == ProbeResult::kSuccess));
  BOOST_TEST(!manager->MustRestart("containerd://id1").has_value());
  BOOST_TEST(updates.empty());
}

BOOST_AUTO_TEST_CASE(the_initial_delay_is_kept_to_the_second_and_not_rounded_to_a_period) {
  *Container().mutable_readinessprobe() = ExecProbe("r", 10, 1, 1, 3);
  Run();
  Add();
  Advance(2s);
  BOOST_TEST(runs["r"] == 0);
  Advance(1s);
  BOOST_TEST(runs["r"] == 1);
  Advance(10s);
  BOOST_TEST(runs["r"] == 2);
}

BOOST_AUTO_TEST_CASE(a_liveness_probe_fails_at_its_threshold_and_then_waits_for_a_new_container) {
  *Container().mutable_livenessprobe() = ExecProbe("l", 10, 3);
  Run();
  Add();
  Fail("l", "broken");
  Advance(10s);
  Advance(10s);
  BOOST_TEST(!manager->MustRestart("id1").has_value());
  Advance(10s);
  BOOST_TEST((manager->MustRestart("id1") == kLive));
  BOOST_REQUIRE(!updates.empty());
  BOOST_TEST((updates.back().result == ProbeResult::kFailure));
  BOOST_TEST(updates.back().message == "broken");
  BOOST_TEST(events.back().reason == "Unhealthy");
  BOOST_TEST(events.back().message == "Liveness probe failed: broken");
  const int before = runs["l"];
  Advance(10s);
  BOOST_TEST(runs["l"] == before);
  Run("containerd://id2");
  manager->Notify("u1");
  Settle();
  BOOST_TEST(runs["l"] == before + 1);
  BOOST_TEST((Get(kLive, "id2") == ProbeResult::kSuccess));
  BOOST_TEST(!Get(kLive, "id1").has_value());
}

BOOST_AUTO_TEST_CASE(readiness_follows_both_thresholds) {
  *Container().mutable_readinessprobe() = ExecProbe("r", 10, 2, 2);
  Run();
  Add();
  BOOST_TEST((Get(kReady) == ProbeResult::kFailure));
  Advance(10s);
  BOOST_TEST((Get(kReady) == ProbeResult::kSuccess));
  Fail("r");
  Advance(10s);
  BOOST_TEST((Get(kReady) == ProbeResult::kSuccess));
  Advance(10s);
  BOOST_TEST((Get(kReady) == ProbeResult::kFailure));
}

BOOST_AUTO_TEST_CASE(other_probes_wait_for_the_startup_probe_and_then_run_at_once) {
  *Container().mutable_startupprobe() = ExecProbe("s", 10, 5);
  *Container().mutable_readinessprobe() = ExecProbe("r");
  *Container().mutable_livenessprobe() = ExecProbe("l");
  Fail("s");
  Run();
  Add();
  Advance(10s);
  BOOST_TEST(runs["s"] == 2);
  BOOST_TEST(runs["r"] + runs["l"] == 0);
  Answer("s", ExecOutput{});
  Advance(10s);
  BOOST_TEST((Get(kStart) == ProbeResult::kSuccess));
  BOOST_TEST(runs["r"] == 1);
  BOOST_TEST(runs["l"] == 1);
  const int startups = runs["s"];
  Advance(10s);
  BOOST_TEST(runs["s"] == startups);  // once started, never asked again
  Run("id2");
  manager->Notify("u1");
  Settle();
  BOOST_TEST(runs["s"] == startups + 1);
}

BOOST_AUTO_TEST_CASE(a_failed_startup_probe_calls_for_a_restart) {
  *Container().mutable_startupprobe() = ExecProbe("s");
  Fail("s");
  Run();
  Add();
  BOOST_TEST((manager->MustRestart("id1") == kStart));
}

BOOST_AUTO_TEST_CASE(a_probe_that_could_not_be_done_is_retried_and_changes_nothing) {
  *Container().mutable_livenessprobe() = ExecProbe("l");
  Answer("l", Error(Code::kServiceUnavailable, "the runtime is away"));
  Run();
  Add();
  BOOST_TEST(runs["l"] == 3);
  BOOST_TEST((Get(kLive) == ProbeResult::kSuccess));
  BOOST_REQUIRE(events.size() == 1u);
  BOOST_TEST(events[0].message == "Liveness probe errored and resulted in unknown state: the runtime is away");
  BOOST_TEST(manager->metrics().Expose().find("prober_probe_total{") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_command_that_takes_too_long_is_a_failure) {
  *Container().mutable_livenessprobe() = ExecProbe("slow");
  Answer("slow", Error(Code::kTimeout, "context deadline exceeded"));
  Run();
  Add();
  BOOST_TEST((manager->MustRestart("id1") == kLive));
  BOOST_TEST(events.at(0).message == "Liveness probe failed: command timed out: \"slow\" timed out after 1s");
}

BOOST_AUTO_TEST_CASE(notifying_never_probes_ahead_of_time) {
  *Container().mutable_livenessprobe() = ExecProbe("l", 10, 3);
  Fail("l");
  Run();
  Add();
  for (int i = 0; i < 10; ++i) {
    manager->Notify("u1");
    Settle();
  }
  BOOST_TEST(runs["l"] == 1);
  Advance(10s);
  BOOST_TEST(runs["l"] == 2);
}

BOOST_AUTO_TEST_CASE(a_container_that_starts_later_is_probed_when_the_kubelet_says_so) {
  *Container().mutable_readinessprobe() = ExecProbe("r");
  Add();
  BOOST_TEST(runs["r"] == 0);
  Advance(4s);
  Run();
  manager->Notify("u1");
  Settle();
  BOOST_TEST(runs["r"] == 1);
  Advance(9s);
  BOOST_TEST(runs["r"] == 1);
  Advance(1s);
  BOOST_TEST(runs["r"] == 2);
}

BOOST_AUTO_TEST_CASE(after_a_restart_of_the_kubelet_probes_of_running_containers_are_spread) {
  jitter = 0.5;
  *Container().mutable_readinessprobe() = ExecProbe("r");
  Run();
  Add();
  manager->Notify("u1");
  Advance(4s);
  BOOST_TEST(runs["r"] == 0);
  Advance(1s);
  BOOST_TEST(runs["r"] == 1);
}

BOOST_AUTO_TEST_CASE(termination_ends_liveness_and_startup_but_not_readiness) {
  *Container().mutable_livenessprobe() = ExecProbe("l");
  *Container().mutable_readinessprobe() = ExecProbe("r");
  Run();
  Add();
  manager->StopLivenessAndStartup("u1");
  BOOST_TEST(manager->Workers() == 1u);
  Fail("l");
  Fail("r");
  Advance(10s);
  BOOST_TEST(runs["l"] == 1);
  BOOST_TEST(runs["r"] == 2);
  BOOST_TEST((Get(kReady) == ProbeResult::kFailure));
  BOOST_TEST(!manager->MustRestart("id1").has_value());
}

BOOST_AUTO_TEST_CASE(workers_end_with_their_pod_and_leave_nothing_behind) {
  *Container().mutable_livenessprobe() = ExecProbe("l");
  *Container().mutable_readinessprobe() = ExecProbe("r");
  Run();
  Add();
  BOOST_TEST(manager->metrics().Expose().find("prober_probe_total{probe_type=\"Liveness\",result=\"successful\","
                                              "container=\"c\",pod=\"web\",namespace=\"default\",pod_uid=\"u1\"} 1") !=
             std::string::npos);
  manager->CleanupPods({"u1"});
  BOOST_TEST(manager->Workers() == 2u);
  manager->RemovePod("u1");
  BOOST_TEST(manager->Workers() == 0u);
  BOOST_TEST(clock.Pending() == 0u);
  BOOST_TEST(manager->metrics().Expose().find("pod_uid") == std::string::npos);
  Add();
  state.finished = true;
  Advance(10s);
  BOOST_TEST(manager->Workers() == 0u);
}

BOOST_AUTO_TEST_CASE(a_container_that_ended_for_good_is_no_longer_looked_at) {
  *Container().mutable_readinessprobe() = ExecProbe("r");
  pod.mutable_spec()->set_restartpolicy("Never");
  Run();
  Add();
  state.containers["c"].running = false;
  state.containers["c"].terminated = true;
  Advance(10s);
  BOOST_TEST(manager->Workers() == 0u);
}

BOOST_AUTO_TEST_CASE(an_ended_container_that_will_restart_is_not_ready) {
  *Container().mutable_readinessprobe() = ExecProbe("r");
  Run();
  Add();
  state.containers["c"].running = false;
  state.containers["c"].terminated = true;
  manager->Notify("u1");
  Settle();
  BOOST_TEST((Get(kReady) == ProbeResult::kFailure));
  BOOST_TEST(runs["r"] == 1);
}

BOOST_AUTO_TEST_CASE(adding_a_pod_twice_keeps_its_workers_and_sidecars_have_probes_too) {
  *Container().mutable_readinessprobe() = ExecProbe("r");
  core::Container& sidecar = *pod.mutable_spec()->add_initcontainers();
  sidecar.set_name("side");
  sidecar.set_restartpolicy("Always");
  *sidecar.mutable_readinessprobe() = ExecProbe("s");
  core::Container& init = *pod.mutable_spec()->add_initcontainers();
  init.set_name("init");
  *init.mutable_readinessprobe() = ExecProbe("i");
  Add();
  Add();
  BOOST_TEST(manager->Workers() == 2u);
}

BOOST_AUTO_TEST_CASE(statuses_say_started_and_ready) {
  *Container().mutable_startupprobe() = ExecProbe("s");
  *Container().mutable_readinessprobe() = ExecProbe("r");
  pod.mutable_spec()->add_containers()->set_name("plain");
  pod.mutable_spec()->add_initcontainers()->set_name("init");
  Fail("r");
  Run();
  Add();
  core::PodStatus status;
  for (const char* name : {"c", "plain"}) {
    core::ContainerStatus& c = *status.add_containerstatuses();
    c.set_name(name);
    c.set_containerid(std::string("containerd://id") + (name[0] == 'c' ? "1" : "9"));
    c.mutable_state()->mutable_running();
  }
  core::ContainerStatus& init = *status.add_initcontainerstatuses();
  init.set_name("init");
  init.mutable_state()->mutable_terminated()->set_exitcode(0);
  manager->UpdatePodStatus(pod, &status);
  BOOST_TEST(status.containerstatuses(0).started());
  BOOST_TEST(!status.containerstatuses(0).ready());
  BOOST_TEST(status.containerstatuses(1).ready());
  BOOST_TEST(status.initcontainerstatuses(0).ready());
  Answer("r", ExecOutput{});
  Advance(10s);
  manager->UpdatePodStatus(pod, &status);
  BOOST_TEST(status.containerstatuses(0).ready());
  status.mutable_containerstatuses(1)->mutable_state()->mutable_terminated();
  status.mutable_containerstatuses(1)->mutable_state()->clear_running();
  manager->UpdatePodStatus(pod, &status);
  BOOST_TEST(!status.containerstatuses(1).ready());
  BOOST_TEST(!status.containerstatuses(1).started());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::kubelet
