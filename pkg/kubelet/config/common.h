// What every pod from a file or URL gets: its name on this node, namespace, UID, annotations and toleration.
// Mirrors: pkg/kubelet/config/common.go (applyDefaults), pkg/kubelet/types/{constants,pod_update}.go
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/types.h"
#include "pkg/base/clock.h"

namespace knarr::kubelet {

inline constexpr char kConfigSourceAnnotation[] = "kubernetes.io/config.source";
inline constexpr char kConfigMirrorAnnotation[] = "kubernetes.io/config.mirror";
inline constexpr char kConfigFirstSeenAnnotation[] = "kubernetes.io/config.seen";
inline constexpr char kConfigHashAnnotation[] = "kubernetes.io/config.hash";
// Names of static pods (as in their manifests or with the node's name) that must be Ready first.
inline constexpr char kAfterAnnotation[] = "knarr.dev/after";

struct PodOrigin {
  std::string source;  // "file" or "http"
  std::string path;    // path of the file, or the URL
  std::string node_name;
};

std::string Md5Hex(std::string_view bytes);

// MD5 over host, path and content, 32 hexadecimal digits. The content is the manifest's object as decoded, before
// defaults, as Go's JSON: comments, field order and explicit zero values do not count, and a later kubelet with more
// fields or other defaults computes the same, so that an upgrade restarts nothing.
std::string PodContentHash(const core::Pod& decoded, const PodOrigin& origin);

// <name>-<lower-case node name>
std::string GeneratePodName(std::string_view name, std::string_view node_name);

// Sets name, namespace, node name, UID (the hash, unless the manifest has one), annotations and the NoExecute
// toleration. config.hash is always the content's hash, so a change is visible also under a fixed UID. config.seen is
// left to StampFirstSeen.
void ApplyPodDefaults(core::Pod& pod, const std::string& content_hash, const PodOrigin& origin);
void StampFirstSeen(core::Pod& pod, WallTime now);

}  // namespace knarr::kubelet
