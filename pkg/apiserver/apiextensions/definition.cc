// CustomResourceDefinition: defaults, validation, strategies, columns.
// Mirrors: apiextensions-apiserver/pkg/registry/customresourcedefinition/strategy.go,
// pkg/apis/apiextensions/{v1/defaults.go,validation/validation.go}, pkg/apihelpers/helpers.go
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "k8s.io/apimachinery/pkg/apis/meta/v1/generated.pb.h"
#include "pkg/api/codec/codec.h"
#include "pkg/api/names/names.h"
#include "pkg/apiserver/apiextensions/custom.h"

namespace knarr::apiextensions {

using field::ErrorList;
using field::Path;
using registry::Kind;
using registry::Object;
using registry::RequestContext;

namespace {

constexpr std::string_view kApproval = "api-approved.kubernetes.io";
constexpr std::string_view kCleanupFinalizer = "customresourcecleanup.apiextensions.k8s.io";

// The shape of a definition: what is not in it is dropped, as upstream's types drop it. Schemas in it are kept whole.
constexpr const char* kDefinitionSchema = R"({
"description":"CustomResourceDefinition represents a resource that should be exposed on the API server. Its name is <plural>.<group>.",
"type":"object","required":["spec"],"properties":{
 "apiVersion":{"type":"string"},"kind":{"type":"string"},"metadata":{"type":"object"},
 "spec":{"type":"object","properties":{
  "group":{"type":"string"},"scope":{"type":"string"},"preserveUnknownFields":{"type":"boolean"},
  "names":{"type":"object","properties":{
   "plural":{"type":"string"},"singular":{"type":"string"},"kind":{"type":"string"},"listKind":{"type":"string"},
   "shortNames":{"type":"array","x-kubernetes-list-type":"atomic","items":{"type":"string"}},
   "categories":{"type":"array","x-kubernetes-list-type":"atomic","items":{"type":"string"}}}},
  "conversion":{"type":"object","properties":{"strategy":{"type":"string"},
   "webhook":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}},
  "versions":{"type":"array","x-kubernetes-list-type":"atomic","items":{"type":"object","properties":{
   "name":{"type":"string"},"served":{"type":"boolean"},"storage":{"type":"boolean"},"deprecated":{"type":"boolean"},
   "deprecationWarning":{"type":"string"},
   "schema":{"type":"object","properties":{"openAPIV3Schema":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}},
   "subresources":{"type":"object","properties":{"status":{"type":"object","x-kubernetes-preserve-unknown-fields":true},
    "scale":{"type":"object","properties":{"specReplicasPath":{"type":"string"},"statusReplicasPath":{"type":"string"},
     "labelSelectorPath":{"type":"string"}}}}},
   "additionalPrinterColumns":{"type":"array","x-kubernetes-list-type":"atomic","items":{"type":"object","properties":{
    "name":{"type":"string"},"type":{"type":"string"},"format":{"type":"string"},"description":{"type":"string"},
    "priority":{"type":"integer","format":"int32"},"jsonPath":{"type":"string"}}}},
   "selectableFields":{"type":"array","x-kubernetes-list-type":"atomic","items":{"type":"object","properties":{
    "jsonPath":{"type":"string"}}}}}}}}},
 "status":{"type":"object","properties":{
  "storedVersions":{"type":"array","x-kubernetes-list-type":"atomic","items":{"type":"string"}},
  "acceptedNames":{"type":"object","properties":{
   "plural":{"type":"string"},"singular":{"type":"string"},"kind":{"type":"string"},"listKind":{"type":"string"},
   "shortNames":{"type":"array","x-kubernetes-list-type":"atomic","items":{"type":"string"}},
   "categories":{"type":"array","x-kubernetes-list-type":"atomic","items":{"type":"string"}}}},
  "conditions":{"type":"array","x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["type"],
   "items":{"type":"object","required":["type","status"],"properties":{"type":{"type":"string"},"status":{"type":"string"},
    "lastTransitionTime":{"type":"string","nullable":true},"reason":{"type":"string"},"message":{"type":"string"}}}}}}}})";

const json::object& Empty() {
  static const json::object empty;
  return empty;
}

const json::object& Part(const json::object& object, std::string_view key) {
  const json::object* part = Obj(object, key);
  return part ? *part : Empty();
}

json::object& MutablePart(json::object& object, std::string_view key) {
  json::value& value = object[{key.data(), key.size()}];
  if (!value.is_object()) value = json::object();
  return value.get_object();
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  return lower;
}

json::string_view View(std::string_view text) {
  return {text.data(), text.size()};
}

void CheckNames(const json::object& names, const Path& path, ErrorList* errors) {
  const auto check = [&](std::string_view key, bool mixed_case) {
    const std::string_view name = Str(names, key);
    if (name.empty()) return;
    const names::Messages wrong = names::IsDNS1035Label(mixed_case ? Lower(name) : std::string(name));
    if (wrong.empty()) return;
    errors->push_back(field::Invalid(path.Child(key), name,
                                     (mixed_case ? "may have mixed case, but should otherwise match: " : "") +
                                         fmt::format("{}", fmt::join(wrong, ","))));
  };
  check("plural", false);
  check("singular", false);
  check("kind", true);
  check("listKind", true);
  const auto check_list = [&](std::string_view key) {
    const json::array* list = Arr(names, key);
    for (size_t i = 0; list && i < list->size(); ++i) {
      const std::string name = GoText((*list)[i]);
      const names::Messages wrong = names::IsDNS1035Label(name);
      if (!wrong.empty()) {
        errors->push_back(field::Invalid(path.Child(key).Index(i), name, fmt::format("{}", fmt::join(wrong, ","))));
      }
    }
  };
  check_list("shortNames");
  if (const std::string_view kind = Str(names, "kind"); !kind.empty() && kind == Str(names, "listKind")) {
    errors->push_back(field::Invalid(path.Child("listKind"), kind, "kind and listKind may not be the same"));
  }
  check_list("categories");
}

void CheckSimplePath(std::string_view text, const Path& path, std::initializer_list<std::string_view> under,
                     std::string_view why, ErrorList* errors) {
  if (text.front() != '.') {
    errors->push_back(field::Invalid(path, text, "must be a simple json path starting with ."));
  } else if (std::none_of(under.begin(), under.end(), [text](std::string_view u) { return text.starts_with(u); })) {
    errors->push_back(field::Invalid(path, text, why));
  } else if (const Result<JsonPath> parsed = JsonPath::Parse(text); !parsed.ok()) {
    errors->push_back(field::Invalid(path, text, parsed.status().message()));
  }
}

void CheckSubresources(const json::object& subresources, const Path& path, ErrorList* errors) {
  const json::object* scale = Obj(subresources, "scale");
  if (!scale) return;
  const auto check = [&](std::string_view key, bool required, std::initializer_list<std::string_view> under,
                         std::string_view why) {
    const Path at = path.Child("scale").Child(key);
    const std::string_view text = Str(*scale, key);
    if (!text.empty()) return CheckSimplePath(text, at, under, why, errors);
    if (required) errors->push_back(field::Required(at, ""));
  };
  check("specReplicasPath", true, {".spec."}, "should be a json path under .spec");
  check("statusReplicasPath", true, {".status."}, "should be a json path under .status");
  check("labelSelectorPath", false, {".spec.", ".status."}, "should be a json path under either .spec or .status");
}

void CheckColumns(const json::object& version, const Path& path, ErrorList* errors) {
  constexpr std::string_view kTypes = "boolean,date,integer,number,string";
  constexpr std::string_view kFormats = "byte,date,date-time,double,float,int32,int64,password";
  const auto one_of = [](std::string_view list, std::string_view value) {
    return ("," + std::string(list) + ",").find("," + std::string(value) + ",") != std::string::npos;
  };
  const json::array* columns = Arr(version, "additionalPrinterColumns");
  for (size_t i = 0; columns && i < columns->size(); ++i) {
    const json::object& column = (*columns)[i].is_object() ? (*columns)[i].get_object() : Empty();
    const Path at = path.Child("additionalPrinterColumns").Index(i);
    if (Str(column, "name").empty()) errors->push_back(field::Required(at.Child("name"), ""));
    const std::string_view type = Str(column, "type"), format = Str(column, "format"), text = Str(column, "jsonPath");
    if (type.empty()) {
      errors->push_back(field::Required(at.Child("type"), fmt::format("must be one of {}", kTypes)));
    } else if (!one_of(kTypes, type)) {
      errors->push_back(field::Invalid(at.Child("type"), type, fmt::format("must be one of {}", kTypes)));
    }
    if (!format.empty() && !one_of(kFormats, format)) {
      errors->push_back(field::Invalid(at.Child("format"), format, fmt::format("must be one of {}", kFormats)));
    }
    if (text.empty()) {
      errors->push_back(field::Required(at.Child("jsonPath"), ""));
    } else if (text.front() != '.') {
      errors->push_back(field::Invalid(at.Child("jsonPath"), text, "must be a simple json path starting with ."));
    }
  }
}

void CheckSelectable(const json::object& version, const Path& path, ErrorList* errors) {
  const json::array* fields = Arr(version, "selectableFields");
  if (!fields) return;
  if (fields->size() > 8) errors->push_back(field::TooMany(path, static_cast<int64_t>(fields->size()), 8));
  std::set<std::string> seen;
  for (size_t i = 0; i < fields->size(); ++i) {
    const Path at = path.Index(i).Child("jsonPath");
    const std::string_view text = (*fields)[i].is_object() ? Str((*fields)[i].get_object(), "jsonPath") : "";
    if (text.empty()) {
      errors->push_back(field::Required(at, ""));
    } else if (const Result<JsonPath> parsed = JsonPath::Parse(text); !parsed.ok() || text.front() != '.') {
      errors->push_back(field::Invalid(at, text, parsed.ok() ? "is an invalid path" : parsed.status().message()));
    } else if (text.starts_with(".metadata")) {
      errors->push_back(field::Invalid(at, text, "must not point to fields in metadata"));
    } else if (!seen.insert(std::string(text)).second) {
      errors->push_back(field::Duplicate(at, text));
    }
  }
}

void CheckDeprecation(const json::object& version, const Path& path, ErrorList* errors) {
  const json::value* warning = version.if_contains("deprecationWarning");
  if (!warning || !warning->is_string()) return;
  const std::string_view text = Str(version, "deprecationWarning");
  const auto add = [&](std::string_view why) {
    errors->push_back(field::Invalid(path.Child("deprecationWarning"), text, why));
  };
  if (!Bool(version, "deprecated")) return add("can only be set for deprecated versions");
  if (text.size() > 256) add("must be <= 256 characters long");
  if (text.empty()) add("must not be an empty string");
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != 0x7f) continue;
    add(fmt::format("must only contain printable UTF-8 characters; non-printable character found at index {}", i));
    break;
  }
}

void CheckConversion(const json::object& conversion, const Path& path, ErrorList* errors) {
  const std::string_view strategy = Str(conversion, "strategy");
  const Path at = path.Child("strategy");
  if (strategy.empty()) {
    errors->push_back(field::Required(at, ""));
  } else if (strategy == "Webhook") {
    errors->push_back(field::Invalid(at, strategy,
                                     "conversion webhooks are not supported by this server: use None, or serve one "
                                     "version only"));
  } else if (strategy != "None") {
    errors->push_back(field::NotSupported(at, strategy, {"None", "Webhook"}));
  } else if (Obj(conversion, "webhook")) {
    errors->push_back(field::Forbidden(path.Child("webhook"), "should not be set when strategy is not set to Webhook"));
  }
}

void CheckSpec(const json::object& spec, const Path& path, bool kept_unknown, ErrorList* errors) {
  const std::string_view group = Str(spec, "group");
  if (group.empty()) {
    errors->push_back(field::Required(path.Child("group"), ""));
  } else if (const names::Messages wrong = names::IsDNS1123Subdomain(group); !wrong.empty()) {
    errors->push_back(field::Invalid(path.Child("group"), group, fmt::format("{}", fmt::join(wrong, ","))));
  } else if (group.find('.') == std::string_view::npos) {
    errors->push_back(field::Invalid(path.Child("group"), group, "should be a domain with at least one dot"));
  }
  const std::string_view scope = Str(spec, "scope");
  if (scope.empty()) {
    errors->push_back(field::Required(path.Child("scope"), ""));
  } else if (scope != "Cluster" && scope != "Namespaced") {
    errors->push_back(field::NotSupported(path.Child("scope"), scope, {"Cluster", "Namespaced"}));
  }
  const json::array* versions = Arr(spec, "versions");
  int storage = 0;
  bool unique = true;
  std::set<std::string> seen;
  for (size_t i = 0; versions && i < versions->size(); ++i) {
    const json::object& version = (*versions)[i].is_object() ? (*versions)[i].get_object() : Empty();
    const Path at = path.Child("versions").Index(i);
    const std::string_view name = Str(version, "name");
    if (Bool(version, "storage")) ++storage;
    unique &= seen.insert(std::string(name)).second;
    const json::object* schema = Obj(Part(version, "schema"), "openAPIV3Schema");
    if (!schema && !kept_unknown) {
      errors->push_back(field::Required(at.Child("schema").Child("openAPIV3Schema"), "schemas are required"));
    }
    if (const names::Messages wrong = names::IsDNS1035Label(name); !wrong.empty()) {
      errors->push_back(field::Invalid(at.Child("name"), name, fmt::format("{}", fmt::join(wrong, ","))));
    }
    CheckDeprecation(version, at, errors);
    const json::object& subresources = Part(version, "subresources");
    if (schema && !kept_unknown) {
      field::Append(*errors, ValidateSchema(*schema, at.Child("schema").Child("openAPIV3Schema"),
                                            Obj(subresources, "status") != nullptr));
    }
    CheckSubresources(subresources, at.Child("subresources"), errors);
    CheckColumns(version, at, errors);
    CheckSelectable(version, at.Child("selectableFields"), errors);
  }
  const std::string literal = versions ? json::serialize(*versions) : "[]";
  if (!unique) {
    errors->push_back(field::InvalidLiteral(path.Child("versions"), literal, "must contain unique version names"));
  }
  if (storage != 1) {
    errors->push_back(field::InvalidLiteral(path.Child("versions"), literal,
                                            "must have exactly one version marked as storage version"));
  }
  const json::object& names = Part(spec, "names");
  for (const std::string_view key : {"plural", "singular", "kind", "listKind"}) {
    if (Str(names, key).empty()) errors->push_back(field::Required(path.Child("names").Child(key), ""));
  }
  CheckNames(names, path.Child("names"), errors);
  CheckConversion(Part(spec, "conversion"), path.Child("conversion"), errors);
}

void CheckApproval(const Object& definition, const Object* old, ErrorList* errors) {
  const std::string_view group = Str(Part(definition.body(), "spec"), "group");
  const auto of = [group](std::string_view domain) {
    return group == domain || group.ends_with("." + std::string(domain));
  };
  if (!of("k8s.io") && !of("kubernetes.io")) return;
  const auto annotation = [](const Object& object) -> std::string {
    const auto& annotations = object.metadata().annotations();
    const auto found = annotations.find(std::string(kApproval));
    return found == annotations.end() ? std::string() : found->second;
  };
  const std::string value = annotation(definition);
  const auto state = [](const std::string& text) {
    static const re2::RE2 url("[a-zA-Z][a-zA-Z0-9+.-]*://[^/\\s]+.*");
    if (text.empty()) return 0;
    if (text.starts_with("unapproved") || re2::RE2::FullMatch(text, url)) return 2;
    return 1;
  };
  const int now = state(value);
  if (now == 2 || (old && state(annotation(*old)) == now)) return;
  const Path path = Path("metadata").Child("annotations").Key(kApproval);
  if (now == 0) {
    errors->push_back(field::Required(path, fmt::format("protected groups must have approval annotation \"{}\", see "
                                                        "https://github.com/kubernetes/enhancements/pull/1111",
                                                        kApproval)));
  } else {
    errors->push_back(field::Invalid(
        path, value,
        fmt::format("protected groups must have approval annotation \"{}\" with either a URL or a reason starting with "
                    "\"unapproved\", see https://github.com/kubernetes/enhancements/pull/1111",
                    kApproval)));
  }
}

void CheckStoredVersions(const json::object& body, ErrorList* errors) {
  const Path path = Path("status").Child("storedVersions");
  const json::array* stored = Arr(Part(body, "status"), "storedVersions");
  if (!stored || stored->empty()) {
    errors->push_back(field::InvalidLiteral(path, "[]string(nil)", "must have at least one stored version"));
    return;
  }
  std::set<std::string> known;
  const json::array* versions = Arr(Part(body, "spec"), "versions");
  for (size_t i = 0; versions && i < versions->size(); ++i) {
    if (!(*versions)[i].is_object()) continue;
    const json::object& version = (*versions)[i].get_object();
    const std::string name(Str(version, "name"));
    known.insert(name);
    const bool is_stored = std::find(stored->begin(), stored->end(), json::value(name)) != stored->end();
    if (Bool(version, "storage") && !is_stored) {
      errors->push_back(field::InvalidLiteral(path, json::serialize(version), "must have the storage version " + name));
    }
  }
  for (size_t i = 0; i < stored->size(); ++i) {
    const std::string name = GoText((*stored)[i]);
    if (!known.contains(name)) {
      errors->push_back(field::Invalid(path.Index(i), name, "must appear in spec.versions"));
    }
  }
}

// Upstream refuses what its types cannot hold while decoding; here it is the first thing that validation says.
ErrorList CheckTypes(const Object& definition) {
  static const SchemaPtr schema = [] { return *Schema::Compile(json::parse(kDefinitionSchema).get_object()); }();
  return schema->Validate(definition.body());
}

void AddStoredVersion(json::object& body) {
  const json::array* versions = Arr(Part(body, "spec"), "versions");
  for (size_t i = 0; versions && i < versions->size(); ++i) {
    if (!(*versions)[i].is_object() || !Bool((*versions)[i].get_object(), "storage")) continue;
    const json::value name(View(Str((*versions)[i].get_object(), "name")));
    json::value& stored = MutablePart(body, "status")["storedVersions"];
    if (!stored.is_array()) stored = json::array();
    json::array& list = stored.get_array();
    if (std::find(list.begin(), list.end(), name) == list.end()) list.push_back(name);
    return;
  }
}

class DefinitionStrategy : public registry::Strategy {
 public:
  explicit DefinitionStrategy(std::shared_ptr<const CustomInfo> info) : info_(std::move(info)) {}

  void SetDefaults(Object& object) const override {
    json::object& body = object.body();
    info_->schema->Prune(body);
    info_->schema->Default(body);
    if (!Obj(body, "spec")) return SortKeys(body);
    json::object& spec = MutablePart(body, "spec");
    if (const json::value* names_value = spec.if_contains("names"); names_value && names_value->is_object()) {
      json::object& names = MutablePart(spec, "names");
      const std::string kind(Str(names, "kind"));
      if (Str(names, "singular").empty() && !kind.empty()) names["singular"] = Lower(kind);
      if (Str(names, "listKind").empty() && !kind.empty()) names["listKind"] = kind + "List";
    }
    if (!Obj(spec, "conversion")) spec["conversion"] = json::object{{"strategy", "None"}};
    const json::array* stored = Arr(Part(body, "status"), "storedVersions");
    if (!stored || stored->empty()) AddStoredVersion(body);
    SortKeys(body);
  }

  void PrepareForCreate(const RequestContext&, Object& object) const override {
    object.body().erase("status");
    object.metadata().set_generation(1);
    AddStoredVersion(object.body());
  }

  void PrepareForUpdate(const RequestContext&, Object& updated, const Object& old) const override {
    updated.body().erase("status");
    if (const json::value* status = old.body().if_contains("status")) updated.body()["status"] = *status;
    const bool changed = Part(updated.body(), "spec") != Part(old.body(), "spec");
    updated.metadata().set_generation(old.metadata().generation() + (changed ? 1 : 0));
    AddStoredVersion(updated.body());
  }

  ErrorList Validate(const RequestContext&, const Object& object) const override { return ValidateDefinition(object); }
  ErrorList ValidateUpdate(const RequestContext&, const Object& updated, const Object& old) const override {
    return ValidateDefinitionUpdate(updated, old);
  }

  std::vector<std::string> Warnings(const RequestContext&, const Object& object, const Object* old) const override {
    std::vector<std::string> warnings;
    const json::array* versions = Arr(Part(object.body(), "spec"), "versions");
    if (old && Part(old->body(), "spec") == Part(object.body(), "spec")) return warnings;
    for (size_t i = 0; versions && i < versions->size(); ++i) {
      const json::object* props =
          (*versions)[i].is_object() ? Obj(Part((*versions)[i].get_object(), "schema"), "openAPIV3Schema") : nullptr;
      if (!props) continue;
      const Result<SchemaPtr> schema = Schema::Compile(*props);
      if (schema.ok() && (*schema)->HasRules()) {
        warnings.push_back(
            fmt::format("spec.versions[{}].schema.openAPIV3Schema: x-kubernetes-validations are kept but not evaluated "
                        "by this server",
                        i));
      }
    }
    return warnings;
  }

  bool AllowUnconditionalUpdate() const override { return false; }
  // The first deletion marks it: its objects go before it.
  bool HeldBySpec(const Object& object) const override { return !object.metadata().has_deletiontimestamp(); }
  void OnDeletionBegun(Object& object) const override {
    auto* finalizers = object.metadata().mutable_finalizers();
    if (std::find(finalizers->begin(), finalizers->end(), kCleanupFinalizer) == finalizers->end()) {
      *finalizers->Add() = kCleanupFinalizer;
    }
    const auto& time = object.metadata().deletiontimestamp();
    SetCondition(object.body(), "Terminating", "True", "InstanceDeletionPending",
                 "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
                 WallTime(std::chrono::seconds(time.seconds())));
  }
  std::vector<std::string> ResetFields() const override { return {"status"}; }

 protected:
  const std::shared_ptr<const CustomInfo> info_;
};

class DefinitionStatusStrategy : public DefinitionStrategy {
 public:
  using DefinitionStrategy::DefinitionStrategy;
  void PrepareForUpdate(const RequestContext&, Object& updated, const Object& old) const override {
    if (const json::value* spec = old.body().if_contains("spec")) updated.body()["spec"] = *spec;
    auto& metadata = updated.metadata();
    *metadata.mutable_labels() = old.metadata().labels();
    *metadata.mutable_annotations() = old.metadata().annotations();
    *metadata.mutable_ownerreferences() = old.metadata().ownerreferences();
    metadata.set_generation(old.metadata().generation());
  }
  ErrorList ValidateUpdate(const RequestContext&, const Object& updated, const Object&) const override {
    ErrorList errors = CheckTypes(updated);
    if (errors.empty()) {
      CheckNames(Part(Part(updated.body(), "status"), "acceptedNames"), Path("status").Child("acceptedNames"), &errors);
    }
    return errors;
  }
  std::vector<std::string> ResetFields() const override { return {"spec"}; }
};

bool IsEstablished(const Object& definition) {
  return ConditionStatus(definition.body(), "Established") == "True";
}

}  // namespace

ErrorList ValidateDefinition(const Object& definition) {
  ErrorList errors = CheckTypes(definition);
  if (!errors.empty()) return errors;
  const json::object& spec = Part(definition.body(), "spec");
  const std::string name = fmt::format("{}.{}", Str(Part(spec, "names"), "plural"), Str(spec, "group"));
  if (definition.metadata().name() != name) {
    errors.push_back(field::Invalid(Path("metadata").Child("name"), definition.metadata().name(),
                                    "must be spec.names.plural+\".\"+spec.group"));
  }
  if (Bool(spec, "preserveUnknownFields")) {
    errors.push_back(field::InvalidLiteral(
        Path("spec").Child("preserveUnknownFields"), "true",
        "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"));
  }
  CheckSpec(spec, Path("spec"), false, &errors);
  CheckNames(Part(Part(definition.body(), "status"), "acceptedNames"), Path("status").Child("acceptedNames"), &errors);
  CheckApproval(definition, nullptr, &errors);
  return errors;
}

ErrorList ValidateDefinitionUpdate(const Object& updated, const Object& old) {
  ErrorList errors = CheckTypes(updated);
  if (!errors.empty()) return errors;
  const json::object& spec = Part(updated.body(), "spec");
  const json::object& old_spec = Part(old.body(), "spec");
  const bool kept = Bool(old_spec, "preserveUnknownFields");
  if (Bool(spec, "preserveUnknownFields") && !kept) {
    errors.push_back(field::InvalidLiteral(
        Path("spec").Child("preserveUnknownFields"), "true",
        "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"));
  }
  // What is stored stays acceptable while its spec does not change.
  if (spec != old_spec) CheckSpec(spec, Path("spec"), kept && Bool(spec, "preserveUnknownFields"), &errors);
  const auto immutable = [&](std::string_view now, std::string_view before, const Path& path) {
    if (now != before) errors.push_back(field::Invalid(path, now, "field is immutable"));
  };
  const json::object &names = Part(spec, "names"), &old_names = Part(old_spec, "names");
  if (IsEstablished(old)) {
    immutable(Str(spec, "scope"), Str(old_spec, "scope"), Path("spec").Child("scope"));
    immutable(Str(names, "kind"), Str(old_names, "kind"), Path("spec").Child("names").Child("kind"));
  }
  immutable(Str(spec, "group"), Str(old_spec, "group"), Path("spec").Child("group"));
  immutable(Str(names, "plural"), Str(old_names, "plural"), Path("spec").Child("names").Child("plural"));
  CheckNames(Part(Part(updated.body(), "status"), "acceptedNames"), Path("status").Child("acceptedNames"), &errors);
  CheckStoredVersions(updated.body(), &errors);
  CheckApproval(updated, &old, &errors);
  return errors;
}

bool SetCondition(json::object& body, std::string_view type, std::string_view status, std::string_view reason,
                  std::string_view message, WallTime now) {
  meta::ObjectMeta time;
  time.mutable_creationtimestamp()->set_seconds(
      std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count());
  std::string text = codec::EncodeJson(time.creationtimestamp());
  text = text.substr(1, text.size() - 2);
  json::value& conditions = MutablePart(body, "status")["conditions"];
  if (!conditions.is_array()) conditions = json::array();
  json::object made{{"lastTransitionTime", text},
                    {"message", View(message)},
                    {"reason", View(reason)},
                    {"status", View(status)},
                    {"type", View(type)}};
  for (json::value& value : conditions.get_array()) {
    if (!value.is_object() || Str(value.get_object(), "type") != type) continue;
    const json::object& old = value.get_object();
    if (Str(old, "status") == status) {
      if (Str(old, "reason") == reason && Str(old, "message") == message) return false;
      made["lastTransitionTime"] = View(Str(old, "lastTransitionTime"));
    }
    value = std::move(made);
    return true;
  }
  conditions.get_array().push_back(std::move(made));
  return true;
}

std::string_view ConditionStatus(const json::object& body, std::string_view type) {
  const json::array* conditions = Arr(Part(body, "status"), "conditions");
  for (size_t i = 0; conditions && i < conditions->size(); ++i) {
    const json::value& condition = (*conditions)[i];
    if (condition.is_object() && Str(condition.get_object(), "type") == type) {
      return Str(condition.get_object(), "status");
    }
  }
  return {};
}

Kind DefinitionKind() {
  auto info = std::make_shared<CustomInfo>();
  info->api_version = "apiextensions.k8s.io/v1";
  info->kind = "CustomResourceDefinition";
  info->schema = *Schema::Compile(json::parse(kDefinitionSchema).get_object());
  info->schema_texts["v1"] = kDefinitionSchema;
  Kind kind;
  kind.group = "apiextensions.k8s.io";
  kind.kind = info->kind;
  kind.list_kind = "CustomResourceDefinitionList";
  kind.resource = "customresourcedefinitions";
  kind.singular = "customresourcedefinition";
  kind.namespaced = false;
  kind.short_names = {"crd", "crds"};
  kind.categories = {"api-extensions"};
  kind.verbs = {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"};
  kind.versions.push_back({.version = "v1", .prototype = nullptr, .deprecation_warning = {}});
  kind.storage_version = info->api_version;
  kind.storage_prefix = "/registry/apiextensions.k8s.io/customresourcedefinitions/";
  kind.strategy = std::make_shared<DefinitionStrategy>(info);
  kind.name_validator = names::NameIsDNSSubdomain;
  registry::Subresource status;
  status.name = "status";
  status.verbs = {"get", "patch", "update"};
  status.strategy = std::make_shared<DefinitionStatusStrategy>(info);
  kind.subresources.push_back(std::move(status));
  SetCustom(&kind, std::move(info));
  return kind;
}

std::vector<Kind> Kinds() {
  std::vector<Kind> kinds;
  kinds.push_back(DefinitionKind());
  kinds.push_back(ApiServiceKind());
  return kinds;
}

}  // namespace knarr::apiextensions
