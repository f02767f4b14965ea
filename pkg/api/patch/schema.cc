#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "pkg/api/patch/patch.h"
#include "pkg/api/schema/tables.h"

namespace knarr::patch {
namespace {

using schema::Shape;
using schema::Special;

// Whether a strategy is one of those that the tag lists.
bool Has(std::string_view strategies, std::string_view wanted) {
  while (!strategies.empty()) {
    const size_t comma = strategies.find(',');
    if (strategies.substr(0, comma) == wanted) return true;
    if (comma == std::string_view::npos) break;
    strategies.remove_prefix(comma + 1);
  }
  return false;
}

class TableSchema;
TableSchema* SchemaAt(uint16_t message);

// Of one generated message type; its fields are looked up when it is first asked.
class TableSchema final : public MergeSchema {
 public:
  const FieldInfo* Find(std::string_view json_name) const override {
    const Fields& fields = Load();
    const auto at = fields.find(json_name);
    return at == fields.end() ? nullptr : &at->second;
  }
  std::string_view name() const override { return schema::Messages()[message_].go_name(); }

 private:
  friend TableSchema* SchemaAt(uint16_t);
  using Fields = std::unordered_map<std::string_view, FieldInfo>;

  const Fields& Load() const {
    if (const Fields* fields = fields_.load(std::memory_order_acquire)) return *fields;
    auto made = std::make_unique<Fields>();
    if (schema::Messages()[message_].has_type_meta()) {
      made->emplace("apiVersion", FieldInfo());
      made->emplace("kind", FieldInfo());
    }
    Add(message_, made.get());
    const Fields* expected = nullptr;
    if (fields_.compare_exchange_strong(expected, made.get(), std::memory_order_acq_rel)) return *made.release();
    return *expected;
  }

  static void Add(uint16_t index, Fields* out) {
    for (const schema::Field& field : schema::Messages()[index].fields()) {
      if (field.shape == Shape::kInline) {
        Add(field.message, out);
        continue;
      }
      FieldInfo info;
      const bool is_message = field.type == schema::Type::kMessage;
      const Special special = is_message ? schema::Messages()[field.message].special : Special::kNone;
      info.is_list = (field.shape == Shape::kSlice && field.type != schema::Type::kBytes) ||
                     (field.shape == Shape::kValue && special == Special::kSliceWrapper);
      // Times, quantities and the like are scalars in JSON.
      const bool is_struct = is_message && field.shape != Shape::kMap && special == Special::kNone;
      info.list_of_objects = info.is_list && is_struct;
      if (is_struct) info.type = SchemaAt(field.message);
      if (const auto* extras = schema::FindExtras(index, field.number)) {
        info.merge = Has(extras->patch_strategy(), "merge");
        info.replace = Has(extras->patch_strategy(), "replace");
        info.retain_keys = Has(extras->patch_strategy(), "retainKeys");
        info.merge_key = extras->patch_merge_key();
      }
      out->emplace(field.json_name(), info);
    }
  }

  uint16_t message_ = 0;
  mutable std::atomic<const Fields*> fields_ = nullptr;  // never freed: schemas live for ever
};

TableSchema* SchemaAt(uint16_t message) {
  static TableSchema* const all = [] {
    auto* made = new TableSchema[schema::kMessageCount];
    for (uint16_t i = 0; i < schema::kMessageCount; ++i) made[i].message_ = i;
    return made;
  }();
  return &all[message];
}

}  // namespace

const MergeSchema* SchemaOf(std::string_view message_full_name) {
  const uint16_t message = schema::FindMessage(message_full_name);
  return message == schema::kNoMessage ? nullptr : SchemaAt(message);
}

}  // namespace knarr::patch
