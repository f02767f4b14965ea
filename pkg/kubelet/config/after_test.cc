#include "pkg/kubelet/config/after.h"

#include <boost/test/unit_test.hpp>

namespace knarr::kubelet {
namespace {

using Cycles = std::vector<std::vector<std::string>>;

BOOST_AUTO_TEST_SUITE(after)

BOOST_AUTO_TEST_CASE(a_chain_has_no_cycle_and_stays) {
  AfterGraph graph = {{"a", {}}, {"b", {"a"}}, {"c", {"a", "b", "elsewhere"}}};
  const AfterGraph before = graph;
  BOOST_TEST(BreakCycles(graph).empty());
  BOOST_TEST((graph == before));
}

BOOST_AUTO_TEST_CASE(a_cycle_is_named_from_its_smallest_name_and_its_edges_go) {
  AfterGraph graph = {{"a", {"c"}}, {"b", {"a"}}, {"c", {"b", "x"}}, {"d", {"c"}}, {"x", {}}};
  const Cycles cycles = BreakCycles(graph);
  BOOST_TEST((cycles == Cycles{{"a", "c", "b", "a"}}));
  BOOST_TEST(graph["a"].empty());
  BOOST_TEST((graph["c"] == std::vector<std::string>{"x"}));
  BOOST_TEST((graph["d"] == std::vector<std::string>{"c"}));
}

BOOST_AUTO_TEST_CASE(a_pod_that_waits_for_itself_is_a_cycle) {
  AfterGraph graph = {{"a", {"a"}}};
  BOOST_TEST((BreakCycles(graph) == Cycles{{"a", "a"}}));
}

BOOST_AUTO_TEST_CASE(two_cycles_are_both_found) {
  AfterGraph graph = {{"a", {"b"}}, {"b", {"a"}}, {"c", {"d"}}, {"d", {"c"}}};
  BOOST_TEST((BreakCycles(graph) == Cycles{{"a", "b", "a"}, {"c", "d", "c"}}));
}

BOOST_AUTO_TEST_CASE(a_long_chain_needs_no_stack) {
  AfterGraph graph;
  const auto name = [](int i) { return "pod" + std::to_string(i); };
  for (int i = 0; i < 20'000; ++i) graph[name(i)] = {name((i + 1) % 20'000)};
  BOOST_TEST(BreakCycles(graph).size() == 1U);
}

BOOST_AUTO_TEST_CASE(many_cycles_end_after_the_limit) {
  AfterGraph graph;
  for (int i = 0; i < 50; ++i) {
    for (int k = 0; k < 50; ++k) graph[std::to_string(i)].push_back(std::to_string(k));
  }
  BOOST_TEST(BreakCycles(graph, 3).size() == 3U);
  BOOST_TEST(BreakCycles(graph).empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::kubelet
