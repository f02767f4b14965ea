// Volume sources that need a network, a cloud or a CSI driver. The kubelet refuses to mount what it has no plugin for;
// their manifests are still validated in full.
#include <re2/re2.h>

#include "pkg/api/core/validation/internal.h"
#include "pkg/api/core/validation/remote_volumes.h"

namespace knarr::api::validation {
namespace {

constexpr size_t kIscsiNameMax = 64;
constexpr size_t kCsiDriverMax = 63;

bool IsInitiatorName(const std::string& name) {
  static const RE2 iqn(R"(iqn\.\d{4}-\d{2}\.([[:alnum:]\-.]+)(:[^,;*&$|\s]+)$)");
  static const RE2 eui(R"(^eui.[[:alnum:]]{16}$)");
  static const RE2 naa(R"(^naa.[[:alnum:]]{32}$)");
  if (name.starts_with("iqn")) return RE2::PartialMatch(name, iqn);
  if (name.starts_with("eui")) return RE2::PartialMatch(name, eui);
  return RE2::PartialMatch(name, naa);
}

void ValidateInitiatorName(const std::string& name, const Path& path, ErrorList& errors) {
  if (!name.starts_with("iqn") && !name.starts_with("eui") && !name.starts_with("naa")) {
    errors.push_back(field::Invalid(path, name, "must be valid format starting with iqn, eui, or naa"));
  } else if (!IsInitiatorName(name)) {
    errors.push_back(field::Invalid(path, name, "must be valid format"));
  }
}

void ValidateLun(int lun, const Path& path, ErrorList& errors) {
  AddInvalid(errors, path, lun, names::IsInRange(lun, 0, 255));
}

void ValidatePartition(int partition, const Path& path, ErrorList& errors) {
  if (partition < 0 || partition > 255) {
    errors.push_back(field::Invalid(path, partition, names::InclusiveRangeError(1, 255)));
  }
}

// host:port, with the host in brackets if it has colons.
bool IsHostPort(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return false;
  const std::string_view host = text.substr(0, colon);
  if (host.starts_with('[')) return host.find(']') == host.size() - 1;
  return host.find_first_of(":[]") == std::string_view::npos;
}

}  // namespace

void ValidateSource(const core::ISCSIVolumeSource& iscsi, const Path& path, ErrorList& errors) {
  RequireText(errors, path.Child("targetPortal"), iscsi.targetportal());
  RequireText(errors, path.Child("iqn"), iscsi.iqn());
  if (!iscsi.iqn().empty()) ValidateInitiatorName(iscsi.iqn(), path.Child("iqn"), errors);
  ValidateLun(iscsi.lun(), path.Child("lun"), errors);
  if ((iscsi.chapauthdiscovery() || iscsi.chapauthsession()) && !iscsi.has_secretref()) {
    errors.push_back(field::Required(path.Child("secretRef"), ""));
  }
  if (iscsi.has_initiatorname()) ValidateInitiatorName(iscsi.initiatorname(), path.Child("initiatorname"), errors);
}

void ValidateSource(const core::FCVolumeSource& fc, const Path& path, ErrorList& errors) {
  const Path names = path.Child("targetWWNs");
  if (fc.targetwwns().empty() && fc.wwids().empty()) {
    errors.push_back(field::Required(names, "must specify either targetWWNs or wwids, but not both"));
  }
  if (!fc.targetwwns().empty() && !fc.wwids().empty()) {
    errors.push_back(field::InvalidLiteral(names, GoStrings(fc.targetwwns()),
                                           "targetWWNs and wwids can not be specified simultaneously"));
  }
  if (fc.targetwwns().empty()) return;
  if (!fc.has_lun()) {
    errors.push_back(field::Required(path.Child("lun"), "lun is required if targetWWNs is specified"));
  } else {
    ValidateLun(fc.lun(), path.Child("lun"), errors);
  }
}

void ValidateSource(const core::NFSVolumeSource& nfs, const Path& path, ErrorList& errors) {
  RequireText(errors, path.Child("server"), nfs.server());
  RequireText(errors, path.Child("path"), nfs.path());
  if (!nfs.path().starts_with('/')) {
    errors.push_back(field::Invalid(path.Child("path"), nfs.path(), "must be an absolute path"));
  }
}

void ValidateSource(const core::QuobyteVolumeSource& quobyte, const Path& path, ErrorList& errors) {
  constexpr std::string_view kPairs = "must be a host:port pair or multiple pairs separated by commas";
  if (quobyte.registry().empty()) {
    errors.push_back(field::Required(path.Child("registry"), kPairs));
  } else if (quobyte.tenant().size() >= 65) {
    errors.push_back(
        field::Required(path.Child("tenant"), "must be a UUID and may not exceed a length of 64 characters"));
  } else {
    std::string_view rest = quobyte.registry();
    for (bool more = true; more;) {
      const size_t comma = rest.find(',');
      more = comma != std::string_view::npos;
      if (!IsHostPort(rest.substr(0, comma))) {
        errors.push_back(field::Invalid(path.Child("registry"), quobyte.registry(), kPairs));
      }
      if (more) rest.remove_prefix(comma + 1);
    }
  }
  RequireText(errors, path.Child("volume"), quobyte.volume());
}

void ValidateSource(const core::FlockerVolumeSource& flocker, const Path& path, ErrorList& errors) {
  if (flocker.datasetname().empty() && flocker.datasetuuid().empty()) {
    errors.push_back(field::Required(path, "one of datasetName and datasetUUID is required"));
  }
  if (!flocker.datasetname().empty() && !flocker.datasetuuid().empty()) {
    errors.push_back(
        field::Invalid(path, "resource", "datasetName and datasetUUID can not be specified simultaneously"));
  }
  if (flocker.datasetname().find('/') != std::string::npos) {
    errors.push_back(field::Invalid(path.Child("datasetName"), flocker.datasetname(), "must not contain '/'"));
  }
}

void ValidateSource(const core::FlexVolumeSource& flex, const Path& path, ErrorList& errors) {
  RequireText(errors, path.Child("driver"), flex.driver());
  for (const std::string& key : SortedKeys(flex.options())) {
    const std::string normalized = "." + Lower(key.substr(0, key.find('/')));
    if (normalized.ends_with(".kubernetes.io") || normalized.ends_with(".k8s.io")) {
      errors.push_back(
          field::Invalid(path.Child("options").Key(key), key, "kubernetes.io and k8s.io namespaces are reserved"));
    }
  }
}

void ValidateSource(const core::AzureDiskVolumeSource& disk, const Path& path, ErrorList& errors) {
  static constexpr std::string_view kCachingModes[] = {"None", "ReadOnly", "ReadWrite"};
  static constexpr std::string_view kKinds[] = {"Dedicated", "Managed", "Shared"};
  RequireText(errors, path.Child("diskName"), disk.diskname());
  RequireText(errors, path.Child("diskURI"), disk.diskuri());
  if (disk.has_cachingmode()) RequireOneOf(errors, path.Child("cachingMode"), disk.cachingmode(), kCachingModes);
  if (!disk.has_kind()) return;
  RequireOneOf(errors, path.Child("kind"), disk.kind(), kKinds);
  if (disk.kind() == "Managed") {
    if (disk.diskuri().starts_with("/subscriptions/")) return;
    errors.push_back(field::NotSupported(
        path.Child("diskURI"), disk.diskuri(),
        {"/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}"}));
  } else if (!disk.diskuri().starts_with("https://")) {
    errors.push_back(
        field::NotSupported(path.Child("diskURI"), disk.diskuri(),
                            {"https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"}));
  }
}

void ValidateSource(const core::ScaleIOVolumeSource& scale_io, const Path& path, ErrorList& errors) {
  RequireText(errors, path.Child("gateway"), scale_io.gateway());
  RequireText(errors, path.Child("system"), scale_io.system());
  RequireText(errors, path.Child("volumeName"), scale_io.volumename());
}

void ValidateSource(const core::StorageOSVolumeSource& storage_os, const Path& path, ErrorList& errors) {
  RequireText(errors, path.Child("volumeName"), storage_os.volumename());
  if (!storage_os.volumename().empty()) {
    AddInvalid(errors, path.Child("volumeName"), storage_os.volumename(),
               names::IsDNS1123Label(storage_os.volumename()));
  }
  if (!storage_os.volumenamespace().empty()) {
    AddInvalid(errors, path.Child("volumeNamespace"), storage_os.volumenamespace(),
               names::IsDNS1123Label(storage_os.volumenamespace()));
  }
  if (storage_os.has_secretref()) RequireText(errors, path.Child("secretRef.name"), storage_os.secretref().name());
}

void ValidateSource(const core::CSIVolumeSource& csi, const Path& path, ErrorList& errors) {
  const Path driver = path.Child("driver");
  RequireText(errors, driver, csi.driver());
  if (csi.driver().size() > kCsiDriverMax) errors.push_back(field::TooLong(driver, "", kCsiDriverMax));
  AddInvalid(errors, driver, csi.driver(), names::IsDNS1123Subdomain(Lower(csi.driver())));
  if (!csi.has_nodepublishsecretref()) return;
  const std::string& secret = csi.nodepublishsecretref().name();
  RequireText(errors, path.Child("nodePublishSecretRef.name"), secret);
  if (!secret.empty()) AddInvalid(errors, path.Child("name"), secret, names::NameIsDNSSubdomain(secret, false));
}

void ValidateIscsiNameLength(const core::ISCSIVolumeSource& iscsi, std::string_view volume, const Path& path,
                             ErrorList& errors) {
  if (!iscsi.has_initiatorname() || volume.size() + 1 + iscsi.targetportal().size() <= kIscsiNameMax) return;
  errors.push_back(field::Invalid(path.Child("name"), volume,
                                  "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if "
                                  "iscsi.initiatorName is specified."));
}

void ValidateSource(const core::GitRepoVolumeSource& source, const Path& path, ErrorList& errors) {
  RequireText(errors, path.Child("repository"), source.repository());
  ValidateLocalDescendingPath(source.directory(), path.Child("directory"), errors);
}

void ValidateSource(const core::GCEPersistentDiskVolumeSource& source, const Path& path, ErrorList& errors) {
  RequireText(errors, path.Child("pdName"), source.pdname());
  ValidatePartition(source.partition(), path.Child("partition"), errors);
}

void ValidateSource(const core::AWSElasticBlockStoreVolumeSource& source, const Path& path, ErrorList& errors) {
  RequireText(errors, path.Child("volumeID"), source.volumeid());
  ValidatePartition(source.partition(), path.Child("partition"), errors);
}

void ValidateSource(const core::GlusterfsVolumeSource& source, const Path& path, ErrorList& errors) {
  RequireText(errors, path.Child("endpoints"), source.endpoints());
  RequireText(errors, path.Child("path"), source.path());
}

void ValidateSource(const core::RBDVolumeSource& source, const Path& path, ErrorList& errors) {
  if (source.monitors().empty()) errors.push_back(field::Required(path.Child("monitors"), ""));
  RequireText(errors, path.Child("image"), source.image());
}

void ValidateSource(const core::CinderVolumeSource& source, const Path& path, ErrorList& errors) {
  RequireText(errors, path.Child("volumeID"), source.volumeid());
  if (source.has_secretref()) RequireText(errors, path.Child("secretRef.name"), source.secretref().name());
}

void ValidateSource(const core::CephFSVolumeSource& source, const Path& path, ErrorList& errors) {
  if (source.monitors().empty()) errors.push_back(field::Required(path.Child("monitors"), ""));
}

void ValidateSource(const core::AzureFileVolumeSource& source, const Path& path, ErrorList& errors) {
  RequireText(errors, path.Child("secretName"), source.secretname());
  RequireText(errors, path.Child("shareName"), source.sharename());
}

void ValidateSource(const core::VsphereVirtualDiskVolumeSource& source, const Path& path, ErrorList& errors) {
  RequireText(errors, path.Child("volumePath"), source.volumepath());
}

void ValidateSource(const core::PhotonPersistentDiskVolumeSource& source, const Path& path, ErrorList& errors) {
  RequireText(errors, path.Child("pdID"), source.pdid());
}

void ValidateSource(const core::PortworxVolumeSource& source, const Path& path, ErrorList& errors) {
  RequireText(errors, path.Child("volumeID"), source.volumeid());
}

}  // namespace knarr::api::validation
