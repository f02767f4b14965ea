// A kind made by a CustomResourceDefinition.
// Mirrors: apiextensions-apiserver/pkg/registry/customresource/{strategy,status_strategy,etcd,tableconvertor}.go
#include <fmt/format.h>

#include <algorithm>
#include <atomic>

#include "k8s.io/api/autoscaling/v1/generated.pb.h"
#include "k8s.io/apimachinery/pkg/apis/meta/v1/generated.pb.h"
#include "pkg/api/codec/codec.h"
#include "pkg/api/errors/errors.h"
#include "pkg/api/meta/validation.h"
#include "pkg/api/names/names.h"
#include "pkg/apiserver/apiextensions/custom.h"
#include "pkg/apiserver/registry/printers.h"

namespace knarr::apiextensions {

using registry::Cell;
using registry::Column;
using registry::Kind;
using registry::Object;
using registry::RequestContext;

namespace {

constexpr std::string_view kTerminating = "create not allowed while custom resource definition is terminating";

std::optional<WallTime> ParseTime(std::string_view text) {
  meta::ObjectMeta parsed;
  const std::string wrapped =
      json::serialize(json::object{{"creationTimestamp", json::string_view(text.data(), text.size())}});
  if (!codec::DecodeJson(wrapped, &parsed, {.validation = codec::FieldValidation::kIgnore}).ok()) return std::nullopt;
  return registry::ToWallTime(parsed.creationtimestamp());
}

Cell CellOf(std::string_view type, const json::value* value, WallTime now) {
  if (!value || value->is_null()) return nullptr;
  if (type == "integer") {
    if (value->is_number()) return value->to_number<int64_t>();
  } else if (type == "number") {
    if (value->is_int64()) return value->get_int64();
    if (value->is_number()) return GoText(*value);
  } else if (type == "boolean") {
    if (value->is_bool()) return value->get_bool();
  } else if (type == "string") {
    return GoText(*value);
  } else if (type == "date" && value->is_string()) {
    const std::optional<WallTime> time = ParseTime({value->get_string().data(), value->get_string().size()});
    return time ? registry::HumanAge(*time, now) : "<invalid>";
  }
  return nullptr;
}

}  // namespace

// All versions are converted by changing apiVersion, so one schema (the hub's) decides what is stored.
class CustomStrategy : public registry::Strategy {
 public:
  explicit CustomStrategy(std::shared_ptr<const CustomInfo> info) : info_(std::move(info)) {}

  void SetDefaults(Object& object) const override {
    if (info_->schema) {
      info_->schema->Prune(object.body());
      info_->schema->Default(object.body());
    }
    SortKeys(object.body());
  }

  void PrepareForCreate(const RequestContext&, Object& object) const override {
    if (info_->has_status) object.body().erase("status");
    object.metadata().set_generation(1);
  }

  void PrepareForUpdate(const RequestContext&, Object& updated, const Object& old) const override {
    if (info_->has_status) {
      updated.body().erase("status");
      if (const json::value* status = old.body().if_contains("status")) updated.body().emplace("status", *status);
    }
    // What is not metadata, nor status, is a new generation.
    const bool changed =
        info_->has_status ? Without(updated.body()) != Without(old.body()) : updated.body() != old.body();
    updated.metadata().set_generation(old.metadata().generation() + (changed ? 1 : 0));
  }

  field::ErrorList Validate(const RequestContext&, const Object& object) const override {
    if (!info_->schema) return {};
    return info_->schema->Validate(object.ToJsonValue(info_->api_version, info_->kind));
  }

  field::ErrorList ValidateUpdate(const RequestContext&, const Object& updated, const Object& old) const override {
    if (!info_->schema) return {};
    const json::object before = old.ToJsonValue(info_->api_version, info_->kind);
    return info_->schema->Validate(updated.ToJsonValue(info_->api_version, info_->kind), &before);
  }

  bool AllowUnconditionalUpdate() const override { return false; }

  std::vector<std::string> ResetFields() const override {
    return info_->has_status ? std::vector<std::string>{"status"} : std::vector<std::string>{};
  }

  std::vector<std::pair<std::string, std::string>> SelectableFields(const Object& object) const override {
    std::vector<std::pair<std::string, std::string>> fields;
    for (const auto& [name, path] : info_->selectable) {
      const json::value* value = path.Find(object.body());
      fields.emplace_back(name, value && !value->is_null() ? GoText(*value) : "");
    }
    return fields;
  }
  std::vector<std::string_view> SelectableFieldNames() const override {
    std::vector<std::string_view> names;
    for (const auto& [name, path] : info_->selectable) names.push_back(name);
    return names;
  }

  Result<Finish> Begin(const RequestContext&, Object&, const Object* old) const override {
    if (!old && info_->terminating) return Error(Code::kMethodNotAllowed, "{}", kTerminating);
    return Finish();
  }

  std::vector<Column> Columns() const override {
    std::vector<Column> columns = {registry::NameColumn()};
    for (const CustomInfo::PrinterColumn& column : info_->columns) {
      columns.push_back({.name = column.name,
                         .type = column.type,
                         .format = column.format,
                         .description = column.description,
                         .priority = column.priority});
    }
    return columns;
  }

  std::vector<Cell> Cells(const Object& object, WallTime now) const override {
    std::vector<Cell> cells = {object.metadata().name()};
    std::optional<json::object> whole;  // only where a column looks at metadata
    for (const CustomInfo::PrinterColumn& column : info_->columns) {
      if (column.of_metadata && !whole) whole = object.ToJsonValue(info_->api_version, info_->kind);
      cells.push_back(CellOf(column.type, column.path.Find(column.of_metadata ? *whole : object.body()), now));
    }
    return cells;
  }

 protected:
  static json::object Without(const json::object& body) {
    json::object copy = body;
    copy.erase("status");
    return copy;
  }
  const std::shared_ptr<const CustomInfo> info_;
};

namespace {

class CustomStatusStrategy : public CustomStrategy {
 public:
  using CustomStrategy::CustomStrategy;
  void PrepareForUpdate(const RequestContext&, Object& updated, const Object& old) const override {
    // Only status: everything else, and the metadata, stay.
    json::object body = old.body();
    body.erase("status");
    if (const json::value* status = updated.body().if_contains("status")) body.emplace("status", *status);
    updated.body() = std::move(body);
    const auto managed = updated.metadata().managedfields();
    updated.metadata() = old.metadata();
    *updated.metadata().mutable_managedfields() = managed;
  }
  std::vector<std::string> ResetFields() const override { return info_->other_fields; }
};

// v1 before v1beta2 before v1beta1 before v1alpha1 before anything else. Mirrors: apimachinery/pkg/version/helpers.go
std::tuple<int, int, int> Priority(std::string_view version) {
  static const re2::RE2 regex("v([0-9]{1,6})(?:(alpha|beta)([0-9]{1,6}))?");
  int major = 0, minor = 0;
  std::string stage, minor_text;
  if (!re2::RE2::FullMatch(re2::StringPiece(version.data(), version.size()), regex, &major, &stage, &minor_text)) {
    return {0, 0, 0};
  }
  if (!minor_text.empty()) minor = std::stoi(minor_text);
  return {stage.empty() ? 3 : stage == "beta" ? 2 : 1, major, minor};
}

std::string MetadataPath(std::string_view path) {
  return std::string(path.starts_with('.') ? path.substr(1) : path);
}

void ReadColumns(const json::object& version, CustomInfo* info) {
  const json::array* columns = Arr(version, "additionalPrinterColumns");
  if (!columns || columns->empty()) {
    CustomInfo::PrinterColumn age;
    age.name = "Age";
    age.type = "date";
    age.description =
        "CreationTimestamp is a timestamp representing the server time when this object was created. It is not "
        "guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It "
        "is "
        "represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: "
        "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";
    age.path = *JsonPath::Parse(".metadata.creationTimestamp");
    age.of_metadata = true;
    info->columns.push_back(std::move(age));
    return;
  }
  for (const json::value& value : *columns) {
    if (!value.is_object()) continue;
    const json::object& column = value.get_object();
    CustomInfo::PrinterColumn made;
    made.name = Str(column, "name");
    made.type = Str(column, "type");
    made.format = Str(column, "format");
    made.description = Str(column, "description");
    if (made.description.empty())
      made.description =
          fmt::format("Custom resource definition column (in JSONPath format): {}", Str(column, "jsonPath"));
    if (const json::value* priority = column.if_contains("priority"); priority && priority->is_int64()) {
      made.priority = static_cast<int>(priority->get_int64());
    }
    const std::string_view path = Str(column, "jsonPath");
    made.of_metadata = path.starts_with(".metadata") || path.starts_with(".kind") || path.starts_with(".apiVersion");
    if (Result<JsonPath> parsed = JsonPath::Parse(path); parsed.ok()) made.path = std::move(*parsed);
    info->columns.push_back(std::move(made));
  }
}

registry::Subresource StatusOf(const std::shared_ptr<const CustomInfo>& info) {
  registry::Subresource status;
  status.name = "status";
  status.verbs = {"get", "patch", "update"};
  status.strategy = std::make_shared<CustomStatusStrategy>(info);
  return status;
}

// Mirrors: ScaleREST in apiextensions-apiserver/pkg/registry/customresource/etcd.go
registry::Subresource ScaleOf(const std::shared_ptr<const CustomInfo>& info, const json::object& scale) {
  namespace autoscaling = k8s::io::api::autoscaling::v1;
  const std::string spec_path(Str(scale, "specReplicasPath"));
  const Result<JsonPath> spec = JsonPath::Parse(spec_path);
  const Result<JsonPath> status = JsonPath::Parse(Str(scale, "statusReplicasPath"));
  const Result<JsonPath> selector = JsonPath::Parse(Str(scale, "labelSelectorPath"));
  registry::Subresource made;
  made.name = "scale";
  made.group = "autoscaling";
  made.version = "v1";
  made.kind = "Scale";
  made.verbs = {"get", "patch", "update"};
  const auto integer = [](const json::value* value) {
    return value && value->is_number() ? static_cast<int32_t>(value->to_number<int64_t>()) : 0;
  };
  made.view = [spec, status, selector, spec_path, integer](
                  const RequestContext&, const Object& object) -> Result<std::unique_ptr<google::protobuf::Message>> {
    const json::value* replicas = spec.ok() ? spec->Find(object.body()) : nullptr;
    if (!replicas) {
      return errors::InternalError(fmt::format("the spec replicas field \"{}\" does not exist", spec_path));
    }
    auto view = std::make_unique<autoscaling::Scale>();
    meta::ObjectMeta* metadata = view->mutable_metadata();
    const meta::ObjectMeta& from = object.metadata();
    metadata->set_name(from.name());
    metadata->set_namespace_(from.namespace_());
    metadata->set_uid(from.uid());
    metadata->set_resourceversion(from.resourceversion());
    if (from.has_creationtimestamp()) *metadata->mutable_creationtimestamp() = from.creationtimestamp();
    view->mutable_spec()->set_replicas(integer(replicas));
    view->mutable_status()->set_replicas(integer(status.ok() ? status->Find(object.body()) : nullptr));
    if (const json::value* text = selector.ok() ? selector->Find(object.body()) : nullptr; text && text->is_string()) {
      view->mutable_status()->set_selector(std::string(text->get_string()));
    }
    return std::unique_ptr<google::protobuf::Message>(std::move(view));
  };
  made.apply = [spec, info](const RequestContext&, const google::protobuf::Message& view, Object& object) -> Status {
    const auto& scale = static_cast<const autoscaling::Scale&>(view);
    const int32_t replicas = scale.spec().replicas();
    if (replicas < 0) {
      return errors::Invalid(
          "autoscaling", "Scale", object.metadata().name(),
          {field::Invalid(field::Path("spec.replicas"), replicas, "must be greater than or equal to 0")});
    }
    if (!spec.ok() || !spec->Set(object.body(), replicas)) {
      return errors::InternalError("the spec replicas field cannot be set");
    }
    return {};
  };
  return made;
}

}  // namespace

Result<Kind> KindOf(const Object& definition) {
  const json::object* spec = Obj(definition.body(), "spec");
  const json::object* names = spec ? Obj(*spec, "names") : nullptr;
  const json::array* versions = spec ? Arr(*spec, "versions") : nullptr;
  if (!names || !versions) return Error(Code::kInvalid, "not a complete CustomResourceDefinition");
  std::vector<const json::object*> served;
  std::string_view storage;
  for (const json::value& value : *versions) {
    const json::object* version = value.if_object();
    if (!version) continue;
    if (Bool(*version, "storage")) storage = Str(*version, "name");
    if (Bool(*version, "served")) served.push_back(version);
  }
  if (served.empty() || storage.empty()) return Error(Code::kInvalid, "no version is served and stored");
  std::stable_sort(served.begin(), served.end(), [](const json::object* a, const json::object* b) {
    return Priority(Str(*a, "name")) > Priority(Str(*b, "name"));
  });
  // The stored version is the hub, if it is served.
  const auto hub = std::find_if(served.begin(), served.end(),
                                [&](const json::object* version) { return Str(*version, "name") == storage; });
  if (hub != served.end()) std::rotate(served.begin(), hub, hub + 1);

  auto info = std::make_shared<CustomInfo>();
  Kind kind;
  kind.group = Str(*spec, "group");
  kind.kind = Str(*names, "kind");
  kind.list_kind = Str(*names, "listKind");
  kind.resource = Str(*names, "plural");
  kind.singular = Str(*names, "singular");
  kind.namespaced = Str(*spec, "scope") == "Namespaced";
  for (const auto& [key, out] :
       {std::pair<std::string_view, std::vector<std::string>*>{"shortNames", &kind.short_names},
        {"categories", &kind.categories}}) {
    if (const json::array* list = Arr(*names, key)) {
      for (const json::value& value : *list) out->push_back(GoText(value));
    }
  }
  kind.verbs = {"delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"};
  kind.storage_version = fmt::format("{}/{}", kind.group, storage);
  kind.storage_prefix = fmt::format("/registry/{}/{}/", kind.group, kind.resource);
  kind.name_validator = names::NameIsDNSSubdomain;

  const json::object& first = *served.front();
  info->kind = kind.kind;
  info->api_version = fmt::format("{}/{}", kind.group, Str(first, "name"));
  for (const json::object* version : served) {
    registry::ServedVersion made;
    made.version = Str(*version, "name");
    if (Bool(*version, "deprecated")) {
      made.deprecation_warning = Str(*version, "deprecationWarning");
      if (made.deprecation_warning.empty()) {
        made.deprecation_warning = fmt::format("{}/{} {} is deprecated", kind.group, made.version, kind.kind);
      }
    }
    kind.versions.push_back(std::move(made));
    const json::object* validation = Obj(*version, "schema");
    if (const json::object* props = validation ? Obj(*validation, "openAPIV3Schema") : nullptr) {
      info->schema_texts[std::string(Str(*version, "name"))] = json::serialize(*props);
      if (version == &first) info->schema = KNARR_TRY(Schema::Compile(*props));
    }
  }
  // Definitions of v1beta1 that kept everything.
  if (Bool(*spec, "preserveUnknownFields")) info->schema = nullptr;
  if (info->schema) {
    for (const std::string& name : info->schema->PropertyNames()) {
      if (name != "status" && name != "metadata" && name != "apiVersion" && name != "kind") {
        info->other_fields.push_back(name);
      }
    }
  }
  ReadColumns(first, info.get());
  if (const json::array* fields = Arr(first, "selectableFields")) {
    for (const json::value& value : *fields) {
      const std::string_view path = value.is_object() ? Str(value.get_object(), "jsonPath") : std::string_view();
      if (Result<JsonPath> parsed = JsonPath::Parse(path); parsed.ok() && !parsed->Empty()) {
        info->selectable.emplace_back(MetadataPath(path), std::move(*parsed));
      }
    }
  }
  const json::object* subresources = Obj(first, "subresources");
  info->has_status = subresources && Obj(*subresources, "status");
  if (info->has_status) kind.subresources.push_back(StatusOf(info));
  if (const json::object* scale = subresources ? Obj(*subresources, "scale") : nullptr) {
    kind.subresources.push_back(ScaleOf(info, *scale));
  }
  kind.strategy = std::make_shared<CustomStrategy>(info);
  SetCustom(&kind, std::move(info));
  return kind;
}

namespace {

std::shared_ptr<const json::object> SchemaOf(const CustomInfo& info, std::string_view version) {
  const auto found = info.schema_texts.find(version);
  if (found == info.schema_texts.end()) return nullptr;
  json::parse_options options;
  options.max_depth = 256;
  boost::system::error_code error;
  json::value value = json::parse(found->second, error, {}, options);
  if (error || !value.is_object()) return nullptr;
  return std::make_shared<const json::object>(std::move(value.get_object()));
}

}  // namespace

const managedfields::TypeSchema* CustomInfo::Shape(std::string_view version) const {
  std::lock_guard lock(shapes_mutex_);
  auto found = shapes_.find(version);
  if (found == shapes_.end()) {
    const std::shared_ptr<const json::object> props = SchemaOf(*this, version);
    found = shapes_.emplace(version, props ? managedfields::SchemaFromOpenApi(*props) : nullptr).first;
  }
  return found->second ? found->second.get() : &managedfields::Deduced();
}

void SetCustom(Kind* kind, std::shared_ptr<const CustomInfo> info) {
  kind->field_schema = [info](std::string_view version) { return info->Shape(version); };
  kind->custom = std::move(info);
}

std::shared_ptr<const json::object> SchemaForOpenApi(const Kind& kind, std::string_view version) {
  const auto info = std::static_pointer_cast<const CustomInfo>(kind.custom);
  return info ? SchemaOf(*info, version) : nullptr;
}

std::vector<std::string> UnknownFields(const Kind& kind, std::string_view version, const json::object& whole) {
  std::vector<std::string> unknown;
  const auto info = std::static_pointer_cast<const CustomInfo>(kind.custom);
  if (!info || !info->schema) return unknown;
  SchemaPtr schema = info->schema;
  if (info->api_version != fmt::format("{}/{}", kind.group, version)) {
    const std::shared_ptr<const json::object> props = SchemaForOpenApi(kind, version);
    if (!props) return unknown;
    const Result<SchemaPtr> compiled = Schema::Compile(*props);
    if (!compiled.ok()) return unknown;
    schema = *compiled;
  }
  json::object copy = whole;
  schema->Prune(copy, &unknown);
  std::sort(unknown.begin(), unknown.end());
  return unknown;
}

void SetTerminating(const Kind& kind) {
  if (const auto info = std::static_pointer_cast<const CustomInfo>(kind.custom)) info->terminating = true;
}

}  // namespace knarr::apiextensions
