// What one manifest (a file, or what a URL answered) holds, decoded, defaulted and validated: all of it, or the
// problems. A manifest with one bad document is bad as a whole, so that its last good content stays together.
// Mirrors: pkg/kubelet/config/common.go (tryDecodeSinglePod, tryDecodePodList)
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/kubelet/config/common.h"
#include "pkg/kubelet/config/config.h"

namespace knarr::kubelet {

struct ManifestPod {
  PodPtr pod;
  // knarr.dev/after as written: names, or ns/name; the namespace is filled in. Not yet the names on this node.
  std::vector<std::pair<std::string, std::string>> after;
  int line = 0;        // where the pod's document starts
  int after_line = 0;  // where the annotation is
};

template <typename T>
struct ManifestObject {
  std::shared_ptr<const T> object;
  int line = 0;
};

struct Manifest {
  std::string file;
  std::vector<ManifestPod> pods;
  std::vector<ManifestObject<core::ConfigMap>> config_maps;
  std::vector<ManifestObject<core::Secret>> secrets;
  bool empty() const { return pods.empty() && config_maps.empty() && secrets.empty(); }
};

struct ParseOptions {
  PodOrigin origin;
  size_t max_bytes = 1 << 20;
  // Objects that were good before: equal ones are taken over, with their config.seen, so that pointers compare equal.
  const Manifest* previous = nullptr;
  WallTime now{};
  // An empty list of pods is a valid answer of a URL; an empty file is not.
  bool allow_empty = false;
};

struct ParsedManifest {
  Manifest manifest;                      // meaningful if there are no problems
  std::vector<ManifestProblem> problems;  // at most 20; `since` is options.now, `keeps` is left empty
};

// Never throws; time and memory are bounded by max_bytes.
ParsedManifest ParseManifest(std::string_view text, const ParseOptions& options);

}  // namespace knarr::kubelet
