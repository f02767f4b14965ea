#include "pkg/kubelet/network/pod_network.h"

#include <stdlib.h>
#include <sys/stat.h>

#include <boost/test/unit_test.hpp>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/base/file.h"

namespace knarr::kubelet {
namespace {

class NoEvents : public EventRecorder {
 public:
  void Record(const ObjectRef&, EventType, std::string_view, std::string) override {}
};

struct Fixture {
  Fixture() {
    char path[] = "/tmp/knarr-podnet-XXXXXX";
    dir = ::mkdtemp(path);
    BOOST_REQUIRE(WriteFileAtomically(dir + "/resolv.conf", "nameserver 1.1.1.1\n", 0644).ok());
    BOOST_REQUIRE(WriteFileAtomically(dir + "/hosts", "127.0.0.1 node\n", 0644).ok());
    options.resolv_conf = dir + "/resolv.conf";
    options.cluster_dns = {"10.96.0.10"};
    options.cluster_domain = "cluster.local";
    pod.mutable_metadata()->set_name("web-n1");
    pod.mutable_metadata()->set_namespace_("default");
    pod.mutable_metadata()->set_uid("u1");
    pod.mutable_spec()->set_dnspolicy("ClusterFirst");
  }
  ~Fixture() { BOOST_TEST(RemoveAll(dir).ok()); }
  PodNetwork Network() { return PodNetwork(options, events, dir, dir + "/hosts"); }

  std::string dir;
  DnsOptions options;
  NoEvents events;
  k8s::io::api::core::v1::Pod pod;
};

BOOST_FIXTURE_TEST_SUITE(pod_network, Fixture)

BOOST_AUTO_TEST_CASE(the_hostname_is_the_pods_name_or_what_it_says) {
  BOOST_TEST(HostnameOf(pod, "c")->hostname == "web-n1");
  pod.mutable_spec()->set_hostname("db");
  pod.mutable_spec()->set_subdomain("sub");
  BOOST_TEST(HostnameOf(pod, "cluster.local")->hostname == "db");
  BOOST_TEST(HostnameOf(pod, "cluster.local")->domain == "sub.default.svc.cluster.local");
  pod.mutable_spec()->set_hostname("Not_A_Label");
  BOOST_TEST(HostnameOf(pod, "c").error().message() == "pod Hostname \"Not_A_Label\" is not a valid DNS label");
}

BOOST_AUTO_TEST_CASE(a_long_name_is_cut_to_a_label) {
  pod.mutable_metadata()->set_name(std::string(62, 'x') + "-.yyyy");
  BOOST_TEST(HostnameOf(pod, "c")->hostname == std::string(62, 'x'));
}

BOOST_AUTO_TEST_CASE(the_kernel_gets_the_full_name_when_asked_for_and_short_enough) {
  BOOST_TEST(KernelHostname({"db", "sub.ns.svc.c"}, false).value() == "db");
  BOOST_TEST(KernelHostname({"db", "sub.ns.svc.c"}, true).value() == "db.sub.ns.svc.c");
  BOOST_TEST(KernelHostname({"db", ""}, true).value() == "db");
  BOOST_TEST(KernelHostname({"db", std::string(70, 'x')}, true).error().message().find("(64 characters is the max, 73 characters requested)") !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(settings_carry_dns_and_a_hostname_unless_the_pod_uses_the_hosts_network) {
  auto* option = pod.mutable_spec()->mutable_dnsconfig()->add_options();
  option->set_name("ndots");
  option->set_value("2");
  PodNetwork::Settings settings = Network().SettingsFor(pod).value();
  BOOST_TEST(settings.hostname == "web-n1");
  BOOST_TEST((settings.dns.servers == std::vector<std::string>{"10.96.0.10"}));
  BOOST_TEST((settings.dns.options == std::vector<std::string>{"ndots:2"}));
  pod.mutable_spec()->set_hostnetwork(true);
  settings = Network().SettingsFor(pod).value();
  BOOST_TEST(settings.hostname.empty());
  BOOST_TEST((settings.dns.servers == std::vector<std::string>{"1.1.1.1"}));
}

BOOST_AUTO_TEST_CASE(the_hosts_file_is_written_in_place_once_there_is_an_address) {
  BOOST_TEST(Network().WriteHostsFile(pod, {}).value().empty());
  const std::string path = Network().WriteHostsFile(pod, {"10.88.0.5"}).value();
  BOOST_TEST(path == dir + "/pods/u1/etc-hosts");
  BOOST_TEST(ReadFile(path)->find("10.88.0.5\tweb-n1\n") != std::string::npos);
  struct stat before {}, after {};
  BOOST_REQUIRE(::stat(path.c_str(), &before) == 0);
  BOOST_TEST((before.st_mode & 0777) == 0644u);
  auto* alias = pod.mutable_spec()->add_hostaliases();
  alias->set_ip("1.2.3.4");
  alias->add_hostnames("a");
  BOOST_REQUIRE(Network().WriteHostsFile(pod, {"10.88.0.6"}).ok());
  BOOST_REQUIRE(::stat(path.c_str(), &after) == 0);
  BOOST_TEST(before.st_ino == after.st_ino);
  const std::string content = ReadFile(path).value();
  BOOST_TEST(content.find("10.88.0.5") == std::string::npos);
  BOOST_TEST(content.ends_with("10.88.0.6\tweb-n1\n\n# Entries added by HostAliases.\n1.2.3.4\ta\n"));
}

BOOST_AUTO_TEST_CASE(host_network_pods_get_the_nodes_file) {
  pod.mutable_spec()->set_hostnetwork(true);
  const std::string path = Network().WriteHostsFile(pod, {}).value();
  BOOST_TEST(ReadFile(path).value() == "# Kubernetes-managed hosts file (host network).\n127.0.0.1 node\n");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::kubelet
