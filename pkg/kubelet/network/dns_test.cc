#include "pkg/kubelet/network/dns.h"

#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include "pkg/base/file.h"

namespace knarr::kubelet {
namespace {

using Strings = std::vector<std::string>;

struct Recorded {
  std::string kind, reason, message;
};

class FakeEvents : public EventRecorder {
 public:
  void Record(const ObjectRef& object, EventType, std::string_view reason, std::string message) override {
    all.push_back({object.kind, std::string(reason), std::move(message)});
  }
  std::vector<Recorded> all;
};

struct Fixture {
  Fixture() {
    path = "/tmp/knarr-resolv-" + std::to_string(::getpid());
    Host("nameserver 1.1.1.1\nsearch example.com. corp\noptions timeout:1\n");
    options.resolv_conf = path;
    options.cluster_dns = {"10.96.0.10"};
    options.cluster_domain = "cluster.local";
    options.node = {"Node", "", "n1", "n1", ""};
    pod.pod = {"Pod", "default", "web-n1", "u1", ""};
    pod.ns = "default";
    pod.policy = "ClusterFirst";
  }
  ~Fixture() { ::unlink(path.c_str()); }
  void Host(std::string_view content) { BOOST_REQUIRE(WriteFileAtomically(path, content, 0644).ok()); }
  DnsConfig Get() {
    const Result<DnsConfig> config = DnsConfigurer(options, events).PodDns(pod);
    BOOST_REQUIRE(config.ok());
    return *config;
  }
  std::string path;
  DnsOptions options;
  PodDnsInput pod;
  FakeEvents events;
};

BOOST_FIXTURE_TEST_SUITE(dns, Fixture)

BOOST_AUTO_TEST_CASE(cluster_first_asks_only_the_cluster_and_keeps_the_hosts_searches) {
  const DnsConfig config = Get();
  BOOST_TEST((config.servers == Strings{"10.96.0.10"}));
  BOOST_TEST((config.searches ==
              Strings{"default.svc.cluster.local", "svc.cluster.local", "cluster.local", "example.com", "corp"}));
  BOOST_TEST((config.options == Strings{"ndots:5"}));
  BOOST_TEST(events.all.empty());
}

BOOST_AUTO_TEST_CASE(cluster_first_on_the_host_network_is_the_hosts_dns) {
  pod.host_network = true;
  BOOST_TEST((Get() == DnsConfig{{"1.1.1.1"}, {"example.com", "corp"}, {"timeout:1"}}));
  pod.policy = "ClusterFirstWithHostNet";
  BOOST_TEST((Get().servers == Strings{"10.96.0.10"}));
}

BOOST_AUTO_TEST_CASE(without_a_cluster_dns_falls_back_to_the_hosts_and_says_so) {
  options.cluster_dns.clear();
  BOOST_TEST((Get().servers == Strings{"1.1.1.1"}));
  BOOST_REQUIRE(events.all.size() == 2u);
  BOOST_TEST(events.all[0].kind == "Node");
  BOOST_TEST(events.all[1].reason == "MissingClusterDNS");
  BOOST_TEST(events.all[1].message ==
             "pod: \"web-n1_default(u1)\". kubelet does not have ClusterDNS IP configured and cannot create Pod using "
             "\"ClusterFirst\" policy. Falling back to \"Default\" policy.");
  // Once per start of the pod: a container that starts again says nothing new.
  pod.quiet = true;
  BOOST_TEST((Get().servers == Strings{"1.1.1.1"}));
  BOOST_TEST(events.all.size() == 2u);
}

BOOST_AUTO_TEST_CASE(none_uses_only_what_the_pod_says) {
  pod.policy = "None";
  pod.nameservers = {"8.8.8.8"};
  pod.searches = {"a"};
  pod.options = {{"ndots", "2"}, {"edns0", std::nullopt}};
  BOOST_TEST((Get() == DnsConfig{{"8.8.8.8"}, {"a"}, {"ndots:2", "edns0"}}));
}

BOOST_AUTO_TEST_CASE(dns_config_is_merged_and_overrides_options) {
  pod.nameservers = {"8.8.8.8", "10.96.0.10"};
  pod.searches = {"corp", "more"};
  pod.options = {{"ndots", "2"}};
  const DnsConfig config = Get();
  BOOST_TEST((config.servers == Strings{"10.96.0.10", "8.8.8.8"}));
  BOOST_TEST((config.searches.back() == "more"));
  BOOST_TEST(config.searches.size() == 6u);
  BOOST_TEST((config.options == Strings{"ndots:2"}));
}

BOOST_AUTO_TEST_CASE(an_empty_resolv_conf_option_means_the_local_machine) {
  options.resolv_conf = "";
  options.node_ips = {"10.0.0.1", "fd00::1"};
  pod.policy = "Default";
  BOOST_TEST((Get() == DnsConfig{{"127.0.0.1", "::1"}, {"."}, {}}));
}

BOOST_AUTO_TEST_CASE(more_than_three_nameservers_are_cut_with_upstreams_event) {
  pod.policy = "None";
  pod.nameservers = {"1.0.0.1", "1.0.0.2", "1.0.0.3", "1.0.0.4"};
  BOOST_TEST(Get().servers.size() == 3u);
  BOOST_REQUIRE(events.all.size() == 1u);
  BOOST_TEST(events.all[0].message ==
             "Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: "
             "1.0.0.1 1.0.0.2 1.0.0.3");
}

BOOST_AUTO_TEST_CASE(searches_are_cut_by_number_by_path_and_by_total_length) {
  pod.policy = "None";
  pod.nameservers = {"1.0.0.1"};
  for (int i = 0; i < 40; ++i) pod.searches.push_back("d" + std::to_string(i));
  BOOST_TEST(Get().searches.size() == 32u);
  BOOST_TEST(events.all.back().reason == "DNSConfigForming");
  pod.searches = {std::string(254, 'x'), "ok"};
  BOOST_TEST((Get().searches == Strings{"ok"}));
  pod.searches.clear();
  for (int i = 0; i < 10; ++i) pod.searches.push_back(std::string(249, 'x') + std::to_string(i));
  BOOST_TEST(Get().searches.size() == 8u);  // 8 * 251 - 1 <= 2048 < 9 * 251 - 1
}

BOOST_AUTO_TEST_CASE(the_nodes_own_file_is_checked_against_the_limits) {
  std::string line = "search";
  for (int i = 0; i < 30; ++i) line += " d" + std::to_string(i);
  Host(line + "\n");
  DnsConfigurer(options, events).CheckLimitsForResolvConf();
  BOOST_REQUIRE(events.all.size() == 1u);
  BOOST_TEST(events.all[0].message ==
             "Resolv.conf file '" + path + "' contains search line consisting of more than 29 domains!");
}

BOOST_AUTO_TEST_CASE(parses_odd_files_as_upstream_does) {
  const auto config = ParseResolvConf("# c\n; d\n nameserver\t1.1.1.1 x\nsearch a\nsearch b c.\noptions x\noptions\nnonsense");
  BOOST_REQUIRE(config.ok());
  BOOST_TEST((*config == DnsConfig{{"1.1.1.1"}, {"b", "c"}, {}}));
  BOOST_TEST(ParseResolvConf("nameserver\n").error().message() == "nameserver list is empty ");
}

BOOST_AUTO_TEST_CASE(a_missing_file_is_an_error_that_names_it) {
  options.resolv_conf = "/nonexistent/resolv.conf";
  const auto config = DnsConfigurer(options, events).PodDns(pod);
  BOOST_REQUIRE(!config.ok());
  BOOST_TEST(config.error().message() == "open /nonexistent/resolv.conf: no such file or directory");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::kubelet
