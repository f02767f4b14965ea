// What upstream refuses in an openAPIV3Schema.
// Mirrors: apiextensions-apiserver/pkg/apis/apiextensions/validation/validation.go, pkg/apiserver/schema/validation.go
#include <algorithm>
#include <set>

#include "pkg/apiserver/apiextensions/schema.h"

namespace knarr::apiextensions {
namespace {

using field::ErrorList;
using field::Path;

bool Has(const json::object& props, std::string_view key) {
  const json::value* value = props.if_contains({key.data(), key.size()});
  return value && !value->is_null();
}

bool Filled(const json::object& props, std::string_view key) {
  const json::value* value = props.if_contains({key.data(), key.size()});
  if (!value) return false;
  if (const json::object* object = value->if_object()) return !object->empty();
  if (const json::array* array = value->if_array()) return !array->empty();
  return !value->is_null();
}

bool IsMeta(std::string_view key) {
  return key == "metadata" || key == "kind" || key == "apiVersion";
}

Path Property(const Path& path, std::string_view name) {
  return path.Child("properties").Key(name);
}

// Keywords
// -------------------------------------------------------------------------------------------------------------

struct Rules {
  bool inside_meta = false;
  bool defaults = true;
  std::string why_no_defaults;
  Rules WithoutDefaults(std::string why) const { return {inside_meta, false, std::move(why)}; }
};

void CheckKeywords(const json::object& s, const Path& path, const Rules& rules, ErrorList* errors) {
  const auto forbid = [&](std::string_view key, std::string_view why) {
    errors->push_back(field::Forbidden(path.Child(key), why));
  };
  const std::string_view type = Str(s, "type");
  static constexpr std::string_view kTypes[] = {"array", "boolean", "integer", "number", "object", "string"};
  if (!type.empty() && std::find(std::begin(kTypes), std::end(kTypes), type) == std::end(kTypes)) {
    errors->push_back(field::NotSupported(path.Child("type"), type, kTypes));
  }
  if (Has(s, "default") && !rules.defaults) {
    forbid("default", rules.why_no_defaults.empty() ? "must not be set" : "must not be set " + rules.why_no_defaults);
  }
  if (!Str(s, "id").empty()) forbid("id", "id is not supported");
  for (const std::string_view key : {"additionalItems", "patternProperties", "definitions", "dependencies", "$ref"}) {
    if (Has(s, key)) forbid(key, std::string(key) + " is not supported");
  }
  if (type == "null") forbid("type", "type cannot be set to null, use nullable as an alternative");
  if (Arr(s, "items")) forbid("items", "items must be a schema object and not an array");
  if (rules.inside_meta && Bool(s, "x-kubernetes-embedded-resource")) {
    forbid("x-kubernetes-embedded-resource", "must not be used inside of resource meta");
  }
  if (Bool(s, "uniqueItems")) {
    forbid("uniqueItems", "uniqueItems cannot be set to true since the runtime complexity becomes quadratic");
  }
}

void CheckLists(const json::object& s, const Path& path, ErrorList* errors) {
  const std::string_view type = Str(s, "type");
  const json::object* items = Obj(s, "items");
  if (Has(s, "x-kubernetes-map-type")) {
    const std::string_view map_type = Str(s, "x-kubernetes-map-type");
    constexpr std::string_view kWhy = "must be object if x-kubernetes-map-type is specified";
    if (type.empty()) {
      errors->push_back(field::Required(path.Child("type"), kWhy));
    } else if (type != "object") {
      errors->push_back(field::Invalid(path.Child("type"), type, kWhy));
    }
    if (map_type != "atomic" && map_type != "granular") {
      errors->push_back(field::NotSupported(path.Child("x-kubernetes-map-type"), map_type, {"atomic", "granular"}));
    }
  }
  const std::string_view list_type = Str(s, "x-kubernetes-list-type");
  const json::array* keys = Arr(s, "x-kubernetes-list-map-keys");
  const bool has_keys = keys && !keys->empty();
  const Path type_path = path.Child("x-kubernetes-list-type");
  if (has_keys && list_type.empty()) {
    errors->push_back(field::Required(type_path, "must be map if x-kubernetes-list-map-keys is non-empty"));
  } else if (has_keys && list_type != "map") {
    errors->push_back(field::Invalid(type_path, list_type, "must be map if x-kubernetes-list-map-keys is non-empty"));
  }
  if (list_type.empty()) return;
  constexpr std::string_view kWhy = "must be array if x-kubernetes-list-type is specified";
  if (type.empty()) {
    errors->push_back(field::Required(path.Child("type"), kWhy));
  } else if (type != "array") {
    errors->push_back(field::Invalid(path.Child("type"), type, kWhy));
  }
  if (list_type != "atomic" && list_type != "set" && list_type != "map") {
    errors->push_back(field::NotSupported(type_path, list_type, {"atomic", "set", "map"}));
  }
  if (list_type != "atomic" && items && Bool(*items, "nullable")) {
    errors->push_back(field::Forbidden(path.Child("items").Child("nullable"),
                                       "cannot be nullable when x-kubernetes-list-type is " + std::string(list_type)));
  }
  if (list_type == "set" && items && type == "array") {
    constexpr std::string_view kAtomic = "must be atomic as item of a list with x-kubernetes-list-type=set";
    const std::string_view item = Str(*items, "type");
    for (const auto& [of, key] : {std::pair<std::string_view, std::string_view>{"array", "x-kubernetes-list-type"},
                                  {"object", "x-kubernetes-map-type"}}) {
      const std::string_view value = Str(*items, key);
      if (item == of && value != "atomic" && !(of == "array" && value.empty())) {
        errors->push_back(field::Invalid(path.Child("items").Child(key), value, kAtomic));
      }
    }
  }
  if (list_type != "map") return;
  if (!has_keys) {
    errors->push_back(field::Required(path.Child("x-kubernetes-list-map-keys"),
                                      "must not be empty if x-kubernetes-list-type is map"));
  }
  if (!Has(s, "items")) {
    errors->push_back(field::Required(path.Child("items"), "must have a schema if x-kubernetes-list-type is map"));
  }
  if (!items) return;
  if (Str(*items, "type") != "object") {
    errors->push_back(field::Invalid(path.Child("items").Child("type"), Str(*items, "type"),
                                     "must be object if parent array's x-kubernetes-list-type is map"));
    return;
  }
  if (!keys) return;
  const json::object* properties = Obj(*items, "properties");
  std::set<std::string> required, seen;
  if (const json::array* list = Arr(*items, "required")) {
    for (const json::value& name : *list) required.insert(GoText(name));
  }
  std::string literal = "[]string{";
  for (const json::value& key : *keys) literal += (literal.back() == '{' ? "\"" : ", \"") + GoText(key) + "\"";
  literal += "}";
  const auto keys_error = [&](std::string_view why) {
    errors->push_back(field::InvalidLiteral(path.Child("x-kubernetes-list-map-keys"), literal, why));
  };
  for (const json::value& key : *keys) {
    const std::string name = GoText(key);
    const json::object* property = properties ? Obj(*properties, name) : nullptr;
    if (!seen.insert(name).second) keys_error("must not contain duplicate entries");
    if (!property) {
      keys_error("entries must all be names of item properties");
      continue;
    }
    const Path at = Property(path.Child("items"), name);
    if (Str(*property, "type") == "array" || Str(*property, "type") == "object") {
      errors->push_back(field::Invalid(at.Child("type"), "object",
                                       "must be a scalar type if parent array's x-kubernetes-list-type is map"));
    }
    if (!required.contains(name) && !Has(*property, "default")) {
      errors->push_back(field::Required(at.Child("default"),
                                        "this property is in x-kubernetes-list-map-keys, so it must have a default or "
                                        "be a required property"));
    }
    if (Bool(*property, "nullable")) {
      errors->push_back(field::Forbidden(at.Child("nullable"),
                                         "this property is in x-kubernetes-list-map-keys, so it cannot be nullable"));
    }
  }
}

void CheckProps(const json::object& s, const Path& path, const Rules& rules, bool root, ErrorList* errors) {
  CheckKeywords(s, path, rules, errors);
  const json::object* properties = Obj(s, "properties");
  if (const json::value* additional = s.if_contains("additionalProperties"); additional && !additional->is_null()) {
    if (properties && !properties->empty() && !(additional->is_bool() && additional->get_bool())) {
      errors->push_back(field::Forbidden(path.Child("additionalProperties"),
                                         "additionalProperties and properties are mutual exclusive"));
    }
    if (const json::object* schema = additional->if_object()) {
      CheckProps(
          *schema, path.Child("additionalProperties"),
          rules.inside_meta ? rules.WithoutDefaults("inside additionalProperties applying to object metadata") : rules,
          false, errors);
    }
  }
  if (properties) {
    for (const auto& member : *properties) {
      const json::object* property = member.value().if_object();
      if (!property) continue;
      const std::string_view name(member.key().data(), member.key().size());
      Rules sub = rules;
      if ((root || Bool(s, "x-kubernetes-embedded-resource")) && IsMeta(name)) {
        sub.inside_meta = true;
        if (root) sub = sub.WithoutDefaults("in top-level " + std::string(name));
      }
      CheckProps(*property, Property(path, name), sub, false, errors);
    }
  }
  if (const json::object* negated = Obj(s, "not")) CheckProps(*negated, path.Child("not"), rules, false, errors);
  for (const std::string_view key : {"allOf", "oneOf", "anyOf"}) {
    const json::array* list = Arr(s, key);
    for (size_t i = 0; list && i < list->size(); ++i) {
      if (const json::object* sub = (*list)[i].if_object()) {
        CheckProps(*sub, path.Child(key).Index(i), rules, false, errors);
      }
    }
  }
  if (const json::object* items = Obj(s, "items")) CheckProps(*items, path.Child("items"), rules, false, errors);
  if (const json::value* preserve = s.if_contains("x-kubernetes-preserve-unknown-fields");
      preserve && preserve->is_bool() && !preserve->get_bool()) {
    errors->push_back(field::InvalidLiteral(path.Child("x-kubernetes-preserve-unknown-fields"), "false",
                                            "must be true or undefined"));
  }
  CheckLists(s, path, errors);
}

// Structure
// --------------------------------------------------------------------------------------------------------------

enum class Level { kRoot, kItem, kField };

bool IsIntOrString(const json::array* any_of) {
  return any_of && *any_of == json::array{{{"type", "integer"}}, {{"type", "string"}}};
}

void CheckNested(const json::object& s, const Path& path, bool skip_any_of, ErrorList* errors);

void CheckCombinations(const json::object& s, const Path& path, bool skip_any_of, bool skip_first_all_of,
                       ErrorList* errors) {
  for (const std::string_view key : {"anyOf", "allOf", "oneOf"}) {
    const json::array* list = Arr(s, key);
    if (!list || (key == "anyOf" && skip_any_of)) continue;
    for (size_t i = 0; i < list->size(); ++i) {
      const json::object* sub = (*list)[i].if_object();
      if (sub) CheckNested(*sub, path.Child(key).Index(i), key == "allOf" && i == 0 && skip_first_all_of, errors);
    }
  }
  if (const json::object* negated = Obj(s, "not")) CheckNested(*negated, path.Child("not"), false, errors);
  if (const std::string_view pattern = Str(s, "pattern"); !pattern.empty()) {
    const re2::RE2 regex(re2::StringPiece(pattern.data(), pattern.size()), re2::RE2::Quiet);
    if (!regex.ok()) {
      errors->push_back(
          field::Invalid(path.Child("pattern"), pattern,
                         "must be a valid regular expression, but isn't: error parsing regexp: " + regex.error()));
    }
  }
}

void CheckNested(const json::object& s, const Path& path, bool skip_any_of, ErrorList* errors) {
  CheckCombinations(s, path, skip_any_of, false, errors);
  if (const json::object* items = Obj(s, "items")) CheckNested(*items, path.Child("items"), false, errors);
  if (const json::object* properties = Obj(s, "properties")) {
    for (const auto& member : *properties) {
      const json::object* sub = member.value().if_object();
      if (sub) CheckNested(*sub, Property(path, {member.key().data(), member.key().size()}), false, errors);
    }
    if (properties->contains("metadata")) {
      errors->push_back(field::Forbidden(Property(path, "metadata"), "must not be specified in a nested context"));
    }
  }
  const auto forbid = [&](bool is, std::string_view key, std::string_view must) {
    if (is) errors->push_back(field::Forbidden(path.Child(key), std::string(must) + " to be structural"));
  };
  forbid(!Str(s, "type").empty(), "type", "must be empty");
  forbid(Has(s, "additionalProperties"), "additionalProperties", "must be undefined");
  forbid(Has(s, "default"), "default", "must be undefined");
  forbid(!Str(s, "title").empty(), "title", "must be empty");
  forbid(!Str(s, "description").empty(), "description", "must be empty");
  forbid(Bool(s, "nullable"), "nullable", "must be false");
  forbid(Has(s, "externalDocs"), "externalDocs", "must be undefined");
  for (const std::string_view key :
       {"x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource", "x-kubernetes-int-or-string"}) {
    forbid(Bool(s, key), key, "must be false");
  }
  forbid(Filled(s, "x-kubernetes-list-map-keys"), "x-kubernetes-list-map-keys", "must be empty");
  forbid(Has(s, "x-kubernetes-list-type"), "x-kubernetes-list-type", "must be undefined");
  forbid(Has(s, "x-kubernetes-map-type"), "x-kubernetes-map-type", "must be undefined");
  forbid(Filled(s, "x-kubernetes-validations"), "x-kubernetes-validations", "must be empty");
}

void CheckStructure(const json::object& s, Level level, const Path& path, ErrorList* errors) {
  const std::string_view type = Str(s, "type");
  const json::object* properties = Obj(s, "properties");
  const json::object* items = Obj(s, "items");
  const bool embedded = Bool(s, "x-kubernetes-embedded-resource");
  const bool int_or_string = Bool(s, "x-kubernetes-int-or-string");
  const bool preserve = Bool(s, "x-kubernetes-preserve-unknown-fields");
  if (type == "array" && !items) errors->push_back(field::Required(path.Child("items"), "must be specified"));
  if (items) CheckStructure(*items, Level::kItem, path.Child("items"), errors);
  if (properties) {
    for (const auto& member : *properties) {
      const json::object* sub = member.value().if_object();
      if (sub) CheckStructure(*sub, Level::kField, Property(path, {member.key().data(), member.key().size()}), errors);
    }
  }
  if (Has(s, "additionalProperties")) {
    if (level == Level::kRoot) {
      errors->push_back(field::Forbidden(path.Child("additionalProperties"), "must not be used at the root"));
    }
    if (embedded) {
      errors->push_back(field::Forbidden(path.Child("additionalProperties"),
                                         "must not be used if x-kubernetes-embedded-resource is set"));
    }
    if (const json::object* additional = Obj(s, "additionalProperties")) {
      CheckStructure(*additional, Level::kField, path.Child("additionalProperties"), errors);
    }
  }
  for (const auto& [is, key] : {std::pair<bool, std::string_view>{preserve, "x-kubernetes-preserve-unknown-fields"},
                                {embedded, "x-kubernetes-embedded-resource"}}) {
    if (int_or_string && is) {
      errors->push_back(
          field::InvalidLiteral(path.Child(key), "true", "must be false if x-kubernetes-int-or-string is true"));
    }
  }
  const json::array* all_of = Arr(s, "allOf");
  const json::object* first = all_of && !all_of->empty() ? (*all_of)[0].if_object() : nullptr;
  CheckCombinations(s, path, IsIntOrString(Arr(s, "anyOf")), first && IsIntOrString(Arr(*first, "anyOf")), errors);
  const Path type_path = path.Child("type");
  if (embedded && type != "object") {
    constexpr std::string_view kWhy = "must be object if x-kubernetes-embedded-resource is true";
    errors->push_back(type.empty() ? field::Required(type_path, kWhy) : field::Invalid(type_path, type, kWhy));
  } else if (type.empty() && !int_or_string && !preserve) {
    errors->push_back(field::Required(type_path, level == Level::kRoot ? "must not be empty at the root"
                                                 : level == Level::kItem
                                                     ? "must not be empty for specified array items"
                                                     : "must not be empty for specified object fields"));
  }
  if (level == Level::kRoot && !type.empty() && type != "object") {
    errors->push_back(field::Invalid(type_path, type, "must be object at the root"));
  }
  if (properties && (level == Level::kRoot || embedded)) {
    for (const std::string_view key : {"kind", "apiVersion"}) {
      const json::object* sub = Obj(*properties, key);
      if (sub && Str(*sub, "type") != "string") {
        errors->push_back(field::Invalid(Property(path, key).Child("type"), Str(*sub, "type"), "must be string"));
      }
    }
    if (const json::object* metadata = Obj(*properties, "metadata")) {
      if (Str(*metadata, "type") != "object") {
        errors->push_back(
            field::Invalid(Property(path, "metadata").Child("type"), Str(*metadata, "type"), "must be object"));
      }
      if (level == Level::kRoot) {
        bool other = false;
        for (const auto& member : *metadata) {
          const std::string_view key(member.key().data(), member.key().size());
          if (key == "properties" && member.value().is_object()) {
            for (const auto& property : member.value().get_object()) {
              other |= property.key() != "name" && property.key() != "generateName";
            }
          } else {
            other |= key != "type" && key != "default";
          }
        }
        if (other) {
          errors->push_back(field::Forbidden(
              Property(path, "metadata"),
              "must not specify anything other than name and generateName, but metadata is implicitly specified"));
        }
      }
    }
  }
  if (embedded && !preserve && (!properties || properties->empty())) {
    errors->push_back(field::Required(path.Child("properties"),
                                      "must not be empty if x-kubernetes-embedded-resource is true without "
                                      "x-kubernetes-preserve-unknown-fields"));
  }
}

// Whatever a combination speaks of must be specified outside of it, too.
void CheckComplete(const json::object& nested, const json::object* s, const Path& s_path, const Path& path,
                   bool is_nested, ErrorList* errors) {
  if (!s) {
    errors->push_back(field::Required(s_path, "because it is defined in " + path.ToString()));
    return;
  }
  if (const json::object* negated = Obj(nested, "not")) {
    CheckComplete(*negated, s, s_path, path.Child("not"), true, errors);
  }
  for (const std::string_view key : {"allOf", "anyOf", "oneOf"}) {
    const json::array* list = Arr(nested, key);
    for (size_t i = 0; list && i < list->size(); ++i) {
      if (const json::object* sub = (*list)[i].if_object()) {
        CheckComplete(*sub, s, s_path, path.Child(key).Index(i), true, errors);
      }
    }
  }
  if (!is_nested) return;
  if (const json::object* items = Obj(nested, "items")) {
    CheckComplete(*items, Obj(*s, "items"), s_path.Child("items"), path.Child("items"), true, errors);
  }
  if (const json::object* properties = Obj(nested, "properties")) {
    const json::object* specified = Obj(*s, "properties");
    for (const auto& member : *properties) {
      const std::string_view name(member.key().data(), member.key().size());
      const json::object* sub = member.value().if_object();
      if (!sub) continue;
      CheckComplete(*sub, specified ? Obj(*specified, name) : nullptr, Property(s_path, name), Property(path, name),
                    true, errors);
    }
  }
}

// Defaults must be what the schema itself accepts.
void CheckDefaults(const json::object& s, const Path& path, ErrorList* errors) {
  if (const json::value* value = s.if_contains("default"); value && !value->is_null()) {
    json::object wrapper{{"type", "object"}, {"properties", json::object{{"default", s}}}};
    const Result<SchemaPtr> schema = Schema::Compile(wrapper);
    if (schema.ok()) {
      json::object root{{"default", *value}};
      (*schema)->Prune(root);
      if (root["default"] != *value) {
        errors->push_back(
            field::InvalidLiteral(path.Child("default"), json::serialize(*value), "must not have unknown fields"));
      }
      for (field::FieldError& error : (*schema)->Validate(json::object{{"default", *value}})) {
        if (error.field.starts_with("default")) error.field = path.ToString() + "." + error.field;
        if (error.detail.starts_with("default")) error.detail = path.ToString() + "." + error.detail;
        errors->push_back(std::move(error));
      }
    }
  }
  if (const json::object* items = Obj(s, "items")) CheckDefaults(*items, path.Child("items"), errors);
  if (const json::object* properties = Obj(s, "properties")) {
    for (const auto& member : *properties) {
      const json::object* sub = member.value().if_object();
      if (sub) CheckDefaults(*sub, Property(path, {member.key().data(), member.key().size()}), errors);
    }
  }
}

}  // namespace

ErrorList ValidateSchema(const json::object& props, const Path& path, bool status_enabled) {
  ErrorList errors;
  if (const Result<SchemaPtr> compiled = Schema::Compile(props); !compiled.ok()) {
    errors.push_back(field::Invalid(path, "", compiled.status().message()));
    return errors;
  }
  if (status_enabled) {
    const std::string_view type = Str(props, "type");
    if (!type.empty() && type != "object") {
      errors.push_back(field::Invalid(path.Child("type"), type,
                                      "only \"object\" is allowed as the type at the root of the schema if the status "
                                      "subresource is enabled"));
    }
    for (const std::string_view key : {"allOf", "anyOf", "oneOf", "not", "enum", "additionalProperties"}) {
      if (!Filled(props, key)) continue;
      errors.push_back(field::InvalidLiteral(
          path, json::serialize(props),
          "only [Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength "
          "Pattern MaxItems MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example "
          "XPreserveUnknownFields XValidations] fields are allowed at the root of the schema if the status subresource "
          "is enabled"));
      break;
    }
  }
  if (Bool(props, "nullable")) {
    errors.push_back(field::Forbidden(path.Child("nullable"), "nullable cannot be true at the root"));
  }
  CheckProps(props, path, {}, true, &errors);
  ErrorList structural;
  CheckStructure(props, Level::kRoot, path, &structural);
  CheckComplete(props, &props, path, path, false, &structural);
  if (structural.empty()) CheckDefaults(props, path, &structural);
  std::sort(structural.begin(), structural.end(),
            [](const field::FieldError& a, const field::FieldError& b) { return a.ToString() < b.ToString(); });
  field::Append(errors, std::move(structural));
  return errors;
}

}  // namespace knarr::apiextensions
