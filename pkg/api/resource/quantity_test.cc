#include "pkg/api/resource/quantity.h"

#include <boost/test/unit_test.hpp>

#include <limits>
#include <string>

#include "k8s.io/apimachinery/pkg/api/resource/generated.pb.h"

namespace knarr {
namespace {

using Format = Quantity::Format;
constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
constexpr int64_t kMin = std::numeric_limits<int64_t>::min();

Quantity Parse(std::string_view text) {
  const Result<Quantity> parsed = Quantity::Parse(text);
  BOOST_REQUIRE_MESSAGE(parsed.ok(), text);
  return *parsed;
}

// value * 10^exponent
Quantity Decimal(int64_t value, int exponent, Format format = Format::kDecimalSI) {
  Quantity q(value, format);
  if (exponent == 0) return q;
  return *Quantity::Parse(std::to_string(value) + "e" + std::to_string(exponent));
}

BOOST_AUTO_TEST_SUITE(quantity)

BOOST_AUTO_TEST_CASE(texts_have_their_value_format_and_negative) {
  const Format si = Format::kDecimalSI, bin = Format::kBinarySI, exp = Format::kDecimalExponent;
  const int64_t ki = 1024;
  const struct {
    std::string text;
    int64_t mantissa;
    int exponent;
    Format format;
  } cases[] = {
      {"0", 0, 0, si}, {"00", 0, 0, si}, {"0n", 0, 0, si}, {"0u", 0, 0, si}, {"0m", 0, 0, si}, {"0Ki", 0, 0, bin},
      {"0k", 0, 0, si}, {"0Gi", 0, 0, bin}, {"0T", 0, 0, si}, {"0e5", 0, 0, exp}, {"0.0e999999", 0, 0, exp},
      {"1", 1, 0, si}, {"1Ki", ki, 0, bin}, {"8Ki", 8 * ki, 0, bin}, {"7Mi", 7 * ki * ki, 0, bin},
      {"6Gi", 6 * ki * ki * ki, 0, bin}, {"5Ti", 5 * ki * ki * ki * ki, 0, bin},
      {"4Pi", 4 * ki * ki * ki * ki * ki, 0, bin}, {"3Ei", 3 * ki * ki * ki * ki * ki * ki, 0, bin},
      {"100Ti", 100 * ki * ki * ki * ki, 0, bin},
      {"5n", 5, -9, si}, {"4u", 4, -6, si}, {"3m", 3, -3, si}, {"9", 9, 0, si}, {"8k", 8, 3, si}, {"50k", 5, 4, si},
      {"7M", 7, 6, si}, {"6G", 6, 9, si}, {"5T", 5, 12, si}, {"40T", 4, 13, si}, {"300T", 3, 14, si},
      {"2P", 2, 15, si}, {"1E", 1, 18, si}, {"12E", 12, 18, si},
      {"1E-3", 1, -3, exp}, {"1e3", 1, 3, exp}, {"1E6", 1, 6, exp}, {"1e14", 1, 14, exp}, {"1E18", 1, 18, exp},
      {"1.3E+6", 13, 5, exp}, {"1.7E18", 17, 17, exp}, {"0.5e0", 5, -1, exp}, {"0.5e-2", 5, -3, exp},
      {"1.2e3", 12, 2, exp}, {"1.40e9", 14, 8, exp},
      {"100.035k", 100035, 0, si}, {"0.001", 1, -3, si}, {"0.0005k", 5, -1, si}, {"0.5", 5, -1, si},
      {"0.00050k", 5, -1, si}, {"0.05000", 5, -2, si}, {"10.035M", 10035, 3, si}, {"9.01", 901, -2, si},
      {"7.123456M", 7123456, 0, si}, {"6.987654321G", 6987654321, 0, si}, {"300.2T", 3002, 11, si},
      {"2.5P", 25, 14, si}, {"1.01E", 101, 16, si},
      // Rounded away from zero to whole nanos.
      {"3.001n", 4, -9, si}, {"1.1E-9", 2, -9, exp}, {"0.0000000001", 1, -9, si}, {"0.00000000050", 1, -9, si},
      {"0.5e-9", 1, -9, exp}, {"0.9n", 1, -9, si}, {"0.00000012345", 124, -9, si}, {"0.00000012354", 124, -9, si},
      {"1e-100", 1, -9, exp}, {"1e-2000000000", 1, -9, exp},
      // Binary quantities are capped; decimal ones are not.
      {"9Ei", kMax, 0, bin}, {"9223372036854775807Ki", kMax, 0, bin},
      {"100.035Ki", 10243584, -2, bin}, {"0.5Mi", 524288, 0, bin}, {"0.05Gi", 536870912, -1, bin},
      {"0.025Ti", 274877906944, -1, bin},
      {"0.000000000001Ki", 2, -9, si}, {".001", 1, -3, si}, {".0001k", 100, -3, si}, {"1.", 1, 0, si},
      {"1.G", 1, 9, si},
      // Upstream's scanner lets these through as zero.
      {".", 0, 0, si}, {"k", 0, 0, si}, {"Ki", 0, 0, bin}, {"e3", 0, 0, exp},
  };
  for (const auto& test : cases) {
    BOOST_TEST_CONTEXT(test.text) {
      const Quantity expected = Decimal(test.mantissa, test.exponent);
      const Quantity parsed = Parse(test.text);
      BOOST_TEST((parsed == expected));
      BOOST_TEST((parsed.format() == test.format));
      BOOST_TEST((Parse("+" + test.text) == expected));
      BOOST_TEST((Parse("-" + test.text) == -expected));
      BOOST_TEST((Parse("-" + test.text).format() == test.format));
      BOOST_TEST((Parse(parsed.ToString()) == parsed));
    }
  }
}

BOOST_AUTO_TEST_CASE(malformed_texts_are_refused_in_upstreams_words) {
  const std::string format = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
  const std::string suffix = "unable to parse quantity's suffix";
  const std::string number = "unable to parse numeric part of quantity";
  const std::pair<std::string, std::string> cases[] = {
      {"", format}, {"1.1.M", format}, {"1+1.0M", format}, {"0.1am", format}, {"aoeu", format}, {" 1", format},
      {"1 ", format}, {"1\n", format}, {"1%", format}, {"--1", suffix}, {"1_000", format}, {"0x10", format},
      {"0.1mi", suffix}, {".5i", suffix}, {"1i", suffix}, {"-3.01i", suffix}, {"-3.01e-", suffix}, {"1e", suffix},
      {"1Kii", suffix}, {"1KI", format}, {"1K", suffix}, {"1Ki5", suffix}, {"1e+", suffix}, {"1e+-3", format},
      {"1ee3", suffix}, {"1e99999999999999999999", suffix}, {"1+5", suffix}, {"Ei", number},
      {"1e2147483647", number}, {std::string(2000, '9'), number}, {"1" + std::string(1001, '0') + ".5", number},
  };
  for (const auto& [text, message] : cases) {
    const Result<Quantity> parsed = Quantity::Parse(text);
    BOOST_TEST_CONTEXT(text) {
      BOOST_REQUIRE(!parsed.ok());
      BOOST_TEST(parsed.error().message() == message);
    }
  }
}

BOOST_AUTO_TEST_CASE(canonical_text_has_no_fraction_and_the_largest_suffix) {
  const std::pair<std::string, std::string> cases[] = {
      {"1024Mi", "1Gi"}, {"307200Ki", "300Mi"}, {"6Ki", "6Ki"}, {"1025024Mi", "1001Gi"}, {"1024Gi", "1Ti"},
      {"1536Mi", "1536Mi"}, {"1.5Gi", "1536Mi"}, {"0.1Mi", "104857600m"}, {"0.5Mi", "512Ki"},
      {"5000m", "5"}, {"0.5", "500m"}, {"1500m", "1500m"}, {"1.5", "1500m"}, {"1000M", "1G"}, {"0.001T", "1G"},
      {"1000u", "1m"}, {"1.08", "1080m"}, {"1080000000n", "1080m"}, {"1234567M", "1234567M"}, {"1000", "1k"},
      {"10000", "10k"}, {"1100", "1100"}, {"1e3", "1e3"}, {"1000e0", "1e3"}, {".001e12", "1e9"}, {"0.001e0", "1e-3"},
      {"1000e-12", "1e-9"}, {"80e-3", "80e-3"}, {"1e14", "100e12"}, {"00", "0"}, {"0Ki", "0"}, {"0e3", "0"},
      {".001Ki", "1024m"}, {".000001Ki", "1024u"}, {".000000001Ki", "1024n"}, {".000000000001Ki", "2n"},
      {"9Ei", "9223372036854775807"}, {"1000E", "1000E"}, {"1234567890123456789012345678901234567890123", "1234567890123456789012345678901234567890123"},
      {"100000000000000000000", "100E"}, {"0.1234567891234", "123456790n"},
      // Written as it came, as upstream does for short numbers in whole thousands.
      {"+1", "+1"}, {"1.500", "1.500"}, {"007", "007"}, {"100.035k", "100.035k"}, {"1025Ki", "1025Ki"},
      // Not so where the numbers are longer or end in zeros.
      {"8Ki", "8Ki"}, {"1000Ki", "1000Ki"}, {"1.000", "1"}, {"1.50", "1500m"},
  };
  for (const auto& [in, out] : cases) BOOST_TEST(Parse(in).ToString() == out);
}

BOOST_AUTO_TEST_CASE(built_values_print_in_the_format_they_were_given) {
  BOOST_TEST(Quantity().ToString() == "0");
  BOOST_TEST(Quantity(1024, Format::kBinarySI).ToString() == "1Ki");
  BOOST_TEST(Quantity(1025, Format::kBinarySI).ToString() == "1025");
  BOOST_TEST(Quantity(1 << 20, Format::kBinarySI).ToString() == "1Mi");
  BOOST_TEST(Quantity(5, Format::kBinarySI).ToString() == "5");
  BOOST_TEST(Quantity(-5 * 1024, Format::kBinarySI).ToString() == "-5Ki");
  BOOST_TEST(Quantity(kMin, Format::kBinarySI).ToString() == "-8Ei");
  BOOST_TEST(Quantity(1234000).ToString() == "1234k");
  BOOST_TEST(Quantity(1000000, Format::kDecimalExponent).ToString() == "1e6");
  BOOST_TEST(Quantity::FromMilli(1).ToString() == "1m");
  BOOST_TEST(Quantity::FromMilli(1234000).ToString() == "1234");
  BOOST_TEST(Quantity::FromMilli(1024, Format::kBinarySI).ToString() == "1024m");
  BOOST_TEST(Quantity::FromMilli(500, Format::kBinarySI).ToString() == "500m");
}

BOOST_AUTO_TEST_CASE(values_are_rounded_away_from_zero_and_saturate) {
  const struct {
    std::string text;
    int64_t value, milli;
  } cases[] = {
      {"0", 0, 0}, {"1", 1, 1000}, {"1500m", 2, 1500}, {"-1500m", -2, -1500}, {"1n", 1, 1}, {"-1n", -1, -1},
      {"1Ki", 1024, 1024000}, {"0.1", 1, 100}, {"1.0005", 2, 1001}, {"12E", kMax, kMax}, {"-12E", kMin, kMin},
      {"9223372036854775807", kMax, kMax}, {"9223372036854775", 9223372036854775, 9223372036854775000},
      {"1e400", kMax, kMax},
  };
  for (const auto& test : cases) {
    BOOST_TEST(Parse(test.text).Value() == test.value, test.text);
    BOOST_TEST(Parse(test.text).MilliValue() == test.milli, test.text);
  }
  BOOST_TEST(Parse("1e2").ScaledValue(-2) == 10000);
  BOOST_TEST(Parse("1n").ScaledValue(-9) == 1);
  BOOST_TEST(Parse("1500m").AsApproximateDouble() == 1.5);
}

BOOST_AUTO_TEST_CASE(rounding_up_to_a_scale_says_whether_it_lost_anything) {
  const struct {
    std::string in;
    int scale;
    std::string out;
    bool exact;
  } cases[] = {
      {"9.01", -3, "9010m", true}, {"9.01", -2, "9010m", true}, {"9.01", -1, "9100m", false}, {"9.01", 0, "10", false},
      {"9.01", 1, "10", false}, {"9.01", 2, "100", false}, {"-9.01", -1, "-9100m", false}, {"-9.01", 0, "-10", false},
      {"-9.01", 2, "-100", false}, {"100u", -3, "1m", false}, {"1.500", -3, "1.500", true}, {"0", 3, "0", true},
  };
  for (const auto& test : cases) {
    Quantity q = Parse(test.in);
    BOOST_TEST(q.RoundUp(test.scale) == test.exact, test.in);
    BOOST_TEST(q.ToString() == test.out);
  }
}

BOOST_AUTO_TEST_CASE(comparison_is_by_value_whatever_the_format) {
  const struct {
    std::string a, b;
    int order;
  } cases[] = {
      {"0", "0", 0}, {"100m", "50m", 1}, {"50m", "100m", -1}, {"10000T", "100Gi", 1}, {"1Ki", "1024", 0},
      {"1e3", "1k", 0}, {"-1", "1", -1}, {"0", "-1n", 1}, {"1e300", "1E", 1}, {"-1e300", "1n", -1}, {"1e300", "1e301", -1},
      {"1e300", "1e300", 0}, {"1e40", "1n", 1}, {"0e0", "0Ki", 0},
      {"123456789012345678901234567890123456789", "123456789012345678901234567890123456790", -1},
  };
  for (const auto& test : cases) {
    const auto order = Parse(test.a) <=> Parse(test.b);
    BOOST_TEST((order == (test.order <=> 0)), test.a << " " << test.b);
    BOOST_TEST(((Parse(test.b) <=> Parse(test.a)) == (0 <=> test.order)), test.a << " " << test.b);
  }
}

BOOST_AUTO_TEST_CASE(sums_are_exact_and_keep_the_left_sides_format_unless_it_is_zero) {
  const struct {
    std::string a, b, sum, difference;
  } cases[] = {
      {"100m", "0", "100m", "100m"}, {"0", "1Gi", "1Gi", "-1Gi"}, {"1Gi", "0", "1Gi", "1Gi"},
      {"1", "1m", "1001m", "999m"}, {"1Gi", "1Mi", "1025Mi", "1023Mi"}, {"1Ki", "1k", "2024", "24"},
      {"1.500", "0", "1500m", "1500m"}, {"10E", "10E", "20E", "0"}, {"8Ei", "1", "8Ei", "9223372036854775806"},
      {"1e40", "1n", "10000000000000000000000000000000000000000000000001e-9", "9999999999999999999999999999999999999999999999999e-9"},
      {"123456789012345678901234567890123456789", "1", "123456789012345678901234567890123456790", "123456789012345678901234567890123456788"},
      {"-1", "1", "0", "-2"},
  };
  for (const auto& test : cases) {
    BOOST_TEST((Parse(test.a) + Parse(test.b)).ToString() == test.sum, test.a << " + " << test.b);
    BOOST_TEST((Parse(test.a) - Parse(test.b)).ToString() == test.difference, test.a << " - " << test.b);
  }
  Quantity total;
  for (int i = 0; i < 10; ++i) total += Parse("100m");
  BOOST_TEST(total.ToString() == "1");
  total -= Parse("1");
  BOOST_TEST(total.IsZero());
}

BOOST_AUTO_TEST_CASE(messages_carry_the_text) {
  ::k8s::io::apimachinery::pkg::api::resource::Quantity message;
  BOOST_TEST(Quantity::From(message).IsZero());
  message.set_string("1536Mi");
  BOOST_TEST(Quantity::From(message).Value() == 1536LL << 20);
  BOOST_TEST(Parse("0.5").ToMessage().string() == "500m");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr
