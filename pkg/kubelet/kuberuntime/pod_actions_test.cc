#include "pkg/kubelet/kuberuntime/pod_actions.h"

#include <boost/test/unit_test.hpp>
#include <map>

#include <fmt/core.h>

#include "pkg/kubelet/kuberuntime/labels.h"
#include "pkg/kubelet/kuberuntime/test_pods.h"

namespace knarr::kubelet {
namespace {

// One line of a table: containers as "name=state", what the prober says, what is to be done.
//   state: run, exit0, exit1, created, unknown
//   done: "sandbox kill-pod init[0,1] start[0] kill[web]"
std::string Describe(const PodActions& actions) {
  std::string out;
  const auto add = [&out](const std::string& word) { out += (out.empty() ? "" : " ") + word; };
  const auto list = [](const std::vector<int>& indexes) {
    std::string text;
    for (const int i : indexes) text += (text.empty() ? "" : ",") + std::to_string(i);
    return text;
  };
  if (actions.create_sandbox) add("sandbox");
  if (actions.kill_pod && !actions.create_sandbox) add("kill-pod");
  if (!actions.init_containers_to_start.empty()) add("init[" + list(actions.init_containers_to_start) + "]");
  if (!actions.containers_to_start.empty()) add("start[" + list(actions.containers_to_start) + "]");
  for (const auto& kill : actions.containers_to_kill) add("kill[" + kill.name + "]");
  return out;
}

RuntimePodStatus Parse(const core::Pod& pod, const std::string& text, bool ready = true) {
  RuntimePodStatus status;
  SandboxStatus sandbox;
  sandbox.id = "s";
  sandbox.ready = ready;
  sandbox.ips = {"10.0.0.1"};
  status.sandboxes = {sandbox};
  size_t at = 0;
  while (at < text.size()) {
    const size_t end = std::min(text.find(' ', at), text.size());
    const std::string item = text.substr(at, end - at);
    at = end + 1;
    ContainerStatus c;
    c.name = item.substr(0, item.find('='));
    c.id = c.name;
    const std::string state = item.substr(item.find('=') + 1);
    c.state = state == "run"       ? ContainerState::kRunning
              : state == "created" ? ContainerState::kCreated
              : state == "unknown" ? ContainerState::kUnknown
                                   : ContainerState::kExited;
    c.exit_code = state == "exit1" ? 1 : 0;
    for (const auto* list : {&pod.spec().containers(), &pod.spec().initcontainers()}) {
      for (const auto& container : *list) {
        if (container.name() == c.name) c.hash = HashContainer(container);
      }
    }
    status.containers.push_back(c);
  }
  return status;
}

ProbeAnswers Answers(const std::map<std::string, bool>& live, const std::map<std::string, bool>& started) {
  const auto lookup = [](std::map<std::string, bool> map) {
    return [map = std::move(map)](const std::string& id) {
      const auto it = map.find(id);
      return it == map.end() ? std::optional<bool>() : std::optional<bool>(it->second);
    };
  };
  return {lookup(live), lookup(started)};
}

constexpr char kPlain[] = "containers: [{name: a, image: x}, {name: b, image: x}]\n";
constexpr char kInit[] =
    "initContainers: [{name: i, image: x}, {name: j, image: x}]\ncontainers: [{name: a, image: x}, {name: b, image: x}]\n";
constexpr char kSidecar[] =
    "initContainers: [{name: i, image: x}, {name: s, image: x, restartPolicy: Always, livenessProbe: {exec: {command: [l]}},"
    " startupProbe: {exec: {command: [s]}}}, {name: j, image: x}]\ncontainers: [{name: a, image: x}]\n";

struct Row {
  const char* policy;
  const char* containers;
  const char* expected;
};

void Check(const char* spec, const std::vector<Row>& rows, const ProbeAnswers& probes = {}, bool ready = true) {
  for (const Row& row : rows) {
    const core::Pod pod = MakePod(std::string(spec) + "restartPolicy: " + row.policy + "\n");
    const std::string actual = Describe(ComputePodActions(pod, Parse(pod, row.containers, ready), probes));
    BOOST_TEST(actual == row.expected, row.policy << ": " << row.containers << ": got '" << actual << "', want '" << row.expected << "'");
  }
}

BOOST_AUTO_TEST_SUITE(pod_actions)

BOOST_AUTO_TEST_CASE(containers_without_init_containers) {
  Check(kPlain, {{"Always", "", "start[0,1]"},
                 {"Always", "a=run b=run", ""},
                 {"Always", "a=run b=exit0", "start[1]"},
                 {"OnFailure", "a=run b=exit0", ""},
                 {"OnFailure", "a=run b=exit1", "start[1]"},
                 {"Never", "a=run b=exit1", ""},
                 {"Never", "a=exit0 b=exit1", "kill-pod"},
                 {"OnFailure", "a=exit0 b=exit0", "kill-pod"},
                 {"Never", "a=run b=created", "start[1]"},
                 {"Always", "a=run b=unknown", "start[1] kill[b]"}});
}

BOOST_AUTO_TEST_CASE(without_a_ready_sandbox_everything_starts_anew_unless_it_is_done) {
  Check(kPlain,
        {{"Always", "a=exit1 b=exit0", "sandbox start[0,1]"},
         {"OnFailure", "a=exit1 b=exit0", "sandbox start[0]"},
         {"OnFailure", "a=exit0 b=exit0", "kill-pod"},
         {"Never", "a=exit1 b=exit0", "kill-pod"},
         {"Never", "", "sandbox start[0,1]"}},
        {}, false);
  Check(kInit, {{"Always", "a=exit0 b=exit0 i=exit0 j=exit0", "sandbox init[0]"}}, {}, false);
}

BOOST_AUTO_TEST_CASE(a_pod_that_was_never_seen_gets_a_sandbox) {
  const PodActions actions = ComputePodActions(WebPod(), {}, {});
  BOOST_TEST(Describe(actions) == "sandbox start[0]");
  BOOST_TEST(actions.attempt == 0u);
  BOOST_TEST(actions.sandbox_id.empty());
}

BOOST_AUTO_TEST_CASE(a_sandbox_without_address_or_one_too_many_is_replaced) {
  const core::Pod pod = WebPod();
  RuntimePodStatus status = Parse(pod, "web=run");
  status.sandboxes[0].ips.clear();
  BOOST_TEST(ComputePodActions(pod, status, {}).create_sandbox);
  status = Parse(pod, "web=run");
  status.sandboxes.push_back(status.sandboxes[0]);
  BOOST_TEST(ComputePodActions(pod, status, {}).create_sandbox);
}

BOOST_AUTO_TEST_CASE(init_containers_go_in_order) {
  Check(kInit, {{"Always", "", "init[0]"},
                {"Always", "i=run", ""},
                {"Always", "i=exit0", "init[1]"},
                {"Always", "i=exit1", "init[0]"},
                {"Never", "i=exit1", "kill-pod"},
                {"Always", "j=exit1 i=exit0", "init[1]"},
                {"Always", "j=exit0 i=exit0", "start[0,1]"},
                {"Always", "j=exit0", "start[0,1]"},          // the first was collected
                {"Always", "a=run b=exit1", "start[1]"},      // all of them were
                {"Always", "i=created", "init[0]"},
                {"Always", "i=unknown", "init[0] kill[i]"},
                {"Never", "i=unknown", "kill-pod"}});
}

BOOST_AUTO_TEST_CASE(a_sidecar_holds_back_what_follows_until_it_has_started) {
  Check(kSidecar, {{"Always", "i=exit0", "init[1]"}, {"Always", "s=run i=exit0", ""}, {"Always", "s=exit1 i=exit0", "init[1]"}});
  Check(kSidecar, {{"Always", "s=run i=exit0", "init[2]"},
                   {"Always", "j=exit0 s=run i=exit0", "start[0]"},
                   {"Always", "a=run j=exit0 s=exit0 i=exit0", "init[1]"},
                   {"Never", "a=run j=exit0 s=exit1 i=exit0", "init[1]"},
                   {"Never", "a=exit0 j=exit0 s=run i=exit0", "kill-pod"}},
        Answers({}, {{"s", true}}));
}

BOOST_AUTO_TEST_CASE(a_sidecar_that_fails_its_probes_is_restarted) {
  Check(kSidecar, {{"Always", "s=run i=exit0", "init[1] kill[s]"}}, Answers({}, {{"s", false}}));
  Check(kSidecar, {{"Always", "a=run j=exit0 s=run i=exit0", "init[1] kill[s]"}}, Answers({{"s", false}}, {{"s", true}}));
}

BOOST_AUTO_TEST_CASE(failed_probes_kill_and_the_policy_decides_on_the_rest) {
  Check(kPlain, {{"Always", "a=run b=run", "start[0] kill[a]"}, {"Never", "a=run b=run", "kill[a]"}}, Answers({{"a", false}}, {}));
  const PodActions actions = ComputePodActions(WebPod(), Parse(WebPod(), "web=run"), Answers({}, {{"web", false}}));
  BOOST_TEST(actions.containers_to_kill.at(0).message == "Container web failed startup probe, will be restarted");
  BOOST_TEST((actions.containers_to_kill.at(0).reason == KillReason::kStartupProbe));
}

BOOST_AUTO_TEST_CASE(a_changed_definition_restarts_and_an_unknown_hash_does_not) {
  const core::Pod pod = MakePod(std::string(kPlain) + "restartPolicy: Never\n");
  RuntimePodStatus status = Parse(pod, "a=run b=run");
  status.containers[0].hash ^= 1;
  const PodActions actions = ComputePodActions(pod, status, {});
  BOOST_TEST(Describe(actions) == "start[0] kill[a]");
  BOOST_TEST(actions.containers_to_kill.at(0).message == "Container a definition changed, will be restarted");
  status.containers[0].hash = 0;
  BOOST_TEST(ComputePodActions(pod, status, {}).Nothing());
}

BOOST_AUTO_TEST_CASE(a_pod_that_is_being_deleted_starts_nothing_again) {
  core::Pod pod = MakePod(kPlain);
  pod.mutable_metadata()->mutable_deletiontimestamp()->set_seconds(1);
  BOOST_TEST(Describe(ComputePodActions(pod, Parse(pod, "a=run b=exit1"), {})).empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::kubelet
