// Probes: one worker for each (container, probe), run by clock timers on a pool; between probes a worker is a timer
// and some bytes, never a thread.
//
// Results are cached by container id and reported when they change. A worker's life is upstream's: it waits for its
// container, its initial delay and the startup probe, counts thresholds, is on hold after a failed liveness or startup
// probe until the container has a new id, and ends with the pod. Beyond upstream: Notify makes the workers of a pod
// look at once, so readiness does not wait for the next period after a container started.
// Thread-safe. Callbacks run on pool threads without any lock held.
// Mirrors: pkg/kubelet/prober/{prober_manager,worker,prober}.go, pkg/kubelet/prober/results v1.32
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/base/clock.h"
#include "pkg/base/context.h"
#include "pkg/base/metrics/metrics.h"
#include "pkg/base/pool.h"
#include "pkg/base/status.h"
#include "pkg/net/http/client.h"

namespace k8s::io::api::core::v1 {
class Container;
class HTTPGetAction;
class Pod;
class PodStatus;
class Probe;
}  // namespace k8s::io::api::core::v1

namespace knarr::kubelet {

enum class ProbeType { kLiveness, kReadiness, kStartup };
std::string_view ProbeTypeName(ProbeType type);  // "Liveness"

// As the results cache holds it.
enum class ProbeResult { kUnknown, kSuccess, kFailure };

// What one execution of a probe came to (pkg/probe: success, warning, failure, unknown).
struct ProbeOutcome {
  enum Kind { kSuccess, kWarning, kFailure, kUnknown } kind = kUnknown;
  std::string output;
  Status error;  // the probe itself could not be done; the result is thrown away and retried
};

struct ExecOutput {
  int exit_code = 0;
  std::string output;  // stdout and stderr
};

// CRI ExecSync. A command that outlives the timeout is kTimeout.
using ExecFunction = std::function<Result<ExecOutput>(const Context&, const std::string& container_id,
                                                      const std::vector<std::string>& command)>;

// What a prober must know about a running pod; the kubelet answers from its cache, without blocking.
struct ProbeContainerState {
  std::string id;  // with or without "containerd://"; empty: not created yet
  bool running = false;
  bool terminated = false;
  WallTime started_at;
};
struct ProbePodState {
  std::string pod_ip;
  bool finished = false;                                  // phase Succeeded or Failed
  bool terminating = false;                               // deletion asked for
  std::map<std::string, ProbeContainerState> containers;  // by name, sidecars included
};

class ProbeManager {
 public:
  // A result that changed. message: the output of the probe that tipped it.
  struct Update {
    ProbeType type;
    ProbeResult result;
    std::string pod_uid;
    std::string container;
    std::string container_id;
    std::string message;
  };
  // For the pod's events: Warning Unhealthy "Liveness probe failed: ...", Warning ProbeWarning "...".
  struct Event {
    std::string pod_uid;
    std::string container;
    std::string reason;
    std::string message;
  };
  struct Options {
    std::function<std::optional<ProbePodState>(const std::string& pod_uid)> state;
    ExecFunction exec;
    std::function<void(const Update&)> on_update;
    std::function<void(const Event&)> on_event;
    // Fraction of the first period to wait while the kubelet itself is young, in [0, 1); default: random.
    std::function<double()> jitter;
    metrics::Registry* registry = nullptr;  // null: a registry of its own (see metrics())
  };
  ProbeManager(Options options, ElasticPool& pool, Clock& clock = Clock::Real(), Logger logger = {});
  // Waits for probes that run.
  ~ProbeManager();
  ProbeManager(const ProbeManager&) = delete;

  // Starts the workers of a pod's containers and sidecars; those that exist stay.
  void AddPod(const ::k8s::io::api::core::v1::Pod& pod);
  // A termination began: liveness and startup probes end, readiness goes on.
  void StopLivenessAndStartup(const std::string& pod_uid);
  void RemovePod(const std::string& pod_uid);
  // Removes every pod that is not wanted.
  void CleanupPods(const std::set<std::string>& desired_uids);
  // Something changed about the pod's containers: its workers look now instead of at their next period.
  void Notify(const std::string& pod_uid);

  // Sets started and ready of the container statuses.
  void UpdatePodStatus(const ::k8s::io::api::core::v1::Pod& pod, ::k8s::io::api::core::v1::PodStatus* status);
  // The cached result; nullopt: no such probe or nothing known about this container id.
  std::optional<ProbeResult> Get(ProbeType type, const std::string& container_id) const;
  // The failed liveness or startup probe that calls for this container's restart, if there is one.
  std::optional<ProbeType> MustRestart(const std::string& container_id) const;

  // For /metrics/probes: prober_probe_total, prober_probe_duration_seconds.
  const metrics::Registry& metrics() const;
  size_t Workers() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

// One execution, for the manager and for lifecycle hooks. Blocks; ctx carries the probe's timeout.
struct ProbeTarget {
  std::string pod_ip;
  std::string container_id;
  std::map<std::string, int> named_ports;
};
ProbeOutcome RunProbe(const Context& ctx, const ::k8s::io::api::core::v1::Probe& probe, const ProbeTarget& target,
                      const ExecFunction& exec);

// The request of an httpGet probe or hook (user_agent "kube-probe/1.32" or "kube-lifecycle/1.32").
// Mirrors: pkg/probe/http/request.go
Result<http::ClientRequest> NewHttpGetRequest(const ::k8s::io::api::core::v1::HTTPGetAction& action,
                                              const ProbeTarget& target, std::string_view user_agent);
// An httpGet hook: an error unless the answer is 200..399.
Status RunHttpGetHook(const Context& ctx, const ::k8s::io::api::core::v1::HTTPGetAction& action,
                      const ProbeTarget& target);
ProbeOutcome RunHttpProbe(const Context& ctx, const http::ClientRequest& request);
ProbeOutcome RunTcpProbe(const Context& ctx, const std::string& host, uint16_t port);
// grpc.health.v1.Health/Check over plain text.
ProbeOutcome RunGrpcProbe(const Context& ctx, const std::string& host, uint16_t port, const std::string& service);

}  // namespace knarr::kubelet
