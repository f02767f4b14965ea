// Files: bounded reads, atomic durable writes, directories. All descriptors are close-on-exec.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/base/status.h"
#include "pkg/base/unique_fd.h"

namespace knarr {

Result<UniqueFd> OpenFile(const std::string& path, int flags, mode_t mode = 0);
// The whole file; kRequestEntityTooLarge above the limit (nothing more than the limit is ever read).
Result<std::string> ReadFile(const std::string& path, size_t limit = 16 << 20);
Result<std::string> ReadFd(int fd, size_t limit, std::string_view name);
// Temporary file beside the target, fsync, rename, fsync of the directory: after a power cut the old or the new
// content is there, whole.
Status WriteFileAtomically(const std::string& path, std::string_view content, mode_t mode);
// Plain write for kernel files (cgroupfs, /proc/sys): one write(2), no create.
Status WriteKernelFile(const std::string& path, std::string_view content);
Status WriteAll(int fd, std::string_view content, std::string_view name);
// mkdir -p.
Status MakeDirs(const std::string& path, mode_t mode = 0755);
// rm -r, never following symlinks and never crossing into another mount; a missing path is success.
Status RemoveAll(const std::string& path);
// Names in a directory, sorted, without "." and "..".
Result<std::vector<std::string>> ListDir(const std::string& path);
bool PathExists(const std::string& path);
// "a" + "/b" -> "a/b".
std::string JoinPath(std::string_view a, std::string_view b);
std::string_view BaseName(std::string_view path);
std::string_view DirName(std::string_view path);

}  // namespace knarr
