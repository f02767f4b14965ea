// From the good content of all files and URLs to one desired state: who owns a name that two files claim, who waits
// for whom. Remembers owners, so that a later file never takes a running pod over.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "pkg/kubelet/config/manifest.h"

namespace knarr::kubelet {

class Merger {
 public:
  // uid_is_running (may be empty) settles claims on the first merge after a restart of the kubelet: the pod that runs
  // keeps its name.
  Merger(std::string node_name, std::function<bool(const std::string& uid)> uid_is_running)
      : node_name_(std::move(node_name)), uid_is_running_(std::move(uid_is_running)) {}

  // Fills pods, config_maps and secrets, and appends to problems. Manifests are taken in the given order where
  // nothing else decides.
  void Merge(const std::vector<const Manifest*>& manifests, WallTime now, DesiredState& out);

 private:
  struct Claim {
    const Manifest* manifest;
    const ManifestPod* pod;  // null for other kinds
    int line;
  };
  using Claims = std::map<std::string, std::vector<Claim>>;  // by "pod ns/name", "configmap ns/name", ...
  void Settle(Claims& claims, WallTime now, DesiredState& out);
  void TakePods(const Claims& claims, WallTime now, DesiredState& out);
  void ResolveAfter(WallTime now, DesiredState& out, const std::map<std::string, const ManifestPod*>& source);

  const std::string node_name_;
  const std::function<bool(const std::string&)> uid_is_running_;
  std::map<std::string, std::string> owners_;  // claim -> file
  std::map<std::string, std::string> uid_of_;  // uid -> ns/name
};

}  // namespace knarr::kubelet
