#include "pkg/base/metrics/metrics.h"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <limits>
#include <thread>

namespace knarr::metrics {
namespace {

BOOST_AUTO_TEST_SUITE(metrics)

BOOST_AUTO_TEST_CASE(numbers_print_as_go_prints_them) {
  const std::vector<std::pair<double, std::string>> cases = {{0, "0"},
                                                             {1, "1"},
                                                             {-1, "-1"},
                                                             {100, "100"},
                                                             {100000, "100000"},
                                                             {1e6, "1e+06"},
                                                             {123456, "123456"},
                                                             {1234567, "1.234567e+06"},
                                                             {0.5, "0.5"},
                                                             {0.0001, "0.0001"},
                                                             {0.00001, "1e-05"},
                                                             {2.5e-7, "2.5e-07"},
                                                             {1e21, "1e+21"},
                                                             {1700000000.5, "1.7000000005e+09"},
                                                             {.025, "0.025"},
                                                             {std::numeric_limits<double>::infinity(), "+Inf"},
                                                             {std::nan(""), "NaN"}};
  for (const auto& [value, text] : cases) BOOST_TEST(FormatValue(value) == text);
}

BOOST_AUTO_TEST_CASE(families_print_sorted_with_help_type_and_escaped_labels) {
  Registry registry;
  auto& total = registry.AddCounters("b_total", "Two\nlines \\ here.", {"who"});
  total.With({"z"}).Inc();
  total.With({"a\"b\\c\n"}).Inc(2.5);
  registry.AddGauge("a", "First.").Set(-3);
  BOOST_TEST(registry.Expose() ==
             "# HELP a First.\n# TYPE a gauge\na -3\n"
             "# HELP b_total Two\\nlines \\\\ here.\n# TYPE b_total counter\n"
             "b_total{who=\"a\\\"b\\\\c\\n\"} 2.5\nb_total{who=\"z\"} 1\n");
}

BOOST_AUTO_TEST_CASE(a_histogram_counts_cumulatively_with_inclusive_bounds) {
  Registry registry;
  auto& seconds = registry.AddHistogram("s", "Seconds.", {0.1, 1});
  seconds.Observe(0.1);
  seconds.Observe(0.5);
  seconds.Observe(7);
  BOOST_TEST(registry.Expose() ==
             "# HELP s Seconds.\n# TYPE s histogram\n"
             "s_bucket{le=\"0.1\"} 1\ns_bucket{le=\"1\"} 2\ns_bucket{le=\"+Inf\"} 3\ns_sum 7.6\ns_count 3\n");
}

BOOST_AUTO_TEST_CASE(removed_children_are_no_longer_printed) {
  Registry registry;
  auto& family = registry.AddGauges("g", "G.", {"pod", "uid"});
  family.With({"a", "1"}).Set(1);
  family.With({"b", "1"}).Set(1);
  family.With({"c", "2"}).Set(1);
  family.RemoveWhere("uid", "1");
  BOOST_TEST(registry.Expose() == "# HELP g G.\n# TYPE g gauge\ng{pod=\"c\",uid=\"2\"} 1\n");
  family.Remove({"c", "2"});
  BOOST_TEST(registry.Expose() == "");
}

BOOST_AUTO_TEST_CASE(the_same_name_is_one_family_and_counters_only_grow) {
  Registry registry;
  Counter& first = registry.AddCounter("n", "N.");
  registry.AddCounter("n", "N.").Inc(2);
  first.Inc(-5);
  BOOST_TEST(first.Value() == 2);
}

BOOST_AUTO_TEST_CASE(concurrent_increments_are_not_lost) {
  Registry registry;
  Counter& counter = registry.AddCounter("n", "N.");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10000; ++i) counter.Inc();
    });
  }
  for (std::thread& thread : threads) thread.join();
  BOOST_TEST(counter.Value() == 40000);
}

BOOST_AUTO_TEST_CASE(children_beyond_the_bound_share_one_that_is_not_printed) {
  Registry registry;
  auto& family = registry.AddCounters("n", "N.", {"l"});
  for (size_t i = 0; i <= Family<Counter>::kMaxChildren; ++i) family.With({std::to_string(i)}).Inc();
  BOOST_TEST(&family.With({"x"}) == &family.With({"y"}));
  BOOST_TEST(registry.Expose().find("l=\"20000\"") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_default_registry_tells_about_the_process) {
  const std::string text = Registry::Default().Expose();
  for (const char* name :
       {"process_cpu_seconds_total ", "process_open_fds ", "process_max_fds ", "process_resident_memory_bytes ",
        "process_start_time_seconds ", "process_virtual_memory_bytes ", "knarr_bug_total 0\n"}) {
    BOOST_TEST(text.find(std::string("\n") + name) != std::string::npos, name);
  }
  const size_t at = text.find("\nprocess_start_time_seconds ");
  BOOST_TEST(std::strtod(text.c_str() + at + 28, nullptr) > 1.5e9);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::metrics
