#include "pkg/kubelet/volume/host_path.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "pkg/base/file.h"

namespace knarr::kubelet {

namespace {

// The type of what is there, symbolic links followed; 0 if there is nothing.
mode_t TypeOf(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? info.st_mode & S_IFMT : 0;
}

Status Expect(const std::string& path, mode_t type, std::string_view description) {
  if (TypeOf(path) == type) return {};
  return Error(Code::kFailedPrecondition, "hostPath type check failed: {} is not a {}", path, description);
}

Status MakeFile(const std::string& path) {
  const UniqueFd fd = KNARR_TRY(OpenFile(path, O_WRONLY | O_CREAT | O_NOCTTY, 0644));
  return {};
}

}  // namespace

bool HasBackstep(std::string_view path) {
  while (!path.empty()) {
    const size_t slash = path.find('/');
    if (path.substr(0, slash) == "..") return true;
    if (slash == std::string_view::npos) return false;
    path.remove_prefix(slash + 1);
  }
  return false;
}

Status PrepareHostPath(const core::HostPathVolumeSource& source) {
  const std::string& path = source.path();
  const std::string& type = source.type();
  if (HasBackstep(path)) return Error(Code::kInvalid, "invalid HostPath `{}`: path must not contain '..'", path);
  if (type.empty()) return {};
  const bool missing = TypeOf(path) == 0;
  if (type == "DirectoryOrCreate") return missing ? MakeDirs(path, 0755) : Expect(path, S_IFDIR, "directory");
  if (type == "Directory") return Expect(path, S_IFDIR, "directory");
  if (type == "FileOrCreate") return missing ? MakeFile(path) : Expect(path, S_IFREG, "file");
  if (type == "File") return Expect(path, S_IFREG, "file");
  if (type == "Socket") return Expect(path, S_IFSOCK, "socket file");
  if (type == "CharDevice") return Expect(path, S_IFCHR, "character device");
  if (type == "BlockDevice") return Expect(path, S_IFBLK, "block device");
  return Error(Code::kInvalid, "{} is an invalid volume type", type);
}

}  // namespace knarr::kubelet
