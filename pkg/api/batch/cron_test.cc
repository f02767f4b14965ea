#include "pkg/api/batch/cron.h"

#include <boost/test/unit_test.hpp>

namespace knarr::cron {
namespace {

std::string ErrorOf(std::string_view text) {
  const auto schedule = Schedule::Parse(text);
  return schedule.ok() ? "" : std::string(schedule.error().message());
}

BOOST_AUTO_TEST_SUITE(cron)

BOOST_AUTO_TEST_CASE(errors_are_upstreams) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"", "empty spec string"},
      {"* * * *", "expected exactly 5 fields, found 4: [* * * *]"},
      {"60 * * * *", "end of range (60) above maximum (59): 60"},
      {"* * 0 * *", "beginning of range (0) below minimum (1): 0"},
      {"* * * * 7", "end of range (7) above maximum (6): 7"},
      {"5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"},
      {"*/0 * * * *", "step of range should be a positive number: */0"},
      {"1-2-3 * * * *", "too many hyphens: 1-2-3"},
      {"1/2/3 * * * *", "too many slashes: 1/2/3"},
      {"x * * * *", "failed to parse int from x: strconv.Atoi: parsing \"x\": invalid syntax"},
      {"-1 * * * *", "failed to parse int from : strconv.Atoi: parsing \"\": invalid syntax"},
      {"@never", "unrecognized descriptor: @never"},
      {"TZ=Nowhere/City * * * * *", "provided bad location Nowhere/City: unknown time zone Nowhere/City"},
  };
  for (const auto& [text, error] : cases) BOOST_TEST(ErrorOf(text) == error);
  for (const char* good :
       {"* * * * *", "*/5 0-23/2 1,15 jan-DEC mon", "? ? ? ? ?", "@hourly", "@every 1h", "@weekly"}) {
    BOOST_TEST(ErrorOf(good) == "");
  }
}

BOOST_AUTO_TEST_CASE(next_times) {
  // 2023-11-14T22:13:20Z, a Tuesday.
  constexpr int64_t kNow = 1700000000;
  const auto next = [&](std::string_view text) {
    auto schedule = Schedule::Parse(text);
    BOOST_REQUIRE(schedule.ok());
    return schedule->Next(kNow).value_or(-1) - kNow;
  };
  BOOST_TEST(next("* * * * *") == 40);
  BOOST_TEST(next("*/15 * * * *") == 100);
  BOOST_TEST(next("@hourly") == 2800);
  BOOST_TEST(next("0 0 * * *") == 6400);
  BOOST_TEST(next("0 0 * * wed") == 6400);
  BOOST_TEST(next("0 0 15 * fri") == 6400);            // either
  BOOST_TEST(next("0 0 1 1 *") == 6400 + 47 * 86400);  // 47 days from the 15th of November
  BOOST_TEST(next("@every 90s") == 90);
  BOOST_TEST(next("0 0 31 2 *") == -1 - kNow);
  BOOST_TEST(next("0 0 29 2 *") == 6400 + 106 * 86400);
}

BOOST_AUTO_TEST_CASE(daylight_saving) {
  // Berlin in 2024: +1h until 31 March 01:00Z, +2h until 27 October 01:00Z.
  const UtcOffset berlin = [](int64_t time) { return time >= 1711846800 && time < 1729990800 ? 7200 : 3600; };
  const auto schedule = Schedule::Parse("30 2 * * *");
  BOOST_REQUIRE(schedule.ok());
  // 02:30 does not exist on 31 March: the next is on 1 April, 00:30Z.
  BOOST_TEST(schedule->Next(1711846800 - 3600, berlin).value() == 1711931400);
  // It comes twice on 27 October, and counts once: 00:30Z, then the next day at 01:30Z.
  const int64_t first = schedule->Next(1729990800 - 7200, berlin).value();
  BOOST_TEST((first == 1729990800 - 1800 || first == 1729990800 + 1800));
  BOOST_TEST(schedule->Next(1729990800 + 1800, berlin).value() == 1729990800 + 1800 + 86400);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::cron
