// Watches processes that are not our children until they end: pidfd_open and one epoll thread.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "pkg/base/pool.h"
#include "pkg/base/status.h"
#include "pkg/base/unique_fd.h"

namespace knarr::kubelet {

class ExitWatcher {
 public:
  // on_exit runs on the watcher's thread, once per watched key, without locks held.
  explicit ExitWatcher(std::function<void(const std::string& key)> on_exit);
  ~ExitWatcher();
  ExitWatcher(const ExitWatcher&) = delete;

  // A process that is already gone (ESRCH) is reported like one that ends later. A watched key is left as it is.
  Status Watch(const std::string& key, pid_t pid);
  void Forget(const std::string& key);
  size_t Size() const;

 private:
  void Loop();

  const std::function<void(const std::string&)> on_exit_;
  UniqueFd epoll_, wake_;
  mutable std::mutex mutex_;
  struct Watched {
    UniqueFd pidfd;
    uint64_t id = 0;
  };
  std::map<std::string, Watched> watched_;
  std::map<uint64_t, std::string> key_of_;
  uint64_t last_id_ = 0;
  bool stopping_ = false;
  TaskGroup thread_;
};

}  // namespace knarr::kubelet
