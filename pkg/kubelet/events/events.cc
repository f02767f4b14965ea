#include "pkg/kubelet/events/events.h"

#include <algorithm>

namespace knarr::kubelet {
namespace {

constexpr auto kLogAgainAfter = std::chrono::minutes(10);

}  // namespace

EventStore::EventStore(Clock& clock, Logger log, size_t max_objects, size_t max_per_object)
    : clock_(clock), log_(std::move(log)), max_objects_(max_objects), max_per_object_(max_per_object) {}

void EventStore::Record(const ObjectRef& object, EventType type, std::string_view reason, std::string message) {
  const WallTime now = clock_.Now();
  bool say = true;
  {
    std::lock_guard lock(mutex_);
    const auto key = std::make_pair(object.ns, object.name);
    if (!slots_.contains(key) && slots_.size() >= max_objects_) {
      const auto oldest = std::min_element(slots_.begin(), slots_.end(),
                                           [](const auto& a, const auto& b) { return a.second.touched < b.second.touched; });
      slots_.erase(oldest);
    }
    Slot& slot = slots_[key];
    slot.touched = clock_.Monotonic();
    const auto same = std::find_if(slot.events.begin(), slot.events.end(), [&](const Event& e) {
      return e.reason == reason && e.message == message && e.type == type && e.object.uid == object.uid &&
             e.object.field_path == object.field_path;
    });
    if (same != slot.events.end()) {
      say = now - same->last_seen >= kLogAgainAfter;
      Event repeated = std::move(*same);
      slot.events.erase(same);
      ++repeated.count;
      repeated.last_seen = now;
      slot.events.push_back(std::move(repeated));
    } else {
      slot.events.push_back(Event{object, type, std::string(reason), message, 1, now, now});
      if (slot.events.size() > max_per_object_) slot.events.pop_front();
    }
  }
  if (!say) return;
  const std::string ref = object.ns.empty() ? object.name : object.ns + "/" + object.name;
  if (type == EventType::kWarning) {
    log_.Warning("Event occurred", {{"object", ref}, {"fieldPath", object.field_path}, {"reason", reason}, {"message", message}});
  } else {
    log_.Info("Event occurred", {{"object", ref}, {"fieldPath", object.field_path}, {"reason", reason}, {"message", message}});
  }
}

std::vector<Event> EventStore::List(std::string_view ns, std::string_view name) const {
  std::vector<Event> events;
  std::lock_guard lock(mutex_);
  for (const auto& [key, slot] : slots_) {
    if (!name.empty() && (key.first != ns || key.second != name)) continue;
    events.insert(events.end(), slot.events.begin(), slot.events.end());
  }
  std::stable_sort(events.begin(), events.end(), [](const Event& a, const Event& b) { return a.last_seen < b.last_seen; });
  return events;
}

void EventStore::Forget(std::string_view ns, std::string_view name) {
  std::lock_guard lock(mutex_);
  slots_.erase(std::make_pair(std::string(ns), std::string(name)));
}

}  // namespace knarr::kubelet
