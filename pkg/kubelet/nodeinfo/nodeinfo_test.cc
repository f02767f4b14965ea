#include "pkg/kubelet/nodeinfo/nodeinfo.h"

#include <boost/test/unit_test.hpp>

#include "pkg/kubelet/nodeinfo/addresses.h"
#include "pkg/kubelet/nodeinfo/os_release.h"

namespace knarr::kubelet {
namespace {

constexpr std::string_view kRoutes =
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
    "wlan0\t00000000\t0100A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n"
    "eth0\t00000000\t0102000A\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
    "eth0\t0002000A\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n";

HostNetwork Network() {
  return {.addresses = {{"lo", "127.0.0.1", false},
                        {"docker0", "172.17.0.1", false},
                        {"eth0", "10.0.2.15", false},
                        {"eth0", "fe80::1", true},
                        {"eth0", "2001:db8::15", true}},
          .default_interface_v4 = "eth0",
          .default_interface_v6 = "eth0"};
}

std::string First(const std::vector<std::string>& wanted, const HostNetwork& network) {
  return ChooseNodeIps(wanted, network)->front();
}
std::string Refusal(const std::string& wanted) {
  return std::string(ChooseNodeIps({wanted}, Network()).status().message());
}

BOOST_AUTO_TEST_SUITE(nodeinfo)

BOOST_AUTO_TEST_CASE(the_default_route_with_the_lowest_metric_wins) {
  BOOST_TEST(DefaultInterfaceV4(kRoutes) == "eth0");
  BOOST_TEST(DefaultInterfaceV4("") == "");
  BOOST_TEST(DefaultInterfaceV4("eth0\t00000000\n") == "");
}

BOOST_AUTO_TEST_CASE(the_unreachable_ipv6_route_of_lo_is_no_default_route) {
  const std::string zero(32, '0');
  const std::string lo = zero + " 00 " + zero + " 00 " + zero + " ffffffff 00000001 00000000 00200200       lo\n";
  const std::string eth =
      zero + " 00 " + zero + " 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth0\n";
  BOOST_TEST(DefaultInterfaceV6(lo) == "");
  BOOST_TEST(DefaultInterfaceV6(lo + eth) == "eth0");
}

BOOST_AUTO_TEST_CASE(without_node_ip_the_default_interface_s_address_is_taken) {
  BOOST_TEST(First({}, Network()) == "10.0.2.15");
  BOOST_TEST(First({"::"}, Network()) == "2001:db8::15");
  BOOST_TEST(First({"0.0.0.0"}, Network()) == "10.0.2.15");
  HostNetwork network = Network();
  network.default_interface_v4 = "";
  BOOST_TEST(First({}, network) == "172.17.0.1");
}

BOOST_AUTO_TEST_CASE(a_machine_with_ipv6_only_or_without_network_still_has_an_address) {
  HostNetwork network{.addresses = {{"lo", "127.0.0.1", false}, {"eth0", "2001:db8::15", true}},
                      .default_interface_v4 = "",
                      .default_interface_v6 = ""};
  BOOST_TEST(First({}, network) == "2001:db8::15");
  network.addresses.pop_back();
  BOOST_TEST(First({}, network) == "127.0.0.1");
}

BOOST_AUTO_TEST_CASE(node_ip_must_be_an_address_of_this_machine) {
  const std::vector<std::string> both{"10.0.2.15", "2001:db8::15"};
  BOOST_TEST(ChooseNodeIps(both, Network()).value() == both, boost::test_tools::per_element());
  BOOST_TEST(Refusal("192.0.2.9") == "node IP: \"192.0.2.9\" not found in the host's network interfaces");
  BOOST_TEST(Refusal("127.0.0.1") == "nodeIP can't be loopback address");
  BOOST_TEST(Refusal("224.0.0.1") == "nodeIP can't be a multicast address");
  BOOST_TEST(Refusal("169.254.1.1") == "nodeIP can't be a link-local unicast address");
  BOOST_TEST(Refusal("banana").find("nodeIP must be a valid IP address") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(os_release_is_read_as_a_shell_would) {
  BOOST_TEST(OsImage("NAME=x\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n") == "Debian GNU/Linux 12 (bookworm)");
  BOOST_TEST(OsImage("NAME='Tiny \"OS\"'\nVERSION=1\\$2\n") == "Tiny \"OS\" 1$2");
  BOOST_TEST(OsImage("") == "Linux");
}

BOOST_AUTO_TEST_CASE(allocatable_is_capacity_less_what_is_reserved) {
  NodeInfo info;
  info.cpus = 2;
  info.memory = 1 << 30;
  info.ephemeral_storage = 10 << 20;
  BOOST_TEST(info.Capacity().at("memory") == "1Gi");
  const auto allocatable =
      info.Allocatable({{"cpu", "250m"}, {"memory", "100Mi"}, {"ephemeral-storage", "1Gi"}, {"pid", "5"}});
  BOOST_TEST(allocatable.at("cpu") == "1750m");
  BOOST_TEST(allocatable.at("memory") == "924Mi");
  BOOST_TEST(allocatable.at("ephemeral-storage") == "0");
  BOOST_TEST(allocatable.at("pods") == "110");
}

BOOST_AUTO_TEST_CASE(this_machine_can_be_read) {
  const Result<NodeInfo> info = ReadNodeInfo({}, "/does/not/exist/yet");
  BOOST_REQUIRE_MESSAGE(info.ok(), info.status().message());
  BOOST_TEST(info->cpus > 0);
  BOOST_TEST(info->memory > 0U);
  BOOST_TEST(info->ephemeral_storage > 0U);
  BOOST_TEST(!info->boot_id.empty());
  BOOST_TEST(!info->hostname.empty());
  BOOST_TEST(!info->ips.front().empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::kubelet
