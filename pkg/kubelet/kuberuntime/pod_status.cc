// What the runtime says of pods.
#include <algorithm>

#include "pkg/kubelet/kuberuntime/manager.h"
#include "pkg/kubelet/kuberuntime/names.h"
#include "pkg/kubelet/kuberuntime/runtime_lists.h"
#include "pkg/kubelet/kuberuntime/termination_message.h"

namespace knarr::kubelet {
namespace {

// The runtime may still be writing the last lines of a log when it reports the exit.
constexpr auto kLogSettles = std::chrono::seconds(2);

template <typename Labels>
std::string Label(const Labels& labels, std::string_view key) {
  const auto it = labels.find(std::string(key));
  return it == labels.end() ? std::string() : it->second;
}

}  // namespace

Result<std::vector<RunningPod>> RuntimeManagerImpl::ListPods(const Context& ctx) {
  std::map<std::string, RunningPod> pods;
  const auto pod_of = [&pods](const auto& labels) -> RunningPod* {
    const std::string uid = Label(labels, kPodUidLabel);
    if (uid.empty()) return nullptr;
    RunningPod& pod = pods[uid];
    pod.uid = uid;
    pod.name = Label(labels, kPodNameLabel);
    pod.ns = Label(labels, kPodNamespaceLabel);
    return &pod;
  };
  for (const auto& sandbox : KNARR_TRY(deps_.cri.ListPodSandbox(ctx))) {
    RunningPod* pod = pod_of(sandbox.labels());
    if (!pod) continue;
    pod->sandbox_ids.push_back(sandbox.id());
    pod->any_running = pod->any_running || sandbox.state() == cri_v1::SANDBOX_READY;
  }
  for (const auto& container : KNARR_TRY(deps_.cri.ListContainers(ctx))) {
    RunningPod* pod = pod_of(container.labels());
    if (!pod) continue;
    pod->container_ids.push_back(container.id());
    pod->any_running = pod->any_running || container.state() == cri_v1::CONTAINER_RUNNING;
  }
  std::vector<RunningPod> out;
  for (auto& [uid, pod] : pods) out.push_back(std::move(pod));
  return out;
}

Result<RuntimePodStatus> RuntimeManagerImpl::GetPodStatus(const Context& ctx, const std::string& uid, const std::string& name,
                                                          const std::string& ns) {
  RuntimePodStatus status;
  status.uid = uid;
  status.name = name;
  status.ns = ns;
  for (const auto& listed : KNARR_TRY(deps_.cri.ListPodSandbox(ctx, SandboxesOf(uid)))) {
    auto sandbox = ReadSandbox(ctx, listed);
    if (sandbox.ok()) {
      status.sandboxes.push_back(*std::move(sandbox));
    } else if (!sandbox.status().Is(Code::kNotFound)) {  // gone since it was listed
      return sandbox.status();
    }
  }
  for (const auto& listed : KNARR_TRY(deps_.cri.ListContainers(ctx, ContainersOf(uid)))) {
    if (auto container = ReadContainer(ctx, listed)) {
      if (!container->ok()) return container->status();
      status.containers.push_back(**std::move(container));
    }
  }
  std::sort(status.sandboxes.begin(), status.sandboxes.end(), [](const SandboxStatus& a, const SandboxStatus& b) {
    return std::pair(a.created_at, a.attempt) > std::pair(b.created_at, b.attempt);
  });
  std::sort(status.containers.begin(), status.containers.end(), [](const ContainerStatus& a, const ContainerStatus& b) {
    return std::pair(a.created_at, a.restart_count) > std::pair(b.created_at, b.restart_count);
  });
  if (!status.sandboxes.empty() && status.sandboxes.front().ready) status.ips = SortPodIps(status.sandboxes.front().ips, options_.host_ips);
  return status;
}

Result<SandboxStatus> RuntimeManagerImpl::ReadSandbox(const Context& ctx, const cri_v1::PodSandbox& listed) {
  if (listed.state() != cri_v1::SANDBOX_READY) {
    // Nobody needs the address of a dead sandbox.
    cri_v1::PodSandboxStatus dead;
    dead.set_id(listed.id());
    dead.set_state(listed.state());
    dead.set_created_at(listed.created_at());
    *dead.mutable_metadata() = listed.metadata();
    return ToSandboxStatus(dead);
  }
  {
    std::lock_guard lock(mutex_);
    if (const auto it = sandboxes_.find(listed.id()); it != sandboxes_.end()) return it->second;
  }
  const auto response = KNARR_TRY(deps_.cri.PodSandboxStatus(ctx, listed.id()));
  SandboxStatus status = ToSandboxStatus(response.status());
  if (status.ready) {
    std::lock_guard lock(mutex_);
    sandboxes_[status.id] = status;
  }
  return status;
}

std::optional<Result<ContainerStatus>> RuntimeManagerImpl::ReadContainer(const Context& ctx, const cri_v1::Container& listed) {
  const ContainerState state = ToState(listed.state());
  {
    std::lock_guard lock(mutex_);
    const auto it = statuses_.find(listed.id());
    if (it != statuses_.end() && it->second.status.state == state && it->second.final_message) return it->second.status;
  }
  const auto response = deps_.cri.ContainerStatus(ctx, listed.id());
  if (!response.ok()) {
    if (response.status().Is(Code::kNotFound)) return std::nullopt;  // removed since it was listed
    return response.status();
  }
  const cri_v1::ContainerStatus& from = response->status();
  const ContainerInfo info = ParseContainerInfo(ToStringMap(from.labels()), ToStringMap(from.annotations()));
  ContainerStatus status = ToContainerStatus(from, info, listed.pod_sandbox_id());
  const bool exited = status.state == ContainerState::kExited;
  if (exited) status.message = TerminationMessage(from, info);
  if (exited || status.state == ContainerState::kRunning) {
    std::lock_guard lock(mutex_);
    statuses_[status.id] = {status, !exited || deps_.clock.Now() - status.finished_at > kLogSettles};
  }
  return status;
}

void RuntimeManagerImpl::ForgetAllBut(const std::set<std::string>& ids) {
  std::lock_guard lock(mutex_);
  const auto gone = [&ids](const auto& item) { return !ids.contains(item.first); };
  std::erase_if(statuses_, gone);
  std::erase_if(sandboxes_, gone);
  std::erase_if(stopped_sandboxes_, [&ids](const std::string& id) { return !ids.contains(id); });
}

}  // namespace knarr::kubelet
