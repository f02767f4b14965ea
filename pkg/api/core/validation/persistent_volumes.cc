// PersistentVolumes and their claims.
#include <fmt/format.h>

#include <filesystem>

#include "pkg/api/core/validation/remote_volumes.h"
#include "pkg/api/field/quote.h"
#include "pkg/api/meta/equality.h"

namespace knarr::api {
namespace validation {
namespace {

constexpr const char* kBetaStorageClass = "volume.beta.kubernetes.io/storage-class";

// Persistent sources have the fields of their kin in pods, with the same numbers; secrets have a namespace besides.
template <typename To, typename From>
To ByTheWire(const From& from) {
  To to;
  to.ParsePartialFromString(from.SerializePartialAsString());
  return to;
}

void ValidateSecretReference(const core::SecretReference& reference, const Path& path, ErrorList& errors) {
  RequireText(errors, path.Child("name"), reference.name());
  if (!reference.name().empty()) {
    AddInvalid(errors, path.Child("name"), reference.name(), names::IsDNS1123Subdomain(reference.name()));
  }
  RequireText(errors, path.Child("namespace"), reference.namespace_());
  if (!reference.namespace_().empty()) {
    AddInvalid(errors, path.Child("namespace"), reference.namespace_(), names::IsDNS1123Label(reference.namespace_()));
  }
}

void ValidateCsi(const core::CSIPersistentVolumeSource& csi, const Path& path, ErrorList& errors) {
  core::CSIVolumeSource driver;
  driver.set_driver(csi.driver());
  ValidateSource(driver, path, errors);
  RequireText(errors, path.Child("volumeHandle"), csi.volumehandle());
  if (csi.has_controllerpublishsecretref()) {
    ValidateSecretReference(csi.controllerpublishsecretref(), path.Child("controllerPublishSecretRef"), errors);
  }
  if (csi.has_controllerexpandsecretref()) {
    ValidateSecretReference(csi.controllerexpandsecretref(), path.Child("controllerExpandSecretRef"), errors);
  }
  if (csi.has_nodepublishsecretref()) {
    ValidateSecretReference(csi.nodepublishsecretref(), path.Child("nodePublishSecretRef"), errors);
  }
  if (csi.has_nodeexpandsecretref()) {
    ValidateSecretReference(csi.nodeexpandsecretref(), path.Child("nodeExpandSecretRef"), errors);
  }
}

void ValidateLocal(const core::LocalVolumeSource& local, const Path& path, ErrorList& errors) {
  RequireText(errors, path.Child("path"), local.path());
  ValidatePathNoBacksteps(local.path(), path.Child("path"), errors);
}

// The first source is validated, any further one is forbidden.
class VolumeSourceValidator {
 public:
  VolumeSourceValidator(const core::PersistentVolume& volume, const Path& path, ErrorList& errors)
      : volume_(volume), path_(path), errors_(errors) {}

  void Run() {
    const core::PersistentVolumeSource& source = volume_.spec().persistentvolumesource();
    const auto validate = [&](const auto& one) {
      return [&](const Path& path) { ValidateSource(one, path, errors_); };
    };
    Check(source.has_hostpath(), "hostPath", validate(source.hostpath()));
    Check(source.has_gcepersistentdisk(), "gcePersistentDisk", validate(source.gcepersistentdisk()), "persistentDisk");
    Check(source.has_awselasticblockstore(), "awsElasticBlockStore", validate(source.awselasticblockstore()));
    Check(source.has_glusterfs(), "glusterfs", validate(ByTheWire<core::GlusterfsVolumeSource>(source.glusterfs())));
    Check(source.has_flocker(), "flocker", validate(source.flocker()));
    Check(source.has_nfs(), "nfs", validate(source.nfs()));
    Check(source.has_rbd(), "rbd", validate(ByTheWire<core::RBDVolumeSource>(source.rbd())));
    Check(source.has_quobyte(), "quobyte", validate(source.quobyte()));
    Check(source.has_cephfs(), "cephfs", validate(ByTheWire<core::CephFSVolumeSource>(source.cephfs())));
    const auto iscsi = ByTheWire<core::ISCSIVolumeSource>(source.iscsi());
    Check(source.has_iscsi(), "iscsi", [&](const Path& path) {
      ValidateSource(iscsi, path, errors_);
      ValidateIscsiNameLength(iscsi, volume_.metadata().name(), path_, errors_);
    });
    Check(source.has_cinder(), "cinder", validate(ByTheWire<core::CinderVolumeSource>(source.cinder())));
    Check(source.has_fc(), "fc", validate(source.fc()));
    Check(source.has_flexvolume(), "flexVolume", validate(ByTheWire<core::FlexVolumeSource>(source.flexvolume())));
    Check(source.has_azurefile(), "azureFile", validate(ByTheWire<core::AzureFileVolumeSource>(source.azurefile())));
    Check(source.has_vspherevolume(), "vsphereVolume", validate(source.vspherevolume()));
    Check(source.has_photonpersistentdisk(), "photonPersistentDisk", validate(source.photonpersistentdisk()));
    Check(source.has_portworxvolume(), "portworxVolume", validate(source.portworxvolume()));
    Check(source.has_azuredisk(), "azureDisk", validate(source.azuredisk()));
    Check(source.has_scaleio(), "scaleIO", validate(ByTheWire<core::ScaleIOVolumeSource>(source.scaleio())));
    Check(source.has_local(), "local", [&](const Path& path) {
      ValidateLocal(source.local(), path, errors_);
      if (!volume_.spec().has_nodeaffinity()) {
        errors_.push_back(field::Required(Path("metadata.annotations"), "Local volume requires node affinity"));
      }
    });
    core::StorageOSPersistentVolumeSource storage_os = source.storageos();
    storage_os.clear_secretref();  // another type than in pods
    Check(source.has_storageos(), "storageos", validate(ByTheWire<core::StorageOSVolumeSource>(storage_os)));
    Check(source.has_csi(), "csi", [&](const Path& path) { ValidateCsi(source.csi(), path, errors_); });
    if (!found_) errors_.push_back(field::Required(path_, "must specify a volume type"));
  }

 private:
  template <typename Validate>
  void Check(bool is_set, std::string_view name, Validate validate, std::string_view path_name = {}) {
    if (!is_set) return;
    if (found_) {
      errors_.push_back(field::Forbidden(path_.Child(name), "may not specify more than 1 volume type"));
      return;
    }
    found_ = true;
    validate(path_.Child(path_name.empty() ? name : path_name));
  }

  const core::PersistentVolume& volume_;
  const Path& path_;
  ErrorList& errors_;
  bool found_ = false;
};

void ValidateAccessModes(const google::protobuf::RepeatedPtrField<std::string>& modes, const Path& path,
                         ErrorList& errors) {
  static constexpr std::string_view kModes[] = {"ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"};
  if (modes.empty()) errors.push_back(field::Required(path, ""));
  bool once_pod = false;
  bool others = false;
  for (const std::string& mode : modes) {
    RequireOneOf(errors, path, mode, kModes);
    (mode == "ReadWriteOncePod" ? once_pod : others) = true;
  }
  if (once_pod && others) {
    errors.push_back(field::Forbidden(path, "may not use ReadWriteOncePod with other access modes"));
  }
}

void ValidateBasicResource(const Quantity& quantity, const Path& path, ErrorList& errors) {
  if (quantity.Sign() >= 0) return;
  errors.push_back(field::Invalid(path, quantity.Value(), "must be a valid resource quantity"));
}

void ValidateCapacity(const core::PersistentVolumeSpec& spec, const Path& path, ErrorList& errors) {
  const auto& capacity = spec.capacity();
  if (capacity.empty()) errors.push_back(field::Required(path, ""));
  if (!capacity.contains("storage") || capacity.size() > 1) {
    field::FieldError error = field::NotSupported(path, "", {"storage"});
    error.value = "core.ResourceList{";
    for (const std::string& name : SortedKeys(capacity)) {
      if (error.value.back() != '{') error.value += ", ";
      error.value += field::Quote(name) + ":" + field::Quote(capacity.at(name).string());
    }
    error.value += "}";
    errors.push_back(std::move(error));
  }
  for (const std::string& name : SortedKeys(capacity)) {
    const Quantity quantity = Quantity::From(capacity.at(name));
    ValidateBasicResource(quantity, path.Key(name), errors);
    if (quantity.Sign() <= 0) {
      errors.push_back(field::Invalid(path.Key(name), quantity.ToString(), kMustBePositive));
    }
  }
}

bool IsRoot(const std::string& path) {
  return std::filesystem::path(path).lexically_normal() == "/";
}

Quantity Storage(const google::protobuf::Map<std::string, resource_pb::Quantity>& resources) {
  const auto found = resources.find("storage");
  return found == resources.end() ? Quantity() : Quantity::From(found->second);
}

const std::string* Annotation(const meta::ObjectMeta& metadata, const char* key) {
  const auto found = metadata.annotations().find(key);
  return found == metadata.annotations().end() ? nullptr : &found->second;
}

// The class moves from the annotation of old to its field.
bool IsStorageClassUpgrade(const core::PersistentVolumeClaim& updated, const core::PersistentVolumeClaim& old) {
  const std::string* before = Annotation(old.metadata(), kBetaStorageClass);
  const std::string* now = Annotation(updated.metadata(), kBetaStorageClass);
  return before != nullptr && !old.spec().has_storageclassname() && updated.spec().has_storageclassname() &&
         updated.spec().storageclassname() == *before && (now == nullptr || *now == *before);
}

void ValidateClaimSpecUpdate(const core::PersistentVolumeClaim& updated, const core::PersistentVolumeClaim& old,
                             ErrorList& errors) {
  core::PersistentVolumeClaimSpec now = updated.spec();
  core::PersistentVolumeClaimSpec before = old.spec();
  if (before.volumename().empty()) before.set_volumename(now.volumename());
  if (IsStorageClassUpgrade(updated, old)) {
    now.clear_storageclassname();
  } else {
    const std::string* annotation = Annotation(updated.metadata(), kBetaStorageClass);
    const std::string* old_annotation = Annotation(old.metadata(), kBetaStorageClass);
    const std::string text = annotation ? *annotation : "";
    if (text != (old_annotation ? *old_annotation : "")) {
      errors.push_back(field::Invalid(Path("metadata.annotations").Child(kBetaStorageClass), text, kFieldImmutable));
    }
    // A default class that came later may be filled in.
    if (old_annotation == nullptr && !before.has_storageclassname()) now.clear_storageclassname();
  }
  if (updated.status().phase() == "Bound" && !now.resources().requests().empty()) {
    auto& requests = *now.mutable_resources()->mutable_requests();
    const auto found = before.resources().requests().find("storage");
    if (found != before.resources().requests().end()) requests["storage"] = found->second;
  }
  now.clear_volumeattributesclassname();
  if (before.has_volumeattributesclassname()) now.set_volumeattributesclassname(before.volumeattributesclassname());
  if (!SemanticEqual(now, before)) {
    errors.push_back(field::Forbidden(Path("spec"),
                                      "spec is immutable after creation except resources.requests and "
                                      "volumeAttributesClassName for bound claims\n" +
                                          Diff(before, now)));
  }
}

// storage, or a name of somebody's own domain.
bool ValidateClaimResourceKey(const std::string& name, const Path& path, ErrorList& errors) {
  const names::Messages messages = names::IsQualifiedName(name);
  AddInvalid(errors, path, name, messages);
  if (!messages.empty()) return false;
  const bool native = name.find('/') == std::string::npos || name.find("kubernetes.io/") != std::string::npos;
  if (!native || name == "storage") return true;
  errors.push_back(field::NotSupported(path, name, {"storage"}));
  return false;
}

void ValidateAllocatedResources(const core::PersistentVolumeClaimStatus& status, ErrorList& errors) {
  static constexpr std::string_view kStatuses[] = {"ControllerResizeInProgress", "ControllerResizeInfeasible",
                                                   "NodeResizeInProgress", "NodeResizeInfeasible", "NodeResizePending"};
  const Path statuses("status.allocatedResourceStatus");
  for (const std::string& name : SortedKeys(status.allocatedresourcestatuses())) {
    ValidateClaimResourceKey(name, statuses, errors);
    const std::string& value = status.allocatedresourcestatuses().at(name);
    if (std::find(std::begin(kStatuses), std::end(kStatuses), value) != std::end(kStatuses)) continue;
    // The name is what upstream shows, not the status.
    errors.push_back(field::NotSupported(statuses, name, kStatuses));
  }
  const Path allocated("status.allocatedResources");
  for (const std::string& name : SortedKeys(status.allocatedresources())) {
    if (!ValidateClaimResourceKey(name, allocated, errors)) continue;
    ValidateBasicResource(Quantity::From(status.allocatedresources().at(name)), allocated.Key(name), errors);
  }
}

}  // namespace
}  // namespace validation

using namespace validation;  // NOLINT: what follows is made of its steps

field::ErrorList ValidatePersistentVolume(const core::PersistentVolume& volume) {
  static constexpr std::string_view kPolicies[] = {"Delete", "Recycle", "Retain"};
  static constexpr std::string_view kModes[] = {"Block", "Filesystem"};
  const core::PersistentVolumeSpec& spec = volume.spec();
  const Path path("spec");
  ErrorList errors;
  ValidateAccessModes(spec.accessmodes(), path.Child("accessModes"), errors);
  ValidateCapacity(spec, path.Child("capacity"), errors);
  const std::string& policy = spec.persistentvolumereclaimpolicy();
  const Path policy_path = path.Child("persistentVolumeReclaimPolicy");
  if (!policy.empty()) RequireOneOf(errors, policy_path, policy, kPolicies);
  if (spec.has_nodeaffinity()) {
    const Path required = path.Child("nodeAffinity.required");
    if (spec.nodeaffinity().has_required()) {
      ValidateNodeSelector(spec.nodeaffinity().required(), required, errors);
    } else {
      errors.push_back(field::Required(required, "must specify required node constraints"));
    }
  }
  VolumeSourceValidator(volume, path, errors).Run();
  if (spec.persistentvolumesource().has_hostpath() && IsRoot(spec.persistentvolumesource().hostpath().path()) &&
      policy == "Recycle") {
    errors.push_back(field::Forbidden(policy_path, "may not be 'recycle' for a hostPath mount of '/'"));
  }
  if (!spec.storageclassname().empty()) {
    AddInvalid(errors, path.Child("storageClassName"), spec.storageclassname(),
               names::NameIsDNSSubdomain(spec.storageclassname(), false));
  }
  if (spec.has_volumemode()) RequireOneOf(errors, path.Child("volumeMode"), spec.volumemode(), kModes);
  return errors;
}

field::ErrorList ValidatePersistentVolumeUpdate(const core::PersistentVolume& updated,
                                                const core::PersistentVolume& old) {
  ErrorList errors = ValidatePersistentVolume(updated);
  core::PersistentVolumeSource now = updated.spec().persistentvolumesource();
  const core::PersistentVolumeSource& before = old.spec().persistentvolumesource();
  // Secrets for growing may be added later.
  if (now.has_csi() && before.has_csi() && !before.csi().has_controllerexpandsecretref()) {
    now.mutable_csi()->clear_controllerexpandsecretref();
  }
  if (!SemanticEqual(now, before)) {
    errors.push_back(field::Forbidden(Path("spec.persistentvolumesource"),
                                      "spec.persistentvolumesource is immutable after creation\n" + Diff(before, now)));
  }
  if (updated.spec().volumemode() != old.spec().volumemode()) {
    errors.push_back(field::Invalid(Path("volumeMode"), updated.spec().volumemode(), kFieldImmutable));
  }
  if (old.spec().has_nodeaffinity() && !SemanticEqual(updated.spec().nodeaffinity(), old.spec().nodeaffinity())) {
    errors.push_back(
        field::InvalidLiteral(Path("nodeAffinity"), "<node affinity>",
                              std::string(kFieldImmutable) + ", except for updating from beta label to GA"));
  }
  return errors;
}

field::ErrorList ValidatePersistentVolumeClaim(const core::PersistentVolumeClaim& claim) {
  ErrorList errors;
  ValidatePersistentVolumeClaimSpec(claim.spec(), Path("spec"), errors);
  return errors;
}

field::ErrorList ValidatePersistentVolumeClaimUpdate(const core::PersistentVolumeClaim& updated,
                                                     const core::PersistentVolumeClaim& old) {
  ErrorList errors = ValidatePersistentVolumeClaim(updated);
  ValidateClaimSpecUpdate(updated, old, errors);
  const Quantity now = Storage(updated.spec().resources().requests());
  // Smaller only to take back a growth that failed.
  if (now < Storage(old.spec().resources().requests()) && now <= Storage(old.status().capacity())) {
    errors.push_back(
        field::Forbidden(Path("spec.resources.requests.storage"), "field can not be less than status.capacity"));
  }
  if (updated.spec().volumemode() != old.spec().volumemode()) {
    errors.push_back(field::Invalid(Path("volumeMode"), updated.spec().volumemode(), kFieldImmutable));
  }
  if (updated.spec().has_volumeattributesclassname() != old.spec().has_volumeattributesclassname() ||
      updated.spec().volumeattributesclassname() != old.spec().volumeattributesclassname()) {
    errors.push_back(field::Forbidden(Path("spec.volumeAttributesClassName"),
                                      "update is forbidden when the VolumeAttributesClass feature gate is disabled"));
  }
  return errors;
}

field::ErrorList ValidatePersistentVolumeClaimStatusUpdate(const core::PersistentVolumeClaim& updated) {
  ErrorList errors;
  RequireText(errors, Path("resourceVersion"), updated.metadata().resourceversion());
  if (updated.spec().accessmodes().empty()) errors.push_back(field::Required(Path("Spec.accessModes"), ""));
  const auto& capacity = updated.status().capacity();
  for (const std::string& name : SortedKeys(capacity)) {
    ValidateBasicResource(Quantity::From(capacity.at(name)), Path("status.capacity").Key(name), errors);
  }
  ValidateAllocatedResources(updated.status(), errors);
  return errors;
}

}  // namespace knarr::api
