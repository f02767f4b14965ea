#include "pkg/apiserver/registry/flowcontrol/kinds.h"

#include "k8s.io/api/flowcontrol/v1/generated.pb.h"
#include "pkg/api/flowcontrol/validation.h"
#include "pkg/api/names/names.h"
#include "pkg/apiserver/registry/printers.h"
#include "pkg/apiserver/registry/strategies.h"

namespace knarr::registry {
namespace {

using field::ErrorList;
using flowcontrol::FlowSchema;
using flowcontrol::PriorityLevelConfiguration;

class FlowSchemaStrategy : public SpecStrategy<FlowSchema> {
 public:
  void Default(FlowSchema& schema) const override { api::SetDefaults(schema); }
  ErrorList Check(const RequestContext&, const FlowSchema& schema) const override {
    return api::ValidateFlowSchema(schema);
  }
  std::vector<Column> Columns() const override {
    return {
        NameColumn(), TextColumn("PriorityLevel"), TextColumn("MatchingPrecedence"), TextColumn("DistinguisherMethod"),
        AgeColumn(),  TextColumn("MissingPL")};
  }
  std::vector<Cell> Row(const FlowSchema& schema, WallTime now) const override {
    std::string missing = "?";
    for (const auto& condition : schema.status().conditions()) {
      if (condition.type() == "Dangling") missing = condition.status();
    }
    const auto& spec = schema.spec();
    return {schema.metadata().name(),
            spec.prioritylevelconfiguration().name(),
            int64_t{spec.matchingprecedence()},
            spec.has_distinguishermethod() ? spec.distinguishermethod().type() : std::string("<none>"),
            Age(schema.metadata(), now),
            std::move(missing)};
  }
};

class FlowSchemaStatusStrategy : public FlowSchemaStrategy {
 public:
  void PrepareUpdate(const RequestContext&, FlowSchema& updated, const FlowSchema& old) const override {
    KeepSpec(updated, old);
  }
  ErrorList CheckUpdate(const RequestContext&, const FlowSchema& updated, const FlowSchema&) const override {
    return api::ValidateFlowSchemaStatus(updated);
  }
};

class PriorityLevelStrategy : public SpecStrategy<PriorityLevelConfiguration> {
 public:
  void Default(PriorityLevelConfiguration& level) const override { api::SetDefaults(level); }
  ErrorList Check(const RequestContext&, const PriorityLevelConfiguration& level) const override {
    return api::ValidatePriorityLevel(level);
  }
  std::vector<Column> Columns() const override {
    return {NameColumn(),         TextColumn("Type"),     TextColumn("NominalConcurrencyShares"),
            TextColumn("Queues"), TextColumn("HandSize"), TextColumn("QueueLengthLimit"),
            AgeColumn()};
  }
  std::vector<Cell> Row(const PriorityLevelConfiguration& level, WallTime now) const override {
    const auto& spec = level.spec();
    const auto cell = [](bool set, int32_t value) -> Cell {
      if (!set) return std::string("<none>");
      return int64_t{value};
    };
    const auto& queuing = spec.limited().limitresponse().queuing();
    const bool queues = spec.limited().limitresponse().has_queuing();
    return {level.metadata().name(),
            spec.type(),
            cell(spec.has_limited(), spec.limited().nominalconcurrencyshares()),
            cell(queues, queuing.queues()),
            cell(queues, queuing.handsize()),
            cell(queues, queuing.queuelengthlimit()),
            Age(level.metadata(), now)};
  }
};

class PriorityLevelStatusStrategy : public PriorityLevelStrategy {
 public:
  void PrepareUpdate(const RequestContext&, PriorityLevelConfiguration& updated,
                     const PriorityLevelConfiguration& old) const override {
    KeepSpec(updated, old);
  }
  ErrorList CheckUpdate(const RequestContext&, const PriorityLevelConfiguration& updated,
                        const PriorityLevelConfiguration&) const override {
    return api::ValidatePriorityLevelStatus(updated);
  }
};

Kind Make(std::string_view resource, std::shared_ptr<const Strategy> main, std::shared_ptr<const Strategy> status) {
  constexpr std::string_view kGroup = "flowcontrol.apiserver.k8s.io";
  Kind kind = BuiltinKind(kGroup, resource, {"v1", "v1beta1", "v1beta2", "v1beta3"}, std::move(main));
  // The version that 1.20 can read.
  kind.storage_version = fmt::format("{}/v1beta1", kGroup);
  kind.name_validator = names::NameIsDNSSubdomain;
  kind.subresources.push_back(StatusPart(std::move(status)));
  Deprecate(kind, "v1beta1", 23, 26, "v1beta3");
  Deprecate(kind, "v1beta2", 26, 29, "v1beta3");
  Deprecate(kind, "v1beta3", 29, 32, "v1");
  return kind;
}

}  // namespace

std::vector<Kind> FlowcontrolKinds(const BuiltinDeps&) {
  return {Make("flowschemas", std::make_shared<FlowSchemaStrategy>(), std::make_shared<FlowSchemaStatusStrategy>()),
          Make("prioritylevelconfigurations", std::make_shared<PriorityLevelStrategy>(),
               std::make_shared<PriorityLevelStatusStrategy>())};
}

}  // namespace knarr::registry
