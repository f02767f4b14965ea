// The syntax of quantities, apart from their arithmetic. Internal to this package.
#pragma once

#include <cstdint>
#include <string_view>

#include "pkg/api/resource/quantity.h"
#include "pkg/base/status.h"

namespace knarr::internal {

inline constexpr std::string_view kBadFormat =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
inline constexpr std::string_view kBadNumber = "unable to parse numeric part of quantity";
inline constexpr std::string_view kBadSuffix = "unable to parse quantity's suffix";

// [sign] numerator [. denominator] suffix, the suffix as base^exponent. Views into the text.
struct QuantityParts {
  bool positive = true;
  bool has_digits = false;     // upstream lets "." and "k" through as zero, but not where it needs more precision
  std::string_view numerator;  // without leading zeros, "0" if that leaves nothing
  std::string_view denominator;
  int base = 10;
  int exponent = 0;
  Quantity::Format format = Quantity::Format::kDecimalSI;
};

Result<QuantityParts> SplitQuantity(std::string_view text);

}  // namespace knarr::internal
