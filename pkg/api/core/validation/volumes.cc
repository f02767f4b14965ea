#include <concepts>

#include <fmt/format.h>

#include "pkg/api/core/validation/internal.h"
#include "pkg/api/core/validation/remote_volumes.h"
#include "pkg/api/field/quote.h"

namespace knarr::api::validation {
namespace {

// The sources below have overloads of their own beside those of remote_volumes.h.
using validation::ValidateSource;

template <typename Items>
void ValidateItems(const Items& items, const Path& path, ErrorList& errors) {
  for (int i = 0; i < items.size(); ++i) ValidateKeyToPath(items[i], path.Index(static_cast<size_t>(i)), errors);
}

void ValidateSource(const core::SecretVolumeSource& secret, const Path& path, ErrorList& errors) {
  RequireText(errors, path.Child("secretName"), secret.secretname());
  ValidateFileMode(secret.defaultmode(), path.Child("defaultMode"), errors);
  ValidateItems(secret.items(), path.Child("items"), errors);
}

void ValidateSource(const core::ConfigMapVolumeSource& config_map, const Path& path, ErrorList& errors) {
  RequireText(errors, path.Child("name"), config_map.localobjectreference().name());
  ValidateFileMode(config_map.defaultmode(), path.Child("defaultMode"), errors);
  ValidateItems(config_map.items(), path.Child("items"), errors);
}

void ValidateSource(const core::EphemeralVolumeSource& ephemeral, const Path& path, ErrorList& errors) {
  if (!ephemeral.has_volumeclaimtemplate()) {
    errors.push_back(field::Required(path.Child("volumeClaimTemplate"), ""));
    return;
  }
  ValidatePersistentVolumeClaimTemplate(ephemeral.volumeclaimtemplate(), path.Child("volumeClaimTemplate"), errors);
}

void ValidateSource(const core::EmptyDirVolumeSource& empty_dir, const Path& path, ErrorList& errors) {
  if (!empty_dir.has_sizelimit() || Quantity::From(empty_dir.sizelimit()).Sign() >= 0) return;
  errors.push_back(field::Forbidden(path.Child("sizeLimit"), "SizeLimit field must be a valid resource quantity"));
}

void ValidateSource(const core::PersistentVolumeClaimVolumeSource& claim, const Path& path, ErrorList& errors) {
  RequireText(errors, path.Child("claimName"), claim.claimname());
}

void ValidateSource(const core::DownwardAPIVolumeSource& downward, const Path& path, ErrorList& errors) {
  ValidateDownwardAPIVolumeSource(downward, path, errors);
}

void ValidateImage(const core::ImageVolumeSource& image, const Path& path, const PodValidationOptions& options,
                   ErrorList& errors) {
  if (options.resource_is_pod) RequireText(errors, path.Child("reference"), image.reference());
  ValidatePullPolicy(image.pullpolicy(), path.Child("pullPolicy"), errors);
}

// Checks the sources of one volume in upstream's order: the first is validated, any further one is forbidden.
class SourceValidator {
 public:
  SourceValidator(const Path& path, ErrorList& errors) : path_(path), errors_(errors) {}

  // Upstream names some sources differently where it forbids them.
  template <typename Validate>
  requires std::invocable<Validate, const Path&>
  void Check(bool is_set, std::string_view name, std::string_view forbidden_name, Validate validate) {
    if (!is_set) return;
    if (found_) {
      errors_.push_back(field::Forbidden(path_.Child(forbidden_name), "may not specify more than 1 volume type"));
      return;
    }
    found_ = true;
    validate(path_.Child(name));
  }

  template <typename Source>
  requires std::derived_from<Source, google::protobuf::Message>
  void Check(bool is_set, std::string_view name, std::string_view forbidden_name, const Source& source) {
    Check(is_set, name, forbidden_name, [&](const Path& path) { ValidateSource(source, path, errors_); });
  }

  bool found() const { return found_; }

 private:
  const Path& path_;
  ErrorList& errors_;
  bool found_ = false;
};

void ValidateClaimName(std::string_view pod_name, std::string_view volume_name, const Path& path, ErrorList& errors) {
  if (pod_name.empty() || volume_name.empty()) return;
  const std::string claim = fmt::format("{}-{}", pod_name, volume_name);
  for (const std::string& message : names::NameIsDNSSubdomain(claim, false)) {
    errors.push_back(
        field::Invalid(path.Child("name"), volume_name, fmt::format("PVC name {}: {}", field::Quote(claim), message)));
  }
}

void ValidateVolumeSource(const core::Volume& volume, std::string_view pod_name, const Path& path,
                          const PodValidationOptions& options, ErrorList& errors) {
  const core::VolumeSource& source = volume.volumesource();
  SourceValidator sources(path, errors);
#define KNARR_SOURCE(field, name) sources.Check(source.has_##field(), name, name, source.field())
  KNARR_SOURCE(emptydir, "emptyDir");
  KNARR_SOURCE(hostpath, "hostPath");
  KNARR_SOURCE(gitrepo, "gitRepo");
  sources.Check(source.has_gcepersistentdisk(), "persistentDisk", "gcePersistentDisk", source.gcepersistentdisk());
  KNARR_SOURCE(awselasticblockstore, "awsElasticBlockStore");
  KNARR_SOURCE(secret, "secret");
  KNARR_SOURCE(nfs, "nfs");
  KNARR_SOURCE(iscsi, "iscsi");
  if (source.has_iscsi()) ValidateIscsiNameLength(source.iscsi(), volume.name(), path, errors);
  KNARR_SOURCE(glusterfs, "glusterfs");
  KNARR_SOURCE(flocker, "flocker");
  KNARR_SOURCE(persistentvolumeclaim, "persistentVolumeClaim");
  KNARR_SOURCE(rbd, "rbd");
  KNARR_SOURCE(cinder, "cinder");
  sources.Check(source.has_cephfs(), "cephfs", "cephFS", source.cephfs());
  KNARR_SOURCE(quobyte, "quobyte");
  sources.Check(source.has_downwardapi(), "downwardAPI", "downwarAPI", source.downwardapi());
  KNARR_SOURCE(fc, "fc");
  KNARR_SOURCE(flexvolume, "flexVolume");
  KNARR_SOURCE(configmap, "configMap");
  KNARR_SOURCE(azurefile, "azureFile");
  KNARR_SOURCE(vspherevolume, "vsphereVolume");
  KNARR_SOURCE(photonpersistentdisk, "photonPersistentDisk");
  KNARR_SOURCE(portworxvolume, "portworxVolume");
  KNARR_SOURCE(azuredisk, "azureDisk");
  KNARR_SOURCE(storageos, "storageos");
  sources.Check(source.has_projected(), "projected", "projected",
                [&](const Path& p) { ValidateProjectedVolumeSource(source.projected(), p, options, errors); });
  KNARR_SOURCE(scaleio, "scaleIO");
  KNARR_SOURCE(csi, "csi");
  sources.Check(source.has_ephemeral(), "ephemeral", "ephemeral", [&](const Path& p) {
    ValidateSource(source.ephemeral(), p, errors);
    ValidateClaimName(pod_name, volume.name(), path, errors);
  });
  sources.Check(source.has_image(), "image", "image",
                [&](const Path& p) { ValidateImage(source.image(), p, options, errors); });
#undef KNARR_SOURCE
  if (!sources.found()) errors.push_back(field::Required(path, "must specify a volume type"));
}

}  // namespace

void ValidateSource(const core::HostPathVolumeSource& host_path, const Path& path, ErrorList& errors) {
  if (host_path.path().empty()) {
    errors.push_back(field::Required(path.Child("path"), ""));
    return;
  }
  ValidatePathNoBacksteps(host_path.path(), path.Child("path"), errors);
  static constexpr std::string_view kTypes[] = {"",     "BlockDevice",  "CharDevice", "Directory", "DirectoryOrCreate",
                                                "File", "FileOrCreate", "Socket"};
  if (host_path.has_type()) RequireOneOf(errors, path.Child("type"), host_path.type(), kTypes);
}

void ValidateKeyToPath(const core::KeyToPath& item, const Path& path, ErrorList& errors) {
  RequireText(errors, path.Child("key"), item.key());
  RequireText(errors, path.Child("path"), item.path());
  ValidateLocalNonReservedPath(item.path(), path.Child("path"), errors);
  if (item.has_mode()) ValidateFileMode(item.mode(), path.Child("mode"), errors);
}

Volumes ValidateVolumes(const core::PodSpec& spec, std::string_view pod_name, const Path& list,
                        const PodValidationOptions& options, ErrorList& errors) {
  Names created_claims;
  for (const core::Volume& volume : spec.volumes()) {
    if (!pod_name.empty() && volume.volumesource().has_ephemeral()) {
      created_claims.insert(fmt::format("{}-{}", pod_name, volume.name()));
    }
  }
  Volumes volumes;
  for (int i = 0; i < spec.volumes_size(); ++i) {
    const core::Volume& volume = spec.volumes(i);
    const Path path = list.Index(static_cast<size_t>(i));
    const size_t before = errors.size();
    ValidateVolumeSource(volume, pod_name, path, options, errors);
    if (volume.name().empty()) {
      errors.push_back(field::Required(path.Child("name"), ""));
    } else {
      AddInvalid(errors, path.Child("name"), volume.name(), names::IsDNS1123Label(volume.name()));
    }
    if (volumes.contains(volume.name())) errors.push_back(field::Duplicate(path.Child("name"), volume.name()));
    if (errors.size() == before) volumes.emplace(volume.name(), &volume.volumesource());
    const std::string& claim = volume.volumesource().persistentvolumeclaim().claimname();
    if (volume.volumesource().has_persistentvolumeclaim() && created_claims.contains(claim)) {
      errors.push_back(field::Invalid(path.Child("persistentVolumeClaim").Child("claimName"), claim,
                                      "must not reference a PVC that gets created for an ephemeral volume"));
    }
  }
  return volumes;
}

}  // namespace knarr::api::validation
