// Where everything of a pod lies below the kubelet's root directory; the same places as upstream's.
// Mirrors: pkg/kubelet/kubelet_getters.go, pkg/volume/util (escaped plugin names)
#pragma once

#include <string>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/types.h"
#include "pkg/base/status.h"

namespace knarr::kubelet {

class VolumeLayout {
 public:
  explicit VolumeLayout(std::string root) : root_(std::move(root)) {}

  std::string Pods() const;
  std::string Pod(const std::string& uid) const;
  // pods/<uid>/volumes/kubernetes.io~empty-dir/<name>
  std::string Volume(const std::string& uid, const core::Volume& volume) const;
  // pods/<uid>/plugins/kubernetes.io~empty-dir/<name>: holds the file "ready". Payload volumes are wrapped ones.
  std::string EmptyDirMeta(const std::string& uid, const core::Volume& volume) const;
  // pods/<uid>/volume-subpaths/<volume>/<container>
  std::string SubPaths(const std::string& uid, const std::string& volume, const std::string& container) const;

 private:
  const std::string root_;
};

// "kubernetes.io~secret"; "" for a kind that has no directory of its own or that we do not know.
std::string PluginDirectory(const core::Volume& volume);
// What becomes a file name must be one: not empty, no slash, neither "." nor "..".
Status CheckFileName(std::string_view what, const std::string& name);

}  // namespace knarr::kubelet
