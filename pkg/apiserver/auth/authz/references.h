// The names of secrets, config maps and claims that pods and volumes refer to. Private to this library.
// Mirrors: pkg/api/v1/pod/util.go, pkg/api/v1/persistentvolume/util.go
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace k8s::io::api::core::v1 {
class PersistentVolume;
class Pod;
}  // namespace k8s::io::api::core::v1

namespace knarr::auth {

enum class RefKind { kSecret, kConfigMap, kClaim, kServiceAccount };

// Of the pod's own namespace; none for a mirror pod, which its node made itself.
void VisitPodReferences(const ::k8s::io::api::core::v1::Pod& pod,
                        const std::function<void(RefKind, const std::string& name)>& visit);
// Secrets that a kubelet needs to mount it.
void VisitVolumeSecrets(const ::k8s::io::api::core::v1::PersistentVolume& volume,
                        const std::function<void(const std::string& ns, const std::string& name)>& visit);

}  // namespace knarr::auth
