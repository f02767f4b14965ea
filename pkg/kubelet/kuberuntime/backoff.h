// Back-off by key that doubles from base to max and is forgotten after a quiet time of twice the maximum.
// Mirrors: k8s.io/client-go/util/flowcontrol/backoff.go. Thread-safe.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "pkg/base/clock.h"

namespace knarr::kubelet {

class Backoff {
 public:
  Backoff(Clock& clock, Duration base, Duration max) : clock_(clock), base_(base), max_(max) {}

  // Time left until `since` is the current back-off ago; nullopt: not in back-off.
  std::optional<Duration> LeftSince(const std::string& key, WallTime since) const;
  // The same since the last Next.
  std::optional<Duration> LeftSinceUpdate(const std::string& key) const;
  // Counts a failure that happened at `event`: starts, doubles or (after a quiet time) starts again.
  void Next(const std::string& key, WallTime event);
  Duration Get(const std::string& key) const;
  void Forget(const std::string& key);
  // Drops what is quiet for long.
  void CollectGarbage();

 private:
  struct Entry {
    Duration backoff{};
    WallTime updated{};
  };
  bool Expired(WallTime event, const Entry& entry) const { return event - entry.updated > 2 * max_; }

  Clock& clock_;
  const Duration base_, max_;
  mutable std::mutex mutex_;
  std::map<std::string, Entry> entries_;
};

}  // namespace knarr::kubelet
