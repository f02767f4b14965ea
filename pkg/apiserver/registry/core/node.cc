// Mirrors: pkg/registry/core/node/strategy.go
#include <algorithm>
#include <set>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/core/defaults.h"
#include "pkg/api/core/validation.h"
#include "pkg/api/names/names.h"
#include "pkg/apiserver/registry/core/internal.h"
#include "pkg/apiserver/registry/printers.h"

namespace knarr::registry::core_group {
namespace {

// What features that are off by default may not write, unless it is there already.
void DropDisabledFields(core::Node& node, const core::Node* old) {
  if (old == nullptr) {
    node.mutable_spec()->clear_configsource();
    node.mutable_status()->clear_config();
  } else if (!old->spec().has_configsource()) {
    node.mutable_spec()->clear_configsource();
  }
  // SupplementalGroupsPolicy
  if (old == nullptr || !old->status().has_features()) node.mutable_status()->clear_features();
}

std::string Join(const std::set<std::string>& texts) {
  std::string joined;
  for (const std::string& text : texts) joined.append(joined.empty() ? "" : ",").append(text);
  return joined;
}

std::string Roles(const core::Node& node) {
  static constexpr std::string_view kPrefix = "node-role.kubernetes.io/";
  std::set<std::string> roles;
  for (const auto& [key, value] : node.metadata().labels()) {
    if (key.starts_with(kPrefix) && key.size() > kPrefix.size()) {
      roles.insert(key.substr(kPrefix.size()));
    } else if (key == "kubernetes.io/role" && !value.empty()) {
      roles.insert(value);
    }
  }
  return roles.empty() ? "<none>" : Join(roles);
}

std::string Readiness(const core::Node& node) {
  std::string text = "Unknown";
  for (const core::NodeCondition& condition : node.status().conditions()) {
    if (condition.type() == "Ready") text = condition.status() == "True" ? "Ready" : "NotReady";
  }
  return node.spec().unschedulable() ? text + ",SchedulingDisabled" : text;
}

std::string Address(const core::Node& node, std::string_view type) {
  for (const core::NodeAddress& address : node.status().addresses()) {
    if (address.type() == type) return address.address();
  }
  return "<none>";
}

std::string OrUnknown(const std::string& text) {
  return text.empty() ? "<unknown>" : text;
}

class NodeStrategy : public TypedStrategy<core::Node> {
 public:
  std::vector<std::string> ResetFields() const override { return {"status"}; }
  void Default(core::Node& object) const override { api::SetDefaults(object); }
  void PrepareCreate(const RequestContext&, core::Node& object) const override { DropDisabledFields(object, nullptr); }
  void PrepareUpdate(const RequestContext&, core::Node& updated, const core::Node& old) const override {
    *updated.mutable_status() = old.status();
    DropDisabledFields(updated, &old);
  }
  field::ErrorList Check(const RequestContext&, const core::Node& object) const override {
    return api::ValidateNode(object);
  }
  field::ErrorList CheckUpdate(const RequestContext&, const core::Node& updated, const core::Node& old) const override {
    field::ErrorList errors = api::ValidateNode(updated);
    field::Append(errors, api::ValidateNodeUpdate(updated, old));
    return errors;
  }
  std::vector<std::string> Warnings(const RequestContext&, const Object& object, const Object*) const override {
    if (object.As<core::Node>().spec().externalid().empty()) return {};
    return {"spec.externalID: this field is deprecated, and is unused by Kubernetes"};
  }
  std::vector<std::pair<std::string, std::string>> SelectableFields(const Object& object) const override {
    return {{"spec.unschedulable", object.As<core::Node>().spec().unschedulable() ? "true" : "false"}};
  }
  std::vector<std::string_view> SelectableFieldNames() const override { return {"spec.unschedulable"}; }
  std::vector<Column> Columns() const override {
    return {NameColumn(),
            TextColumn("Status"),
            TextColumn("Roles"),
            AgeColumn(),
            TextColumn("Version"),
            TextColumn("Internal-IP", 1),
            TextColumn("External-IP", 1),
            TextColumn("OS-Image", 1),
            TextColumn("Kernel-Version", 1),
            TextColumn("Container-Runtime", 1)};
  }
  std::vector<Cell> Row(const core::Node& node, WallTime now) const override {
    const core::NodeSystemInfo& info = node.status().nodeinfo();
    return {node.metadata().name(),
            Readiness(node),
            Roles(node),
            Age(node.metadata(), now),
            info.kubeletversion(),
            Address(node, "InternalIP"),
            Address(node, "ExternalIP"),
            OrUnknown(info.osimage()),
            OrUnknown(info.kernelversion()),
            OrUnknown(info.containerruntimeversion())};
  }
};

class NodeStatusStrategy : public NodeStrategy {
 public:
  std::vector<std::string> ResetFields() const override { return {"spec"}; }
  void PrepareUpdate(const RequestContext&, core::Node& updated, const core::Node& old) const override {
    *updated.mutable_spec() = old.spec();
    if (!old.status().has_config()) updated.mutable_status()->clear_config();
    if (!old.status().has_features()) updated.mutable_status()->clear_features();
  }
  field::ErrorList CheckUpdate(const RequestContext&, const core::Node& updated, const core::Node& old) const override {
    return api::ValidateNodeUpdate(updated, old);
  }
};

}  // namespace

// The proxy subresource is appended by the proxy.
Kind NodeKind() {
  Kind kind = BuiltinKind("", "nodes", {"v1"}, std::make_shared<NodeStrategy>());
  kind.storage_prefix = "/registry/minions/";
  kind.name_validator = names::NameIsDNSSubdomain;
  kind.subresources.push_back(StatusSubresource(std::make_shared<NodeStatusStrategy>()));
  return kind;
}

}  // namespace knarr::registry::core_group
