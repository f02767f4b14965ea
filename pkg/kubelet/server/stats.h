// The answer of /stats/summary as plain values; the kubelet fills them. Absent numbers are not printed.
// Mirrors: staging/src/k8s.io/kubelet/pkg/apis/stats/v1alpha1/types.go v1.32
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pkg/base/clock.h"

namespace knarr::kubelet::stats {

struct Cpu {
  WallTime time;
  std::optional<uint64_t> usage_nano_cores;
  std::optional<uint64_t> usage_core_nano_seconds;
};
struct Memory {
  WallTime time;
  std::optional<uint64_t> available_bytes, usage_bytes, working_set_bytes, rss_bytes, page_faults, major_page_faults;
};
struct Swap {
  WallTime time;
  std::optional<uint64_t> available_bytes, usage_bytes;
};
struct Filesystem {
  WallTime time;
  std::optional<uint64_t> available_bytes, capacity_bytes, used_bytes, inodes_free, inodes, inodes_used;
};
struct Interface {
  std::string name;
  std::optional<uint64_t> rx_bytes, rx_errors, tx_bytes, tx_errors;
};
struct Network {
  WallTime time;
  Interface primary;
  std::vector<Interface> interfaces;
};
struct Rlimit {
  WallTime time;
  std::optional<int64_t> max_pid, processes;
};

struct Container {
  std::string name;
  WallTime start_time;
  std::optional<Cpu> cpu;
  std::optional<Memory> memory;
  std::optional<Swap> swap;
  std::optional<Filesystem> rootfs, logs;
};
struct Volume {
  std::string name;
  Filesystem filesystem;
};
struct Pod {
  std::string name, pod_namespace, uid;
  WallTime start_time;
  std::vector<Container> containers;
  std::optional<Cpu> cpu;
  std::optional<Memory> memory;
  std::optional<Network> network;
  std::vector<Volume> volumes;
  std::optional<Filesystem> ephemeral_storage;
  std::optional<uint64_t> process_count;
};
struct Node {
  std::string node_name;
  WallTime start_time;
  std::vector<Container> system_containers;
  std::optional<Cpu> cpu;
  std::optional<Memory> memory;
  std::optional<Network> network;
  std::optional<Filesystem> fs, image_fs, container_fs;
  std::optional<Rlimit> rlimit;
};
struct Summary {
  Node node;
  std::vector<Pod> pods;
};

// As Go prints the type (field order, omitempty, RFC 3339 seconds).
std::string ToJson(const Summary& summary);
// /metrics/resource: node_cpu_usage_seconds_total, container_memory_working_set_bytes, pod_..., scrape_error.
// Mirrors: pkg/kubelet/metrics/collectors/resource_metrics.go
std::string ResourceMetrics(const Summary& summary);
// /metrics/cadvisor, the few series that dashboards need.
std::string CadvisorMetrics(const Summary& summary);

}  // namespace knarr::kubelet::stats
