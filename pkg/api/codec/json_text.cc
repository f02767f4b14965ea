#include "pkg/api/codec/json_text.h"

#include <array>
#include <charconv>
#include <cmath>

#include "pkg/api/codec/json_reader.h"
#include "pkg/api/codec/utf8.h"

namespace knarr::codec {
namespace {

constexpr std::string_view kHex = "0123456789abcdef";
constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
// Raw values nest no deeper than this: they are checked recursively.
constexpr int kMaxRawDepth = 256;

bool IsPlain(unsigned char c) {
  return c >= 0x20 && c < 0x80 && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&';
}

void AppendUnicodeEscape(uint32_t value, std::string* out) {
  out->append("\\u");
  for (int shift = 12; shift >= 0; shift -= 4) out->push_back(kHex[value >> shift & 0xf]);
}

}  // namespace

void AppendJsonString(std::string_view text, std::string* out) {
  out->push_back('"');
  size_t plain = 0;  // start of what can be copied as it is
  for (size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (IsPlain(c)) {
      ++i;
      continue;
    }
    size_t size = 1;
    if (c >= 0x80) {
      const Rune rune = DecodeRune(text.substr(i));
      size = rune.size;
      if (rune.valid && rune.value != 0x2028 && rune.value != 0x2029) {
        i += size;
        continue;
      }
      out->append(text.substr(plain, i - plain));
      AppendUnicodeEscape(rune.value, out);
    } else {
      out->append(text.substr(plain, i - plain));
      switch (c) {
        case '"': out->append("\\\""); break;
        case '\\': out->append("\\\\"); break;
        case '\b': out->append("\\b"); break;
        case '\f': out->append("\\f"); break;
        case '\n': out->append("\\n"); break;
        case '\r': out->append("\\r"); break;
        case '\t': out->append("\\t"); break;
        default: AppendUnicodeEscape(c, out);
      }
    }
    i += size;
    plain = i;
  }
  out->append(text.substr(plain));
  out->push_back('"');
}

bool AppendCompactJson(std::string_view raw, std::string* out) {
  JsonReader reader(raw, {.depth = kMaxRawDepth, .nodes = raw.size() + 1});
  reader.SkipValue();
  reader.ExpectEnd();
  if (!reader.ok()) return false;
  bool in_string = false;
  for (size_t i = 0; i < raw.size(); ++i) {
    const char c = raw[i];
    if (!in_string && (c == ' ' || c == '\n' || c == '\r' || c == '\t')) continue;
    if (c == '<' || c == '>' || c == '&') {
      AppendUnicodeEscape(static_cast<unsigned char>(c), out);
      continue;
    }
    if (raw.substr(i, 2) == "\xe2\x80" && i + 2 < raw.size() && (raw[i + 2] & ~1) == static_cast<char>(0xa8)) {
      AppendUnicodeEscape(raw[i + 2] & 1 ? 0x2029 : 0x2028, out);
      i += 2;
      continue;
    }
    out->push_back(c);
    if (c == '"') {
      in_string = !in_string;
    } else if (c == '\\' && in_string) {
      out->push_back(raw[++i]);
    }
  }
  return true;
}

std::string FormatShortest(double value, bool single_precision, bool exponent) {
  std::array<char, 64> buffer;
  char* const begin = buffer.data();
  char* const limit = begin + buffer.size();
  constexpr auto kFormat = std::chars_format::scientific;
  const auto end = single_precision ? std::to_chars(begin, limit, static_cast<float>(value), kFormat).ptr
                                    : std::to_chars(begin, limit, value, kFormat).ptr;
  const std::string_view text(begin, static_cast<size_t>(end - begin));
  if (exponent) return std::string(text);
  // to_chars' fixed format prints all digits of a large number; Go prints zeros after the shortest ones.
  const size_t e = text.find('e');
  int point = 0;
  std::from_chars(text.data() + e + (text[e + 1] == '+' ? 2 : 1), end, point);
  std::string digits(text.substr(0, e));
  const bool negative = digits.starts_with('-');
  std::erase_if(digits, [](char c) { return c == '-' || c == '.'; });
  ++point;  // digits before the decimal point
  std::string out = negative ? "-" : "";
  if (point <= 0) return out + "0." + std::string(static_cast<size_t>(-point), '0') + digits;
  const auto whole = static_cast<size_t>(point);
  if (digits.size() <= whole) return out + digits + std::string(whole - digits.size(), '0');
  return out + digits.substr(0, whole) + "." + digits.substr(whole);
}

void AppendJsonDouble(double value, bool single_precision, std::string* out) {
  const double size = std::fabs(value);
  if (size == 0) return void(out->append(std::signbit(value) ? "-0" : "0"));
  const bool exponent = single_precision ? static_cast<float>(size) < 1e-6f || static_cast<float>(size) >= 1e21f
                                         : size < 1e-6 || size >= 1e21;
  const std::string text = FormatShortest(value, single_precision, exponent);
  // Go writes e-07 as e-7.
  const size_t e = text.find("e-0");
  out->append(text, 0, e);
  if (e != std::string::npos) out->append("e-").append(text, e + 3);
}

void AppendBase64(std::string_view bytes, std::string* out) {
  const auto at = [&](size_t i) {
    return i < bytes.size() ? static_cast<uint32_t>(static_cast<unsigned char>(bytes[i])) : 0u;
  };
  out->reserve(out->size() + (bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const uint32_t group = at(i) << 16 | at(i + 1) << 8 | at(i + 2);
    out->push_back(kBase64[group >> 18]);
    out->push_back(kBase64[group >> 12 & 63]);
    out->push_back(i + 1 < bytes.size() ? kBase64[group >> 6 & 63] : '=');
    out->push_back(i + 2 < bytes.size() ? kBase64[group & 63] : '=');
  }
}

Result<std::string> DecodeBase64(std::string_view text) {
  static constexpr auto kValues = [] {
    std::array<int8_t, 256> values{};
    values.fill(-1);
    for (size_t i = 0; i < kBase64.size(); ++i) values[static_cast<unsigned char>(kBase64[i])] = static_cast<int8_t>(i);
    return values;
  }();
  std::string out;
  out.reserve(text.size() / 4 * 3);
  uint32_t group = 0;
  int have = 0;
  const auto bad = [](size_t at) { return Error(Code::kBadRequest, "illegal base64 data at input byte {}", at); };
  const auto skip_breaks = [&](size_t i) {
    while (i < text.size() && (text[i] == '\n' || text[i] == '\r')) ++i;
    return i;
  };
  size_t i = 0;
  for (; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\n' || c == '\r') continue;
    if (c == '=') break;
    const int8_t value = kValues[static_cast<unsigned char>(c)];
    if (value < 0) return bad(i);
    group = group << 6 | static_cast<uint32_t>(value);
    if (++have < 4) continue;
    out.push_back(static_cast<char>(group >> 16));
    out.push_back(static_cast<char>(group >> 8));
    out.push_back(static_cast<char>(group));
    group = 0;
    have = 0;
  }
  if (have == 0 && i == text.size()) return out;
  if (i == text.size()) return bad(text.size() - static_cast<size_t>(have));  // Go: where the unfinished group starts
  if (have < 2) return bad(i);
  if (have == 2) {
    i = skip_breaks(i + 1);
    if (i == text.size()) return bad(text.size());
    if (text[i] != '=') return bad(i - 1);
    out.push_back(static_cast<char>(group >> 4));
  } else {
    out.push_back(static_cast<char>(group >> 10));
    out.push_back(static_cast<char>(group >> 2));
  }
  i = skip_breaks(i + 1);
  if (i < text.size()) return bad(i);
  return out;
}

}  // namespace knarr::codec
