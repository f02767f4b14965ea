// Private to pkg/kubelet/server: JSON of plain structs, in the order of the calls. Strings as Go's encoding/json.
#pragma once

#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "pkg/api/codec/json_text.h"
#include "pkg/base/clock.h"

namespace knarr::kubelet {

class JsonWriter {
 public:
  void BeginObject() { Open('{'); }
  void EndObject() { Close('}'); }
  void BeginArray() { Open('['); }
  void EndArray() { Close(']'); }
  void Key(std::string_view key) {
    Separate();
    codec::AppendJsonString(key, &out_);
    out_ += ':';
    fresh_ = true;
  }
  void String(std::string_view text) {
    Separate();
    codec::AppendJsonString(text, &out_);
  }
  void Number(std::integral auto value) {
    Separate();
    out_ += std::to_string(value);
  }
  void Bool(bool value) {
    Separate();
    out_ += value ? "true" : "false";
  }
  // Text that is JSON already.
  void Raw(std::string_view json) {
    Separate();
    out_ += json;
  }

  void Field(std::string_view key, std::string_view value) {
    Key(key);
    String(value);
  }
  void OptionalField(std::string_view key, std::string_view value) {
    if (!value.empty()) Field(key, value);
  }
  template <std::integral T>
  void OptionalField(std::string_view key, const std::optional<T>& value) {
    if (!value) return;
    Key(key);
    Number(*value);
  }
  std::string Take() { return std::move(out_); }

 private:
  void Open(char c) {
    Separate();
    out_ += c;
    fresh_ = true;
  }
  void Close(char c) {
    out_ += c;
    fresh_ = false;
  }
  void Separate() {
    if (!fresh_) out_ += ',';
    fresh_ = false;
  }
  std::string out_;
  bool fresh_ = true;  // no value stands before this one
};

// metav1.Time: RFC 3339 with seconds, UTC.
std::string FormatSeconds(WallTime time);

}  // namespace knarr::kubelet
