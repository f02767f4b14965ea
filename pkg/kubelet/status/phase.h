// Part of generate.cc: the phase.
#pragma once

#include <string>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/types.h"

namespace knarr::kubelet {

// From the spec and the container statuses. `initialized`: a regular container of the current sandbox has started.
std::string PodPhase(const core::Pod& pod, const core::PodStatus& status, bool terminal, bool initialized);

}  // namespace knarr::kubelet
