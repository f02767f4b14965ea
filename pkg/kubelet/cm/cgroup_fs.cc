#include "pkg/kubelet/cm/cgroup_fs.h"

#include <limits.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <thread>

#include "pkg/base/file.h"

namespace knarr::kubelet {

Status CgroupFiles::MakeDir(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) return ErrnoError(errno, "create cgroup {}", path);
  return {};
}

Status CgroupFiles::RemoveDir(const std::string& path) {
  if (::rmdir(path.c_str()) != 0 && errno != ENOENT) return ErrnoError(errno, "remove cgroup {}", path);
  return {};
}

Status CgroupFiles::Write(const std::string& path, std::string_view value) {
  return WriteKernelFile(path, value);
}

Result<std::string> CgroupFiles::Read(const std::string& path) {
  return ReadFile(path, 4 << 20);
}

void CgroupFiles::Kill(int pid) {
  ::kill(pid, SIGKILL);
}

namespace {

bool IsDirectory(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

std::vector<std::string> Subdirectories(const std::string& directory) {
  std::vector<std::string> out;
  const Result<std::vector<std::string>> names = ListDir(directory);
  if (!names.ok()) return out;  // gone meanwhile
  for (const std::string& name : *names) {
    struct stat info {};
    const std::string path = JoinPath(directory, name);
    if (::lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) out.push_back(path);
  }
  return out;
}

void ProcessesBelow(CgroupFiles& files, const std::string& directory, std::set<int>& pids) {
  const Result<std::string> text = files.Read(JoinPath(directory, "cgroup.procs"));
  const char* at = text.ok() ? text->data() : nullptr;
  const char* const end = text.ok() ? at + text->size() : nullptr;
  while (at != end) {
    int pid = 0;
    const auto [next, error] = std::from_chars(at, end, pid);
    // 0 is a process of another pid namespace; ourselves and init are never leftovers of a pod.
    if (error == std::errc() && pid > 1 && pid != ::getpid()) pids.insert(pid);
    at = next == end ? end : next + 1;
  }
  for (const std::string& child : Subdirectories(directory)) ProcessesBelow(files, child, pids);
}

// "11 (nginx), 12 (sh)", the first few.
std::string Describe(CgroupFiles& files, const std::set<int>& pids) {
  std::string out;
  int shown = 0;
  for (const int pid : pids) {
    if (++shown > 5) return out + ", ...";
    std::string name = files.Read(fmt::format("/proc/{}/comm", pid)).value_or("?");
    while (!name.empty() && name.back() == '\n') name.pop_back();
    out += fmt::format("{}{} ({})", out.empty() ? "" : ", ", pid, name);
  }
  return out;
}

// v1: controller name to the directory of its hierarchy; directories named "cpu,cpuacct" and links to them count once.
std::vector<std::pair<std::string, std::string>> FindV1Hierarchies(const std::string& mount_point) {
  std::vector<std::pair<std::string, std::string>> found;
  const Result<std::vector<std::string>> names = ListDir(mount_point);
  if (!names.ok()) return found;
  for (const std::string& name : *names) {
    const std::string path = JoinPath(mount_point, name);
    if (!IsDirectory(path) || !PathExists(JoinPath(path, "cgroup.procs"))) continue;
    if (PathExists(JoinPath(path, "cgroup.controllers"))) continue;  // the unified tree beside v1
    char real[PATH_MAX];
    if (::realpath(path.c_str(), real) == nullptr) continue;
    size_t start = 0;
    while (start <= name.size()) {
      const size_t comma = std::min(name.find(',', start), name.size());
      const std::string controller = name.substr(start, comma - start);
      const bool known = std::any_of(found.begin(), found.end(), [&](const auto& h) { return h.first == controller; });
      if (!known) found.emplace_back(controller, real);
      start = comma + 1;
    }
  }
  return found;
}

}  // namespace

Result<std::unique_ptr<CgroupFs>> CgroupFs::Detect(const std::string& mount_point, std::shared_ptr<CgroupFiles> files) {
  const Result<std::string> controllers = files->Read(JoinPath(mount_point, "cgroup.controllers"));
  if (controllers.ok()) {
    std::string missing;
    for (const std::string_view name : {"cpu", "memory", "pids"}) {
      if (!HasWord(*controllers, name)) missing += fmt::format(" {}", name);
    }
    if (!missing.empty()) {
      return Error(Code::kFailedPrecondition,
                   "{}: cgroup v2 lacks the controllers{}; see the kernel's cgroup_no_v1 and cgroup_disable parameters",
                   mount_point, missing);
    }
    return NewCgroupFsV2(mount_point, std::move(files));
  }
  const std::vector<std::pair<std::string, std::string>> hierarchies = FindV1Hierarchies(mount_point);
  std::string missing;
  for (const std::string_view name : {"cpu", "cpuacct", "cpuset", "memory"}) {
    if (std::none_of(hierarchies.begin(), hierarchies.end(), [&](const auto& h) { return h.first == name; }))
      missing += fmt::format(" {}", name);
  }
  if (!missing.empty()) {
    return Error(Code::kFailedPrecondition, "{}: no cgroup v2, and cgroup v1 lacks the hierarchies{}; mount them",
                 mount_point, missing);
  }
  return NewCgroupFsV1(hierarchies, std::move(files));
}

std::set<std::string> CgroupFs::Children(const std::string& group) const {
  std::set<std::string> names;
  for (const std::string& directory : Directories(group)) {
    for (const std::string& child : Subdirectories(directory)) names.emplace(BaseName(child));
  }
  return names;
}

std::set<int> CgroupFs::ProcessesIn(const std::string& group) const {
  std::set<int> pids;
  for (const std::string& directory : Directories(group)) ProcessesBelow(*files_, directory, pids);
  return pids;
}

Status CgroupFs::RemoveTree(const std::string& directory) const {
  for (const std::string& child : Subdirectories(directory)) KNARR_TRY(RemoveTree(child));
  return files_->RemoveDir(directory);
}

Status CgroupFs::Destroy(const std::string& group, std::chrono::steady_clock::time_point deadline) {
  std::chrono::milliseconds wait(1);
  for (;;) {
    if (std::set<int> pids = ProcessesIn(group); !pids.empty() && !KillWhole(group)) {
      Freeze(group, true);
      pids.merge(ProcessesIn(group));  // those forked before the freeze
      for (const int pid : pids) files_->Kill(pid);
      Freeze(group, false);
    }
    Status status;
    for (const std::string& directory : Directories(group)) {
      if (Status removed = RemoveTree(directory); !removed.ok()) status = removed;
    }
    if (status.ok()) return {};
    // Killed processes leave the group only once they have exited.
    if (status.error_number() != EBUSY) return status;
    if (std::chrono::steady_clock::now() + wait > deadline) {
      return status.WithContext(fmt::format("processes that do not die: {}", Describe(*files_, ProcessesIn(group))));
    }
    std::this_thread::sleep_for(wait);
    wait = std::min(wait * 2, std::chrono::milliseconds(100));
  }
}

Result<uint64_t> CgroupFs::ReadNumber(const std::string& path) const {
  const std::string text = KNARR_TRY(files_->Read(path));
  uint64_t value = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc()) {
    return Error(Code::kInvalid, "{}: not a number: \"{}\"", path, text);
  }
  return value;
}

bool HasWord(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const size_t end = list.find_first_of(" \n");
    if (list.substr(0, end) == word) return true;
    list.remove_prefix(end == std::string_view::npos ? list.size() : end + 1);
  }
  return false;
}

std::optional<uint64_t> StatValue(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (!line.starts_with(key) || line.size() <= key.size() || line[key.size()] != ' ') continue;
    uint64_t value = 0;
    const char* const at = line.data() + key.size() + 1;
    if (std::from_chars(at, line.data() + line.size(), value).ec == std::errc()) return value;
    return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace knarr::kubelet
