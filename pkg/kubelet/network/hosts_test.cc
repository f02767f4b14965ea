#include "pkg/kubelet/network/hosts.h"

#include <boost/test/unit_test.hpp>

namespace knarr::kubelet {
namespace {

BOOST_AUTO_TEST_SUITE(hosts)

constexpr const char* kHead =
    "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
    "fe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n";

BOOST_AUTO_TEST_CASE(lists_every_address_of_the_pod) {
  BOOST_TEST(ManagedHostsFile({"10.88.0.5", "fd00::5"}, "web", "", {}) ==
             std::string(kHead) + "10.88.0.5\tweb\nfd00::5\tweb\n");
}

BOOST_AUTO_TEST_CASE(puts_the_full_name_first_for_a_pod_with_a_subdomain) {
  BOOST_TEST(ManagedHostsFile({"10.88.0.5"}, "web", "svc.default.svc.cluster.local", {}) ==
             std::string(kHead) + "10.88.0.5\tweb.svc.default.svc.cluster.local\tweb\n");
}

BOOST_AUTO_TEST_CASE(adds_host_aliases_at_the_end) {
  BOOST_TEST(ManagedHostsFile({"10.88.0.5"}, "web", "", {{"1.2.3.4", {"a", "b"}}, {"5.6.7.8", {"c"}}}) ==
             std::string(kHead) + "10.88.0.5\tweb\n\n# Entries added by HostAliases.\n1.2.3.4\ta\tb\n5.6.7.8\tc\n");
}

BOOST_AUTO_TEST_CASE(copies_the_nodes_file_for_host_network) {
  BOOST_TEST(NodeHostsFile("127.0.0.1 me\n", {{"1.2.3.4", {"a"}}}) ==
             "# Kubernetes-managed hosts file (host network).\n127.0.0.1 me\n\n# Entries added by HostAliases.\n1.2.3.4\ta\n");
  BOOST_TEST(NodeHostsFile("x\n", {}) == "# Kubernetes-managed hosts file (host network).\nx\n");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::kubelet
