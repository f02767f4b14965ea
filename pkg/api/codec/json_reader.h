// A pull parser over JSON text in memory: no tree, no copies but of strings with escapes, exact number text.
// Errors are Go's (encoding/json's scanner): invalid character 'x' looking for beginning of value. After the first
// error every call returns an empty value and loops end; ask status() once at the end.
// Bounded: depth and number of values are limited. Not thread-safe; the text must outlive the reader.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "pkg/base/status.h"

namespace knarr::codec {

class JsonReader {
 public:
  enum class Kind : uint8_t { kNull, kBool, kNumber, kString, kObject, kArray, kError };
  struct Limits {
    int depth;
    size_t nodes;
  };

  JsonReader(std::string_view text, Limits limits) : text_(text), limits_(limits) {}

  // What comes next where a value is expected.
  Kind Peek();
  void ReadNull();
  bool ReadBool();
  std::string_view ReadNumber();  // as written
  // With escapes resolved and invalid UTF-8 replaced by U+FFFD. Valid until the next string is read.
  std::string_view ReadString();
  // for (reader.EnterObject(); reader.NextKey(&key);) ...read or skip the value...
  void EnterObject();
  bool NextKey(std::string_view* key);
  void EnterArray();
  bool NextElement();
  // Checks and skips a value; returns its text.
  std::string_view SkipValue();
  // Nothing but white space may follow the top-level value.
  void ExpectEnd();

  bool ok() const { return status_.ok(); }
  const Status& status() const { return status_; }
  size_t offset() const { return pos_; }
  // Where the error is; the size of the text if it ends too early.
  size_t error_offset() const { return error_offset_; }

 private:
  void Fail(std::string text);
  void FailHere(std::string_view context);  // invalid character 'x' <context>, or unexpected end
  void SkipSpace();
  bool Literal(std::string_view word);
  void CountValue();
  bool NextItem(char close, std::string_view context);
  void Unescape(size_t start);
  bool ReadHex4(uint32_t* out);

  std::string_view text_;
  Limits limits_;
  size_t pos_ = 0;
  size_t error_offset_ = 0;
  size_t nodes_ = 0;
  int depth_ = 0;
  bool first_ = false;  // just entered an object or array
  Status status_;
  std::string scratch_;
};

}  // namespace knarr::codec
