// Mounts and path resolution by file descriptor: what has been looked up and checked is what gets mounted, whatever a
// pod does to the names meanwhile (CVE-2017-1002101, CVE-2021-25741).
// Blocking, thread-safe. Needs CAP_SYS_ADMIN for everything but the Open functions.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "pkg/base/status.h"
#include "pkg/base/unique_fd.h"

namespace knarr::platform {

// openat2(2). EAGAIN (a rename or mount raced with "..") is retried a bounded number of times.
Result<UniqueFd> OpenAt2(int directory, const std::string& path, uint64_t flags, uint64_t resolve, mode_t mode = 0);
// O_PATH descriptor of `path` below `directory`; symlinks are followed as long as they stay beneath it, magic links
// never. kForbidden when the path leads out.
Result<UniqueFd> OpenBeneath(int directory, const std::string& path, uint64_t flags);
// O_PATH descriptor of a path whose last component is not followed.
Result<UniqueFd> OpenPath(const std::string& path, bool directory = false);
// "/proc/self/fd/N": names an open file to calls that take a path.
std::string FdPath(int fd);

// Mounts the file or directory behind `source` over the one behind `target`; recursive takes mounts below it along.
// open_tree(2) and move_mount(2), on kernels without them mount(2) through /proc/self/fd.
Status BindFd(int source, int target, bool recursive, std::string_view shown);
// A new tmpfs of that many bytes (0: the kernel's default, half of memory), kept out of swap where the kernel can
// (6.3).
Status MountTmpfs(const std::string& target, uint64_t size_bytes);
// umount2(UMOUNT_NOFOLLOW); not mounted is success. Busy mounts are retried for a moment, then detached lazily if
// `lazy_if_busy`; `lazy` tells that this happened.
Status Unmount(const std::string& target, bool lazy_if_busy, bool* lazy = nullptr);
// True if something is mounted exactly there (statx STATX_ATTR_MOUNT_ROOT, so bind mounts count). Does not follow the
// last component. False for a missing path.
Result<bool> IsMountPoint(const std::string& path);
// What mounts and unmounts below a mount tell its copies elsewhere. kShared is recursive.
enum class Propagation { kPrivate, kSlave, kShared };
Status SetPropagation(const std::string& target, Propagation propagation);

}  // namespace knarr::platform
