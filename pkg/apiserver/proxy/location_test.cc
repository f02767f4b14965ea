#include "pkg/apiserver/proxy/location.h"

#include <boost/test/unit_test.hpp>

#include <set>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/apiserver/registry/fake/fake_access.h"

namespace knarr::proxy {
namespace {

std::string Show(const Result<HostPort>& where) {
  if (!where.ok()) return std::string(where.status().message());
  return fmt::format("{}|{}|{}", where->scheme, where->host, where->port);
}

template <typename T>
T Parse(const std::string& text) {
  T message;
  BOOST_REQUIRE(google::protobuf::TextFormat::ParseFromString(text, &message));
  return message;
}

const Context kCtx = Context::Background();

BOOST_AUTO_TEST_SUITE(proxy_location)

BOOST_AUTO_TEST_CASE(names_with_scheme_and_port) {
  const auto split = [](const std::string& id) {
    const auto parts = SplitSchemeNamePort(id);
    return parts ? parts->scheme + "|" + parts->name + "|" + parts->port : "invalid";
  };
  BOOST_TEST(split("web") == "|web|");
  BOOST_TEST(split("web:80") == "|web|80");
  BOOST_TEST(split("https:web:http") == "https|web|http");
  BOOST_TEST(split("https:web:") == "https|web|");
  BOOST_TEST(split(":web:80") == "|web|80");
  BOOST_TEST(split("ftp:web:80") == "invalid");
  BOOST_TEST(split("a:b:c:d") == "invalid");
  BOOST_TEST(split("") == "invalid");
  BOOST_TEST(split(":80") == "invalid");
}

BOOST_AUTO_TEST_CASE(addresses_that_proxies_never_reach) {
  for (const char* ip :
       {"127.0.0.1", "127.1.2.3", "169.254.169.254", "224.0.0.1", "::1", "fe80::1", "ff02::1", "ff01::1",
        "::ffff:127.0.0.1", "::ffff:169.254.1.1", "", "localhost", "10.0.0.1 ", "0x7f000001"})
    BOOST_TEST(CheckProxyableIP(ip).message() == "address not allowed", ip);
  for (const char* ip : {"10.0.0.1", "192.168.1.1", "8.8.8.8", "fd00::1", "2001:db8::1", "::ffff:10.0.0.1"})
    BOOST_TEST(CheckProxyableIP(ip).ok(), ip);
  BOOST_TEST(ResolveProxyable("localhost").status().message() == "address not allowed");
  BOOST_TEST(*ResolveProxyable("10.1.2.3") == "10.1.2.3");
}

BOOST_AUTO_TEST_CASE(a_nodes_kubelet_by_preferred_type) {
  const auto node = Parse<core::Node>(R"(status {
      addresses { type: "InternalIP" address: "10.0.0.1" } addresses { type: "Hostname" address: "node1" }
      daemonEndpoints { kubeletEndpoint { Port: 10255 } } })");
  BOOST_TEST(Show(KubeletOf(node, {"Hostname", "InternalIP"})) == "https|node1|10255");
  BOOST_TEST(Show(KubeletOf(node, {"InternalDNS", "InternalIP"})) == "https|10.0.0.1|10255");
  BOOST_TEST(Show(KubeletOf(node, {"ExternalIP"})) ==
             "no preferred addresses found; known addresses: [{InternalIP 10.0.0.1} {Hostname node1}]");
  const auto silent = Parse<core::Node>(R"(status { addresses { type: "Hostname" address: "n" } })");
  BOOST_TEST(Show(KubeletOf(silent, {"Hostname"})) == "https|n|10250");
}

BOOST_AUTO_TEST_CASE(a_pods_address_and_port) {
  registry::FakeAccess access;
  access.Put<core::Pod>({"", "pods"}, R"(metadata { namespace: "ns" name: "web" }
      spec { containers { name: "a" } containers { name: "b" ports { name: "http" containerPort: 8080 }
                                                   ports { name: "tls" containerPort: 8443 } } }
      status { podIP: "10.1.0.5" podIPs { ip: "10.1.0.5" } })");
  access.Put<core::Pod>({"", "pods"}, R"(metadata { namespace: "ns" name: "host" } status { podIP: "127.0.0.1" })");
  access.Put<core::Pod>({"", "pods"}, R"(metadata { namespace: "ns" name: "new" })");
  access.Put<core::Pod>({"", "pods"}, R"(metadata { namespace: "ns" name: "bare" } status { podIP: "fd00::5" })");
  const auto at = [&](const std::string& id) { return Show(PodLocation(access, kCtx, "ns", id)); };
  BOOST_TEST(at("web") == "|10.1.0.5|8080");
  BOOST_TEST(at("web:9000") == "|10.1.0.5|9000");
  BOOST_TEST(at("https:web:tls") == "https|10.1.0.5|8443");
  BOOST_TEST(at("bare") == "|fd00::5|0");
  BOOST_TEST(at("web:none") == "invalid pod request \"web:none\"");
  BOOST_TEST(at("web:70000") == "invalid pod request \"web:70000\"");
  BOOST_TEST(at("gopher:web:1") == "invalid pod request \"gopher:web:1\"");
  BOOST_TEST(at("host") == "address not allowed");
  BOOST_TEST(at("new") == "address not allowed");
  BOOST_TEST(at("gone") == "pods \"gone\" not found");
}

BOOST_AUTO_TEST_CASE(a_services_ready_endpoints) {
  registry::FakeAccess access;
  for (const char* n : {"1", "2"}) {
    access.Put<core::Pod>({"", "pods"}, fmt::format(R"(metadata {{ namespace: "ns" name: "p{0}" }}
        status {{ podIP: "10.1.0.{0}" podIPs {{ ip: "10.1.0.{0}" }} }})",
                                                    n));
  }
  access.Put<core::Service>({"", "services"}, R"(metadata { namespace: "ns" name: "web" }
      spec { ports { name: "http" port: 80 } ports { name: "tls" port: 443 } })");
  access.Put<core::Endpoints>({"", "endpoints"}, R"(metadata { namespace: "ns" name: "web" } subsets {
      addresses { ip: "10.1.0.1" targetRef { kind: "Pod" namespace: "ns" name: "p1" } }
      addresses { ip: "10.1.0.2" targetRef { kind: "Pod" namespace: "ns" name: "p2" } }
      addresses { ip: "10.9.9.9" targetRef { kind: "Pod" namespace: "ns" name: "p1" } }
      addresses { ip: "10.9.9.8" targetRef { kind: "Pod" namespace: "other" name: "p1" } }
      addresses { ip: "169.254.169.254" }
      notReadyAddresses { ip: "10.1.0.7" }
      ports { name: "http" port: 8080 } ports { name: "tls" port: 8443 } })");
  access.Put<core::Endpoints>({"", "endpoints"}, R"(metadata { namespace: "ns" name: "empty" })");
  access.Put<core::Endpoints>({"", "endpoints"}, R"(metadata { namespace: "ns" name: "unready" }
      subsets { notReadyAddresses { ip: "10.1.0.1" } ports { port: 1 } })");
  const auto at = [&](const std::string& id) { return Show(ServiceLocation(access, kCtx, "ns", id)); };
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) seen.insert(at("https:web:tls"));
  BOOST_TEST(seen == (std::set<std::string>{"https|10.1.0.1|8443", "https|10.1.0.2|8443"}),
             boost::test_tools::per_element());
  BOOST_TEST(at("web:80").ends_with("|8080"));
  BOOST_TEST(at("web:81") == "no service port 81 found for service \"web\"");
  BOOST_TEST(at("web") == "no endpoints available for service \"web\"");  // no port without a name
  BOOST_TEST(at("empty") == "no endpoints available for service \"empty\"");
  BOOST_TEST(at("unready") == "no endpoints available for service \"unready\"");
  BOOST_TEST(at("none") == "services \"none\" not found");
  BOOST_TEST(at("none:80") == "services \"none\" not found");
  BOOST_TEST(at("a:b:c:d") == "invalid service request \"a:b:c:d\"");
  BOOST_TEST(ServiceLocation(access, kCtx, "ns", "empty").status().Is(Code::kServiceUnavailable));
}

BOOST_AUTO_TEST_CASE(the_container_that_is_meant) {
  const auto two = Parse<core::Pod>(R"(metadata { name: "web" } spec { initContainers { name: "i" }
      containers { name: "a" } containers { name: "b" } ephemeralContainers { ephemeralContainerCommon { name: "e" } } })");
  const auto one =
      Parse<core::Pod>(R"(metadata { name: "web" } spec { containers { name: "a" } initContainers { name: "i" } })");
  BOOST_TEST(*ChooseContainer(one, "") == "a");
  BOOST_TEST(*ChooseContainer(one, "i") == "i");
  BOOST_TEST(*ChooseContainer(two, "e") == "e");
  BOOST_TEST(ChooseContainer(two, "x").status().message() == "container x is not valid for pod web");
  BOOST_TEST(ChooseContainer(two, "").status().message() ==
             "a container name must be specified for pod web, choose one of: [i a b e]");
  BOOST_TEST(ChooseContainer(two, "").status().Is(Code::kBadRequest));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::proxy
