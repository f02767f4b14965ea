#include "pkg/api/core/validation/internal.h"

namespace knarr::api {
namespace {

using field::ErrorList;
using field::Path;

void Refuse(ErrorList& errors, const Path& path, std::string_view resource) {
  errors.push_back(field::Forbidden(path, std::string("static pods may not reference ").append(resource)));
}

void RefuseProjections(const core::ProjectedVolumeSource& projected, const Path& path, ErrorList& errors) {
  for (int i = 0; i < projected.sources_size(); ++i) {
    const Path source = path.Child("sources").Index(static_cast<size_t>(i));
    if (projected.sources(i).has_serviceaccounttoken()) {
      Refuse(errors, source.Child("serviceAccountToken"), "serviceaccounts (via projected volumes)");
    }
    if (projected.sources(i).has_clustertrustbundle()) {
      Refuse(errors, source.Child("clusterTrustBundle"), "clustertrustbundles");
    }
  }
}

void RefuseVolume(const core::VolumeSource& source, const Path& path, ErrorList& errors) {
  if (source.has_csi()) Refuse(errors, path.Child("csi"), "csidrivers (via CSI volumes)");
  if (source.has_glusterfs()) Refuse(errors, path.Child("glusterfs"), "endpoints (via glusterFS volumes)");
  if (source.has_persistentvolumeclaim()) {
    Refuse(errors, path.Child("persistentVolumeClaim"), "persistentvolumeclaims");
  }
  if (source.has_ephemeral()) {
    Refuse(errors, path.Child("ephemeral"), "persistentvolumeclaims (via ephemeral volumes)");
  }
  if (source.has_projected()) RefuseProjections(source.projected(), path.Child("projected"), errors);
}

}  // namespace

field::ErrorList ValidateStaticPod(const core::Pod& pod) {
  ErrorList errors;
  const Path path("spec");
  if (!pod.spec().serviceaccountname().empty()) Refuse(errors, path.Child("serviceAccountName"), "serviceaccounts");
  if (pod.spec().resourceclaims_size() > 0) Refuse(errors, path.Child("resourceClaims"), "resourceclaims");
  for (int i = 0; i < pod.spec().volumes_size(); ++i) {
    RefuseVolume(pod.spec().volumes(i).volumesource(), path.Child("volumes").Index(static_cast<size_t>(i)), errors);
  }
  return errors;
}

}  // namespace knarr::api
