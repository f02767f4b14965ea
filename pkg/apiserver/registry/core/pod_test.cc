#include <fmt/format.h>

#include "k8s.io/api/policy/v1/generated.pb.h"
#include "k8s.io/apimachinery/pkg/apis/meta/v1/generated.pb.h"
#include "pkg/api/conversion/conversion.h"
#include "pkg/api/scheme/scheme.h"
#include "pkg/apiserver/registry/core/test_objects.h"
#include "pkg/apiserver/registry/fake/fake_access.h"

namespace knarr::registry::testing {
namespace {

namespace policy = ::k8s::io::api::policy::v1;

std::string PodText(const std::string& spec = "", const std::string& rest = "") {
  return R"(metadata { name: "web" namespace: "ns" uid: "u1" labels { key: "app" value: "web" } })" + rest +
         R"( spec { containers { name: "c" image: "i:1" } )" + spec + "}";
}

const core::Pod& AsPod(const Object& object) {
  return object.As<core::Pod>();
}

BOOST_AUTO_TEST_SUITE(core_pods)

BOOST_AUTO_TEST_CASE(new_pods_are_pending_with_a_class_and_no_status) {
  const Object pod = Created("pods", PodText(R"(hostUsers: true schedulingGates { name: "g" })",
                                             R"(status { phase: "Running" qosClass: "Guaranteed" podIP: "1.2.3.4" })"));
  BOOST_TEST(AsPod(pod).status().phase() == "Pending");
  BOOST_TEST(AsPod(pod).status().qosclass() == "BestEffort");
  BOOST_TEST(AsPod(pod).status().podips_size() == 0);
  BOOST_TEST(AsPod(pod).status().conditions(0).reason() == "SchedulingGated");
  BOOST_TEST(!AsPod(pod).spec().has_hostusers());
  BOOST_TEST(AsPod(pod).metadata().generation() == 0);
  BOOST_TEST(CreateErrors("pods", PodText()) == "");
  BOOST_TEST(
      CreateErrors("pods", PodText(R"(ephemeralContainers { ephemeralContainerCommon { name: "e" image: "i" } })")) ==
      "spec.ephemeralContainers: Forbidden: cannot be set on create");
}

BOOST_AUTO_TEST_CASE(label_keys_and_app_armor_are_resolved_on_create) {
  const Object pod = Created("pods", PodText(R"(securityContext { appArmorProfile { type: "RuntimeDefault" } }
      affinity { podAntiAffinity { requiredDuringSchedulingIgnoredDuringExecution {
        topologyKey: "t" matchLabelKeys: "app" matchLabelKeys: "none" labelSelector { } } } })"));
  const auto& term = AsPod(pod).spec().affinity().podantiaffinity().requiredduringschedulingignoredduringexecution(0);
  BOOST_TEST(term.labelselector().matchexpressions_size() == 1);
  BOOST_TEST(term.labelselector().matchexpressions(0).values(0) == "web");
  BOOST_TEST(AsPod(pod).metadata().annotations().at("container.apparmor.security.beta.kubernetes.io/c") ==
             "runtime/default");
}

BOOST_AUTO_TEST_CASE(what_may_change_in_a_pod) {
  const std::string old = PodText(R"(activeDeadlineSeconds: 10 tolerations { key: "a" operator: "Exists" })");
  BOOST_TEST(UpdateErrors("pods", "", old, old) == "");
  BOOST_TEST(UpdateErrors("pods", "", R"(metadata { name: "web" } spec { containers { name: "c" image: "i:2"
      imagePullPolicy: "IfNotPresent" } activeDeadlineSeconds: 5
      tolerations { key: "a" operator: "Exists" } tolerations { key: "b" operator: "Exists" } })",
                          old) == "");
  BOOST_TEST(UpdateErrors("pods", "", PodText(R"(tolerations { key: "a" operator: "Exists" })"), old) ==
             "spec.activeDeadlineSeconds: Invalid value: null: must not update from a positive integer to nil value");
  BOOST_TEST(UpdateErrors("pods", "", PodText(R"(activeDeadlineSeconds: 11)"), old) ==
             "spec.activeDeadlineSeconds: Invalid value: 11: must be less than or equal to previous value");
  BOOST_TEST(UpdateErrors("pods", "", PodText(R"(activeDeadlineSeconds: 10)"), old) ==
             "spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds");
  BOOST_TEST(UpdateErrors("pods", "", PodText(R"(containers { name: "d" image: "i:1" })"), PodText()) ==
             "spec.containers: Forbidden: pod updates may not add or remove containers");
}

BOOST_AUTO_TEST_CASE(other_fields_of_a_pod_are_for_ever) {
  BOOST_TEST(
      UpdateErrors("pods", "", PodText(R"(nodeName: "n2")"), PodText(R"(nodeName: "n1")")) ==
      "spec: Forbidden: pod updates may not change fields other than "
      "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only "
      "additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was "
      "previously negative)\n- nodeName: n1\n+ nodeName: n2\n");
  BOOST_TEST(UpdateErrors("pods", "",
                          R"(metadata { name: "web" annotations { key: "kubernetes.io/config.mirror" value: "x" } }
                             spec { containers { name: "c" image: "i:1" } nodeName: "n" })",
                          PodText("nodeName: \"n\"")) ==
             "metadata.annotations[kubernetes.io/config.mirror]: Forbidden: may not add mirror pod annotation");
}

BOOST_AUTO_TEST_CASE(gated_pods_may_be_narrowed) {
  const std::string old = PodText(R"(schedulingGates { name: "g" } nodeSelector { key: "a" value: "1" })");
  BOOST_TEST(UpdateErrors("pods", "", PodText(R"(nodeSelector { key: "a" value: "1" }
                                                 nodeSelector { key: "b" value: "2" })"),
                          old) == "");
  BOOST_TEST(
      UpdateErrors("pods", "", PodText(R"(schedulingGates { name: "g" } nodeSelector { key: "a" value: "2" })"), old) ==
      "spec.nodeSelector: Invalid value: map[string]string{\"a\":\"2\"}: only additions to spec.nodeSelector are "
      "allowed (no mutations or deletions)");
  BOOST_TEST(
      UpdateErrors("pods", "", PodText(R"(schedulingGates { name: "h" } nodeSelector { key: "a" value: "1" })"), old) ==
      "spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new scheduling gate 'h'");
}

BOOST_AUTO_TEST_CASE(status_and_spec_of_pods_are_apart) {
  const Object old =
      FromText("pods", PodText(R"(nodeName: "n1")", R"(status { phase: "Pending" qosClass: "Burstable" })"));
  const Object by_status = Updated(
      "pods", "status", PodText(R"(nodeName: "n2")", R"(status { phase: "Running" podIPs { ip: "1.2.3.4" } })"), old);
  BOOST_TEST(AsPod(by_status).spec().nodename() == "n1");
  BOOST_TEST(AsPod(by_status).status().phase() == "Running");
  BOOST_TEST(AsPod(by_status).status().podip() == "1.2.3.4");
  BOOST_TEST(AsPod(by_status).status().qosclass() == "Burstable");
  const Object by_spec = Updated("pods", "", PodText("", R"(status { phase: "Running" })"), old);
  BOOST_TEST(AsPod(by_spec).status().phase() == "Pending");
  const Object debug = Updated(
      "pods", "ephemeralcontainers",
      PodText(R"(nodeName: "n2" ephemeralContainers { ephemeralContainerCommon { name: "e" image: "i" } })"), old);
  BOOST_TEST(AsPod(debug).spec().nodename() == "n1");
  BOOST_TEST(AsPod(debug).spec().ephemeralcontainers_size() == 1);
}

BOOST_AUTO_TEST_CASE(changes_of_status) {
  const std::string ended = R"(status { containerStatuses { name: "c" state { terminated { exitCode: 0 } } } })";
  BOOST_TEST(UpdateErrors("pods", "status", PodText("", R"(status { hostIP: "1.1.1.1" hostIPs { ip: "1.1.1.2" } })"),
                          PodText()) == "status.hostIPs[0].ip: Invalid value: \"1.1.1.2\": must be equal to `hostIP`");
  BOOST_TEST(UpdateErrors("pods", "status",
                          PodText("", R"(status { containerStatuses { name: "c" state { running {} } } })"),
                          PodText(R"(restartPolicy: "Never")", ended)) ==
             "status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state");
  BOOST_TEST(UpdateErrors("pods", "status",
                          PodText("", R"(status { podIPs { ip: "1.1.1.1" } podIPs { ip: "1.1.1.2" } })"), PodText()) ==
             "status.podIPs: Invalid value: {\"1.1.1.1\", \"1.1.1.2\"}: may specify no more than one IP for each IP "
             "family");
  BOOST_TEST(UpdateErrors("pods", "status", PodText("", R"(status { qosClass: "Burstable" })"),
                          PodText("", R"(status { qosClass: "Guaranteed" })")) ==
             "status.qosClass: Invalid value: \"Burstable\": field is immutable");
}

BOOST_AUTO_TEST_CASE(ephemeral_containers_stay) {
  const std::string old = PodText(R"(ephemeralContainers { ephemeralContainerCommon { name: "e" image: "i:1" } })");
  BOOST_TEST(UpdateErrors("pods", "ephemeralcontainers", PodText(), old) ==
             "spec.ephemeralContainers: Forbidden: existing ephemeral containers \"e\" may not be removed\n");
  BOOST_TEST(UpdateErrors("pods", "ephemeralcontainers",
                          PodText(R"(ephemeralContainers { ephemeralContainerCommon { name: "e" image: "i:2" } })"),
                          old) ==
             "spec.ephemeralContainers: Forbidden: existing ephemeral containers \"e\" may not be changed\n- image: "
             "i:1\n+ image: i:2\n");
}

BOOST_AUTO_TEST_CASE(grace_periods) {
  const auto grace = [](const std::string& text, std::optional<int64_t> requested) {
    const Object pod = FromText("pods", text);
    return *KindOf("pods").strategy->GracePeriod(pod, requested);
  };
  const std::string running = PodText(R"(nodeName: "n" terminationGracePeriodSeconds: 30)");
  BOOST_TEST(grace(running, std::nullopt) == 30);
  BOOST_TEST(grace(running, 5) == 5);
  BOOST_TEST(grace(running, -3) == 1);
  BOOST_TEST(grace(running, 0) == 0);
  BOOST_TEST(grace(PodText("terminationGracePeriodSeconds: 30"), 5) == 0);
  BOOST_TEST(grace(PodText(R"(nodeName: "n" terminationGracePeriodSeconds: 30)", R"(status { phase: "Failed" })"), 5) ==
             0);
}

std::string PodStatus(const std::string& status,
                      const std::string& spec = R"(containers { name: "a" } containers { name: "b" })",
                      const std::string& metadata = "") {
  const std::string row =
      Row("pods", "metadata { name: \"p\" " + metadata + "} spec { " + spec + " } status { " + status + " }");
  // Without name, age and what only -o wide shows.
  return row.substr(4, row.find(" | <unknown>") - 4);
}

BOOST_AUTO_TEST_CASE(rows_of_pods) {
  BOOST_TEST(PodStatus(R"(phase: "Pending")") == "0/2 | Pending | 0");
  BOOST_TEST(PodStatus(R"(phase: "Running"
      containerStatuses { name: "a" ready: true state { running {} } restartCount: 2
                          lastState { terminated { finishedAt { seconds: 1699999700 } } } }
      containerStatuses { name: "b" state { waiting { reason: "CrashLoopBackOff" } } restartCount: 1 })") ==
             "1/2 | CrashLoopBackOff | 3 (5m ago)");
  BOOST_TEST(PodStatus(R"(phase: "Running" conditions { type: "Ready" status: "True" }
      containerStatuses { name: "a" ready: true state { running {} } }
      containerStatuses { name: "b" state { terminated { reason: "Completed" } } })") == "1/2 | Running | 0");
  BOOST_TEST(PodStatus(R"(phase: "Failed"
      containerStatuses { name: "a" state { terminated { exitCode: 3 } } }
      containerStatuses { name: "b" state { terminated { signal: 9 } } })") == "0/2 | ExitCode:3 | 0");
  BOOST_TEST(PodStatus(R"(phase: "Failed" reason: "Evicted")") == "0/2 | Evicted | 0");
  BOOST_TEST(PodStatus(R"(phase: "Running")", "containers { name: \"a\" }", "deletionTimestamp { seconds: 1 }") ==
             "0/1 | Terminating | 0");
  BOOST_TEST(PodStatus(R"(phase: "Running" reason: "NodeLost")", "containers { name: \"a\" }",
                       "deletionTimestamp { seconds: 1 }") == "0/1 | Unknown | 0");
  BOOST_TEST(PodStatus(R"(phase: "Pending" conditions { type: "PodScheduled" reason: "SchedulingGated" })") ==
             "0/2 | SchedulingGated | 0");
}

BOOST_AUTO_TEST_CASE(rows_of_pods_that_initialize) {
  const std::string spec =
      R"(initContainers { name: "s" restartPolicy: "Always" } initContainers { name: "i" } containers { name: "a" })";
  BOOST_TEST(PodStatus(R"(phase: "Pending" initContainerStatuses { name: "s" ready: true started: true }
                          initContainerStatuses { name: "i" state { running {} } })",
                       spec) == "1/2 | Init:1/2 | 0");
  BOOST_TEST(PodStatus(R"(phase: "Pending" initContainerStatuses { name: "s" restartCount: 1 started: true }
                          initContainerStatuses { name: "i" restartCount: 2 state { waiting { reason: "X" } } })",
                       spec) == "0/2 | Init:X | 3");
  BOOST_TEST(PodStatus(R"(phase: "Pending" initContainerStatuses { name: "i" state { terminated { exitCode: 2 } } })",
                       spec) == "0/2 | Init:ExitCode:2 | 0");
  BOOST_TEST(PodStatus(R"(phase: "Running" initContainerStatuses { name: "s" ready: true started: true restartCount: 4 }
                          initContainerStatuses { name: "i" restartCount: 7 state { terminated { } } }
                          containerStatuses { name: "a" ready: true state { running {} } })",
                       spec) == "2/2 | Running | 4");
}

BOOST_AUTO_TEST_CASE(wide_rows_of_pods) {
  BOOST_TEST(Row("pods", R"(metadata { name: "p" } spec { nodeName: "n" readinessGates { conditionType: "x" } }
                            status { podIP: "1.2.3.4" conditions { type: "x" status: "True" } })") ==
             "p | 0/0 |  | 0 | <unknown> | 1.2.3.4 | n | <none> | 1/1");
}

BOOST_AUTO_TEST_CASE(warnings_of_new_pods) {
  Request request;
  Object pod =
      FromText("pods", R"(metadata { name: "a.b" } spec { nodeSelector { key: "beta.kubernetes.io/os" value: "linux" }
      containers { name: "c" image: "i" env { name: "A" } env { name: "A" value: "2" }
        resources { requests { key: "memory" value { string: "100m" } } } }
      volumes { name: "v" volumeSource { gitRepo { repository: "r" } } } })");
  const std::vector<std::string> warnings = KindOf("pods").strategy->Warnings(request.context, pod, nullptr);
  BOOST_REQUIRE(warnings.size() == 5);
  BOOST_TEST(warnings[0].starts_with("metadata.name: this is used in the Pod's hostname"));
  BOOST_TEST(warnings[1] ==
             "spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use \"kubernetes.io/os\" instead");
  BOOST_TEST(warnings[2] == "spec.volumes[0].gitRepo: deprecated in v1.11");
  BOOST_TEST(warnings[3] ==
             "spec.containers[0].resources.requests[memory]: fractional byte value \"100m\" is invalid, must be an "
             "integer");
  BOOST_TEST(warnings[4] ==
             "spec.containers[0].env[1]: hides previous definition of \"A\", which may be dropped when using apply");
}

// The server's view, with a pod and what acts on it.
struct Cluster {
  FakeClock clock;
  FakeAccess access{clock};
  Request request;

  explicit Cluster(const std::string& pod) {
    access.Put<core::Pod>({"", "pods"}, pod);
    request.context.access = &access;
    request.context.clock = &clock;
    request.context.namespace_ = "ns";
    request.context.name = "web";
  }

  std::string Post(std::string_view subresource, const std::string& body) {
    const Subresource* found = KindOf("pods").FindSubresource(subresource);
    std::unique_ptr<google::protobuf::Message> message(found->prototype().New());
    BOOST_REQUIRE(google::protobuf::TextFormat::ParseFromString(body, message.get()));
    auto result = found->create(request.context, std::move(message));
    last = result.ok() ? OkStatus() : result.error();
    return std::string(last.message());
  }
  const core::Pod* Pod() {
    pod = access.Find({"", "pods"}, "ns", "web");
    return pod ? &pod->As<core::Pod>() : nullptr;
  }
  const policy::PodDisruptionBudgetStatus& Budget() {
    budget = access.Find({"policy", "poddisruptionbudgets"}, "ns", "b");
    return budget->As<policy::PodDisruptionBudget>().status();
  }
  void PutBudget(const std::string& name, const std::string& rest) {
    access.Put<policy::PodDisruptionBudget>({"policy", "poddisruptionbudgets"},
                                            fmt::format(R"(metadata {{ name: "{}" namespace: "ns" }} {})", name, rest));
  }

  Status last;
  ObjectRef pod, budget;
};

BOOST_AUTO_TEST_CASE(binding_assigns_once) {
  Cluster cluster(PodText());
  BOOST_TEST(cluster.Post("binding", R"(metadata { name: "web" annotations { key: "k" value: "v" } }
                                        target { kind: "Node" name: "n1" })") == "ok");
  BOOST_TEST(cluster.Pod()->spec().nodename() == "n1");
  BOOST_TEST(cluster.Pod()->metadata().annotations().at("k") == "v");
  BOOST_TEST(cluster.Pod()->status().conditions(0).type() == "PodScheduled");
  BOOST_TEST(cluster.Post("binding", R"(metadata { name: "web" } target { name: "n2" })") ==
             "Operation cannot be fulfilled on pods/binding \"web\": pod web is already assigned to node \"n1\"");
  BOOST_TEST(cluster.last.Is(Code::kConflict));
  BOOST_TEST(cluster.Post("binding", R"(metadata { name: "other" } target { name: "n2" })") ==
             "name in URL does not match name in Binding object");
  BOOST_TEST(cluster.Post("binding", R"(metadata { name: "web" } target { kind: "Pod" })") ==
             "[target.kind: Unsupported value: \"Pod\": supported values: \"Node\", \"<empty>\", target.name: Required "
             "value]");
}

BOOST_AUTO_TEST_CASE(binding_refuses_gated_and_other_pods) {
  Cluster cluster(PodText(R"(schedulingGates { name: "g" })"));
  BOOST_TEST(cluster.Post("binding", R"(metadata { name: "web" } target { name: "n" })") ==
             "Operation cannot be fulfilled on pods/binding \"web\": pod web has non-empty .spec.schedulingGates");
  cluster.Post("binding", R"(metadata { name: "web" uid: "u2" } target { name: "n" })");
  BOOST_TEST(cluster.last.Is(Code::kConflict));
  BOOST_TEST(std::string(cluster.last.message()).find("Precondition failed: UID in precondition: u2") !=
             std::string::npos);
}

const char* const kBody = R"(metadata { name: "web" namespace: "ns" })";
const char* const kReady = R"(status { phase: "Running" conditions { type: "Ready" status: "True" } })";
const char* const kSelector = R"(spec { selector { matchLabels { key: "app" value: "web" } } })";

BOOST_AUTO_TEST_CASE(eviction_without_a_budget_deletes) {
  Cluster cluster(PodText(R"(nodeName: "n")", kReady));
  BOOST_TEST(cluster.Post("eviction", kBody) == "ok");
  BOOST_TEST((cluster.Pod() == nullptr));
}

BOOST_AUTO_TEST_CASE(eviction_debits_the_budget) {
  Cluster cluster(PodText(R"(nodeName: "n")", kReady));
  cluster.PutBudget("b",
                    std::string(kSelector) + "status { disruptionsAllowed: 1 desiredHealthy: 2 currentHealthy: 3 }");
  BOOST_TEST(cluster.Post("eviction", kBody) == "ok");
  BOOST_TEST((cluster.Pod() == nullptr));
  BOOST_TEST(cluster.Budget().disruptionsallowed() == 0);
  BOOST_TEST(cluster.Budget().disruptedpods().contains("web"));
  BOOST_TEST(cluster.Budget().conditions(0).reason() == "InsufficientPods");
}

BOOST_AUTO_TEST_CASE(eviction_is_refused_by_the_budget) {
  Cluster cluster(PodText(R"(nodeName: "n")", kReady));
  cluster.PutBudget("b",
                    std::string(kSelector) + "status { disruptionsAllowed: 0 desiredHealthy: 2 currentHealthy: 2 }");
  BOOST_TEST(cluster.Post("eviction", kBody) == "Cannot evict pod as it would violate the pod's disruption budget.");
  BOOST_TEST(cluster.last.Is(Code::kTooManyRequests));
  BOOST_REQUIRE(cluster.last.details() != nullptr);
  BOOST_TEST(cluster.last.details()->causes.at(0).reason == "DisruptionBudget");
  BOOST_TEST(cluster.last.details()->causes.at(0).message ==
             "The disruption budget b needs 2 healthy pods and has 2 currently");
  BOOST_TEST((cluster.Pod() != nullptr));

  cluster.PutBudget("c", kSelector);
  BOOST_TEST(cluster.Post("eviction", kBody) ==
             "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.");
}

BOOST_AUTO_TEST_CASE(eviction_waits_for_the_controller) {
  Cluster cluster(PodText(R"(nodeName: "n")", kReady));
  cluster.access.Put<policy::PodDisruptionBudget>(
      {"policy", "poddisruptionbudgets"}, std::string(R"(metadata { name: "b" namespace: "ns" generation: 2 } )") +
                                              kSelector + "status { observedGeneration: 1 }");
  BOOST_TEST(cluster.Post("eviction", kBody) == "Cannot evict pod as it would violate the pod's disruption budget.");
  BOOST_TEST(cluster.last.details()->causes.at(0).message ==
             "The disruption budget b is still being processed by the server.");
  BOOST_TEST(cluster.last.details()->retry_after_seconds == 10);
}

BOOST_AUTO_TEST_CASE(unready_pods_and_dry_runs_cost_nothing) {
  Cluster cluster(PodText(R"(nodeName: "n")", R"(status { phase: "Running" })"));
  cluster.PutBudget("b", std::string(kSelector) + "status { desiredHealthy: 2 currentHealthy: 1 }");
  BOOST_TEST(cluster.Post("eviction", kBody) == "Cannot evict pod as it would violate the pod's disruption budget.");
  cluster.PutBudget("b",
                    std::string(kSelector) + "status { desiredHealthy: 1 currentHealthy: 1 disruptionsAllowed: 5 }");
  cluster.request.context.dry_run = true;
  BOOST_TEST(cluster.Post("eviction", kBody) == "ok");
  BOOST_TEST((cluster.Pod() != nullptr));
  cluster.request.context.dry_run = false;
  BOOST_TEST(cluster.Post("eviction", kBody) == "ok");
  BOOST_TEST((cluster.Pod() == nullptr));
  BOOST_TEST(cluster.Budget().disruptionsallowed() == 5);
}

BOOST_AUTO_TEST_CASE(unready_pods_may_always_go_where_the_policy_says_so) {
  Cluster cluster(PodText(R"(nodeName: "n")", R"(status { phase: "Running" })"));
  cluster.PutBudget("b", R"(spec { unhealthyPodEvictionPolicy: "AlwaysAllow"
                                   selector { matchLabels { key: "app" value: "web" } } }
                            status { desiredHealthy: 2 currentHealthy: 1 })");
  BOOST_TEST(cluster.Post("eviction", kBody) == "ok");
  BOOST_TEST((cluster.Pod() == nullptr));
}

// What clients of 1.20 send.
BOOST_AUTO_TEST_CASE(evictions_of_the_beta_version_are_understood) {
  auto beta = scheme::New("policy/v1beta1", "Eviction");
  BOOST_REQUIRE(beta.ok());
  BOOST_REQUIRE(google::protobuf::TextFormat::ParseFromString(
      R"(metadata { name: "web" } deleteOptions { gracePeriodSeconds: 3 })", beta->get()));
  const auto converted = conversion::Convert(**beta, "Eviction", "policy/v1beta1", "policy/v1");
  BOOST_REQUIRE(converted.ok());
  BOOST_TEST(static_cast<const policy::Eviction&>(**converted).deleteoptions().graceperiodseconds() == 3);
}

BOOST_AUTO_TEST_CASE(pending_pods_need_no_budget) {
  Cluster cluster(PodText("", R"(status { phase: "Pending" })"));
  cluster.PutBudget("b", kSelector);
  BOOST_TEST(cluster.Post("eviction", kBody) == "ok");
  BOOST_TEST((cluster.Pod() == nullptr));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::registry::testing
