// What upstream's Go declarations say about the API types and a protobuf descriptor does not: JSON names in the order
// Go prints them, omitempty, pointer or value, inlining, Go's type names, list types and merge keys.
//
// Generated (gen/generate.py) as arrays of numbers over one blob of strings: nothing to construct or relocate at
// start-up, pages shared by all processes. Immutable, hence thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace knarr::schema {

// Types whose JSON is not that of their fields.
enum class Special : uint8_t {
  kNone,
  kQuantity,
  kIntOrString,
  kTime,
  kMicroTime,
  kDuration,
  kRawJson,       // RawExtension, FieldsV1: any JSON value, kept as bytes
  kSliceWrapper,  // a named slice (ExtraValue, Verbs) that protobuf wraps in a message with one field, items
};

enum class Shape : uint8_t {
  kValue,    // T: always written in protobuf
  kPointer,  // *T: written when set
  kSlice,
  kMap,     // keys are strings
  kInline,  // embedded struct whose fields print as the outer one's
};

// Of the value, or of the elements of a slice or map.
enum class Type : uint8_t { kMessage, kString, kBytes, kBool, kInt32, kInt64, kUint32, kUint64, kDouble, kFloat };

inline constexpr uint16_t kNoMessage = 0xffff;

extern const char kStrings[];
inline std::string_view StringAt(uint32_t offset) {
  return kStrings + offset;
}

struct Field {
  enum Flags : uint8_t { kOmitEmpty = 1, kOptional = 2 };
  uint32_t json_name_at;
  uint32_t go_type_at;    // as Go's reflection prints it, without the pointer: []v1.Container
  uint32_t elem_type_at;  // of slices and maps: v1.Container
  uint16_t number;
  uint16_t message;  // index of the message type of the value or element
  Shape shape;
  Type type;
  uint8_t flags;

  std::string_view json_name() const { return StringAt(json_name_at); }
  std::string_view go_type() const { return StringAt(go_type_at); }
  std::string_view elem_type() const { return StringAt(elem_type_at); }
  bool omit_empty() const { return flags & kOmitEmpty; }
  bool optional() const { return flags & kOptional; }
};

struct Message {
  enum Flags : uint8_t { kTypeMeta = 1, kHoldsQuantity = 2 };
  uint32_t full_name_at;  // k8s.io.api.core.v1.Container
  uint32_t go_type_at;    // v1.Container
  uint32_t first_field;
  uint16_t field_count;
  Special special;
  uint8_t flags;

  std::string_view full_name() const { return StringAt(full_name_at); }
  std::string_view go_type() const { return StringAt(go_type_at); }
  // v1.Container -> Container
  std::string_view go_name() const { return go_type().substr(go_type().rfind('.') + 1); }
  bool has_type_meta() const { return flags & kTypeMeta; }
  // It is, or something below it is, a Quantity, whose text has to be checked wherever it comes from.
  bool holds_quantity() const { return flags & kHoldsQuantity; }
  std::span<const Field> fields() const;  // in Go's order
};

// What merging and defaulting need; only fields that declare something have a row.
struct FieldExtras {
  uint16_t message;
  uint16_t number;
  uint32_t default_at;         // JSON text or ref(Constant), of +default
  uint32_t list_type_at;       // atomic, map, set
  uint32_t list_map_keys_at;   // comma separated, in order
  uint32_t map_type_at;        // atomic, granular; of structs too
  uint32_t patch_strategy_at;  // merge, replace, retainKeys; comma separated
  uint32_t patch_merge_key_at;

  std::string_view default_value() const { return StringAt(default_at); }
  std::string_view list_type() const { return StringAt(list_type_at); }
  std::string_view list_map_keys() const { return StringAt(list_map_keys_at); }
  std::string_view map_type() const { return StringAt(map_type_at); }
  std::string_view patch_strategy() const { return StringAt(patch_strategy_at); }
  std::string_view patch_merge_key() const { return StringAt(patch_merge_key_at); }
};

extern const Message kMessages[];  // ordered by full name
extern const uint16_t kMessageCount;
extern const Field kFields[];
extern const FieldExtras kFieldExtras[];  // ordered by message, then as declared
extern const uint16_t kFieldExtrasCount;

inline std::span<const Field> Message::fields() const {
  return {kFields + first_field, field_count};
}
inline std::span<const Message> Messages() {
  return {kMessages, kMessageCount};
}

// Index into kMessages, kNoMessage where the name is unknown.
uint16_t FindMessage(std::string_view full_name);
// nullptr where the field declares nothing.
const FieldExtras* FindExtras(uint16_t message, uint16_t number);

}  // namespace knarr::schema
