// The prober wired to the rest of the kubelet: pod workers start and stop it, the runtime manager and the status ask
// it for results, its findings become events and wake the pod's worker.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>

#include "pkg/base/pool.h"
#include "pkg/kubelet/events/events.h"
#include "pkg/kubelet/kuberuntime/kuberuntime.h"
#include "pkg/kubelet/podworker/pod_workers.h"
#include "pkg/kubelet/prober/prober.h"

namespace knarr::kubelet {

class Probing : public PodProber, public ProbeResults {
 public:
  Probing(ElasticPool& pool, Clock& clock, EventRecorder& events, Logger log);
  ~Probing() override;

  // Before the first pod.
  void Connect(PodWorkers& workers, RuntimeManager& runtime);

  void AddPod(const core::Pod& pod) override;
  void StopLivenessAndStartup(const std::string& pod_uid) override;
  void RemovePod(const std::string& pod_uid) override;
  void Notify(const std::string& pod_uid) override;

  std::optional<bool> Live(const std::string& container_id) const override;
  std::optional<bool> Started(const std::string& container_id) const override;

  // The pod's status with started and ready set from the probes' results.
  core::PodStatus GenerateStatus(const StatusInput& input, const std::vector<std::string>& host_ips, WallTime now) const;
  std::string Metrics() const;

 private:
  std::optional<ProbePodState> StateOf(const std::string& uid) const;
  ObjectRef RefOf(const std::string& uid, const std::string& container) const;

  EventRecorder& events_;
  std::atomic<PodWorkers*> workers_ = nullptr;
  std::atomic<RuntimeManager*> runtime_ = nullptr;
  std::unique_ptr<ProbeManager> manager_;
};

}  // namespace knarr::kubelet
