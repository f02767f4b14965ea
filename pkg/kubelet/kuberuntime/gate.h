// Lets a bounded number of callers through at once. Thread-safe.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

#include "pkg/base/clock.h"
#include "pkg/base/context.h"

namespace knarr::kubelet {

class Gate {
 public:
  // 0: no bound.
  explicit Gate(int slots) : slots_(slots) {}
  Gate(const Gate&) = delete;

  class Pass {
   public:
    Pass() = default;
    explicit Pass(Gate* gate) : gate_(gate) {}
    Pass(Pass&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)) {}
    Pass& operator=(Pass&&) = delete;
    ~Pass() {
      if (gate_) gate_->Leave();
    }

   private:
    Gate* gate_ = nullptr;
  };

  // Waits for a slot: as long as the context lives, or, with max_wait, at most so long and then goes through without
  // one (a bound for the usual case that one stuck call must not turn into a standstill).
  // `waited` (may be null) tells whether there was a queue.
  Result<Pass> Enter(const Context& ctx, std::optional<Duration> max_wait = std::nullopt, bool* waited = nullptr);

 private:
  void Leave();

  const int slots_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  int used_ = 0;
};

}  // namespace knarr::kubelet
