// The files of configMap, secret, downwardAPI and projected volumes.
// Mirrors: pkg/volume/{configmap,secret,downwardapi,projected}, pkg/fieldpath, pkg/api/v1/resource/helpers.go
#pragma once

#include <string>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/types.h"
#include "pkg/kubelet/config/config.h"
#include "pkg/kubelet/volume/atomic_writer.h"
#include "pkg/kubelet/volume/volume.h"

namespace knarr::kubelet {

struct PayloadInput {
  const core::Pod& pod;
  const DownwardFacts& facts;
  const ObjectGetter& objects;
  const std::map<std::string, std::string>& node_allocatable;
};

// True for the four kinds above.
bool IsPayloadVolume(const core::Volume& volume);
// Errors in upstream's words: configmap "y" not found; references non-existent config key: k. Of several, "[a, b]".
Result<Payload> BuildPayload(const core::Volume& volume, const PayloadInput& input);

}  // namespace knarr::kubelet
