#include "pkg/kubelet/volume/subpath.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vector>

#include "pkg/base/file.h"

namespace knarr::kubelet {

namespace {

std::vector<std::string> Components(const std::string& path) {
  std::vector<std::string> parts;
  size_t start = 0;
  while (start < path.size()) {
    const size_t slash = std::min(path.find('/', start), path.size());
    if (slash > start && path.substr(start, slash - start) != ".") parts.push_back(path.substr(start, slash - start));
    start = slash + 1;
  }
  return parts;
}

// Makes one directory and opens it. Whoever exchanges it for a symbolic link between the two calls gets an error.
Result<UniqueFd> MakeChild(int parent, const std::string& name, mode_t permissions) {
  const bool made = ::mkdirat(parent, name.c_str(), 0700) == 0;
  if (!made && errno != EEXIST) return ErrnoError(errno, "mkdir {}", name);
  UniqueFd child = KNARR_TRY(
      platform::OpenAt2(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS));
  if (!made) return child;
  struct stat info {};
  if (::fstat(child.get(), &info) != 0) return ErrnoError(errno, "stat {}", name);
  // A setgid parent has handed the bit and the group down; chmod without it would drop it.
  if (::fchmod(child.get(), permissions | (info.st_mode & S_ISGID)) != 0) return ErrnoError(errno, "chmod {}", name);
  return child;
}

Result<UniqueFd> MakeDirectories(int volume, const std::vector<std::string>& parts) {
  struct stat root {};
  if (::fstat(volume, &root) != 0) return ErrnoError(errno, "stat the volume");
  UniqueFd parent = KNARR_TRY(platform::OpenBeneath(volume, ".", O_RDONLY | O_DIRECTORY));
  std::string existing;
  size_t next = 0;
  for (; next < parts.size(); ++next) {
    const std::string longer = existing.empty() ? parts[next] : existing + "/" + parts[next];
    Result<UniqueFd> fd = platform::OpenBeneath(volume, longer, O_RDONLY | O_DIRECTORY);
    if (!fd.ok()) {
      if (fd.error().error_number() == ENOENT) break;
      return fd.error();
    }
    parent = std::move(*fd);
    existing = longer;
  }
  for (; next < parts.size(); ++next) parent = KNARR_TRY(MakeChild(parent.get(), parts[next], root.st_mode & 0777));
  return parent;
}

// The mount's target: a directory for a directory, a file for everything else.
Result<UniqueFd> MakeTarget(const std::string& target, bool directory) {
  struct stat info {};
  if (::lstat(target.c_str(), &info) == 0 && S_ISDIR(info.st_mode) != directory) KNARR_TRY(RemoveAll(target));
  if (directory) {
    if (::mkdir(target.c_str(), 0750) != 0 && errno != EEXIST) return ErrnoError(errno, "mkdir {}", target);
  } else {
    const UniqueFd file = KNARR_TRY(OpenFile(target, O_WRONLY | O_CREAT | O_NOFOLLOW, 0640));
  }
  return platform::OpenPath(target, directory);
}

}  // namespace

Result<UniqueFd> OpenSubPath(int volume, const std::string& sub_path) {
  const std::vector<std::string> parts = Components(sub_path);
  if (parts.empty()) return platform::OpenBeneath(volume, ".", O_PATH);
  Result<UniqueFd> found = platform::OpenBeneath(volume, sub_path, O_PATH);
  if (found.ok() || found.error().error_number() != ENOENT) return found;
  return MakeDirectories(volume, parts);
}

Status BindSubPath(int source, const std::string& target, platform::Propagation propagation) {
  struct stat wanted {};
  if (::fstat(source, &wanted) != 0) return ErrnoError(errno, "stat the source of {}", target);
  if (KNARR_TRY(platform::IsMountPoint(target))) {
    struct stat mounted {};
    if (::lstat(target.c_str(), &mounted) == 0 && mounted.st_dev == wanted.st_dev && mounted.st_ino == wanted.st_ino)
      return {};
    // What a shared copy tells its peers when it goes must not reach the volume.
    KNARR_TRY(platform::SetPropagation(target, platform::Propagation::kPrivate));
    KNARR_TRY(platform::Unmount(target, true));
  }
  const UniqueFd point = KNARR_TRY(MakeTarget(target, S_ISDIR(wanted.st_mode)));
  KNARR_TRY(platform::BindFd(source, point.get(), false, target));
  if (propagation == platform::Propagation::kShared)
    return platform::SetPropagation(target, platform::Propagation::kShared);
  return platform::SetPropagation(target, propagation);
}

}  // namespace knarr::kubelet
