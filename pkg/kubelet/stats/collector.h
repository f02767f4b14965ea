// Fills the summary of /stats/summary, /metrics/resource and /metrics/cadvisor when somebody asks; nothing polls.
// Mirrors: pkg/kubelet/stats/{cri_stats_provider,provider,helper}.go,
// pkg/kubelet/server/stats/{summary,volume_stat_calculator}.go Containers and pod networks come from the runtime (one
// call each), pods and node from cgroups and /proc.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "pkg/base/clock.h"
#include "pkg/base/context.h"
#include "pkg/base/status.h"
#include "pkg/kubelet/cm/cm.h"
#include "pkg/kubelet/config/config.h"
#include "pkg/kubelet/container/types.h"
#include "pkg/kubelet/server/stats.h"

namespace knarr::cri {
class CriRuntime;
}

namespace knarr::kubelet::stats {

// A pod that the kubelet runs and what it last saw of it.
struct PodInput {
  PodPtr pod;
  RuntimePodStatus runtime;
};

// All references outlive the collector.
struct CollectorInputs {
  std::string node_name;
  std::string root_dir = "/var/lib/kubelet";
  uint64_t memory_capacity = 0;  // bytes
  WallTime boot_time{};
  Clock& clock;
  cri::CriRuntime& cri;
  const CgroupManager& cgroups;
  std::function<std::vector<PodInput>()> pods;
};

// A rate needs two readings: from the last one that was at least a second ago.
class RateCache {
 public:
  // nanocores at `now`; nullopt for a first reading or a counter that started again.
  std::optional<uint64_t> Rate(const std::string& key, WallTime now, uint64_t usage_core_nano_seconds);
  // Forgets what was not asked for since the last call.
  void Sweep();

 private:
  struct Reading {
    WallTime at;
    uint64_t usage = 0;
    std::optional<uint64_t> rate;
    bool used = true;
  };
  std::map<std::string, Reading> readings_;
};

// Thread-safe; calls run one at a time.
class Collector {
 public:
  explicit Collector(CollectorInputs inputs) : inputs_(std::move(inputs)) {}

  // A part that cannot be read (a pod that just went away) is left out; an error means that the runtime or the node's
  // cgroups do not answer at all. Disk usage is counted at most once a minute for each volume.
  Result<Summary> Collect(const Context& ctx, bool only_cpu_and_memory);

 private:
  struct CachedUsage {
    WallTime at;
    Filesystem filesystem;
  };
  struct RuntimeStats;

  Result<Node> CollectNode(const Context& ctx, bool only_cpu_and_memory);
  Pod CollectPod(const Context& ctx, const PodInput& input, const RuntimeStats& runtime, const Node& node,
                 bool only_cpu_and_memory);
  Container CollectContainer(const Context& ctx, const ContainerStatus& status, const RuntimeStats& runtime,
                             const Node& node, bool only_cpu_and_memory);
  void AddVolumes(const Context& ctx, const PodInput& input, Pod& pod);
  Cpu CpuOf(const std::string& key, WallTime time, uint64_t usage_core_nano_seconds);
  std::optional<Filesystem> DirectoryUsage(const Context& ctx, const std::string& path);

  const CollectorInputs inputs_;
  std::mutex mutex_;
  RateCache rates_;
  std::map<std::string, CachedUsage> usage_;  // by path
};

}  // namespace knarr::kubelet::stats
