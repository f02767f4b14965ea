// The decisions of the image garbage collector, without the runtime.
#pragma once

#include <string>
#include <vector>

#include "k8s.io/cri-api/pkg/apis/runtime/v1/api.pb.h"
#include "pkg/kubelet/kuberuntime/kuberuntime.h"

namespace knarr::kubelet {

namespace cri_v1 = ::runtime::v1;

struct ImageCandidate {
  std::string id;
  uint64_t size = 0;
  WallTime first_seen{}, last_used{};  // last_used: epoch when never seen in use
};
std::vector<ImageCandidate> OldestFirst(std::vector<ImageCandidate> images);

// By ID, tag or digest, short names included ("busybox" for docker.io/library/busybox:latest).
bool IsImageCalled(const cri_v1::Image& image, const std::string& name);

// 0 below the high threshold, else what it takes to come down to the low one.
uint64_t BytesToFree(const DiskSpace& space, const RuntimeManager::ImageGcPolicy& policy);

}  // namespace knarr::kubelet
