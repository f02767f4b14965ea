#include "pkg/kubelet/container/helpers.h"

#include <algorithm>

namespace knarr::kubelet {

const core::Container* FindContainer(const core::Pod& pod, std::string_view name) {
  for (const core::Container& c : pod.spec().containers()) {
    if (c.name() == name) return &c;
  }
  for (const core::Container& c : pod.spec().initcontainers()) {
    if (c.name() == name) return &c;
  }
  return nullptr;
}

bool IsInitContainer(const core::Pod& pod, std::string_view name) {
  const auto& inits = pod.spec().initcontainers();
  return std::any_of(inits.begin(), inits.end(), [&](const core::Container& c) { return c.name() == name; });
}

bool IsSidecar(const core::Container& container) { return container.restartpolicy() == "Always"; }

bool HasSidecar(const core::Pod& pod) {
  const auto& inits = pod.spec().initcontainers();
  return std::any_of(inits.begin(), inits.end(), IsSidecar);
}

bool IsStaticPod(const core::Pod& pod) {
  const auto source = pod.metadata().annotations().find("kubernetes.io/config.source");
  return source != pod.metadata().annotations().end() && source->second != "api";
}

bool ShouldRestartOnFailure(const core::Pod& pod) { return pod.spec().restartpolicy() != "Never"; }

bool ShouldContainerBeRestarted(const core::Container& container, const core::Pod& pod, const RuntimePodStatus& status) {
  if (pod.metadata().has_deletiontimestamp()) return false;
  const ContainerStatus* newest = status.Find(container.name());
  if (!newest) return true;
  switch (newest->state) {
    case ContainerState::kRunning:
      return false;
    case ContainerState::kCreated:
    case ContainerState::kUnknown:
      return true;
    case ContainerState::kExited:
      break;
  }
  if (pod.spec().restartpolicy() == "Never") return false;
  return pod.spec().restartpolicy() != "OnFailure" || newest->exit_code != 0;
}

bool HasAnyRegularContainerCreated(const core::Pod& pod, const RuntimePodStatus& status) {
  const auto& containers = pod.spec().containers();
  return std::any_of(containers.begin(), containers.end(), [&](const core::Container& c) {
    const ContainerStatus* newest = status.Find(c.name());
    return newest && newest->state != ContainerState::kUnknown;
  });
}

std::vector<std::string> SortPodIps(const std::vector<std::string>& pod_ips, const std::vector<std::string>& host_ips) {
  const auto is_v6 = [](const std::string& ip) { return ip.find(':') != std::string::npos; };
  const bool v6_first = !host_ips.empty() && is_v6(host_ips.front());
  std::vector<std::string> out;
  for (const bool v6 : {v6_first, !v6_first}) {
    const auto it = std::find_if(pod_ips.begin(), pod_ips.end(), [&](const std::string& ip) { return is_v6(ip) == v6; });
    if (it != pod_ips.end()) out.push_back(*it);
  }
  return out;
}

SandboxDecision DecideSandbox(const core::Pod& pod, const RuntimePodStatus& status) {
  if (status.sandboxes.empty()) return {true, 0, ""};
  const SandboxStatus& newest = status.sandboxes.front();
  const auto ready = std::count_if(status.sandboxes.begin(), status.sandboxes.end(), [](const SandboxStatus& s) { return s.ready; });
  if (ready > 1 || !newest.ready) return {true, newest.attempt + 1, newest.id};
  if (newest.host_network != pod.spec().hostnetwork()) return {true, newest.attempt + 1, ""};
  if (!newest.host_network && newest.ips.empty()) return {true, newest.attempt + 1, newest.id};
  return {false, newest.attempt, newest.id};
}

}  // namespace knarr::kubelet
