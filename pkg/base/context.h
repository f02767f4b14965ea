// What every call that can block takes first: a deadline, a way to be cancelled, and a logger with bound keys.
// Go's context.Context; child contexts can only shorten. Cheap to copy, thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>

#include "pkg/base/log.h"
#include "pkg/base/status.h"

namespace knarr {

class Context {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  using Duration = std::chrono::steady_clock::duration;

  // Never cancelled, no deadline: for main, tests and detached clean-up.
  static Context Background() { return {}; }

  Context WithTimeout(Duration timeout) const { return WithDeadline(std::chrono::steady_clock::now() + timeout); }
  Context WithDeadline(TimePoint deadline) const;
  // Cancelled when either this context or the token is.
  Context WithStop(std::stop_token token) const;
  Context WithLogger(Logger logger) const;

  const Logger& log() const { return log_; }
  std::optional<TimePoint> deadline() const { return deadline_; }
  // Time left, zero once past; nullopt without a deadline.
  std::optional<Duration> Remaining() const;
  bool Cancelled() const { return stop_.stop_requested(); }
  bool Done() const { return Cancelled() || (deadline_ && std::chrono::steady_clock::now() >= *deadline_); }
  // kCancelled or kTimeout once Done(), else OK.
  Status Err() const;
  std::stop_token stop_token() const { return stop_; }
  // Blocks for the duration, or until Done(); returns Err().
  Status Sleep(Duration duration) const;

 private:
  std::optional<TimePoint> deadline_;
  std::stop_token stop_;
  // Keeps a merged stop source and its links to both parents alive (WithStop on an already stoppable context).
  std::shared_ptr<void> link_;
  Logger log_;
};

}  // namespace knarr
