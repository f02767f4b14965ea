// A work queue of keys with client-go's three sets (queue, dirty, processing): a key added while it is processed
// runs once more afterwards, never twice at the same time, and adding it ten times costs one run.
// Mirrors: k8s.io/client-go/util/workqueue {queue,delaying_queue,default_rate_limiters}.go
// Thread-safe.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "pkg/base/clock.h"

namespace knarr {

class WorkQueue {
 public:
  struct Options {
    Duration base_delay = std::chrono::milliseconds(5);
    Duration max_delay = std::chrono::seconds(1000);
  };
  WorkQueue(Clock& clock, Options options) : clock_(clock), options_(options) {}
  explicit WorkQueue(Clock& clock) : WorkQueue(clock, Options{}) {}
  ~WorkQueue() { ShutDown(); }
  WorkQueue(const WorkQueue&) = delete;

  void Add(const std::string& key);
  // Adds after the delay; the earliest of several delayed adds wins.
  void AddAfter(const std::string& key, Duration delay);
  // Adds after the key's back-off (base_delay * 2^failures, capped); Forget resets it.
  void AddRateLimited(const std::string& key);
  void Forget(const std::string& key);
  int Failures(const std::string& key) const;

  // Blocks for the next key; nullopt after ShutDown. Every key got must be given back with Done.
  std::optional<std::string> Get();
  // Without blocking.
  std::optional<std::string> TryGet();
  void Done(const std::string& key);
  void ShutDown();
  size_t Length() const;
  // Called (without the lock) whenever a key becomes ready; pools use it to start a thread.
  void OnReady(std::function<void()> fn);

 private:
  void AddLocked(const std::string& key, bool& ready);
  std::optional<std::string> PopLocked();
  void FireDelayed(const std::string& key);

  Clock& clock_;
  const Options options_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::string> queue_;
  std::set<std::string> dirty_, processing_;
  struct Delayed {
    MonoTime at;
    Timer timer;
  };
  std::map<std::string, Delayed> delayed_;
  std::map<std::string, int> failures_;
  std::function<void()> on_ready_;
  bool shut_down_ = false;
};

}  // namespace knarr
