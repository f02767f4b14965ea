#include "pkg/kubelet/nodeinfo/reservation.h"

#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include "pkg/base/file.h"

namespace knarr::kubelet {
namespace {

NodeInfo Machine() {
  NodeInfo node;
  node.cpus = 2;
  node.memory = uint64_t{4} << 30;
  node.ephemeral_storage = uint64_t{10} << 30;
  return node;
}

BOOST_AUTO_TEST_SUITE(reservation)

BOOST_AUTO_TEST_CASE(both_reservations_add_up_and_limit_the_pods) {
  const Result<Reserved> total =
      TotalReserved(Machine(), {{"cpu", "200m"}, {"memory", "1Gi"}}, {{"cpu", "300m"}, {"pid", "100"}});
  BOOST_REQUIRE(total.ok());
  BOOST_TEST(total->at("cpu") == "500m");
  const PodsLimits limits = LimitsForPods(Machine(), *total, 32768);
  BOOST_TEST(limits.milli_cpu == 1500);
  BOOST_TEST(limits.memory == uint64_t{3} << 30);
  BOOST_TEST(limits.pids == 32668);
  BOOST_TEST(Machine().Allocatable(*total).at("memory") == "3Gi");
}

BOOST_AUTO_TEST_CASE(nothing_reserved_limits_nothing) {
  const PodsLimits limits = LimitsForPods(Machine(), *TotalReserved(Machine(), {}, {}), 32768);
  BOOST_TEST(limits.milli_cpu == 0);
  BOOST_TEST(limits.memory == 0u);
  BOOST_TEST(limits.pids == 0);
}

BOOST_AUTO_TEST_CASE(more_than_there_is_is_refused) {
  const Result<Reserved> total = TotalReserved(Machine(), {{"memory", "3Gi"}}, {{"memory", "2Gi"}});
  BOOST_REQUIRE(!total.ok());
  BOOST_TEST(total.error().message() ==
             "invalid Node Allocatable configuration. Resource \"memory\" has a reservation of 5Gi but capacity of "
             "4Gi. Expected "
             "capacity >= reservation.");
  BOOST_TEST(TotalReserved(Machine(), {{"cpu", "2"}}, {}).ok());
}

BOOST_AUTO_TEST_CASE(swap_is_refused_and_its_absence_is_not) {
  const std::string path = "/tmp/knarr-swaps-" + std::to_string(::getpid());
  const std::string head = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
  BOOST_TEST(CheckSwap(path).ok());
  BOOST_REQUIRE(WriteFileAtomically(path, head, 0644).ok());
  BOOST_TEST(CheckSwap(path).ok());
  BOOST_REQUIRE(WriteFileAtomically(path, head + "/dev/vdb partition 1048572 0 -2\n", 0644).ok());
  BOOST_TEST(CheckSwap(path).message() ==
             "running with swap on is not supported, please disable swap or set --fail-swap-on flag to false");
  ::unlink(path.c_str());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::kubelet
