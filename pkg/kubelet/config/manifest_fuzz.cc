// Any bytes as a manifest: an object, or problems with a reason.
#include <cstdint>
#include <string_view>

#include "pkg/kubelet/config/manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  knarr::kubelet::ParseOptions options;
  options.origin = {"file", "/etc/kubernetes/manifests/fuzz.yaml", "node1"};
  options.max_bytes = 64 << 10;
  const knarr::kubelet::ParsedManifest parsed =
      knarr::kubelet::ParseManifest(std::string_view(reinterpret_cast<const char*>(data), size), options);
  for (const knarr::kubelet::ManifestProblem& problem : parsed.problems) {
    if (problem.message.empty() || problem.ToString().empty()) __builtin_trap();
  }
  for (const knarr::kubelet::ManifestPod& entry : parsed.manifest.pods) {
    if (parsed.problems.empty() && entry.pod->metadata().uid().empty()) __builtin_trap();
  }
  return 0;
}
