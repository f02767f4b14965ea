#include "pkg/kubelet/volume/ownership.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <vector>

#include "pkg/base/file.h"
#include "pkg/platform/mount.h"

namespace knarr::kubelet {

namespace {

constexpr mode_t kReadWrite = 0660, kReadOnly = 0440, kSearch = 0110;

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

class OwnershipWalk {
 public:
  OwnershipWalk(gid_t group, bool read_only) : group_(group), read_only_(read_only) {}

  // `file` is an O_PATH descriptor. Directories are noted for a later visit.
  Status Change(int file, const std::string& path) {
    struct stat info {};
    if (::fstat(file, &info) != 0) return ErrnoError(errno, "stat {}", path);
    if (::fchownat(file, "", static_cast<uid_t>(-1), group_, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) != 0)
      return ErrnoError(errno, "chown {}", path);
    if (S_ISLNK(info.st_mode)) return {};
    mode_t mode = (info.st_mode & 07777) | (read_only_ ? kReadOnly : kReadWrite);
    if (S_ISDIR(info.st_mode)) {
      mode |= S_ISGID | kSearch;
      pending_.push_back(path);
    }
    // After chown, which clears setuid and setgid; a descriptor of O_PATH cannot be given to fchmod.
    if (::chmod(platform::FdPath(file).c_str(), mode) != 0) return ErrnoError(errno, "chmod {}", path);
    return {};
  }

  Status Run(int root) {
    KNARR_TRY(Change(root, "."));
    while (!pending_.empty()) {
      const std::string path = std::move(pending_.back());
      pending_.pop_back();
      KNARR_TRY(VisitDirectory(root, path));
    }
    return {};
  }

 private:
  static constexpr uint64_t kResolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;

  Status VisitDirectory(int root, const std::string& path) {
    Result<UniqueFd> fd = platform::OpenAt2(root, path, O_RDONLY | O_DIRECTORY, kResolve);
    if (!fd.ok()) return Gone(fd.error()) ? Status() : fd.error();
    const int raw = fd->get();
    const std::unique_ptr<DIR, CloseDir> dir(::fdopendir(fd->release()));
    if (!dir) return ErrnoError(errno, "read {}", path);
    while (const dirent* entry = ::readdir(dir.get())) {
      const std::string name = entry->d_name;
      if (name == "." || name == "..") continue;
      Result<UniqueFd> child = platform::OpenAt2(raw, name, O_PATH | O_NOFOLLOW, RESOLVE_BENEATH | RESOLVE_NO_XDEV);
      if (!child.ok()) {
        if (Gone(child.error())) continue;
        return child.error();
      }
      KNARR_TRY(Change(child->get(), path + "/" + name));
    }
    return {};
  }

  // Removed, exchanged for a link, or a mount point: not ours.
  static bool Gone(const Status& status) {
    const int error = status.error_number();
    return error == ENOENT || error == ELOOP || error == ENOTDIR || error == EXDEV;
  }

  const gid_t group_;
  const bool read_only_;
  std::vector<std::string> pending_;
};

}  // namespace

Status SetVolumeOwnership(const std::string& path, gid_t fs_group, bool read_only) {
  const UniqueFd root = KNARR_TRY(platform::OpenPath(path, true));
  return OwnershipWalk(fs_group, read_only).Run(root.get());
}

}  // namespace knarr::kubelet
