// SIGTERM and SIGINT end a context. Made before other threads: the signals are blocked in all of them.
#pragma once

#include <signal.h>

#include <stop_token>
#include <thread>

namespace knarr {

class SignalStop {
 public:
  SignalStop() {
    ::sigemptyset(&set_);
    ::sigaddset(&set_, SIGTERM);
    ::sigaddset(&set_, SIGINT);
    ::sigaddset(&set_, SIGUSR2);  // ends the waiting thread itself
    ::pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
    thread_ = std::thread([this] {
      int signal = 0;
      ::sigwait(&set_, &signal);
      source_.request_stop();
    });
  }
  ~SignalStop() {
    ::pthread_kill(thread_.native_handle(), SIGUSR2);
    thread_.join();
  }
  SignalStop(const SignalStop&) = delete;
  std::stop_token token() const { return source_.get_token(); }

 private:
  sigset_t set_{};
  std::stop_source source_;
  std::thread thread_;
};

}  // namespace knarr
