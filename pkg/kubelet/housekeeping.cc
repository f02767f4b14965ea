#include "pkg/kubelet/housekeeping.h"

#include "pkg/base/file.h"
#include "pkg/base/memory.h"

namespace knarr::kubelet {
namespace {

void AddImages(const core::PodSpec& spec, std::set<std::string>& images) {
  for (const core::Container& container : spec.initcontainers()) images.insert(container.image());
  for (const core::Container& container : spec.containers()) images.insert(container.image());
}

}  // namespace

Housekeeping::Housekeeping(HousekeepingOptions options, RuntimeManager& runtime, VolumeManager& volumes, CgroupManager& cgroups, Clock& clock,
                           Logger log)
    : options_(std::move(options)), runtime_(runtime), volumes_(volumes), cgroups_(cgroups), clock_(clock), log_(std::move(log)) {
  pool_.emplace("housekeeping", 2);
}

Housekeeping::~Housekeeping() { Stop(); }

void Housekeeping::Stop() {
  stop_.request_stop();
  Timer gc, logs, images, certificate;  // cancelled without the lock
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    gc = std::move(gc_timer_);
    logs = std::move(log_timer_);
    images = std::move(image_timer_);
    certificate = std::move(certificate_timer_);
  }
  gc.Cancel();
  logs.Cancel();
  images.Cancel();
  certificate.Cancel();
  pool_.reset();
}

void Housekeeping::Every(Timer& timer, Duration interval, void (Housekeeping::*work)()) {
  std::lock_guard lock(mutex_);
  if (stopped_) return;
  timer = clock_.RunAfter(interval, [this, &timer, interval, work] {
    pool_->Post([this, &timer, interval, work] {
      (this->*work)();
      Every(timer, interval, work);
    });
  });
}

void Housekeeping::Start() {
  Every(log_timer_, options_.log_interval, &Housekeeping::RotateLogs);
  Every(image_timer_, options_.image_interval, &Housekeeping::CollectImages);
  if (options_.renew_certificate) Every(certificate_timer_, options_.certificate_interval, &Housekeeping::RenewCertificate);
}

void Housekeeping::KeepImage(std::string image) {
  std::lock_guard lock(mutex_);
  pause_image_ = std::move(image);
}

void Housekeeping::SourcesReady(const DesiredState& desired) {
  bool first = false;
  {
    std::lock_guard lock(mutex_);
    desired_images_.clear();
    for (const SourcePod& source : desired.pods) AddImages(source.pod->spec(), desired_images_);
    first = !std::exchange(orphans_cleaned_, true);
    if (stopped_) return;
  }
  if (first) pool_->Post([this] { CleanOrphans(); });
}

void Housekeeping::RequestContainerGc() {
  std::lock_guard lock(mutex_);
  if (stopped_ || std::exchange(gc_requested_, true)) return;
  gc_timer_ = clock_.RunAfter(options_.gc_delay, [this] {
    pool_->Post([this] { CollectContainers(); });
  });
}

void Housekeeping::CollectContainers() {
  {
    std::lock_guard lock(mutex_);
    gc_requested_ = false;
  }
  PodWorkers* workers = workers_;
  const Status status = runtime_.CollectGarbage(Context::Background().WithStop(stop_.get_token()),
                                                {.pod_known = [workers](const std::string& uid) { return workers->Known(uid); },
                                                 .pod_terminated = [workers](const std::string& uid) { return workers->Finished(uid); }});
  if (!status.ok() && !stop_.stop_requested()) log_.Error(status, "Could not collect dead containers");
  // Whatever asked for the collection has settled.
  ReleaseUnusedMemory();
}

void Housekeeping::CollectImages() {
  std::vector<std::string> keep;
  {
    std::lock_guard lock(mutex_);
    keep.assign(desired_images_.begin(), desired_images_.end());
    if (!pause_image_.empty()) keep.push_back(pause_image_);
  }
  const Status status = runtime_.CollectImages(Context::Background().WithStop(stop_.get_token()), options_.image_policy, keep);
  if (!status.ok() && !stop_.stop_requested()) log_.Error(status, "Could not free disk space by removing images");
}

void Housekeeping::RotateLogs() {
  if (workers_.load()->List().empty()) return;
  const Status status = runtime_.RotateLogs(Context::Background().WithStop(stop_.get_token()));
  if (!status.ok() && !stop_.stop_requested()) log_.Error(status, "Could not rotate container logs");
}

void Housekeeping::PodGone(const std::string& uid) {
  if (const Status status = RemoveAll(fmt::format("{}/pods/{}", options_.root_dir, uid)); !status.ok()) {
    log_.Error(status, "Could not remove the directory of a pod that is gone", {{"podUID", uid}});
  }
}

void Housekeeping::CleanOrphans() {
  PodWorkers* workers = workers_;
  const Context ctx = Context::Background().WithStop(stop_.get_token());
  const Result<std::set<std::string>> on_disk = volumes_.PodsOnDisk();
  if (!on_disk.ok()) log_.Error(on_disk.status(), "Could not list the pods on disk");
  for (const std::string& uid : on_disk.ok() ? *on_disk : std::set<std::string>{}) {
    if (workers->Known(uid)) continue;
    if (const Status status = volumes_.TearDown(ctx, uid); !status.ok()) {
      log_.Error(status, "Could not tear down the volumes of an orphaned pod", {{"podUID", uid}});
      continue;
    }
    PodGone(uid);
    log_.Info("Removed what was left of an orphaned pod", {{"podUID", uid}});
  }
  const Result<std::set<std::string>> groups = cgroups_.PodsOnDisk();
  if (!groups.ok()) log_.Error(groups.status(), "Could not list the pods' cgroups");
  for (const std::string& uid : groups.ok() ? *groups : std::set<std::string>{}) {
    if (workers->Known(uid)) continue;
    if (const Status status = cgroups_.DestroyPod(uid); !status.ok()) {
      log_.Error(status, "Could not remove the cgroup of an orphaned pod", {{"podUID", uid}});
    }
  }
  RequestContainerGc();
}

}  // namespace knarr::kubelet
