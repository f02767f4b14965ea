#include "pkg/api/intstr/intstr.h"

#include <boost/test/unit_test.hpp>

#include <string>

#include "k8s.io/apimachinery/pkg/util/intstr/generated.pb.h"

namespace knarr::intstr {
namespace {

BOOST_AUTO_TEST_SUITE(intstr)

BOOST_AUTO_TEST_CASE(texts_that_are_numbers_become_numbers) {
  BOOST_TEST(!IsString(Parse("93")));
  BOOST_TEST(IntValue(Parse("93")) == 93);
  BOOST_TEST(IntValue(Parse("-1")) == -1);
  for (const std::string text : {"http", "", "1 ", "2147483648", "0x1", "50%"}) {
    BOOST_TEST(IsString(Parse(text)), text);
    BOOST_TEST(ToString(Parse(text)) == text);
  }
  BOOST_TEST(IntValue(FromString("80")) == 80);
  BOOST_TEST(IntValue(FromString("http")) == 0);
  BOOST_TEST(ToString(FromInt32(80)) == "80");
}

BOOST_AUTO_TEST_CASE(percentages_scale_with_the_total) {
  const struct {
    std::string value;
    int64_t total;
    bool round_up;
    int64_t scaled;
  } cases[] = {
      {"123", 100, true, 123}, {"90%", 100, true, 90}, {"90%", 95, true, 86}, {"90%", 95, false, 85},
      {"1%", 3, true, 1},      {"1%", 3, false, 0},    {"0%", 5, true, 0},    {"-50%", 3, true, -1},
      {"-50%", 3, false, -2},  {"200%", 4, false, 8},  {"+5%", 100, true, 5},
  };
  for (const auto& test : cases) {
    const auto scaled = GetScaledValueFromIntOrPercent(Parse(test.value), test.total, test.round_up);
    BOOST_REQUIRE_MESSAGE(scaled.ok(), test.value);
    BOOST_TEST(*scaled == test.scaled, test.value);
  }
}

BOOST_AUTO_TEST_CASE(other_texts_are_errors_in_upstreams_words) {
  const std::pair<std::string, std::string> cases[] = {
      {"90", "invalid value for IntOrString: invalid type: string is not a percentage"},
      {"", "invalid value for IntOrString: invalid type: string is not a percentage"},
      {"%", "invalid value for IntOrString: invalid value \"%\": strconv.Atoi: parsing \"\": invalid syntax"},
      {"x%", "invalid value for IntOrString: invalid value \"x%\": strconv.Atoi: parsing \"x\": invalid syntax"},
      {"1%%", "invalid value for IntOrString: invalid value \"1%%\": strconv.Atoi: parsing \"1%\": invalid syntax"},
      {"99999999999999999999%", "invalid value for IntOrString: invalid value \"99999999999999999999%\": strconv.Atoi: "
                                "parsing \"99999999999999999999\": value out of range"},
  };
  for (const auto& [text, message] : cases) {
    const auto scaled = GetScaledValueFromIntOrPercent(FromString(text), 100, true);
    BOOST_REQUIRE_MESSAGE(!scaled.ok(), text);
    BOOST_TEST(scaled.error().message() == message);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::intstr
