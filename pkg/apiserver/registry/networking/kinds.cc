#include "pkg/apiserver/registry/networking/kinds.h"

#include <set>

#include "k8s.io/api/networking/v1/generated.pb.h"
#include "pkg/api/names/names.h"
#include "pkg/api/networking/validation.h"
#include "pkg/apiserver/registry/printers.h"
#include "pkg/apiserver/registry/strategies.h"

namespace knarr::registry {
namespace {

using field::ErrorList;
using networking::Ingress;
using networking::IngressClass;
using networking::NetworkPolicy;

std::string FormatHosts(const Ingress& ingress) {
  constexpr int kShown = 3;
  std::string list;
  int count = 0;
  bool more = false;
  for (const auto& rule : ingress.spec().rules()) {
    if (count == kShown) more = true;
    if (more || rule.host().empty()) continue;
    if (count++ > 0) list += ",";
    list += rule.host();
  }
  if (list.empty()) return "*";
  return more ? fmt::format("{} + {} more...", list, ingress.spec().rules_size() - kShown) : list;
}

std::string FormatAddresses(const Ingress& ingress) {
  std::set<std::string> addresses;
  for (const auto& point : ingress.status().loadbalancer().ingress()) {
    if (!point.ip().empty()) {
      addresses.insert(point.ip());
    } else if (!point.hostname().empty()) {
      addresses.insert(point.hostname());
    }
  }
  return fmt::format("{}", fmt::join(addresses, ","));
}

class IngressStrategy : public SpecStrategy<Ingress> {
 public:
  ErrorList Check(const RequestContext&, const Ingress& ingress) const override {
    return api::ValidateIngress(ingress);
  }
  ErrorList CheckUpdate(const RequestContext&, const Ingress& updated, const Ingress& old) const override {
    return api::ValidateIngressUpdate(updated, old);
  }
  std::vector<std::string> Warnings(const RequestContext&, const Object& object, const Object* old) const override {
    const Ingress& ingress = object.As<Ingress>();
    if (old != nullptr || !ingress.metadata().annotations().contains("kubernetes.io/ingress.class")) return {};
    return {"annotation \"kubernetes.io/ingress.class\" is deprecated, please use 'spec.ingressClassName' instead"};
  }
  std::vector<Column> Columns() const override {
    return {NameColumn(),          TextColumn("Class"), TextColumn("Hosts"),
            TextColumn("Address"), TextColumn("Ports"), AgeColumn()};
  }
  std::vector<Cell> Row(const Ingress& ingress, WallTime now) const override {
    const auto& spec = ingress.spec();
    return {ingress.metadata().name(),
            spec.has_ingressclassname() ? spec.ingressclassname() : std::string("<none>"),
            FormatHosts(ingress),
            FormatAddresses(ingress),
            std::string(spec.tls_size() > 0 ? "80, 443" : "80"),
            Age(ingress.metadata(), now)};
  }
};

class IngressStatusStrategy : public IngressStrategy {
 public:
  void PrepareUpdate(const RequestContext&, Ingress& updated, const Ingress& old) const override {
    KeepSpec(updated, old);
  }
  ErrorList CheckUpdate(const RequestContext&, const Ingress& updated, const Ingress&) const override {
    return api::ValidateIngressStatus(updated);
  }
};

class IngressClassStrategy : public TypedStrategy<IngressClass> {
 public:
  void Default(IngressClass& ingress_class) const override { api::SetDefaults(ingress_class); }
  void PrepareCreate(const RequestContext&, IngressClass& ingress_class) const override {
    ingress_class.mutable_metadata()->set_generation(1);
  }
  void PrepareUpdate(const RequestContext&, IngressClass& updated, const IngressClass& old) const override {
    CountGeneration(updated, old);
  }
  ErrorList Check(const RequestContext&, const IngressClass& ingress_class) const override {
    return api::ValidateIngressClass(ingress_class);
  }
  ErrorList CheckUpdate(const RequestContext&, const IngressClass& updated, const IngressClass& old) const override {
    return api::ValidateIngressClassUpdate(updated, old);
  }
  std::vector<Column> Columns() const override {
    return {NameColumn(), TextColumn("Controller"), TextColumn("Parameters"), AgeColumn()};
  }
  std::vector<Cell> Row(const IngressClass& ingress_class, WallTime now) const override {
    std::string text = "<none>";
    if (ingress_class.spec().has_parameters()) {
      const auto& parameters = ingress_class.spec().parameters();
      text = parameters.kind();
      if (parameters.has_apigroup()) text += "." + parameters.apigroup();
      text += "/" + parameters.name();
    }
    return {ingress_class.metadata().name(), ingress_class.spec().controller(), std::move(text),
            Age(ingress_class.metadata(), now)};
  }
};

class NetworkPolicyStrategy : public TypedStrategy<NetworkPolicy> {
 public:
  void Default(NetworkPolicy& policy) const override { api::SetDefaults(policy); }
  void PrepareCreate(const RequestContext&, NetworkPolicy& policy) const override {
    policy.mutable_metadata()->set_generation(1);
  }
  void PrepareUpdate(const RequestContext&, NetworkPolicy& updated, const NetworkPolicy& old) const override {
    CountGeneration(updated, old);
  }
  ErrorList Check(const RequestContext&, const NetworkPolicy& policy) const override {
    return api::ValidateNetworkPolicy(policy);
  }
  std::vector<Column> Columns() const override { return {NameColumn(), TextColumn("Pod-Selector"), AgeColumn()}; }
  std::vector<Cell> Row(const NetworkPolicy& policy, WallTime now) const override {
    return {policy.metadata().name(), FormatLabelSelector(policy.spec().podselector()), Age(policy.metadata(), now)};
  }
};

}  // namespace

std::vector<Kind> NetworkingKinds(const BuiltinDeps&) {
  constexpr std::string_view kGroup = "networking.k8s.io";
  Kind ingresses = BuiltinKind(kGroup, "ingresses", {"v1", "v1beta1"}, std::make_shared<IngressStrategy>());
  ingresses.storage_prefix = "/registry/ingress/";
  ingresses.subresources.push_back(StatusPart(std::make_shared<IngressStatusStrategy>()));
  Deprecate(ingresses, "v1beta1", 19, 22, "v1");
  Kind classes = BuiltinKind(kGroup, "ingressclasses", {"v1", "v1beta1"}, std::make_shared<IngressClassStrategy>());
  Deprecate(classes, "v1beta1", 19, 22, "v1");
  // A slip of upstream's that is on the wire.
  classes.versions.back().deprecation_warning += "List";
  Kind policies = BuiltinKind(kGroup, "networkpolicies", {"v1"}, std::make_shared<NetworkPolicyStrategy>());
  for (Kind* kind : {&ingresses, &classes, &policies}) kind->name_validator = names::NameIsDNSSubdomain;
  return {std::move(ingresses), std::move(classes), std::move(policies)};
}

}  // namespace knarr::registry
