#include "pkg/api/codec/yaml_scalar.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "pkg/api/codec/json_text.h"

namespace knarr::codec {
namespace {

using Kind = YamlScalar::Kind;

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

bool OneOf(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

bool ResolveWord(std::string_view text, YamlScalar* out) {
  if (OneOf(text, {"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"})) {
    *out = {.kind = Kind::kBool, .boolean = true};
  } else if (OneOf(text, {"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"})) {
    *out = {.kind = Kind::kBool};
  } else if (OneOf(text, {"", "~", "null", "Null", "NULL"})) {
    *out = {.kind = Kind::kNull};
  } else if (OneOf(text, {".nan", ".NaN", ".NAN"})) {
    *out = {.kind = Kind::kFloat, .number = std::numeric_limits<double>::quiet_NaN()};
  } else if (OneOf(text, {".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"})) {
    *out = {.kind = Kind::kFloat, .number = std::numeric_limits<double>::infinity()};
  } else if (OneOf(text, {"-.inf", "-.Inf", "-.INF"})) {
    *out = {.kind = Kind::kFloat, .number = -std::numeric_limits<double>::infinity()};
  } else {
    return false;
  }
  return true;
}

// strconv.ParseInt and ParseUint with base 0, underscores already removed: 0x, 0b, 0o and leading zeros.
bool ResolveInteger(std::string_view text, YamlScalar* out) {
  bool negative = false;
  bool sign = false;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    negative = text[0] == '-';
    sign = true;
    text.remove_prefix(1);
  }
  int base = 10;
  if (text.size() > 1 && text[0] == '0') {
    const char mark = static_cast<char>(text[1] | 0x20);
    base = mark == 'x' ? 16 : mark == 'b' ? 2 : 8;
    text.remove_prefix(mark == 'x' || mark == 'b' || mark == 'o' ? 2 : 1);
  }
  uint64_t magnitude = 0;
  if (text.empty() || text[0] == '-') return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), magnitude, base);
  if (error != std::errc() || end != text.data() + text.size()) return false;
  constexpr uint64_t kMax = std::numeric_limits<int64_t>::max();
  if (magnitude > kMax + (negative ? 1 : 0) && sign) return false;
  *out = {.kind = Kind::kInt, .negative = negative && magnitude != 0, .magnitude = magnitude};
  return true;
}

bool ParseDouble(std::string_view text, double* out) {
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
  return error == std::errc() && end == text.data() + text.size();
}

// ^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$
bool LooksLikeFloat(std::string_view text) {
  size_t at = 0;
  const auto digits = [&] {
    const size_t start = at;
    while (at < text.size() && IsDigit(text[at])) ++at;
    return at - start;
  };
  if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
  const size_t whole = digits();
  if (at < text.size() && text[at] == '.') {
    ++at;
    if (digits() == 0 && whole == 0) return false;
  } else if (whole == 0) {
    return false;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
    if (digits() == 0) return false;
  }
  return at == text.size();
}

class TimestampParser {
 public:
  explicit TimestampParser(std::string_view text) : rest_(text) {}

  // 2006-1-2, 2006-1-2T15:4:5.9Z07:00 (or t), 2006-1-2 15:4:5.9
  bool Parse() {
    int month = 0, day = 0;
    for (size_t i = 0; i < 4; ++i) {
      if (i >= rest_.size() || !IsDigit(rest_[i])) return false;
    }
    const int year = (rest_[0] - '0') * 1000 + (rest_[1] - '0') * 100 + (rest_[2] - '0') * 10 + (rest_[3] - '0');
    rest_.remove_prefix(4);
    if (!Skip('-') || !Number(1, 12, &month) || !Skip('-') || !Number(1, 31, &day)) return false;
    constexpr int kDays[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (day > kDays[month - 1] || (month == 2 && day == 29 && !leap)) return false;
    if (rest_.empty()) return true;
    const bool zoned = rest_[0] == 'T' || rest_[0] == 't';
    if (!zoned && rest_[0] != ' ') return false;
    rest_.remove_prefix(1);
    int unused = 0;
    if (!Number(0, 23, &unused) || !Skip(':') || !Number(0, 59, &unused) || !Skip(':') || !Number(0, 59, &unused))
      return false;
    if (rest_.size() > 1 && (rest_[0] == '.' || rest_[0] == ',') && IsDigit(rest_[1])) {
      rest_.remove_prefix(1);
      while (!rest_.empty() && IsDigit(rest_[0])) rest_.remove_prefix(1);
    }
    if (!zoned) return rest_.empty();
    if (rest_ == "Z") return true;
    return rest_.size() == 6 && (rest_[0] == '+' || rest_[0] == '-') && IsDigit(rest_[1]) && IsDigit(rest_[2]) &&
           rest_[3] == ':' && IsDigit(rest_[4]) && IsDigit(rest_[5]);
  }

 private:
  bool Skip(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool Number(int low, int high, int* out) {
    size_t digits = 0;
    *out = 0;
    while (digits < 2 && digits < rest_.size() && IsDigit(rest_[digits])) *out = *out * 10 + (rest_[digits++] - '0');
    rest_.remove_prefix(digits);
    return digits > 0 && *out >= low && *out <= high;
  }
  std::string_view rest_;
};

std::string_view ShortTag(Kind kind) {
  switch (kind) {
    case Kind::kString: return "!!str";
    case Kind::kNull: return "!!null";
    case Kind::kBool: return "!!bool";
    case Kind::kInt: return "!!int";
    case Kind::kFloat: return "!!float";
    case Kind::kTimestamp: return "!!timestamp";
  }
  return "";
}

}  // namespace

YamlScalar ResolveYamlScalar(std::string_view text) {
  YamlScalar out;
  if (ResolveWord(text, &out)) return out;
  const char first = text[0];
  if (first == '.') {
    if (ParseDouble(text, &out.number)) out.kind = Kind::kFloat;
    return out;
  }
  if (!IsDigit(first) && first != '-' && first != '+') return out;
  if (TimestampParser(text).Parse()) return {.kind = Kind::kTimestamp};
  std::string plain(text);
  std::erase(plain, '_');
  if (ResolveInteger(plain, &out)) return out;
  if (LooksLikeFloat(plain) && ParseDouble(plain, &out.number)) out.kind = Kind::kFloat;
  return out;
}

Result<YamlScalar> ResolveYamlScalar(std::string_view text, std::string_view tag) {
  constexpr std::string_view kLong = "tag:yaml.org,2002:";
  const std::string name = tag.starts_with(kLong) ? fmt::format("!!{}", tag.substr(kLong.size())) : std::string(tag);
  const bool known = OneOf(name, {"!!bool", "!!int", "!!float", "!!null", "!!timestamp"});
  if (!known) return YamlScalar{};
  YamlScalar out = ResolveYamlScalar(text);
  if (name == "!!float" && out.kind == Kind::kInt) {
    out.kind = Kind::kFloat;
    out.number = static_cast<double>(out.magnitude) * (out.negative ? -1 : 1);
  }
  if (ShortTag(out.kind) != name) {
    return Error(Code::kBadRequest, "cannot decode {} `{}` as a {}", ShortTag(out.kind), text, name);
  }
  return out;
}

// ^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$
bool IsBase60Float(std::string_view text) {
  size_t at = 0;
  const auto digit = [&] { return at < text.size() && IsDigit(text[at]); };
  if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
  if (!digit()) return false;
  while (digit() || (at < text.size() && text[at] == '_')) ++at;
  int groups = 0;
  while (at < text.size() && text[at] == ':') {
    ++at;
    if (!digit()) return false;
    const bool tens = text[at] <= '5';
    ++at;
    if (tens && digit()) ++at;
    ++groups;
  }
  if (groups == 0) return false;
  if (at < text.size() && text[at] == '.') {
    ++at;
    while (digit() || (at < text.size() && text[at] == '_')) ++at;
  }
  return at == text.size();
}

std::string FormatGoFloat(double value, bool single_precision) {
  if (std::isnan(value)) return ".nan";
  if (std::isinf(value)) return value > 0 ? ".inf" : "-.inf";
  if (value == 0) return std::signbit(value) ? "-0" : "0";
  // strconv's threshold for the shortest digits. encoding/json and fmt have another one, 21.
  std::string scientific = FormatShortest(value, single_precision, true);
  const int exponent = std::stoi(scientific.substr(scientific.find('e') + 1));
  return exponent < -4 || exponent >= 6 ? scientific : FormatShortest(value, single_precision, false);
}

}  // namespace knarr::codec
