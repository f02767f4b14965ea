// Control groups of pods and what the kubelet tells the runtime about resources.
// Mirrors:
// pkg/kubelet/cm/{cgroup_manager_linux,pod_container_manager_linux,qos_container_manager_linux,helpers_linux}.go,
// pkg/kubelet/qos/policy.go. cgroup v1 and v2, cgroupfs driver:
//   /kubepods/pod<uid>, /kubepods/burstable/pod<uid>, /kubepods/besteffort/pod<uid> below --cgroup-root.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/types.h"
#include "pkg/base/status.h"

namespace knarr::kubelet {

struct CgroupManagerOptions {
  std::string cgroup_root = "/";  // --cgroup-root
  std::string mount_point = "/sys/fs/cgroup";
  bool cgroups_per_qos = true;
  bool cpu_cfs_quota = true;
  uint64_t cpu_cfs_quota_period_us = 100'000;
  int64_t pod_pids_limit = -1;
  uint64_t memory_capacity = 0;  // bytes; 0: read /proc/meminfo
  // Node allocatable, for /kubepods as a whole (enforceNodeAllocatable: pods).
  int64_t pods_milli_cpu = 0;            // 0: all CPUs
  uint64_t pods_memory = 0;              // bytes; 0: no limit
  int64_t pods_pids = 0;                 // 0: no limit
  bool single_process_oom_kill = false;  // cgroup v2: an OOM kill takes one process instead of the container
};

// LinuxContainerResources of CRI without the CRI types.
struct ContainerResources {
  int64_t cpu_period = 0, cpu_quota = 0, cpu_shares = 0;
  int64_t memory_limit_bytes = 0;
  int64_t oom_score_adj = 0;
  std::map<std::string, std::string> unified;  // cgroup v2 knobs
};

struct CgroupUsage {
  uint64_t cpu_nanos = 0;
  uint64_t memory_usage = 0, memory_working_set = 0, memory_rss = 0;
  uint64_t pids = 0;
};

class CgroupManager {
 public:
  static Result<std::unique_ptr<CgroupManager>> Create(CgroupManagerOptions options);
  virtual ~CgroupManager() = default;
  virtual bool IsV2() const = 0;
  // Makes /kubepods and the QoS classes' groups. Call once at start.
  virtual Status EnsureRoots() = 0;
  // Creates the pod's group with its limits; idempotent.
  virtual Status EnsurePod(const core::Pod& pod) = 0;
  // For CRI's LinuxPodSandboxConfig.cgroup_parent: "/kubepods/burstable/pod<uid>".
  virtual std::string CgroupParent(const core::Pod& pod) const = 0;
  // Kills what is left in the pod's group and removes it in all hierarchies; unknown uids are success.
  virtual Status DestroyPod(const std::string& pod_uid) = 0;
  virtual Result<std::set<std::string>> PodsOnDisk() const = 0;
  virtual ContainerResources ResourcesFor(const core::Pod& pod, const core::Container& container) const = 0;
  virtual Result<CgroupUsage> PodUsage(const core::Pod& pod) const = 0;
  virtual Result<CgroupUsage> NodeUsage() const = 0;
};

// oom_score_adj of a container. Mirrors: pkg/kubelet/qos/policy.go
int64_t OomScoreAdjust(const core::Pod& pod, const core::Container& container, uint64_t memory_capacity);
// Shares and quota from milli-CPUs. Mirrors: pkg/kubelet/cm/helpers_linux.go
uint64_t MilliCpuToShares(int64_t milli_cpu);
int64_t MilliCpuToQuota(int64_t milli_cpu, uint64_t period_us);

}  // namespace knarr::kubelet
