#include "pkg/base/duration.h"

#include <array>
#include <cstdint>
#include <limits>

#include <fmt/format.h>

namespace knarr {
namespace {

struct Unit {
  std::string_view name;
  uint64_t nanos;
};
constexpr std::array<Unit, 8> kUnits{{{"ns", 1},
                                      {"us", 1000},
                                      {"\u00b5s", 1000},  // micro sign
                                      {"\u03bcs", 1000},  // Greek mu
                                      {"ms", 1000000},
                                      {"s", 1000000000},
                                      {"m", 60000000000},
                                      {"h", 3600000000000}}};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Trims trailing zeros of a fraction with the given number of digits: 1500 of 1000 -> "1.5".
std::string WithFraction(uint64_t value, uint64_t unit, int digits) {
  std::string text = fmt::format("{}", value / unit);
  if (const uint64_t rest = value % unit; rest != 0) {
    std::string fraction = fmt::format("{:0{}}", rest, digits);
    while (fraction.back() == '0') fraction.pop_back();
    text += "." + fraction;
  }
  return text;
}

}  // namespace

Result<std::chrono::nanoseconds> ParseDuration(std::string_view text) {
  const std::string_view original = text;
  const auto invalid = [&](std::string_view why) {
    return Error(Code::kInvalid, "time: {} \"{}\"", why, original);
  };
  bool negative = false;
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
    negative = text.front() == '-';
    text.remove_prefix(1);
  }
  if (text == "0") return std::chrono::nanoseconds(0);
  if (text.empty()) return invalid("invalid duration");
  constexpr unsigned __int128 kLimit = static_cast<unsigned __int128>(1) << 63;
  unsigned __int128 total = 0;
  while (!text.empty()) {
    unsigned __int128 whole = 0;
    size_t digits = 0;
    for (; digits < text.size() && IsDigit(text[digits]); ++digits) {
      whole = whole * 10 + static_cast<unsigned>(text[digits] - '0');
      if (whole > kLimit) return invalid("invalid duration");
    }
    text.remove_prefix(digits);
    uint64_t fraction = 0, scale = 1;
    bool any = digits > 0;
    if (!text.empty() && text.front() == '.') {
      text.remove_prefix(1);
      while (!text.empty() && IsDigit(text.front())) {
        if (scale < 1000000000000000) {
          fraction = fraction * 10 + static_cast<unsigned>(text.front() - '0');
          scale *= 10;
        }
        any = true;
        text.remove_prefix(1);
      }
    }
    if (!any) return invalid("invalid duration");
    size_t length = 0;
    while (length < text.size() && text[length] != '.' && !IsDigit(text[length])) ++length;
    if (length == 0) return invalid("missing unit in duration");
    const std::string_view name = text.substr(0, length);
    text.remove_prefix(length);
    uint64_t nanos = 0;
    for (const Unit& unit : kUnits) {
      if (unit.name == name) nanos = unit.nanos;
    }
    if (nanos == 0) return Error(Code::kInvalid, "time: unknown unit \"{}\" in duration \"{}\"", name, original);
    total += whole * nanos + static_cast<unsigned __int128>(fraction) * nanos / scale;
    if (total > kLimit) return invalid("invalid duration");
  }
  if (negative) return std::chrono::nanoseconds(static_cast<int64_t>(-static_cast<__int128>(total)));
  if (total == kLimit) return invalid("invalid duration");
  return std::chrono::nanoseconds(static_cast<int64_t>(total));
}

std::string FormatDuration(std::chrono::nanoseconds duration) {
  const int64_t signed_nanos = duration.count();
  if (signed_nanos == 0) return "0s";
  const uint64_t nanos = signed_nanos < 0 ? ~static_cast<uint64_t>(signed_nanos) + 1 : static_cast<uint64_t>(signed_nanos);
  std::string text = signed_nanos < 0 ? "-" : "";
  if (nanos < 1000) return text + fmt::format("{}ns", nanos);
  if (nanos < 1000000) return text + WithFraction(nanos, 1000, 3) + "\u00b5s";
  if (nanos < 1000000000) return text + WithFraction(nanos, 1000000, 6) + "ms";
  const uint64_t minutes = nanos / 60000000000;
  if (minutes >= 60) text += fmt::format("{}h", minutes / 60);
  if (minutes >= 1) text += fmt::format("{}m", minutes % 60);
  return text + WithFraction(nanos % 60000000000, 1000000000, 9) + "s";
}

}  // namespace knarr
