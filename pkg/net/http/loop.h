// Private to pkg/net/http: an epoll loop on one thread. Plain epoll rather than Asio's reactor because a handler's
// client must be seen leaving while bytes of it lie unread (EPOLLRDHUP), which Asio does not offer.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "pkg/base/status.h"
#include "pkg/base/unique_fd.h"

namespace knarr::http {

class Loop {
 public:
  // on_event(key, events) runs on the loop's thread.
  explicit Loop(std::function<void(uint64_t key, uint32_t events)> on_event) : on_event_(std::move(on_event)) {}
  ~Loop();
  Status Start(const std::string& name);
  // Runs fn on the loop's thread, soon. Thread-safe.
  void Post(std::function<void()> fn);
  // After what was posted before; joins.
  void Stop();

  // Adds, changes or (events 0) removes a descriptor. Thread-safe.
  void Watch(int fd, uint64_t key, uint32_t events, bool added);
  void Unwatch(int fd);

 private:
  void Run();
  void RunPosted();

  const std::function<void(uint64_t, uint32_t)> on_event_;
  UniqueFd epoll_, wake_;
  std::mutex mutex_;
  std::vector<std::function<void()>> posted_;
  bool stopping_ = false;  // the thread's own
  std::thread thread_;
};

}  // namespace knarr::http
