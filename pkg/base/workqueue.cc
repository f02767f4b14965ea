#include "pkg/base/workqueue.h"

namespace knarr {

void WorkQueue::AddLocked(const std::string& key, bool& ready) {
  if (shut_down_ || !dirty_.insert(key).second) return;
  if (processing_.contains(key)) return;
  queue_.push_back(key);
  ready = true;
}

void WorkQueue::Add(const std::string& key) {
  bool ready = false;
  std::function<void()> on_ready;
  {
    std::lock_guard lock(mutex_);
    AddLocked(key, ready);
    on_ready = on_ready_;
  }
  if (!ready) return;
  wake_.notify_one();
  if (on_ready) on_ready();
}

void WorkQueue::AddAfter(const std::string& key, Duration delay) {
  if (delay <= Duration::zero()) return Add(key);
  const MonoTime at = clock_.Monotonic() + delay;
  Timer replaced;  // destroyed without the lock: cancelling takes the clock's lock
  std::lock_guard lock(mutex_);
  if (shut_down_) return;
  const auto it = delayed_.find(key);
  if (it != delayed_.end() && it->second.at <= at) return;
  if (it != delayed_.end()) replaced = std::move(it->second.timer);
  delayed_[key] = Delayed{at, clock_.RunAt(at, [this, key] { FireDelayed(key); })};
}

void WorkQueue::FireDelayed(const std::string& key) {
  {
    std::lock_guard lock(mutex_);
    delayed_.erase(key);
  }
  Add(key);
}

void WorkQueue::AddRateLimited(const std::string& key) {
  Duration delay;
  {
    std::lock_guard lock(mutex_);
    const int failures = failures_[key]++;
    delay = failures >= 40 ? options_.max_delay : std::min<Duration>(options_.max_delay, options_.base_delay * (1LL << std::min(failures, 30)));
  }
  AddAfter(key, delay);
}

void WorkQueue::Forget(const std::string& key) {
  std::lock_guard lock(mutex_);
  failures_.erase(key);
}

int WorkQueue::Failures(const std::string& key) const {
  std::lock_guard lock(mutex_);
  const auto it = failures_.find(key);
  return it == failures_.end() ? 0 : it->second;
}

std::optional<std::string> WorkQueue::PopLocked() {
  if (queue_.empty()) return std::nullopt;
  std::string key = std::move(queue_.front());
  queue_.pop_front();
  processing_.insert(key);
  dirty_.erase(key);
  return key;
}

std::optional<std::string> WorkQueue::Get() {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return shut_down_ || !queue_.empty(); });
  return PopLocked();
}

std::optional<std::string> WorkQueue::TryGet() {
  std::lock_guard lock(mutex_);
  return PopLocked();
}

void WorkQueue::Done(const std::string& key) {
  bool ready = false;
  std::function<void()> on_ready;
  {
    std::lock_guard lock(mutex_);
    processing_.erase(key);
    if (dirty_.contains(key)) {
      queue_.push_back(key);
      ready = true;
      on_ready = on_ready_;
    }
  }
  if (!ready) return;
  wake_.notify_one();
  if (on_ready) on_ready();
}

void WorkQueue::ShutDown() {
  std::map<std::string, Delayed> dropped;
  {
    std::lock_guard lock(mutex_);
    shut_down_ = true;
    dropped.swap(delayed_);
    queue_.clear();
    dirty_.clear();
  }
  wake_.notify_all();
}

size_t WorkQueue::Length() const {
  std::lock_guard lock(mutex_);
  return queue_.size();
}

void WorkQueue::OnReady(std::function<void()> fn) {
  std::lock_guard lock(mutex_);
  on_ready_ = std::move(fn);
}

}  // namespace knarr
