#include "pkg/apiserver/registry/apps/kinds.h"

#include <boost/test/unit_test.hpp>

#include "k8s.io/apimachinery/pkg/apis/meta/v1/generated.pb.h"
#include "pkg/apiserver/registry/test_kinds.h"

namespace knarr::registry {
namespace {

TestKinds Kinds() {
  return TestKinds(AppsKinds({}));
}

constexpr std::string_view kWeb = R"(
metadata: {name: web, creationTimestamp: "2023-11-14T22:11:20Z"}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: a, image: "i:1"}, {name: b, image: "j:2"}]}
status: {replicas: 3, readyReplicas: 2, updatedReplicas: 1, availableReplicas: 2}
)";

// The above with another spec.
std::string With(std::string_view spec) {
  return "metadata: {name: web}\nspec:\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: "
         "{app: web}}\n    spec: {containers: [{name: a, image: i}]}\n" +
         std::string(spec);
}

BOOST_AUTO_TEST_SUITE(apps_kinds)

BOOST_AUTO_TEST_CASE(deployments_get_defaults_and_a_generation) {
  TestKinds kinds = Kinds();
  const std::string yaml = kinds.CreatedYaml("deployments", kWeb);
  BOOST_TEST(yaml.find("generation: 1") != std::string::npos);
  BOOST_TEST(yaml.find("maxSurge: 25%\n      maxUnavailable: 25%") != std::string::npos);
  BOOST_TEST(yaml.find("progressDeadlineSeconds: 600") != std::string::npos);
  BOOST_TEST(yaml.find("revisionHistoryLimit: 10") != std::string::npos);
  BOOST_TEST(yaml.find("status: {}") != std::string::npos);
  BOOST_TEST(kinds.CreateErrors("deployments", kWeb) == "");
}

BOOST_AUTO_TEST_CASE(deployments_print_as_upstreams) {
  TestKinds kinds = Kinds();
  BOOST_TEST(kinds.Header("deployments") ==
             "Name | Ready | Up-to-date | Available | Age | (Containers) | (Images) | (Selector)");
  BOOST_TEST(kinds.Row("deployments", kWeb) == "web | 2/3 | 1 | 2 | 2m | a,b | i:1,j:2 | app=web");
  BOOST_TEST(kinds.Row("replicasets", kWeb.substr(0, kWeb.find("status:"))) ==
             "web | 3 | 0 | 0 | 2m | a,b | i:1,j:2 | app=web");
  BOOST_TEST(kinds.Header("statefulsets") == "Name | Ready | Age | (Containers) | (Images)");
  BOOST_TEST(kinds.Row("statefulsets", kWeb) == "web | 2/3 | 2m | a,b | i:1,j:2");
  BOOST_TEST(kinds.Header("daemonsets") ==
             "Name | Desired | Current | Ready | Up-to-date | Available | Node Selector | Age | (Containers) | "
             "(Images) | (Selector)");
  BOOST_TEST(kinds.Row("daemonsets", With("status: {desiredNumberScheduled: 4, numberReady: 1}")) ==
             "web | 4 | 0 | 1 | 0 | 0 | <none> | <unknown> | a | i | app=web");
  BOOST_TEST(kinds.Row("controllerrevisions", R"(
metadata: {name: r, ownerReferences: [{apiVersion: apps/v1, kind: DaemonSet, name: d, uid: u, controller: true}]}
revision: 7
)") == "r | daemonset.apps/d | 7 | <unknown>");
}

BOOST_AUTO_TEST_CASE(deployments_that_are_wrong) {
  TestKinds kinds = Kinds();
  BOOST_TEST(kinds.CreateErrors("deployments", R"(
metadata: {name: web}
spec:
  replicas: -1
  selector: {}
  strategy: {type: Recreate, rollingUpdate: {}}
  progressDeadlineSeconds: 5
  minReadySeconds: 5
  template: {spec: {containers: [{name: a, image: i}], restartPolicy: Never, activeDeadlineSeconds: 1}}
)") == "spec.replicas: Invalid value: -1: must be greater than or equal to 0\n"
       "spec.selector: Invalid value: v1.LabelSelector{MatchLabels:map[string]string(nil), "
       "MatchExpressions:[]v1.LabelSelectorRequirement(nil)}: empty selector is invalid for deployment\n"
       "spec.template.spec.restartPolicy: Unsupported value: \"Never\": supported values: \"Always\"\n"
       "spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in ReplicaSet is not "
       "Supported\n"
       "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'\n"
       "spec.progressDeadlineSeconds: Invalid value: 5: must be greater than minReadySeconds");
  BOOST_TEST(kinds.CreateErrors("deployments", R"(
spec:
  selector: {matchLabels: {app: web}}
  strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 0}}
  template: {metadata: {labels: {app: db, tier: x}}, spec: {containers: [{name: a, image: i}]}}
)") == "spec.template.metadata.labels: Invalid value: map[string]string{\"app\":\"db\", \"tier\":\"x\"}: "
       "`selector` does not match template `labels`\n"
       "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: intstr.IntOrString{Type:0, IntVal:0, "
       "StrVal:\"\"}: may not be 0 when `maxSurge` is 0");
  BOOST_TEST(kinds.CreateErrors("deployments", "spec: {template: {spec: {containers: [{name: a}]}}}") ==
             "spec.selector: Required value\n"
             "spec.template.metadata.labels: Invalid value: map[string]string(nil): `selector` does not match template "
             "`labels`\n"
             "spec.template.spec.containers[0].image: Required value");
  BOOST_TEST(
      kinds.CreateErrors("deployments", With("  strategy: {rollingUpdate: {maxSurge: 1x, maxUnavailable: 101%}}")) ==
      "spec.strategy.rollingUpdate.maxSurge: Invalid value: intstr.IntOrString{Type:1, IntVal:0, "
      "StrVal:\"1x\"}: a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or "
      "'93%', regex used for validation is '[0-9]+%')\n"
      "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: intstr.IntOrString{Type:1, IntVal:0, "
      "StrVal:\"101%\"}: must not be greater than 100%");
}

BOOST_AUTO_TEST_CASE(generations_follow_the_spec) {
  TestKinds kinds = Kinds();
  const Object old = kinds.Created("deployments", With(""));
  const auto generation = [&](std::string_view sub, const std::string& yaml) {
    return kinds.Updated("deployments", sub, yaml, old).metadata().generation();
  };
  BOOST_TEST(generation("", With("  replicas: 1")) == 1);  // the default
  BOOST_TEST(generation("", With("  replicas: 2")) == 2);
  // A field that is a value in Go may be absent or zero.
  BOOST_TEST(generation("", With("  minReadySeconds: 0\n  paused: false")) == 1);
  BOOST_TEST(generation("", "metadata: {name: web, annotations: {a: b}}" + With("").substr(21)) == 2);
  const Object status = kinds.Updated("deployments", "status", With("  replicas: 9\nstatus: {replicas: 4}"), old);
  BOOST_TEST(codec::EncodeJson(status.message()).find("\"status\":{\"replicas\":4}") != std::string::npos);
  BOOST_TEST(codec::EncodeJson(status.message()).find("\"replicas\":9") == std::string::npos);
  // The status does not come through the main resource.
  const Object main = kinds.Updated("deployments", "", With("status: {replicas: 4}"), old);
  BOOST_TEST(codec::EncodeJson(main.message()).find("\"status\":{}") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(selectors_do_not_change) {
  TestKinds kinds = Kinds();
  for (const char* resource : {"deployments", "replicasets", "daemonsets"}) {
    BOOST_TEST(kinds.UpdateErrors(resource, "", R"(
spec:
  selector: {matchLabels: {app: b}}
  template: {metadata: {labels: {app: b}}, spec: {containers: [{name: a, image: i}]}}
)",
                                  With("")) ==
               "spec.selector: Invalid value: v1.LabelSelector{MatchLabels:map[string]string{\"app\":\"b\"}, "
               "MatchExpressions:[]v1.LabelSelectorRequirement(nil)}: field is immutable");
  }
  BOOST_TEST(kinds.UpdateErrors("statefulsets", "", With("  serviceName: b"), With("  serviceName: a")) ==
             "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
             "'updateStrategy', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden");
  BOOST_TEST(kinds.UpdateErrors("statefulsets", "", With("  replicas: 4\n  minReadySeconds: 2"), With("")) == "");
  BOOST_TEST(kinds.UpdateErrors("controllerrevisions", "", "data: {a: 2}", "data: {a: 1}") ==
             "data: Invalid value: runtime.RawExtension{...}: field is immutable");
}

BOOST_AUTO_TEST_CASE(statuses_that_are_wrong) {
  TestKinds kinds = Kinds();
  BOOST_TEST(kinds.UpdateErrors("deployments", "status",
                                With("status: {replicas: 1, readyReplicas: 2, collisionCount: 1}"),
                                With("status: {collisionCount: 2}")) ==
             "status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas\n"
             "status.collisionCount: Invalid value: 1: cannot be decremented");
  BOOST_TEST(kinds.UpdateErrors("statefulsets", "status", With("status: {replicas: -1}"), With("")) ==
             "status.replicas: Invalid value: -1: must be greater than or equal to 0\n"
             "status.readyReplicas: Invalid value: 0: cannot be greater than status.replicas\n"
             "status.currentReplicas: Invalid value: 0: cannot be greater than status.replicas\n"
             "status.updatedReplicas: Invalid value: 0: cannot be greater than status.replicas\n"
             "status.availableReplicas: Invalid value: 0: cannot be greater than status.replicas");
}

BOOST_AUTO_TEST_CASE(daemon_sets_count_templates_in_an_annotation) {
  TestKinds kinds = Kinds();
  const Object created = kinds.Created("daemonsets", With(""));
  const auto count = [](const Object& object) {
    return object.metadata().annotations().at("deprecated.daemonset.template.generation");
  };
  BOOST_TEST(count(created) == "1");
  BOOST_TEST(count(kinds.Updated("daemonsets", "", With("  minReadySeconds: 1"), created)) == "1");
  std::string other = With("");
  other.replace(other.find("image: i"), 8, "image: j");
  BOOST_TEST(count(kinds.Updated("daemonsets", "", other, created)) == "2");
  BOOST_TEST(
      kinds.CreateErrors("daemonsets", With("  updateStrategy: {rollingUpdate: {maxUnavailable: 1, maxSurge: 1}}")) ==
      "spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: intstr.IntOrString{Type:0, IntVal:1, "
      "StrVal:\"\"}: may not be set when maxUnavailable is non-zero");
}

BOOST_AUTO_TEST_CASE(what_can_be_scaled) {
  TestKinds kinds = Kinds();
  for (const char* resource : {"deployments", "replicasets", "statefulsets"}) {
    const Kind& kind = kinds.Get(resource);
    const Subresource* scale = kind.FindSubresource("scale");
    BOOST_REQUIRE(scale != nullptr);
    const Object object = kinds.Created(resource, With("  replicas: 4"));
    const auto view = scale->view(kinds.context(), object);
    BOOST_REQUIRE(view.ok());
    const std::string json = codec::EncodeJson(**view);
    BOOST_TEST(json.find("\"spec\":{\"replicas\":4}") != std::string::npos);
    BOOST_TEST(json.find("\"selector\":\"app=web\"") != std::string::npos);
  }
  BOOST_TEST(kinds.Get("daemonsets").FindSubresource("scale") == nullptr);
}

BOOST_AUTO_TEST_CASE(pods_named_after_what_is_no_label) {
  TestKinds kinds = Kinds();
  const Object object = kinds.Decoded("deployments", "metadata: {name: a.b}");
  const auto warnings = kinds.Get("deployments").strategy->Warnings(kinds.context(), object, nullptr);
  BOOST_REQUIRE(warnings.size() == 1u);
  BOOST_TEST(warnings[0].starts_with("metadata.name: this is used in Pod names and hostnames"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::registry
