#include "pkg/apiserver/registry/networking/kinds.h"

#include <boost/test/unit_test.hpp>

#include "pkg/apiserver/registry/test_kinds.h"

namespace knarr::registry {
namespace {

BOOST_AUTO_TEST_SUITE(networking_kinds)

BOOST_AUTO_TEST_CASE(ingresses) {
  TestKinds kinds(NetworkingKinds({}));
  BOOST_TEST(kinds.Get("ingresses").storage_prefix == "/registry/ingress/");
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"spec: {rules: [{host: a.example, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, "
       "port: {number: 80}}}}]}}]}",
       ""},
      {"spec: {}",
       "spec: Invalid value: []networking.IngressRule(nil): either `defaultBackend` or `rules` must be specified"},
      {"spec: {defaultBackend: {}}",
       "spec.defaultBackend: Invalid value: \"\": resource or service backend is required"},
      {"spec: {defaultBackend: {service: {name: web, port: {number: 1, name: http}}}}",
       "spec.defaultBackend: Invalid value: \"\": cannot set both port name & port number"},
      {"spec: {rules: [{host: 10.0.0.1, http: {paths: []}}]}",
       "spec.rules[0].host: Invalid value: \"10.0.0.1\": must be a DNS name, not an IP address\n"
       "spec.rules[0].http.paths: Required value"},
      {"spec: {rules: [{http: {paths: [{path: a//b/.., pathType: Exact, backend: {service: {name: web, port: {name: "
       "http}}}}, {path: /, backend: {}}, {path: /, pathType: Regex, backend: {service: {name: web, port: {}}}}]}}]}",
       "spec.rules[0].http.paths[0].path: Invalid value: \"a//b/..\": must be an absolute path\n"
       "spec.rules[0].http.paths[0].path: Invalid value: \"a//b/..\": must not contain '//'\n"
       "spec.rules[0].http.paths[0].path: Invalid value: \"a//b/..\": cannot end with '/..'\n"
       "spec.rules[0].http.paths[1].pathType: Required value: pathType must be specified\n"
       "spec.rules[0].http.paths[2].pathType: Unsupported value: \"Regex\": supported values: \"Exact\", "
       "\"ImplementationSpecific\", \"Prefix\"\n"
       "spec.rules[0].http.paths[2].backend: Required value: port name or number is required"},
      {"metadata: {annotations: {kubernetes.io/ingress.class: a}}\nspec: {ingressClassName: b, defaultBackend: "
       "{service: "
       "{name: web, port: {number: 1}}}}",
       "annotations.kubernetes.io/ingress.class: Invalid value: \"a\": must match `ingressClassName` when both are "
       "specified"},
  };
  for (const auto& [yaml, errors] : cases) BOOST_TEST(kinds.CreateErrors("ingresses", yaml) == errors);
  // A bad secret name that is there already may stay.
  constexpr std::string_view kBad =
      "spec: {defaultBackend: {service: {name: web, port: {number: 1}}}, tls: [{secretName: A_B}]}";
  BOOST_TEST(kinds.UpdateErrors("ingresses", "", kBad, kBad) == "");
  BOOST_TEST(kinds.UpdateErrors("ingresses", "status", "status: {loadBalancer: {ingress: [{ip: x}]}}", "spec: {}") ==
             "status.loadBalancer.ingress[0].ip: Invalid value: \"x\": must be a valid IP address, (e.g. 10.9.8.7 or "
             "2001:db8::ffff)");
  BOOST_TEST(kinds.Header("ingresses") == "Name | Class | Hosts | Address | Ports | Age");
  BOOST_TEST(kinds.Row("ingresses",
                       "metadata: {name: i}\nspec: {ingressClassName: nginx, tls: [{}], rules: [{host: a}, "
                       "{host: b}, {host: c}, {host: d}]}\nstatus: {loadBalancer: {ingress: [{ip: 10.0.0.2}, "
                       "{hostname: lb}, {ip: 10.0.0.1}]}}") ==
             "i | nginx | a,b,c + 1 more... | 10.0.0.1,10.0.0.2,lb | 80, 443 | <unknown>");
  BOOST_TEST(kinds.Row("ingresses", "metadata: {name: i}") == "i | <none> | * |  | 80 | <unknown>");
}

BOOST_AUTO_TEST_CASE(ingress_classes) {
  TestKinds kinds(NetworkingKinds({}));
  BOOST_TEST(kinds.Get("ingressclasses").FindVersion("v1beta1")->deprecation_warning ==
             "networking.k8s.io/v1beta1 IngressClass is deprecated in v1.19+, unavailable in v1.22+; use "
             "networking.k8s.io/v1 IngressClassList");
  BOOST_TEST(kinds.CreateErrors("ingressclasses", "spec: {controller: a.example/b, parameters: {kind: K, name: k}}") ==
             "");
  BOOST_TEST(kinds.CreateErrors("ingressclasses", "spec: {parameters: {kind: K, name: k, scope: Namespace}}") ==
             "spec.controller: Required value\n"
             "spec.parameters.namespace: Required value: `parameters.scope` is set to 'Namespace'");
  BOOST_TEST(
      kinds.UpdateErrors("ingressclasses", "", "spec: {controller: a.example/c}", "spec: {controller: a.example/b}") ==
      "spec.controller: Invalid value: \"a.example/c\": field is immutable");
  BOOST_TEST(kinds.Row("ingressclasses",
                       "metadata: {name: c}\nspec: {controller: a.example/b, parameters: {apiGroup: g, "
                       "kind: K, name: k}}") == "c | a.example/b | K.g/k | <unknown>");
}

BOOST_AUTO_TEST_CASE(network_policies) {
  TestKinds kinds(NetworkingKinds({}));
  const std::string yaml = kinds.CreatedYaml("networkpolicies", "spec: {egress: [{ports: [{port: 53}]}]}");
  BOOST_TEST(yaml.find("protocol: TCP") != std::string::npos);
  BOOST_TEST(yaml.find("- Ingress\n  - Egress") != std::string::npos);
  BOOST_TEST(kinds.CreateErrors("networkpolicies", R"(
spec:
  policyTypes: [Ingress, Both]
  ingress:
  - from: [{}, {ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16, 11.0.0.0/16, 10.0.0.0/8]}, podSelector: {}}]
    ports: [{port: 70000}, {port: 80, endPort: 79}, {port: http, endPort: 5}, {protocol: ICMP}]
)") == "spec.ingress[0].ports[0].port: Invalid value: 70000: must be between 1 and 65535, inclusive\n"
       "spec.ingress[0].ports[1].endPort: Invalid value: 80: must be greater than or equal to `port`\n"
       "spec.ingress[0].ports[2].endPort: Invalid value: 5: may not be specified when `port` is non-numeric\n"
       "spec.ingress[0].ports[3].protocol: Unsupported value: \"ICMP\": supported values: \"TCP\", \"UDP\", \"SCTP\"\n"
       "spec.ingress[0].from[0]: Required value: must specify a peer\n"
       "spec.ingress[0].from[1].ipBlock.except[1]: Invalid value: \"11.0.0.0/16\": must be a strict subset of `cidr`\n"
       "spec.ingress[0].from[1].ipBlock.except[2]: Invalid value: \"10.0.0.0/8\": must be a strict subset of `cidr`\n"
       "spec.ingress[0].from[1]: Forbidden: may not specify both ipBlock and another peer\n"
       "spec.policyTypes[1]: Unsupported value: \"Both\": supported values: \"Ingress\", \"Egress\"");
  BOOST_TEST(kinds.Row("networkpolicies", "metadata: {name: p}\nspec: {podSelector: {matchLabels: {a: b}}}") ==
             "p | a=b | <unknown>");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::registry
