// The volumes of a pod on this node, under <root>/pods/<uid>/volumes, as upstream lays them out.
// Mirrors: pkg/kubelet/volumemanager, pkg/volume/{emptydir,hostpath,configmap,secret,downwardapi,projected,util}
// All methods are idempotent, may block, and are thread-safe for different pods; calls for one pod come one at a time.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/types.h"
#include "pkg/base/context.h"
#include "pkg/kubelet/config/config.h"

namespace knarr::kubelet {

struct VolumeOptions {
  std::string root_dir = "/var/lib/kubelet";
  std::string node_name;
  // For downwardAPI resourceFieldRef defaults (limits not set).
  std::map<std::string, std::string> node_allocatable;
  // The runtime's handler has the feature recursive_read_only_mounts (CRI Status).
  // Asked when a mount wants it, as the runtime may answer later than volumes are set up. Empty: no.
  std::function<bool()> recursive_read_only_mounts;
};

// Values only known while the pod runs, for downward API.
struct DownwardFacts {
  std::vector<std::string> pod_ips;   // status.podIP(s); empty: not yet known
  std::vector<std::string> host_ips;  // status.hostIP(s)
};

// One mount for CRI.
struct ContainerMount {
  std::string name;  // volume
  std::string host_path, container_path;
  bool read_only = false;
  bool recursive_read_only = false;
  bool selinux_relabel = false;
  enum class Propagation { kPrivate, kHostToContainer, kBidirectional } propagation = Propagation::kPrivate;
};

class VolumeManager {
 public:
  static std::unique_ptr<VolumeManager> Create(VolumeOptions options, const ObjectGetter& objects);
  virtual ~VolumeManager() = default;

  // Makes every volume of the pod present: directories, tmpfs mounts, payload files with modes and fsGroup.
  // Errors use upstream's texts (MountVolume.SetUp failed for volume "x" : configmap "y" not found).
  virtual Status SetUp(const Context& ctx, const core::Pod& pod, const DownwardFacts& facts) = 0;
  // Rewrites configMap/secret/downwardAPI/projected payloads whose content changed (atomic ..data swap).
  virtual Status Refresh(const Context& ctx, const core::Pod& pod, const DownwardFacts& facts) = 0;
  // The mounts of one container, volumeMounts in order, subPath and subPathExpr resolved by file descriptor beneath the
  // volume (openat2) and bind-mounted under volume-subpaths. `env` is for subPathExpr.
  virtual Result<std::vector<ContainerMount>> MountsFor(const Context& ctx, const core::Pod& pod,
                                                        const core::Container& container,
                                                        const std::map<std::string, std::string>& env) = 0;
  // Unmounts and removes what SetUp and MountsFor made; hostPath content is never touched. Unknown uids are success.
  virtual Status TearDown(const Context& ctx, const std::string& pod_uid) = 0;
  // Bytes used by the pod's disk emptyDirs against their sizeLimit; message in upstream's words if one is over.
  virtual Result<std::string> OverLimit(const Context& ctx, const core::Pod& pod) = 0;
  // uids with a directory under <root>/pods; the kubelet tears down those it does not know.
  virtual Result<std::set<std::string>> PodsOnDisk() const = 0;
};

}  // namespace knarr::kubelet
