// What the kubelet knows of its machine: identity, versions, capacity, addresses. Read once at start.
// Mirrors: pkg/kubelet/nodestatus/setters.go, cadvisor's machine info, pkg/kubelet/kubelet_node_status.go (node IPs)
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "pkg/base/status.h"

namespace knarr::kubelet {

struct NodeInfo {
  std::string hostname;  // lower case
  std::vector<std::string> ips;
  std::string machine_id, system_uuid, boot_id;
  std::string kernel_version;    // 6.1.0-13-amd64
  std::string os_image;          // Debian GNU/Linux 12 (bookworm)
  std::string operating_system;  // linux
  std::string architecture;      // amd64
  int64_t cpus = 0;
  uint64_t memory = 0, swap = 0;   // bytes
  uint64_t ephemeral_storage = 0;  // bytes of the file system below the kubelet's root directory
  int64_t max_pods = 110;

  // cpu, memory, ephemeral-storage and pods as quantities.
  std::map<std::string, std::string> Capacity() const;
  // What is left of it for pods; `reserved` holds quantities by resource and is never let below zero.
  std::map<std::string, std::string> Allocatable(const std::map<std::string, std::string>& reserved = {}) const;
};

// node_ips is --node-ip: addresses of this machine, or 0.0.0.0 or :: for "one of that family"; empty: the address of
// the interface with the default route. Errors name the address in upstream's words. A machine without any network
// gets 127.0.0.1, so that static pods run there too.
Result<NodeInfo> ReadNodeInfo(const std::vector<std::string>& node_ips, const std::string& root_dir = "/");

// An error while the machine swaps. Mirrors: pkg/kubelet/cm/container_manager_linux.go
Status CheckSwap(const std::string& proc_swaps);

}  // namespace knarr::kubelet
