#include "pkg/platform/mount.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <chrono>
#include <thread>

#include "pkg/base/file.h"

namespace knarr::platform {

namespace {

constexpr int kOpenRetries = 128;

long OpenAt2Raw(int directory, const char* path, const open_how& how) {
  for (int i = 0;; ++i) {
    const long fd = ::syscall(SYS_openat2, directory, path, &how, sizeof how);
    if (fd >= 0 || (errno != EAGAIN && errno != EINTR) || i == kOpenRetries) return fd;
  }
}

// The old interface: /proc/self/fd/N is a magic link, it names the open file and not its path.
Status BindThroughProc(int source, int target, bool recursive, std::string_view shown) {
  const unsigned long flags = MS_BIND | (recursive ? static_cast<unsigned long>(MS_REC) : 0UL);
  if (::mount(FdPath(source).c_str(), FdPath(target).c_str(), nullptr, flags, nullptr) != 0) {
    return ErrnoError(errno, "bind-mount {}", shown);
  }
  return {};
}

bool Unsupported(int error) {
  return error == ENOSYS || error == EPERM || error == EINVAL;
}

}  // namespace

Result<UniqueFd> OpenAt2(int directory, const std::string& path, uint64_t flags, uint64_t resolve, mode_t mode) {
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.resolve = resolve;
  how.mode = mode;
  UniqueFd fd(static_cast<int>(OpenAt2Raw(directory, path.c_str(), how)));
  if (!fd) return ErrnoError(errno, "open {}", path);
  return fd;
}

Result<UniqueFd> OpenBeneath(int directory, const std::string& path, uint64_t flags) {
  Result<UniqueFd> fd = OpenAt2(directory, path, flags, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
  if (!fd.ok() && fd.error().error_number() == EXDEV) {
    return Error(Code::kForbidden, "open {}: the path, or a symbolic link in it, leads out of the volume", path);
  }
  return fd;
}

Result<UniqueFd> OpenPath(const std::string& path, bool directory) {
  return OpenFile(path, O_PATH | O_NOFOLLOW | (directory ? O_DIRECTORY : 0));
}

std::string FdPath(int fd) {
  return fmt::format("/proc/self/fd/{}", fd);
}

Status BindFd(int source, int target, bool recursive, std::string_view shown) {
  const unsigned flags =
      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | (recursive ? static_cast<unsigned>(AT_RECURSIVE) : 0U);
  const UniqueFd tree(static_cast<int>(::syscall(SYS_open_tree, source, "", flags)));
  if (!tree) {
    if (Unsupported(errno)) return BindThroughProc(source, target, recursive, shown);
    return ErrnoError(errno, "bind-mount {}: open_tree", shown);
  }
  constexpr unsigned kBothByFd = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
  if (::syscall(SYS_move_mount, tree.get(), "", target, "", kBothByFd) != 0) {
    if (Unsupported(errno)) return BindThroughProc(source, target, recursive, shown);
    return ErrnoError(errno, "bind-mount {}: move_mount", shown);
  }
  return {};
}

Status MountTmpfs(const std::string& target, uint64_t size_bytes) {
  const std::string size = size_bytes > 0 ? fmt::format("size={}", size_bytes) : "";
  for (const std::string& options : {size.empty() ? "noswap" : size + ",noswap", size}) {
    if (::mount("tmpfs", target.c_str(), "tmpfs", 0, options.empty() ? nullptr : options.c_str()) == 0) return {};
    if (errno != EINVAL) break;  // EINVAL: the kernel does not know noswap
  }
  return ErrnoError(errno, "mount tmpfs of {} bytes at {}", size_bytes, target);
}

Status Unmount(const std::string& target, bool lazy_if_busy, bool* lazy) {
  for (int attempt = 0;; ++attempt) {
    if (::umount2(target.c_str(), UMOUNT_NOFOLLOW) == 0) return {};
    if (errno == EINVAL || errno == ENOENT) return {};  // not a mount point (any more)
    if (errno != EBUSY) return ErrnoError(errno, "unmount {}", target);
    if (attempt == 5) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(5 << attempt));
  }
  if (!lazy_if_busy) return ErrnoError(EBUSY, "unmount {}: a process still uses it", target);
  if (::umount2(target.c_str(), UMOUNT_NOFOLLOW | MNT_DETACH) != 0 && errno != EINVAL && errno != ENOENT) {
    return ErrnoError(errno, "unmount {} lazily", target);
  }
  if (lazy != nullptr) *lazy = true;
  return {};
}

Result<bool> IsMountPoint(const std::string& path) {
  struct statx info {};
  if (::statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_TYPE, &info) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return ErrnoError(errno, "stat {}", path);
  }
  if ((info.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0)
    return (info.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
  struct stat self {
  }, parent{};  // before 5.8: only mounts of another file system are seen
  if (::lstat(path.c_str(), &self) != 0 || ::stat(std::string(DirName(path)).c_str(), &parent) != 0) {
    return ErrnoError(errno, "stat {}", path);
  }
  return self.st_dev != parent.st_dev;
}

Status SetPropagation(const std::string& target, Propagation propagation) {
  const unsigned long flags = propagation == Propagation::kPrivate ? MS_PRIVATE
                              : propagation == Propagation::kSlave ? MS_SLAVE
                                                                   : MS_SHARED | MS_REC;
  if (::mount(nullptr, target.c_str(), nullptr, flags, nullptr) != 0)
    return ErrnoError(errno, "set the propagation of mount {}", target);
  return {};
}

}  // namespace knarr::platform
