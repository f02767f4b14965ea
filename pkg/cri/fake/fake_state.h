// The memory behind FakeRuntime; private to it.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "pkg/cri/fake/fake_runtime.h"

namespace knarr::cri {

struct FakeRuntime::State {
  struct Sandbox {
    uint64_t sequence = 0;
    v1::PodSandboxConfig config;
    v1::PodSandboxStatus status;
  };
  struct Container {
    uint64_t sequence = 0;
    std::string sandbox_id;
    v1::ContainerConfig config;
    v1::ContainerStatus status;
    Program program;
    Timer exit_timer;
  };
  template <typename T>
  using ById = std::map<std::string, T, std::less<>>;

  explicit State(Clock& c) : clock(c) {}

  Clock& clock;
  mutable std::mutex mutex;
  std::condition_variable_any changed;

  ById<Sandbox> sandboxes;
  ById<Container> containers;
  ById<v1::Image> images, remote_images;  // by normalised reference
  ById<Status> pull_errors;
  ById<v1::ContainerStats> stats;
  ById<std::vector<std::string>> pod_ips;
  ById<std::deque<Status>> failures;
  ById<std::function<Status(const Context&, const Call&)>> hooks;
  std::function<Program(const v1::ContainerConfig&)> program;
  std::function<Result<v1::ExecSyncResponse>(const Call&)> exec;
  std::vector<v1::RuntimeCondition> conditions;
  std::string streaming_url = "http://127.0.0.1:1";
  ListOrder order = ListOrder::kById;
  bool events_supported = true;
  bool available = true;
  uint64_t connection = 0;  // counts SetAvailable(false)
  uint64_t sequence = 0;
  unsigned next_address = 2;
  uint64_t next_token = 0;
  std::deque<v1::ContainerEventResponse> events;
  std::vector<Call> calls;
  std::vector<Pull> pulls;
  // Timers to be cancelled without the lock: swapped out and destroyed by whoever unlocks.
  std::vector<Timer> garbage;

  // All below: with the lock held.
  int64_t NowNanos() const;
  std::string NewId();
  // By ID or unambiguous prefix; null if there is none.
  Sandbox* FindSandbox(std::string_view id);
  Container* FindContainer(std::string_view id);
  std::string NameOf(const Container& container) const;
  void Emit(v1::ContainerEventType type, const std::string& id, const std::string& sandbox_id);
  void MarkExited(Container& container, int exit_code, const std::string& reason);
  void MarkNotReady(Sandbox& sandbox);
  // Values in the order that lists are to have.
  template <typename T>
  std::vector<const T*> InOrder(const ById<T>& map) const {
    std::vector<const T*> out;
    for (const auto& [id, value] : map) out.push_back(&value);
    if (order == ListOrder::kNewestFirst)
      std::sort(out.begin(), out.end(), [](const T* a, const T* b) { return a->sequence > b->sequence; });
    if (order == ListOrder::kOldestFirst)
      std::sort(out.begin(), out.end(), [](const T* a, const T* b) { return a->sequence < b->sequence; });
    return out;
  }
};

// Locks; on the way out unlocks first and then cancels the timers that were thrown away meanwhile.
class FakeLock {
 public:
  template <typename State>
  explicit FakeLock(State& state) : garbage_(&state.garbage), lock_(state.mutex) {}
  ~FakeLock() {
    std::vector<Timer> doomed;
    if (lock_.owns_lock()) {
      doomed.swap(*garbage_);
      lock_.unlock();
    }
  }
  std::unique_lock<std::mutex>& operator*() { return lock_; }

 private:
  std::vector<Timer>* garbage_;
  std::unique_lock<std::mutex> lock_;
};

// "busybox" -> "docker.io/library/busybox:latest", as containerd names what it pulls.
std::string NormalizeImageReference(std::string_view reference);
// 64 hex digits that look random and depend only on the seed.
std::string HexId(uint64_t seed);
bool LabelsMatch(const google::protobuf::Map<std::string, std::string>& labels,
                 const google::protobuf::Map<std::string, std::string>& selector);

}  // namespace knarr::cri
