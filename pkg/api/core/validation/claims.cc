// The claim templates of ephemeral volumes, and resource claims.
#include <fmt/format.h>

#include "pkg/api/core/validation/internal.h"

namespace knarr::api::validation {
namespace {

constexpr std::string_view kStorage = "storage";

// TypedLocalObjectReference or TypedObjectReference.
template <typename Reference>
void ValidateDataSource(const Reference& source, const Path& path, ErrorList& errors) {
  RequireText(errors, path.Child("name"), source.name());
  RequireText(errors, path.Child("kind"), source.kind());
  if (source.apigroup().empty()) {
    if (source.kind() != "PersistentVolumeClaim") {
      errors.push_back(
          field::Invalid(path, source.kind(), "must be 'PersistentVolumeClaim' when referencing the default apiGroup"));
    }
  } else {
    AddInvalid(errors, path.Child("apiGroup"), source.apigroup(), names::IsDNS1123Subdomain(source.apigroup()));
  }
}

void ValidateAccessModes(const core::PersistentVolumeClaimSpec& spec, const Path& path, ErrorList& errors) {
  static constexpr std::string_view kModes[] = {"ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"};
  bool once_pod = false;
  bool others = false;
  for (const std::string& mode : spec.accessmodes()) {
    const size_t before = errors.size();
    RequireOneOf(errors, path, mode, kModes);
    if (mode == "ReadWriteOncePod") {
      once_pod = true;
    } else if (errors.size() == before) {
      others = true;
    }
  }
  if (once_pod && others) {
    errors.push_back(field::Forbidden(path, "may not use ReadWriteOncePod with other access modes"));
  }
}

void ValidateStorageRequest(const core::PersistentVolumeClaimSpec& spec, const Path& path, ErrorList& errors) {
  const auto& requests = spec.resources().requests();
  const auto found = requests.find(std::string(kStorage));
  if (found == requests.end()) {
    errors.push_back(field::Required(path, ""));
    return;
  }
  const Quantity storage = Quantity::From(found->second);
  if (storage.Sign() <= 0) {
    errors.push_back(field::Invalid(path, storage.ToString(), kMustBePositive));
  } else {
    ValidateResourceQuantityValue(kStorage, storage, path, errors);
  }
}

void ValidateDataSources(const core::PersistentVolumeClaimSpec& spec, const Path& path, ErrorList& errors) {
  if (spec.has_datasource()) ValidateDataSource(spec.datasource(), path.Child("dataSource"), errors);
  if (!spec.has_datasourceref()) return;
  const core::TypedObjectReference& reference = spec.datasourceref();
  ValidateDataSource(reference, path.Child("dataSourceRef"), errors);
  if (!reference.namespace_().empty()) {
    AddInvalid(errors, path.Child("dataSourceRef").Child("namespace"), reference.namespace_(),
               names::NameIsDNSLabel(reference.namespace_(), false));
  }
  if (!spec.has_datasource()) return;
  const core::TypedLocalObjectReference& source = spec.datasource();
  const std::string source_path = path.Child("dataSource").ToString();
  if (!reference.namespace_().empty()) {
    errors.push_back(
        field::InvalidLiteral(path, source_path, "may not be specified when dataSourceRef.namespace is specified"));
  } else if (source.has_apigroup() != reference.has_apigroup() || source.apigroup() != reference.apigroup() ||
             source.kind() != reference.kind() || source.name() != reference.name()) {
    errors.push_back(field::InvalidLiteral(path, source_path, "must match dataSourceRef"));
  }
}

void ValidatePodResourceClaim(const core::PodResourceClaim& claim, Names& seen, const Path& path, ErrorList& errors) {
  if (claim.name().empty()) {
    errors.push_back(field::Required(path.Child("name"), ""));
  } else if (!seen.insert(claim.name()).second) {
    errors.push_back(field::Duplicate(path.Child("name"), claim.name()));
  } else {
    AddInvalid(errors, path.Child("name"), claim.name(), names::IsDNS1123Label(claim.name()));
  }
  if (claim.has_resourceclaimname() && claim.has_resourceclaimtemplatename()) {
    errors.push_back(field::Invalid(
        path, claim.name(), "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"));
  }
  if (!claim.has_resourceclaimname() && !claim.has_resourceclaimtemplatename()) {
    errors.push_back(
        field::Invalid(path, claim.name(), "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"));
  }
  if (claim.has_resourceclaimname()) {
    AddInvalid(errors, path.Child("resourceClaimName"), claim.resourceclaimname(),
               names::NameIsDNSSubdomain(claim.resourceclaimname(), false));
  }
  if (claim.has_resourceclaimtemplatename()) {
    AddInvalid(errors, path.Child("resourceClaimTemplateName"), claim.resourceclaimtemplatename(),
               names::NameIsDNSSubdomain(claim.resourceclaimtemplatename(), false));
  }
}

}  // namespace

void ValidatePersistentVolumeClaimSpec(const core::PersistentVolumeClaimSpec& spec, const Path& path,
                                       ErrorList& errors) {
  static constexpr std::string_view kVolumeModes[] = {"Block", "Filesystem"};
  if (spec.accessmodes().empty()) {
    errors.push_back(field::Required(path.Child("accessModes"), "at least 1 access mode is required"));
  }
  if (spec.has_selector()) ValidateLabelSelector(spec.selector(), path.Child("selector"), errors);
  ValidateAccessModes(spec, path.Child("accessModes"), errors);
  ValidateStorageRequest(spec, path.Child("resources").Key(kStorage), errors);
  if (!spec.storageclassname().empty()) {
    AddInvalid(errors, path.Child("storageClassName"), spec.storageclassname(),
               names::NameIsDNSSubdomain(spec.storageclassname(), false));
  }
  if (spec.has_volumemode()) RequireOneOf(errors, path.Child("volumeMode"), spec.volumemode(), kVolumeModes);
  ValidateDataSources(spec, path, errors);
}

void ValidatePersistentVolumeClaimTemplate(const core::PersistentVolumeClaimTemplate& claim, const Path& path,
                                           ErrorList& errors) {
  ValidateTemplateObjectMeta(claim.metadata(), path.Child("metadata"), errors);
  ValidatePersistentVolumeClaimSpec(claim.spec(), path.Child("spec"), errors);
}

void ValidatePodResourceClaims(const core::PodSpec& spec, const Path& path, ErrorList& errors) {
  Names seen;
  for (int i = 0; i < spec.resourceclaims_size(); ++i) {
    ValidatePodResourceClaim(spec.resourceclaims(i), seen, path.Index(static_cast<size_t>(i)), errors);
  }
}

}  // namespace knarr::api::validation
