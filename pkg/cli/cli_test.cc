#include <boost/test/unit_test.hpp>

#include "pkg/cli/client.h"
#include "pkg/cli/terminal.h"

namespace knarr::cli {
namespace {

BOOST_AUTO_TEST_SUITE(cli)

BOOST_AUTO_TEST_CASE(tables_are_padded_as_kubectls) {
  Table table({"NAME", "READY"});
  table.Add({"web-node1", "1/1"});
  table.Add({"x", "0/1"});
  BOOST_TEST(table.ToString() == "NAME        READY\nweb-node1   1/1\nx           0/1\n");
}

BOOST_AUTO_TEST_CASE(ages_read_as_kubectls) {
  const std::pair<long long, const char*> cases[] = {{0, "0s"},        {119, "119s"},   {120, "2m"},        {150, "2m30s"},   {600, "10m"},
                                                     {10799, "179m"},  {10800, "3h"},   {3 * 3600 + 60, "3h1m"}, {8 * 3600, "8h"}, {48 * 3600, "2d"},
                                                     {50 * 3600, "2d2h"}, {200 * 3600, "8d"}, {-5, "<invalid>"}};
  for (const auto& [seconds, text] : cases) BOOST_TEST(HumanDuration(seconds) == text);
}

NodeState TwoPods() {
  NodeState state;
  state.pods.resize(3);
  state.pods[0].ns = state.pods[1].ns = state.pods[2].ns = "default";
  state.pods[0].name = "web-node1";
  state.pods[1].name = "db-node1";
  state.pods[2].name = "db-node1-node1";
  return state;
}

BOOST_AUTO_TEST_CASE(the_node_suffix_may_be_left_out_unless_that_is_ambiguous) {
  const NodeState state = TwoPods();
  BOOST_TEST(FindPod(state, "", "web")->name == "web-node1");
  BOOST_TEST(FindPod(state, "", "default/web-node1")->name == "web-node1");
  BOOST_TEST(FindPod(state, "", "db-node1")->name == "db-node1");
  BOOST_TEST(FindPod(state, "", "db").status().message() == "\"db\" could be db-node1 or db-node1-node1: give the whole name");
  BOOST_TEST(FindPod(state, "kube-system", "web").status().message() == "pods \"web\" not found in namespace \"kube-system\"");
}

BOOST_AUTO_TEST_CASE(while_a_pod_is_replaced_the_one_with_containers_is_meant) {
  NodeState state;
  state.pods.resize(2);
  for (PodRow& pod : state.pods) {
    pod.ns = "default";
    pod.name = "app-node1";
  }
  state.pods[1].uid = "runs";
  state.pods[1].containers.resize(1);
  BOOST_TEST(FindPod(state, "", "app")->uid == "runs");
  BOOST_TEST(FindPod(state, "", "app-node1")->uid == "runs");
}

BOOST_AUTO_TEST_CASE(a_missing_kubelet_is_named_by_its_socket) {
  const KubeletClient client("/tmp/knarr-no-such.sock");
  const Status status = client.GetJson(Context::Background(), "/pods").status();
  BOOST_TEST(status.message() == "no kubelet answers on /tmp/knarr-no-such.sock: is it running? (--socket or KNARR_SOCKET names another)");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::cli
