// inotify for manifests: directories are watched, never files (an inode that is replaced takes its watch with it), and
// every (directory, name) pair may stand for several manifests, because symlinks lead through many places.
// Mirrors: pkg/kubelet/config/file_linux.go
// Not thread-safe: one thread owns it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "pkg/base/status.h"
#include "pkg/base/unique_fd.h"

namespace knarr::kubelet {

// The places that decide what `path` means, in order: for every symlink on the way the directory that holds it and its
// name, then the last component with its directory. Ends early at the first component that does not exist, which is
// where it would appear. At most 40 symlinks are followed. `path` must be absolute.
std::vector<std::pair<std::string, std::string>> ResolvePlaces(const std::string& path);

class DirWatcher {
 public:
  // What one directory is watched for.
  struct Interest {
    bool contents = false;                               // also writes, attributes: files are read from it
    bool self = false;                                   // also its own end
    std::map<std::string, std::set<std::string>> names;  // name in it -> manifests that depend on it
  };
  // kChanged: closed after writing, moved, deleted. kSelf: the directory itself.
  enum class What { kChanged, kAttributes, kWriting, kCreated, kSelf };
  struct Event {
    What what;
    bool in_root;  // in a directory with Interest::self
    std::string name;
    std::set<std::string> manifests;  // that depend on the name
  };
  using OnEvent = std::function<void(const Event&)>;

  // kUnimplemented or errno's code where inotify is not to be had (limits); the caller then lives from rescans.
  static Result<DirWatcher> Create();

  int fd() const { return fd_.get(); }
  // Replaces what is watched. Directories that cannot be watched are returned with the reason (the first few).
  std::vector<std::string> SetInterests(const std::map<std::string, Interest>& by_dir);
  // Reads what is queued, without blocking. False if the kernel dropped events: everything may have changed.
  bool Read(const OnEvent& on_event);

 private:
  explicit DirWatcher(UniqueFd fd) : fd_(std::move(fd)) {}

  void Deliver(int wd, uint32_t mask, const std::string& name, const OnEvent& on_event);

  UniqueFd fd_;
  std::map<int, Interest> watches_;  // by watch descriptor, one per directory inode
};

}  // namespace knarr::kubelet
