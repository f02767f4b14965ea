#include "pkg/apiserver/registry/autoscaling/kinds.h"

#include <fmt/format.h>

#include <boost/test/unit_test.hpp>

#include "pkg/apiserver/registry/test_kinds.h"

namespace knarr::registry {
namespace {

constexpr std::string_view kHpas = "horizontalpodautoscalers";

std::string Hpa(std::string_view spec) {
  return fmt::format(
      "metadata: {{name: web}}\nspec:\n  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: web}}\n{}",
      spec);
}

BOOST_AUTO_TEST_SUITE(autoscaling_kinds)

BOOST_AUTO_TEST_CASE(defaults) {
  TestKinds kinds(AutoscalingKinds({}));
  const std::string yaml =
      kinds.CreatedYaml(kHpas, Hpa("  maxReplicas: 3\n  behavior: {scaleDown: {selectPolicy: Min}}"));
  BOOST_TEST(yaml.find("minReplicas: 1") != std::string::npos);
  BOOST_TEST(yaml.find("averageUtilization: 80") != std::string::npos);
  BOOST_TEST(yaml.find("selectPolicy: Max\n      stabilizationWindowSeconds: 0") != std::string::npos);
  BOOST_TEST(yaml.find("generation") == std::string::npos);
  BOOST_TEST(kinds.CreateErrors(kHpas, Hpa("  maxReplicas: 3")) == "");
}

BOOST_AUTO_TEST_CASE(what_is_wrong) {
  TestKinds kinds(AutoscalingKinds({}));
  const std::pair<std::string, std::string> cases[] = {
      {"spec: {minReplicas: 0}",
       "spec.minReplicas: Invalid value: 0: must be greater than or equal to 1\n"
       "spec.maxReplicas: Invalid value: 0: must be greater than 0\n"
       "spec.scaleTargetRef.kind: Required value\n"
       "spec.scaleTargetRef.name: Required value\n"
       "spec.metrics: Forbidden: must specify at least one Object or External metric to support scaling to zero "
       "replicas"},
      {Hpa("  minReplicas: 4\n  maxReplicas: 3"),
       "spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`"},
      {Hpa("  maxReplicas: 3\n  metrics: [{type: Pods, resource: {name: cpu, target: {type: Utilization, "
           "averageUtilization: 0}}}]"),
       "spec.metrics[0].resource.target.averageUtilization: Invalid value: 0: must be greater than 0\n"
       "spec.metrics[0].pods: Required value: must populate information for the given metric source"},
      {Hpa("  maxReplicas: 3\n  metrics: [{type: Resource, resource: {name: cpu, target: {type: Other}}, pods: "
           "{metric: "
           "{name: m}, target: {type: AverageValue, averageValue: 1}}}]"),
       "spec.metrics[0].resource: Forbidden: must populate the given metric source only"},
      {Hpa("  maxReplicas: 3\n  behavior: {scaleUp: {policies: [{type: X, value: 0, periodSeconds: 1801}], "
           "stabilizationWindowSeconds: 3601}}"),
       "spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: 3601: must be less than or equal to 3600\n"
       "spec.behavior.scaleUp.policies[0].type: Unsupported value: \"X\": supported values: \"Percent\", \"Pods\"\n"
       "spec.behavior.scaleUp.policies[0].value: Invalid value: 0: must be greater than zero\n"
       "spec.behavior.scaleUp.policies[0].periodSeconds: Invalid value: 1801: must be less than or equal to 1800"},
  };
  for (const auto& [yaml, errors] : cases) {
    // Two sources: only that the wrong one is named.
    const std::string found = kinds.CreateErrors(kHpas, yaml);
    if (errors.find("must populate the given metric source only") != std::string::npos) {
      BOOST_TEST(found.find("spec.metrics[0].pods: Forbidden: must populate the given metric source only") !=
                 std::string::npos);
    } else {
      BOOST_TEST(found == errors);
    }
  }
}

BOOST_AUTO_TEST_CASE(rows) {
  TestKinds kinds(AutoscalingKinds({}));
  BOOST_TEST(kinds.Header(kHpas) == "Name | Reference | Targets | MinPods | MaxPods | Replicas | Age");
  BOOST_TEST(kinds.Row(kHpas, Hpa("  maxReplicas: 3")) ==
             "web | Deployment/web | cpu: <unknown>/80% | 1 | 3 | 0 | <unknown>");
  BOOST_TEST(kinds.Row(kHpas, Hpa(R"(  maxReplicas: 3
  metrics:
  - {type: Pods, pods: {metric: {name: m}, target: {type: AverageValue, averageValue: 10}}}
  - {type: External, external: {metric: {name: e}, target: {type: AverageValue, averageValue: 5}}}
  - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 5}}}
status:
  currentReplicas: 2
  currentMetrics: [{type: Pods, pods: {metric: {name: m}, current: {averageValue: 7500m}}}])")) ==
             "web | Deployment/web | 7500m/10, <unknown>/5 (avg) + 1 more... | 1 | 3 | 2 | <unknown>");
}

BOOST_AUTO_TEST_CASE(versions) {
  TestKinds kinds(AutoscalingKinds({}));
  const Kind& kind = kinds.Get(kHpas);
  BOOST_TEST(kind.storage_version == "autoscaling/v1");
  BOOST_TEST(kind.HubApiVersion() == "autoscaling/v2");
  BOOST_TEST(kind.FindVersion("v2beta2")->deprecation_warning ==
             "autoscaling/v2beta2 HorizontalPodAutoscaler is deprecated in v1.23+, unavailable in v1.26+; use "
             "autoscaling/v2 HorizontalPodAutoscaler");
  BOOST_TEST(kind.FindVersion("v1")->deprecation_warning == "");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::registry
