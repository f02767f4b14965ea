// Threads for blocking work. Named, bounded, joined: no detached threads anywhere in Knarr.
#pragma once

#include <condition_variable>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>

#include "pkg/base/clock.h"

namespace knarr {

// Starts a thread on demand, up to a bound, and lets it go after some idle time: a quiet process keeps no stacks.
// Work beyond the bound queues. A task must not wait for another task of the same pool.
// Exceptions that escape a task are logged and counted (KNARR_BUG), never fatal.
class ElasticPool {
 public:
  // name: at most 15 characters, shown by ps -L.
  ElasticPool(std::string name, size_t max_threads, Duration idle = std::chrono::seconds(10));
  // Runs what is queued, then joins.
  ~ElasticPool();
  ElasticPool(const ElasticPool&) = delete;

  void Post(std::function<void()> task);
  size_t Threads() const;
  // Blocks until no task runs or waits; for tests and shutdown.
  void Drain();

 private:
  void Loop(std::list<std::thread>::iterator self);

  const std::string name_;
  const size_t max_threads_;
  const Duration idle_;
  mutable std::mutex mutex_;
  std::condition_variable wake_, quiet_;
  std::list<std::function<void()>> tasks_;
  std::list<std::thread> threads_, finished_;
  size_t waiting_ = 0;
  size_t running_ = 0;
  bool stopping_ = false;
};

// Threads belonging to an object; the destructor requests stop and joins. The thread body gets a stop_token.
class TaskGroup {
 public:
  TaskGroup() = default;
  ~TaskGroup() { StopAndJoin(); }
  TaskGroup(const TaskGroup&) = delete;
  // name: at most 15 characters. 256 KiB stacks.
  void Go(const std::string& name, std::function<void(std::stop_token)> body);
  void RequestStop() { stop_.request_stop(); }
  void StopAndJoin();
  std::stop_token token() const { return stop_.get_token(); }

 private:
  std::stop_source stop_;
  std::mutex mutex_;
  std::list<std::thread> threads_;
};

}  // namespace knarr
