// Remembers on disk what was last good in each manifest, so that a restart of the kubelet beside a broken or missing
// file does not stop the pod that runs from it. One file per manifest, named by the hash of its path, mode 0600
// because manifests hold Secrets.
#pragma once

#include <map>
#include <string>

#include "pkg/base/status.h"

namespace knarr::kubelet {

class LastGoodStore {
 public:
  explicit LastGoodStore(std::string dir) : dir_(std::move(dir)) {}
  // kNotFound where nothing is remembered.
  Result<std::string> Load(const std::string& path) const;
  // Everything remembered: manifest path -> content. Unreadable entries are left out.
  std::map<std::string, std::string> LoadAll() const;
  // Does nothing if that is what is stored.
  Status Save(const std::string& path, const std::string& content);
  Status Forget(const std::string& path);

 private:
  std::string FileOf(const std::string& path) const;
  const std::string dir_;
};

}  // namespace knarr::kubelet
