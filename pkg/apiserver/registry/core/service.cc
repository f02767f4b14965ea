#include "pkg/apiserver/registry/core/service.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/names/names.h"
#include "pkg/apiserver/registry/core/internal.h"
#include "pkg/apiserver/registry/core/service/validation.h"
#include "pkg/apiserver/registry/printers.h"

namespace knarr::registry {
namespace {

using service::IsHeadless;
using service::NeedsClusterIp;
using service::NeedsHealthCheck;
using service::NeedsNodePort;

template <typename List>
bool Same(const List& a, const List& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

bool SameIps(const core::ServiceSpec& a, const core::ServiceSpec& b) {
  return a.clusterip() == b.clusterip() && Same(a.clusterips(), b.clusterips());
}

// What the client left out although it was given before. Mirrors: patchAllocatedValues
void KeepAllocated(core::Service& updated, const core::Service& old) {
  auto& now = *updated.mutable_spec();
  const auto& before = old.spec();
  if (NeedsClusterIp(old) && NeedsClusterIp(updated)) {
    if (now.clusterip().empty()) now.set_clusterip(before.clusterip());
    if (now.clusterips_size() == 0 && now.clusterip() == before.clusterip())
      *now.mutable_clusterips() = before.clusterips();
  }
  if (NeedsNodePort(old) && NeedsNodePort(updated)) {
    std::set<int> used, was;
    std::map<std::string, int> by_name;
    for (const auto& port : before.ports()) {
      if (port.nodeport() != 0) was.insert(port.nodeport());
      by_name[port.name()] = port.nodeport();
    }
    for (const auto& port : now.ports()) {
      if (was.contains(port.nodeport())) used.insert(port.nodeport());
    }
    for (auto& port : *now.mutable_ports()) {
      const auto found = by_name.find(port.name());
      if (port.nodeport() == 0 && found != by_name.end() && used.insert(found->second).second)
        port.set_nodeport(found->second);
    }
  }
  if (NeedsHealthCheck(old) && NeedsHealthCheck(updated) && now.healthchecknodeport() == 0)
    now.set_healthchecknodeport(before.healthchecknodeport());
}

// clusterIP and clusterIPs say the same, whichever of them the client knows. Mirrors: normalizeClusterIPs
void NormalizeIps(core::ServiceSpec& now, const core::ServiceSpec* before) {
  if (before == nullptr) {
    if (!now.clusterip().empty() && now.clusterips_size() == 0) now.add_clusterips(now.clusterip());
    return;
  }
  if (before->clusterips_size() > 0 && now.clusterips_size() == 0 && before->clusterip() == now.clusterip())
    *now.mutable_clusterips() = before->clusterips();
  if (before->clusterip() == now.clusterip() || !Same(before->clusterips(), now.clusterips())) return;
  now.clear_clusterips();
  if (!now.clusterip().empty()) now.add_clusterips(now.clusterip());
}

// Fields that belonged to the old type and that the client did not touch go with it. Mirrors: dropTypeDependentFields
void DropTypeDependentFields(core::Service& updated, const core::Service& old) {
  auto& now = *updated.mutable_spec();
  const auto& before = old.spec();
  if (NeedsClusterIp(old) && !NeedsClusterIp(updated)) {
    if (SameIps(now, before)) {
      now.clear_clusterip();
      now.clear_clusterips();
    }
    if (Same(now.ipfamilies(), before.ipfamilies())) now.clear_ipfamilies();
    if (now.ipfamilypolicy() == before.ipfamilypolicy()) now.clear_ipfamilypolicy();
  }
  if (NeedsNodePort(old) && !NeedsNodePort(updated)) {
    std::set<int> was;
    for (const auto& port : before.ports()) was.insert(port.nodeport());
    const bool same = std::all_of(now.ports().begin(), now.ports().end(), [&](const auto& port) {
      return port.nodeport() == 0 || was.contains(port.nodeport());
    });
    if (same) {
      for (auto& port : *now.mutable_ports()) port.clear_nodeport();
    }
  }
  if (NeedsHealthCheck(old) && !NeedsHealthCheck(updated) && now.healthchecknodeport() == before.healthchecknodeport())
    now.clear_healthchecknodeport();
  const bool balanced = before.type() == "LoadBalancer" && now.type() != "LoadBalancer";
  if (balanced && before.has_allocateloadbalancernodeports() && now.has_allocateloadbalancernodeports() &&
      before.allocateloadbalancernodeports() == now.allocateloadbalancernodeports())
    now.clear_allocateloadbalancernodeports();
  if (balanced && before.has_loadbalancerclass() == now.has_loadbalancerclass() &&
      before.loadbalancerclass() == now.loadbalancerclass())
    now.clear_loadbalancerclass();
  if (NeedsNodePort(old) && !NeedsNodePort(updated) && now.externaltrafficpolicy() == before.externaltrafficpolicy())
    now.clear_externaltrafficpolicy();
  if (now.type() != "LoadBalancer") updated.mutable_status()->clear_loadbalancer();
}

// Services of before dual stack. Mirrors: defaultOnReadService
void DefaultOnRead(core::Service& object, const std::string& primary) {
  auto& spec = *object.mutable_spec();
  NormalizeIps(spec, nullptr);
  if (!NeedsClusterIp(object) || spec.ipfamilies_size() > 0 || spec.clusterips_size() == 0) return;
  if (IsHeadless(object)) {
    if (primary.empty()) return;
    spec.add_ipfamilies(primary);
    if (spec.selector().empty()) spec.add_ipfamilies(primary == "IPv4" ? "IPv6" : "IPv4");
    if (!spec.has_ipfamilypolicy())
      spec.set_ipfamilypolicy(spec.selector().empty() ? "RequireDualStack" : "SingleStack");
    return;
  }
  for (const auto& ip : spec.clusterips()) spec.add_ipfamilies(std::string(service::FamilyOf(ip)));
  if (!spec.has_ipfamilypolicy())
    spec.set_ipfamilypolicy(spec.clusterips_size() > 1 ? "PreferDualStack" : "SingleStack");
}

template <typename List>
std::string Joined(const List& list) {
  return fmt::format("{}", fmt::join(list, ","));
}

std::string ExternalIp(const core::Service& object) {
  const auto& spec = object.spec();
  if (spec.type() == "ExternalName") return spec.externalname();
  std::vector<std::string> ips;
  if (spec.type() == "LoadBalancer") {
    std::set<std::string> ingresses;
    for (const auto& ingress : object.status().loadbalancer().ingress())
      ingresses.insert(ingress.ip().empty() ? ingress.hostname() : ingress.ip());
    ingresses.erase("");
    ips.assign(ingresses.begin(), ingresses.end());
  }
  ips.insert(ips.end(), spec.externalips().begin(), spec.externalips().end());
  if (!ips.empty()) return Joined(ips);
  return spec.type() == "LoadBalancer" ? "<pending>" : "<none>";
}

std::string Ports(const core::Service& object) {
  std::vector<std::string> out;
  for (const auto& port : object.spec().ports()) {
    out.push_back(port.nodeport() > 0 ? fmt::format("{}:{}/{}", port.port(), port.nodeport(), port.protocol())
                                      : fmt::format("{}/{}", port.port(), port.protocol()));
  }
  return out.empty() ? "<none>" : Joined(out);
}

class ServiceStrategy : public TypedStrategy<core::Service> {
 public:
  explicit ServiceStrategy(std::shared_ptr<service::Allocators> allocators) : allocators_(std::move(allocators)) {}

  void Default(core::Service& object) const override {
    service::SetDefaults(object);
    // What has a uid comes from the store, or went there before.
    if (!object.metadata().uid().empty())
      DefaultOnRead(object, allocators_ ? allocators_->default_family() : std::string());
  }
  void PrepareCreate(const RequestContext&, core::Service& object) const override {
    object.clear_status();
    object.mutable_status()->mutable_loadbalancer();
    NormalizeIps(*object.mutable_spec(), nullptr);
  }
  void PrepareUpdate(const RequestContext&, core::Service& updated, const core::Service& old) const override {
    *updated.mutable_status() = old.status();
    KeepAllocated(updated, old);
    NormalizeIps(*updated.mutable_spec(), &old.spec());
    DropTypeDependentFields(updated, old);
  }
  field::ErrorList Check(const RequestContext&, const core::Service& object) const override {
    return service::ValidateService(object);
  }
  field::ErrorList CheckUpdate(const RequestContext&, const core::Service& updated,
                               const core::Service& old) const override {
    return service::ValidateServiceUpdate(updated, old);
  }
  std::vector<std::string> Warnings(const RequestContext&, const Object& object, const Object* old) const override {
    return service::ServiceWarnings(object.As<core::Service>(), old == nullptr ? nullptr : &old->As<core::Service>());
  }
  bool AllowCreateOnUpdate() const override { return true; }
  bool ReturnDeletedObject() const override { return true; }
  std::vector<std::string> ResetFields() const override { return {"status"}; }
  std::vector<std::pair<std::string, std::string>> SelectableFields(const Object& object) const override {
    const auto& spec = object.As<core::Service>().spec();
    return {{"spec.clusterIP", spec.clusterip()}, {"spec.type", spec.type()}};
  }
  std::vector<std::string_view> SelectableFieldNames() const override { return {"spec.clusterIP", "spec.type"}; }

  Result<Finish> Begin(const RequestContext& rc, Object& object, const Object* old) const override {
    if (!allocators_) return Finish();
    auto& updated = object.As<core::Service>();
    if (old == nullptr) return allocators_->Create(rc.ctx, updated, rc.dry_run);
    return allocators_->Update(rc.ctx, updated, old->As<core::Service>(), rc.dry_run);
  }
  void AfterDelete(const RequestContext& rc, const Object& deleted) const override {
    if (allocators_ && !rc.dry_run) allocators_->Release(rc.ctx, deleted.As<core::Service>());
  }

  std::vector<Column> Columns() const override {
    return {NameColumn(),          TextColumn("Type"), TextColumn("Cluster-IP"), TextColumn("External-IP"),
            TextColumn("Port(s)"), AgeColumn(),        TextColumn("Selector", 1)};
  }
  std::vector<Cell> Row(const core::Service& object, WallTime now) const override {
    const auto& spec = object.spec();
    return {object.metadata().name(),
            spec.type(),
            spec.clusterips_size() > 0 ? spec.clusterips(0) : std::string("<none>"),
            ExternalIp(object),
            Ports(object),
            Age(object.metadata(), now),
            FormatLabels(spec.selector())};
  }

 private:
  const std::shared_ptr<service::Allocators> allocators_;
};

class ServiceStatusStrategy : public ServiceStrategy {
 public:
  using ServiceStrategy::ServiceStrategy;
  void PrepareUpdate(const RequestContext&, core::Service& updated, const core::Service& old) const override {
    *updated.mutable_spec() = old.spec();
  }
  field::ErrorList CheckUpdate(const RequestContext&, const core::Service& updated,
                               const core::Service&) const override {
    return service::ValidateServiceStatus(updated);
  }
  std::vector<std::string> Warnings(const RequestContext&, const Object&, const Object*) const override { return {}; }
  std::vector<std::string> ResetFields() const override { return {"spec"}; }
  Result<Finish> Begin(const RequestContext&, Object&, const Object*) const override { return Finish(); }
};

}  // namespace

Kind ServiceKind(std::shared_ptr<service::Allocators> allocators) {
  Kind kind = BuiltinKind("", "services", {"v1"}, std::make_shared<ServiceStrategy>(allocators));
  kind.storage_prefix = "/registry/services/specs/";
  kind.name_validator = names::NameIsDNS1035Label;
  kind.subresources.push_back(
      core_group::StatusSubresource(std::make_shared<ServiceStatusStrategy>(std::move(allocators))));
  return kind;
}

Kind ServiceKind(const BuiltinDeps& deps) {
  if (deps.store == nullptr || deps.access == nullptr || deps.clock == nullptr ||
      deps.service_cluster_ip_ranges.empty())
    return ServiceKind(nullptr);
  auto allocators = service::Allocators::New({.store = deps.store,
                                              .access = deps.access,
                                              .clock = deps.clock,
                                              .ranges = deps.service_cluster_ip_ranges,
                                              .node_port_first = deps.node_port_first,
                                              .node_port_count = deps.node_port_count,
                                              .log = deps.log});
  KNARR_CHECK(allocators.ok());
  return ServiceKind(std::move(*allocators));
}

}  // namespace knarr::registry
