#include "pkg/net/http/loop.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <array>
#include <cerrno>
#include <exception>

namespace knarr::http {
namespace {

constexpr uint64_t kWakeKey = ~uint64_t{0};

}  // namespace

Loop::~Loop() {
  Stop();
}

Status Loop::Start(const std::string& name) {
  epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  wake_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!epoll_ || !wake_) return ErrnoError(errno, "epoll");
  Watch(wake_.get(), kWakeKey, EPOLLIN, false);
  thread_ = std::thread([this, name] {
    ::pthread_setname_np(::pthread_self(), name.substr(0, 15).c_str());
    Run();
  });
  return {};
}

void Loop::Post(std::function<void()> fn) {
  bool first;
  {
    std::lock_guard lock(mutex_);
    first = posted_.empty();
    posted_.push_back(std::move(fn));
  }
  if (!first) return;  // whoever posted the first one wakes the loop for all
  const uint64_t one = 1;
  if (::write(wake_.get(), &one, sizeof(one)) < 0) {
    // EAGAIN: the counter is full, so the loop is awake already.
  }
}

void Loop::Stop() {
  if (!thread_.joinable()) return;
  Post([this] { stopping_ = true; });
  thread_.join();
}

void Loop::Watch(int fd, uint64_t key, uint32_t events, bool added) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = key;
  ::epoll_ctl(epoll_.get(), added ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
}

void Loop::Unwatch(int fd) {
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void Loop::RunPosted() {
  std::vector<std::function<void()>> posted;
  {
    std::lock_guard lock(mutex_);
    posted.swap(posted_);
  }
  for (const auto& fn : posted) {
    try {
      fn();
    } catch (const std::exception& e) {
      KNARR_BUG((std::string("http loop: ") + e.what()).c_str());
    }
  }
}

void Loop::Run() {
  std::array<epoll_event, 64> events{};
  while (!stopping_) {
    const int n = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), -1);
    if (n < 0 && errno != EINTR) {
      KNARR_BUG("epoll_wait failed");
      return;
    }
    for (int i = 0; i < n; ++i) {
      const epoll_event& event = events[static_cast<size_t>(i)];
      if (event.data.u64 == kWakeKey) {
        uint64_t count = 0;
        if (::read(wake_.get(), &count, sizeof(count)) < 0) continue;
        continue;
      }
      try {
        on_event_(event.data.u64, event.events);
      } catch (const std::exception& e) {
        KNARR_BUG((std::string("http loop: ") + e.what()).c_str());
      }
    }
    RunPosted();
  }
}

}  // namespace knarr::http
