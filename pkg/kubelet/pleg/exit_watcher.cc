#include "pkg/kubelet/pleg/exit_watcher.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <vector>

namespace knarr::kubelet {

ExitWatcher::ExitWatcher(std::function<void(const std::string&)> on_exit)
    : on_exit_(std::move(on_exit)), epoll_(::epoll_create1(EPOLL_CLOEXEC)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  KNARR_CHECK(epoll_ && wake_);
  epoll_event event{.events = EPOLLIN, .data = {.u64 = 0}};
  KNARR_CHECK(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) == 0);
  thread_.Go("exit-watcher", [this](std::stop_token) { Loop(); });
}

ExitWatcher::~ExitWatcher() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  const uint64_t one = 1;
  KNARR_CHECK(::write(wake_.get(), &one, sizeof one) == sizeof one);
  thread_.StopAndJoin();
}

Status ExitWatcher::Watch(const std::string& key, pid_t pid) {
  std::unique_lock lock(mutex_);
  if (watched_.contains(key)) return {};
  UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd) {
    if (errno != ESRCH) return ErrnoError(errno, "pidfd_open {}", pid);
    lock.unlock();
    on_exit_(key);
    return {};
  }
  const uint64_t id = ++last_id_;
  epoll_event event{.events = EPOLLIN, .data = {.u64 = id}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, pidfd.get(), &event) != 0) return ErrnoError(errno, "watch process {}", pid);
  key_of_[id] = key;
  watched_[key] = Watched{std::move(pidfd), id};
  return {};
}

void ExitWatcher::Forget(const std::string& key) {
  std::lock_guard lock(mutex_);
  const auto it = watched_.find(key);
  if (it == watched_.end()) return;
  key_of_.erase(it->second.id);
  watched_.erase(it);  // closing the pidfd takes it out of epoll
}

size_t ExitWatcher::Size() const {
  std::lock_guard lock(mutex_);
  return watched_.size();
}

void ExitWatcher::Loop() {
  std::array<epoll_event, 16> events;
  for (;;) {
    const int n = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), -1);
    if (n < 0 && errno != EINTR) return KNARR_BUG("epoll_wait failed");
    std::vector<std::string> ended;
    {
      std::lock_guard lock(mutex_);
      if (stopping_) return;
      for (int i = 0; i < n; ++i) {
        const auto it = key_of_.find(events[static_cast<size_t>(i)].data.u64);
        if (it == key_of_.end()) continue;
        ended.push_back(it->second);
        watched_.erase(it->second);
        key_of_.erase(it);
      }
    }
    for (const std::string& key : ended) on_exit_(key);
  }
}

}  // namespace knarr::kubelet
