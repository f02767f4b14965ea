#include "pkg/base/pool.h"

#include <pthread.h>

#include <exception>

#include "pkg/base/status.h"

namespace knarr {
namespace {

void RunGuarded(const std::function<void()>& task) {
  try {
    task();
  } catch (const std::exception& e) {
    KNARR_BUG((std::string("a task let an exception escape: ") + e.what()).c_str());
  }
}

}  // namespace

ElasticPool::ElasticPool(std::string name, size_t max_threads, Duration idle)
    : name_(std::move(name)), max_threads_(max_threads), idle_(idle) {}

ElasticPool::~ElasticPool() {
  std::list<std::thread> join;
  {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
    quiet_.wait(lock, [this] { return threads_.empty(); });
    join.swap(finished_);
  }
  for (std::thread& thread : join) thread.join();
}

void ElasticPool::Post(std::function<void()> task) {
  std::list<std::thread> join;
  {
    std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    join.swap(finished_);
    if (tasks_.size() > waiting_ && threads_.size() < max_threads_) {
      const auto self = threads_.emplace(threads_.end());
      *self = std::thread([this, self] { Loop(self); });
    }
  }
  wake_.notify_one();
  for (std::thread& thread : join) thread.join();
}

void ElasticPool::Loop(std::list<std::thread>::iterator self) {
  pthread_setname_np(pthread_self(), name_.substr(0, 15).c_str());
  std::unique_lock lock(mutex_);
  for (;;) {
    if (tasks_.empty()) {
      if (stopping_) break;
      ++waiting_;
      const bool woken = wake_.wait_for(lock, idle_, [this] { return stopping_ || !tasks_.empty(); });
      --waiting_;
      if (!woken) break;
      continue;
    }
    {
      const std::function<void()> task = std::move(tasks_.front());
      tasks_.pop_front();
      ++running_;
      lock.unlock();
      RunGuarded(task);
    }
    lock.lock();
    --running_;
    if (running_ == 0 && tasks_.empty()) quiet_.notify_all();
  }
  finished_.splice(finished_.end(), threads_, self);
  quiet_.notify_all();
}

size_t ElasticPool::Threads() const {
  std::lock_guard lock(mutex_);
  return threads_.size();
}

void ElasticPool::Drain() {
  std::unique_lock lock(mutex_);
  quiet_.wait(lock, [this] { return running_ == 0 && tasks_.empty(); });
}

void TaskGroup::Go(const std::string& name, std::function<void(std::stop_token)> body) {
  std::lock_guard lock(mutex_);
  threads_.emplace_back([name, body = std::move(body), token = stop_.get_token()] {
    pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
    RunGuarded([&] { body(token); });
  });
}

void TaskGroup::StopAndJoin() {
  stop_.request_stop();
  std::list<std::thread> join;
  {
    std::lock_guard lock(mutex_);
    join.swap(threads_);
  }
  for (std::thread& thread : join) thread.join();
}

}  // namespace knarr
