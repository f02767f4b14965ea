#include "pkg/api/resource/quantity.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <boost/multiprecision/cpp_int.hpp>

#include "k8s.io/apimachinery/pkg/api/resource/generated.pb.h"
#include "pkg/api/resource/quantity_parse.h"

namespace knarr {
namespace {

using BigInt = boost::multiprecision::cpp_int;
using boost::multiprecision::abs;

constexpr int kNano = -9;
constexpr int kMilli = -3;
// Of the mantissa and of the value written out: what bounds the time of all arithmetic.
constexpr int kMaxDigits = 1000;

BigInt Pow10(int exponent) {
  return boost::multiprecision::pow(BigInt(10), static_cast<unsigned>(exponent));
}

// 10^exponent, 0 where that does not fit.
__int128 SmallPow10(int exponent) {
  if (exponent < 0 || exponent > 37) return 0;
  __int128 power = 1;
  for (int i = 0; i < exponent; ++i) power *= 10;
  return power;
}

BigInt DivideAwayFromZero(const BigInt& value, const BigInt& divisor, bool* exact) {
  BigInt quotient;
  BigInt remainder;
  boost::multiprecision::divide_qr(value, divisor, quotient, remainder);
  *exact = remainder == 0;
  if (!*exact) quotient += value.sign();
  return quotient;
}

// Takes the factors of `factor` out of a value and counts them.
int RemoveFactors(BigInt& value, int factor) {
  int times = 0;
  BigInt quotient;
  BigInt remainder;
  while (value != 0) {
    boost::multiprecision::divide_qr(value, BigInt(factor), quotient, remainder);
    if (remainder != 0) break;
    value = quotient;
    ++times;
  }
  return times;
}

std::string DecimalText(BigInt mantissa, int exponent, Quantity::Format format) {
  exponent += RemoveFactors(mantissa, 10);
  // Suffixes exist for multiples of three only; E is the largest. (Upstream drops the suffix of anything larger.)
  int suffix = exponent - ((exponent % 3) + 3) % 3;
  if (format == Quantity::Format::kDecimalSI) suffix = std::clamp(suffix, kNano, 18);
  if (suffix < exponent) mantissa *= Pow10(exponent - suffix);
  std::string text = mantissa.str();
  if (suffix == 0) return text;
  if (format == Quantity::Format::kDecimalExponent) return text.append("e").append(std::to_string(suffix));
  static constexpr std::string_view kSuffixes[] = {"n", "u", "m", "", "k", "M", "G", "T", "P", "E"};
  return text.append(kSuffixes[static_cast<size_t>(suffix / 3 + 3)]);
}

std::string BinaryText(BigInt value) {
  static constexpr std::string_view kSuffixes[] = {"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};
  BigInt rest = value;
  const int power = std::min(RemoveFactors(rest, 1024), 6);
  value >>= static_cast<unsigned>(10 * power);
  return value.str().append(kSuffixes[power]);
}

}  // namespace

// The arithmetic that needs both the private parts and the big integers, which stay out of the header.
struct QuantityOps {
  static BigInt Mantissa(const Quantity& q) {
    if (!q.digits_.empty()) return BigInt(q.digits_);
    return BigInt(q.mantissa_);
  }

  static Quantity Make(const BigInt& mantissa, int exponent, Quantity::Format format) {
    static const BigInt kMax = (BigInt(1) << 127) - 1;
    Quantity q;
    q.exponent_ = exponent;
    q.format_ = format;
    if (abs(mantissa) <= kMax) {
      q.mantissa_ = static_cast<__int128>(mantissa);
    } else {
      q.digits_ = mantissa.str();
    }
    if (mantissa == 0) q.exponent_ = 0;
    return q;
  }

  static Quantity MakeSmall(__int128 mantissa, int exponent, Quantity::Format format) {
    Quantity q;
    q.mantissa_ = mantissa;
    q.exponent_ = mantissa == 0 ? 0 : exponent;
    q.format_ = format;
    return q;
  }

  // Both mantissas at the smaller exponent, if they fit.
  static bool AlignSmall(const Quantity& a, const Quantity& b, __int128* left, __int128* right) {
    if (!a.digits_.empty() || !b.digits_.empty()) return false;
    *left = a.mantissa_;
    *right = b.mantissa_;
    if (a.exponent_ == b.exponent_ || a.mantissa_ == 0 || b.mantissa_ == 0) return true;
    const __int128 power = SmallPow10(std::abs(a.exponent_ - b.exponent_));
    if (power == 0) return false;
    __int128& larger = a.exponent_ > b.exponent_ ? *left : *right;
    return !__builtin_mul_overflow(larger, power, &larger);
  }

  static void AlignBig(const Quantity& a, const Quantity& b, BigInt* left, BigInt* right) {
    *left = Mantissa(a);
    *right = Mantissa(b);
    const int difference = a.exponent_ - b.exponent_;
    if (difference > 0) *left *= Pow10(difference);
    if (difference < 0) *right *= Pow10(-difference);
  }

  static int CommonExponent(const Quantity& a, const Quantity& b) {
    if (a.IsZero()) return b.exponent_;
    if (b.IsZero()) return a.exponent_;
    return std::min(a.exponent_, b.exponent_);
  }

  static Quantity Add(const Quantity& a, const Quantity& b) {
    const Quantity::Format format = a.IsZero() ? b.format_ : a.format_;
    const int exponent = CommonExponent(a, b);
    __int128 left = 0;
    __int128 right = 0;
    __int128 sum = 0;
    if (AlignSmall(a, b, &left, &right) && !__builtin_add_overflow(left, right, &sum)) {
      return MakeSmall(sum, exponent, format);
    }
    BigInt big_left;
    BigInt big_right;
    AlignBig(a, b, &big_left, &big_right);
    return Make(big_left + big_right, exponent, format);
  }

  static std::strong_ordering Compare(const Quantity& a, const Quantity& b) {
    __int128 left = 0;
    __int128 right = 0;
    if (AlignSmall(a, b, &left, &right)) return left <=> right;
    if (a.Sign() != b.Sign()) return a.Sign() <=> b.Sign();
    BigInt big_left;
    BigInt big_right;
    AlignBig(a, b, &big_left, &big_right);
    return big_left.compare(big_right) <=> 0;
  }

  // The slow way of Parse: any number of digits, fractions of binary suffixes, what must be rounded or capped.
  static Result<Quantity> FromParts(const internal::QuantityParts& parts) {
    using Format = Quantity::Format;
    if (!parts.has_digits) return Status(Code::kInvalid, std::string(internal::kBadNumber));
    const std::string all = std::string(parts.numerator).append(parts.denominator);
    const size_t first = std::min(all.find_first_not_of('0'), all.size());
    const size_t significant = all.size() - first;
    if (significant == 0) return MakeSmall(0, 0, parts.format);
    int64_t exponent = -static_cast<int64_t>(parts.denominator.size());
    if (parts.base == 10) exponent += parts.exponent;
    const int64_t magnitude = static_cast<int64_t>(significant) + exponent;
    if (significant > kMaxDigits || magnitude > kMaxDigits) {
      return Status(Code::kInvalid, std::string(internal::kBadNumber));
    }
    BigInt mantissa(all.substr(first));
    if (parts.base == 2) mantissa <<= static_cast<unsigned>(parts.exponent);
    if (exponent < kNano) {
      bool exact = false;
      const int64_t drop = kNano - exponent;
      // Twenty digits more than there are leave nothing but the round-up.
      mantissa =
          DivideAwayFromZero(mantissa, Pow10(static_cast<int>(std::min<int64_t>(drop, kMaxDigits + 20))), &exact);
      exponent = kNano;
    }
    Quantity q = Make(mantissa, static_cast<int>(exponent), parts.format);
    if (q.format_ == Format::kBinarySI) {
      const Quantity most(std::numeric_limits<int64_t>::max(), Format::kBinarySI);
      if (q > most) q = most;
      if (q < Quantity(1)) q.format_ = Format::kDecimalSI;
    }
    return parts.positive ? q : -q;
  }

  // Numbers of at most 18 digits, in whole nanos: upstream keeps their text if it looks canonical.
  static bool FromShortParts(const internal::QuantityParts& parts, std::string_view text, Quantity* out) {
    using Format = Quantity::Format;
    const int digits = static_cast<int>(parts.numerator.size() + parts.denominator.size());
    if (parts.numerator.size() > 18 || parts.denominator.size() > 18) return false;
    const bool binary = parts.format == Format::kBinarySI;
    if (binary && !parts.denominator.empty()) return false;
    const int precision = binary ? 15 - digits - parts.exponent * 3 / 10 - 1 : 18 - digits;
    const int64_t scale = (binary ? 0 : parts.exponent) - static_cast<int64_t>(parts.denominator.size());
    if (precision < 0 || scale < kNano || scale > kMaxDigits - 18) return false;

    const std::string shifted = std::string(parts.numerator).append(parts.denominator);
    int64_t value = 0;
    for (const char c : shifted) value = value * 10 + (c - '0');
    const __int128 mantissa = static_cast<__int128>(value) << (binary ? parts.exponent : 0);
    *out = MakeSmall(parts.positive ? mantissa : -mantissa, static_cast<int>(scale), parts.format);
    const bool canonical = binary ? (value & 7) != 0 : scale % 3 == 0 && !shifted.ends_with("000") && shifted[0] != '0';
    if (canonical) out->text_ = text;
    return true;
  }
};

Quantity::Quantity(int64_t value, Format format) : mantissa_(value), format_(format) {}

Quantity Quantity::FromMilli(int64_t milli, Format format) {
  return QuantityOps::MakeSmall(milli, kMilli, format);
}

Result<Quantity> Quantity::Parse(std::string_view text) {
  const internal::QuantityParts parts = KNARR_TRY(internal::SplitQuantity(text));
  Quantity quantity;
  if (QuantityOps::FromShortParts(parts, text, &quantity)) return quantity;
  return QuantityOps::FromParts(parts);
}

Quantity Quantity::From(const ::k8s::io::apimachinery::pkg::api::resource::Quantity& message) {
  if (message.string().empty()) return {};
  Result<Quantity> parsed = Parse(message.string());
  if (!parsed.ok()) {
    KNARR_BUG("malformed quantity in a decoded object");
    return {};
  }
  return *std::move(parsed);
}

::k8s::io::apimachinery::pkg::api::resource::Quantity Quantity::ToMessage() const {
  ::k8s::io::apimachinery::pkg::api::resource::Quantity message;
  message.set_string(ToString());
  return message;
}

int Quantity::Sign() const {
  if (!digits_.empty()) return digits_[0] == '-' ? -1 : 1;
  return mantissa_ < 0 ? -1 : mantissa_ > 0 ? 1 : 0;
}

std::string Quantity::ToString() const {
  if (!text_.empty()) return text_;
  if (IsZero()) return "0";
  BigInt mantissa = QuantityOps::Mantissa(*this);
  if (format_ != Format::kBinarySI) return DecimalText(std::move(mantissa), exponent_, format_);
  // Small and fractional values would lose precision with a binary suffix.
  bool exact = true;
  BigInt whole =
      exponent_ >= 0 ? BigInt(mantissa * Pow10(exponent_)) : DivideAwayFromZero(mantissa, Pow10(-exponent_), &exact);
  if (!exact || abs(whole) < 1024) return DecimalText(std::move(mantissa), exponent_, Format::kDecimalSI);
  return BinaryText(std::move(whole));
}

int64_t Quantity::ScaledValue(int scale) const {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
  if (digits_.empty() && exponent_ == scale && mantissa_ <= kMax && mantissa_ >= kMin) {
    return static_cast<int64_t>(mantissa_);
  }
  bool exact = true;
  BigInt value = QuantityOps::Mantissa(*this);
  if (exponent_ > scale) value *= Pow10(exponent_ - scale);
  if (exponent_ < scale) value = DivideAwayFromZero(value, Pow10(scale - exponent_), &exact);
  if (value > kMax) return kMax;
  if (value < kMin) return kMin;
  return static_cast<int64_t>(value);
}

double Quantity::AsApproximateDouble() const {
  const auto mantissa = digits_.empty() ? static_cast<double>(mantissa_) : static_cast<double>(BigInt(digits_));
  return exponent_ == 0 ? mantissa : mantissa * std::pow(10, exponent_);
}

bool Quantity::RoundUp(int scale) {
  if (exponent_ >= scale || IsZero()) return true;
  bool exact = true;
  const BigInt rounded = DivideAwayFromZero(QuantityOps::Mantissa(*this), Pow10(scale - exponent_), &exact);
  *this = QuantityOps::Make(rounded, scale, format_);
  return exact;
}

Quantity Quantity::operator-() const {
  Quantity negated = *this;
  negated.text_.clear();
  negated.mantissa_ = -negated.mantissa_;
  if (negated.digits_.starts_with('-')) {
    negated.digits_.erase(0, 1);
  } else if (!negated.digits_.empty()) {
    negated.digits_.insert(0, 1, '-');
  }
  return negated;
}

Quantity Quantity::operator+(const Quantity& other) const {
  return QuantityOps::Add(*this, other);
}
Quantity Quantity::operator-(const Quantity& other) const {
  return QuantityOps::Add(*this, -other);
}

std::strong_ordering Quantity::operator<=>(const Quantity& other) const {
  return QuantityOps::Compare(*this, other);
}

}  // namespace knarr
