#include "pkg/base/duration.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace knarr {
namespace {

struct Case {
  const char* text;
  int64_t nanos;
  const char* canonical;
};
std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.text; }

const Case kValid[] = {
    {"0", 0, "0s"},           {"5s", 5000000000, "5s"},        {"1m30s", 90000000000, "1m30s"},
    {"1h", 3600000000000, "1h0m0s"}, {"1.5s", 1500000000, "1.5s"}, {"-1.5h", -5400000000000, "-1h30m0s"},
    {"300ms", 300000000, "300ms"}, {"1us", 1000, "1\u00b5s"},   {".5s", 500000000, "500ms"},
    {"15ns", 15, "15ns"},     {"2540400h10m10s", 9145440610000000000, "2540400h10m10s"},
};

BOOST_AUTO_TEST_SUITE(duration)

BOOST_DATA_TEST_CASE(parses_and_prints_as_go, boost::unit_test::data::make(kValid), c) {
  const auto parsed = ParseDuration(c.text);
  BOOST_REQUIRE(parsed.ok());
  BOOST_TEST(parsed->count() == c.nanos);
  BOOST_TEST(FormatDuration(*parsed) == c.canonical);
}

const char* const kInvalid[] = {"", "3", "-", "s", ".", "1x", "1.s.", "9223372036854775808ns", "1h 2m"};

BOOST_DATA_TEST_CASE(refuses_what_go_refuses, boost::unit_test::data::make(kInvalid), text) {
  BOOST_TEST(!ParseDuration(text).ok());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr
