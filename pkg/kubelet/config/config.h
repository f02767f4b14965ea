// Where pods come from: the manifest directory (or file) and a URL. A source says what the whole desired set is.
// Mirrors: pkg/kubelet/config/{config,file,file_linux,http,common}.go, with the hazards of upstream removed: what does
// not parse keeps its last good pod, a directory that vanishes keeps everything for a grace period, two files that
// claim one pod keep the running one.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/types.h"
#include "pkg/base/clock.h"
#include "pkg/base/status.h"

namespace knarr::kubelet {

using PodPtr = std::shared_ptr<const core::Pod>;

// ConfigMaps and Secrets for the pods of this node; static ones come from manifests, never from an API.
class ObjectGetter {
 public:
  virtual ~ObjectGetter() = default;
  // kNotFound with upstream's text: configmap "x" not found
  virtual Result<std::shared_ptr<const core::ConfigMap>> GetConfigMap(const std::string& ns,
                                                                      const std::string& name) const = 0;
  virtual Result<std::shared_ptr<const core::Secret>> GetSecret(const std::string& ns,
                                                                const std::string& name) const = 0;
};

// What is wrong with a manifest right now; gone as soon as the file is good or removed.
struct ManifestProblem {
  std::string file;     // path, or URL
  int line = 0;         // 1-based; 0 where there is none
  std::string field;    // spec.containers[0].image, may be empty
  std::string message;  // upstream's words
  std::string keeps;    // ns/name of the pod that keeps running from the last good content; may be empty
  WallTime since{};
  // /etc/kubernetes/manifests/web.yaml:12: spec.containers[0].image: Required value
  std::string ToString() const;
};

struct SourcePod {
  PodPtr pod;                      // defaulted, validated, named <name>-<node>, UID and annotations set
  std::string file;                // where it comes from
  std::vector<std::string> after;  // knarr.dev/after: ns/name of the pods that must be Ready first
};

// The merged desired state of all sources, immutable.
struct DesiredState {
  std::vector<SourcePod> pods;  // sorted by ns/name
  std::vector<ManifestProblem> problems;
  std::map<std::pair<std::string, std::string>, std::shared_ptr<const core::ConfigMap>> config_maps;  // by (ns, name)
  std::map<std::pair<std::string, std::string>, std::shared_ptr<const core::Secret>> secrets;
  bool sources_ready = false;  // every source has reported at least once; before, nothing may be killed
};

struct PodConfigOptions {
  std::string static_pod_path;  // directory or one regular file; empty: none
  std::string static_pod_url;   // empty: none
  std::map<std::string, std::vector<std::string>> static_pod_url_header;
  std::string node_name;
  Duration file_check_frequency = std::chrono::seconds(20);
  Duration http_check_frequency = std::chrono::seconds(20);
  Duration debounce = std::chrono::milliseconds(50);  // a fifth of it for a single change after quiet
  Duration missing_path_grace = std::chrono::minutes(5);
  size_t max_manifest_bytes = 1 << 20;
  // Where to remember what was last good in each manifest, so that a restart beside a broken or missing file stops
  // nothing; usually <root dir>/manifests. Empty: a restart forgets.
  std::string state_dir;
  // Whether a pod with this UID runs now (asked while starting): settles which of two files that claim one pod name
  // keeps it after a restart. May be empty.
  std::function<bool(const std::string& uid)> uid_is_running;
};

// Watches the sources on a thread of its own (inotify; no polling beyond the rescan) and calls on_change with every new
// DesiredState, one at a time, on that thread and without a lock held. What did not change keeps its pointers. Start
// returns once the first read of the path is done and reported. Thread-safe.
class PodConfig : public ObjectGetter {
 public:
  using OnChange = std::function<void(std::shared_ptr<const DesiredState>)>;
  static std::unique_ptr<PodConfig> Create(PodConfigOptions options, Clock& clock, OnChange on_change);
  virtual Status Start() = 0;
  virtual void Stop() = 0;
  virtual std::shared_ptr<const DesiredState> Current() const = 0;
  // For how long the thread has been at its present pass, on_change included; zero while it waits.
  virtual Duration Busy() const = 0;
  // Rescan now and return once the result is reported (tests, SIGHUP). Not for use within on_change.
  virtual void Rescan() = 0;
};

}  // namespace knarr::kubelet
