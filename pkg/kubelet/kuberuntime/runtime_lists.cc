#include "pkg/kubelet/kuberuntime/runtime_lists.h"

#include "pkg/kubelet/kuberuntime/names.h"

namespace knarr::kubelet {
namespace {

WallTime FromNanos(int64_t nanos) {
  return WallTime(std::chrono::duration_cast<WallTime::duration>(std::chrono::nanoseconds(nanos)));
}

}  // namespace

cri_v1::PodSandboxFilter SandboxesOf(const std::string& pod_uid) {
  cri_v1::PodSandboxFilter filter;
  (*filter.mutable_label_selector())[std::string(kPodUidLabel)] = pod_uid;
  return filter;
}

cri_v1::ContainerFilter ContainersOf(const std::string& pod_uid) {
  cri_v1::ContainerFilter filter;
  (*filter.mutable_label_selector())[std::string(kPodUidLabel)] = pod_uid;
  return filter;
}

ContainerState ToState(cri_v1::ContainerState state) {
  switch (state) {
    case cri_v1::CONTAINER_CREATED:
      return ContainerState::kCreated;
    case cri_v1::CONTAINER_RUNNING:
      return ContainerState::kRunning;
    case cri_v1::CONTAINER_EXITED:
      return ContainerState::kExited;
    default:
      return ContainerState::kUnknown;
  }
}

SandboxStatus ToSandboxStatus(const cri_v1::PodSandboxStatus& from) {
  SandboxStatus status;
  status.id = from.id();
  status.ready = from.state() == cri_v1::SANDBOX_READY;
  status.attempt = from.metadata().attempt();
  status.created_at = FromNanos(from.created_at());
  status.host_network = from.linux().namespaces().options().network() == cri_v1::NODE;
  if (!status.host_network && !from.network().ip().empty()) {
    status.ips.push_back(from.network().ip());
    for (const auto& more : from.network().additional_ips()) status.ips.push_back(more.ip());
  }
  return status;
}

ContainerStatus ToContainerStatus(const cri_v1::ContainerStatus& from, const ContainerInfo& info, const std::string& sandbox_id) {
  ContainerStatus status;
  status.id = from.id();
  status.name = info.name;
  status.state = ToState(from.state());
  status.created_at = FromNanos(from.created_at());
  if (status.state != ContainerState::kCreated) status.started_at = FromNanos(from.started_at());
  if (status.state == ContainerState::kExited) {
    status.finished_at = FromNanos(from.finished_at());
    status.exit_code = from.exit_code();
    status.reason = from.reason();
    status.message = from.message();
  }
  status.image = from.image().image();
  status.image_id = from.image_ref();
  status.hash = info.hash;
  status.restart_count = info.restart_count;
  status.log_path = from.log_path();
  status.sandbox_id = sandbox_id;
  return status;
}

}  // namespace knarr::kubelet
