// Image references: "nginx", "quay.io/a/b:v1", "registry:5000/x@sha256:...".
// Mirrors: github.com/distribution/reference (ParseNormalizedNamed), kubernetes/pkg/util/parsers/parsers.go
#pragma once

#include <string>
#include <string_view>

#include "pkg/base/status.h"

namespace knarr::names {

struct ImageReference {
  std::string domain;  // docker.io
  std::string path;    // library/nginx
  std::string tag;     // "" where none is given
  std::string digest;  // sha256:..., "" where none is given

  std::string Name() const { return domain + "/" + path; }
  // What the kubelet hands to the runtime: with ":latest" where there is neither tag nor digest.
  std::string ToString() const;
};

// Upstream's texts: couldn't parse image name "X": invalid reference format.
Result<ImageReference> ParseImageName(std::string_view image);

}  // namespace knarr::names
