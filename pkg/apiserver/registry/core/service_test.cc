// Services through the steps of a write; addresses and ports themselves are service/allocators_test.cc's.
#include "pkg/apiserver/registry/core/service.h"

#include "pkg/apiserver/registry/core/test_objects.h"
#include "pkg/apiserver/registry/fake/fake_access.h"
#include "pkg/apiserver/storage/memory.h"

namespace knarr::registry {
namespace {

using namespace testing;  // NOLINT: test helpers

std::string Text(const std::string& spec, const std::string& rest = "") {
  return "metadata { name: \"s\" namespace: \"ns\" } spec { " + spec + " } " + rest;
}
const core::ServiceSpec& SpecOf(const Object& object) {
  return object.As<core::Service>().spec();
}

BOOST_AUTO_TEST_SUITE(services)

BOOST_AUTO_TEST_CASE(the_kind_is_stored_where_upstream_stores_it) {
  const Kind& kind = KindOf("services");
  BOOST_TEST(kind.storage_prefix == "/registry/services/specs/");
  BOOST_TEST(kind.short_names.front() == "svc");
  BOOST_TEST(kind.strategy->AllowCreateOnUpdate());
  BOOST_TEST(kind.name_validator("1a", false).size() == 1U);
}

BOOST_AUTO_TEST_CASE(defaults) {
  const Object plain =
      Created("services", Text("ports { port: 80 } externalIPs: \"1.2.3.4\" sessionAffinity: \"ClientIP\""));
  const auto& spec = SpecOf(plain);
  BOOST_TEST(spec.type() == "ClusterIP");
  BOOST_TEST(spec.ports(0).protocol() == "TCP");
  BOOST_TEST(spec.ports(0).targetport().intval() == 80);
  BOOST_TEST(spec.externaltrafficpolicy() == "Cluster");
  BOOST_TEST(spec.internaltrafficpolicy() == "Cluster");
  BOOST_TEST(spec.sessionaffinityconfig().clientip().timeoutseconds() == 10800);
  const Object balanced = Created("services", Text("type: \"LoadBalancer\" ports { port: 80 }"));
  BOOST_TEST(SpecOf(balanced).allocateloadbalancernodeports());
  const Object external = Created("services", Text("type: \"ExternalName\" externalName: \"a.b\""));
  BOOST_TEST(!SpecOf(external).has_internaltrafficpolicy());
  // Stored by a server that knew one family only.
  Object old =
      FromText("services", R"(metadata { name: "s" namespace: "ns" uid: "u" } spec { clusterIP: "10.0.0.1" })");
  KindOf("services").strategy->SetDefaults(old);
  BOOST_TEST(SpecOf(old).clusterips(0) == "10.0.0.1");
  BOOST_TEST(SpecOf(old).ipfamilies(0) == "IPv4");
  BOOST_TEST(SpecOf(old).ipfamilypolicy() == "SingleStack");
}

BOOST_AUTO_TEST_CASE(what_is_wrong_is_said_as_upstream_does) {
  const struct {
    const char *spec, *errors;
  } cases[] = {
      {"ports { port: 80 }", ""},
      {"clusterIP: \"None\"", ""},
      {"", "spec.ports: Required value"},
      {"ports { port: 80 } ports { port: 81 }",
       "spec.ports[0].name: Required value\nspec.ports[1].name: Required value"},
      {"ports { name: \"a\" port: 80 } ports { name: \"a\" port: 81 }", "spec.ports[1].name: Duplicate value: \"a\""},
      {"ports { port: 0 }",
       "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive\nspec.ports[0].targetPort: "
       "Invalid "
       "value: 0: must be between 1 and 65535, inclusive"},
      {"ports { port: 80 protocol: \"ICMP\" }",
       "spec.ports[0].protocol: Unsupported value: \"ICMP\": supported values: \"SCTP\", \"TCP\", \"UDP\""},
      {"ports { port: 80 nodePort: 30000 }",
       "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"},
      {"type: \"NodePort\" clusterIP: \"None\" ports { port: 80 }",
       "spec.clusterIPs[0]: Invalid value: \"None\": may not be set to 'None' for NodePort services"},
      {"ports { port: 80 } clusterIP: \"10.0.0.x\"",
       "spec.clusterIPs[0]: Invalid value: \"10.0.0.x\": must be a valid IP address, (e.g. 10.9.8.7 or "
       "2001:db8::ffff)"},
      {"ports { port: 80 } clusterIP: \"10.0.0.1\" clusterIPs: \"10.0.0.2\"",
       "spec.clusterIPs: Invalid value: []string{\"10.0.0.2\"}: first value must match `clusterIP`"},
      {"ports { port: 80 } clusterIPs: \"10.0.0.2\"",
       "spec.clusterIPs: Invalid value: []string{\"10.0.0.2\"}: must be empty when `clusterIP` is not specified"},
      {"ports { port: 80 } ipFamilies: \"IPv5\"",
       "spec.ipFamilies[0]: Unsupported value: \"IPv5\": supported values: \"IPv4\", \"IPv6\""},
      {"ports { port: 80 } clusterIP: \"10.0.0.1\" ipFamilies: \"IPv6\"",
       "spec.clusterIPs[0]: Invalid value: \"10.0.0.1\": expected an IPv6 value as indicated by `ipFamilies[0]`"},
      {"type: \"ExternalName\"", "spec.externalName: Required value"},
      {"type: \"ExternalName\" externalName: \"a\" ipFamilyPolicy: \"SingleStack\"",
       "spec.ipFamilyPolicy: Forbidden: may not be set for ExternalName services"},
      {"type: \"Fancy\" ports { port: 80 }",
       "spec.type: Unsupported value: \"Fancy\": supported values: \"ClusterIP\", \"ExternalName\", \"LoadBalancer\", "
       "\"NodePort\""},
      {"ports { port: 80 } sessionAffinity: \"Some\"",
       "spec.sessionAffinity: Unsupported value: \"Some\": supported values: \"ClientIP\", \"None\""},
      {"ports { port: 80 } sessionAffinity: \"ClientIP\" sessionAffinityConfig { clientIP { timeoutSeconds: 0 } }",
       "spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 0: must be greater than 0 and less than "
       "86400"},
      {"ports { port: 80 } externalIPs: \"127.0.0.1\"",
       "spec.externalIPs[0]: Invalid value: \"127.0.0.1\": may not be in the loopback range (127.0.0.0/8, ::1/128)"},
      {"ports { port: 80 } externalTrafficPolicy: \"Local\"",
       "spec.externalTrafficPolicy: Invalid value: \"Local\": may only be set for externally-accessible services"},
      {"ports { port: 80 } loadBalancerSourceRanges: \"10.0.0.0/8\"",
       "spec.LoadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'"},
      {"ports { port: 80 } loadBalancerClass: \"a/b\"",
       "spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'"},
      {"type: \"LoadBalancer\" externalTrafficPolicy: \"Local\" ports { port: 80 }", ""},
      {"ports { port: 80 } healthCheckNodePort: 30000",
       "spec.healthCheckNodePort: Invalid value: 30000: may only be set when `type` is 'LoadBalancer' and "
       "`externalTrafficPolicy` is 'Local'"},
      {"ports { port: 80 } trafficDistribution: \"Far\"",
       "spec.trafficDistribution: Unsupported value: \"Far\": supported values: \"PreferClose\""},
  };
  for (const auto& one : cases) BOOST_TEST(CreateErrors("services", Text(one.spec)) == one.errors, one.spec);
}

BOOST_AUTO_TEST_CASE(updates_keep_what_was_given) {
  const std::string given = R"(type: "NodePort" clusterIP: "10.0.0.1" clusterIPs: "10.0.0.1" ipFamilies: "IPv4"
    ipFamilyPolicy: "SingleStack" ports { name: "a" port: 80 nodePort: 30080 } ports { name: "b" port: 81 nodePort: 30081 })";
  const Object old = Created("services", Text(given));
  const Object updated = Updated("services", "", Text(R"(type: "NodePort" ports { name: "b" port: 82 })"), old);
  BOOST_TEST(SpecOf(updated).clusterip() == "10.0.0.1");
  BOOST_TEST(SpecOf(updated).clusterips(0) == "10.0.0.1");
  BOOST_TEST(SpecOf(updated).ports(0).nodeport() == 30081);
  // To another type: what the client left as it was goes.
  const Object plain = Updated("services", "", Text(R"(type: "ClusterIP" externalTrafficPolicy: "Cluster"
    clusterIP: "10.0.0.1" clusterIPs: "10.0.0.1" ports { name: "a" port: 80 nodePort: 30080 })"),
                               old);
  BOOST_TEST(SpecOf(plain).ports(0).nodeport() == 0);
  BOOST_TEST(SpecOf(plain).externaltrafficpolicy() == "");
  const Object external = Updated("services", "", Text(R"(type: "ExternalName" externalName: "a.b" clusterIP: "10.0.0.1"
    clusterIPs: "10.0.0.1" ipFamilies: "IPv4" ipFamilyPolicy: "SingleStack")"),
                                  old);
  BOOST_TEST(SpecOf(external).clusterip() == "");
  BOOST_TEST(SpecOf(external).clusterips_size() == 0);
  BOOST_TEST(UpdateErrors("services", "", Text("type: \"ExternalName\" externalName: \"a.b\""), Text(given)) == "");
  BOOST_TEST(UpdateErrors("services", "", Text("clusterIP: \"10.0.0.2\" clusterIPs: \"10.0.0.1\" ports { port: 80 }"),
                          Text(given)) ==
             "spec.clusterIPs[0]: Invalid value: []string{\"10.0.0.2\"}: may not change once set");
}

BOOST_AUTO_TEST_CASE(the_status_is_changed_alone) {
  const std::string balanced = Text(R"(type: "LoadBalancer" ports { port: 80 })");
  const Object old = Created("services", balanced);
  const Object updated = Updated(
      "services", "status",
      Text(R"(type: "LoadBalancer" ports { port: 99 })", R"(status { loadBalancer { ingress { ip: "1.2.3.4" } } })"),
      old);
  BOOST_TEST(SpecOf(updated).ports(0).port() == 80);
  BOOST_TEST(updated.As<core::Service>().status().loadbalancer().ingress(0).ipmode() == "VIP");
  BOOST_TEST(UpdateErrors("services", "status",
                          Text("ports { port: 80 }", R"(status { loadBalancer { ingress { ip: "1.2.3.4" } } })"),
                          Text("ports { port: 80 }")) ==
             "status.loadBalancer.ingress: Forbidden: may only be used when `spec.type` is \"LoadBalancer\"");
  BOOST_TEST(
      UpdateErrors("services", "status",
                   Text("type: \"LoadBalancer\"", R"(status { loadBalancer { ingress { hostname: "1.2.3.4" } } })"),
                   balanced) ==
      "status.loadBalancer.ingress[0].hostname: Invalid value: \"1.2.3.4\": must be a DNS "
      "name, not an IP address");
}

BOOST_AUTO_TEST_CASE(warnings) {
  const auto warn = [](const std::string& spec) {
    const Object object = Created("services", Text(spec));
    Request request;
    std::string out;
    for (const auto& one : KindOf("services").strategy->Warnings(request.context, object, nullptr)) out += one + "\n";
    return out;
  };
  BOOST_TEST(warn("clusterIP: \"10.0.0.1\" externalIPs: \"fd00::1\" ports { port: 80 }") == "");
  BOOST_TEST(warn("externalIPs: \"010.0.0.1\"") ==
             "spec.externalIPs[0]: IP address was accepted, but will be invalid in a future Kubernetes release: "
             "ParseAddr(\"010.0.0.1\"): IPv4 field has octet with leading zero\n");
  BOOST_TEST(
      warn("clusterIP: \"FD00:0::1\"") ==
      "spec.clusterIPs[0]: IPv6 address \"FD00:0::1\" is not in RFC 5952 canonical format (\"fd00::1\"), which may "
      "cause controller apply-loops\n");
  BOOST_TEST(warn("externalName: \"a\"") == "spec.externalName is ignored when spec.type is not \"ExternalName\"\n");
}

BOOST_AUTO_TEST_CASE(rows) {
  BOOST_TEST(
      Row("services", R"(metadata { name: "s" creationTimestamp { seconds: 1699999880 } } spec { clusterIPs: "10.0.0.1"
    ports { port: 80 } ports { port: 53 protocol: "UDP" nodePort: 30053 } selector { key: "a" value: "b" } })") ==
      "s | ClusterIP | 10.0.0.1 | <none> | 80/TCP,53:30053/UDP | 2m | a=b");
  BOOST_TEST(
      Row("services", R"(metadata { name: "s" creationTimestamp { seconds: 1699999880 } } spec { type: "LoadBalancer"
    clusterIPs: "10.0.0.1" })") == "s | LoadBalancer | 10.0.0.1 | <pending> | <none> | 2m | <none>");
  BOOST_TEST(
      Row("services", R"(metadata { name: "s" creationTimestamp { seconds: 1699999880 } } spec { type: "ExternalName"
    externalName: "a.b" })") == "s | ExternalName | <none> | a.b | <none> | 2m | <none>");
}

BOOST_AUTO_TEST_CASE(a_write_is_begun_and_ended) {
  FakeClock clock;
  FakeAccess access(clock);
  const auto store = storage::NewMemoryStore(clock);
  BuiltinDeps deps;
  deps.access = &access;
  deps.clock = &clock;
  deps.store = store.get();
  deps.service_cluster_ip_ranges = {"10.0.0.0/24"};
  const Kind kind = ServiceKind(deps);
  Request request;
  request.context.ctx = Context::Background();
  Object object = Created("services", Text("clusterIP: \"10.0.0.9\" ports { port: 80 }"));
  const auto finish = kind.strategy->Begin(request.context, object, nullptr);
  BOOST_REQUIRE(finish.ok());
  (*finish)(true);
  Object second = Created("services", Text("clusterIP: \"10.0.0.9\" ports { port: 80 }"));
  BOOST_TEST(kind.strategy->Begin(request.context, second, nullptr).status().Is(Code::kInvalid));
  kind.strategy->AfterDelete(request.context, object);
  BOOST_TEST(kind.strategy->Begin(request.context, second, nullptr).ok());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::registry
