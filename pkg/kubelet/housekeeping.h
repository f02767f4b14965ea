// What has to be tidied up, and when: dead containers a moment after something ended, logs and images by a timer that
// only looks, directories and cgroups of forgotten pods once after the sources have reported.
// Mirrors: the GC loops of pkg/kubelet/kubelet.go and kubelet_pods.go (HandlePodCleanups)
#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pkg/base/pool.h"
#include "pkg/kubelet/cm/cm.h"
#include "pkg/kubelet/config/config.h"
#include "pkg/kubelet/kuberuntime/kuberuntime.h"
#include "pkg/kubelet/podworker/pod_workers.h"
#include "pkg/kubelet/volume/volume.h"

namespace knarr::kubelet {

struct HousekeepingOptions {
  std::string root_dir = "/var/lib/kubelet";
  Duration gc_delay = std::chrono::seconds(1);           // coalesces the ends of many containers
  Duration log_interval = std::chrono::seconds(10);      // containerLogMonitorInterval
  Duration image_interval = std::chrono::minutes(5);
  RuntimeManager::ImageGcPolicy image_policy;
  Duration certificate_interval = std::chrono::hours(24);
  std::function<void()> renew_certificate = {};  // empty: it is somebody else's
};

class Housekeeping {
 public:
  Housekeeping(HousekeepingOptions options, RuntimeManager& runtime, VolumeManager& volumes, CgroupManager& cgroups, Clock& clock, Logger log);
  ~Housekeeping();
  Housekeeping(const Housekeeping&) = delete;

  void Connect(PodWorkers& workers) { workers_ = &workers; }
  // Begins the periodic work.
  void Start();
  // Ends it and waits for what runs.
  void Stop();

  // An image that no collection may touch (the pause image).
  void KeepImage(std::string image);
  // The desired pods' images are kept; the first time, what belongs to no pod is cleaned from the disk.
  void SourcesReady(const DesiredState& desired);
  // Soon, once, however often it is asked for.
  void RequestContainerGc();
  void PodGone(const std::string& uid);

 private:
  void CollectContainers();
  void CollectImages();
  void RotateLogs();
  void RenewCertificate() { options_.renew_certificate(); }
  void CleanOrphans();
  void Every(Timer& timer, Duration interval, void (Housekeeping::*work)());

  const HousekeepingOptions options_;
  RuntimeManager& runtime_;
  VolumeManager& volumes_;
  CgroupManager& cgroups_;
  Clock& clock_;
  const Logger log_;
  std::atomic<PodWorkers*> workers_ = nullptr;
  std::stop_source stop_;
  std::mutex mutex_;
  std::string pause_image_;
  std::set<std::string> desired_images_;
  bool orphans_cleaned_ = false, gc_requested_ = false, stopped_ = false;
  Timer gc_timer_, log_timer_, image_timer_, certificate_timer_;
  std::optional<ElasticPool> pool_;
};

}  // namespace knarr::kubelet
