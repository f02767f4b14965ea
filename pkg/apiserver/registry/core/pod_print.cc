// Mirrors: printPod in pkg/printers/internalversion/printers.go of 1.32
#include <fmt/format.h>

#include <algorithm>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/apiserver/registry/core/pod.h"
#include "pkg/apiserver/registry/printers.h"

namespace knarr::registry::core_group {
namespace {

const core::Container* FindInitContainer(const core::Pod& pod, const std::string& name) {
  for (const core::Container& container : pod.spec().initcontainers()) {
    if (container.name() == name) return &container;
  }
  return nullptr;
}

bool IsRestartable(const core::Container* container) {
  return container != nullptr && container->restartpolicy() == "Always";
}

bool HasTrueCondition(const core::Pod& pod, std::string_view type) {
  const auto& conditions = pod.status().conditions();
  return std::any_of(conditions.begin(), conditions.end(), [&](const core::PodCondition& condition) {
    return condition.type() == type && condition.status() == "True";
  });
}

std::string OrNone(const std::string& text) {
  return text.empty() ? "<none>" : text;
}

struct Restarts {
  int64_t count = 0;
  int64_t last = 0;  // seconds; 0: never
  void Add(const core::ContainerStatus& status) {
    count += status.restartcount();
    if (status.laststate().has_terminated()) {
      last = std::max(last, status.laststate().terminated().finishedat().seconds());
    }
  }
  std::string ToString(WallTime now) const {
    if (count == 0 || last == 0) return std::to_string(count);
    return fmt::format("{} ({} ago)", count, HumanAge(WallTime(std::chrono::seconds(last)), now));
  }
};

// Goes through a pod's containers as kubectl's reader would: the first unfinished init container decides, else the
// first container that is not well.
class Summary {
 public:
  explicit Summary(const core::Pod& pod) : pod_(pod), total_(pod.spec().containers_size()) {
    reason_ = pod.status().reason().empty() ? pod.status().phase() : pod.status().reason();
    for (const core::PodCondition& condition : pod.status().conditions()) {
      if (condition.type() == "PodScheduled" && condition.reason() == "SchedulingGated") reason_ = condition.reason();
    }
    for (const core::Container& container : pod.spec().initcontainers()) total_ += IsRestartable(&container);
    const bool initializing = VisitInitContainers();
    if (!initializing || HasTrueCondition(pod, "Initialized")) VisitContainers();
    Deletion();
  }

  const std::string& reason() const { return reason_; }
  std::string Ready() const { return fmt::format("{}/{}", ready_, total_); }
  std::string RestartText(WallTime now) const { return restarts_.ToString(now); }

 private:
  static std::string Ended(const core::ContainerStateTerminated& terminated) {
    if (!terminated.reason().empty()) return terminated.reason();
    if (terminated.signal() != 0) return fmt::format("Signal:{}", terminated.signal());
    return fmt::format("ExitCode:{}", terminated.exitcode());
  }

  // Whether one is not done yet.
  bool VisitInitContainers() {
    const auto& statuses = pod_.status().initcontainerstatuses();
    for (int i = 0; i < statuses.size(); ++i) {
      const core::ContainerStatus& status = statuses[i];
      const core::ContainerState& state = status.state();
      const bool restartable = IsRestartable(FindInitContainer(pod_, status.name()));
      restarts_.Add(status);
      if (restartable) sidecar_restarts_.Add(status);
      if (state.has_terminated() && state.terminated().exitcode() == 0) continue;
      if (restartable && status.started()) {
        ready_ += status.ready();
        continue;
      }
      if (state.has_terminated()) {
        reason_ = "Init:" + Ended(state.terminated());
      } else if (!state.waiting().reason().empty() && state.waiting().reason() != "PodInitializing") {
        reason_ = "Init:" + state.waiting().reason();
      } else {
        reason_ = fmt::format("Init:{}/{}", i, pod_.spec().initcontainers_size());
      }
      return true;
    }
    return false;
  }

  void VisitContainers() {
    restarts_ = sidecar_restarts_;
    bool running = false;
    const auto& statuses = pod_.status().containerstatuses();
    for (int i = statuses.size() - 1; i >= 0; --i) {
      const core::ContainerState& state = statuses[i].state();
      restarts_.Add(statuses[i]);
      if (!state.waiting().reason().empty()) {
        reason_ = state.waiting().reason();
      } else if (state.has_terminated()) {
        reason_ = Ended(state.terminated());
      } else if (statuses[i].ready() && state.has_running()) {
        running = true;
        ++ready_;
      }
    }
    // Something still runs beside what is done.
    if (reason_ == "Completed" && running) reason_ = HasTrueCondition(pod_, "Ready") ? "Running" : "NotReady";
  }

  void Deletion() {
    if (!pod_.metadata().has_deletiontimestamp()) return;
    const std::string& phase = pod_.status().phase();
    if (pod_.status().reason() == "NodeLost") {
      reason_ = "Unknown";
    } else if (phase != "Failed" && phase != "Succeeded") {
      reason_ = "Terminating";
    }
  }

  const core::Pod& pod_;
  int total_;
  int ready_ = 0;
  std::string reason_;
  Restarts restarts_, sidecar_restarts_;
};

std::string ReadinessGates(const core::Pod& pod) {
  if (pod.spec().readinessgates_size() == 0) return "<none>";
  int open = 0;
  for (const core::PodReadinessGate& gate : pod.spec().readinessgates()) {
    for (const core::PodCondition& condition : pod.status().conditions()) {
      if (condition.type() != gate.conditiontype()) continue;
      open += condition.status() == "True";
      break;
    }
  }
  return fmt::format("{}/{}", open, pod.spec().readinessgates_size());
}

}  // namespace

std::vector<Column> PodColumns() {
  return {NameColumn(),
          TextColumn("Ready"),
          TextColumn("Status"),
          TextColumn("Restarts"),
          AgeColumn(),
          TextColumn("IP", 1),
          TextColumn("Node", 1),
          TextColumn("Nominated Node", 1),
          TextColumn("Readiness Gates", 1)};
}

std::vector<Cell> PodRow(const core::Pod& pod, WallTime now) {
  const Summary summary(pod);
  const std::string ip = pod.status().podips_size() > 0 ? pod.status().podips(0).ip() : "";
  return {pod.metadata().name(),
          summary.Ready(),
          summary.reason(),
          summary.RestartText(now),
          Age(pod.metadata(), now),
          OrNone(ip),
          OrNone(pod.spec().nodename()),
          OrNone(pod.status().nominatednodename()),
          ReadinessGates(pod)};
}

}  // namespace knarr::registry::core_group
