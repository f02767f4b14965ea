// For how long the passes over pods that run now have been busy. Time in which a pass waits for something that may take
// as long as it likes (a pull, a hook, a grace period) does not count: whatever is left is bounded, so a pass that is
// busy for minutes hangs. Thread-safe.
#pragma once

#include <algorithm>
#include <map>
#include <mutex>
#include <string>

#include "pkg/base/clock.h"

namespace knarr::kubelet {

class PassWatch {
 public:
  explicit PassWatch(Clock& clock) : clock_(clock) {}

  void Begin(const std::string& uid) {
    const std::lock_guard lock(mutex_);
    passes_[uid] = {.since = clock_.Monotonic(), .waits = 0};
  }
  void End(const std::string& uid) {
    const std::lock_guard lock(mutex_);
    passes_.erase(uid);
  }
  // A long wait of the pass begins or ends; several may go on at once. Without a pass nothing happens.
  void Wait(const std::string& uid, bool begins) {
    const std::lock_guard lock(mutex_);
    const auto pass = passes_.find(uid);
    if (pass == passes_.end()) return;
    pass->second.waits += begins ? 1 : -1;
    pass->second.since = clock_.Monotonic();
  }
  // The longest time a pass has been busy.
  Duration Longest() const {
    const std::lock_guard lock(mutex_);
    Duration longest{0};
    const MonoTime now = clock_.Monotonic();
    for (const auto& [uid, pass] : passes_) {
      if (pass.waits == 0) longest = std::max<Duration>(longest, now - pass.since);
    }
    return longest;
  }

 private:
  struct Pass {
    MonoTime since;
    int waits = 0;
  };
  Clock& clock_;
  mutable std::mutex mutex_;
  std::map<std::string, Pass> passes_;  // by pod uid
};

}  // namespace knarr::kubelet
