// UTF-8 as Go's unicode/utf8: a byte that starts no valid sequence is one U+FFFD of size 1.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace knarr::codec {

inline constexpr uint32_t kRuneError = 0xfffd;

struct Rune {
  uint32_t value;
  size_t size;  // bytes used; 1 for an invalid byte
  bool valid;
};

// `text` must not be empty.
Rune DecodeRune(std::string_view text);
// Surrogates and values beyond U+10FFFF are written as U+FFFD.
void AppendUtf8(uint32_t rune, std::string* out);

}  // namespace knarr::codec
