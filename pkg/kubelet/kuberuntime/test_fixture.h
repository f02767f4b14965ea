// A runtime manager over the fake runtime, with stand-ins for its neighbours. Files live in a directory of its own.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/cri/fake/fake_runtime.h"
#include "pkg/kubelet/kuberuntime/kuberuntime.h"
#include "pkg/kubelet/kuberuntime/test_fakes.h"
#include "pkg/kubelet/kuberuntime/test_pods.h"

namespace knarr::kubelet {

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
