// Private to pkg/net/http: how other threads tell the io thread that a response has more to send. Many wakes cost one
// eventfd write: a response that was woken and not yet served is not queued again, and the loop is only told of the
// first of a batch.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "pkg/net/http/loop.h"

namespace knarr::http {

// Whose response: the connection, and the stream of it (0 for HTTP/1).
struct WakeKey {
  uint64_t connection = 0;
  int32_t stream = 0;
};

class WakeQueue {
 public:
  // serve(batch) runs on the loop's thread.
  WakeQueue(Loop& loop, std::function<void(const std::vector<WakeKey>&)> serve)
      : loop_(loop), serve_(std::move(serve)) {}
  void Push(WakeKey key) {
    bool first;
    {
      const std::lock_guard lock(mutex_);
      first = keys_.empty();
      keys_.push_back(key);
    }
    if (first) loop_.Post([this] { Drain(); });
  }

 private:
  void Drain() {
    batch_.clear();
    {
      const std::lock_guard lock(mutex_);
      batch_.swap(keys_);
    }
    serve_(batch_);
  }

  Loop& loop_;
  const std::function<void(const std::vector<WakeKey>&)> serve_;
  std::mutex mutex_;
  std::vector<WakeKey> keys_;
  std::vector<WakeKey> batch_;  // the loop's thread only; keeps its memory
};

// One response's bell. Ring from any thread; the io thread calls Heard before it looks, so that no ring is lost.
class Bell {
 public:
  Bell(WakeQueue& queue, WakeKey key) : queue_(queue), key_(key) {}
  void Ring() {
    if (!rung_.exchange(true)) queue_.Push(key_);
  }
  void Heard() { rung_.store(false); }

 private:
  WakeQueue& queue_;
  const WakeKey key_;
  std::atomic<bool> rung_{false};
};

}  // namespace knarr::http
