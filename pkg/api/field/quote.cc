#include "pkg/api/field/quote.h"

#include <cstdint>
#include <iterator>

#include <fmt/format.h>

namespace knarr::field {
namespace {

struct Rune {
  uint32_t value = 0xfffd;
  size_t size = 1;
  bool valid = false;
};

// One UTF-8 character; overlong forms, surrogates and values above U+10FFFF are invalid, as in Go.
Rune DecodeRune(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {first, 1, true};
  size_t size = 0;
  uint32_t value = 0;
  if ((first & 0xe0) == 0xc0) {
    size = 2;
    value = first & 0x1fu;
  } else if ((first & 0xf0) == 0xe0) {
    size = 3;
    value = first & 0x0fu;
  } else if ((first & 0xf8) == 0xf0) {
    size = 4;
    value = first & 0x07u;
  } else {
    return {};
  }
  if (text.size() < size) return {};
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    value = (value << 6) | (byte(i) & 0x3fu);
  }
  constexpr uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (value < kSmallest[size] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) return {};
  return {value, size, true};
}

// unicode.IsPrint without its tables: controls, separators other than the plain space, format characters, private use
// and non-characters do not print. Code points that Unicode has not assigned yet do print here.
bool IsPrint(uint32_t rune) {
  struct Range {
    uint32_t first, last;
  };
  static constexpr Range kNotPrinted[] = {
      {0x00, 0x1f},     {0x7f, 0xa0},     {0xad, 0xad},       {0x0600, 0x0605},    {0x061c, 0x061c},
      {0x06dd, 0x06dd}, {0x070f, 0x070f}, {0x1680, 0x1680},   {0x180e, 0x180e},    {0x2000, 0x200f},
      {0x2028, 0x202f}, {0x205f, 0x206f}, {0x3000, 0x3000},   {0xe000, 0xf8ff},    {0xfeff, 0xfeff},
      {0xfff0, 0xfffb}, {0xfffe, 0xffff}, {0xe0000, 0xe0fff}, {0xf0000, 0x10ffff},
  };
  for (const Range& range : kNotPrinted) {
    if (rune >= range.first && rune <= range.last) return false;
  }
  return true;
}

void AppendEscaped(std::string& out, uint32_t rune) {
  switch (rune) {
    case '\a': out += "\\a"; return;
    case '\b': out += "\\b"; return;
    case '\f': out += "\\f"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    case '\v': out += "\\v"; return;
    default: break;
  }
  if (rune < ' ' || rune == 0x7f) {
    fmt::format_to(std::back_inserter(out), "\\x{:02x}", rune);
  } else if (rune < 0x10000) {
    fmt::format_to(std::back_inserter(out), "\\u{:04x}", rune);
  } else {
    fmt::format_to(std::back_inserter(out), "\\U{:08x}", rune);
  }
}

}  // namespace

std::string Quote(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 2);
  out += '"';
  while (!text.empty()) {
    const Rune rune = DecodeRune(text);
    if (!rune.valid) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(text[0]));
    } else if (rune.value == '"' || rune.value == '\\') {
      out += '\\';
      out += static_cast<char>(rune.value);
    } else if (IsPrint(rune.value)) {
      out += text.substr(0, rune.size);
    } else {
      AppendEscaped(out, rune.value);
    }
    text.remove_prefix(rune.size);
  }
  out += '"';
  return out;
}

}  // namespace knarr::field
