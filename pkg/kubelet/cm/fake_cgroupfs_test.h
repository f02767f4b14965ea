// A directory that behaves like cgroupfs as far as the manager can tell: files come and go with the directory.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "pkg/base/file.h"
#include "pkg/kubelet/cm/cgroup_fs.h"

namespace knarr::kubelet::testing {

class TempDir {
 public:
  TempDir() {
    std::string name = "/tmp/knarr-test-XXXXXX";
    path_ = ::mkdtemp(name.data());
  }
  ~TempDir() { (void)RemoveAll(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class FakeCgroupFiles : public CgroupFiles {
 public:
  // Files, with their content, of each new group below a directory.
  std::map<std::string, std::map<std::string, std::string>> templates;
  std::vector<std::string> log;  // "write <path> <value>", "kill <pid>"
  std::function<Status(const std::string&)> on_remove;
  std::function<void(int)> on_kill;

  void Populate(const std::string& path) {
    for (const auto& [root, files] : templates) {
      if (!path.starts_with(root)) continue;
      for (const auto& [name, content] : files) Put(JoinPath(path, name), content);
    }
  }
  static void Put(const std::string& path, std::string_view content) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    (void)WriteAll(fd, content, path);
    ::close(fd);
  }

  Status MakeDir(const std::string& path) override {
    if (PathExists(path)) return {};
    const Status status = CgroupFiles::MakeDir(path);
    Populate(path);
    return status;
  }
  Status RemoveDir(const std::string& path) override {
    if (on_remove) {
      const Status status = on_remove(path);
      if (!status.ok()) return status;
    }
    if (!PathExists(path)) return {};
    const std::vector<std::string> names = ListDir(path).value();
    for (const std::string& name : names) ::unlink(JoinPath(path, name).c_str());
    return CgroupFiles::RemoveDir(path);
  }
  Status Write(const std::string& path, std::string_view value) override {
    log.push_back("write " + path + " " + std::string(value));
    if (!PathExists(path)) return ErrnoError(ENOENT, "open {}", path);
    Put(path, std::string(value) + "\n");
    return {};
  }
  void Kill(int pid) override {
    log.push_back("kill " + std::to_string(pid));
    if (on_kill) on_kill(pid);
  }
};

}  // namespace knarr::kubelet::testing
