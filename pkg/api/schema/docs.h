// What upstream says about its API types: the comments of their Go declarations, for OpenAPI documents.
//
// Kept compressed in the executable; a Docs holds about a megabyte, so keep it no longer than needed. Immutable.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace knarr::schema {

class Docs {
 public:
  Docs();
  // Of a row of kMessages. "" where there is none.
  std::string_view Message(uint16_t message) const { return At(first_[message]); }
  // Of one of its fields, in the order of Message::fields().
  std::string_view Field(uint16_t message, size_t field) const {
    const std::string_view text = At(first_[message] + 1 + field);
    return text.substr(0, text.find('\1'));
  }
  // The values that the field, or its elements, can have; empty where that is not said.
  std::vector<std::string_view> Enum(uint16_t message, size_t field) const;

 private:
  std::string_view At(size_t index) const { return text_.data() + offsets_[index]; }
  std::string text_;
  std::vector<uint32_t> offsets_;
  std::vector<uint32_t> first_;  // of each message
};

}  // namespace knarr::schema
