// ReplicationControllers, PodTemplates, LimitRanges, ResourceQuotas.
// Mirrors: pkg/registry/core/{replicationcontroller,podtemplate,limitrange,resourcequota}/strategy.go
#include <fmt/format.h>

#include <algorithm>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/core/defaults.h"
#include "pkg/api/core/validation.h"
#include "pkg/api/meta/equality.h"
#include "pkg/api/names/names.h"
#include "pkg/api/resource/quantity.h"
#include "pkg/apiserver/registry/core/internal.h"
#include "pkg/apiserver/registry/core/pod.h"
#include "pkg/apiserver/registry/printers.h"
#include "pkg/apiserver/registry/scale.h"

namespace knarr::registry::core_group {
namespace {

// --- ReplicationController

class ControllerStrategy : public TypedStrategy<core::ReplicationController> {
 public:
  void Default(core::ReplicationController& controller) const override { api::SetDefaults(controller); }
  void PrepareCreate(const RequestContext&, core::ReplicationController& controller) const override {
    controller.mutable_status()->Clear();
    controller.mutable_metadata()->set_generation(1);
    if (controller.spec().has_template_()) {
      DropDisabledTemplateFields(*controller.mutable_spec()->mutable_template_(), nullptr);
    }
  }
  void PrepareUpdate(const RequestContext&, core::ReplicationController& updated,
                     const core::ReplicationController& old) const override {
    *updated.mutable_status() = old.status();
    if (updated.spec().has_template_()) {
      DropDisabledTemplateFields(*updated.mutable_spec()->mutable_template_(),
                                 old.spec().has_template_() ? &old.spec().template_() : nullptr);
    }
    const bool changed = !api::SemanticEqual(updated.spec(), old.spec());
    updated.mutable_metadata()->set_generation(old.metadata().generation() + (changed ? 1 : 0));
  }
  field::ErrorList Check(const RequestContext&, const core::ReplicationController& controller) const override {
    return api::ValidateReplicationController(controller);
  }
  std::vector<std::string> Warnings(const RequestContext&, const Object& object, const Object* old) const override {
    const auto& controller = object.As<core::ReplicationController>();
    std::vector<std::string> warnings;
    if (old == nullptr) {
      if (const names::Messages messages = names::IsDNS1123Label(controller.metadata().name()); !messages.empty()) {
        std::string list;
        for (const std::string& message : messages) list += (list.empty() ? "" : " ") + message;
        warnings.push_back(
            fmt::format("metadata.name: this is used in Pod names and hostnames, which can result in surprising "
                        "behavior; a DNS label is recommended: [{}]",
                        list));
      }
    }
    // Of the template only where it is another.
    if (old != nullptr && object.metadata().generation() == old->metadata().generation()) return warnings;
    for (std::string& warning : GetWarningsForPodTemplate(controller.spec().template_(), "template")) {
      warnings.push_back(std::move(warning));
    }
    return warnings;
  }
  bool DefaultOrphan(const RequestContext&) const override { return true; }
  std::vector<std::string> ResetFields() const override { return {"status"}; }
  std::vector<std::pair<std::string, std::string>> SelectableFields(const Object& object) const override {
    return {{"status.replicas", std::to_string(object.As<core::ReplicationController>().status().replicas())}};
  }
  std::vector<std::string_view> SelectableFieldNames() const override { return {"status.replicas"}; }
  std::vector<Column> Columns() const override {
    return {NameColumn(), NumberColumn("Desired"),     NumberColumn("Current"), NumberColumn("Ready"),
            AgeColumn(),  TextColumn("Containers", 1), TextColumn("Images", 1), TextColumn("Selector", 1)};
  }
  std::vector<Cell> Row(const core::ReplicationController& controller, WallTime now) const override {
    auto [names, images] = LayoutContainerCells(controller.spec().template_().spec().containers());
    return {controller.metadata().name(),
            int64_t{controller.spec().replicas()},
            int64_t{controller.status().replicas()},
            int64_t{controller.status().readyreplicas()},
            Age(controller.metadata(), now),
            std::move(names),
            std::move(images),
            FormatLabels(controller.spec().selector())};
  }
};

class ControllerStatusStrategy : public ControllerStrategy {
 public:
  void PrepareUpdate(const RequestContext&, core::ReplicationController& updated,
                     const core::ReplicationController& old) const override {
    *updated.mutable_spec() = old.spec();
  }
  field::ErrorList CheckUpdate(const RequestContext&, const core::ReplicationController& updated,
                               const core::ReplicationController&) const override {
    return api::ValidateReplicationControllerStatusUpdate(updated);
  }
  std::vector<std::string> ResetFields() const override { return {"spec"}; }
};

Result<ScaleState> ReadScale(const Object& object) {
  const auto& controller = object.As<core::ReplicationController>();
  const auto& selector = controller.spec().selector();
  return ScaleState{.desired = controller.spec().replicas(),
                    .observed = controller.status().replicas(),
                    .selector = selector.empty() ? std::string() : FormatLabels(selector)};
}

// --- PodTemplate

class PodTemplateStrategy : public TypedStrategy<core::PodTemplate> {
 public:
  void Default(core::PodTemplate& object) const override { api::SetDefaults(object); }
  void PrepareCreate(const RequestContext&, core::PodTemplate& object) const override {
    object.mutable_metadata()->set_generation(1);
    DropDisabledTemplateFields(*object.mutable_template_(), nullptr);
  }
  void PrepareUpdate(const RequestContext&, core::PodTemplate& updated, const core::PodTemplate& old) const override {
    DropDisabledTemplateFields(*updated.mutable_template_(), &old.template_());
    const bool changed = !api::SemanticEqual(updated.template_(), old.template_());
    updated.mutable_metadata()->set_generation(old.metadata().generation() + (changed ? 1 : 0));
  }
  field::ErrorList Check(const RequestContext&, const core::PodTemplate& object) const override {
    return api::ValidatePodTemplateSpec(object.template_(), field::Path("template"));
  }
  std::vector<std::string> Warnings(const RequestContext&, const Object& object, const Object* old) const override {
    if (old != nullptr && object.metadata().generation() == old->metadata().generation()) return {};
    return GetWarningsForPodTemplate(object.As<core::PodTemplate>().template_(), "template");
  }
  bool ReturnDeletedObject() const override { return true; }
  std::vector<Column> Columns() const override {
    return {NameColumn(), TextColumn("Containers"), TextColumn("Images"), TextColumn("Pod Labels")};
  }
  std::vector<Cell> Row(const core::PodTemplate& object, WallTime) const override {
    auto [names, images] = LayoutContainerCells(object.template_().spec().containers());
    return {object.metadata().name(), std::move(names), std::move(images),
            FormatLabels(object.template_().metadata().labels())};
  }
};

// --- LimitRange: upstream has no columns of its own beside the name and the time.

class LimitRangeStrategy : public TypedStrategy<core::LimitRange> {
 public:
  void Default(core::LimitRange& range) const override { api::SetDefaults(range); }
  field::ErrorList Check(const RequestContext&, const core::LimitRange& range) const override {
    return api::ValidateLimitRange(range);
  }
  bool AllowCreateOnUpdate() const override { return true; }
  std::vector<Column> Columns() const override {
    return {NameColumn(), {.name = "Created At", .type = "date", .description = "When the server made the object."}};
  }
  std::vector<Cell> Row(const core::LimitRange& range, WallTime) const override {
    const time_t seconds = static_cast<time_t>(range.metadata().creationtimestamp().seconds());
    tm parts{};
    gmtime_r(&seconds, &parts);
    char text[32];
    const size_t size = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return {range.metadata().name(), std::string(text, size)};
  }
};

// --- ResourceQuota

class QuotaStrategy : public TypedStrategy<core::ResourceQuota> {
 public:
  void Default(core::ResourceQuota& quota) const override { api::SetDefaults(quota); }
  void PrepareCreate(const RequestContext&, core::ResourceQuota& quota) const override {
    quota.mutable_status()->Clear();
  }
  void PrepareUpdate(const RequestContext&, core::ResourceQuota& updated,
                     const core::ResourceQuota& old) const override {
    *updated.mutable_status() = old.status();
  }
  field::ErrorList Check(const RequestContext&, const core::ResourceQuota& quota) const override {
    return api::ValidateResourceQuota(quota);
  }
  field::ErrorList CheckUpdate(const RequestContext&, const core::ResourceQuota& updated,
                               const core::ResourceQuota& old) const override {
    return api::ValidateResourceQuotaUpdate(updated, old);
  }
  bool ReturnDeletedObject() const override { return true; }
  std::vector<std::string> ResetFields() const override { return {"status"}; }
  std::vector<Column> Columns() const override {
    return {NameColumn(), AgeColumn(), TextColumn("Request"), TextColumn("Limit")};
  }
  std::vector<Cell> Row(const core::ResourceQuota& quota, WallTime now) const override {
    const core::ResourceQuotaStatus& status = quota.status();
    std::vector<std::string> names;
    for (const auto& [name, quantity] : status.hard()) names.push_back(name);
    std::sort(names.begin(), names.end());
    std::string requests, limits;
    for (const std::string& name : names) {
      const auto used = status.used().find(name);
      const Quantity quantity = used == status.used().end() ? Quantity() : Quantity::From(used->second);
      std::string& text = name.starts_with("limits.") ? limits : requests;
      text += fmt::format("{}{}: {}/{}", text.empty() ? "" : ", ", name, quantity.ToString(),
                          Quantity::From(status.hard().at(name)).ToString());
    }
    return {quota.metadata().name(), Age(quota.metadata(), now), requests, limits};
  }
};

class QuotaStatusStrategy : public QuotaStrategy {
 public:
  void PrepareUpdate(const RequestContext&, core::ResourceQuota& updated,
                     const core::ResourceQuota& old) const override {
    *updated.mutable_spec() = old.spec();
  }
  field::ErrorList CheckUpdate(const RequestContext&, const core::ResourceQuota& updated,
                               const core::ResourceQuota&) const override {
    return api::ValidateResourceQuotaStatusUpdate(updated);
  }
  std::vector<std::string> ResetFields() const override { return {"spec"}; }
};

}  // namespace

Kind ReplicationControllerKind() {
  Kind kind = BuiltinKind("", "replicationcontrollers", {"v1"}, std::make_shared<ControllerStrategy>());
  kind.storage_prefix = "/registry/controllers/";
  kind.name_validator = names::NameIsDNSSubdomain;
  kind.subresources.push_back(
      ScaleSubresource("", "replicationcontrollers", ReadScale, [](Object& object, int32_t replicas) {
        object.As<core::ReplicationController>().mutable_spec()->set_replicas(replicas);
      }));
  kind.subresources.push_back(StatusSubresource(std::make_shared<ControllerStatusStrategy>()));
  return kind;
}

Kind PodTemplateKind() {
  Kind kind = BuiltinKind("", "podtemplates", {"v1"}, std::make_shared<PodTemplateStrategy>());
  kind.name_validator = names::NameIsDNSSubdomain;
  return kind;
}

Kind LimitRangeKind() {
  Kind kind = BuiltinKind("", "limitranges", {"v1"}, std::make_shared<LimitRangeStrategy>());
  kind.name_validator = names::NameIsDNSSubdomain;
  return kind;
}

Kind ResourceQuotaKind() {
  Kind kind = BuiltinKind("", "resourcequotas", {"v1"}, std::make_shared<QuotaStrategy>());
  kind.name_validator = names::NameIsDNSSubdomain;
  kind.subresources.push_back(StatusSubresource(std::make_shared<QuotaStatusStrategy>()));
  return kind;
}

}  // namespace knarr::registry::core_group
