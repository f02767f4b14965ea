#include "pkg/api/codec/json_reader.h"

#include <array>

#include "pkg/api/codec/utf8.h"

namespace knarr::codec {
namespace {

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

// As Go's scanner quotes a byte.
std::string QuoteByte(char c) {
  if (c == '\'') return "'\\''";
  if (c == '"') return "'\"'";
  const auto byte = static_cast<unsigned char>(c);
  switch (c) {
    case '\n': return "'\\n'";
    case '\r': return "'\\r'";
    case '\t': return "'\\t'";
    case '\\': return "'\\\\'";
    case '\a': return "'\\a'";
    case '\b': return "'\\b'";
    case '\f': return "'\\f'";
    case '\v': return "'\\v'";
    default: break;
  }
  if (byte < 0x20 || byte == 0x7f) return fmt::format("'\\x{:02x}'", byte);
  // Go turns the byte into a rune first.
  if (byte >= 0x80) {
    std::string out = "'";
    AppendUtf8(byte, &out);
    return byte < 0xa0 || byte == 0xad ? fmt::format("'\\u{:04x}'", byte) : out + "'";
  }
  return fmt::format("'{}'", c);
}

}  // namespace

void JsonReader::Fail(std::string text) {
  if (status_.ok()) {
    status_ = Status(Code::kBadRequest, std::move(text));
    error_offset_ = pos_;
  }
  pos_ = text_.size();
}

void JsonReader::FailHere(std::string_view context) {
  if (pos_ >= text_.size()) return Fail("unexpected end of JSON input");
  Fail(fmt::format("invalid character {} {}", QuoteByte(text_[pos_]), context));
}

void JsonReader::SkipSpace() {
  while (pos_ < text_.size()) {
    const char c = text_[pos_];
    if (c != ' ' && c != '\n' && c != '\r' && c != '\t') return;
    ++pos_;
  }
}

void JsonReader::CountValue() {
  if (++nodes_ > limits_.nodes) Fail(fmt::format("more than {} values", limits_.nodes));
}

JsonReader::Kind JsonReader::Peek() {
  if (!ok()) return Kind::kError;
  SkipSpace();
  if (pos_ < text_.size()) {
    const char c = text_[pos_];
    switch (c) {
      case '{': return Kind::kObject;
      case '[': return Kind::kArray;
      case '"': return Kind::kString;
      case 'n': return Kind::kNull;
      case 't':
      case 'f': return Kind::kBool;
      default:
        if (c == '-' || IsDigit(c)) return Kind::kNumber;
    }
  }
  FailHere("looking for beginning of value");
  return Kind::kError;
}

bool JsonReader::Literal(std::string_view word) {
  CountValue();
  for (size_t i = 0; i < word.size(); ++i, ++pos_) {
    if (pos_ >= text_.size() || text_[pos_] != word[i]) {
      FailHere(fmt::format("in literal {} (expecting {})", word, QuoteByte(word[i])));
      return false;
    }
  }
  return ok();
}

void JsonReader::ReadNull() {
  if (Peek() == Kind::kNull) Literal("null");
}

bool JsonReader::ReadBool() {
  if (Peek() != Kind::kBool) return false;
  if (text_[pos_] == 't') return Literal("true");
  Literal("false");
  return false;
}

std::string_view JsonReader::ReadNumber() {
  if (Peek() != Kind::kNumber) return {};
  CountValue();
  const size_t start = pos_;
  const auto digits = [&] {
    while (pos_ < text_.size() && IsDigit(text_[pos_])) ++pos_;
  };
  const auto at_digit = [&] { return pos_ < text_.size() && IsDigit(text_[pos_]); };
  if (text_[pos_] == '-') ++pos_;
  if (!at_digit()) return FailHere("in numeric literal"), std::string_view();
  if (text_[pos_] == '0') {
    ++pos_;
  } else {
    digits();
  }
  if (pos_ < text_.size() && text_[pos_] == '.') {
    ++pos_;
    if (!at_digit()) return FailHere("after decimal point in numeric literal"), std::string_view();
    digits();
  }
  if (pos_ < text_.size() && (text_[pos_] == 'e' || text_[pos_] == 'E')) {
    ++pos_;
    if (pos_ < text_.size() && (text_[pos_] == '+' || text_[pos_] == '-')) ++pos_;
    if (!at_digit()) return FailHere("in exponent of numeric literal"), std::string_view();
    digits();
  }
  return ok() ? text_.substr(start, pos_ - start) : std::string_view();
}

std::string_view JsonReader::ReadString() {
  if (Peek() != Kind::kString) return {};
  CountValue();
  if (!ok()) return {};
  const size_t start = ++pos_;
  // The common case: plain ASCII without escapes, returned as it stands.
  while (pos_ < text_.size()) {
    const auto c = static_cast<unsigned char>(text_[pos_]);
    if (c == '"') {
      const std::string_view plain = text_.substr(start, pos_ - start);
      ++pos_;
      return plain;
    }
    if (c == '\\' || c < 0x20 || c >= 0x80) break;
    ++pos_;
  }
  Unescape(start);
  return ok() ? std::string_view(scratch_) : std::string_view();
}

void JsonReader::Unescape(size_t start) {
  scratch_.assign(text_.substr(start, pos_ - start));
  while (pos_ < text_.size()) {
    const auto c = static_cast<unsigned char>(text_[pos_]);
    if (c == '"') {
      ++pos_;
      return;
    }
    if (c < 0x20) return FailHere("in string literal");
    if (c >= 0x80) {
      const Rune rune = DecodeRune(text_.substr(pos_));
      AppendUtf8(rune.value, &scratch_);
      pos_ += rune.size;
      continue;
    }
    ++pos_;
    if (c != '\\') {
      scratch_.push_back(static_cast<char>(c));
      continue;
    }
    if (pos_ >= text_.size()) break;
    switch (text_[pos_]) {
      case '"':
      case '\\':
      case '/': scratch_.push_back(text_[pos_]); break;
      case 'b': scratch_.push_back('\b'); break;
      case 'f': scratch_.push_back('\f'); break;
      case 'n': scratch_.push_back('\n'); break;
      case 'r': scratch_.push_back('\r'); break;
      case 't': scratch_.push_back('\t'); break;
      case 'u': {
        uint32_t value = 0;
        ++pos_;
        if (!ReadHex4(&value)) return;
        if (value >= 0xd800 && value < 0xdc00 && text_.substr(pos_, 2) == "\\u") {
          const size_t before = pos_;
          uint32_t low = 0;
          pos_ += 2;
          if (!ReadHex4(&low)) return;
          if (low >= 0xdc00 && low < 0xe000) {
            value = 0x10000 + ((value - 0xd800) << 10) + (low - 0xdc00);
          } else {
            pos_ = before;
          }
        }
        AppendUtf8(value, &scratch_);
        continue;
      }
      default: return FailHere("in string escape code");
    }
    ++pos_;
  }
  FailHere("");
}

bool JsonReader::ReadHex4(uint32_t* out) {
  *out = 0;
  for (int i = 0; i < 4; ++i, ++pos_) {
    const char c = pos_ < text_.size() ? text_[pos_] : '\0';
    const char lower = static_cast<char>(c | 0x20);
    uint32_t digit = 0;
    if (IsDigit(c)) {
      digit = static_cast<uint32_t>(c - '0');
    } else if (lower >= 'a' && lower <= 'f') {
      digit = static_cast<uint32_t>(lower - 'a' + 10);
    } else {
      FailHere("in \\u hexadecimal character escape");
      return false;
    }
    *out = *out << 4 | digit;
  }
  return true;
}

void JsonReader::EnterObject() {
  if (Peek() != Kind::kObject) return;
  CountValue();
  if (++depth_ > limits_.depth) return Fail("exceeded max depth");
  if (!ok()) return;
  ++pos_;
  first_ = true;
}

void JsonReader::EnterArray() {
  if (Peek() != Kind::kArray) return;
  CountValue();
  if (++depth_ > limits_.depth) return Fail("exceeded max depth");
  if (!ok()) return;
  ++pos_;
  first_ = true;
}

// Moves to the next item of an object or array; false at its end.
bool JsonReader::NextItem(char close, std::string_view context) {
  if (!ok()) return false;
  SkipSpace();
  const bool first = std::exchange(first_, false);
  if (pos_ < text_.size() && text_[pos_] == close) {
    ++pos_;
    --depth_;
    return false;
  }
  if (first) return true;
  if (pos_ >= text_.size() || text_[pos_] != ',') {
    FailHere(context);
    return false;
  }
  ++pos_;
  return true;
}

bool JsonReader::NextKey(std::string_view* key) {
  if (!NextItem('}', "after object key:value pair")) return false;
  SkipSpace();
  if (pos_ >= text_.size() || text_[pos_] != '"') {
    FailHere("looking for beginning of object key string");
    return false;
  }
  --nodes_;  // a key is no value of its own
  *key = ReadString();
  if (!ok()) return false;
  SkipSpace();
  if (pos_ >= text_.size() || text_[pos_] != ':') {
    FailHere("after object key");
    return false;
  }
  ++pos_;
  return true;
}

bool JsonReader::NextElement() {
  return NextItem(']', "after array element");
}

std::string_view JsonReader::SkipValue() {
  const Kind kind = Peek();
  const size_t start = pos_;
  switch (kind) {
    case Kind::kNull: ReadNull(); break;
    case Kind::kBool: ReadBool(); break;
    case Kind::kNumber: ReadNumber(); break;
    case Kind::kString: ReadString(); break;
    case Kind::kObject: {
      std::string_view key;
      for (EnterObject(); NextKey(&key);) SkipValue();
      break;
    }
    case Kind::kArray:
      for (EnterArray(); NextElement();) SkipValue();
      break;
    case Kind::kError: break;
  }
  return ok() ? text_.substr(start, pos_ - start) : std::string_view();
}

void JsonReader::ExpectEnd() {
  if (!ok()) return;
  SkipSpace();
  if (pos_ < text_.size()) FailHere("after top-level value");
}

}  // namespace knarr::codec
