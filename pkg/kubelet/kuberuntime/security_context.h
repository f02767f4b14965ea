// The security context of containers and sandboxes as CRI wants it.
// Mirrors: pkg/kubelet/kuberuntime/{security_context,security_context_others,kuberuntime_container_linux}.go,
// pkg/securitycontext/util.go
#pragma once

#include <optional>
#include <string>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "k8s.io/cri-api/pkg/apis/runtime/v1/api.pb.h"
#include "pkg/api/types.h"
#include "pkg/base/status.h"

namespace knarr::kubelet {

namespace cri_v1 = ::runtime::v1;

// The user that an image names: a number, or a name that only the container can resolve.
struct ImageUser {
  std::optional<int64_t> uid;
  std::string username;
};

struct SeccompSettings {
  std::string profile_root;  // of Localhost profiles
  bool default_profile = false;  // --seccomp-default: RuntimeDefault where nothing is said
};

// The container's own settings over those of the pod.
core::SecurityContext EffectiveSecurityContext(const core::Pod& pod, const core::Container& container);

// runAsNonRoot against runAsUser and the image's user, with upstream's texts.
Status VerifyRunAsNonRoot(const core::Pod& pod, const core::Container& container, const ImageUser& user);

cri_v1::NamespaceOption NamespacesFor(const core::Pod& pod);
Result<cri_v1::LinuxContainerSecurityContext> ContainerSecurityContext(const core::Pod& pod, const core::Container& container,
                                                                       const ImageUser& user, const SeccompSettings& seccomp);
cri_v1::LinuxSandboxSecurityContext SandboxSecurityContext(const core::Pod& pod);

}  // namespace knarr::kubelet
