// A thousand broken manifests beside ten good ones: nothing crashes, nothing good is touched, everything bad is told.
#include <random>
#include <set>

#include "pkg/kubelet/config/testing.h"

namespace knarr::kubelet {
namespace {

// One random edit: flip, delete, duplicate or replace a piece.
std::string Mutate(std::string text, std::mt19937& random) {
  const auto below = [&](size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random); };
  static const std::vector<std::string> kPieces = {"{",
                                                   "}",
                                                   "[",
                                                   "]",
                                                   ":",
                                                   "\n",
                                                   "\t",
                                                   "&a ",
                                                   "*a",
                                                   "---\n",
                                                   "\"",
                                                   "!!binary ",
                                                   "null",
                                                   "-1",
                                                   "1e999",
                                                   "\xff\xfe",
                                                   std::string(1, '\0'),
                                                   "? ",
                                                   "|",
                                                   ">",
                                                   "%YAML 9\n",
                                                   "<<: *a"};
  for (size_t edits = 1 + below(8); edits > 0 && !text.empty(); --edits) {
    const size_t at = below(text.size());
    switch (below(4)) {
      case 0: text[at] = static_cast<char>(below(256)); break;
      case 1: text.erase(at, 1 + below(20)); break;
      case 2: text.insert(at, text.substr(below(text.size()), below(60))); break;
      default: text.insert(at, kPieces[below(kPieces.size())]); break;
    }
  }
  return text;
}

const std::string kSeed = R"(apiVersion: v1
kind: Pod
metadata:
  name: mutant
  labels: {app: web, "quoted": 'yes'}
  annotations:
    knarr.dev/after: good0
spec:
  hostNetwork: true
  volumes:
  - name: data
    hostPath: {path: /data, type: DirectoryOrCreate}
  - name: tmp
    emptyDir: {medium: Memory, sizeLimit: 10Mi}
  containers:
  - name: main
    image: registry.example/web:1.2@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
    command: ["/bin/web", "--port=80"]
    env:
    - {name: A, value: "1"}
    - name: IP
      valueFrom: {fieldRef: {fieldPath: status.podIP}}
    ports: [{containerPort: 80, hostPort: 80}]
    resources: {limits: {cpu: 500m, memory: 64Mi}}
    livenessProbe:
      httpGet: {path: /healthz, port: 80}
      periodSeconds: 3
    volumeMounts:
    - {name: data, mountPath: /data, readOnly: true}
---
apiVersion: v1
kind: Secret
metadata: {name: mutant}
data: {k: aGVsbG8=}
)";

BOOST_AUTO_TEST_SUITE(kubelet_config_mutation)

BOOST_AUTO_TEST_CASE(a_thousand_mutants_touch_no_good_pod_and_each_bad_one_is_told_once) {
  TestDir dir;
  for (int i = 0; i < 10; ++i) dir.Write(fmt::format("good{}.yaml", i), PodYaml(fmt::format("good{}", i)));
  Sources sources(Sources::Of(dir.path()));
  const State start = sources.Start();
  BOOST_REQUIRE(start->pods.size() == 10U);
  std::mt19937 random(20261120);
  for (int i = 0; i < 1000; ++i) dir.Write(fmt::format("mutant{:03}.yaml", i), Mutate(kSeed, random));
  const State end = sources.Rescan();
  for (const State& state : sources.history()) {
    for (const SourcePod& good : start->pods) {
      const SourcePod* now = FindPod(*state, good.pod->metadata().namespace_() + "/" + good.pod->metadata().name());
      BOOST_REQUIRE(now != nullptr);
      BOOST_REQUIRE(now->pod == good.pod);
    }
  }
  // Every file gave a pod or a Secret of its own, or is a problem with a reason.
  std::set<std::string> told;
  for (const ManifestProblem& problem : end->problems) {
    BOOST_TEST(!problem.message.empty());
    told.insert(problem.file);
  }
  std::set<std::string> used;
  for (const SourcePod& pod : end->pods) used.insert(pod.file);
  BOOST_TEST(told.size() > 700U);
  size_t silent = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::string file = dir.File(fmt::format("mutant{:03}.yaml", i));
    if (!told.contains(file) && !used.contains(file)) ++silent;
  }
  // A mutation may turn the pod's document into something that is legally no pod (a comment, a ConfigMap).
  BOOST_TEST(silent < 20U);
  for (int i = 0; i < 1000; ++i) dir.Remove(fmt::format("mutant{:03}.yaml", i));
  const State clean = sources.WaitFor([](const DesiredState& s) { return s.pods.size() == 10 && s.problems.empty(); });
  BOOST_TEST(clean->secrets.empty());
}

BOOST_AUTO_TEST_CASE(a_good_manifest_of_the_seed_is_good) {
  TestDir dir;
  dir.Write("good0.yaml", PodYaml("good0"));
  dir.Write("mutant.yaml", kSeed);
  Sources sources(Sources::Of(dir.path()));
  BOOST_TEST(Problems(*sources.Start()) == "");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::kubelet
