#include "pkg/base/clock.h"

#include <condition_variable>
#include <thread>

namespace knarr {
namespace {

using TimerKey = std::pair<MonoTime, uint64_t>;
using TimerMap = std::map<TimerKey, std::function<void()>>;

class RealClock : public Clock {
 public:
  WallTime Now() const override { return std::chrono::system_clock::now(); }
  MonoTime Monotonic() const override { return std::chrono::steady_clock::now(); }

  Timer RunAt(MonoTime at, std::function<void()> fn) override {
    TimerKey key;
    {
      std::lock_guard lock(mutex_);
      if (!thread_.joinable()) thread_ = std::thread([this] { Loop(); });
      key = {at, ++sequence_};
      const bool first = timers_.empty() || key < timers_.begin()->first;
      timers_.emplace(key, std::move(fn));
      if (!first) return MakeTimer(key);
    }
    wake_.notify_one();
    return MakeTimer(key);
  }

 private:
  Timer MakeTimer(TimerKey key) {
    return Timer([this, key] {
      std::function<void()> dropped;  // destroyed after the lock is released
      std::unique_lock lock(mutex_);
      if (const auto it = timers_.find(key); it != timers_.end()) {
        dropped = std::move(it->second);
        timers_.erase(it);
      } else if (running_ == key && std::this_thread::get_id() != thread_.get_id()) {
        finished_.wait(lock, [&] { return running_ != key; });
      }
    });
  }

  void Loop() {
    std::unique_lock lock(mutex_);
    for (;;) {
      if (timers_.empty()) {
        wake_.wait(lock);
        continue;
      }
      const MonoTime due = timers_.begin()->first.first;
      if (std::chrono::steady_clock::now() < due) {
        wake_.wait_until(lock, due);
        continue;
      }
      std::function<void()> fn = std::move(timers_.begin()->second);
      running_ = timers_.begin()->first;
      timers_.erase(timers_.begin());
      lock.unlock();
      fn();
      fn = nullptr;
      lock.lock();
      running_ = {};
      finished_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_, finished_;
  TimerMap timers_;
  TimerKey running_{};
  uint64_t sequence_ = 0;
  std::thread thread_;
};

}  // namespace

Clock& Clock::Real() {
  static RealClock& clock = *new RealClock;  // never destroyed: timers may fire until the process ends
  return clock;
}

struct FakeClock::State {
  mutable std::mutex mutex;
  WallTime wall;
  MonoTime mono{std::chrono::hours(1)};
  TimerMap timers;
  uint64_t sequence = 0;
  // The calls that run at this moment, on threads in Advance.
  std::map<TimerKey, std::thread::id> running;
  std::condition_variable ran;
};

FakeClock::FakeClock(WallTime start) : state_(std::make_shared<State>()) {
  state_->wall = start;
}

WallTime FakeClock::Now() const {
  std::lock_guard lock(state_->mutex);
  return state_->wall;
}

MonoTime FakeClock::Monotonic() const {
  std::lock_guard lock(state_->mutex);
  return state_->mono;
}

Timer FakeClock::RunAt(MonoTime at, std::function<void()> fn) {
  std::lock_guard lock(state_->mutex);
  const TimerKey key{at, ++state_->sequence};
  state_->timers.emplace(key, std::move(fn));
  return Timer([state = std::weak_ptr<State>(state_), key] {
    if (const auto alive = state.lock()) {
      std::unique_lock inner(alive->mutex);
      alive->timers.erase(key);
      alive->ran.wait(inner, [&] {
        const auto running = alive->running.find(key);
        return running == alive->running.end() || running->second == std::this_thread::get_id();
      });
    }
  });
}

void FakeClock::Advance(Duration by) {
  std::unique_lock lock(state_->mutex);
  const MonoTime until = state_->mono + by;
  for (;;) {
    const auto next = state_->timers.begin();
    if (next == state_->timers.end() || next->first.first > until) break;
    const MonoTime at = std::max(next->first.first, state_->mono);
    state_->wall += std::chrono::duration_cast<WallTime::duration>(at - state_->mono);
    state_->mono = at;
    const TimerKey key = next->first;
    const std::function<void()> fn = std::move(next->second);
    state_->timers.erase(next);
    state_->running.emplace(key, std::this_thread::get_id());
    lock.unlock();
    fn();
    lock.lock();
    state_->running.erase(key);
    state_->ran.notify_all();
  }
  state_->wall += std::chrono::duration_cast<WallTime::duration>(until - state_->mono);
  state_->mono = until;
}

size_t FakeClock::Pending() const {
  std::lock_guard lock(state_->mutex);
  return state_->timers.size();
}

}  // namespace knarr
