// PersistentVolumes and claims. Mirrors: pkg/registry/core/persistentvolume{,claim}/strategy.go
#include <algorithm>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/core/defaults.h"
#include "pkg/api/core/validation.h"
#include "pkg/api/names/names.h"
#include "pkg/api/resource/quantity.h"
#include "pkg/apiserver/registry/core/internal.h"
#include "pkg/apiserver/registry/printers.h"

namespace knarr::registry::core_group {
namespace {

constexpr const char* kBetaStorageClass = "volume.beta.kubernetes.io/storage-class";

// Each mode once, always in this order.
std::string AccessModes(const google::protobuf::RepeatedPtrField<std::string>& modes) {
  static constexpr std::pair<std::string_view, const char*> kShort[] = {
      {"ReadWriteOnce", "RWO"}, {"ReadOnlyMany", "ROX"}, {"ReadWriteMany", "RWX"}, {"ReadWriteOncePod", "RWOP"}};
  std::string text;
  for (const auto& [mode, name] : kShort) {
    if (std::find(modes.begin(), modes.end(), mode) != modes.end()) text.append(text.empty() ? "" : ",").append(name);
  }
  return text;
}

template <typename T>
std::string StorageClass(const T& object) {
  const auto found = object.metadata().annotations().find(kBetaStorageClass);
  return found == object.metadata().annotations().end() ? object.spec().storageclassname() : found->second;
}

template <typename Resources>
std::string StorageText(const Resources& resources) {
  const auto found = resources.find("storage");
  return (found == resources.end() ? Quantity() : Quantity::From(found->second)).ToString();
}

std::string OrUnset(bool is_set, const std::string& text) {
  return is_set ? text : "<unset>";
}

template <typename T>
std::string Phase(const T& object) {
  return object.metadata().has_deletiontimestamp() ? "Terminating" : object.status().phase();
}

// --- PersistentVolume

void SetNow(const RequestContext& rc, meta::Time* time) {
  const WallTime now = rc.clock == nullptr ? Clock::Real().Now() : rc.clock->Now();
  time->set_seconds(std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count());
  time->set_nanos(0);
}

// VolumeAttributesClass is off by default.
template <typename Spec>
void DropDisabledFields(Spec& spec, const Spec* old) {
  if (old == nullptr || !old->has_volumeattributesclassname()) spec.clear_volumeattributesclassname();
}

class VolumeStrategy : public TypedStrategy<core::PersistentVolume> {
 public:
  void Default(core::PersistentVolume& volume) const override { api::SetDefaults(volume); }
  void PrepareCreate(const RequestContext& rc, core::PersistentVolume& volume) const override {
    volume.mutable_status()->Clear();
    volume.mutable_status()->set_phase("Pending");
    SetNow(rc, volume.mutable_status()->mutable_lastphasetransitiontime());
    DropDisabledFields<core::PersistentVolumeSpec>(*volume.mutable_spec(), nullptr);
  }
  void PrepareUpdate(const RequestContext&, core::PersistentVolume& updated,
                     const core::PersistentVolume& old) const override {
    *updated.mutable_status() = old.status();
    DropDisabledFields(*updated.mutable_spec(), &old.spec());
  }
  field::ErrorList Check(const RequestContext&, const core::PersistentVolume& volume) const override {
    return api::ValidatePersistentVolume(volume);
  }
  field::ErrorList CheckUpdate(const RequestContext&, const core::PersistentVolume& updated,
                               const core::PersistentVolume& old) const override {
    return api::ValidatePersistentVolumeUpdate(updated, old);
  }
  std::vector<std::string> Warnings(const RequestContext&, const Object& object, const Object*) const override {
    const auto& volume = object.As<core::PersistentVolume>();
    std::vector<std::string> warnings;
    if (volume.metadata().annotations().contains(kBetaStorageClass)) {
      warnings.push_back(
          "metadata.annotations[volume.beta.kubernetes.io/storage-class]: deprecated since v1.8; use "
          "\"storageClassName\" attribute instead");
    }
    if (volume.spec().persistentvolumereclaimpolicy() == "Recycle") {
      warnings.push_back(
          "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended "
          "approach is to use dynamic provisioning.");
    }
    return warnings;
  }
  bool ReturnDeletedObject() const override { return true; }
  std::vector<std::string> ResetFields() const override { return {"status"}; }
  std::vector<std::pair<std::string, std::string>> SelectableFields(const Object& object) const override {
    return {{"name", object.metadata().name()}};
  }
  std::vector<std::string_view> SelectableFieldNames() const override { return {"name"}; }
  std::vector<Column> Columns() const override {
    return {NameColumn(),
            TextColumn("Capacity"),
            TextColumn("Access Modes"),
            TextColumn("Reclaim Policy"),
            TextColumn("Status"),
            TextColumn("Claim"),
            TextColumn("StorageClass"),
            TextColumn("VolumeAttributesClass"),
            TextColumn("Reason"),
            AgeColumn(),
            TextColumn("VolumeMode", 1)};
  }
  std::vector<Cell> Row(const core::PersistentVolume& volume, WallTime now) const override {
    const core::PersistentVolumeSpec& spec = volume.spec();
    const std::string claim =
        spec.has_claimref() ? spec.claimref().namespace_() + "/" + spec.claimref().name() : std::string();
    return {volume.metadata().name(),
            StorageText(spec.capacity()),
            AccessModes(spec.accessmodes()),
            spec.persistentvolumereclaimpolicy(),
            Phase(volume),
            claim,
            StorageClass(volume),
            OrUnset(spec.has_volumeattributesclassname(), spec.volumeattributesclassname()),
            volume.status().reason(),
            Age(volume.metadata(), now),
            OrUnset(spec.has_volumemode(), spec.volumemode())};
  }
};

class VolumeStatusStrategy : public VolumeStrategy {
 public:
  void PrepareUpdate(const RequestContext& rc, core::PersistentVolume& updated,
                     const core::PersistentVolume& old) const override {
    *updated.mutable_spec() = old.spec();
    core::PersistentVolumeStatus& status = *updated.mutable_status();
    const bool given = status.has_lastphasetransitiontime() &&
                       status.lastphasetransitiontime().seconds() != old.status().lastphasetransitiontime().seconds();
    if (status.phase() != old.status().phase() && !given) SetNow(rc, status.mutable_lastphasetransitiontime());
  }
  field::ErrorList CheckUpdate(const RequestContext&, const core::PersistentVolume& updated,
                               const core::PersistentVolume&) const override {
    if (!updated.metadata().resourceversion().empty()) return {};
    return {field::Required(field::Path("resourceVersion"), "")};
  }
  std::vector<std::string> ResetFields() const override { return {"spec"}; }
};

// --- PersistentVolumeClaim

// dataSource and dataSourceRef say the same unless the reference leads to another namespace.
void NormalizeDataSources(core::PersistentVolumeClaimSpec& spec) {
  if (spec.has_datasource() && !spec.has_datasourceref()) {
    core::TypedObjectReference& reference = *spec.mutable_datasourceref();
    if (spec.datasource().has_apigroup()) reference.set_apigroup(spec.datasource().apigroup());
    reference.set_kind(spec.datasource().kind());
    reference.set_name(spec.datasource().name());
  } else if (!spec.has_datasource() && spec.has_datasourceref() && spec.datasourceref().namespace_().empty()) {
    core::TypedLocalObjectReference& source = *spec.mutable_datasource();
    if (spec.datasourceref().has_apigroup()) source.set_apigroup(spec.datasourceref().apigroup());
    source.set_kind(spec.datasourceref().kind());
    source.set_name(spec.datasourceref().name());
  }
}

// CrossNamespaceVolumeDataSource is off by default.
void DropCrossNamespace(core::PersistentVolumeClaimSpec& spec, const core::PersistentVolumeClaimSpec* old) {
  if (old != nullptr && !old->datasourceref().namespace_().empty()) return;
  if (!spec.datasourceref().namespace_().empty()) spec.clear_datasourceref();
}

class ClaimStrategy : public TypedStrategy<core::PersistentVolumeClaim> {
 public:
  void Default(core::PersistentVolumeClaim& claim) const override { api::SetDefaults(claim); }
  void PrepareCreate(const RequestContext&, core::PersistentVolumeClaim& claim) const override {
    claim.mutable_status()->Clear();
    claim.mutable_status()->set_phase("Pending");
    DropDisabledFields<core::PersistentVolumeClaimSpec>(*claim.mutable_spec(), nullptr);
    DropCrossNamespace(*claim.mutable_spec(), nullptr);
    NormalizeDataSources(*claim.mutable_spec());
  }
  void PrepareUpdate(const RequestContext&, core::PersistentVolumeClaim& updated,
                     const core::PersistentVolumeClaim& old) const override {
    *updated.mutable_status() = old.status();
    DropDisabledFields(*updated.mutable_spec(), &old.spec());
    DropCrossNamespace(*updated.mutable_spec(), &old.spec());
    // Claims from before there was a reference keep their one field, so that nothing seems to change.
    if (old.spec().has_datasourceref()) NormalizeDataSources(*updated.mutable_spec());
  }
  field::ErrorList Check(const RequestContext&, const core::PersistentVolumeClaim& claim) const override {
    return api::ValidatePersistentVolumeClaim(claim);
  }
  field::ErrorList CheckUpdate(const RequestContext&, const core::PersistentVolumeClaim& updated,
                               const core::PersistentVolumeClaim& old) const override {
    return api::ValidatePersistentVolumeClaimUpdate(updated, old);
  }
  std::vector<std::string> Warnings(const RequestContext&, const Object& object, const Object*) const override {
    const auto& claim = object.As<core::PersistentVolumeClaim>();
    std::vector<std::string> warnings;
    if (claim.metadata().annotations().contains(kBetaStorageClass)) {
      warnings.push_back(
          "metadata.annotations[volume.beta.kubernetes.io/storage-class]: deprecated since v1.8; use "
          "\"storageClassName\" attribute instead");
    }
    const auto storage = claim.spec().resources().requests().find("storage");
    if (storage != claim.spec().resources().requests().end()) {
      const Quantity quantity = Quantity::From(storage->second);
      if (quantity.MilliValue() % 1000 != 0) {
        warnings.push_back("spec.resources.requests[storage]: fractional byte value \"" + quantity.ToString() +
                           "\" is invalid, must be an integer");
      }
    }
    return warnings;
  }
  bool ReturnDeletedObject() const override { return true; }
  std::vector<std::string> ResetFields() const override { return {"status"}; }
  std::vector<std::pair<std::string, std::string>> SelectableFields(const Object& object) const override {
    return {{"name", object.metadata().name()}};
  }
  std::vector<std::string_view> SelectableFieldNames() const override { return {"name"}; }
  std::vector<Column> Columns() const override {
    return {NameColumn(),
            TextColumn("Status"),
            TextColumn("Volume"),
            TextColumn("Capacity"),
            TextColumn("Access Modes"),
            TextColumn("StorageClass"),
            TextColumn("VolumeAttributesClass"),
            AgeColumn(),
            TextColumn("VolumeMode", 1)};
  }
  std::vector<Cell> Row(const core::PersistentVolumeClaim& claim, WallTime now) const override {
    const core::PersistentVolumeClaimSpec& spec = claim.spec();
    const bool bound = !spec.volumename().empty();
    return {claim.metadata().name(),
            Phase(claim),
            spec.volumename(),
            bound ? StorageText(claim.status().capacity()) : std::string(),
            bound ? AccessModes(claim.status().accessmodes()) : std::string(),
            StorageClass(claim),
            OrUnset(spec.has_volumeattributesclassname(), spec.volumeattributesclassname()),
            Age(claim.metadata(), now),
            OrUnset(spec.has_volumemode(), spec.volumemode())};
  }
};

class ClaimStatusStrategy : public ClaimStrategy {
 public:
  void PrepareUpdate(const RequestContext&, core::PersistentVolumeClaim& updated,
                     const core::PersistentVolumeClaim& old) const override {
    *updated.mutable_spec() = old.spec();
    if (!old.status().has_currentvolumeattributesclassname()) {
      updated.mutable_status()->clear_currentvolumeattributesclassname();
    }
    if (!old.status().has_modifyvolumestatus()) updated.mutable_status()->clear_modifyvolumestatus();
  }
  field::ErrorList CheckUpdate(const RequestContext&, const core::PersistentVolumeClaim& updated,
                               const core::PersistentVolumeClaim&) const override {
    return api::ValidatePersistentVolumeClaimStatusUpdate(updated);
  }
  std::vector<std::string> ResetFields() const override { return {"spec"}; }
};

}  // namespace

Kind PersistentVolumeKind() {
  Kind kind = BuiltinKind("", "persistentvolumes", {"v1"}, std::make_shared<VolumeStrategy>());
  kind.name_validator = names::NameIsDNSSubdomain;
  kind.subresources.push_back(StatusSubresource(std::make_shared<VolumeStatusStrategy>()));
  return kind;
}

Kind PersistentVolumeClaimKind() {
  Kind kind = BuiltinKind("", "persistentvolumeclaims", {"v1"}, std::make_shared<ClaimStrategy>());
  kind.name_validator = names::NameIsDNSSubdomain;
  kind.subresources.push_back(StatusSubresource(std::make_shared<ClaimStatusStrategy>()));
  return kind;
}

}  // namespace knarr::registry::core_group
