#include <array>
#include <atomic>
#include <boost/json.hpp>
#include <map>
#include <memory>
#include <unordered_map>

#include "pkg/api/managedfields/managedfields.h"
#include "pkg/api/patch/tree.h"
#include "pkg/api/schema/tables.h"

namespace knarr::managedfields {
namespace json = boost::json;

namespace {

using Kind = TypeSchema::Kind;
using patch::JsonView;
using patch::View;
using schema::Shape;
using schema::Special;

constexpr uint16_t kNoMessage = schema::kNoMessage;
// Message::flags: the type itself is declared +structType=atomic (gen/emit_tables.py).
constexpr uint8_t kAtomicStruct = 4;

// Everything but structs of the tables.
class Node final : public TypeSchema {
 public:
  explicit Node(Info info) : info_(std::move(info)) {}
  const Info& info() const override { return info_; }
  const TypeSchema* Field(std::string_view json_name) const override {
    const auto at = fields_.find(json_name);
    return at == fields_.end() ? nullptr : at->second;
  }
  Info info_;
  std::map<std::string, const TypeSchema*, std::less<>> fields_;
};

const TypeSchema& ScalarOf(TypeSchema::Scalar scalar) {
  using enum TypeSchema::Scalar;
  static const auto* const all = new std::array<Node, 4>{
      Node({.kind = Kind::kScalar, .scalar = kUntyped}), Node({.kind = Kind::kScalar, .scalar = kNumeric}),
      Node({.kind = Kind::kScalar, .scalar = kString}), Node({.kind = Kind::kScalar, .scalar = kBoolean})};
  return (*all)[static_cast<size_t>(scalar)];
}
// Of FieldsV1 and of structs without fields.
const TypeSchema& RawMap() {
  static const auto* const node = new Node({.kind = Kind::kMap, .element = &Deduced()});
  return *node;
}
const TypeSchema& Anything() {
  static const auto* const node = [] {
    auto* made = new Node({.kind = Kind::kAtomic});
    made->info_.element = made;
    return made;
  }();
  return *node;
}

class Struct;
const TypeSchema* StructAt(uint16_t message, bool atomic);
bool IsAtomic(uint16_t message) {
  return schema::Messages()[message].flags & kAtomicStruct;
}

// The value that Go prints for a field that was not set; nullopt: none.
std::optional<json::value> ZeroOf(const schema::Field& field);

// A struct of the tables; its fields are looked up when it is first asked.
class Struct final : public TypeSchema {
 public:
  Struct(uint16_t message, bool atomic) : message_(message) {
    info_.kind = Kind::kStruct;
    info_.atomic = atomic;
  }
  const Info& info() const override { return info_; }
  const TypeSchema* Field(std::string_view json_name) const override {
    const Fields& fields = Load();
    const auto at = fields.find(json_name);
    return at == fields.end() ? nullptr : at->second;
  }
  json::object Empty() const override {
    json::object out;
    AddZeros(message_, out);
    return out;
  }
  static void AddZeros(uint16_t message, json::object& out) {
    for (const schema::Field& field : schema::Messages()[message].fields()) {
      if (field.shape == Shape::kInline) {
        AddZeros(field.message, out);
      } else if (auto zero = ZeroOf(field)) {
        out.emplace(JsonView(field.json_name()), std::move(*zero));
      }
    }
  }

 private:
  using Fields = std::unordered_map<std::string_view, const TypeSchema*>;

  const Fields& Load() const {
    if (const Fields* fields = fields_.load(std::memory_order_acquire)) return *fields;
    auto made = std::make_unique<Fields>();
    if (schema::Messages()[message_].has_type_meta()) {
      made->emplace("apiVersion", &ScalarOf(Scalar::kString));
      made->emplace("kind", &ScalarOf(Scalar::kString));
    }
    Add(message_, *made);
    // A thread that loses the race leaves its lists and maps behind; they live for ever anyway.
    const Fields* expected = nullptr;
    if (fields_.compare_exchange_strong(expected, made.get(), std::memory_order_acq_rel)) return *made.release();
    return *expected;
  }

  static void Add(uint16_t message, Fields& out) {
    for (const schema::Field& field : schema::Messages()[message].fields()) {
      if (field.shape == Shape::kInline) {
        Add(field.message, out);
      } else {
        out.emplace(field.json_name(), TypeOf(field, schema::FindExtras(message, field.number)));
      }
    }
  }

  static const TypeSchema* TypeOf(const schema::Field& field, const schema::FieldExtras* extras);

  const uint16_t message_;
  Info info_;
  mutable std::atomic<const Fields*> fields_ = nullptr;  // never freed: schemas live for ever
};

// Of the value or element.
const TypeSchema* ValueType(const schema::Field& field, std::string_view map_type) {
  using enum TypeSchema::Scalar;
  switch (field.type) {
    case schema::Type::kString:
    case schema::Type::kBytes: return &ScalarOf(kString);
    case schema::Type::kBool: return &ScalarOf(kBoolean);
    case schema::Type::kMessage: break;
    default: return &ScalarOf(kNumeric);
  }
  switch (schema::Messages()[field.message].special) {
    case Special::kNone: {
      // A struct without fields is free-form in OpenAPI.
      if (schema::Messages()[field.message].fields().empty()) return &RawMap();
      const bool atomic = map_type.empty() ? IsAtomic(field.message) : map_type == "atomic";
      return StructAt(field.message, atomic);
    }
    case Special::kDuration: return &ScalarOf(kString);
    case Special::kRawJson:
      return schema::Messages()[field.message].full_name().ends_with(".FieldsV1") ? &RawMap() : &Anything();
    case Special::kSliceWrapper: {
      static const auto* const node = new Node({.kind = Kind::kList, .element = &ScalarOf(kString)});
      return node;
    }
    default: return &ScalarOf(kUntyped);
  }
}

const schema::Field* FindField(uint16_t message, std::string_view name, const schema::FieldExtras** extras) {
  for (const schema::Field& field : schema::Messages()[message].fields()) {
    if (field.shape == Shape::kInline) {
      if (const auto* found = FindField(field.message, name, extras)) return found;
    } else if (field.json_name() == name) {
      *extras = schema::FindExtras(message, field.number);
      return &field;
    }
  }
  return nullptr;
}

// What a missing part of a key stands for: its declared default, or Go's zero where a field is always printed.
void AddKeyDefault(uint16_t element, const std::string& key, TypeSchema::Info& info) {
  const schema::FieldExtras* extras = nullptr;
  const schema::Field* field = FindField(element, key, &extras);
  if (field == nullptr) return;
  const std::string_view declared = extras ? extras->default_value() : std::string_view();
  if (!declared.empty() && !declared.starts_with("ref(")) {
    info.key_defaults.emplace_back(key, declared);
  } else if (!field->omit_empty() && field->shape == Shape::kValue) {
    if (auto zero = ZeroOf(*field)) info.key_defaults.emplace_back(key, json::serialize(*zero));
  }
}

const TypeSchema* Struct::TypeOf(const schema::Field& field, const schema::FieldExtras* extras) {
  const std::string_view map_type = extras ? extras->map_type() : std::string_view();
  if (field.shape == Shape::kMap) {
    return new Node({.kind = Kind::kMap, .atomic = map_type == "atomic", .element = ValueType(field, {})});
  }
  if (field.shape != Shape::kSlice) return ValueType(field, map_type);
  Info info{.kind = Kind::kList, .element = ValueType(field, {})};
  const std::string_view list_type = extras ? extras->list_type() : std::string_view();
  std::string_view keys;
  if (list_type == "map") {
    info.kind = Kind::kAssociativeList;
    keys = extras->list_map_keys();
  } else if (list_type == "set") {
    info.kind = Kind::kSet;
  } else if (list_type.empty() && extras != nullptr && extras->patch_strategy().starts_with("merge")) {
    keys = extras->patch_merge_key();
    info.kind = keys.empty() ? Kind::kSet : Kind::kAssociativeList;
  }
  while (!keys.empty()) {
    const size_t comma = keys.find(',');
    info.keys.emplace_back(keys.substr(0, comma));
    keys = comma == std::string_view::npos ? std::string_view() : keys.substr(comma + 1);
  }
  if (field.message != kNoMessage) {
    for (const std::string& key : info.keys) AddKeyDefault(field.message, key, info);
  }
  return new Node(std::move(info));
}

std::optional<json::value> ZeroOf(const schema::Field& field) {
  const bool omit = field.omit_empty();
  if (field.shape != Shape::kValue) return omit ? std::nullopt : std::optional<json::value>(nullptr);
  switch (field.type) {
    case schema::Type::kMessage: break;
    case schema::Type::kString: return omit ? std::nullopt : std::optional<json::value>("");
    case schema::Type::kBool: return omit ? std::nullopt : std::optional<json::value>(false);
    case schema::Type::kBytes: return omit ? std::nullopt : std::optional<json::value>(nullptr);
    default: return omit ? std::nullopt : std::optional<json::value>(0);
  }
  // Structs are printed even if they are empty.
  switch (schema::Messages()[field.message].special) {
    case Special::kNone: {
      json::object out;
      Struct::AddZeros(field.message, out);
      return out;
    }
    case Special::kQuantity: return "0";
    case Special::kIntOrString: return 0;
    case Special::kDuration: return "0s";
    case Special::kSliceWrapper: return omit ? std::nullopt : std::optional<json::value>(nullptr);
    default: return nullptr;
  }
}

const TypeSchema* StructAt(uint16_t message, bool atomic) {
  // [atomic][message]; made when first asked for.
  static auto* const all = new std::array<std::unique_ptr<std::atomic<const Struct*>[]>, 2> {
    std::make_unique<std::atomic<const Struct*>[]>(schema::kMessageCount),
        std::make_unique<std::atomic<const Struct*>[]>(schema::kMessageCount)
  };
  std::atomic<const Struct*>& slot = (*all)[atomic ? 1 : 0][message];
  if (const Struct* found = slot.load(std::memory_order_acquire)) return found;
  auto made = std::make_unique<const Struct>(message, atomic);
  const Struct* expected = nullptr;
  if (slot.compare_exchange_strong(expected, made.get(), std::memory_order_acq_rel)) return made.release();
  return expected;
}

// The schemas of a custom resource, owned together.
class OpenApiTree {
 public:
  const Node* Make(const json::object& schema, bool top, int depth) {
    using enum TypeSchema::Scalar;
    if (depth > kMaxDepth) return Own({.kind = Kind::kAtomic});
    const bool preserve = Is(schema, "x-kubernetes-preserve-unknown-fields");
    if (Is(schema, "x-kubernetes-int-or-string")) return Own({.kind = Kind::kScalar, .scalar = kUntyped});
    const std::string_view type = Text(schema, "type");
    if (type == "string") return Own({.kind = Kind::kScalar, .scalar = kString});
    if (type == "integer" || type == "number") return Own({.kind = Kind::kScalar, .scalar = kNumeric});
    if (type == "boolean") return Own({.kind = Kind::kScalar, .scalar = kBoolean});
    if (type == "array") return List(schema, depth);
    if (type != "object" && !top) {
      return preserve ? Own({.kind = Kind::kUntyped, .element = &Deduced()})
                      : Own({.kind = Kind::kAtomic, .element = &Anything()});
    }
    const bool resource = top || Is(schema, "x-kubernetes-embedded-resource");
    const json::object* properties = Object(schema, "properties");
    TypeSchema::Info info{.kind = Kind::kStruct, .atomic = Text(schema, "x-kubernetes-map-type") == "atomic"};
    if (preserve) info.element = &Deduced();
    if (const json::value* additional = schema.if_contains("additionalProperties")) {
      info.element = additional->is_object() ? Make(additional->get_object(), false, depth + 1) : &Deduced();
    }
    if (!resource && (properties == nullptr || properties->empty())) {
      info.kind = Kind::kMap;
      if (info.element == nullptr) info.element = &Deduced();
      return Own(std::move(info));
    }
    Node* node = Own(std::move(info));
    if (properties != nullptr) {
      for (const auto& property : *properties) {
        if (!property.value().is_object()) continue;
        node->fields_[std::string(View(property.key()))] = Make(property.value().get_object(), false, depth + 1);
      }
    }
    if (resource) {
      node->fields_["apiVersion"] = node->fields_["kind"] = &ScalarOf(kString);
      node->fields_["metadata"] = SchemaOf("k8s.io.apimachinery.pkg.apis.meta.v1.ObjectMeta");
    }
    return node;
  }

 private:
  static constexpr int kMaxDepth = 128;

  Node* Own(TypeSchema::Info info) { return nodes_.emplace_back(std::make_unique<Node>(std::move(info))).get(); }
  static bool Is(const json::object& schema, const char* name) {
    const json::value* value = schema.if_contains(name);
    return value && value->is_bool() && value->get_bool();
  }
  static std::string_view Text(const json::object& schema, const char* name) {
    const json::value* value = schema.if_contains(name);
    return value && value->is_string() ? View(value->get_string()) : std::string_view();
  }
  static const json::object* Object(const json::object& schema, const char* name) {
    const json::value* value = schema.if_contains(name);
    return value ? value->if_object() : nullptr;
  }

  const Node* List(const json::object& schema, int depth) {
    TypeSchema::Info info{.kind = Kind::kList, .element = &Anything()};
    const json::object* items = Object(schema, "items");
    if (items != nullptr) info.element = Make(*items, false, depth + 1);
    const std::string_view list_type = Text(schema, "x-kubernetes-list-type");
    if (list_type == "set") info.kind = Kind::kSet;
    if (list_type == "map") {
      info.kind = Kind::kAssociativeList;
      const json::value* keys = schema.if_contains("x-kubernetes-list-map-keys");
      const json::object* properties = items ? Object(*items, "properties") : nullptr;
      for (const json::value& key : keys && keys->is_array() ? keys->get_array() : json::array()) {
        if (!key.is_string()) continue;
        info.keys.emplace_back(View(key.get_string()));
        const json::object* property = properties ? Object(*properties, info.keys.back().c_str()) : nullptr;
        const json::value* value = property ? property->if_contains("default") : nullptr;
        if (value) info.key_defaults.emplace_back(info.keys.back(), json::serialize(*value));
      }
    }
    return Own(std::move(info));
  }

  std::vector<std::unique_ptr<Node>> nodes_;
};

}  // namespace

const TypeSchema& Deduced() {
  static const auto* const node = [] {
    auto* made = new Node({.kind = Kind::kUntyped});
    made->info_.element = made;
    return made;
  }();
  return *node;
}

const TypeSchema* SchemaOf(std::string_view message_full_name) {
  const uint16_t message = schema::FindMessage(message_full_name);
  return message == kNoMessage ? nullptr : StructAt(message, IsAtomic(message));
}

std::shared_ptr<const TypeSchema> SchemaFromOpenApi(const json::object& schema) {
  auto tree = std::make_shared<OpenApiTree>();
  const Node* root = tree->Make(schema, true, 0);
  return {std::move(tree), root};
}

}  // namespace knarr::managedfields
