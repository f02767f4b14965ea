#include "pkg/api/resource/quantity_parse.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <string>

namespace knarr::internal {
namespace {

using Format = Quantity::Format;

Status Bad(std::string_view text) {
  return Status(Code::kInvalid, std::string(text));
}

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

std::string_view TakeDigits(std::string_view& text) {
  size_t size = 0;
  while (size < text.size() && IsDigit(text[size])) ++size;
  const std::string_view digits = text.substr(0, size);
  text.remove_prefix(size);
  return digits;
}

// What may follow a number: letters of suffixes, a sign, digits.
bool LooksLikeSuffix(std::string_view text) {
  const size_t letters = std::min(text.find_first_not_of("eEinumkKMGTP"), text.size());
  text.remove_prefix(letters);
  if (!text.empty() && (text[0] == '+' || text[0] == '-')) text.remove_prefix(1);
  TakeDigits(text);
  return text.empty();
}

// "e6", "E+6", "e-3".
bool ParseExponent(std::string_view suffix, int* exponent) {
  if (suffix.size() < 2 || (suffix[0] != 'e' && suffix[0] != 'E')) return false;
  suffix.remove_prefix(1);
  if (suffix[0] == '+') {
    suffix.remove_prefix(1);
    if (suffix.empty() || !IsDigit(suffix[0])) return false;
  }
  int parsed = 0;
  const auto [end, error] = std::from_chars(suffix.data(), suffix.data() + suffix.size(), parsed);
  if (error != std::errc() || end != suffix.data() + suffix.size()) return false;
  // Far below anything that is not rounded to a nano, and safe to compute with.
  *exponent = std::max(parsed, std::numeric_limits<int>::min() / 2);
  return true;
}

bool InterpretSuffix(std::string_view suffix, QuantityParts* parts) {
  struct Known {
    std::string_view suffix;
    int base, exponent;
  };
  static constexpr Known kKnown[] = {
      {"", 10, 0},   {"n", 10, -9}, {"u", 10, -6}, {"m", 10, -3}, {"k", 10, 3},  {"M", 10, 6},
      {"G", 10, 9},  {"T", 10, 12}, {"P", 10, 15}, {"E", 10, 18}, {"Ki", 2, 10}, {"Mi", 2, 20},
      {"Gi", 2, 30}, {"Ti", 2, 40}, {"Pi", 2, 50}, {"Ei", 2, 60},
  };
  for (const Known& known : kKnown) {
    if (known.suffix != suffix) continue;
    parts->base = known.base;
    parts->exponent = known.exponent;
    parts->format = known.base == 2 ? Format::kBinarySI : Format::kDecimalSI;
    return true;
  }
  parts->format = Format::kDecimalExponent;
  return ParseExponent(suffix, &parts->exponent);
}

}  // namespace

Result<QuantityParts> SplitQuantity(std::string_view text) {
  if (text.empty()) return Bad(kBadFormat);
  QuantityParts parts;
  std::string_view rest = text;
  if (rest[0] == '+' || rest[0] == '-') {
    parts.positive = rest[0] == '+';
    rest.remove_prefix(1);
  }
  const std::string_view integer = TakeDigits(rest);
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    parts.denominator = TakeDigits(rest);
  }
  parts.has_digits = !integer.empty() || !parts.denominator.empty();
  const size_t first = integer.find_first_not_of('0');
  parts.numerator = first == std::string_view::npos ? std::string_view("0") : integer.substr(first);
  if (!LooksLikeSuffix(rest)) return Bad(kBadFormat);
  if (!InterpretSuffix(rest, &parts)) return Bad(kBadSuffix);
  return parts;
}

}  // namespace knarr::internal
