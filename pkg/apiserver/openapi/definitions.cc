// Mirrors: what k8s.io/kube-openapi/cmd/openapi-gen makes of Go types,
// k8s.io/apiextensions-apiserver/pkg/controller/openapi
#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <boost/json.hpp>

#include "pkg/apiserver/openapi/builder.h"

namespace knarr::openapi {
namespace json = boost::json;

namespace {

using schema::Shape;
using schema::Special;
using schema::Type;

constexpr uint8_t kAtomicStruct = 4;  // of schema::Message::flags (gen/emit_tables.py)
constexpr std::string_view kMeta = "k8s.io.apimachinery.pkg.apis.meta.v1.";
constexpr std::string_view kPatch = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch";
constexpr std::string_view kVersionInfo = "io.k8s.apimachinery.pkg.version.Info";
constexpr std::string_view kConventions =
    "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md";

std::string_view View(json::string_view text) {
  return {text.data(), text.size()};
}

}  // namespace

std::string DefinitionName(std::string_view name) {
  return name.starts_with("k8s.io.") ? "io.k8s." + std::string(name.substr(7)) : std::string(name);
}

std::string CustomName(std::string_view group, std::string_view version, std::string_view kind) {
  std::string reversed;
  for (std::string_view rest = group; !rest.empty();) {
    const size_t dot = rest.rfind('.');
    const std::string_view part = dot == std::string_view::npos ? rest : rest.substr(dot + 1);
    reversed += std::string(part) + ".";
    rest = dot == std::string_view::npos ? std::string_view() : rest.substr(0, dot);
  }
  return fmt::format("{}{}.{}", reversed, version, kind);
}

Builder::Builder(Version version, const Options& options, const std::vector<registry::KindPtr>& kinds)
    : version_(version), options_(options), kinds_(kinds) {
  NameKinds();
}

void Builder::AddKind(const std::string& name, GroupVersionKind kind) {
  kinds_of_[name].insert(std::move(kind));
}

std::string Builder::DefinitionOf(const registry::Kind& kind, const registry::ServedVersion& version, bool list) const {
  const std::string& name = list ? kind.list_kind : kind.kind;
  if (version.prototype == nullptr) return CustomName(kind.group, version.version, name);
  const auto& full_name = version.prototype().GetDescriptor()->full_name();
  return DefinitionName(full_name.substr(0, full_name.rfind('.') + 1) + name);
}

// Which definition is which kind, and the common ones of every group version.
void Builder::NameKinds() {
  for (uint16_t i = 0; i < schema::kMessageCount; ++i) {
    known_[DefinitionName(schema::Messages()[i].full_name())].message = i;
  }
  known_[std::string(kPatch)].patch = true;
  known_[std::string(kVersionInfo)].info = true;
  std::set<std::pair<std::string, std::string>> group_versions;
  for (const registry::KindPtr& kind : kinds_) {
    for (const registry::ServedVersion& version : kind->versions) {
      group_versions.emplace(kind->group, version.version);
      for (const bool list : {false, true}) {
        const std::string& name = list ? kind->list_kind : kind->kind;
        if (name.empty() || (list && std::find(kind->verbs.begin(), kind->verbs.end(), "list") == kind->verbs.end()))
          continue;
        const std::string definition = DefinitionOf(*kind, version, list);
        AddKind(definition, {kind->group, version.version, name});
        if (version.prototype == nullptr) {
          Definition& custom = known_[definition];
          custom.custom = kind.get();
          custom.version = version.version;
          custom.list = list;
        }
      }
    }
    for (const registry::Subresource& sub : kind->subresources) {
      if (sub.prototype == nullptr || sub.version.empty()) continue;
      AddKind(DefinitionName(sub.prototype().GetDescriptor()->full_name()), {sub.group, sub.version, sub.kind});
    }
  }
  group_versions.emplace("", "v1");
  for (const auto& [group, version] : group_versions) {
    for (const char* name : {"DeleteOptions", "WatchEvent"}) {
      AddKind(DefinitionName(std::string(kMeta) + name), {group, version, name});
    }
  }
  for (const char* name : {"Status", "APIGroup", "APIGroupList", "APIResourceList", "APIVersions"}) {
    AddKind(DefinitionName(std::string(kMeta) + name), {"", "v1", name});
  }
}

std::string Builder::Ref(std::string_view name) const {
  return fmt::format("{}{}", version_ == Version::kV2 ? "#/definitions/" : "#/components/schemas/", name);
}

std::string Builder::UseName(std::string name) {
  if (used_.insert(name).second) pending_.push_back(name);
  return name;
}
std::string Builder::Use(uint16_t message) {
  return UseName(DefinitionName(schema::Messages()[message].full_name()));
}
std::string Builder::UseMessage(std::string_view full_name) {
  return UseName(DefinitionName(full_name));
}

std::string_view Builder::TypeMetaDoc(std::string_view field) const {
  const uint16_t message = schema::FindMessage(std::string(kMeta) + "TypeMeta");
  if (message == schema::kNoMessage) return {};
  const auto fields = schema::Messages()[message].fields();
  for (size_t i = 0; i < fields.size(); ++i) {
    if (fields[i].json_name() == field) return docs_.Field(message, i);
  }
  return {};
}

void Builder::WriteGroupVersionKinds(const std::set<GroupVersionKind>& kinds, JsonWriter& out) const {
  out.BeginList("x-kubernetes-group-version-kind");
  for (const GroupVersionKind& kind : kinds) {
    out.Begin();
    out.Member("group", kind.group);
    out.Member("kind", kind.kind);
    out.Member("version", kind.version);
    out.End();
  }
  out.EndList();
}

// The type of a value (or element), with what else is said about it. `fallback` is its default as JSON, "" for none.
void Builder::WriteValueType(const schema::Field& field, bool pointer, bool element, std::string_view description,
                             std::string_view fallback, JsonWriter& out) {
  const bool v3 = version_ == Version::kV3;
  const bool is_message = field.type == Type::kMessage;
  const Special special = is_message ? schema::Messages()[field.message].special : Special::kNone;
  // A reference with anything beside it has to be wrapped in v3.
  std::string default_value(fallback);
  if (v3 && default_value.empty() && !pointer) {
    const bool always = element || !field.omit_empty();
    switch (field.type) {
      case Type::kMessage:
        if (special == Special::kNone) default_value = "{}";
        break;
      case Type::kString: default_value = always ? "\"\"" : ""; break;
      case Type::kBool: default_value = always ? "false" : ""; break;
      case Type::kBytes: break;
      default: default_value = always ? "0" : "";
    }
  }
  if (is_message && special != Special::kSliceWrapper) {
    const std::string ref = Ref(Use(field.message));
    if (v3 && (!description.empty() || !default_value.empty())) {
      out.BeginList("allOf");
      out.Begin();
      out.Member("$ref", ref);
      out.End();
      out.EndList();
    } else {
      out.Member("$ref", ref);
    }
  } else {
    const auto type = [&](const char* name, const char* format) {
      out.Member("type", name);
      if (format != nullptr) out.Member("format", format);
    };
    switch (field.type) {
      case Type::kMessage:  // ExtraValue and other named lists
        out.Member("type", "array");
        out.Begin("items");
        out.Member("type", "string");
        if (v3) out.Member("default", "");
        out.End();
        break;
      case Type::kString: type("string", nullptr); break;
      case Type::kBytes: type("string", "byte"); break;
      case Type::kBool: type("boolean", nullptr); break;
      case Type::kInt32: type("integer", "int32"); break;
      case Type::kInt64: type("integer", "int64"); break;
      case Type::kUint32: type("integer", "int64"); break;
      case Type::kUint64: type("integer", "int64"); break;
      case Type::kDouble: type("number", "double"); break;
      case Type::kFloat: type("number", "float"); break;
    }
  }
  if (!description.empty()) out.Member("description", description);
  if (v3 && !default_value.empty() && special != Special::kSliceWrapper) {
    out.Key("default");
    out.Raw(default_value);
  }
}

void Builder::WriteProperty(uint16_t message, size_t index, JsonWriter& out) {
  const schema::Field& field = schema::Messages()[message].fields()[index];
  const std::string_view description = docs_.Field(message, index);
  const auto write_enum = [&] {
    const auto values = docs_.Enum(message, index);
    if (values.empty()) return;
    out.BeginList("enum");
    for (const std::string_view value : values) out.String(value);
    out.EndList();
  };
  const schema::FieldExtras* extras = schema::FindExtras(message, field.number);
  std::string_view declared = extras ? extras->default_value() : std::string_view();
  if (declared.starts_with("ref(")) declared = {};
  out.Begin(field.json_name());
  if (field.shape == Shape::kSlice || field.shape == Shape::kMap) {
    if (!description.empty()) out.Member("description", description);
    out.Member("type", field.shape == Shape::kSlice ? "array" : "object");
    const bool pointers = field.go_type().starts_with("[]*");
    out.Begin(field.shape == Shape::kSlice ? "items" : "additionalProperties");
    WriteValueType(field, pointers, true, {}, {}, out);
    write_enum();
    out.End();
  } else {
    WriteValueType(field, field.shape == Shape::kPointer, false, description, declared, out);
    write_enum();
  }
  const auto extension = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) out.Member(name, value);
  };
  if (extras != nullptr) {
    if (std::string_view keys = extras->list_map_keys(); !keys.empty()) {
      out.BeginList("x-kubernetes-list-map-keys");
      while (!keys.empty()) {
        const size_t comma = keys.find(',');
        out.String(keys.substr(0, comma));
        keys = comma == std::string_view::npos ? std::string_view() : keys.substr(comma + 1);
      }
      out.EndList();
    }
    extension("x-kubernetes-list-type", extras->list_type());
    extension("x-kubernetes-map-type", extras->map_type());
    extension("x-kubernetes-patch-merge-key", extras->patch_merge_key());
    extension("x-kubernetes-patch-strategy", extras->patch_strategy());
  }
  out.End();
}

void Builder::WriteTypeMeta(JsonWriter& out) {
  for (const char* name : {"apiVersion", "kind"}) {
    out.Begin(name);
    out.Member("description", TypeMetaDoc(name));
    out.Member("type", "string");
    out.End();
  }
}

void Builder::WriteStruct(uint16_t message, JsonWriter& out) {
  struct Entry {
    uint16_t message;
    size_t index;
  };
  std::map<std::string_view, Entry> properties;
  std::vector<std::string_view> required;
  bool type_meta = false;
  const std::function<void(uint16_t)> gather = [&](uint16_t from) {
    type_meta = type_meta || schema::Messages()[from].has_type_meta();
    const auto fields = schema::Messages()[from].fields();
    for (size_t i = 0; i < fields.size(); ++i) {
      if (fields[i].shape == Shape::kInline) {
        gather(fields[i].message);
        continue;
      }
      properties.emplace(fields[i].json_name(), Entry{from, i});
      if (!fields[i].optional()) required.push_back(fields[i].json_name());
    }
  };
  gather(message);
  out.Member("type", "object");
  if (!required.empty()) {
    out.BeginList("required");
    for (const std::string_view name : required) out.String(name);
    out.EndList();
  }
  if (!properties.empty() || type_meta) {
    out.Begin("properties");
    if (type_meta) WriteTypeMeta(out);
    for (const auto& [name, entry] : properties) WriteProperty(entry.message, entry.index, out);
    out.End();
  }
  if (schema::Messages()[message].flags & kAtomicStruct) out.Member("x-kubernetes-map-type", "atomic");
}

void Builder::WriteSpecial(Special special, std::string_view full_name, JsonWriter& out) const {
  const bool v3 = version_ == Version::kV3;
  const auto one_of = [&](const char* a, const char* b) {
    out.BeginList("oneOf");
    for (const char* type : {a, b}) {
      out.Begin();
      out.Member("type", type);
      out.End();
    }
    out.EndList();
  };
  switch (special) {
    case Special::kQuantity: v3 ? one_of("string", "number") : out.Member("type", "string"); return;
    case Special::kIntOrString:
      v3 ? one_of("integer", "string") : out.Member("type", "string");
      out.Member("format", "int-or-string");
      return;
    case Special::kTime:
    case Special::kMicroTime:
      out.Member("type", "string");
      out.Member("format", "date-time");
      return;
    case Special::kDuration: out.Member("type", "string"); return;
    case Special::kRawJson: out.Member("type", "object"); return;
    default: (void)full_name; out.Member("type", "object");
  }
}

void Builder::WriteCustom(const Definition& definition, JsonWriter& out) {
  std::shared_ptr<const json::object> schema;
  if (options_.custom_schema && definition.custom->custom)
    schema = options_.custom_schema(*definition.custom, definition.version);
  const std::string metadata = fmt::format(
      R"({{"description":"Standard object's metadata. More info: {}#metadata",{}}})", kConventions,
      version_ == Version::kV2
          ? fmt::format(R"("$ref":"{}")", Ref(UseMessage(std::string(kMeta) + "ObjectMeta")))
          : fmt::format(R"("allOf":[{{"$ref":"{}"}}])", Ref(UseMessage(std::string(kMeta) + "ObjectMeta"))));
  if (schema == nullptr) {
    out.Member("type", "object");
    out.Member("x-kubernetes-preserve-unknown-fields", true);
    return;
  }
  const std::string text = version_ == Version::kV2 ? ToV2(*schema) : json::serialize(*schema);
  json::value parsed = json::parse(text);
  json::object& body = parsed.as_object();
  for (const auto& member : body) {
    if (member.key() == "properties" || member.key() == "x-kubernetes-group-version-kind") continue;
    out.Key(View(member.key()));
    out.Raw(json::serialize(member.value()));
  }
  out.Begin("properties");
  WriteTypeMeta(out);
  out.Key("metadata");
  out.Raw(metadata);
  if (const json::value* properties = body.if_contains("properties"); properties && properties->is_object()) {
    for (const auto& member : properties->get_object()) {
      const std::string_view name = View(member.key());
      if (name == "apiVersion" || name == "kind" || name == "metadata") continue;
      out.Key(name);
      out.Raw(json::serialize(member.value()));
    }
  }
  out.End();
}

void Builder::WriteCustomList(const Definition& definition, JsonWriter& out) {
  const registry::Kind& kind = *definition.custom;
  const auto reference = [&](std::string_view name, std::string_view description, const std::string& to) {
    out.Begin(name);
    out.Member("description", description);
    if (version_ == Version::kV2) {
      out.Member("$ref", Ref(to));
    } else {
      out.BeginList("allOf");
      out.Begin();
      out.Member("$ref", Ref(to));
      out.End();
      out.EndList();
    }
    out.End();
  };
  out.Member("description", fmt::format("{} is a list of {}", kind.list_kind, kind.kind));
  out.Member("type", "object");
  out.BeginList("required");
  out.String("items");
  out.EndList();
  out.Begin("properties");
  WriteTypeMeta(out);
  out.Begin("items");
  out.Member("description", fmt::format("List of {}. More info: {}", kind.resource, kConventions));
  out.Member("type", "array");
  out.Begin("items");
  out.Member("$ref", Ref(UseName(CustomName(kind.group, definition.version, kind.kind))));
  out.End();
  out.End();
  reference("metadata", fmt::format("Standard list metadata. More info: {}#types-kinds", kConventions),
            UseMessage(std::string(kMeta) + "ListMeta"));
  out.End();
}

void Builder::WriteDefinition(const std::string& name, const Definition& definition, JsonWriter& out) {
  out.Begin();
  if (definition.patch) {
    out.Member("description",
               "Patch is provided to give a concrete name and type to the Kubernetes PATCH request body.");
    out.Member("type", "object");
  } else if (definition.info) {
    out.Member("description", "Info contains versioning information. how we'll want to distribute that information.");
    out.Member("type", "object");
    constexpr std::string_view kFields[] = {"major",     "minor",     "gitVersion", "gitCommit", "gitTreeState",
                                            "buildDate", "goVersion", "compiler",   "platform"};
    out.BeginList("required");
    for (const std::string_view field : kFields) out.String(field);
    out.EndList();
    out.Begin("properties");
    for (const std::string_view field : kFields) {
      out.Begin(field);
      out.Member("type", "string");
      if (version_ == Version::kV3) out.Member("default", "");
      out.End();
    }
    out.End();
  } else if (definition.custom != nullptr) {
    definition.list ? WriteCustomList(definition, out) : WriteCustom(definition, out);
  } else {
    const schema::Message& message = schema::Messages()[definition.message];
    if (const std::string_view text = docs_.Message(definition.message); !text.empty()) out.Member("description", text);
    if (message.special == Special::kNone) {
      WriteStruct(definition.message, out);
    } else {
      WriteSpecial(message.special, message.full_name(), out);
    }
  }
  if (const auto kinds = kinds_of_.find(name); kinds != kinds_of_.end()) WriteGroupVersionKinds(kinds->second, out);
  out.End();
}

void Builder::WriteDefinitions(const Sink& sink) {
  std::map<std::string, std::string> written;
  while (!pending_.empty()) {
    const std::string name = std::move(pending_.back());
    pending_.pop_back();
    JsonWriter out;
    const auto known = known_.find(name);
    if (known == known_.end()) {
      // Of a group whose types are not in the tables.
      out.Begin();
      out.Member("type", "object");
      if (const auto kinds = kinds_of_.find(name); kinds != kinds_of_.end()) WriteGroupVersionKinds(kinds->second, out);
      out.End();
    } else {
      WriteDefinition(name, known->second, out);
    }
    written.emplace(name, out.Take());
  }
  for (const auto& [name, text] : written) sink.definition(name, text);
}

namespace {

json::value V2Schema(const json::value& value) {
  const json::object* schema = value.if_object();
  if (schema == nullptr) return value;
  const auto is = [&](const char* name) {
    const json::value* flag = schema->if_contains(name);
    return flag && flag->is_bool() && flag->get_bool();
  };
  // kubectl would refuse or drop what v2 cannot say; so nothing is said.
  const bool open = is("nullable") || is("x-kubernetes-preserve-unknown-fields");
  json::object out;
  for (const auto& member : *schema) {
    const std::string_view key = View(member.key());
    if (key == "nullable" || key == "oneOf" || key == "anyOf" || key == "allOf" || key == "not" || key == "default" ||
        key == "x-kubernetes-validations") {
      continue;
    }
    const bool shape = key == "type" || key == "items" || key == "properties";
    if (shape && (open || (key == "type" && is("x-kubernetes-int-or-string")))) continue;
    if (key == "properties" && member.value().is_object()) {
      json::object properties;
      for (const auto& property : member.value().get_object()) {
        properties.emplace(property.key(), V2Schema(property.value()));
      }
      out.emplace(member.key(), std::move(properties));
    } else if (key == "items" || key == "additionalProperties") {
      out.emplace(member.key(), V2Schema(member.value()));
    } else {
      out.emplace(member.key(), member.value());
    }
  }
  return out;
}

}  // namespace

std::string ToV2(const json::object& schema) {
  json::value out = V2Schema(json::value(schema));
  // The top level keeps its properties: kind and metadata stand there.
  if (const json::value* properties = schema.if_contains("properties"); properties && properties->is_object()) {
    json::object& body = out.get_object();
    if (!body.contains("properties") && !schema.contains("x-kubernetes-preserve-unknown-fields")) {
      json::object inner;
      for (const auto& property : properties->get_object()) inner.emplace(property.key(), V2Schema(property.value()));
      body["properties"] = std::move(inner);
    }
  }
  return json::serialize(out);
}

}  // namespace knarr::openapi
