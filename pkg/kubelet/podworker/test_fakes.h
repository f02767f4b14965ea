// A runtime, volumes and cgroups that do as they are told, for tests of what uses them.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "pkg/kubelet/cm/cm.h"
#include "pkg/kubelet/kuberuntime/kuberuntime.h"
#include "pkg/kubelet/volume/volume.h"

namespace knarr::kubelet {

// A runtime where a synced pod runs at once and a killed one is gone, with switches for what tests need to go wrong.
class FakeManager : public RuntimeManager {
 public:
  Result<std::vector<RunningPod>> ListPods(const Context&) override { return std::vector<RunningPod>{}; }
  Result<RuntimePodStatus> GetPodStatus(const Context&, const std::string& uid, const std::string& name, const std::string& ns) override {
    std::lock_guard lock(mutex);
    RuntimePodStatus status{.uid = uid, .name = name, .ns = ns, .ips = {}, .sandboxes = {}, .containers = {}};
    if (const auto it = running.find(uid); it != running.end()) {
      status.sandboxes.push_back({.id = "sb-" + uid, .ready = true, .attempt = 0, .created_at = it->second, .ips = {"10.0.0.1"}, .host_network = false});
      status.containers.push_back({.id = "c-" + uid, .name = "web", .state = exited.contains(uid) ? ContainerState::kExited : ContainerState::kRunning});
    }
    return status;
  }
  SyncResult SyncPod(const Context&, const core::Pod& pod, const RuntimePodStatus& status) override {
    if (on_sync) on_sync(pod.metadata().uid());
    std::lock_guard lock(mutex);
    calls.push_back("sync " + pod.metadata().uid());
    SyncResult result;
    if (failing_syncs > 0) {
      --failing_syncs;
      result.error = Error(Code::kInternal, "no luck");
      return result;
    }
    result.changed = status.containers.empty();
    running.emplace(pod.metadata().uid(), clock->Now());
    return result;
  }
  Status PrePullImages(const Context&, const core::Pod& pod) override {
    std::lock_guard lock(mutex);
    calls.push_back("pull " + pod.metadata().uid());
    return pull_error;
  }
  Status KillPod(const Context&, const core::Pod* pod, const RuntimePodStatus& status, const KillOptions&) override {
    std::lock_guard lock(mutex);
    calls.push_back((pod ? "kill " : "kill-orphan ") + status.uid);
    if (kill_error.ok()) running.erase(status.uid);
    return kill_error;
  }
  Status CollectGarbage(const Context&, const GcInput&) override { return {}; }
  Status CollectImages(const Context&, const ImageGcPolicy&, const std::vector<std::string>&) override { return {}; }
  Status RotateLogs(const Context&) override { return {}; }
  std::string ContainerLogPath(const core::Pod&, const std::string&, int) const override { return ""; }
  Result<ExecResult> Exec(const Context&, const std::string&, const std::vector<std::string>&, Duration) override { return ExecResult{}; }

  std::vector<std::string> Calls() {
    std::lock_guard lock(mutex);
    return std::exchange(calls, {});
  }

  FakeClock* clock = nullptr;
  std::function<void(const std::string& uid)> on_sync;  // in the pass, before anything happens
  std::mutex mutex;
  std::map<std::string, WallTime> running;
  std::set<std::string> exited;
  std::vector<std::string> calls;
  int failing_syncs = 0;
  Status pull_error, kill_error;
};

class FakeVolumes : public VolumeManager {
 public:
  Status SetUp(const Context&, const core::Pod&, const DownwardFacts&) override { return set_up_error; }
  Status Refresh(const Context&, const core::Pod&, const DownwardFacts&) override {
    ++refreshed;
    return {};
  }
  Result<std::vector<ContainerMount>> MountsFor(const Context&, const core::Pod&, const core::Container&, const std::map<std::string, std::string>&) override {
    return std::vector<ContainerMount>{};
  }
  Status TearDown(const Context&, const std::string& uid) override {
    torn_down.push_back(uid);
    return {};
  }
  Result<std::string> OverLimit(const Context&, const core::Pod&) override { return std::string(); }
  Result<std::set<std::string>> PodsOnDisk() const override { return std::set<std::string>{}; }
  Status set_up_error;
  std::atomic<int> refreshed = 0;
  std::vector<std::string> torn_down;
};

class FakeCgroups : public CgroupManager {
 public:
  bool IsV2() const override { return true; }
  Status EnsureRoots() override { return {}; }
  Status EnsurePod(const core::Pod&) override { return {}; }
  std::string CgroupParent(const core::Pod&) const override { return ""; }
  Status DestroyPod(const std::string&) override { return {}; }
  Result<std::set<std::string>> PodsOnDisk() const override { return std::set<std::string>{}; }
  ContainerResources ResourcesFor(const core::Pod&, const core::Container&) const override { return {}; }
  Result<CgroupUsage> PodUsage(const core::Pod&) const override { return CgroupUsage{}; }
  Result<CgroupUsage> NodeUsage() const override { return CgroupUsage{}; }
};

}  // namespace knarr::kubelet
