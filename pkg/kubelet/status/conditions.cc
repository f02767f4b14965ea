#include "pkg/kubelet/status/conditions.h"

#include <algorithm>
#include <vector>

#include <fmt/core.h>

#include "pkg/kubelet/container/helpers.h"
#include "pkg/kubelet/status/container_statuses.h"

namespace knarr::kubelet {
namespace {

constexpr std::string_view kOwned[] = {"PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"};

core::PodCondition Make(std::string_view type, bool value, std::string reason = {}, std::string message = {}) {
  core::PodCondition condition;
  condition.set_type(std::string(type));
  condition.set_status(value ? "True" : "False");
  if (!reason.empty()) condition.set_reason(std::move(reason));
  if (!message.empty()) condition.set_message(std::move(message));
  return condition;
}

const core::ContainerStatus* Find(const core::PodStatus& status, const std::string& name) {
  for (const auto* list : {&status.initcontainerstatuses(), &status.containerstatuses()}) {
    for (const auto& s : *list) {
      if (s.name() == name) return &s;
    }
  }
  return nullptr;
}

// As Go prints a list of strings: [a b].
std::string List(const std::vector<std::string>& names) {
  std::string out = "[";
  for (const std::string& name : names) {
    if (out.size() > 1) out += ' ';
    out += name;
  }
  return out + "]";
}

struct Lacking {
  std::vector<std::string> unknown, lacking;
  std::string Message(std::string_view what) const {
    std::string text;
    if (!unknown.empty()) text = "containers with unknown status: " + List(unknown);
    if (!lacking.empty()) text += fmt::format("{}containers with {} status: {}", text.empty() ? "" : ", ", what, List(lacking));
    return text;
  }
};

core::PodCondition ContainersReady(const core::Pod& pod, const core::PodStatus& status, std::string_view type) {
  Lacking found;
  const auto look = [&](const core::Container& c) {
    const core::ContainerStatus* s = Find(status, c.name());
    if (!s) {
      found.unknown.push_back(c.name());
    } else if (!s->ready()) {
      found.lacking.push_back(c.name());
    }
  };
  for (const core::Container& c : pod.spec().initcontainers()) {
    if (IsSidecar(c)) look(c);
  }
  for (const core::Container& c : pod.spec().containers()) look(c);
  if (status.phase() == "Succeeded" && found.unknown.empty()) return Make(type, false, "PodCompleted");
  if (status.phase() == "Failed") return Make(type, false, "PodFailed");
  const std::string message = found.Message("unready");
  return message.empty() ? Make(type, true) : Make(type, false, "ContainersNotReady", message);
}

core::PodCondition Ready(const core::Pod& pod, const core::PodStatus& status) {
  core::PodCondition ready = ContainersReady(pod, status, "Ready");
  if (ready.status() != "True") return ready;
  std::string message;
  for (const auto& gate : pod.spec().readinessgates()) {
    const auto& list = status.conditions();
    const auto it = std::find_if(list.begin(), list.end(), [&](const auto& c) { return c.type() == gate.conditiontype(); });
    if (it != list.end() && it->status() == "True") continue;
    if (!message.empty()) message += ", ";
    message += it == list.end() ? fmt::format("corresponding condition of pod readiness gate \"{}\" does not exist.", gate.conditiontype())
                                : fmt::format("the status of pod readiness gate \"{}\" is not \"True\", but {}", gate.conditiontype(), it->status());
  }
  return message.empty() ? ready : Make("Ready", false, "ReadinessGatesNotReady", message);
}

bool AnyRegularContainerStarted(const core::PodStatus& status) {
  const auto& list = status.containerstatuses();
  return std::any_of(list.begin(), list.end(), [](const auto& s) { return s.state().has_running() || s.state().has_terminated(); });
}

core::PodCondition Initialized(const core::Pod& pod, const core::PodStatus& status) {
  Lacking found;
  for (const core::Container& c : pod.spec().initcontainers()) {
    const core::ContainerStatus* s = Find(status, c.name());
    if (!s) {
      found.unknown.push_back(c.name());
    } else if (IsSidecar(c) ? !s->started() : !s->ready()) {
      found.lacking.push_back(c.name());
    }
  }
  if (status.phase() == "Succeeded" && found.unknown.empty()) return Make("Initialized", true, "PodCompleted");
  if (AnyRegularContainerStarted(status)) return Make("Initialized", true);
  const std::string message = found.Message("incomplete");
  return message.empty() ? Make("Initialized", true) : Make("Initialized", false, "ContainersNotInitialized", message);
}

}  // namespace

void SetConditions(const core::Pod& pod, const RuntimePodStatus& runtime, const core::PodStatus& old, WallTime now,
                   core::PodStatus* status) {
  for (const auto& condition : pod.status().conditions()) {
    if (std::find(std::begin(kOwned), std::end(kOwned), condition.type()) == std::end(kOwned)) *status->add_conditions() = condition;
  }
  for (const auto& condition : old.conditions()) {
    if (condition.type() == "DisruptionTarget") *status->add_conditions() = condition;
  }
  const core::PodCondition own[] = {
      Make("PodReadyToStartContainers", !DecideSandbox(pod, runtime).create),
      Initialized(pod, *status),
      Ready(pod, *status),
      ContainersReady(pod, *status, "ContainersReady"),
      Make("PodScheduled", true),
  };
  for (const core::PodCondition& condition : own) {
    auto* added = status->add_conditions();
    *added = condition;
    const auto& list = old.conditions();
    const auto before = std::find_if(list.begin(), list.end(), [&](const auto& c) { return c.type() == condition.type(); });
    const bool same = before != list.end() && before->status() == condition.status();
    *added->mutable_lasttransitiontime() = same ? before->lasttransitiontime() : ToTime(now);
  }
}

}  // namespace knarr::kubelet
