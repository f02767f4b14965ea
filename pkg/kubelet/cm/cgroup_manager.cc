#include <unistd.h>

#include <algorithm>
#include <mutex>

#include "pkg/api/resource/quantity.h"
#include "pkg/base/file.h"
#include "pkg/kubelet/cm/cgroup_fs.h"
#include "pkg/kubelet/cm/cm.h"
#include "pkg/kubelet/cm/pod_resources.h"
#include "pkg/platform/procfs.h"

namespace knarr::kubelet {

namespace {

constexpr std::string_view kPodPrefix = "pod";
constexpr std::chrono::seconds kDestroyTimeout(10);

// A uid becomes a directory name.
Status CheckUid(const std::string& uid) {
  const bool bad =
      uid.empty() || uid.size() > 200 || uid.find('/') != std::string::npos || uid.find('\0') != std::string::npos;
  return bad ? Error(Code::kInvalid, "pod uid \"{}\" cannot name a cgroup", uid) : Status();
}

class Manager : public CgroupManager {
 public:
  Manager(CgroupManagerOptions options, std::unique_ptr<CgroupFs> fs)
      : options_(std::move(options)), fs_(std::move(fs)), root_(JoinPath(options_.cgroup_root, "kubepods")) {}

  bool IsV2() const override { return fs_->IsV2(); }

  Status EnsureRoots() override {
    if (!options_.cgroups_per_qos) return {};
    for (const PodQos qos : {PodQos::kGuaranteed, PodQos::kBurstable, PodQos::kBestEffort})
      KNARR_TRY(fs_->Create(ClassGroup(qos)));
    CgroupLimits all;
    all.cpu_shares = MilliCpuToShares(
        options_.pods_milli_cpu > 0 ? options_.pods_milli_cpu : 1000 * std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
    if (options_.pods_memory > 0) all.memory = static_cast<int64_t>(options_.pods_memory);
    if (options_.pods_pids > 0) all.pids = options_.pods_pids;
    KNARR_TRY(fs_->Apply(root_, all));
    CgroupLimits least;
    least.cpu_shares = MilliCpuToShares(0);
    KNARR_TRY(fs_->Apply(ClassGroup(PodQos::kBestEffort), least));
    const std::lock_guard lock(mutex_);
    return UpdateBurstableLocked();
  }

  Status EnsurePod(const core::Pod& pod) override {
    if (!options_.cgroups_per_qos) return {};
    const std::string& uid = pod.metadata().uid();
    KNARR_TRY(CheckUid(uid));
    const PodQos qos = PodQosOf(pod);
    const std::string group = PodGroup(qos, uid);
    const CgroupLimits limits =
        PodCgroupLimits(pod, options_.cpu_cfs_quota, options_.cpu_cfs_quota_period_us, options_.pod_pids_limit);
    KNARR_TRY_CTX(CreateAndApply(group, limits),
                  "failed to ensure that the pod: {} cgroups exist and are correctly applied", uid);
    if (qos != PodQos::kBurstable) return {};
    const std::lock_guard lock(mutex_);
    burstable_requests_[uid] = ComputePodResources(pod).cpu_request_milli;
    return UpdateBurstableLocked();
  }

  std::string CgroupParent(const core::Pod& pod) const override {
    if (!options_.cgroups_per_qos) return options_.cgroup_root;
    return PodGroup(PodQosOf(pod), pod.metadata().uid());
  }

  Status DestroyPod(const std::string& pod_uid) override {
    if (!options_.cgroups_per_qos) return {};
    KNARR_TRY(CheckUid(pod_uid));
    const auto deadline = std::chrono::steady_clock::now() + kDestroyTimeout;
    Status first;
    for (const PodQos qos : {PodQos::kGuaranteed, PodQos::kBurstable, PodQos::kBestEffort}) {
      Status status = fs_->Destroy(PodGroup(qos, pod_uid), deadline);
      if (!status.ok() && first.ok())
        first = status.WithContext(fmt::format("failed to delete cgroup paths of pod {}", pod_uid));
    }
    const std::lock_guard lock(mutex_);
    if (burstable_requests_.erase(pod_uid) > 0) {
      const Status status = UpdateBurstableLocked();
      if (first.ok()) first = status;
    }
    return first;
  }

  Result<std::set<std::string>> PodsOnDisk() const override {
    std::set<std::string> uids;
    for (const PodQos qos : {PodQos::kGuaranteed, PodQos::kBurstable, PodQos::kBestEffort}) {
      for (const std::string& name : fs_->Children(ClassGroup(qos))) {
        if (name.starts_with(kPodPrefix)) uids.insert(name.substr(kPodPrefix.size()));
      }
    }
    return uids;
  }

  ContainerResources ResourcesFor(const core::Pod& pod, const core::Container& container) const override {
    const auto& requests = container.resources().requests();
    const auto& limits = container.resources().limits();
    const auto quantity = [](const auto& map, const char* name) {
      const auto found = map.find(name);
      return found == map.end() ? Quantity() : Quantity::From(found->second);
    };
    const int64_t cpu_limit = quantity(limits, "cpu").MilliValue();
    const bool request_from_limit = !requests.contains("cpu") && cpu_limit != 0;
    ContainerResources out;
    out.cpu_shares =
        static_cast<int64_t>(MilliCpuToShares(request_from_limit ? cpu_limit : quantity(requests, "cpu").MilliValue()));
    out.memory_limit_bytes = quantity(limits, "memory").Value();
    if (options_.cpu_cfs_quota) {
      out.cpu_period = static_cast<int64_t>(options_.cpu_cfs_quota_period_us);
      out.cpu_quota = MilliCpuToQuota(cpu_limit, options_.cpu_cfs_quota_period_us);
    }
    out.oom_score_adj = OomScoreAdjust(pod, container, options_.memory_capacity);
    // One process of a container killed for lack of memory takes the others along, as upstream since 1.28.
    if (IsV2() && !options_.single_process_oom_kill) out.unified["memory.oom.group"] = "1";
    return out;
  }

  Result<CgroupUsage> PodUsage(const core::Pod& pod) const override { return fs_->Usage(CgroupParent(pod)); }
  Result<CgroupUsage> NodeUsage() const override { return fs_->Usage("/"); }

 private:
  std::string ClassGroup(PodQos qos) const {
    if (qos == PodQos::kGuaranteed) return root_;
    return JoinPath(root_, qos == PodQos::kBurstable ? "burstable" : "besteffort");
  }
  std::string PodGroup(PodQos qos, const std::string& uid) const {
    return JoinPath(ClassGroup(qos), fmt::format("{}{}", kPodPrefix, uid));
  }

  // Something else (a runtime's own clean-up) may remove the empty group between the two steps.
  Status CreateAndApply(const std::string& group, const CgroupLimits& limits) {
    for (int attempt = 0;; ++attempt) {
      Status status = fs_->Create(group);
      if (status.ok()) status = fs_->Apply(group, limits);
      const int error = status.error_number();
      if (status.ok() || attempt == 3 || (error != ENOENT && error != ENODEV)) return status;
    }
  }

  Status UpdateBurstableLocked() {
    int64_t milli = 0;
    for (const auto& [uid, request] : burstable_requests_) milli += request;
    CgroupLimits limits;
    limits.cpu_shares = MilliCpuToShares(milli);
    if (limits.cpu_shares == burstable_shares_) return {};
    KNARR_TRY(fs_->Apply(ClassGroup(PodQos::kBurstable), limits));
    burstable_shares_ = limits.cpu_shares;
    return {};
  }

  const CgroupManagerOptions options_;
  const std::unique_ptr<CgroupFs> fs_;
  const std::string root_;
  std::mutex mutex_;
  std::map<std::string, int64_t> burstable_requests_;  // milli-CPU by uid
  std::optional<uint64_t> burstable_shares_;           // last written
};

}  // namespace

Result<std::unique_ptr<CgroupManager>> CreateCgroupManager(CgroupManagerOptions options,
                                                           std::shared_ptr<CgroupFiles> files) {
  if (!options.cgroup_root.starts_with('/'))
    return Error(Code::kInvalid, "--cgroup-root must be an absolute path, not \"{}\"", options.cgroup_root);
  if (options.memory_capacity == 0) options.memory_capacity = KNARR_TRY(platform::ReadMemInfo()).total;
  std::unique_ptr<CgroupFs> fs = KNARR_TRY(CgroupFs::Detect(options.mount_point, std::move(files)));
  return std::unique_ptr<CgroupManager>(std::make_unique<Manager>(std::move(options), std::move(fs)));
}

Result<std::unique_ptr<CgroupManager>> CgroupManager::Create(CgroupManagerOptions options) {
  return CreateCgroupManager(std::move(options), std::make_shared<CgroupFiles>());
}

}  // namespace knarr::kubelet
