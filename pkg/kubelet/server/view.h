// What the kubelet's server needs from the kubelet. All calls come from pool threads, many at once; those without a
// Context answer from memory.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pkg/base/clock.h"
#include "pkg/base/context.h"
#include "pkg/base/status.h"
#include "pkg/kubelet/server/stats.h"

namespace knarr::kubelet {

// A pod as `knarr get pods`, `knarr why` and /knarr/v1/pods show it.
struct LocalPod {
  struct Container {
    std::string name;
    std::string kind;   // "container", "init", "sidecar"
    std::string state;  // "running", "waiting", "terminated"
    std::string reason, message;
    std::string id, image;
    bool ready = false;
    int restarts = 0;
  };
  struct Event {
    WallTime time;
    std::string type, reason, message;
    int count = 1;
  };
  std::string pod_namespace, name, uid;
  std::string source;  // the manifest's file or URL
  std::string phase, ip;
  bool ready = false;
  // Why it is not ready, in one line, and what to do next; empty when ready.
  std::string reason, why, next;
  WallTime start_time;
  std::vector<Container> containers;
  std::vector<Event> events;  // the most recent, oldest first
};
// A manifest that makes no pod.
struct BadManifest {
  std::string file;
  std::string error;
  WallTime since;
};

// What is wrong with the node itself: a network that is not ready, ...
struct NodeProblem {
  std::string reason;  // NetworkPluginNotReady
  std::string why, next;
};

class KubeletView {
 public:
  virtual ~KubeletView() = default;

  // v1.PodList as JSON, for /pods and /runningpods/.
  virtual std::string PodsJson() = 0;
  virtual std::string RunningPodsJson() = 0;
  virtual std::vector<LocalPod> LocalPods() = 0;
  virtual std::vector<BadManifest> BadManifests() = 0;

  virtual std::vector<NodeProblem> NodeProblems(const Context& ctx) = 0;

  struct ContainerRef {
    std::string pod_uid;
    std::string sandbox_id;
    std::string container_id;  // bare id of the runtime
    std::string log_path;      // absolute
    bool running = false;
  };
  // container "": the default one (annotation kubectl.kubernetes.io/default-container, else the only or first).
  // previous: the terminated instance before the present one. Errors (kNotFound, kBadRequest) are shown as they are, in
  // upstream's words:
  //   pod "web" does not exist                                       container "x" not found in pod "web"
  //   container "x" in pod "web" is waiting to start: no logs yet    previous terminated container "x" in pod "web" not
  //   found
  virtual Result<ContainerRef> FindContainer(const std::string& pod_namespace, const std::string& pod,
                                             const std::string& container, bool previous) = 0;
  // The pod's sandbox, in container_id's place empty.
  virtual Result<ContainerRef> FindPod(const std::string& pod_namespace, const std::string& pod) = 0;
  virtual bool ContainerRunning(const std::string& container_id) = 0;

  struct StreamOptions {
    bool in = false, out = false, err = false, tty = false;
  };
  // URLs of the runtime's streaming server (CRI Exec, Attach, PortForward).
  virtual Result<std::string> ExecUrl(const Context& ctx, const std::string& container_id,
                                      const std::vector<std::string>& command, const StreamOptions& streams) = 0;
  virtual Result<std::string> AttachUrl(const Context& ctx, const std::string& container_id,
                                        const StreamOptions& streams) = 0;
  virtual Result<std::string> PortForwardUrl(const Context& ctx, const std::string& sandbox_id,
                                             const std::vector<int32_t>& ports) = 0;
  // ExecSync, for /run: stdout and stderr together.
  virtual Result<std::string> RunInContainer(const Context& ctx, const std::string& container_id,
                                             const std::vector<std::string>& command) = 0;

  // Ends every pod, dependents first; none is started again.
  virtual Status ShutDownPods(const Context& ctx) = 0;
  virtual Result<stats::Summary> StatsSummary(const Context& ctx, bool only_cpu_and_memory) = 0;
  // The effective KubeletConfiguration as JSON (its fields, without TypeMeta), for /configz.
  virtual std::string ConfigJson() = 0;
  // Error text of the sync loop's health check, or OK: "sync Loop took longer than expected".
  virtual Status SyncLoopHealthy() = 0;
  // For /metrics/probes, in the text format.
  virtual std::string ProbeMetrics() = 0;
};

}  // namespace knarr::kubelet
