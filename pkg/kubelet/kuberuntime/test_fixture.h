// A runtime manager over the fake runtime, with stand-ins for its neighbours. Files live in a directory of its own.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "pkg/cri/fake/fake_runtime.h"
#include "pkg/kubelet/kuberuntime/kuberuntime.h"
#include "pkg/kubelet/kuberuntime/test_pods.h"

namespace knarr::kubelet {

struct FakeVolumes : VolumeManager {
  Status SetUp(const Context&, const core::Pod&, const DownwardFacts&) override { return {}; }
  Status Refresh(const Context&, const core::Pod&, const DownwardFacts&) override { return {}; }
  Result<std::vector<ContainerMount>> MountsFor(const Context&, const core::Pod&, const core::Container&,
                                                const std::map<std::string, std::string>&) override {
    return mounts;
  }
  Status TearDown(const Context&, const std::string&) override { return {}; }
  Result<std::string> OverLimit(const Context&, const core::Pod&) override { return std::string(); }
  Result<std::set<std::string>> PodsOnDisk() const override { return std::set<std::string>(); }
  std::vector<ContainerMount> mounts;
};

struct FakeCgroups : CgroupManager {
  bool IsV2() const override { return false; }
  Status EnsureRoots() override { return {}; }
  Status EnsurePod(const core::Pod&) override { return {}; }
  std::string CgroupParent(const core::Pod& pod) const override { return "/kubepods/besteffort/pod" + pod.metadata().uid(); }
  Status DestroyPod(const std::string&) override { return {}; }
  Result<std::set<std::string>> PodsOnDisk() const override { return std::set<std::string>(); }
  ContainerResources ResourcesFor(const core::Pod&, const core::Container&) const override {
    ContainerResources resources;
    resources.cpu_shares = 2;
    resources.oom_score_adj = 1000;
    return resources;
  }
  Result<CgroupUsage> PodUsage(const core::Pod&) const override { return CgroupUsage{}; }
  Result<CgroupUsage> NodeUsage() const override { return CgroupUsage{}; }
};

struct FakeObjects : ObjectGetter {
  Result<std::shared_ptr<const core::ConfigMap>> GetConfigMap(const std::string&, const std::string& name) const override {
    const auto it = config_maps.find(name);
    if (it == config_maps.end()) return Error(Code::kNotFound, "configmap \"{}\" not found", name);
    return std::make_shared<const core::ConfigMap>(it->second);
  }
  Result<std::shared_ptr<const core::Secret>> GetSecret(const std::string&, const std::string& name) const override {
    const auto it = secrets.find(name);
    if (it == secrets.end()) return Error(Code::kNotFound, "secret \"{}\" not found", name);
    return std::make_shared<const core::Secret>(it->second);
  }
  std::map<std::string, core::ConfigMap> config_maps;
  std::map<std::string, core::Secret> secrets;
};

struct FakeProbes : ProbeResults {
  std::optional<bool> Live(const std::string& id) const override { return Look(live, id); }
  std::optional<bool> Started(const std::string& id) const override { return Look(started, id); }
  static std::optional<bool> Look(const std::map<std::string, bool>& map, const std::string& id) {
    const auto it = map.find(id);
    return it == map.end() ? std::nullopt : std::optional(it->second);
  }
  std::map<std::string, bool> live, started;
};

struct ManagerFixture {
  ManagerFixture();
  ~ManagerFixture();

  // A manager that knows nothing of the past, as after a restart of the kubelet.
  void Restart();
  RuntimePodStatus Status(const core::Pod& pod) { return manager->GetPodStatus(ctx, pod.metadata().uid(), pod.metadata().name(), "default").value(); }
  SyncResult Sync(const core::Pod& pod) { return manager->SyncPod(ctx, pod, Status(pod)); }
  // Reason and message of the events so far: "Started: Started container web".
  std::vector<std::string> Events() const;
  bool HasEvent(std::string_view text) const;
  size_t Calls(std::string_view rpc) const { return runtime.CallsOf(rpc).size(); }
  // The id of the newest container of that name.
  std::string IdOf(std::string_view name) const { return runtime.FindContainer(name)->id(); }

  Context ctx;
  FakeClock clock;
  cri::FakeRuntime runtime{clock};
  EventStore events{clock, Logger(), 64, 64};
  FakeVolumes volumes;
  FakeCgroups cgroups;
  FakeObjects objects;
  FakeProbes probes;
  std::string root;
  RuntimeManagerOptions options;
  std::vector<std::string> http_hooks;
  std::unique_ptr<RuntimeManager> manager;
};

}  // namespace knarr::kubelet
