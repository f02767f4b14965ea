#include "pkg/platform/procfs.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <set>
#include <sstream>

#include "pkg/base/file.h"
#include "pkg/platform/mount.h"

namespace knarr::platform {

Result<std::string> BootId(const std::string& path) {
  std::string id = KNARR_TRY(ReadFile(path, 4096));
  while (!id.empty() && (id.back() == '\n' || id.back() == ' ')) id.pop_back();
  if (id.empty()) return Error(Code::kInvalid, "{} is empty", path);
  return id;
}

Result<MemInfo> ParseMemInfo(std::string_view text) {
  MemInfo info;
  struct Row {
    std::string_view name;
    uint64_t* value;
  };
  const Row rows[] = {{"MemTotal", &info.total},    {"MemFree", &info.free},  {"MemAvailable", &info.available},
                      {"Buffers", &info.buffers},   {"Cached", &info.cached}, {"SwapTotal", &info.swap_total},
                      {"SwapFree", &info.swap_free}};
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const auto row =
        std::find_if(std::begin(rows), std::end(rows), [&](const Row& r) { return r.name == line.substr(0, colon); });
    if (row == std::end(rows)) continue;
    const size_t digit = line.find_first_of("0123456789", colon);
    if (digit == std::string_view::npos) return Error(Code::kInvalid, "meminfo: no number in \"{}\"", line);
    uint64_t kib = 0;
    std::from_chars(line.data() + digit, line.data() + line.size(), kib);
    *row->value = kib * 1024;
  }
  if (info.total == 0) return Error(Code::kInvalid, "meminfo: no MemTotal");
  return info;
}

Result<MemInfo> ReadMemInfo(const std::string& path) {
  const std::string text = KNARR_TRY(ReadFile(path, 1 << 16));
  return ParseMemInfo(text);
}

Result<FsUsage> ReadFsUsage(const std::string& path) {
  struct statvfs info {};
  if (::statvfs(path.c_str(), &info) != 0) return ErrnoError(errno, "statfs {}", path);
  FsUsage usage;
  usage.capacity = info.f_blocks * info.f_frsize;
  usage.available = info.f_bavail * info.f_frsize;
  usage.used = (info.f_blocks - info.f_bfree) * info.f_frsize;
  usage.inodes = info.f_files;
  usage.inodes_free = info.f_ffree;
  usage.inodes_used = info.f_files - info.f_ffree;
  return usage;
}

Result<std::vector<NetDevice>> ParseNetDev(std::string_view text) {
  std::vector<NetDevice> devices;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    const size_t colon = line.rfind(':');           // alias names hold colons, numbers do not
    if (colon == std::string_view::npos) continue;  // the two header lines
    NetDevice device;
    const size_t start = line.find_first_not_of(' ');
    device.name = line.substr(start, colon - start);
    std::istringstream numbers{std::string(line.substr(colon + 1))};
    uint64_t column[16]{};
    for (uint64_t& value : column) {
      if (!(numbers >> value)) return Error(Code::kInvalid, "net/dev: too few columns in \"{}\"", line);
    }
    device.rx_bytes = column[0];
    device.rx_errors = column[2];
    device.tx_bytes = column[8];
    device.tx_errors = column[10];
    devices.push_back(std::move(device));
  }
  return devices;
}

Result<std::vector<NetDevice>> ReadNetDev(const std::string& path) {
  const std::string text = KNARR_TRY(ReadFile(path, 4 << 20));
  return ParseNetDev(text);
}

namespace {

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};
using Directory = std::unique_ptr<DIR, CloseDir>;

// An explicit stack of open directories would hold many descriptors in deep trees; instead the walk keeps paths
// relative to the root's descriptor and opens one directory at a time, never following a link.
class UsageWalk {
 public:
  UsageWalk(const Context& context, uint64_t max_inodes) : context_(context), max_inodes_(max_inodes) {}

  Result<DirUsage> Run(const std::string& path) {
    const UniqueFd root(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!root) return ErrnoError(errno, "open {}", path);
    struct stat info {};
    if (::fstat(root.get(), &info) != 0) return ErrnoError(errno, "stat {}", path);
    device_ = info.st_dev;
    Count(info);
    pending_.push_back(".");
    while (!pending_.empty() && !usage_.truncated) {
      KNARR_TRY(context_.Err());
      const std::string next = std::move(pending_.back());
      pending_.pop_back();
      Visit(root.get(), next);
    }
    return usage_;
  }

 private:
  void Count(const struct stat& info) {
    if (!S_ISDIR(info.st_mode) && info.st_nlink > 1 && !linked_.insert(info.st_ino).second) return;
    usage_.bytes += static_cast<uint64_t>(info.st_blocks) * 512;
    ++usage_.inodes;
  }

  // What vanishes while we look is not counted: the tree belongs to running containers.
  void Visit(int root, const std::string& path) {
    Result<UniqueFd> fd =
        OpenAt2(root, path, O_RDONLY | O_DIRECTORY, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
    if (!fd.ok()) return;
    const int raw = fd->get();
    const Directory dir(::fdopendir(fd->release()));
    if (!dir) return;
    while (const dirent* entry = ::readdir(dir.get())) {
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      if (++seen_ > max_inodes_) {
        usage_.truncated = true;
        return;
      }
      struct stat info {};
      if (::fstatat(raw, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0 || info.st_dev != device_) continue;
      Count(info);
      if (S_ISDIR(info.st_mode) && path.size() < PATH_MAX - NAME_MAX - 2)
        pending_.push_back(path + "/" + std::string(name));
    }
  }

  const Context& context_;
  const uint64_t max_inodes_;
  dev_t device_ = 0;
  uint64_t seen_ = 0;
  std::set<ino_t> linked_;
  std::vector<std::string> pending_;
  DirUsage usage_;
};

}  // namespace

Result<DirUsage> DiskUsage(const Context& context, const std::string& path, uint64_t max_inodes) {
  return UsageWalk(context, max_inodes).Run(path);
}

}  // namespace knarr::platform
