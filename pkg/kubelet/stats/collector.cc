#include "pkg/kubelet/stats/collector.h"

#include <algorithm>
#include <charconv>

#include "pkg/base/file.h"
#include "pkg/cri/runtime.h"
#include "pkg/kubelet/nodeinfo/addresses.h"
#include "pkg/kubelet/volume/layout.h"
#include "pkg/platform/mount.h"
#include "pkg/platform/procfs.h"

namespace knarr::kubelet::stats {

namespace {

constexpr auto kUsageLifetime = std::chrono::minutes(1);
constexpr auto kMinRateInterval = std::chrono::seconds(1);

WallTime FromNanos(int64_t nanos, WallTime fallback) {
  if (nanos <= 0) return fallback;
  return WallTime(std::chrono::duration_cast<WallTime::duration>(std::chrono::nanoseconds(nanos)));
}

std::optional<uint64_t> Optional(bool present, const cri::v1::UInt64Value& value) {
  return present ? std::optional<uint64_t>(value.value()) : std::nullopt;
}

Memory MemoryFrom(const cri::v1::MemoryUsage& usage, WallTime now) {
  Memory memory;
  memory.time = FromNanos(usage.timestamp(), now);
  memory.available_bytes = Optional(usage.has_available_bytes(), usage.available_bytes());
  memory.usage_bytes = Optional(usage.has_usage_bytes(), usage.usage_bytes());
  memory.working_set_bytes = Optional(usage.has_working_set_bytes(), usage.working_set_bytes());
  memory.rss_bytes = Optional(usage.has_rss_bytes(), usage.rss_bytes());
  memory.page_faults = Optional(usage.has_page_faults(), usage.page_faults());
  memory.major_page_faults = Optional(usage.has_major_page_faults(), usage.major_page_faults());
  return memory;
}

Memory MemoryFrom(const CgroupUsage& usage, uint64_t capacity, WallTime now) {
  Memory memory;
  memory.time = now;
  memory.usage_bytes = usage.memory_usage;
  memory.working_set_bytes = usage.memory_working_set;
  memory.rss_bytes = usage.memory_rss;
  if (capacity > 0) memory.available_bytes = capacity - std::min(capacity, usage.memory_working_set);
  return memory;
}

Interface InterfaceFrom(const cri::v1::NetworkInterfaceUsage& usage) {
  return {.name = usage.name(),
          .rx_bytes = Optional(usage.has_rx_bytes(), usage.rx_bytes()),
          .rx_errors = Optional(usage.has_rx_errors(), usage.rx_errors()),
          .tx_bytes = Optional(usage.has_tx_bytes(), usage.tx_bytes()),
          .tx_errors = Optional(usage.has_tx_errors(), usage.tx_errors())};
}

Filesystem FilesystemFrom(const platform::FsUsage& usage, WallTime now) {
  Filesystem fs;
  fs.time = now;
  fs.capacity_bytes = usage.capacity;
  fs.available_bytes = usage.available;
  fs.used_bytes = usage.used;
  fs.inodes = usage.inodes;
  fs.inodes_free = usage.inodes_free;
  fs.inodes_used = usage.inodes_used;
  return fs;
}

// The node's file system with what one user of it takes.
Filesystem ShareOf(const std::optional<Filesystem>& whole, std::optional<uint64_t> used, std::optional<uint64_t> inodes,
                   WallTime time) {
  Filesystem fs = whole.value_or(Filesystem{});
  fs.time = time;
  fs.used_bytes = used;
  fs.inodes_used = inodes;
  return fs;
}

uint64_t NumberIn(std::string_view text) {
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// /proc/loadavg: "0.00 0.01 0.05 1/123 4567": threads running and existing.
std::optional<Rlimit> ReadRlimit(WallTime now) {
  const Result<std::string> pid_max = ReadFile("/proc/sys/kernel/pid_max", 64);
  const Result<std::string> load = ReadFile("/proc/loadavg", 256);
  if (!pid_max.ok() || !load.ok()) return std::nullopt;
  const size_t slash = load->find('/');
  if (slash == std::string::npos) return std::nullopt;
  return Rlimit{.time = now,
                .max_pid = static_cast<int64_t>(NumberIn(*pid_max)),
                .processes = static_cast<int64_t>(NumberIn(std::string_view(*load).substr(slash + 1)))};
}

std::optional<Network> ReadNodeNetwork(WallTime now) {
  const Result<std::vector<platform::NetDevice>> devices = platform::ReadNetDev();
  if (!devices.ok()) return std::nullopt;
  const std::string primary = DefaultInterfaceV4(ReadFile("/proc/net/route", 4 << 20).value_or(""));
  Network network;
  network.time = now;
  for (const platform::NetDevice& device : *devices) {
    if (device.name == "lo") continue;
    Interface entry{.name = device.name,
                    .rx_bytes = device.rx_bytes,
                    .rx_errors = device.rx_errors,
                    .tx_bytes = device.tx_bytes,
                    .tx_errors = device.tx_errors};
    if (device.name == primary) network.primary = entry;
    network.interfaces.push_back(std::move(entry));
  }
  return network;
}

void Add(std::optional<uint64_t>& sum, const std::optional<uint64_t>& part) {
  if (part) sum = sum.value_or(0) + *part;
}

}  // namespace

std::optional<uint64_t> RateCache::Rate(const std::string& key, WallTime now, uint64_t usage) {
  const auto [entry, first] = readings_.try_emplace(key, Reading{now, usage, std::nullopt, true});
  Reading& last = entry->second;
  last.used = true;
  if (first) return std::nullopt;
  const auto elapsed = std::chrono::duration_cast<std::chrono::nanoseconds>(now - last.at);
  if (usage < last.usage) {
    last = {now, usage, std::nullopt, true};
  } else if (elapsed >= kMinRateInterval) {
    const __int128 scaled = static_cast<__int128>(usage - last.usage) * 1'000'000'000;
    last = {now, usage, static_cast<uint64_t>(scaled / elapsed.count()), true};
  }
  return last.rate;
}

void RateCache::Sweep() {
  std::erase_if(readings_, [](const auto& entry) { return !entry.second.used; });
  for (auto& [key, reading] : readings_) reading.used = false;
}

// What the runtime said, by id.
struct Collector::RuntimeStats {
  std::map<std::string, cri::v1::ContainerStats> containers;
  std::map<std::string, cri::v1::PodSandboxStats> sandboxes;
};

Result<Summary> Collector::Collect(const Context& ctx, bool only_cpu_and_memory) {
  const std::lock_guard lock(mutex_);
  Summary summary;
  summary.node = KNARR_TRY(CollectNode(ctx, only_cpu_and_memory));
  RuntimeStats runtime;
  std::vector<cri::v1::ContainerStats> containers =
      KNARR_TRY_CTX(inputs_.cri.ListContainerStats(ctx), "list the containers' statistics");
  for (cri::v1::ContainerStats& stats : containers) runtime.containers[stats.attributes().id()] = std::move(stats);
  if (!only_cpu_and_memory) {
    // Only for the network; a runtime without this call has pods without network statistics.
    Result<std::vector<cri::v1::PodSandboxStats>> sandboxes = inputs_.cri.ListPodSandboxStats(ctx);
    if (sandboxes.ok()) {
      for (cri::v1::PodSandboxStats& stats : *sandboxes) runtime.sandboxes[stats.attributes().id()] = std::move(stats);
    }
  }
  const std::vector<PodInput> pods = inputs_.pods();
  for (const PodInput& input : pods) {
    KNARR_TRY(ctx.Err());
    if (input.pod) summary.pods.push_back(CollectPod(ctx, input, runtime, summary.node, only_cpu_and_memory));
  }
  rates_.Sweep();
  const WallTime now = inputs_.clock.Now();
  std::erase_if(usage_, [&](const auto& entry) { return now - entry.second.at > kUsageLifetime; });
  return summary;
}

Cpu Collector::CpuOf(const std::string& key, WallTime time, uint64_t usage) {
  return {.time = time, .usage_nano_cores = rates_.Rate(key, time, usage), .usage_core_nano_seconds = usage};
}

Result<Node> Collector::CollectNode(const Context& ctx, bool only_cpu_and_memory) {
  const WallTime now = inputs_.clock.Now();
  const CgroupUsage usage = KNARR_TRY_CTX(inputs_.cgroups.NodeUsage(), "read the node's usage");
  Node node;
  node.node_name = inputs_.node_name;
  node.start_time = inputs_.boot_time;
  node.cpu = CpuOf("node", now, usage.cpu_nanos);
  node.memory = MemoryFrom(usage, inputs_.memory_capacity, now);
  if (only_cpu_and_memory) return node;
  node.network = ReadNodeNetwork(now);
  node.rlimit = ReadRlimit(now);
  if (const auto fs = platform::ReadFsUsage(inputs_.root_dir); fs.ok()) node.fs = FilesystemFrom(*fs, now);
  const Result<cri::v1::ImageFsInfoResponse> images = inputs_.cri.ImageFsInfo(ctx);
  if (images.ok() && images->image_filesystems_size() > 0) {
    const cri::v1::FilesystemUsage& used = images->image_filesystems(0);
    const auto whole = platform::ReadFsUsage(used.fs_id().mountpoint());
    node.image_fs = ShareOf(whole.ok() ? std::optional(FilesystemFrom(*whole, now)) : std::nullopt,
                            Optional(used.has_used_bytes(), used.used_bytes()),
                            Optional(used.has_inodes_used(), used.inodes_used()), FromNanos(used.timestamp(), now));
    node.container_fs = node.image_fs;
  }
  return node;
}

Container Collector::CollectContainer(const Context& ctx, const ContainerStatus& status, const RuntimeStats& runtime,
                                      const Node& node, bool only_cpu_and_memory) {
  const WallTime now = inputs_.clock.Now();
  Container container;
  container.name = status.name;
  container.start_time = status.started_at;
  const auto found = runtime.containers.find(status.id);
  if (found != runtime.containers.end()) {
    const cri::v1::ContainerStats& stats = found->second;
    if (stats.cpu().has_usage_core_nano_seconds()) {
      container.cpu =
          CpuOf(status.id, FromNanos(stats.cpu().timestamp(), now), stats.cpu().usage_core_nano_seconds().value());
    }
    if (stats.has_memory()) container.memory = MemoryFrom(stats.memory(), now);
    if (!only_cpu_and_memory && stats.has_writable_layer()) {
      const cri::v1::FilesystemUsage& layer = stats.writable_layer();
      container.rootfs =
          ShareOf(node.image_fs, Optional(layer.has_used_bytes(), layer.used_bytes()),
                  Optional(layer.has_inodes_used(), layer.inodes_used()), FromNanos(layer.timestamp(), now));
    }
  }
  if (!only_cpu_and_memory && !status.log_path.empty())
    container.logs = DirectoryUsage(ctx, std::string(DirName(status.log_path)));
  return container;
}

Pod Collector::CollectPod(const Context& ctx, const PodInput& input, const RuntimeStats& runtime, const Node& node,
                          bool only_cpu_and_memory) {
  const WallTime now = inputs_.clock.Now();
  const meta::ObjectMeta& metadata = input.pod->metadata();
  Pod pod{.name = metadata.name(), .pod_namespace = metadata.namespace_(), .uid = metadata.uid()};
  if (!input.runtime.sandboxes.empty()) pod.start_time = input.runtime.sandboxes.front().created_at;
  for (const ContainerStatus& status : input.runtime.containers) {
    if (status.state != ContainerState::kRunning) continue;
    pod.containers.push_back(CollectContainer(ctx, status, runtime, node, only_cpu_and_memory));
  }
  if (const Result<CgroupUsage> usage = inputs_.cgroups.PodUsage(*input.pod); usage.ok()) {
    pod.cpu = CpuOf("pod/" + metadata.uid(), now, usage->cpu_nanos);
    pod.memory = MemoryFrom(*usage, 0, now);
    pod.process_count = usage->pids;
  }
  if (only_cpu_and_memory) return pod;
  for (const SandboxStatus& sandbox : input.runtime.sandboxes) {
    const auto found = runtime.sandboxes.find(sandbox.id);
    if (!sandbox.ready || sandbox.host_network || found == runtime.sandboxes.end() ||
        !found->second.linux().has_network())
      continue;
    const cri::v1::NetworkUsage& usage = found->second.linux().network();
    Network network{.time = FromNanos(usage.timestamp(), now), .primary = InterfaceFrom(usage.default_interface())};
    for (const cri::v1::NetworkInterfaceUsage& interface : usage.interfaces())
      network.interfaces.push_back(InterfaceFrom(interface));
    if (network.interfaces.empty()) network.interfaces.push_back(network.primary);
    pod.network = std::move(network);
    break;
  }
  AddVolumes(ctx, input, pod);
  return pod;
}

// Volumes of the pod's own, and what the pod takes of the node's disk: writable layers, logs and volumes on disk.
void Collector::AddVolumes(const Context& ctx, const PodInput& input, Pod& pod) {
  Filesystem total;
  if (const auto fs = platform::ReadFsUsage(inputs_.root_dir); fs.ok())
    total = FilesystemFrom(*fs, inputs_.clock.Now());
  total.used_bytes = total.inodes_used = std::nullopt;
  for (const Container& container : pod.containers) {
    for (const std::optional<Filesystem>& part : {container.rootfs, container.logs}) {
      if (!part) continue;
      Add(total.used_bytes, part->used_bytes);
      Add(total.inodes_used, part->inodes_used);
    }
  }
  const VolumeLayout layout(inputs_.root_dir);
  for (const core::Volume& volume : input.pod->spec().volumes()) {
    if (PluginDirectory(volume).empty()) continue;
    const std::string path = layout.Volume(input.pod->metadata().uid(), volume);
    const std::optional<Filesystem> usage = DirectoryUsage(ctx, path);
    if (!usage) continue;
    if (!platform::IsMountPoint(path).value_or(false)) {  // a tmpfs takes memory, not disk
      Add(total.used_bytes, usage->used_bytes);
      Add(total.inodes_used, usage->inodes_used);
    }
    pod.volumes.push_back({.name = volume.name(), .filesystem = *usage});
  }
  pod.ephemeral_storage = total;
}

std::optional<Filesystem> Collector::DirectoryUsage(const Context& ctx, const std::string& path) {
  const WallTime now = inputs_.clock.Now();
  if (const auto cached = usage_.find(path); cached != usage_.end() && now - cached->second.at <= kUsageLifetime)
    return cached->second.filesystem;
  const Result<platform::DirUsage> used = platform::DiskUsage(ctx, path);
  const Result<platform::FsUsage> whole = platform::ReadFsUsage(path);
  if (!used.ok() || !whole.ok()) return std::nullopt;
  const Filesystem fs = ShareOf(FilesystemFrom(*whole, now), used->bytes, used->inodes, now);
  usage_[path] = {now, fs};
  return fs;
}

}  // namespace knarr::kubelet::stats
