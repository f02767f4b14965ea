// Says which pods changed in the runtime, without asking it all the time.
//
// With CRI events (containerd 1.7+) an exit is heard of as it happens. Without, every running container and sandbox
// is watched by a pidfd of its first process, which costs nothing while nothing happens; where the runtime does not
// tell the pid, that pod is looked at again at an interval that doubles from 1 s to 10 s while nothing changes.
// Beside all this, a full look every ten minutes, and one whenever the runtime was away.
// Mirrors: pkg/kubelet/pleg/{generic,evented}.go in purpose, not in mechanism.
// Thread-safe. Callbacks run on the object's own threads without locks held.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "pkg/base/clock.h"
#include "pkg/base/context.h"
#include "pkg/kubelet/container/types.h"

namespace knarr::cri {
class CriRuntime;
}

namespace knarr::kubelet {

class Pleg {
 public:
  struct Callbacks {
    // The runtime has news of this pod.
    std::function<void(const std::string& pod_uid)> on_change;
    // Anything may have changed: list everything.
    std::function<void()> on_relist;
  };
  Pleg(cri::CriRuntime& runtime, Clock& clock, Callbacks callbacks, Logger log);
  ~Pleg();
  Pleg(const Pleg&) = delete;

  // What was just read from the runtime for this pod; its running processes are watched from here on.
  void Observe(const RuntimePodStatus& status);
  void Forget(const std::string& pod_uid);

  // "events", "pidfd" or "starting"; for logs, metrics and `knarr status`.
  std::string Mode() const;
  // Processes watched by pidfd.
  size_t Watched() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace knarr::kubelet
