#include "pkg/apiserver/registry/autoscaling/kinds.h"

#include "k8s.io/api/autoscaling/v2/generated.pb.h"
#include "pkg/api/autoscaling/validation.h"
#include "pkg/api/names/names.h"
#include "pkg/api/resource/quantity.h"
#include "pkg/apiserver/registry/printers.h"
#include "pkg/apiserver/registry/strategies.h"

namespace knarr::registry {
namespace {

using autoscaling::HorizontalPodAutoscaler;

constexpr const char* kUnknown = "<unknown>";

std::string Text(const resource_pb::Quantity& quantity) {
  return Quantity::From(quantity).ToString();
}

// Current and target of an object or external metric.
template <typename Target, typename Status>
std::string ValueOrAverage(const Target& target, const Status* status) {
  std::string current = kUnknown;
  if (target.has_averagevalue()) {
    if (status != nullptr && status->current().has_averagevalue()) current = Text(status->current().averagevalue());
    return fmt::format("{}/{} (avg)", current, Text(target.averagevalue()));
  }
  if (status != nullptr) current = Text(status->current().value());
  return fmt::format("{}/{}", current, Text(target.value()));
}

template <typename Source, typename Status>
std::string OfResource(const Source& source, const Status* status) {
  std::string current = kUnknown;
  if (source.target().has_averagevalue()) {
    if (status != nullptr) current = Text(status->current().averagevalue());
    return fmt::format("{}: {}/{}", source.name(), current, Text(source.target().averagevalue()));
  }
  if (status != nullptr && status->current().has_averageutilization()) {
    current = fmt::format("{}%", status->current().averageutilization());
  }
  const std::string target = source.target().has_averageutilization()
                                 ? fmt::format("{}%", source.target().averageutilization())
                                 : std::string("<auto>");
  return fmt::format("{}: {}/{}", source.name(), current, target);
}

std::string FormatMetric(const autoscaling::MetricSpec& spec, const autoscaling::MetricStatus* status) {
  if (spec.type() == "External") {
    return ValueOrAverage(spec.external().target(),
                          status != nullptr && status->has_external() ? &status->external() : nullptr);
  }
  if (spec.type() == "Object") {
    return ValueOrAverage(spec.object().target(),
                          status != nullptr && status->has_object() ? &status->object() : nullptr);
  }
  if (spec.type() == "Pods") {
    const bool known = status != nullptr && status->has_pods();
    return fmt::format("{}/{}", known ? Text(status->pods().current().averagevalue()) : std::string(kUnknown),
                       Text(spec.pods().target().averagevalue()));
  }
  if (spec.type() == "Resource") {
    return OfResource(spec.resource(), status != nullptr && status->has_resource() ? &status->resource() : nullptr);
  }
  if (spec.type() == "ContainerResource") {
    return OfResource(spec.containerresource(),
                      status != nullptr && status->has_containerresource() ? &status->containerresource() : nullptr);
  }
  return "<unknown type>";
}

std::string FormatMetrics(const HorizontalPodAutoscaler& autoscaler) {
  constexpr int kShown = 2;
  const auto& specs = autoscaler.spec().metrics();
  const auto& statuses = autoscaler.status().currentmetrics();
  if (specs.empty()) return "<none>";
  std::string list;
  for (int i = 0; i < specs.size() && i < kShown; ++i) {
    if (i > 0) list += ", ";
    list += FormatMetric(specs[i], i < statuses.size() ? &statuses[i] : nullptr);
  }
  if (specs.size() > kShown) list += fmt::format(" + {} more...", specs.size() - kShown);
  return list;
}

class AutoscalerStrategy : public TypedStrategy<HorizontalPodAutoscaler> {
 public:
  void Default(HorizontalPodAutoscaler& autoscaler) const override { api::SetDefaults(autoscaler); }
  void PrepareCreate(const RequestContext&, HorizontalPodAutoscaler& autoscaler) const override {
    autoscaler.clear_status();
  }
  void PrepareUpdate(const RequestContext&, HorizontalPodAutoscaler& updated,
                     const HorizontalPodAutoscaler& old) const override {
    KeepStatus(updated, old);
  }
  field::ErrorList Check(const RequestContext&, const HorizontalPodAutoscaler& autoscaler) const override {
    return api::ValidateHorizontalPodAutoscaler(autoscaler, 1);
  }
  field::ErrorList CheckUpdate(const RequestContext&, const HorizontalPodAutoscaler& updated,
                               const HorizontalPodAutoscaler& old) const override {
    const bool zero_already = old.spec().has_minreplicas() && old.spec().minreplicas() == 0;
    return api::ValidateHorizontalPodAutoscaler(updated, zero_already ? 0 : 1);
  }
  std::vector<Column> Columns() const override {
    return {NameColumn(),
            TextColumn("Reference"),
            TextColumn("Targets"),
            TextColumn("MinPods"),
            TextColumn("MaxPods"),
            TextColumn("Replicas"),
            AgeColumn()};
  }
  std::vector<Cell> Row(const HorizontalPodAutoscaler& autoscaler, WallTime now) const override {
    const auto& spec = autoscaler.spec();
    return {autoscaler.metadata().name(),
            fmt::format("{}/{}", spec.scaletargetref().kind(), spec.scaletargetref().name()),
            FormatMetrics(autoscaler),
            spec.has_minreplicas() ? std::to_string(spec.minreplicas()) : std::string("<unset>"),
            int64_t{spec.maxreplicas()},
            int64_t{autoscaler.status().currentreplicas()},
            Age(autoscaler.metadata(), now)};
  }
};

class AutoscalerStatusStrategy : public AutoscalerStrategy {
 public:
  void PrepareUpdate(const RequestContext&, HorizontalPodAutoscaler& updated,
                     const HorizontalPodAutoscaler& old) const override {
    KeepSpec(updated, old);
  }
  field::ErrorList CheckUpdate(const RequestContext&, const HorizontalPodAutoscaler& updated,
                               const HorizontalPodAutoscaler&) const override {
    return api::ValidateHorizontalPodAutoscalerStatus(updated);
  }
};

}  // namespace

std::vector<Kind> AutoscalingKinds(const BuiltinDeps&) {
  Kind kind = BuiltinKind("autoscaling", "horizontalpodautoscalers", {"v2", "v1", "v2beta1", "v2beta2"},
                          std::make_shared<AutoscalerStrategy>());
  // The version that 1.20 can read.
  kind.storage_version = "autoscaling/v1";
  kind.name_validator = names::NameIsDNSSubdomain;
  kind.subresources.push_back(StatusPart(std::make_shared<AutoscalerStatusStrategy>()));
  Deprecate(kind, "v2beta1", 22, 25, "v2");
  Deprecate(kind, "v2beta2", 23, 26, "v2");
  return {std::move(kind)};
}

}  // namespace knarr::registry
