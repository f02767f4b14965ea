#include "pkg/kubelet/status/phase.h"

#include <map>

#include "pkg/kubelet/container/helpers.h"

namespace knarr::kubelet {
namespace {

struct Counts {
  int pending_init = 0, pending_sidecars = 0, failed_init = 0;
  int unknown = 0, running = 0, waiting = 0, stopped = 0, succeeded = 0;
};

using Statuses = std::map<std::string, const core::ContainerStatus*>;

void CountInit(const core::ContainerStatus* status, Counts* counts) {
  if (!status || status->state().has_running()) {
    ++counts->pending_init;
  } else if (status->state().has_terminated()) {
    counts->failed_init += status->state().terminated().exitcode() != 0;
  } else if (status->state().has_waiting() && status->laststate().has_terminated()) {
    counts->failed_init += status->laststate().terminated().exitcode() != 0;
  } else {
    ++counts->pending_init;
  }
}

void CountSidecar(const core::ContainerStatus* status, Counts* counts) {
  if (!status) {
    ++counts->unknown;
  } else if (status->state().has_running()) {
    counts->pending_sidecars += !status->started();
    ++counts->running;
  } else if (status->state().has_terminated()) {
    // A sidecar that ended says nothing about the pod.
  } else if (status->state().has_waiting()) {
    if (status->laststate().has_terminated()) return;
    ++counts->pending_sidecars;
    ++counts->waiting;
  } else {
    ++counts->pending_sidecars;
    ++counts->unknown;
  }
}

void CountRegular(const core::ContainerStatus* status, Counts* counts) {
  if (!status) {
    ++counts->unknown;
  } else if (status->state().has_running()) {
    ++counts->running;
  } else if (status->state().has_terminated()) {
    ++counts->stopped;
    counts->succeeded += status->state().terminated().exitcode() == 0;
  } else if (status->state().has_waiting()) {
    ++(status->laststate().has_terminated() ? counts->stopped : counts->waiting);
  } else {
    ++counts->unknown;
  }
}

Counts Count(const core::Pod& pod, const core::PodStatus& status) {
  Statuses by_name;
  for (const auto& s : status.containerstatuses()) by_name[s.name()] = &s;
  for (const auto& s : status.initcontainerstatuses()) by_name[s.name()] = &s;
  const auto find = [&by_name](const std::string& name) {
    const auto it = by_name.find(name);
    return it == by_name.end() ? nullptr : it->second;
  };
  Counts counts;
  for (const core::Container& c : pod.spec().initcontainers()) {
    if (IsSidecar(c)) {
      CountSidecar(find(c.name()), &counts);
    } else {
      CountInit(find(c.name()), &counts);
    }
  }
  for (const core::Container& c : pod.spec().containers()) CountRegular(find(c.name()), &counts);
  return counts;
}

}  // namespace

std::string PodPhase(const core::Pod& pod, const core::PodStatus& status, bool terminal, bool initialized) {
  const Counts n = Count(pod, status);
  const std::string& policy = pod.spec().restartpolicy();
  if (n.failed_init > 0 && policy == "Never") return "Failed";
  if (n.pending_init > 0 || (n.pending_sidecars > 0 && !initialized) || n.waiting > 0) return "Pending";
  if (n.unknown > 0) return "Pending";
  if (n.running > 0) return "Running";
  if (n.stopped == 0) return "Pending";
  const bool all_succeeded = n.stopped == n.succeeded;
  if (terminal && !IsStaticPod(pod)) return all_succeeded ? "Succeeded" : "Failed";
  if (policy == "Never") return all_succeeded ? "Succeeded" : "Failed";
  if (policy == "OnFailure") return all_succeeded ? "Succeeded" : "Running";
  return "Running";
}

}  // namespace knarr::kubelet
