#include "pkg/kubelet/status/generate.h"

#include <boost/test/unit_test.hpp>

#include <fmt/core.h>

#include "pkg/kubelet/kuberuntime/test_pods.h"

namespace knarr::kubelet {
namespace {

using namespace std::chrono_literals;

const WallTime kStart(1000s);

ContainerStatus Running(std::string name, int attempt = 0) {
  ContainerStatus c;
  c.id = name + std::to_string(attempt);
  c.name = std::move(name);
  c.state = ContainerState::kRunning;
  c.created_at = c.started_at = kStart;
  c.restart_count = attempt;
  c.sandbox_id = "s0";
  c.image = "docker.io/library/web:1";
  c.image_id = "docker.io/library/web@sha256:1";
  return c;
}

ContainerStatus Exited(std::string name, int code, int attempt = 0) {
  ContainerStatus c = Running(std::move(name), attempt);
  c.state = ContainerState::kExited;
  c.exit_code = code;
  c.reason = code == 0 ? "Completed" : "Error";
  c.finished_at = kStart + 5s;
  return c;
}

RuntimePodStatus Up(std::vector<ContainerStatus> containers) {
  RuntimePodStatus status;
  status.ips = {"10.88.0.2", "fd00::2"};
  SandboxStatus sandbox;
  sandbox.id = "s0";
  sandbox.ready = true;
  sandbox.ips = status.ips;
  status.sandboxes = {sandbox};
  status.containers = std::move(containers);
  return status;
}

core::PodStatus Generate(const core::Pod& pod, const RuntimePodStatus& runtime, const std::map<std::string, WaitingReason>& waiting = {},
                         const core::PodStatus& old = {}, bool terminal = false) {
  StatusFacts facts;
  facts.now = kStart + 60s;
  facts.host_ips = {"192.0.2.1"};
  facts.terminal = terminal;
  return GeneratePodStatus(pod, runtime, waiting, nullptr, facts, old);
}

// "Ready=False ContainersNotReady containers with unready status: [web]"
std::string Condition(const core::PodStatus& status, std::string_view type) {
  for (const auto& c : status.conditions()) {
    if (c.type() != type) continue;
    return c.status() + (c.reason().empty() ? "" : " " + c.reason()) + (c.message().empty() ? "" : " " + c.message());
  }
  return "none";
}

constexpr char kInit[] = "initContainers: [{name: i, image: 'i:1'}]\ncontainers: [{name: web, image: 'web:1'}]\n";
constexpr char kSidecar[] = "initContainers: [{name: p, image: 'p:1', restartPolicy: Always}]\ncontainers: [{name: web, image: 'web:1'}]\n";

BOOST_AUTO_TEST_SUITE(pod_status)

BOOST_AUTO_TEST_CASE(a_pod_that_has_nothing_yet_is_pending) {
  const core::PodStatus status = Generate(WebPod(), {});
  BOOST_TEST(status.phase() == "Pending");
  BOOST_TEST(status.containerstatuses(0).state().waiting().reason() == "ContainerCreating");
  BOOST_TEST(Condition(status, "PodReadyToStartContainers") == "False");
  BOOST_TEST(Condition(status, "Initialized") == "True");
  BOOST_TEST(Condition(status, "Ready") == "False ContainersNotReady containers with unready status: [web]");
  BOOST_TEST(Condition(status, "ContainersReady") == "False ContainersNotReady containers with unready status: [web]");
  BOOST_TEST(Condition(status, "PodScheduled") == "True");
  BOOST_TEST(status.hostip() == "192.0.2.1");
  BOOST_TEST(status.qosclass() == "BestEffort");
  BOOST_TEST(status.starttime().seconds() == 1060);
}

BOOST_AUTO_TEST_CASE(a_running_pod_is_ready_and_has_addresses) {
  const core::PodStatus status = Generate(WebPod(), Up({Running("web")}));
  BOOST_TEST(status.phase() == "Running");
  BOOST_TEST(Condition(status, "Ready") == "True");
  BOOST_TEST(Condition(status, "PodReadyToStartContainers") == "True");
  BOOST_TEST(status.podip() == "10.88.0.2");
  BOOST_TEST(status.podips(1).ip() == "fd00::2");
  const auto& web = status.containerstatuses(0);
  BOOST_TEST(web.containerid() == "containerd://web0");
  BOOST_TEST(web.imageid() == "docker.io/library/web@sha256:1");
  BOOST_TEST(web.state().running().startedat().seconds() == 1000);
  BOOST_TEST(web.started());
}

BOOST_AUTO_TEST_CASE(a_pod_on_the_hosts_network_has_the_hosts_addresses) {
  const core::Pod pod = MakePod("containers: [{name: web, image: 'web:1'}]\nhostNetwork: true\n");
  BOOST_TEST(Generate(pod, {}).podip() == "192.0.2.1");
}

BOOST_AUTO_TEST_CASE(phases_follow_policy_and_exit_codes) {
  const struct {
    const char* policy;
    std::vector<ContainerStatus> containers;
    const char* phase;
  } table[] = {
      {"Always", {Exited("a", 0), Exited("b", 1)}, "Running"},   {"Always", {Running("a"), Exited("b", 1)}, "Running"},
      {"Never", {Exited("a", 0), Exited("b", 0)}, "Succeeded"},  {"Never", {Exited("a", 0), Exited("b", 1)}, "Failed"},
      {"OnFailure", {Exited("a", 0), Exited("b", 0)}, "Succeeded"}, {"OnFailure", {Exited("a", 0), Exited("b", 1)}, "Running"},
      {"Never", {Running("a")}, "Pending"},                       {"Never", {Exited("a", 0)}, "Pending"},
  };
  for (const auto& row : table) {
    const core::Pod pod =
        MakePod(fmt::format("containers: [{{name: a, image: 'a:1'}}, {{name: b, image: 'b:1'}}]\nrestartPolicy: {}\n", row.policy));
    BOOST_TEST(Generate(pod, Up(row.containers)).phase() == row.phase, row.policy << " " << row.containers.size() << " " << row.phase);
  }
}

BOOST_AUTO_TEST_CASE(a_finished_pod_says_so_in_its_conditions) {
  const core::Pod pod = MakePod("containers: [{name: web, image: 'web:1'}]\nrestartPolicy: Never\n");
  const core::PodStatus done = Generate(pod, Up({Exited("web", 0)}));
  BOOST_TEST(Condition(done, "Ready") == "False PodCompleted");
  BOOST_TEST(Condition(done, "Initialized") == "True PodCompleted");
  BOOST_TEST(Condition(Generate(pod, Up({Exited("web", 1)})), "ContainersReady") == "False PodFailed");
  BOOST_TEST(Generate(pod, Up({Running("web")}), {}, done).phase() == "Succeeded");  // no way back
}

BOOST_AUTO_TEST_CASE(init_containers_come_first) {
  const core::Pod pod = MakePod(kInit);
  core::PodStatus status = Generate(pod, Up({Running("i")}));
  BOOST_TEST(status.phase() == "Pending");
  BOOST_TEST(status.containerstatuses(0).state().waiting().reason() == "PodInitializing");
  BOOST_TEST(Condition(status, "Initialized") == "False ContainersNotInitialized containers with incomplete status: [i]");
  status = Generate(pod, Up({Running("web"), Exited("i", 0)}));
  BOOST_TEST(status.phase() == "Running");
  BOOST_TEST(status.initcontainerstatuses(0).ready());
  // Its container was collected meanwhile.
  status = Generate(pod, Up({Running("web")}));
  BOOST_TEST(status.phase() == "Running");
  BOOST_TEST(status.initcontainerstatuses(0).state().terminated().reason() == "Completed");
}

BOOST_AUTO_TEST_CASE(a_failed_init_container_fails_a_pod_that_never_restarts) {
  const core::Pod pod = MakePod(std::string(kInit) + "restartPolicy: Never\n");
  BOOST_TEST(Generate(pod, Up({Exited("i", 1)})).phase() == "Failed");
}

BOOST_AUTO_TEST_CASE(sidecars_count_for_readiness_but_not_for_the_end) {
  const core::Pod pod = MakePod(kSidecar);
  core::PodStatus status = Generate(pod, Up({Running("p")}));
  BOOST_TEST(status.phase() == "Pending");
  status = Generate(pod, Up({Running("web"), Exited("p", 1)}));
  BOOST_TEST(status.phase() == "Running");
  BOOST_TEST(Condition(status, "Ready") == "False ContainersNotReady containers with unready status: [p]");
  const core::Pod once = MakePod(std::string(kSidecar) + "restartPolicy: Never\n");
  BOOST_TEST(Generate(once, Up({Exited("web", 0), Exited("p", 137)})).phase() == "Succeeded");
}

BOOST_AUTO_TEST_CASE(a_container_that_cannot_start_shows_why_and_what_was_before) {
  const std::map<std::string, WaitingReason> waiting = {{"web", {"CrashLoopBackOff", "back-off 10s restarting failed container=web"}}};
  const core::PodStatus status = Generate(WebPod(), Up({Exited("web", 3, 1), Exited("web", 2, 0)}), waiting);
  const auto& web = status.containerstatuses(0);
  BOOST_TEST(web.state().waiting().reason() == "CrashLoopBackOff");
  BOOST_TEST(web.laststate().terminated().exitcode() == 3);
  BOOST_TEST(web.restartcount() == 1);
  BOOST_TEST(status.phase() == "Running");
}

BOOST_AUTO_TEST_CASE(the_run_before_is_the_last_state) {
  const core::PodStatus status = Generate(WebPod(), Up({Running("web", 1), Exited("web", 2, 0)}));
  BOOST_TEST(status.containerstatuses(0).laststate().terminated().exitcode() == 2);
}

BOOST_AUTO_TEST_CASE(a_container_that_vanished_counts_as_restarted) {
  const core::PodStatus before = Generate(WebPod(), Up({Running("web")}));
  const core::PodStatus status = Generate(WebPod(), {}, {}, before);
  BOOST_TEST(status.containerstatuses(0).laststate().terminated().reason() == "ContainerStatusUnknown");
  BOOST_TEST(status.containerstatuses(0).restartcount() == 1);
  BOOST_TEST(status.phase() == "Running");
}

BOOST_AUTO_TEST_CASE(times_move_only_with_the_condition) {
  core::PodStatus old = Generate(WebPod(), Up({Running("web")}));
  for (auto& c : *old.mutable_conditions()) c.mutable_lasttransitiontime()->set_seconds(7);
  old.mutable_starttime()->set_seconds(7);
  const core::PodStatus same = Generate(WebPod(), Up({Running("web")}), {}, old);
  const core::PodStatus other = Generate(WebPod(), Up({Exited("web", 1)}), {}, old);
  for (const auto& c : same.conditions()) BOOST_TEST(c.lasttransitiontime().seconds() == 7, c.type());
  for (const auto& c : other.conditions()) {
    BOOST_TEST(c.lasttransitiontime().seconds() == (c.type() == "Ready" || c.type() == "ContainersReady" ? 1060 : 7), c.type());
  }
  BOOST_TEST(other.starttime().seconds() == 7);
}

BOOST_AUTO_TEST_CASE(readiness_gates_hold_ready_back) {
  const core::Pod pod = MakePod("containers: [{name: web, image: 'web:1'}]\nreadinessGates: [{conditionType: example.com/lb}]\n");
  const core::PodStatus status = Generate(pod, Up({Running("web")}));
  BOOST_TEST(Condition(status, "ContainersReady") == "True");
  BOOST_TEST(Condition(status, "Ready") ==
             "False ReadinessGatesNotReady corresponding condition of pod readiness gate \"example.com/lb\" does not exist.");
}

BOOST_AUTO_TEST_CASE(the_prober_has_the_last_word_on_readiness) {
  const auto not_ready = [](core::PodStatus* status) { status->mutable_containerstatuses(0)->set_ready(false); };
  const core::PodStatus status = GeneratePodStatus(WebPod(), Up({Running("web")}), {}, not_ready, {}, {});
  BOOST_TEST(status.phase() == "Running");
  BOOST_TEST(Condition(status, "Ready") == "False ContainersNotReady containers with unready status: [web]");
}

BOOST_AUTO_TEST_CASE(messages_of_one_pod_share_twelve_kibibytes) {
  std::string spec = "containers:\n";
  std::vector<ContainerStatus> containers;
  for (int i = 0; i < 4; ++i) {
    spec += fmt::format("- {{name: c{}, image: 'a:1'}}\n", i);
    containers.push_back(Exited(fmt::format("c{}", i), 1));
    containers.back().message = std::string(4096, 'x');
  }
  const core::PodStatus status = Generate(MakePod(spec), Up(containers));
  BOOST_TEST(status.containerstatuses(0).state().terminated().message().size() == 3072u);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::kubelet
