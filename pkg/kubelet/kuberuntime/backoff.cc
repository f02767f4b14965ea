#include "pkg/kubelet/kuberuntime/backoff.h"

#include <algorithm>

namespace knarr::kubelet {

std::optional<Duration> Backoff::LeftSince(const std::string& key, WallTime since) const {
  std::lock_guard lock(mutex_);
  const auto it = entries_.find(key);
  if (it == entries_.end() || Expired(since, it->second)) return std::nullopt;
  const Duration passed = clock_.Now() - since;
  if (passed >= it->second.backoff) return std::nullopt;
  // A wall clock that was set back must not make anybody wait longer than the back-off.
  return std::min(it->second.backoff - passed, it->second.backoff);
}

std::optional<Duration> Backoff::LeftSinceUpdate(const std::string& key) const {
  std::lock_guard lock(mutex_);
  const auto it = entries_.find(key);
  if (it == entries_.end() || Expired(clock_.Now(), it->second)) return std::nullopt;
  const Duration passed = clock_.Now() - it->second.updated;
  if (passed >= it->second.backoff) return std::nullopt;
  return std::min(it->second.backoff - passed, it->second.backoff);
}

void Backoff::Next(const std::string& key, WallTime event) {
  std::lock_guard lock(mutex_);
  const auto [it, fresh] = entries_.try_emplace(key);
  Entry& entry = it->second;
  entry.backoff = fresh || Expired(event, entry) ? base_ : std::min(entry.backoff * 2, max_);
  entry.updated = clock_.Now();
}

Duration Backoff::Get(const std::string& key) const {
  std::lock_guard lock(mutex_);
  const auto it = entries_.find(key);
  return it == entries_.end() ? Duration::zero() : it->second.backoff;
}

void Backoff::Forget(const std::string& key) {
  std::lock_guard lock(mutex_);
  entries_.erase(key);
}

void Backoff::CollectGarbage() {
  std::lock_guard lock(mutex_);
  std::erase_if(entries_, [this](const auto& item) { return Expired(clock_.Now(), item.second); });
}

}  // namespace knarr::kubelet
