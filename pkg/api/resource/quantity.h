// Quantities: "1500m", "0.5", "1Gi", "1e3", with exact decimal arithmetic and upstream's canonical text.
// Mirrors: k8s.io/apimachinery/pkg/api/resource/quantity.go
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "k8s.io/apimachinery/pkg/api/resource/generated.pb.h"
#include "pkg/base/status.h"

namespace knarr {

class Quantity {
 public:
  enum class Format { kDecimalSI, kBinarySI, kDecimalExponent };

  Quantity() = default;
  explicit Quantity(int64_t value, Format format = Format::kDecimalSI);
  static Quantity FromMilli(int64_t milli, Format format = Format::kDecimalSI);
  // Upstream's error texts ("quantities must match the regular expression ...", "unable to parse quantity's suffix").
  static Result<Quantity> Parse(std::string_view text);
  // What the protobuf message carries; an unset or empty string is zero. Malformed text (it was decoded, so it was
  // checked) counts as a bug and gives zero.
  static Quantity From(const ::k8s::io::apimachinery::pkg::api::resource::Quantity& message);
  ::k8s::io::apimachinery::pkg::api::resource::Quantity ToMessage() const;

  // Canonical text: no fraction where a smaller suffix can hold it, the format kept.
  std::string ToString() const;
  // Rounded up, saturating at the limits of int64.
  int64_t Value() const;
  int64_t MilliValue() const;
  bool IsZero() const { return mantissa_ == 0; }
  int Sign() const { return mantissa_ < 0 ? -1 : mantissa_ > 0 ? 1 : 0; }
  Format format() const { return format_; }

  Quantity operator+(const Quantity& other) const;
  Quantity operator-(const Quantity& other) const;
  std::strong_ordering operator<=>(const Quantity& other) const;
  bool operator==(const Quantity& other) const { return (*this <=> other) == std::strong_ordering::equal; }

 private:
  // value = mantissa * 10^exponent, exactly.
  __int128 mantissa_ = 0;
  int exponent_ = 0;
  Format format_ = Format::kDecimalSI;
};

}  // namespace knarr
