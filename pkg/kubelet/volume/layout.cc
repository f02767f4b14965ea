#include "pkg/kubelet/volume/layout.h"

#include "pkg/base/file.h"
#include "pkg/kubelet/volume/payload.h"

namespace knarr::kubelet {

std::string VolumeLayout::Pods() const {
  return JoinPath(root_, "pods");
}
std::string VolumeLayout::Pod(const std::string& uid) const {
  return JoinPath(Pods(), uid);
}

std::string VolumeLayout::Volume(const std::string& uid, const core::Volume& volume) const {
  return fmt::format("{}/volumes/{}/{}", Pod(uid), PluginDirectory(volume), volume.name());
}

std::string VolumeLayout::EmptyDirMeta(const std::string& uid, const core::Volume& volume) const {
  return fmt::format("{}/plugins/kubernetes.io~empty-dir/{}{}", Pod(uid), IsPayloadVolume(volume) ? "wrapped_" : "",
                     volume.name());
}

std::string VolumeLayout::SubPaths(const std::string& uid, const std::string& volume,
                                   const std::string& container) const {
  return fmt::format("{}/volume-subpaths/{}/{}", Pod(uid), volume, container);
}

std::string PluginDirectory(const core::Volume& volume) {
  const core::VolumeSource& source = volume.volumesource();
  if (source.has_emptydir()) return "kubernetes.io~empty-dir";
  if (source.has_configmap()) return "kubernetes.io~configmap";
  if (source.has_secret()) return "kubernetes.io~secret";
  if (source.has_downwardapi()) return "kubernetes.io~downward-api";
  if (source.has_projected()) return "kubernetes.io~projected";
  return "";
}

Status CheckFileName(std::string_view what, const std::string& name) {
  const bool bad = name.empty() || name == "." || name == ".." || name.size() > 255 ||
                   name.find('/') != std::string::npos || name.find('\0') != std::string::npos;
  return bad ? Error(Code::kInvalid, "{} \"{}\" cannot be a file name", what, name) : Status();
}

}  // namespace knarr::kubelet
