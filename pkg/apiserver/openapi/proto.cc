#include "pkg/apiserver/openapi/proto.h"

#include <boost/json.hpp>

namespace knarr::openapi {
namespace json = boost::json;

namespace {

std::string_view View(json::string_view text) {
  return {text.data(), text.size()};
}

// A message on the wire. Numbers are those of OpenAPIv2.proto.
class Wire {
 public:
  const std::string& text() const { return out_; }

  void String(int field, std::string_view value) {
    Varint(static_cast<uint64_t>(field) << 3 | 2);
    Varint(value.size());
    out_ += value;
  }
  void Message(int field, const Wire& value) { String(field, value.out_); }
  void Bool(int field, bool value) {
    if (!value) return;
    Varint(static_cast<uint64_t>(field) << 3);
    Varint(1);
  }
  void Int(int field, int64_t value) {
    Varint(static_cast<uint64_t>(field) << 3);
    Varint(static_cast<uint64_t>(value));
  }
  void Double(int field, double value) {
    Varint(static_cast<uint64_t>(field) << 3 | 1);
    out_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }

 private:
  void Varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) out_ += static_cast<char>(value | 0x80);
    out_ += static_cast<char>(value);
  }
  std::string out_;
};

std::string_view Text(const json::object& object, const char* name) {
  const json::value* value = object.if_contains(name);
  return value && value->is_string() ? View(value->get_string()) : std::string_view();
}
bool Flag(const json::object& object, const char* name) {
  const json::value* value = object.if_contains(name);
  return value && value->is_bool() && value->get_bool();
}
void AddText(const json::object& object, const char* name, int field, Wire& out) {
  if (const std::string_view text = Text(object, name); !text.empty()) out.String(field, text);
}
void AddTexts(const json::object& object, const char* name, int field, Wire& out) {
  const json::value* list = object.if_contains(name);
  if (list == nullptr || !list->is_array()) return;
  for (const json::value& item : list->get_array()) {
    if (item.is_string()) out.String(field, View(item.get_string()));
  }
}

// Any and NamedAny: the value as YAML, which JSON is.
Wire Any(const json::value& value) {
  Wire out;
  out.String(2, json::serialize(value) + "\n");
  return out;
}
void AddExtensions(const json::object& object, int field, Wire& out) {
  for (const auto& member : object) {
    if (!View(member.key()).starts_with("x-")) continue;
    Wire named;
    named.String(1, View(member.key()));
    named.Message(2, Any(member.value()));
    out.Message(field, named);
  }
}

Wire Schema(const json::object& schema) {
  Wire out;
  const auto number = [&](const char* name, int field) {
    const json::value* value = schema.if_contains(name);
    if (value && value->is_number()) out.Double(field, value->to_number<double>());
  };
  const auto count = [&](const char* name, int field) {
    const json::value* value = schema.if_contains(name);
    if (value && value->is_int64()) out.Int(field, value->get_int64());
  };
  AddText(schema, "$ref", 1, out);
  AddText(schema, "format", 2, out);
  AddText(schema, "title", 3, out);
  AddText(schema, "description", 4, out);
  number("multipleOf", 6);
  number("maximum", 7);
  out.Bool(8, Flag(schema, "exclusiveMaximum"));
  number("minimum", 9);
  out.Bool(10, Flag(schema, "exclusiveMinimum"));
  count("maxLength", 11);
  count("minLength", 12);
  AddText(schema, "pattern", 13, out);
  count("maxItems", 14);
  count("minItems", 15);
  out.Bool(16, Flag(schema, "uniqueItems"));
  count("maxProperties", 17);
  count("minProperties", 18);
  AddTexts(schema, "required", 19, out);
  if (const json::value* values = schema.if_contains("enum"); values && values->is_array()) {
    for (const json::value& value : values->get_array()) out.Message(20, Any(value));
  }
  if (const json::value* additional = schema.if_contains("additionalProperties")) {
    Wire item;
    if (additional->is_object()) {
      item.Message(1, Schema(additional->get_object()));
    } else {
      item.Int(2, additional->is_bool() && additional->get_bool() ? 1 : 0);
    }
    out.Message(21, item);
  }
  if (const std::string_view type = Text(schema, "type"); !type.empty()) {
    Wire item;
    item.String(1, type);
    out.Message(22, item);
  }
  if (const json::value* items = schema.if_contains("items"); items && items->is_object()) {
    Wire item;
    item.Message(1, Schema(items->get_object()));
    out.Message(23, item);
  }
  if (const json::value* properties = schema.if_contains("properties"); properties && properties->is_object()) {
    Wire all;
    for (const auto& property : properties->get_object()) {
      if (!property.value().is_object()) continue;
      Wire named;
      named.String(1, View(property.key()));
      named.Message(2, Schema(property.value().get_object()));
      all.Message(1, named);
    }
    out.Message(25, all);
  }
  AddExtensions(schema, 31, out);
  return out;
}

// ParametersItem
Wire Parameter(const json::object& parameter) {
  Wire of_kind, outer, item;
  if (Text(parameter, "in") == "body") {
    AddText(parameter, "description", 1, of_kind);
    AddText(parameter, "name", 2, of_kind);
    of_kind.String(3, "body");
    of_kind.Bool(4, Flag(parameter, "required"));
    if (const json::value* schema = parameter.if_contains("schema"); schema && schema->is_object())
      of_kind.Message(5, Schema(schema->get_object()));
    outer.Message(1, of_kind);
  } else {
    const bool path = Text(parameter, "in") == "path";
    of_kind.Bool(1, Flag(parameter, "required"));
    AddText(parameter, "in", 2, of_kind);
    AddText(parameter, "description", 3, of_kind);
    AddText(parameter, "name", 4, of_kind);
    AddText(parameter, "type", path ? 5 : 6, of_kind);
    of_kind.Bool(path ? 19 : 20, Flag(parameter, "uniqueItems"));
    Wire non_body;
    non_body.Message(path ? 4 : 3, of_kind);
    outer.Message(2, non_body);
  }
  item.Message(1, outer);
  return item;
}

void AddParameters(const json::object& object, int field, Wire& out) {
  const json::value* parameters = object.if_contains("parameters");
  if (parameters == nullptr || !parameters->is_array()) return;
  for (const json::value& parameter : parameters->get_array()) {
    if (parameter.is_object()) out.Message(field, Parameter(parameter.get_object()));
  }
}

Wire Operation(const json::object& operation) {
  Wire out;
  AddTexts(operation, "tags", 1, out);
  AddText(operation, "description", 3, out);
  AddText(operation, "operationId", 5, out);
  AddTexts(operation, "produces", 6, out);
  AddTexts(operation, "consumes", 7, out);
  AddParameters(operation, 8, out);
  if (const json::value* responses = operation.if_contains("responses"); responses && responses->is_object()) {
    Wire all;
    for (const auto& entry : responses->get_object()) {
      const json::object* response = entry.value().if_object();
      if (response == nullptr) continue;
      Wire body, value, named;
      AddText(*response, "description", 1, body);
      if (const json::value* schema = response->if_contains("schema"); schema && schema->is_object()) {
        Wire item;
        item.Message(1, Schema(schema->get_object()));
        body.Message(2, item);
      }
      value.Message(1, body);
      named.String(1, View(entry.key()));
      named.Message(2, value);
      all.Message(1, named);
    }
    out.Message(9, all);
  }
  AddTexts(operation, "schemes", 10, out);
  AddExtensions(operation, 13, out);
  return out;
}

Wire PathItem(const json::object& item) {
  constexpr std::pair<const char*, int> kMethods[] = {{"get", 2},     {"put", 3},  {"post", 4}, {"delete", 5},
                                                      {"options", 6}, {"head", 7}, {"patch", 8}};
  Wire out;
  for (const auto& [method, field] : kMethods) {
    const json::value* operation = item.if_contains(method);
    if (operation && operation->is_object()) out.Message(field, Operation(operation->get_object()));
  }
  AddParameters(item, 9, out);
  return out;
}

json::object Parse(std::string_view text) {
  json::parse_options options;
  options.max_depth = 256;
  boost::system::error_code error;
  json::value value = json::parse({text.data(), text.size()}, error, {}, options);
  return value.is_object() ? std::move(value.get_object()) : json::object();
}

}  // namespace

std::string V2Protobuf(Builder& builder, std::string_view git_version) {
  Wire document, info, paths, definitions;
  document.String(1, "2.0");
  info.String(1, "Kubernetes");
  info.String(2, git_version);
  document.Message(2, info);
  builder.Build({}, {.path =
                         [&](std::string_view path, std::string_view text) {
                           Wire named;
                           named.String(1, path);
                           named.Message(2, PathItem(Parse(text)));
                           paths.Message(2, named);
                         },
                     .definition =
                         [&](std::string_view name, std::string_view text) {
                           Wire named;
                           named.String(1, name);
                           named.Message(2, Schema(Parse(text)));
                           definitions.Message(1, named);
                         }});
  document.Message(8, paths);
  document.Message(9, definitions);
  Wire requirement, requirement_entry, security, security_entry, security_value, api_key;
  requirement_entry.String(1, "BearerToken");
  requirement_entry.String(2, "");
  requirement.Message(1, requirement_entry);
  document.Message(12, requirement);
  api_key.String(1, "apiKey");
  api_key.String(2, "authorization");
  api_key.String(3, "header");
  api_key.String(4, "Bearer Token authentication");
  security_value.Message(2, api_key);
  security_entry.String(1, "BearerToken");
  security_entry.Message(2, security_value);
  security.Message(1, security_entry);
  document.Message(13, security);
  return document.text();
}

}  // namespace knarr::openapi
