// Facts of the running machine out of /proc and statfs. Every reader takes the path, so tests can give their own file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/base/context.h"
#include "pkg/base/status.h"

namespace knarr::platform {

// The kernel's random id of this boot, e.g. "5ef4d3a0-...": state of another boot is stale.
Result<std::string> BootId(const std::string& path = "/proc/sys/kernel/random/boot_id");

struct MemInfo {  // bytes
  uint64_t total = 0, free = 0, available = 0, buffers = 0, cached = 0, swap_total = 0, swap_free = 0;
};
Result<MemInfo> ParseMemInfo(std::string_view text);
Result<MemInfo> ReadMemInfo(const std::string& path = "/proc/meminfo");

struct FsUsage {  // bytes and inodes; "available" is what an unprivileged user can take
  uint64_t capacity = 0, available = 0, used = 0;
  uint64_t inodes = 0, inodes_free = 0, inodes_used = 0;
};
Result<FsUsage> ReadFsUsage(const std::string& path);

struct NetDevice {
  std::string name;
  uint64_t rx_bytes = 0, rx_errors = 0, tx_bytes = 0, tx_errors = 0;
};
Result<std::vector<NetDevice>> ParseNetDev(std::string_view text);
Result<std::vector<NetDevice>> ReadNetDev(const std::string& path = "/proc/net/dev");

struct DirUsage {
  uint64_t bytes = 0;  // allocated blocks, hard links counted once
  uint64_t inodes = 0;
  bool truncated = false;  // stopped at max_inodes: the numbers are lower bounds
};
// What du(1) prints, in this process: never crosses a mount, never follows a symlink, bounded by the number of inodes
// visited and by the context.
Result<DirUsage> DiskUsage(const Context& context, const std::string& path, uint64_t max_inodes = 2'000'000);

}  // namespace knarr::platform
