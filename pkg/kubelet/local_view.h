// The kubelet as its server and the local command line see it.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "pkg/kubelet/cm/cm.h"
#include "pkg/kubelet/config/config.h"
#include "pkg/kubelet/events/events.h"
#include "pkg/kubelet/kuberuntime/kuberuntime.h"
#include "pkg/kubelet/network/cni_relay.h"
#include "pkg/kubelet/nodeinfo/nodeinfo.h"
#include "pkg/kubelet/options/options.h"
#include "pkg/kubelet/podworker/pod_workers.h"
#include "pkg/kubelet/probing.h"
#include "pkg/kubelet/server/view.h"
#include "pkg/kubelet/stats/collector.h"

namespace knarr::cri {
class CriRuntime;
}
namespace runtime::v1 {
class StatusResponse;
}

namespace knarr::kubelet {

// All outlive the view.
struct LocalViewParts {
  const KubeletOptions& options;
  const NodeInfo& node;
  PodWorkers& workers;
  RuntimeManager& runtime;
  cri::CriRuntime& cri;
  CgroupManager& cgroups;
  EventStore& events;
  Probing& probing;
  Clock& clock;
  PodConfig& sources;
  CniRelayServer* network = nullptr;  // null: the runtime executes CNI itself
};

class LocalView : public KubeletView {
 public:
  explicit LocalView(LocalViewParts parts);

  std::string PodsJson() override;
  std::string RunningPodsJson() override;
  std::vector<LocalPod> LocalPods() override;
  std::vector<BadManifest> BadManifests() override;
  std::vector<NodeProblem> NodeProblems(const Context& ctx) override;
  Result<ContainerRef> FindContainer(const std::string& pod_namespace, const std::string& pod, const std::string& container,
                                     bool previous) override;
  Result<ContainerRef> FindPod(const std::string& pod_namespace, const std::string& pod) override;
  bool ContainerRunning(const std::string& container_id) override;
  Result<std::string> ExecUrl(const Context& ctx, const std::string& container_id, const std::vector<std::string>& command,
                              const StreamOptions& streams) override;
  Result<std::string> AttachUrl(const Context& ctx, const std::string& container_id, const StreamOptions& streams) override;
  Result<std::string> PortForwardUrl(const Context& ctx, const std::string& sandbox_id, const std::vector<int32_t>& ports) override;
  Result<std::string> RunInContainer(const Context& ctx, const std::string& container_id,
                                     const std::vector<std::string>& command) override;
  Status ShutDownPods(const Context& ctx) override;
  Result<stats::Summary> StatsSummary(const Context& ctx, bool only_cpu_and_memory) override;
  std::string ConfigJson() override;
  Status SyncLoopHealthy() override;
  std::string ProbeMetrics() override;

 private:
  Result<PodWorkers::Snapshot> Find(const std::string& pod_namespace, const std::string& pod) const;

  LocalViewParts parts_;
  std::mutex network_mutex_;
  std::optional<MonoTime> network_asked_;
  std::vector<NodeProblem> network_problems_;  // as of network_asked_
  stats::Collector collector_;
};

// The image the runtime makes sandboxes from, out of a verbose StatusResponse; "" where it does not say.
std::string SandboxImageOf(const ::runtime::v1::StatusResponse& status);

}  // namespace knarr::kubelet
