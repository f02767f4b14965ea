// Downward API and projected volumes.
#include <fmt/format.h>

#include "pkg/api/core/validation/internal.h"
#include "pkg/api/field/quote.h"

namespace knarr::api::validation {
namespace {

constexpr std::string_view kConflictingPaths = "conflicting duplicate paths";
constexpr size_t kSignerDomainMax = 253;
constexpr size_t kSignerNameMax = kSignerDomainMax + 253 + 63 + 1 + 1;

void ValidateDownwardAPIVolumeFile(const core::DownwardAPIVolumeFile& file, const Path& path, ErrorList& errors) {
  static constexpr std::string_view kFields[] = {"metadata.annotations", "metadata.labels", "metadata.name",
                                                 "metadata.namespace", "metadata.uid"};
  RequireText(errors, path.Child("path"), file.path());
  ValidateLocalNonReservedPath(file.path(), path.Child("path"), errors);
  if (file.has_fieldref()) {
    ValidateObjectFieldSelector(file.fieldref(), kFields, path.Child("fieldRef"), errors);
    if (file.has_resourcefieldref()) {
      errors.push_back(
          field::Invalid(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously"));
    }
  } else if (file.has_resourcefieldref()) {
    ValidateContainerResourceFieldSelector(file.resourcefieldref(), path.Child("resourceFieldRef"), true, errors);
  } else {
    errors.push_back(field::Required(path, "one of fieldRef and resourceFieldRef is required"));
  }
  if (file.has_mode()) ValidateFileMode(file.mode(), path.Child("mode"), errors);
}

void ValidateLabelList(std::string_view text, std::string_view whole, names::Messages (*check)(std::string_view),
                       const Path& path, ErrorList& errors) {
  for (bool more = true; more;) {
    const size_t dot = text.find('.');
    const std::string_view label = text.substr(0, dot);
    const names::Messages messages = check(label);
    for (const std::string& message : messages) {
      errors.push_back(
          field::Invalid(path, whole, fmt::format("validating label {}: {}", field::Quote(label), message)));
    }
    more = dot != std::string_view::npos && messages.empty();
    if (more) text.remove_prefix(dot + 1);
  }
}

void ValidateSignerName(const std::string& signer, const Path& path, ErrorList& errors) {
  if (signer.empty()) {
    errors.push_back(field::Required(path, ""));
    return;
  }
  if (std::count(signer.begin(), signer.end(), '/') != 1) {
    errors.push_back(field::Invalid(path, signer,
                                    "must be a fully qualified domain and path of the form 'example.com/signer-name'"));
    return;
  }
  const std::string domain = signer.substr(0, signer.find('/'));
  const std::string rest = signer.substr(signer.find('/') + 1);
  if (domain.size() > kSignerDomainMax) errors.push_back(field::TooLong(path, "", kSignerDomainMax));
  ValidateLabelList(domain, domain, names::IsDNS1123Label, path, errors);
  if (domain.find('.') == std::string::npos) {
    errors.push_back(field::Invalid(path, domain, "should be a domain with at least two segments separated by dots"));
  }
  ValidateLabelList(rest, rest, names::IsDNS1123Subdomain, path, errors);
  if (signer.size() > kSignerNameMax) errors.push_back(field::TooLong(path, "", kSignerNameMax));
}

// Bundles of a signer are called <signer with : for />:<name>.
names::Messages CheckTrustBundleName(const std::string& name) {
  const size_t colon = name.rfind(':');
  return names::NameIsDNSSubdomain(colon == std::string::npos ? name : name.substr(colon + 1), false);
}

void ValidateClusterTrustBundle(const core::ClusterTrustBundleProjection& bundle, const Path& path, ErrorList& errors) {
  if (bundle.has_name() && bundle.has_signername()) {
    errors.push_back(field::Invalid(path, bundle.name(), "only one of name and signerName may be used"));
  } else if (bundle.has_name()) {
    if (bundle.name().empty()) errors.push_back(field::Required(path.Child("name"), "must be a valid object name"));
    for (const std::string& message : CheckTrustBundleName(bundle.name())) {
      errors.push_back(
          field::Invalid(path.Child("name"), bundle.name(), "not a valid clustertrustbundlename: " + message));
    }
    if (bundle.has_labelselector()) {
      errors.push_back(field::Invalid(path.Child("labelSelector"), bundle.labelselector().ShortDebugString(),
                                      "labelSelector must be unset if name is specified"));
    }
  } else if (bundle.has_signername()) {
    if (bundle.signername().empty()) {
      errors.push_back(field::Required(path.Child("signerName"), "must be a valid signer name"));
    }
    ValidateSignerName(bundle.signername(), path.Child("signerName"), errors);
    if (bundle.has_labelselector()) ValidateLabelSelector(bundle.labelselector(), path.Child("labelSelector"), errors);
  } else {
    errors.push_back(field::Required(path, "either name or signerName must be specified"));
  }
  RequireText(errors, path.Child("path"), bundle.path());
  ValidateLocalNonReservedPath(bundle.path(), path.Child("path"), errors);
}

class Projections {
 public:
  Projections(const Path& path, const PodValidationOptions& options, ErrorList& errors)
      : path_(path), options_(options), errors_(errors) {}

  void Validate(const core::VolumeProjection& source, const Path& path) {
    int sources = 0;
    if (source.has_secret()) {
      ++sources;
      Object(source.secret(), path.Child("secret"));
    }
    if (source.has_configmap()) {
      ++sources;
      Object(source.configmap(), path.Child("configMap"));
    }
    if (source.has_downwardapi()) {
      ++sources;
      DownwardAPI(source.downwardapi(), path.Child("downwardAPI"));
    }
    if (source.has_serviceaccounttoken()) {
      ++sources;
      Token(source.serviceaccounttoken(), path.Child("serviceAccountToken"));
    }
    if (source.has_clustertrustbundle()) {
      ++sources;
      ValidateClusterTrustBundle(source.clustertrustbundle(), path.Child("clusterTrustBundle"), errors_);
      TakePath(source.clustertrustbundle().path(), source.clustertrustbundle().path());
    }
    if (sources > 1) errors_.push_back(field::Forbidden(path, "may not specify more than 1 volume type per source"));
  }

 private:
  // Two sources may not write one file; the conflict is reported at the volume, naming `owner`.
  void TakePath(const std::string& file, const std::string& owner) {
    if (!paths_.insert(file).second) errors_.push_back(field::Invalid(path_, owner, kConflictingPaths));
  }

  template <typename Projection>
  void Object(const Projection& object, const Path& path) {
    const std::string& name = object.localobjectreference().name();
    RequireText(errors_, path.Child("name"), name);
    for (int i = 0; i < object.items_size(); ++i) {
      ValidateKeyToPath(object.items(i), path.Child("items").Index(static_cast<size_t>(i)), errors_);
      if (!object.items(i).path().empty()) TakePath(object.items(i).path(), name);
    }
  }

  void DownwardAPI(const core::DownwardAPIProjection& downward, const Path& path) {
    for (const core::DownwardAPIVolumeFile& file : downward.items()) {
      ValidateDownwardAPIVolumeFile(file, path, errors_);
      if (!file.path().empty()) TakePath(file.path(), file.path());
    }
  }

  void Token(const core::ServiceAccountTokenProjection& token, const Path& path) {
    const int64_t seconds = token.expirationseconds();
    if (seconds < 10 * 60) {
      errors_.push_back(
          field::Invalid(path.Child("expirationSeconds"), seconds, "may not specify a duration less than 10 minutes"));
    }
    if (seconds > (int64_t{1} << 32)) {
      errors_.push_back(field::Invalid(path.Child("expirationSeconds"), seconds,
                                       "may not specify a duration larger than 2^32 seconds"));
    }
    if (token.path().empty()) {
      errors_.push_back(field::Required(path_.Child("path"), ""));
    } else if (!options_.allow_non_local_projected_token_path) {
      ValidateLocalNonReservedPath(token.path(), path_.Child("path"), errors_);
    }
  }

  const Path& path_;
  const PodValidationOptions& options_;
  ErrorList& errors_;
  Names paths_;
};

}  // namespace

void ValidateDownwardAPIVolumeSource(const core::DownwardAPIVolumeSource& source, const Path& path, ErrorList& errors) {
  ValidateFileMode(source.defaultmode(), path.Child("defaultMode"), errors);
  for (const core::DownwardAPIVolumeFile& file : source.items()) ValidateDownwardAPIVolumeFile(file, path, errors);
}

void ValidateProjectedVolumeSource(const core::ProjectedVolumeSource& source, const Path& path,
                                   const PodValidationOptions& options, ErrorList& errors) {
  ValidateFileMode(source.defaultmode(), path.Child("defaultMode"), errors);
  Projections projections(path, options, errors);
  for (int i = 0; i < source.sources_size(); ++i) {
    projections.Validate(source.sources(i), path.Child("sources").Index(static_cast<size_t>(i)));
  }
}

}  // namespace knarr::api::validation
