#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "pkg/base/file.h"
#include "pkg/kubelet/logs/logs.h"

namespace knarr::kubelet {

Result<UniqueFd> OpenBeneath(const std::string& root, std::string_view relative, int flags, bool check_owner) {
  const UniqueFd base = KNARR_TRY(OpenFile(root, O_PATH | O_DIRECTORY));
  open_how how{};
  how.flags = static_cast<uint64_t>(flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  const std::string path(relative.empty() ? "." : relative);
  UniqueFd fd(static_cast<int>(::syscall(SYS_openat2, base.get(), path.c_str(), &how, sizeof(how))));
  if (!fd) {
    if (errno == ELOOP)
      return Error(Code::kForbidden, "open {}: symbolic links are not followed", JoinPath(root, path));
    if (errno == EXDEV) return Error(Code::kForbidden, "open {}: outside of {}", JoinPath(root, path), root);
    return ErrnoError(errno, "open {}", JoinPath(root, path));
  }
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) return ErrnoError(errno, "stat {}", JoinPath(root, path));
  if ((flags & O_DIRECTORY) == 0 && !S_ISREG(st.st_mode))
    return Error(Code::kForbidden, "open {}: not a regular file", JoinPath(root, path));
  if (check_owner && st.st_uid != 0 && st.st_uid != ::geteuid())
    return Error(Code::kForbidden, "open {}: it belongs to user {}", JoinPath(root, path), st.st_uid);
  return fd;
}

}  // namespace knarr::kubelet
