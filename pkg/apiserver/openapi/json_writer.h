// Writes JSON text from front to back. No checks: who writes knows the shape.
#pragma once

#include <string>
#include <string_view>

#include "pkg/api/codec/json_text.h"

namespace knarr::openapi {

class JsonWriter {
 public:
  std::string Take() { return std::move(out_); }
  const std::string& text() const { return out_; }

  void Begin() { Open('{'); }
  void Begin(std::string_view key) { Key(key), Open('{'); }
  void End() { out_ += '}'; }
  void BeginList() { Open('['); }
  void BeginList(std::string_view key) { Key(key), Open('['); }
  void EndList() { out_ += ']'; }

  void Key(std::string_view key) {
    Comma();
    codec::AppendJsonString(key, &out_);
    out_ += ':';
  }
  void String(std::string_view value) {
    Comma();
    codec::AppendJsonString(value, &out_);
  }
  void Member(std::string_view key, std::string_view value) { Key(key), String(value); }
  void Member(std::string_view key, const char* value) { Member(key, std::string_view(value)); }
  void Member(std::string_view key, bool value) { Key(key), Raw(value ? "true" : "false"); }
  // JSON text as it is.
  void Raw(std::string_view json) {
    Comma();
    out_ += json;
  }

 private:
  void Comma() {
    if (!out_.empty() && out_.back() != '{' && out_.back() != '[' && out_.back() != ':') out_ += ',';
  }
  void Open(char bracket) {
    Comma();
    out_ += bracket;
  }
  std::string out_;
};

}  // namespace knarr::openapi
