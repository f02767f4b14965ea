// /proc/self/mountinfo: what is mounted where.
// Mirrors: k8s.io/mount-utils/mount_helper_unix.go (ParseMountInfo). Bounded: 16 MiB of text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/base/status.h"

namespace knarr::platform {

struct MountEntry {
  int id = 0, parent_id = 0;
  uint32_t major = 0, minor = 0;
  std::string root;         // path within the file system that forms the root of this mount
  std::string mount_point;  // octal escapes decoded; " (deleted)" and the like are kept as the kernel prints them
  std::vector<std::string> options;          // per mount: rw, nosuid, ...
  std::vector<std::string> optional_fields;  // shared:1, master:2, ...
  std::string fs_type, source;
  std::vector<std::string> super_options;

  bool Shared() const;
};

// In the kernel's order: a later entry with the same mount point lies on top.
Result<std::vector<MountEntry>> ParseMountInfo(std::string_view text);
Result<std::vector<MountEntry>> ReadMountInfo(const std::string& path = "/proc/self/mountinfo");

// True for the path itself and for everything below it; both are absolute and clean.
bool PathWithin(std::string_view path, std::string_view base);
// The entry that a lookup of this path ends in (longest prefix, the top one of a stack), or null.
const MountEntry* MountOf(const std::vector<MountEntry>& mounts, std::string_view path);
// Mount points at or below `base`, deepest first; a stack of n mounts appears n times.
std::vector<std::string> MountPointsWithin(const std::vector<MountEntry>& mounts, std::string_view base);

}  // namespace knarr::platform
