#include "pkg/base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>

namespace knarr {

Result<UniqueFd> OpenFile(const std::string& path, int flags, mode_t mode) {
  UniqueFd fd(static_cast<int>(TEMP_FAILURE_RETRY(::open(path.c_str(), flags | O_CLOEXEC, mode))));
  if (!fd) return ErrnoError(errno, "open {}", path);
  return fd;
}

Result<std::string> ReadFd(int fd, size_t limit, std::string_view name) {
  std::string content;
  char buffer[16384];
  for (;;) {
    const ssize_t n = TEMP_FAILURE_RETRY(::read(fd, buffer, sizeof buffer));
    if (n < 0) return ErrnoError(errno, "read {}", name);
    if (n == 0) return content;
    if (content.size() + static_cast<size_t>(n) > limit) {
      return Error(Code::kRequestEntityTooLarge, "{} is larger than the limit of {} bytes", name, limit);
    }
    content.append(buffer, static_cast<size_t>(n));
  }
}

Result<std::string> ReadFile(const std::string& path, size_t limit) {
  const UniqueFd fd = KNARR_TRY(OpenFile(path, O_RDONLY));
  return ReadFd(fd.get(), limit, path);
}

Status WriteAll(int fd, std::string_view content, std::string_view name) {
  while (!content.empty()) {
    const ssize_t n = TEMP_FAILURE_RETRY(::write(fd, content.data(), content.size()));
    if (n < 0) return ErrnoError(errno, "write {}", name);
    content.remove_prefix(static_cast<size_t>(n));
  }
  return {};
}

namespace {

Status SyncDirectory(const std::string& path) {
  const UniqueFd fd = KNARR_TRY(OpenFile(path, O_RDONLY | O_DIRECTORY));
  if (::fsync(fd.get()) != 0) return ErrnoError(errno, "fsync {}", path);
  return {};
}

Status WriteAndSync(int fd, std::string_view content, mode_t mode, const std::string& name) {
  KNARR_TRY(WriteAll(fd, content, name));
  if (::fchmod(fd, mode) != 0) return ErrnoError(errno, "chmod {}", name);
  if (::fsync(fd) != 0) return ErrnoError(errno, "fsync {}", name);
  return {};
}

}  // namespace

Status WriteFileAtomically(const std::string& path, std::string_view content, mode_t mode) {
  const std::string directory(DirName(path));
  std::string temporary = fmt::format("{}/.{}.XXXXXX", directory, BaseName(path));
  UniqueFd fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd) return ErrnoError(errno, "create {}", temporary);
  Status status = WriteAndSync(fd.get(), content, mode, temporary);
  if (status.ok() && ::rename(temporary.c_str(), path.c_str()) != 0) {
    status = ErrnoError(errno, "rename {} to {}", temporary, path);
  }
  if (!status.ok()) {
    ::unlink(temporary.c_str());
    return status;
  }
  return SyncDirectory(directory);
}

Status WriteKernelFile(const std::string& path, std::string_view content) {
  const UniqueFd fd = KNARR_TRY(OpenFile(path, O_WRONLY));
  if (TEMP_FAILURE_RETRY(::write(fd.get(), content.data(), content.size())) < 0) {
    return ErrnoError(errno, "write \"{}\" to {}", content, path);
  }
  return {};
}

Status MakeDirs(const std::string& path, mode_t mode) {
  if (path.empty()) return Error(Code::kInvalid, "empty path");
  if (::mkdir(path.c_str(), mode) == 0) return {};
  if (errno == EEXIST) {
    struct stat info {};
    if (::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) return {};
    return ErrnoError(ENOTDIR, "mkdir {}", path);
  }
  if (errno != ENOENT) return ErrnoError(errno, "mkdir {}", path);
  const std::string_view parent = DirName(path);
  if (parent == path || parent == ".") return ErrnoError(ENOENT, "mkdir {}", path);
  KNARR_TRY(MakeDirs(std::string(parent), mode));
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) return ErrnoError(errno, "mkdir {}", path);
  return {};
}

namespace {

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

// Opens a directory but no mount point, not even a bind mount of the same file system, which st_dev does not tell.
int OpenDirectoryNoMount(int parent, const char* name) {
  open_how how{};
  how.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  how.resolve = RESOLVE_NO_XDEV;
  const long fd = TEMP_FAILURE_RETRY(::syscall(SYS_openat2, parent, name, &how, sizeof how));
  if (fd >= 0 || errno != ENOSYS) return static_cast<int>(fd);
  return ::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

Status RemoveAt(int parent, const char* name, dev_t device, const std::string& shown) {
  struct stat info {};
  if (::fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
    return errno == ENOENT ? Status() : ErrnoError(errno, "stat {}", shown);
  }
  if (!S_ISDIR(info.st_mode)) {
    if (::unlinkat(parent, name, 0) != 0 && errno != ENOENT) return ErrnoError(errno, "remove {}", shown);
    return {};
  }
  if (info.st_dev != device) {
    return Error(Code::kFailedPrecondition, "remove {}: something is still mounted there", shown);
  }
  UniqueFd fd(OpenDirectoryNoMount(parent, name));
  if (!fd && errno == EXDEV) return Error(Code::kFailedPrecondition, "remove {}: something is still mounted there", shown);
  if (!fd) return ErrnoError(errno, "open {}", shown);
  {
    const int own = ::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0);
    const std::unique_ptr<DIR, CloseDir> dir(::fdopendir(own));
    if (!dir) return ErrnoError(errno, "open {}", shown);
    while (const dirent* entry = ::readdir(dir.get())) {
      const std::string_view child = entry->d_name;
      if (child == "." || child == "..") continue;
      KNARR_TRY(RemoveAt(fd.get(), entry->d_name, device, fmt::format("{}/{}", shown, child)));
    }
  }
  if (::unlinkat(parent, name, AT_REMOVEDIR) != 0 && errno != ENOENT) return ErrnoError(errno, "remove {}", shown);
  return {};
}

}  // namespace

Status RemoveAll(const std::string& path) {
  std::string_view clean = path;
  while (clean.size() > 1 && clean.ends_with('/')) clean.remove_suffix(1);
  const std::string parent(DirName(clean)), name(BaseName(clean));
  const UniqueFd fd(::open(parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) != 0) return errno == ENOENT ? Status() : ErrnoError(errno, "open {}", parent);
  return RemoveAt(fd.get(), name.c_str(), info.st_dev, std::string(clean));
}

Result<std::vector<std::string>> ListDir(const std::string& path) {
  const std::unique_ptr<DIR, CloseDir> dir(::opendir(path.c_str()));
  if (!dir) return ErrnoError(errno, "open {}", path);
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return ErrnoError(errno, "read {}", path);
  std::sort(names.begin(), names.end());
  return names;
}

bool PathExists(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0;
}

std::string JoinPath(std::string_view a, std::string_view b) {
  while (a.size() > 1 && a.ends_with('/')) a.remove_suffix(1);
  while (b.starts_with('/')) b.remove_prefix(1);
  if (b.empty()) return std::string(a);
  return a == "/" ? fmt::format("/{}", b) : fmt::format("{}/{}", a, b);
}

std::string_view BaseName(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string_view DirName(std::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return slash == 0 ? path.substr(0, 1) : path.substr(0, slash);
}

}  // namespace knarr
