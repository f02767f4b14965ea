// Stand-ins for the runtime manager's neighbours in tests.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pkg/kubelet/kuberuntime/kuberuntime.h"

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
  std::string CgroupParent(const core::Pod& pod) const override { return root + "/pod" + pod.metadata().uid(); }
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
  std::string root = "/kubepods/besteffort";
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

}  // namespace knarr::kubelet
