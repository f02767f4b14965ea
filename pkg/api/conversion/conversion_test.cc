#include "pkg/api/conversion/conversion.h"

#include <fmt/format.h>

#include <boost/test/unit_test.hpp>

#include "pkg/api/codec/codec.h"
#include "pkg/api/scheme/scheme.h"

namespace knarr::conversion {
namespace {

std::unique_ptr<google::protobuf::Message> Decode(std::string_view api_version, std::string_view kind,
                                                  std::string_view yaml) {
  auto message = scheme::New(api_version, kind);
  BOOST_REQUIRE(message.ok());
  const Status decoded = codec::DecodeYaml(yaml, message->get());
  BOOST_REQUIRE_MESSAGE(decoded.ok(), decoded.message());
  return std::move(*message);
}

// What `yaml` of one version is in the other, as YAML.
std::string To(std::string_view kind, std::string_view from, std::string_view to, std::string_view yaml) {
  const auto message = Decode(from, kind, yaml);
  auto converted = Convert(*message, kind, from, to);
  if (!converted.ok()) return "error: " + std::string(converted.error().message());
  return codec::EncodeYaml(**converted);
}

// As the version prints it.
std::string Same(std::string_view kind, std::string_view version, std::string_view yaml) {
  return codec::EncodeYaml(*Decode(version, kind, yaml));
}

void CheckBothWays(std::string_view kind, std::string_view a, std::string_view in_a, std::string_view b,
                   std::string_view in_b) {
  BOOST_TEST(To(kind, a, b, in_a) == Same(kind, b, in_b));
  BOOST_TEST(To(kind, b, a, in_b) == Same(kind, a, in_a));
}

BOOST_AUTO_TEST_CASE(ingress_backends_are_objects_in_v1) {
  CheckBothWays("Ingress", "networking.k8s.io/v1beta1", R"(
metadata: {name: web}
spec:
  backend: {serviceName: fallback, servicePort: http}
  tls: [{hosts: [a.example], secretName: cert}]
  rules:
  - host: a.example
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {serviceName: web, servicePort: 80}}
      - {path: /files, pathType: Exact, backend: {resource: {apiGroup: k8s.example, kind: Bucket, name: b}, servicePort: 0}}
)",
                "networking.k8s.io/v1", R"(
metadata: {name: web}
spec:
  defaultBackend: {service: {name: fallback, port: {name: http}}}
  tls: [{hosts: [a.example], secretName: cert}]
  rules:
  - host: a.example
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}
      - {path: /files, pathType: Exact, backend: {resource: {apiGroup: k8s.example, kind: Bucket, name: b}}}
)");
}

BOOST_AUTO_TEST_CASE(ingress_v1beta1_has_a_default_path_type) {
  const std::string v1 = To("Ingress", "networking.k8s.io/v1beta1", "networking.k8s.io/v1",
                            "spec: {rules: [{http: {paths: [{backend: {serviceName: a, servicePort: 1}}]}}]}");
  BOOST_TEST(v1.find("pathType: ImplementationSpecific") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(endpoint_slice_topology) {
  CheckBothWays("EndpointSlice", "discovery.k8s.io/v1beta1", R"(
metadata: {name: web-abc}
addressType: IPv4
endpoints:
- addresses: [10.0.0.1]
  nodeName: n1
  topology: {topology.kubernetes.io/zone: z1, kubernetes.io/hostname: n1, topology.kubernetes.io/region: r1}
  hints: {forZones: [{name: z1}]}
- addresses: [10.0.0.2]
ports: [{port: 80, protocol: TCP, name: http}]
)",
                "discovery.k8s.io/v1", R"(
metadata: {name: web-abc}
addressType: IPv4
endpoints:
- addresses: [10.0.0.1]
  nodeName: n1
  zone: z1
  deprecatedTopology: {topology.kubernetes.io/region: r1}
  hints: {forZones: [{name: z1}]}
- addresses: [10.0.0.2]
ports: [{port: 80, protocol: TCP, name: http}]
)");
  // A host name that differs from the node's stays.
  BOOST_TEST(To("EndpointSlice", "discovery.k8s.io/v1beta1", "discovery.k8s.io/v1",
                "endpoints: [{addresses: [a], nodeName: n1, topology: {kubernetes.io/hostname: other}}]")
                 .find("kubernetes.io/hostname: other") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(endpoint_slice_lists_go_item_by_item) {
  const std::string list = To("EndpointSliceList", "discovery.k8s.io/v1", "discovery.k8s.io/v1beta1",
                              "metadata: {resourceVersion: '7'}\nitems: [{addressType: IPv4, endpoints: "
                              "[{addresses: [a], zone: z1}]}]");
  BOOST_TEST(list.find("topology.kubernetes.io/zone: z1") != std::string::npos);
  BOOST_TEST(list.find("resourceVersion: \"7\"") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(empty_selectors_of_budgets) {
  const auto to_v1 = [](std::string_view yaml) {
    return To("PodDisruptionBudget", "policy/v1beta1", "policy/v1", yaml);
  };
  const auto to_beta = [](std::string_view yaml) {
    return To("PodDisruptionBudget", "policy/v1", "policy/v1beta1", yaml);
  };
  constexpr std::string_view kLabel = "pdb.kubernetes.io/deprecated-v1beta1-empty-selector-match";
  const std::string none = "spec: {selector: {}}";
  const std::string exists =
      fmt::format("spec: {{selector: {{matchExpressions: [{{key: {}, operator: Exists}}]}}}}", kLabel);
  const std::string not_exists =
      fmt::format("spec: {{selector: {{matchExpressions: [{{key: {}, operator: DoesNotExist}}]}}}}", kLabel);
  const auto same = [](std::string_view yaml) { return Same("PodDisruptionBudget", "policy/v1", yaml); };
  BOOST_TEST(to_v1(none) == same(exists));
  BOOST_TEST(to_v1(not_exists) == same(none));
  BOOST_TEST(to_beta(exists) == same(none));
  BOOST_TEST(to_beta(none) == same(not_exists));
  // No selector at all selects nothing in both.
  BOOST_TEST(to_v1("spec: {minAvailable: 1}") == same("spec: {minAvailable: 1}"));
  BOOST_TEST(to_v1("spec: {minAvailable: 50%, selector: {matchLabels: {a: b}}}") ==
             same("spec: {minAvailable: 50%, selector: {matchLabels: {a: b}}}"));
}

BOOST_AUTO_TEST_CASE(autoscaler_v1_keeps_the_rest_in_annotations) {
  constexpr std::string_view kV2 = R"(
metadata: {name: web, annotations: {mine: "1"}}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  minReplicas: 2
  maxReplicas: 5
  metrics:
  - {type: Pods, pods: {metric: {name: rps}, target: {type: AverageValue, averageValue: 1k}}}
  - {type: External, external: {metric: {name: q, selector: {matchLabels: {a: b}}}, target: {type: Value, value: "30"}}}
  - {type: Object, object: {describedObject: {kind: Ingress, name: i}, metric: {name: r}, target: {type: Value, value: "2"}}}
  - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}}
  behavior: {scaleDown: {stabilizationWindowSeconds: 60, policies: [{type: Pods, value: 1, periodSeconds: 15}]}}
status:
  currentReplicas: 3
  desiredReplicas: 4
  conditions: [{type: AbleToScale, status: "True", lastTransitionTime: null}]
  currentMetrics:
  - {type: Resource, resource: {name: cpu, current: {averageUtilization: 65, averageValue: 130m}}}
)";
  const auto v2 = Decode("autoscaling/v2", "HorizontalPodAutoscaler", kV2);
  auto v1 = Convert(*v2, "HorizontalPodAutoscaler", "autoscaling/v2", "autoscaling/v1");
  BOOST_REQUIRE(v1.ok());
  const std::string text = codec::EncodeYaml(**v1);
  BOOST_TEST(text.find("targetCPUUtilizationPercentage: 70") != std::string::npos);
  BOOST_TEST(text.find("currentCPUUtilizationPercentage: 65") != std::string::npos);
  BOOST_TEST(text.find(R"('[{"type":"Pods","pods":{"metricName":"rps","targetAverageValue":"1k"}},)") !=
             std::string::npos);
  BOOST_TEST(text.find("autoscaling.alpha.kubernetes.io/behavior") != std::string::npos);
  auto back = Convert(**v1, "HorizontalPodAutoscaler", "autoscaling/v1", "autoscaling/v2");
  BOOST_REQUIRE(back.ok());
  // Object metrics come back with a value beside, as upstream's do; the order puts CPU last.
  BOOST_TEST(codec::EncodeYaml(**back) == codec::EncodeYaml(*v2));
  for (const std::string_view beta : {"autoscaling/v2beta1", "autoscaling/v2beta2"}) {
    auto there = Convert(*v2, "HorizontalPodAutoscaler", "autoscaling/v2", beta);
    BOOST_REQUIRE(there.ok());
    auto again = Convert(**there, "HorizontalPodAutoscaler", beta, "autoscaling/v2");
    BOOST_REQUIRE(again.ok());
    BOOST_TEST(codec::EncodeYaml(**again) == codec::EncodeYaml(*v2));
  }
  // Through the hub.
  auto direct = Convert(**v1, "HorizontalPodAutoscaler", "autoscaling/v1", "autoscaling/v2beta2");
  BOOST_REQUIRE(direct.ok());
  BOOST_TEST(codec::EncodeYaml(**direct).find("averageUtilization: 70") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(events_are_the_same_objects_in_two_groups) {
  constexpr std::string_view kCore = R"(
metadata: {name: web.1, namespace: d}
involvedObject: {kind: Pod, name: web, namespace: d}
reason: Started
message: Started container
source: {component: kubelet, host: n1}
firstTimestamp: "2024-01-01T00:00:00Z"
lastTimestamp: "2024-01-01T00:00:01Z"
count: 2
type: Normal
eventTime: null
reportingComponent: kubelet
reportingInstance: n1
)";
  constexpr std::string_view kEvents = R"(
metadata: {name: web.1, namespace: d}
eventTime: null
regarding: {kind: Pod, name: web, namespace: d}
reason: Started
note: Started container
deprecatedSource: {component: kubelet, host: n1}
deprecatedFirstTimestamp: "2024-01-01T00:00:00Z"
deprecatedLastTimestamp: "2024-01-01T00:00:01Z"
deprecatedCount: 2
type: Normal
reportingController: kubelet
reportingInstance: n1
)";
  CheckBothWays("Event", "v1", kCore, "events.k8s.io/v1", kEvents);
  CheckBothWays("Event", "v1", kCore, "events.k8s.io/v1beta1", kEvents);
}

BOOST_AUTO_TEST_CASE(signing_requests_of_v1beta1_get_their_defaults) {
  const std::string v1 = To("CertificateSigningRequest", "certificates.k8s.io/v1beta1", "certificates.k8s.io/v1",
                            "spec: {request: YQ==}\nstatus: {conditions: [{type: Approved}]}");
  BOOST_TEST(v1.find("signerName: kubernetes.io/legacy-unknown") != std::string::npos);
  BOOST_TEST(v1.find("- digital signature\n  - key encipherment") != std::string::npos);
  BOOST_TEST(v1.find("status: \"True\"") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(zero_shares_of_priority_levels) {
  constexpr std::string_view kKind = "PriorityLevelConfiguration";
  const auto convert = [&](std::string_view from, std::string_view to, std::string_view yaml) {
    return To(kKind, fmt::format("flowcontrol.apiserver.k8s.io/{}", from),
              fmt::format("flowcontrol.apiserver.k8s.io/{}", to), yaml);
  };
  const std::string beta3 = convert("v1", "v1beta3", "spec: {type: Limited, limited: {nominalConcurrencyShares: 0}}");
  BOOST_TEST(beta3.find("flowcontrol.k8s.io/v1beta3-preserve-zero-concurrency-shares: \"\"") != std::string::npos);
  BOOST_TEST(convert("v1beta3", "v1", beta3).find("nominalConcurrencyShares: 0") != std::string::npos);
  BOOST_TEST(convert("v1beta3", "v1", "spec: {type: Limited, limited: {}}").find("Shares: null") != std::string::npos);
  BOOST_TEST(convert("v1beta1", "v1", "spec: {type: Limited, limited: {assuredConcurrencyShares: 7}}")
                 .find("nominalConcurrencyShares: 7") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(equal_versions_go_by_the_wire) {
  constexpr std::string_view kCron = R"(
spec:
  schedule: "* * * * *"
  concurrencyPolicy: Forbid
  jobTemplate: {spec: {template: {spec: {containers: [{name: c, image: i}], restartPolicy: Never}}}}
)";
  CheckBothWays("CronJob", "batch/v1beta1", kCron, "batch/v1", kCron);
  const std::string error = To("ConfigMap", "v1", "apps/v1", "data: {a: b}");
  BOOST_TEST(error.starts_with("error: "));
}

BOOST_AUTO_TEST_CASE(field_labels) {
  const auto label = [](std::string_view kind, std::string_view version, std::string_view field) {
    const auto converted = ConvertFieldLabel(kind, version, field);
    return converted.ok() ? *converted : "error: " + std::string(converted.error().message());
  };
  BOOST_TEST(label("Pod", "v1", "spec.host") == "spec.nodeName");
  BOOST_TEST(label("Pod", "v1", "spec.foo") == "error: field label not supported: spec.foo");
  BOOST_TEST(label("Event", "events.k8s.io/v1", "regarding.name") == "involvedObject.name");
  BOOST_TEST(label("Event", "events.k8s.io/v1", "involvedObject.name") ==
             "error: field label not supported: involvedObject.name");
  BOOST_TEST(label("Job", "batch/v1", "x") == "error: field label \"x\" not supported for Job");
  BOOST_TEST(label("StatefulSet", "apps/v1", "x") == "error: field label not supported for appsv1.StatefulSet: x");
  BOOST_TEST(label("Deployment", "apps/v1", "status.x") ==
             "error: \"status.x\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"");
  BOOST_TEST(label("Lease", "coordination.k8s.io/v1", "metadata.name") == "metadata.name");
}

}  // namespace
}  // namespace knarr::conversion
