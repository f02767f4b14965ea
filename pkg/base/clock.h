// Time as a dependency. Everything that waits or stamps takes a Clock&, so tests use FakeClock and never sleep.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

namespace knarr {

using WallTime = std::chrono::system_clock::time_point;
using MonoTime = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;

// A pending call; destroying it cancels the call. If the call runs at that moment, destruction waits for its end
// (except from within the call), so what the call uses may be destroyed next. Do not cancel while holding a lock
// that the call takes.
class Timer {
 public:
  Timer() = default;
  explicit Timer(std::function<void()> cancel) : cancel_(std::move(cancel)) {}
  Timer(Timer&& other) noexcept : cancel_(std::exchange(other.cancel_, nullptr)) {}
  Timer& operator=(Timer&& other) noexcept {
    if (this != &other) {
      Cancel();
      cancel_ = std::exchange(other.cancel_, nullptr);
    }
    return *this;
  }
  ~Timer() { Cancel(); }
  void Cancel() {
    if (cancel_) std::exchange(cancel_, nullptr)();
  }

 private:
  std::function<void()> cancel_;
};

class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime Now() const = 0;
  virtual MonoTime Monotonic() const = 0;
  // Calls fn once, at or soon after `at`, on the clock's own thread: it must be short and never block (post to a
  // queue). Not called once the Timer is gone, unless it is running at that moment.
  [[nodiscard]] virtual Timer RunAt(MonoTime at, std::function<void()> fn) = 0;
  [[nodiscard]] Timer RunAfter(Duration delay, std::function<void()> fn) { return RunAt(Monotonic() + delay, std::move(fn)); }

  // The process's real clock. Its one timer thread sleeps until the next timer is due: no ticks.
  static Clock& Real();
};

// Stands still until told. Advance runs the timers that became due, in order, on the caller's thread.
class FakeClock : public Clock {
 public:
  explicit FakeClock(WallTime start = WallTime(std::chrono::seconds(1700000000)));
  WallTime Now() const override;
  MonoTime Monotonic() const override;
  [[nodiscard]] Timer RunAt(MonoTime at, std::function<void()> fn) override;
  void Advance(Duration by);
  // Timers waiting; tests use it to see that something is scheduled (or that nothing polls).
  size_t Pending() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace knarr
