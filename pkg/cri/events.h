// Container events for as long as the object lives: subscribes, and subscribes again when the stream breaks.
// Mirrors: pkg/kubelet/pleg/evented.go (the subscription half)
#pragma once

#include <functional>
#include <memory>

#include "pkg/base/clock.h"
#include "pkg/base/context.h"
#include "pkg/cri/runtime.h"

namespace knarr::cri {

class EventStream {
 public:
  enum class State {
    kConnecting,   // nothing heard yet, or the runtime is away: relist until kStreaming
    kStreaming,    // events arrive; what happened before may have been missed: relist once
    kUnsupported,  // the runtime has no events (containerd < 1.7): relist; Retry() asks once more
  };
  struct Callbacks {
    // Both run on the stream's one thread, never with a lock held, and should be short.
    // state: only called on a change; the error says why for kConnecting (OK at first) and kUnsupported.
    std::function<void(State state, const Status& why)> on_state;
    std::function<void(v1::ContainerEventResponse&& event)> on_event;
  };
  struct Options {
    // Between attempts: doubles from min to max, starts again at min after a stream that worked.
    Duration min_backoff = std::chrono::milliseconds(50);
    Duration max_backoff = std::chrono::seconds(1);
  };

  // Starts at once. runtime must outlive the object.
  EventStream(const Context& context, CriRuntime& runtime, Callbacks callbacks, Options options);
  EventStream(const Context& context, CriRuntime& runtime, Callbacks callbacks)
      : EventStream(context, runtime, std::move(callbacks), Options{}) {}
  // Ends the subscription and waits for a callback that runs.
  ~EventStream();
  EventStream(const EventStream&) = delete;

  State state() const;
  // After kUnsupported: the runtime was restarted, perhaps as another version. Otherwise nothing.
  void Retry();

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace knarr::cri
