// A message type as the codec walks it: the generated row of every field joined with its descriptor, made once per
// type on first use and kept for good.
// Thread-safe: plans are immutable; two threads that make the same one agree on the first.
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <string_view>
#include <utility>
#include <vector>

#include "pkg/api/schema/tables.h"

namespace knarr::codec {

struct Plan;

struct PlanField {
  const schema::Field* row = nullptr;
  const google::protobuf::FieldDescriptor* descriptor = nullptr;
  // Of maps: the fields of the entry message.
  const google::protobuf::FieldDescriptor* key = nullptr;
  const google::protobuf::FieldDescriptor* value = nullptr;

  // The plan of the message type (of the field, element or map value); Type::kMessage only.
  const Plan& message() const;
};

// A JSON name of a message, of its own or of an inlined struct.
struct PlanName {
  std::string_view name;
  uint16_t inlined[2] = {};  // indexes of the inline fields on the way, outermost first
  uint8_t inlined_count = 0;
  uint16_t field = 0;  // index in the innermost plan
  uint16_t slot = 0;   // position among all names, for the check for duplicates
};

inline constexpr size_t kMaxNames = 192;

struct Plan {
  const schema::Message* row = nullptr;
  const google::protobuf::Descriptor* descriptor = nullptr;
  std::vector<PlanField> fields;    // in Go's order
  std::vector<uint16_t> by_number;  // indexes into fields, in protobuf order
  std::vector<PlanName> names;      // ordered by length, then text

  const PlanName* Find(std::string_view name) const;
  schema::Special special() const { return row->special; }
};

// The entries of a map field by key, in order.
using MapEntry = std::pair<std::string_view, const google::protobuf::Message*>;
std::vector<MapEntry> SortedEntries(const PlanField& field, const google::protobuf::Message& message);

// The type must be one of the generated API types (a check fails otherwise).
const Plan& PlanOf(const google::protobuf::Descriptor* descriptor);

}  // namespace knarr::codec
