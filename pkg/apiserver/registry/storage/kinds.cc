#include "pkg/apiserver/registry/storage/kinds.h"

#include "k8s.io/api/storage/v1/generated.pb.h"
#include "pkg/api/meta/validation.h"
#include "pkg/api/names/names.h"
#include "pkg/api/resource/quantity.h"
#include "pkg/api/storage/validation.h"
#include "pkg/apiserver/registry/printers.h"
#include "pkg/apiserver/registry/strategies.h"

namespace knarr::registry {
namespace {

using field::ErrorList;
using storage_v1::CSIDriver;
using storage_v1::CSINode;
using storage_v1::CSIStorageCapacity;
using storage_v1::StorageClass;
using storage_v1::VolumeAttachment;

class StorageClassStrategy : public TypedStrategy<StorageClass> {
 public:
  void Default(StorageClass& storage_class) const override { api::SetDefaults(storage_class); }
  ErrorList Check(const RequestContext&, const StorageClass& storage_class) const override {
    return api::ValidateStorageClass(storage_class);
  }
  ErrorList CheckUpdate(const RequestContext&, const StorageClass& updated, const StorageClass& old) const override {
    return api::ValidateStorageClassUpdate(updated, old);
  }
  bool ReturnDeletedObject() const override { return true; }
  std::vector<Column> Columns() const override {
    return {NameColumn(),
            TextColumn("Provisioner"),
            TextColumn("ReclaimPolicy"),
            TextColumn("VolumeBindingMode"),
            TextColumn("AllowVolumeExpansion"),
            AgeColumn()};
  }
  std::vector<Cell> Row(const StorageClass& storage_class, WallTime now) const override {
    std::string name = storage_class.metadata().name();
    for (const char* key :
         {"storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"}) {
      const auto found = storage_class.metadata().annotations().find(key);
      if (found == storage_class.metadata().annotations().end() || found->second != "true") continue;
      name += " (default)";
      break;
    }
    return {std::move(name),
            storage_class.provisioner(),
            storage_class.has_reclaimpolicy() ? storage_class.reclaimpolicy() : std::string("Delete"),
            storage_class.has_volumebindingmode() ? storage_class.volumebindingmode() : std::string("Immediate"),
            storage_class.allowvolumeexpansion(),
            Age(storage_class.metadata(), now)};
  }
};

class VolumeAttachmentStrategy : public TypedStrategy<VolumeAttachment> {
 public:
  void PrepareCreate(const RequestContext&, VolumeAttachment& attachment) const override { attachment.clear_status(); }
  void PrepareUpdate(const RequestContext&, VolumeAttachment& updated, const VolumeAttachment& old) const override {
    KeepStatus(updated, old);
  }
  ErrorList Check(const RequestContext&, const VolumeAttachment& attachment) const override {
    return api::ValidateVolumeAttachment(attachment);
  }
  ErrorList CheckUpdate(const RequestContext&, const VolumeAttachment& updated,
                        const VolumeAttachment& old) const override {
    return api::ValidateVolumeAttachmentUpdate(updated, old);
  }
  bool AllowUnconditionalUpdate() const override { return false; }
  bool ReturnDeletedObject() const override { return true; }
  std::vector<Column> Columns() const override {
    return {NameColumn(),       {.name = "Attacher", .format = "name"},  TextColumn("PV"),
            TextColumn("Node"), {.name = "Attached", .type = "boolean"}, AgeColumn()};
  }
  std::vector<Cell> Row(const VolumeAttachment& attachment, WallTime now) const override {
    const auto& spec = attachment.spec();
    return {attachment.metadata().name(),         spec.attacher(),
            spec.source().persistentvolumename(), spec.nodename(),
            attachment.status().attached(),       Age(attachment.metadata(), now)};
  }
};

class VolumeAttachmentStatusStrategy : public VolumeAttachmentStrategy {
 public:
  void PrepareUpdate(const RequestContext&, VolumeAttachment& updated, const VolumeAttachment& old) const override {
    KeepSpec(updated, old);
    api::ResetObjectMetaForStatus(*updated.mutable_metadata(), old.metadata());
  }
};

class CSINodeStrategy : public TypedStrategy<CSINode> {
 public:
  ErrorList Check(const RequestContext&, const CSINode& node) const override { return api::ValidateCSINode(node); }
  ErrorList CheckUpdate(const RequestContext&, const CSINode& updated, const CSINode& old) const override {
    return api::ValidateCSINodeUpdate(updated, old);
  }
  bool AllowUnconditionalUpdate() const override { return false; }
  bool ReturnDeletedObject() const override { return true; }
  std::vector<Column> Columns() const override { return {NameColumn(), NumberColumn("Drivers"), AgeColumn()}; }
  std::vector<Cell> Row(const CSINode& node, WallTime now) const override {
    return {node.metadata().name(), int64_t{node.spec().drivers_size()}, Age(node.metadata(), now)};
  }
};

class CSIDriverStrategy : public TypedStrategy<CSIDriver> {
 public:
  void Default(CSIDriver& driver) const override { api::SetDefaults(driver); }
  void PrepareUpdate(const RequestContext&, CSIDriver& updated, const CSIDriver& old) const override {
    CountGeneration(updated, old);
  }
  ErrorList Check(const RequestContext&, const CSIDriver& driver) const override {
    return api::ValidateCSIDriver(driver);
  }
  ErrorList CheckUpdate(const RequestContext&, const CSIDriver& updated, const CSIDriver& old) const override {
    return api::ValidateCSIDriverUpdate(updated, old);
  }
  bool AllowUnconditionalUpdate() const override { return false; }
  bool ReturnDeletedObject() const override { return true; }
  std::vector<Column> Columns() const override {
    return {NameColumn(),
            {.name = "AttachRequired", .type = "boolean"},
            {.name = "PodInfoOnMount", .type = "boolean"},
            {.name = "StorageCapacity", .type = "boolean"},
            TextColumn("TokenRequests"),
            {.name = "RequiresRepublish", .type = "boolean"},
            TextColumn("Modes"),
            AgeColumn()};
  }
  std::vector<Cell> Row(const CSIDriver& driver, WallTime now) const override {
    const auto& spec = driver.spec();
    std::string audiences, modes;
    for (int i = 0; i < spec.tokenrequests_size(); ++i) {
      audiences += (i > 0 ? "," : "") + spec.tokenrequests(i).audience();
    }
    for (int i = 0; i < spec.volumelifecyclemodes_size(); ++i) {
      modes += (i > 0 ? "," : "") + spec.volumelifecyclemodes(i);
    }
    return {driver.metadata().name(),
            !spec.has_attachrequired() || spec.attachrequired(),
            spec.podinfoonmount(),
            spec.storagecapacity(),
            spec.tokenrequests_size() > 0 ? audiences : std::string("<unset>"),
            spec.requiresrepublish(),
            modes.empty() ? std::string("<none>") : modes,
            Age(driver.metadata(), now)};
  }
};

class CSIStorageCapacityStrategy : public TypedStrategy<CSIStorageCapacity> {
 public:
  ErrorList Check(const RequestContext&, const CSIStorageCapacity& capacity) const override {
    return api::ValidateCSIStorageCapacity(capacity);
  }
  ErrorList CheckUpdate(const RequestContext&, const CSIStorageCapacity& updated,
                        const CSIStorageCapacity& old) const override {
    return api::ValidateCSIStorageCapacityUpdate(updated, old);
  }
  bool AllowUnconditionalUpdate() const override { return false; }
  std::vector<Column> Columns() const override {
    return {NameColumn(), TextColumn("StorageClassName"), TextColumn("Capacity")};
  }
  std::vector<Cell> Row(const CSIStorageCapacity& capacity, WallTime) const override {
    return {capacity.metadata().name(), capacity.storageclassname(),
            capacity.has_capacity() ? Quantity::From(capacity.capacity()).ToString() : std::string("<unset>")};
  }
};

Kind Make(std::string_view resource, std::shared_ptr<const Strategy> strategy) {
  Kind kind = BuiltinKind("storage.k8s.io", resource, {"v1", "v1beta1"}, std::move(strategy));
  kind.name_validator = names::NameIsDNSSubdomain;
  return kind;
}

}  // namespace

std::vector<Kind> StorageKinds(const BuiltinDeps&) {
  Kind classes = Make("storageclasses", std::make_shared<StorageClassStrategy>());
  Deprecate(classes, "v1beta1", 19, 22, "v1");
  Kind attachments = Make("volumeattachments", std::make_shared<VolumeAttachmentStrategy>());
  attachments.subresources.push_back(StatusPart(std::make_shared<VolumeAttachmentStatusStrategy>()));
  Deprecate(attachments, "v1beta1", 19, 22, "v1");
  Kind nodes = Make("csinodes", std::make_shared<CSINodeStrategy>());
  Deprecate(nodes, "v1beta1", 17, 22, "v1");
  Kind drivers = Make("csidrivers", std::make_shared<CSIDriverStrategy>());
  Deprecate(drivers, "v1beta1", 19, 22, "v1");
  Kind capacities =
      BuiltinKind("storage.k8s.io", "csistoragecapacities", {"v1"}, std::make_shared<CSIStorageCapacityStrategy>());
  capacities.name_validator = names::NameIsDNSSubdomain;
  return {std::move(classes), std::move(attachments), std::move(nodes), std::move(drivers), std::move(capacities)};
}

}  // namespace knarr::registry
