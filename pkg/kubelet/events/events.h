// What the kubelet has to say about pods: upstream's events ("Pulling", "Failed", "BackOff", "Killing", "Unhealthy").
// Standalone they are kept in memory, the last few per pod, aggregated as client-go does; `knarr why` and the
// kubelet's local API read them. With an API server another sink sends them there.
// Mirrors: pkg/kubelet/events/event.go, k8s.io/client-go/tools/record
#pragma once

#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "pkg/base/clock.h"
#include "pkg/base/log.h"

namespace knarr::kubelet {

enum class EventType { kNormal, kWarning };

struct ObjectRef {
  std::string kind;  // Pod, Node, or "Manifest" for a file that yields no pod
  std::string ns, name, uid;
  std::string field_path;  // spec.containers{web}
};

struct Event {
  ObjectRef object;
  EventType type = EventType::kNormal;
  std::string reason;   // CamelCase, upstream's
  std::string message;  // one sentence
  int count = 1;
  WallTime first_seen{}, last_seen{};
};

class EventRecorder {
 public:
  virtual ~EventRecorder() = default;
  virtual void Record(const ObjectRef& object, EventType type, std::string_view reason, std::string message) = 0;
};

// Bounded in objects and events per object; identical events count up instead of repeating, and are logged once per
// change of the message (then at most every 10 minutes). Thread-safe.
class EventStore : public EventRecorder {
 public:
  EventStore(Clock& clock, Logger log, size_t max_objects = 512, size_t max_per_object = 16);
  void Record(const ObjectRef& object, EventType type, std::string_view reason, std::string message) override;
  // Oldest first; empty ns and name: all objects.
  std::vector<Event> List(std::string_view ns, std::string_view name) const;
  void Forget(std::string_view ns, std::string_view name);

 private:
  struct Slot {
    std::deque<Event> events;
    MonoTime touched{};
  };
  Clock& clock_;
  const Logger log_;
  const size_t max_objects_, max_per_object_;
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, Slot, std::less<>> slots_;
};

}  // namespace knarr::kubelet
