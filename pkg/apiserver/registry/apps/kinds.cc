#include "pkg/apiserver/registry/apps/kinds.h"

#include <charconv>

#include "k8s.io/api/apps/v1/generated.pb.h"
#include "pkg/api/apps/defaults.h"
#include "pkg/api/apps/validation.h"
#include "pkg/api/labels/selector.h"
#include "pkg/api/names/names.h"
#include "pkg/apiserver/registry/printers.h"
#include "pkg/apiserver/registry/scale.h"
#include "pkg/apiserver/registry/strategies.h"

namespace knarr::registry {
namespace {

using field::ErrorList;

// The generation of a DaemonSet's template; a field in upstream's internal version, in v1 an annotation.
constexpr const char* kTemplateGeneration = "deprecated.daemonset.template.generation";

std::vector<Column> WithContainers(std::vector<Column> columns, bool selector) {
  columns.push_back(TextColumn("Containers", 1));
  columns.push_back(TextColumn("Images", 1));
  if (selector) columns.push_back(TextColumn("Selector", 1));
  return columns;
}

template <typename T>
void AddContainers(const T& object, std::vector<Cell>& row) {
  auto [names, images] = LayoutContainerCells(object.spec().template_().spec().containers());
  row.emplace_back(std::move(names));
  row.emplace_back(std::move(images));
}

// --- Deployment. Mirrors: pkg/registry/apps/deployment/strategy.go

class DeploymentStrategy : public SpecStrategy<apps::Deployment> {
 public:
  void Default(apps::Deployment& deployment) const override { api::SetDefaults(deployment); }
  void PrepareUpdate(const RequestContext&, apps::Deployment& updated, const apps::Deployment& old) const override {
    KeepStatus(updated, old);
    CountGeneration(updated, old);
    // Annotations are part of what is rolled out: the controller copies them to the ReplicaSet.
    const auto& annotations = updated.metadata().annotations();
    const auto& before = old.metadata().annotations();
    const bool same = annotations.size() == before.size() &&
                      std::all_of(annotations.begin(), annotations.end(), [&](const auto& entry) {
                        const auto found = before.find(entry.first);
                        return found != before.end() && found->second == entry.second;
                      });
    if (!same) updated.mutable_metadata()->set_generation(old.metadata().generation() + 1);
  }
  ErrorList Check(const RequestContext&, const apps::Deployment& deployment) const override {
    return api::ValidateDeployment(deployment);
  }
  ErrorList CheckUpdate(const RequestContext&, const apps::Deployment& updated,
                        const apps::Deployment& old) const override {
    return api::ValidateDeploymentUpdate(updated, old);
  }
  std::vector<std::string> Warnings(const RequestContext&, const Object& object, const Object* old) const override {
    std::vector<std::string> warnings;
    if (old == nullptr) WarnOfPodNames(object.metadata().name(), warnings);
    return warnings;
  }
  std::vector<Column> Columns() const override {
    return WithContainers(
        {NameColumn(), TextColumn("Ready"), TextColumn("Up-to-date"), TextColumn("Available"), AgeColumn()}, true);
  }
  std::vector<Cell> Row(const apps::Deployment& deployment, WallTime now) const override {
    const auto& status = deployment.status();
    std::vector<Cell> row = {
        deployment.metadata().name(), fmt::format("{}/{}", status.readyreplicas(), deployment.spec().replicas()),
        int64_t{status.updatedreplicas()}, int64_t{status.availablereplicas()}, Age(deployment.metadata(), now)};
    AddContainers(deployment, row);
    row.emplace_back(FormatLabelSelector(deployment.spec().selector()));
    return row;
  }
};

class DeploymentStatusStrategy : public DeploymentStrategy {
 public:
  void PrepareUpdate(const RequestContext&, apps::Deployment& updated, const apps::Deployment& old) const override {
    KeepSpec(updated, old);
    *updated.mutable_metadata()->mutable_labels() = old.metadata().labels();
  }
  ErrorList CheckUpdate(const RequestContext&, const apps::Deployment& updated,
                        const apps::Deployment& old) const override {
    return api::ValidateDeploymentStatusUpdate(updated, old);
  }
};

// --- ReplicaSet. Mirrors: pkg/registry/apps/replicaset/strategy.go

class ReplicaSetStrategy : public SpecStrategy<apps::ReplicaSet> {
 public:
  void Default(apps::ReplicaSet& replica_set) const override { api::SetDefaults(replica_set); }
  ErrorList Check(const RequestContext&, const apps::ReplicaSet& replica_set) const override {
    return api::ValidateReplicaSet(replica_set);
  }
  ErrorList CheckUpdate(const RequestContext&, const apps::ReplicaSet& updated,
                        const apps::ReplicaSet& old) const override {
    return api::ValidateReplicaSetUpdate(updated, old);
  }
  std::vector<std::string> Warnings(const RequestContext&, const Object& object, const Object* old) const override {
    std::vector<std::string> warnings;
    if (old == nullptr) WarnOfPodNames(object.metadata().name(), warnings);
    return warnings;
  }
  std::vector<std::pair<std::string, std::string>> SelectableFields(const Object& object) const override {
    return {{"status.replicas", std::to_string(object.As<apps::ReplicaSet>().status().replicas())}};
  }
  std::vector<std::string_view> SelectableFieldNames() const override { return {"status.replicas"}; }
  std::vector<Column> Columns() const override {
    return WithContainers(
        {NameColumn(), NumberColumn("Desired"), NumberColumn("Current"), NumberColumn("Ready"), AgeColumn()}, true);
  }
  std::vector<Cell> Row(const apps::ReplicaSet& replica_set, WallTime now) const override {
    const auto& status = replica_set.status();
    std::vector<Cell> row = {replica_set.metadata().name(), int64_t{replica_set.spec().replicas()},
                             int64_t{status.replicas()}, int64_t{status.readyreplicas()},
                             Age(replica_set.metadata(), now)};
    AddContainers(replica_set, row);
    row.emplace_back(FormatLabelSelector(replica_set.spec().selector()));
    return row;
  }
};

class ReplicaSetStatusStrategy : public ReplicaSetStrategy {
 public:
  void PrepareUpdate(const RequestContext&, apps::ReplicaSet& updated, const apps::ReplicaSet& old) const override {
    KeepSpec(updated, old);
  }
  ErrorList CheckUpdate(const RequestContext&, const apps::ReplicaSet& updated,
                        const apps::ReplicaSet&) const override {
    return api::ValidateReplicaSetStatus(updated);
  }
};

// --- DaemonSet. Mirrors: pkg/registry/apps/daemonset/strategy.go

int64_t TemplateGeneration(const apps::DaemonSet& daemon_set) {
  const auto found = daemon_set.metadata().annotations().find(kTemplateGeneration);
  if (found == daemon_set.metadata().annotations().end()) return 0;
  int64_t value = 0;
  const std::string& text = found->second;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

void SetTemplateGeneration(apps::DaemonSet& daemon_set, int64_t value) {
  (*daemon_set.mutable_metadata()->mutable_annotations())[kTemplateGeneration] = std::to_string(value);
}

class DaemonSetStrategy : public SpecStrategy<apps::DaemonSet> {
 public:
  void Default(apps::DaemonSet& daemon_set) const override {
    api::SetDefaults(daemon_set);
    // Upstream's hub has a field for it, which the conversion always writes: clients own it from creation.
    daemon_set.mutable_metadata()->mutable_annotations()->insert({kTemplateGeneration, "0"});
  }
  void PrepareCreate(const RequestContext&, apps::DaemonSet& daemon_set) const override {
    daemon_set.clear_status();
    daemon_set.mutable_metadata()->set_generation(1);
    SetTemplateGeneration(daemon_set, std::max<int64_t>(TemplateGeneration(daemon_set), 1));
  }
  void PrepareUpdate(const RequestContext&, apps::DaemonSet& updated, const apps::DaemonSet& old) const override {
    KeepStatus(updated, old);
    CountGeneration(updated, old);
    const bool same = api::SemanticEqual(updated.spec().template_(), old.spec().template_());
    SetTemplateGeneration(updated, TemplateGeneration(old) + (same ? 0 : 1));
  }
  ErrorList Check(const RequestContext&, const apps::DaemonSet& daemon_set) const override {
    return api::ValidateDaemonSet(daemon_set);
  }
  ErrorList CheckUpdate(const RequestContext&, const apps::DaemonSet& updated,
                        const apps::DaemonSet& old) const override {
    return api::ValidateDaemonSetUpdate(updated, old);
  }
  std::vector<Column> Columns() const override {
    return WithContainers(
        {NameColumn(), NumberColumn("Desired"), NumberColumn("Current"), NumberColumn("Ready"),
         NumberColumn("Up-to-date"), NumberColumn("Available"), TextColumn("Node Selector"), AgeColumn()},
        true);
  }
  std::vector<Cell> Row(const apps::DaemonSet& daemon_set, WallTime now) const override {
    const auto& status = daemon_set.status();
    std::vector<Cell> row = {daemon_set.metadata().name(),
                             int64_t{status.desirednumberscheduled()},
                             int64_t{status.currentnumberscheduled()},
                             int64_t{status.numberready()},
                             int64_t{status.updatednumberscheduled()},
                             int64_t{status.numberavailable()},
                             FormatLabels(daemon_set.spec().template_().spec().nodeselector()),
                             Age(daemon_set.metadata(), now)};
    AddContainers(daemon_set, row);
    row.emplace_back(FormatLabelSelector(daemon_set.spec().selector()));
    return row;
  }
};

class DaemonSetStatusStrategy : public DaemonSetStrategy {
 public:
  void PrepareUpdate(const RequestContext&, apps::DaemonSet& updated, const apps::DaemonSet& old) const override {
    KeepSpec(updated, old);
    SetTemplateGeneration(updated, TemplateGeneration(old));
  }
  ErrorList CheckUpdate(const RequestContext&, const apps::DaemonSet& updated,
                        const apps::DaemonSet& old) const override {
    return api::ValidateDaemonSetStatusUpdate(updated, old);
  }
};

// --- StatefulSet. Mirrors: pkg/registry/apps/statefulset/strategy.go

bool UsesMaxUnavailable(const apps::StatefulSet& stateful_set) {
  return stateful_set.spec().updatestrategy().rollingupdate().has_maxunavailable();
}

// An alpha feature: the field goes unless the object has it already.
void DropMaxUnavailable(apps::StatefulSet& stateful_set, const apps::StatefulSet* old) {
  if (!UsesMaxUnavailable(stateful_set) || (old != nullptr && UsesMaxUnavailable(*old))) return;
  stateful_set.mutable_spec()->mutable_updatestrategy()->mutable_rollingupdate()->clear_maxunavailable();
}

class StatefulSetStrategy : public SpecStrategy<apps::StatefulSet> {
 public:
  void Default(apps::StatefulSet& stateful_set) const override { api::SetDefaults(stateful_set); }
  void PrepareCreate(const RequestContext& rc, apps::StatefulSet& stateful_set) const override {
    SpecStrategy::PrepareCreate(rc, stateful_set);
    DropMaxUnavailable(stateful_set, nullptr);
  }
  void PrepareUpdate(const RequestContext& rc, apps::StatefulSet& updated,
                     const apps::StatefulSet& old) const override {
    DropMaxUnavailable(updated, &old);
    SpecStrategy::PrepareUpdate(rc, updated, old);
  }
  ErrorList Check(const RequestContext&, const apps::StatefulSet& stateful_set) const override {
    return api::ValidateStatefulSet(stateful_set);
  }
  ErrorList CheckUpdate(const RequestContext&, const apps::StatefulSet& updated,
                        const apps::StatefulSet& old) const override {
    return api::ValidateStatefulSetUpdate(updated, old);
  }
  std::vector<std::string> Warnings(const RequestContext&, const Object& object, const Object* old) const override {
    std::vector<std::string> warnings;
    if (old == nullptr) WarnOfPodNames(object.metadata().name(), warnings);
    return warnings;
  }
  std::vector<Column> Columns() const override {
    return WithContainers({NameColumn(), TextColumn("Ready"), AgeColumn()}, false);
  }
  std::vector<Cell> Row(const apps::StatefulSet& stateful_set, WallTime now) const override {
    std::vector<Cell> row = {
        stateful_set.metadata().name(),
        fmt::format("{}/{}", stateful_set.status().readyreplicas(), stateful_set.spec().replicas()),
        Age(stateful_set.metadata(), now)};
    AddContainers(stateful_set, row);
    return row;
  }
};

class StatefulSetStatusStrategy : public StatefulSetStrategy {
 public:
  void PrepareUpdate(const RequestContext&, apps::StatefulSet& updated, const apps::StatefulSet& old) const override {
    KeepSpec(updated, old);
  }
  ErrorList CheckUpdate(const RequestContext&, const apps::StatefulSet& updated,
                        const apps::StatefulSet& old) const override {
    return api::ValidateStatefulSetStatusUpdate(updated, old);
  }
};

// --- ControllerRevision. Mirrors: pkg/registry/apps/controllerrevision/strategy.go

class ControllerRevisionStrategy : public TypedStrategy<apps::ControllerRevision> {
 public:
  ErrorList Check(const RequestContext&, const apps::ControllerRevision& revision) const override {
    return api::ValidateControllerRevision(revision);
  }
  ErrorList CheckUpdate(const RequestContext&, const apps::ControllerRevision& updated,
                        const apps::ControllerRevision& old) const override {
    return api::ValidateControllerRevisionUpdate(updated, old);
  }
  std::vector<Column> Columns() const override {
    return {NameColumn(), TextColumn("Controller"), TextColumn("Revision"), AgeColumn()};
  }
  std::vector<Cell> Row(const apps::ControllerRevision& revision, WallTime now) const override {
    std::string controller = "<none>";
    for (const auto& owner : revision.metadata().ownerreferences()) {
      if (!owner.controller()) continue;
      // The resource that upstream guesses from the kind, qualified by the group.
      const size_t slash = owner.apiversion().find('/');
      std::string kind = owner.kind();
      for (char& c : kind) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
      controller = slash == std::string::npos
                       ? fmt::format("{}/{}", kind, owner.name())
                       : fmt::format("{}.{}/{}", kind, owner.apiversion().substr(0, slash), owner.name());
    }
    return {revision.metadata().name(), std::move(controller), int64_t{revision.revision()},
            Age(revision.metadata(), now)};
  }
};

template <typename Main, typename Status>
Kind Workload(std::string_view resource) {
  Kind kind = BuiltinKind("apps", resource, {"v1"}, std::make_shared<Main>());
  kind.name_validator = names::NameIsDNSSubdomain;
  kind.subresources.push_back(StatusPart(std::make_shared<Status>()));
  return kind;
}

template <typename T>
Subresource Scale(std::string resource) {
  return ScaleSubresource(
      "apps", std::move(resource),
      [](const Object& object) -> Result<ScaleState> {
        const T& scaled = object.As<T>();
        const auto selector = KNARR_TRY(labels::LabelSelectorAsSelector(&scaled.spec().selector()));
        return ScaleState{scaled.spec().replicas(), scaled.status().replicas(), selector.ToString()};
      },
      [](Object& object, int32_t replicas) { object.As<T>().mutable_spec()->set_replicas(replicas); });
}

}  // namespace

std::vector<Kind> AppsKinds(const BuiltinDeps&) {
  std::vector<Kind> kinds;
  kinds.push_back(Workload<DeploymentStrategy, DeploymentStatusStrategy>("deployments"));
  kinds.back().subresources.push_back(Scale<apps::Deployment>("deployments"));
  kinds.push_back(Workload<ReplicaSetStrategy, ReplicaSetStatusStrategy>("replicasets"));
  kinds.back().subresources.push_back(Scale<apps::ReplicaSet>("replicasets"));
  kinds.push_back(Workload<DaemonSetStrategy, DaemonSetStatusStrategy>("daemonsets"));
  kinds.push_back(Workload<StatefulSetStrategy, StatefulSetStatusStrategy>("statefulsets"));
  kinds.back().subresources.push_back(Scale<apps::StatefulSet>("statefulsets"));
  kinds.push_back(BuiltinKind("apps", "controllerrevisions", {"v1"}, std::make_shared<ControllerRevisionStrategy>()));
  kinds.back().name_validator = names::NameIsDNSSubdomain;
  return kinds;
}

}  // namespace knarr::registry
