#include "pkg/cri/events.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "pkg/base/pool.h"

namespace knarr::cri {

struct EventStream::Rep {
  Rep(const Context& c, CriRuntime& r, Callbacks cb, Options o)
      : context(c), runtime(r), callbacks(std::move(cb)), options(o) {}

  void Loop(std::stop_token stop);
  void Become(State next, const Status& why);
  // Sleeps until Retry() or the end; false at the end.
  bool WaitForRetry(const Context& inner);

  const Context context;
  CriRuntime& runtime;
  const Callbacks callbacks;
  const Options options;
  mutable std::mutex mutex;
  std::condition_variable_any wake;
  State state = State::kConnecting;
  bool told = false;  // of the first state
  bool retry = false;
  TaskGroup tasks;  // last: its thread ends first
};

void EventStream::Rep::Become(State next, const Status& why) {
  {
    const std::lock_guard lock(mutex);
    if (told && state == next) return;
    state = next;
    told = true;
  }
  if (callbacks.on_state) callbacks.on_state(next, why);
}

bool EventStream::Rep::WaitForRetry(const Context& inner) {
  std::unique_lock lock(mutex);
  wake.wait(lock, inner.stop_token(), [&] { return retry; });
  retry = false;
  return !inner.Done();
}

void EventStream::Rep::Loop(std::stop_token stop) {
  const Context inner = context.WithStop(stop);
  Duration backoff = options.min_backoff;
  Become(State::kConnecting, OkStatus());
  while (!inner.Done()) {
    const Status end = runtime.GetContainerEvents(
        inner,
        [&] {
          backoff = options.min_backoff;
          Become(State::kStreaming, OkStatus());
        },
        [&](v1::ContainerEventResponse&& event) {
          if (callbacks.on_event) callbacks.on_event(std::move(event));
        });
    if (inner.Done()) return;
    if (end.Is(Code::kUnimplemented)) {
      Become(State::kUnsupported, end);
      if (!WaitForRetry(inner)) return;
      Become(State::kConnecting, OkStatus());
      backoff = options.min_backoff;
      continue;
    }
    Become(State::kConnecting, end);
    if (!inner.Sleep(backoff).ok()) return;
    backoff = std::min(backoff * 2, options.max_backoff);
  }
}

EventStream::EventStream(const Context& context, CriRuntime& runtime, Callbacks callbacks, Options options)
    : rep_(std::make_unique<Rep>(context, runtime, std::move(callbacks), options)) {
  rep_->tasks.Go("cri-events", [rep = rep_.get()](std::stop_token stop) { rep->Loop(stop); });
}

EventStream::~EventStream() = default;

EventStream::State EventStream::state() const {
  const std::lock_guard lock(rep_->mutex);
  return rep_->state;
}

void EventStream::Retry() {
  const std::lock_guard lock(rep_->mutex);
  if (rep_->state != State::kUnsupported) return;
  rep_->retry = true;
  rep_->wake.notify_all();
}

}  // namespace knarr::cri
