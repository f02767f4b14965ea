#include "pkg/kubelet/config/manifest.h"

#include <chrono>

#include "pkg/kubelet/config/merge.h"
#include "pkg/kubelet/config/testing.h"

namespace knarr::kubelet {
namespace {

const WallTime kNow{std::chrono::seconds(1700000000)};

ParseOptions Options(const std::string& path = "/etc/kubernetes/manifests/web.yaml",
                     const std::string& node = "node1") {
  ParseOptions options;
  options.origin = {"file", path, node};
  options.now = kNow;
  return options;
}

// "" or the problems, a line each, without the file.
std::string Errors(const std::string& text, const ParseOptions& options = Options()) {
  std::string errors;
  for (const ManifestProblem& problem : ParseManifest(text, options).problems) {
    errors += problem.ToString().substr(problem.file.size()) + "\n";
  }
  return errors;
}

void RequireGood(const ParsedManifest& parsed) {
  BOOST_REQUIRE_MESSAGE(parsed.problems.empty(), (parsed.problems.empty() ? "" : parsed.problems[0].ToString()));
}

PodPtr OnePod(const std::string& text, const ParseOptions& options = Options()) {
  const ParsedManifest parsed = ParseManifest(text, options);
  RequireGood(parsed);
  BOOST_REQUIRE(parsed.manifest.pods.size() == 1U);
  return parsed.manifest.pods[0].pod;
}

std::string Uid(const std::string& text, const ParseOptions& options = Options()) {
  return OnePod(text, options)->metadata().uid();
}

BOOST_AUTO_TEST_SUITE(kubelet_config_manifest)

BOOST_AUTO_TEST_CASE(a_pod_gets_its_name_on_the_node_and_upstreams_annotations) {
  const PodPtr pod = OnePod(PodYaml("web"));
  const auto& meta = pod->metadata();
  BOOST_TEST(meta.name() == "web-node1");
  BOOST_TEST(GeneratePodName("web", "Node-1") == "web-node-1");
  BOOST_TEST(meta.namespace_() == "default");
  BOOST_TEST(pod->spec().nodename() == "node1");
  BOOST_TEST(meta.uid().size() == 32U);
  BOOST_TEST(meta.annotations().at("kubernetes.io/config.hash") == meta.uid());
  BOOST_TEST(meta.annotations().at("kubernetes.io/config.source") == "file");
  BOOST_TEST(meta.annotations().at("kubernetes.io/config.seen") == "2023-11-14T22:13:20Z");
  BOOST_TEST(pod->spec().tolerations_size() == 1);
  BOOST_TEST(pod->spec().tolerations(0).operator_() == "Exists");
  BOOST_TEST(pod->spec().tolerations(0).effect() == "NoExecute");
  BOOST_TEST(pod->status().phase() == "Pending");
  BOOST_TEST(pod->spec().restartpolicy() == "Always");  // defaults are applied
}

BOOST_AUTO_TEST_CASE(the_first_seen_time_has_nanoseconds_without_trailing_zeros) {
  ParseOptions options = Options();
  options.now = kNow + std::chrono::microseconds(1500);
  BOOST_TEST(OnePod(PodYaml("web"), options)->metadata().annotations().at(kConfigFirstSeenAnnotation) ==
             "2023-11-14T22:13:20.0015Z");
}

BOOST_AUTO_TEST_CASE(the_toleration_is_there_once) {
  BOOST_TEST(OnePod(PodYaml("web", "a", "", "  tolerations:\n  - {operator: Exists, effect: NoExecute}\n"))
                 ->spec()
                 .tolerations_size() == 1);
  BOOST_TEST(OnePod(PodYaml("web", "a", "", "  tolerations:\n  - {operator: Exists, effect: NoSchedule}\n"))
                 ->spec()
                 .tolerations_size() == 2);
}

BOOST_AUTO_TEST_CASE(a_url_has_another_source_and_no_toleration) {
  ParseOptions options = Options("http://example/pods");
  options.origin.source = "http";
  const PodPtr pod = OnePod(PodYaml("web"), options);
  BOOST_TEST(pod->metadata().annotations().at(kConfigSourceAnnotation) == "http");
  BOOST_TEST(pod->spec().tolerations_size() == 0);
}

BOOST_AUTO_TEST_CASE(the_uid_is_the_same_after_every_restart_and_upgrade) {
  // A change here restarts every static pod of every user at an upgrade.
  BOOST_TEST(Uid(PodYaml("web")) == "ad8132b3639d96b2de57b4f771427a05");
}

BOOST_AUTO_TEST_CASE(the_uid_depends_on_content_file_and_node_only) {
  const std::string uid = Uid(PodYaml("web"));
  BOOST_TEST(Uid("# hello\n" + PodYaml("web")) == uid);
  BOOST_TEST(Uid(PodYaml("web", "nginx:1", "", "  hostNetwork: false\n")) == uid);
  BOOST_TEST(
      Uid(R"({"kind":"Pod","apiVersion":"v1","spec":{"containers":[{"image":"nginx:1","name":"main"}]},"metadata":{"name":"web"}})") ==
      uid);
  BOOST_TEST(Uid(PodYaml("web") + "status:\n  phase: Running\n") == uid);
  ParseOptions later = Options();
  later.now = kNow + std::chrono::hours(1);
  BOOST_TEST(Uid(PodYaml("web"), later) == uid);
  BOOST_TEST(Uid(PodYaml("web", "nginx:2")) != uid);
  BOOST_TEST(Uid(PodYaml("web", "nginx:1", "  labels: {a: b}\n")) != uid);
  BOOST_TEST(Uid(PodYaml("web"), Options("/etc/kubernetes/manifests/moved.yaml")) != uid);
  BOOST_TEST(Uid(PodYaml("web"), Options("/etc/kubernetes/manifests/web.yaml", "node2")) != uid);
}

BOOST_AUTO_TEST_CASE(what_did_not_change_keeps_its_pointer_and_first_seen_time) {
  const std::string objects =
      "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: b}\n---\napiVersion: v1\nkind: "
      "Secret\nmetadata: {name: s}\n";
  const ParsedManifest first = ParseManifest(PodYaml("web") + objects, Options());
  BOOST_REQUIRE(first.problems.empty());
  ParseOptions options = Options();
  options.previous = &first.manifest;
  options.now = kNow + std::chrono::hours(1);
  const ParsedManifest second = ParseManifest("# changed\n" + PodYaml("web") + objects, options);
  BOOST_TEST(second.manifest.pods.at(0).pod == first.manifest.pods.at(0).pod);
  BOOST_TEST(second.manifest.config_maps.at(0).object == first.manifest.config_maps.at(0).object);
  BOOST_TEST(second.manifest.secrets.at(0).object == first.manifest.secrets.at(0).object);
}

BOOST_AUTO_TEST_CASE(several_documents_and_kinds_make_one_manifest) {
  const ParsedManifest parsed = ParseManifest(PodYaml("web") + R"(---
# nothing here
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
  namespace: other
data:
  key: value
---
apiVersion: v1
kind: Secret
metadata:
  name: password
data:
  a: aGVsbG8=
stringData:
  b: world
)",
                                              Options());
  RequireGood(parsed);
  BOOST_TEST(parsed.manifest.pods.size() == 1U);
  BOOST_TEST(parsed.manifest.config_maps.at(0).object->metadata().namespace_() == "other");
  const core::Secret& secret = *parsed.manifest.secrets.at(0).object;
  BOOST_TEST(secret.metadata().namespace_() == "default");
  BOOST_TEST(secret.data().at("a") == "hello");
  BOOST_TEST(secret.data().at("b") == "world");
  BOOST_TEST(secret.stringdata().empty());
  BOOST_TEST(secret.type() == "Opaque");
}

BOOST_AUTO_TEST_CASE(lists_of_objects_are_read) {
  const ParsedManifest list = ParseManifest(R"(apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Pod
  metadata: {name: a}
  spec: {containers: [{name: c, image: i}]}
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: b}
)",
                                            Options());
  RequireGood(list);
  BOOST_TEST(list.manifest.pods.size() == 1U);
  BOOST_TEST(list.manifest.config_maps.size() == 1U);
  const ParsedManifest pods = ParseManifest(
      R"({"apiVersion":"v1","kind":"PodList","metadata":{},"items":[{"metadata":{"name":"a"},"spec":{"containers":[{"name":"c","image":"i"}]}}]})",
      Options());
  RequireGood(pods);
  BOOST_TEST(pods.manifest.pods.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_problem_in_a_list_has_the_line_of_the_item) {
  BOOST_TEST(Errors(R"(apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Pod
  metadata: {name: a}
  spec:
    containers:
    - name: C
      image: i
)")
                 .starts_with(":9: spec.containers[0].name: Invalid value: \"C\""));
}

BOOST_AUTO_TEST_CASE(problems_name_line_and_field) {
  BOOST_TEST(Errors("apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec:\n  containers:\n  - name: main\n") ==
             ":7: spec.containers[0].image: Required value\n");
  BOOST_TEST(Errors(PodYaml("web", "a", "", "  restartPolicy: Sometimes\n")) ==
             ":9: spec.restartPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", \"OnFailure\", "
             "\"Never\"\n");
  BOOST_TEST(Errors(PodYaml("web", "a", "", "  hostNetwrk: true\n")) == ":9: unknown field \"spec.hostNetwrk\"\n");
  BOOST_TEST(Errors("apiVersion: v1\nkind: Pod\nmetadata: {}\nspec:\n  containers:\n  - {name: a, image: b}\n") ==
             ":3: metadata.name: Required value: name or generateName is required\n");
}

BOOST_AUTO_TEST_CASE(every_problem_of_a_file_is_told) {
  const std::string errors = Errors(
      "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec:\n  restartPolicy: X\n  containers:\n  - name: A\n    "
      "image: i\n"
      "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\n");
  BOOST_TEST(errors.find(":6: spec.restartPolicy: Unsupported value: \"X\"") != std::string::npos);
  BOOST_TEST(errors.find(":8: spec.containers[0].name: Invalid value: \"A\"") != std::string::npos);
  BOOST_TEST(errors.find(":12: kind: apps/v1 Deployment is not something a kubelet runs from a manifest; supported are "
                         "v1 Pod, PodList, ConfigMap, Secret and List") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_is_no_manifest_says_so) {
  BOOST_TEST(Errors("").find("no object in it") != std::string::npos);
  BOOST_TEST(Errors("# only a comment\n---\n").find("no object in it") != std::string::npos);
  BOOST_TEST(Errors("metadata: {name: a}\n").find("Object 'Kind' is missing") != std::string::npos);
  BOOST_TEST(Errors("kind: Pod\n").find("Object 'apiVersion' is missing") != std::string::npos);
  BOOST_TEST(Errors("just text").size() > 2U);
  BOOST_TEST(Errors("{\"kind\": \"Pod\",").size() > 2U);
  BOOST_TEST(Errors(std::string(100, '\0')).size() > 2U);
  BOOST_TEST(Errors("a: b\n\tc: d\n").find("line 2") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(wrong_types_and_duplicate_keys_are_told_with_their_line) {
  BOOST_TEST(Errors(PodYaml("web", "a", "", "  hostNetwork: 7\n")).starts_with(":9: "));
  BOOST_TEST(Errors(PodYaml("web", "a", "  name: again\n")).find("already") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(one_pod_twice_in_one_file_is_a_problem) {
  BOOST_TEST(Errors(PodYaml("web") + "---\n" + PodYaml("web", "b")) ==
             ":10: metadata.name: pod default/web-node1 is in this file twice, first at line 1\n");
}

BOOST_AUTO_TEST_CASE(too_large_and_too_clever_manifests_are_refused_quickly) {
  BOOST_TEST(Errors(std::string((1 << 20) + 1, '#')).find("larger than 1048576 bytes") != std::string::npos);
  std::string bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n";
  for (char c = 'b'; c <= 'k'; ++c) {
    bomb += fmt::format("{0}: &{0} [*{1},*{1},*{1},*{1},*{1},*{1},*{1},*{1},*{1}]\n", c, static_cast<char>(c - 1));
  }
  const auto start = std::chrono::steady_clock::now();
  BOOST_TEST(Errors("kind: Pod\napiVersion: v1\n" + bomb) != "");
  BOOST_TEST(Errors("kind: Pod\napiVersion: v1\nspec: " + std::string(500'000, '[')) != "");
  BOOST_TEST(Errors("{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"spec\":" + std::string(500'000, '[')) != "");
  std::string deep = "kind: Pod\napiVersion: v1\n";
  for (int i = 0; i < 1000; ++i) deep += std::string(static_cast<size_t>(i), ' ') + "a:\n";
  BOOST_TEST(Errors(deep) != "");
  BOOST_TEST((std::chrono::steady_clock::now() - start < std::chrono::seconds(20)));
}

BOOST_AUTO_TEST_CASE(many_objects_and_many_mistakes_cost_bounded_time) {
  const auto start = std::chrono::steady_clock::now();
  std::string maps = "apiVersion: v1\nkind: List\nitems:\n";
  for (int i = 0; i < 900; ++i)
    maps += fmt::format("- {{apiVersion: v1, kind: ConfigMap, metadata: {{name: c{}}}}}\n", i);
  const ParsedManifest first = ParseManifest(maps, Options());
  RequireGood(first);
  BOOST_TEST(first.manifest.config_maps.size() == 900U);
  ParseOptions again = Options();
  again.previous = &first.manifest;
  BOOST_TEST(ParseManifest(maps, again).manifest.config_maps.at(899).object ==
             first.manifest.config_maps.at(899).object);
  std::string documents;
  for (int i = 0; i < 2000; ++i) documents += "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n";
  BOOST_TEST(Errors(documents).find("more than 1000 objects in it") != std::string::npos);
  std::string pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n";
  for (int i = 0; i < 20'000; ++i) pod += "  - {name: B, x: 1}\n";
  BOOST_TEST(ParseManifest(pod, Options()).problems.size() == 20U);
  BOOST_TEST((std::chrono::steady_clock::now() - start < std::chrono::seconds(30)));
}

BOOST_AUTO_TEST_CASE(after_names_pods_or_is_refused) {
  const ParsedManifest parsed = ParseManifest(AfterYaml("web", " db , kube-system/dns,"), Options());
  RequireGood(parsed);
  const std::vector<std::pair<std::string, std::string>> expected = {{"default", "db"}, {"kube-system", "dns"}};
  BOOST_TEST((parsed.manifest.pods.at(0).after == expected));
  BOOST_TEST(
      Errors(AfterYaml("web", "Db")) ==
      ":6: metadata.annotations[knarr.dev/after]: Invalid value: \"Db\": must be a comma-separated list of pod names, "
      "[<namespace>/]<name>\n");
}

DesiredState MergeOf(const std::vector<ParsedManifest>& parsed) {
  std::vector<const Manifest*> manifests;
  for (const ParsedManifest& p : parsed) manifests.push_back(&p.manifest);
  DesiredState state;
  Merger("node1", nullptr).Merge(manifests, kNow, state);
  return state;
}

BOOST_AUTO_TEST_CASE(waiting_for_an_unknown_pod_is_a_problem_and_waits) {
  const DesiredState state = MergeOf({ParseManifest(AfterYaml("web", "db"), Options())});
  BOOST_TEST(Problems(state) ==
             "/etc/kubernetes/manifests/web.yaml:6: metadata.annotations[knarr.dev/after]: Not found: \"default/db\": "
             "no manifest "
             "has this pod; pod default/web-node1 waits for it\n");
  BOOST_TEST(state.pods.at(0).after.at(0) == "default/db-node1");
}

BOOST_AUTO_TEST_CASE(a_cycle_is_named_and_its_pods_do_not_wait) {
  const DesiredState state = MergeOf({ParseManifest(AfterYaml("a", "b"), Options("/m/a.yaml")),
                                      ParseManifest(AfterYaml("b", "a,c"), Options("/m/b.yaml")),
                                      ParseManifest(PodYaml("c"), Options("/m/c.yaml"))});
  BOOST_TEST(
      Problems(state) ==
      "/m/a.yaml:6: metadata.annotations[knarr.dev/after]: Invalid value: cycle default/a-node1 -> default/b-node1 -> "
      "default/a-node1; these pods start without waiting for one another\n");
  BOOST_TEST(FindPod(state, "default/a-node1")->after.empty());
  BOOST_TEST(FindPod(state, "default/b-node1")->after == std::vector<std::string>{"default/c-node1"},
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::kubelet
