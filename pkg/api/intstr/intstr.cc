#include "pkg/api/intstr/intstr.h"

#include <charconv>

#include "k8s.io/apimachinery/pkg/util/intstr/generated.pb.h"
#include "pkg/api/field/quote.h"

namespace knarr::intstr {
namespace {

// strconv.ParseInt in base 10: an optional sign and digits.
template <typename Int>
Result<Int> ParseInt(std::string_view text) {
  std::string_view digits = text;
  if (digits.starts_with('+') && digits.size() > 1 && digits[1] != '-') digits.remove_prefix(1);
  Int value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error == std::errc::result_out_of_range) {
    return Error(Code::kInvalid, "strconv.Atoi: parsing {}: value out of range", field::Quote(text));
  }
  if (error != std::errc() || end != digits.data() + digits.size()) {
    return Error(Code::kInvalid, "strconv.Atoi: parsing {}: invalid syntax", field::Quote(text));
  }
  return value;
}

int64_t Percent(int64_t percent, int64_t total, bool round_up) {
  const __int128 product = static_cast<__int128>(percent) * total;
  __int128 quotient = product / 100;
  const __int128 remainder = product % 100;
  if (remainder > 0 && round_up) ++quotient;
  if (remainder < 0 && !round_up) --quotient;
  return static_cast<int64_t>(quotient);
}

}  // namespace

IntOrString FromInt32(int32_t value) {
  IntOrString result;
  result.set_type(kInt);
  result.set_intval(value);
  return result;
}

IntOrString FromString(std::string_view value) {
  IntOrString result;
  result.set_type(kString);
  result.set_strval(std::string(value));
  return result;
}

IntOrString Parse(std::string_view text) {
  const Result<int32_t> number = ParseInt<int32_t>(text);
  return number.ok() ? FromInt32(*number) : FromString(text);
}

bool IsString(const IntOrString& value) {
  return value.type() == kString;
}

std::string ToString(const IntOrString& value) {
  return IsString(value) ? value.strval() : std::to_string(value.intval());
}

int64_t IntValue(const IntOrString& value) {
  if (!IsString(value)) return value.intval();
  return ParseInt<int64_t>(value.strval()).value_or(0);
}

Result<int64_t> GetScaledValueFromIntOrPercent(const IntOrString& value, int64_t total, bool round_up) {
  constexpr std::string_view kContext = "invalid value for IntOrString";
  if (value.type() == kInt) return value.intval();
  if (value.type() != kString) return Error(Code::kInvalid, "{}: invalid type: neither int nor percentage", kContext);
  const std::string& text = value.strval();
  if (!text.ends_with('%')) {
    return Error(Code::kInvalid, "{}: invalid type: string is not a percentage", kContext);
  }
  const Result<int64_t> percent = ParseInt<int64_t>(std::string_view(text).substr(0, text.size() - 1));
  if (!percent.ok()) {
    return Error(Code::kInvalid, "{}: invalid value {}: {}", kContext, field::Quote(text), percent.error().message());
  }
  return Percent(*percent, total, round_up);
}

}  // namespace knarr::intstr
