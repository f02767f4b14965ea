// Removing dead containers, sandboxes, log directories and links. Only what carries our labels is touched.
// Mirrors: pkg/kubelet/kuberuntime/kuberuntime_gc.go
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "pkg/base/file.h"
#include "pkg/kubelet/kuberuntime/manager.h"
#include "pkg/kubelet/kuberuntime/names.h"

namespace knarr::kubelet {
namespace {

template <typename Labels>
std::string Label(const Labels& labels, std::string_view key) {
  const auto it = labels.find(std::string(key));
  return it == labels.end() ? std::string() : it->second;
}

bool MayGo(const RuntimeManager::GcInput& input, const std::string& uid) {
  return !input.pod_known(uid) || (input.pod_terminated && input.pod_terminated(uid));
}

}  // namespace

Status RuntimeManagerImpl::CollectGarbage(const Context& ctx, const GcInput& input) {
  CollectContainers(ctx, input, KNARR_TRY(deps_.cri.ListContainers(ctx)));
  const auto containers = KNARR_TRY(deps_.cri.ListContainers(ctx));
  const Status sandboxes = CollectSandboxes(ctx, input, containers);
  const Status logs = CollectLogDirectories(input);
  std::set<std::string> ids;
  for (const auto& c : containers) ids.insert(c.id());
  CollectLegacyLinks(ids);
  crash_backoff_.CollectGarbage();
  puller_.CollectGarbage();
  return sandboxes.ok() ? logs : sandboxes;
}

void RuntimeManagerImpl::CollectContainers(const Context& ctx, const GcInput& input, const std::vector<cri_v1::Container>& all) {
  std::map<std::pair<std::string, std::string>, std::vector<DeadContainer>> units;  // by pod and container name
  const int64_t newest = std::chrono::duration_cast<std::chrono::nanoseconds>((deps_.clock.Now() - options_.min_container_age).time_since_epoch()).count();
  for (const auto& c : all) {
    const std::string uid = Label(c.labels(), kPodUidLabel);
    if (uid.empty() || c.state() == cri_v1::CONTAINER_RUNNING || c.created_at() > newest) continue;
    units[{uid, c.metadata().name()}].push_back({c.id(), uid, Label(c.labels(), kPodNameLabel), Label(c.labels(), kPodNamespaceLabel),
                                                 c.metadata().name(), c.metadata().attempt(), c.created_at(),
                                                 c.state() == cri_v1::CONTAINER_UNKNOWN});
  }
  for (auto& [key, dead] : units) {
    const auto keep = static_cast<size_t>(MayGo(input, key.first) ? 0 : std::max(0, options_.max_per_pod_container_count));
    std::sort(dead.begin(), dead.end(), [](const DeadContainer& a, const DeadContainer& b) {
      return std::pair(a.attempt, a.created_at) > std::pair(b.attempt, b.created_at);
    });
    for (size_t i = keep; i < dead.size(); ++i) RemoveContainerAndLogs(ctx, dead[i]);
  }
}

void RuntimeManagerImpl::RemoveContainerAndLogs(const Context& ctx, const DeadContainer& container) {
  if (container.unknown) {
    // It may be running after all.
    const KillTarget target{container.id, container.name, "Container is in unknown state, try killing it before removal",
                            KillReason::kUnknownState, std::nullopt};
    if (const Status error = KillContainer(ctx, nullptr, target, {}, nullptr); !error.ok()) {
      deps_.log.Error(error, "Failed to stop container", {{"containerID", container.id}});
      return;
    }
  }
  if (const Status error = deps_.cri.RemoveContainer(ctx, container.id); !error.ok()) {
    deps_.log.Error(error, "Failed to remove container", {{"containerID", container.id}});
    return;
  }
  const std::string directory = JoinPath(
      PodLogsDirectory(options_.pod_logs_dir, container.pod_ns, container.pod_name, container.pod_uid), container.name);
  const std::string log = fmt::format("{}.log", container.attempt);
  if (const auto names = ListDir(directory); names.ok()) {
    for (const std::string& name : *names) {
      // 3.log and its rotations 3.log.<time>[.gz]
      if (name == log || name.starts_with(log + ".")) (void)unlink(JoinPath(directory, name).c_str());
    }
  }
  if (options_.legacy_logs_dir.empty()) return;
  const std::string link = LegacyLogLink(container.pod_name, container.pod_ns, container.name, container.id);
  (void)unlink(JoinPath(options_.legacy_logs_dir, link).c_str());
}

Status RuntimeManagerImpl::CollectSandboxes(const Context& ctx, const GcInput& input, const std::vector<cri_v1::Container>& containers) {
  std::set<std::string> used, ids;
  for (const auto& c : containers) {
    used.insert(c.pod_sandbox_id());
    ids.insert(c.id());
  }
  std::map<std::string, std::vector<cri_v1::PodSandbox>> by_pod;
  for (auto& sandbox : KNARR_TRY(deps_.cri.ListPodSandbox(ctx))) {
    ids.insert(sandbox.id());
    const std::string uid = Label(sandbox.labels(), kPodUidLabel);
    if (!uid.empty()) by_pod[uid].push_back(std::move(sandbox));
  }
  for (auto& [uid, sandboxes] : by_pod) {
    std::sort(sandboxes.begin(), sandboxes.end(), [](const auto& a, const auto& b) {
      return std::pair(a.metadata().attempt(), a.created_at()) > std::pair(b.metadata().attempt(), b.created_at());
    });
    for (size_t i = MayGo(input, uid) ? 0 : 1; i < sandboxes.size(); ++i) {
      const auto& sandbox = sandboxes[i];
      if (sandbox.state() == cri_v1::SANDBOX_READY || used.contains(sandbox.id())) continue;
      // Usually stopped long ago; stopping again frees what a crash left of its network.
      Status error = deps_.cri.StopPodSandbox(ctx, sandbox.id());
      if (error.ok()) error = deps_.cri.RemovePodSandbox(ctx, sandbox.id());
      if (error.ok()) {
        ids.erase(sandbox.id());
      } else {
        deps_.log.Error(error, "Failed to remove sandbox", {{"sandboxID", sandbox.id()}});
      }
    }
  }
  ForgetAllBut(ids);
  return OkStatus();
}

Status RuntimeManagerImpl::CollectLogDirectories(const GcInput& input) {
  const auto names = ListDir(options_.pod_logs_dir);
  if (!names.ok()) return names.status().Is(Code::kNotFound) ? OkStatus() : names.status();
  Status first;
  for (const std::string& name : *names) {
    const auto uid = PodUidFromLogsDirectory(name);
    if (!uid || input.pod_known(*uid)) continue;
    const Status error = RemoveAll(JoinPath(options_.pod_logs_dir, name));
    if (!error.ok() && first.ok()) first = error.WithContext(fmt::format("remove pod logs directory {}", name));
  }
  return first;
}

void RuntimeManagerImpl::CollectLegacyLinks(const std::set<std::string>& containers) {
  if (options_.legacy_logs_dir.empty()) return;
  const auto names = ListDir(options_.legacy_logs_dir);
  if (!names.ok()) return;
  for (const std::string& name : *names) {
    const auto id = ContainerIdFromLegacyLogLink(name);
    if (!id) continue;
    const std::string path = JoinPath(options_.legacy_logs_dir, name);
    struct stat info {};
    if (lstat(path.c_str(), &info) != 0 || !S_ISLNK(info.st_mode)) continue;
    // The log of a container that exists is away for a moment while it is rotated.
    const auto at_or_after = containers.lower_bound(*id);
    const bool exists = at_or_after != containers.end() && at_or_after->starts_with(*id);
    if (stat(path.c_str(), &info) == 0 || exists) continue;
    (void)unlink(path.c_str());
  }
}

}  // namespace knarr::kubelet
