#include "pkg/apiserver/registry/events/kinds.h"

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/conversion/conversion.h"
#include "pkg/api/core/validation.h"
#include "pkg/apiserver/registry/core/event.h"
#include "pkg/apiserver/registry/strategies.h"

namespace knarr::registry {
namespace {

// Events of this group are stored, printed and selected as those of the core group, but validated more strictly.
class EventStrategy : public Strategy {
 public:
  explicit EventStrategy(std::shared_ptr<const Strategy> core) : core_(std::move(core)) {}

  field::ErrorList Validate(const RequestContext&, const Object& object) const override {
    return api::ValidateEventStrictly(ToCore(object).As<core::Event>(), nullptr);
  }
  field::ErrorList ValidateUpdate(const RequestContext&, const Object& updated, const Object& old) const override {
    const Object before = ToCore(old);
    return api::ValidateEventStrictly(ToCore(updated).As<core::Event>(), &before.As<core::Event>());
  }
  bool AllowCreateOnUpdate() const override { return true; }
  // By the core group's names: conversion::ConvertFieldLabel gives them for this group's.
  std::vector<std::pair<std::string, std::string>> SelectableFields(const Object& object) const override {
    return core_->SelectableFields(ToCore(object));
  }
  std::vector<std::string_view> SelectableFieldNames() const override { return core_->SelectableFieldNames(); }
  std::vector<Column> Columns() const override { return core_->Columns(); }
  std::vector<Cell> Cells(const Object& object, WallTime now) const override {
    return core_->Cells(ToCore(object), now);
  }

 private:
  static Object ToCore(const Object& object) {
    auto converted = conversion::Convert(object.message(), "Event", "events.k8s.io/v1", "v1");
    // Every event can be said in both.
    KNARR_CHECK(converted.ok());
    return Object(std::move(*converted));
  }

  std::shared_ptr<const Strategy> core_;
};

}  // namespace

std::vector<Kind> EventsKinds(const BuiltinDeps&) {
  const Kind core = core_group::EventKind();
  Kind kind = BuiltinKind("events.k8s.io", "events", {"v1", "v1beta1"}, std::make_shared<EventStrategy>(core.strategy));
  kind.storage_version = core.storage_version;
  kind.storage_prefix = core.storage_prefix;
  kind.ttl_seconds = core.ttl_seconds;
  kind.name_validator = core.name_validator;
  Deprecate(kind, "v1beta1", 22, 25, "");
  return {std::move(kind)};
}

}  // namespace knarr::registry
