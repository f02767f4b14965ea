// Container -> ContainerConfig. Mirrors: pkg/kubelet/kuberuntime/{kuberuntime_container,kuberuntime_container_linux}.go
#pragma once

#include <string>
#include <vector>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "k8s.io/cri-api/pkg/apis/runtime/v1/api.pb.h"
#include "pkg/api/types.h"
#include "pkg/base/status.h"
#include "pkg/kubelet/cm/cm.h"
#include "pkg/kubelet/kuberuntime/env.h"
#include "pkg/kubelet/kuberuntime/security_context.h"
#include "pkg/kubelet/volume/volume.h"

namespace knarr::kubelet {

struct ContainerConfigInput {
  const core::Pod& pod;
  const core::Container& container;
  int attempt = 0;
  std::string image_id;
  ImageUser image_user;
  const Environment& env;
  const std::vector<ContainerMount>& volume_mounts;
  std::string hosts_file;       // host path to mount at /etc/hosts; empty: none
  std::string termination_log;  // host path to mount at terminationMessagePath; empty: none
  const ContainerResources& resources;
  const SeccompSettings& seccomp;
};

// Fails where runAsNonRoot is violated and for incomplete seccomp profiles.
Result<cri_v1::ContainerConfig> MakeContainerConfig(const ContainerConfigInput& in);

// An empty file that any user may write, below <root>/pods/<uid>/containers/<name>; returns its path. The files of
// earlier runs go, but for the last few: a crash loop must not fill the directory.
Result<std::string> MakeTerminationLog(const std::string& root_dir, const std::string& pod_uid, const std::string& container);

}  // namespace knarr::kubelet
