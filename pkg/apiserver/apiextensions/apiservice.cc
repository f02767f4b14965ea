// APIService: which group and version is served where. Here: by this server only.
// Mirrors: kube-aggregator/pkg/apis/apiregistration/validation/validation.go, pkg/registry/apiservice/strategy.go,
// pkg/controllers/autoregister
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "k8s.io/apimachinery/pkg/apis/meta/v1/generated.pb.h"
#include "pkg/api/meta/validation.h"
#include "pkg/api/names/names.h"
#include "pkg/apiserver/apiextensions/custom.h"
#include "pkg/apiserver/registry/printers.h"

namespace knarr::apiextensions {

using field::ErrorList;
using field::Path;
using registry::Cell;
using registry::Column;
using registry::Kind;
using registry::Object;
using registry::RequestContext;

namespace {

constexpr const char* kApiServiceSchema = R"({
"description":"APIService represents a server for a particular GroupVersion. Name must be \"version.group\".",
"type":"object","properties":{
 "apiVersion":{"type":"string"},"kind":{"type":"string"},"metadata":{"type":"object"},
 "spec":{"type":"object","properties":{
  "service":{"type":"object","nullable":true,"properties":{"namespace":{"type":"string"},"name":{"type":"string"},
   "port":{"type":"integer","format":"int32"}}},
  "group":{"type":"string"},"version":{"type":"string"},"insecureSkipTLSVerify":{"type":"boolean"},
  "caBundle":{"type":"string","format":"byte","nullable":true},
  "groupPriorityMinimum":{"type":"integer","format":"int32"},"versionPriority":{"type":"integer","format":"int32"}}},
 "status":{"type":"object","properties":{
  "conditions":{"type":"array","x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["type"],
   "items":{"type":"object","required":["type","status"],"properties":{"type":{"type":"string"},"status":{"type":"string"},
    "lastTransitionTime":{"type":"string","nullable":true},"reason":{"type":"string"},"message":{"type":"string"}}}}}}}})";

const json::object& SpecOf(const Object& object) {
  static const json::object empty;
  const json::object* spec = Obj(object.body(), "spec");
  return spec ? *spec : empty;
}

int64_t Integer(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains({key.data(), key.size()});
  return value && value->is_int64() ? value->get_int64() : 0;
}

ErrorList ValidateApiService(const Object& object, const Schema& schema) {
  ErrorList errors = schema.Validate(object.body());
  if (!errors.empty()) return errors;
  const json::object& spec = SpecOf(object);
  const Path path("spec");
  const std::string_view group = Str(spec, "group"), version = Str(spec, "version");
  const std::string name = fmt::format("{}.{}", version, group);
  if (object.metadata().name() != name) {
    errors.push_back(field::Invalid(Path("metadata").Child("name"), object.metadata().name(),
                                    "must be `spec.version+\".\"+spec.group`: \"" + name + "\""));
  }
  if (!group.empty()) {
    for (const std::string& message : names::IsDNS1123Subdomain(group)) {
      errors.push_back(field::Invalid(path.Child("group"), group, message));
    }
  }
  for (const std::string& message : names::IsDNS1035Label(version)) {
    errors.push_back(field::Invalid(path.Child("version"), version, message));
  }
  const int64_t minimum = Integer(spec, "groupPriorityMinimum"), priority = Integer(spec, "versionPriority");
  if (minimum <= 0 || minimum > 20000) {
    errors.push_back(
        field::Invalid(path.Child("groupPriorityMinimum"), minimum, "must be positive and less than 20000"));
  }
  if (priority <= 0 || priority > 1000) {
    errors.push_back(field::Invalid(path.Child("versionPriority"), priority, "must be positive and less than 1000"));
  }
  const json::object* service = Obj(spec, "service");
  if (!service) {
    if (!Str(spec, "caBundle").empty()) {
      errors.push_back(field::Invalid(path.Child("caBundle"), fmt::format("{} bytes", Str(spec, "caBundle").size()),
                                      "local APIServices may not have a caBundle"));
    }
    if (Bool(spec, "insecureSkipTLSVerify")) {
      errors.push_back(field::InvalidLiteral(path.Child("insecureSkipTLSVerify"), "true",
                                             "local APIServices may not have insecureSkipTLSVerify"));
    }
    return errors;
  }
  for (const std::string_view key : {"namespace", "name"}) {
    if (Str(*service, key).empty()) errors.push_back(field::Required(path.Child("service").Child(key), ""));
  }
  if (service->contains("port") && !names::IsValidPortNum(Integer(*service, "port")).empty()) {
    errors.push_back(field::Invalid(path.Child("service").Child("port"), Integer(*service, "port"),
                                    "must be between 1 and 65535, inclusive"));
  }
  if (Bool(spec, "insecureSkipTLSVerify") && !Str(spec, "caBundle").empty()) {
    errors.push_back(
        field::InvalidLiteral(path.Child("insecureSkipTLSVerify"), "true", "may not be true if caBundle is present"));
  }
  return errors;
}

constexpr std::string_view kNoAggregation =
    "this server does not aggregate: requests are not passed on to services yet";

class ApiServiceStrategy : public registry::Strategy {
 public:
  explicit ApiServiceStrategy(std::shared_ptr<const CustomInfo> info) : info_(std::move(info)) {}

  void SetDefaults(Object& object) const override {
    info_->schema->Prune(object.body());
    info_->schema->Default(object.body());
    json::object* spec = object.body().contains("spec") ? object.body().at("spec").if_object() : nullptr;
    json::value* service = spec ? spec->if_contains("service") : nullptr;
    if (service && service->is_null()) {
      spec->erase("service");
    } else if (service && service->is_object() && !service->get_object().contains("port")) {
      service->get_object()["port"] = 443;
    }
    SortKeys(object.body());
  }
  void PrepareForCreate(const RequestContext& rc, Object& object) const override {
    object.body().erase("status");
    SetAvailable(object.body(), rc.clock ? rc.clock->Now() : WallTime());
  }
  void PrepareForUpdate(const RequestContext& rc, Object& updated, const Object& old) const override {
    updated.body().erase("status");
    if (const json::value* status = old.body().if_contains("status")) updated.body()["status"] = *status;
    SetAvailable(updated.body(), rc.clock ? rc.clock->Now() : WallTime());
  }
  ErrorList Validate(const RequestContext&, const Object& object) const override {
    return ValidateApiService(object, *info_->schema);
  }
  ErrorList ValidateUpdate(const RequestContext&, const Object& updated, const Object&) const override {
    return ValidateApiService(updated, *info_->schema);
  }
  std::vector<std::string> Warnings(const RequestContext&, const Object& object, const Object*) const override {
    if (!Obj(SpecOf(object), "service")) return {};
    return {"spec.service: " + std::string(kNoAggregation)};
  }
  bool AllowUnconditionalUpdate() const override { return false; }
  std::vector<std::string> ResetFields() const override { return {"status"}; }

  std::vector<Column> Columns() const override {
    return {registry::NameColumn(), registry::TextColumn("Service"), registry::TextColumn("Available"),
            registry::AgeColumn()};
  }
  std::vector<Cell> Cells(const Object& object, WallTime now) const override {
    const json::object* service = Obj(SpecOf(object), "service");
    std::string available(ConditionStatus(object.body(), "Available"));
    if (available.empty()) available = "Unknown";
    if (available != "True") {
      const json::object* status = Obj(object.body(), "status");
      const json::array* conditions = status ? Arr(*status, "conditions") : nullptr;
      for (size_t i = 0; conditions && i < conditions->size(); ++i) {
        const json::object* condition = (*conditions)[i].if_object();
        if (condition && Str(*condition, "type") == "Available") {
          available += fmt::format(" ({})", Str(*condition, "reason"));
        }
      }
    }
    return {object.metadata().name(),
            service ? fmt::format("{}/{}", Str(*service, "namespace"), Str(*service, "name")) : std::string("Local"),
            available, registry::Age(object.metadata(), now)};
  }

 private:
  static void SetAvailable(json::object& body, WallTime now) {
    const json::object* spec = Obj(body, "spec");
    if (spec && Obj(*spec, "service")) {
      SetCondition(body, "Available", "False", "AggregationUnavailable", kNoAggregation, now);
    } else {
      SetCondition(body, "Available", "True", "Local", "Local APIServices are always available", now);
    }
  }
  const std::shared_ptr<const CustomInfo> info_;
};

class ApiServiceStatusStrategy : public ApiServiceStrategy {
 public:
  using ApiServiceStrategy::ApiServiceStrategy;
  void PrepareForUpdate(const RequestContext&, Object& updated, const Object& old) const override {
    if (const json::value* spec = old.body().if_contains("spec")) updated.body()["spec"] = *spec;
    *updated.metadata().mutable_labels() = old.metadata().labels();
    *updated.metadata().mutable_annotations() = old.metadata().annotations();
  }
  std::vector<std::string> ResetFields() const override { return {"spec"}; }
};

struct Priority {
  std::string_view group;
  int64_t minimum;
};
// Mirrors: apiVersionPriorities in cmd/kube-apiserver/app/aggregator.go
constexpr Priority kPriorities[] = {{"", 18000},
                                    {"apps", 17800},
                                    {"events.k8s.io", 17750},
                                    {"authentication.k8s.io", 17700},
                                    {"authorization.k8s.io", 17600},
                                    {"autoscaling", 17500},
                                    {"batch", 17400},
                                    {"certificates.k8s.io", 17300},
                                    {"networking.k8s.io", 17200},
                                    {"policy", 17100},
                                    {"rbac.authorization.k8s.io", 17000},
                                    {"storage.k8s.io", 16800},
                                    {"apiextensions.k8s.io", 16700},
                                    {"admissionregistration.k8s.io", 16700},
                                    {"scheduling.k8s.io", 16600},
                                    {"coordination.k8s.io", 16500},
                                    {"node.k8s.io", 16300},
                                    {"discovery.k8s.io", 16200},
                                    {"flowcontrol.apiserver.k8s.io", 16100}};

constexpr std::string_view kManaged = "kube-aggregator.kubernetes.io/automanaged";

json::object SpecFor(const GroupVersion& served) {
  int64_t minimum = 1000, priority = 100;  // of custom groups
  for (const Priority& known : kPriorities) {
    if (known.group != served.group) continue;
    minimum = known.minimum;
    priority = served.version.find("beta") != std::string::npos    ? 9
               : served.version.find("alpha") != std::string::npos ? 1
               : served.group.empty()                              ? 1
                                                                   : 15;
  }
  if (served.group == "autoscaling" && served.version == "v2") priority = 30;
  json::object spec{{"groupPriorityMinimum", minimum}, {"version", served.version}, {"versionPriority", priority}};
  if (!served.group.empty()) spec["group"] = served.group;
  return spec;
}

}  // namespace

Kind ApiServiceKind() {
  auto info = std::make_shared<CustomInfo>();
  info->api_version = "apiregistration.k8s.io/v1";
  info->kind = "APIService";
  info->schema = *Schema::Compile(json::parse(kApiServiceSchema).get_object());
  info->schema_texts["v1"] = kApiServiceSchema;
  Kind kind;
  kind.group = "apiregistration.k8s.io";
  kind.kind = info->kind;
  kind.list_kind = "APIServiceList";
  kind.resource = "apiservices";
  kind.singular = "apiservice";
  kind.namespaced = false;
  kind.categories = {"api-extensions"};
  kind.verbs = {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"};
  kind.versions.push_back({.version = "v1", .prototype = nullptr, .deprecation_warning = {}});
  kind.storage_version = info->api_version;
  kind.storage_prefix = "/registry/apiregistration.k8s.io/apiservices/";
  kind.strategy = std::make_shared<ApiServiceStrategy>(info);
  kind.name_validator = api::ValidatePathSegmentName;  // the core group's end with a dot
  registry::Subresource status;
  status.name = "status";
  status.verbs = {"get", "patch", "update"};
  status.strategy = std::make_shared<ApiServiceStatusStrategy>(info);
  kind.subresources.push_back(std::move(status));
  SetCustom(&kind, std::move(info));
  return kind;
}

Status SyncApiServices(const Context& ctx, registry::Access& access, const std::vector<GroupVersion>& served, Clock&) {
  const registry::GroupResource what{"apiregistration.k8s.io", "apiservices"};
  const auto present = KNARR_TRY(access.List(ctx, what, ""));
  std::set<std::string> wanted;
  for (const GroupVersion& one : served) {
    // The core group's is "v1.".
    const std::string name = fmt::format("{}.{}", one.version, one.group);
    if (one.group == "apiregistration.k8s.io" || !wanted.insert(name).second) continue;
    const json::object spec = SpecFor(one);
    const auto found = std::find_if(present.begin(), present.end(), [&](const registry::ObjectRef& object) {
      return object->metadata().name() == name;
    });
    if (found == present.end()) {
      Object object = KNARR_TRY(Object::FromJson(json::object{{"spec", spec}}));
      object.metadata().set_name(name);
      const bool custom = spec.at("groupPriorityMinimum").as_int64() == 1000;
      (*object.metadata().mutable_labels())[std::string(kManaged)] = custom ? "true" : "onstart";
      const auto created = access.Create(ctx, what, std::move(object));
      if (!created.ok() && !created.status().Is(Code::kAlreadyExists)) return created.status();
      continue;
    }
    const auto& labels = (*found)->metadata().labels();
    if (labels.find(std::string(kManaged)) == labels.end() || SpecOf(**found) == spec) continue;
    const auto updated = access.Update(ctx, what, "", name, "", [&spec](Object& object) {
      object.body()["spec"] = spec;
      return Status();
    });
    if (!updated.ok() && !updated.status().Is(Code::kNotFound)) return updated.status();
  }
  for (const registry::ObjectRef& object : present) {
    const auto& metadata = object->metadata();
    const auto label = metadata.labels().find(std::string(kManaged));
    if (label == metadata.labels().end() || wanted.contains(metadata.name())) continue;
    const Status deleted = access.Delete(ctx, what, "", metadata.name(), metadata.uid());
    if (!deleted.ok() && !deleted.Is(Code::kNotFound)) return deleted;
  }
  return {};
}

}  // namespace knarr::apiextensions
