// Quantities: "1500m", "0.5", "1Gi", "1e3", with exact decimal arithmetic and upstream's canonical text.
// Mirrors: k8s.io/apimachinery/pkg/api/resource/quantity.go
//
// A value type. Values are exact, of any size up to 1000 digits; what upstream computes for larger ones takes
// unbounded time, so Parse refuses those. Results never go through floating point.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "pkg/base/status.h"

namespace k8s::io::apimachinery::pkg::api::resource {
class Quantity;
}

namespace knarr {

class Quantity {
 public:
  enum class Format { kDecimalSI, kBinarySI, kDecimalExponent };

  Quantity() = default;
  explicit Quantity(int64_t value, Format format = Format::kDecimalSI);
  static Quantity FromMilli(int64_t milli, Format format = Format::kDecimalSI);
  // Upstream's error texts ("quantities must match the regular expression ...", "unable to parse quantity's suffix").
  // What is smaller than a nano is rounded up to it; binary quantities are capped at 2^63-1.
  static Result<Quantity> Parse(std::string_view text);
  // What the protobuf message carries; an unset or empty string is zero. Malformed text (it was decoded, so it was
  // checked) counts as a bug and gives zero.
  static Quantity From(const ::k8s::io::apimachinery::pkg::api::resource::Quantity& message);
  ::k8s::io::apimachinery::pkg::api::resource::Quantity ToMessage() const;

  // Canonical text: no fraction where a smaller suffix can hold it, the format kept. Like upstream, a parsed text that
  // needs no rounding and is close to canonical ("+1", "1.500") is given back as it was written.
  std::string ToString() const;
  // value / 10^scale, rounded away from zero, saturating at the limits of int64.
  int64_t ScaledValue(int scale) const;
  int64_t Value() const { return ScaledValue(0); }
  int64_t MilliValue() const { return ScaledValue(-3); }
  // Metrics only: loses precision.
  double AsApproximateDouble() const;
  bool IsZero() const { return Sign() == 0; }
  int Sign() const;
  Format format() const { return format_; }

  // Rounds away from zero to a multiple of 10^scale; true if that lost nothing.
  bool RoundUp(int scale);

  // The format is the left side's, or the right side's where the left is zero.
  Quantity operator+(const Quantity& other) const;
  Quantity operator-(const Quantity& other) const;
  Quantity operator-() const;
  Quantity& operator+=(const Quantity& other) { return *this = *this + other; }
  Quantity& operator-=(const Quantity& other) { return *this = *this - other; }
  // By value; the format does not matter: 1Ki == 1024.
  std::strong_ordering operator<=>(const Quantity& other) const;
  bool operator==(const Quantity& other) const { return (*this <=> other) == std::strong_ordering::equal; }

 private:
  friend struct QuantityOps;
  // value = mantissa * 10^exponent, exactly. Where the mantissa does not fit, it is in digits_ ("-123...") instead.
  __int128 mantissa_ = 0;
  int exponent_ = 0;
  Format format_ = Format::kDecimalSI;
  std::string digits_;
  std::string text_;  // as parsed, where ToString must give it back
};

}  // namespace knarr
