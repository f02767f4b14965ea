#include "pkg/kubelet/podworker/dependencies.h"

#include <boost/test/unit_test.hpp>

namespace knarr::kubelet {
namespace {

BOOST_AUTO_TEST_SUITE(dependencies)

BOOST_AUTO_TEST_CASE(a_pod_waits_for_the_first_that_is_not_ready) {
  Dependencies graph;
  graph.Set("d/api", {"d/etcd", "d/dns"});
  BOOST_TEST(graph.WaitsFor("d/api", {}) == "d/etcd");
  BOOST_TEST(graph.WaitsFor("d/api", {"d/etcd"}) == "d/dns");
  BOOST_TEST(graph.WaitsFor("d/api", {"d/etcd", "d/dns"}) == "");
  BOOST_TEST(graph.WaitsFor("d/other", {}) == "");
}

BOOST_AUTO_TEST_CASE(shutdown_goes_in_reverse) {
  Dependencies graph;
  graph.Set("d/api", {"d/etcd"});
  graph.Set("d/web", {"d/api"});
  BOOST_TEST(graph.HeldBy("d/etcd", {"d/etcd", "d/api", "d/web"}) == "d/api");
  BOOST_TEST(graph.HeldBy("d/etcd", {"d/etcd", "d/web"}) == "");
  BOOST_TEST(graph.HeldBy("d/web", {"d/etcd", "d/api", "d/web"}) == "");
}

BOOST_AUTO_TEST_CASE(a_cycle_does_not_hold_the_shutdown) {
  Dependencies graph;
  graph.Set("d/a", {"d/b"});
  graph.Set("d/b", {"d/a"});
  BOOST_TEST(graph.HeldBy("d/a", {"d/a", "d/b"}) == "");
  BOOST_TEST(graph.WaitsFor("d/a", {}) == "d/b");
}

BOOST_AUTO_TEST_CASE(erased_pods_hold_nobody) {
  Dependencies graph;
  graph.Set("d/api", {"d/etcd"});
  graph.Erase("d/api");
  BOOST_TEST(graph.HeldBy("d/etcd", {"d/etcd", "d/api"}) == "");
  BOOST_TEST(graph.DependentsOf("d/etcd").empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::kubelet
