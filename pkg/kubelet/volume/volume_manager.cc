#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "pkg/api/field/quote.h"
#include "pkg/api/resource/quantity.h"
#include "pkg/base/file.h"
#include "pkg/kubelet/cm/pod_resources.h"
#include "pkg/kubelet/volume/host_path.h"
#include "pkg/kubelet/volume/layout.h"
#include "pkg/kubelet/volume/mounts.h"
#include "pkg/kubelet/volume/ownership.h"
#include "pkg/kubelet/volume/payload.h"
#include "pkg/kubelet/volume/subpath.h"
#include "pkg/kubelet/volume/teardown.h"
#include "pkg/kubelet/volume/volume.h"
#include "pkg/platform/mount.h"
#include "pkg/platform/mountinfo.h"
#include "pkg/platform/procfs.h"

namespace knarr::kubelet {

namespace {

constexpr std::string_view kMemory = "Memory";

Status MakeDirWithMode(const std::string& path, mode_t mode) {
  KNARR_TRY(MakeDirs(path, mode));
  if (::chmod(path.c_str(), mode) != 0) return ErrnoError(errno, "chmod {}", path);  // whatever the umask is
  return {};
}

// Volumes that no container mounts are not set up, as upstream.
std::set<std::string> UsedVolumes(const core::PodSpec& spec) {
  std::set<std::string> names;
  const auto add = [&](const auto& container) {
    for (const core::VolumeMount& mount : container.volumemounts()) names.insert(mount.name());
    for (const core::VolumeDevice& device : container.volumedevices()) names.insert(device.name());
  };
  for (const core::Container& container : spec.containers()) add(container);
  for (const core::Container& container : spec.initcontainers()) add(container);
  for (const core::EphemeralContainer& container : spec.ephemeralcontainers())
    add(container.ephemeralcontainercommon());
  return names;
}

std::optional<gid_t> FsGroup(const core::Pod& pod) {
  if (!pod.spec().securitycontext().has_fsgroup()) return std::nullopt;
  return static_cast<gid_t>(pod.spec().securitycontext().fsgroup());
}

class Manager : public VolumeManager {
 public:
  Manager(VolumeOptions options, const ObjectGetter& objects)
      : options_(std::move(options)), objects_(objects), layout_(options_.root_dir) {}

  Status SetUp(const Context& ctx, const core::Pod& pod, const DownwardFacts& facts) override {
    KNARR_TRY(CheckFileName("pod uid", pod.metadata().uid()));
    KNARR_TRY(MakePodDirs(pod.metadata().uid()));
    return ForEachUsed(ctx, pod, [&](const core::Volume& volume) { return SetUpVolume(pod, volume, facts); });
  }

  Status Refresh(const Context& ctx, const core::Pod& pod, const DownwardFacts& facts) override {
    KNARR_TRY(CheckFileName("pod uid", pod.metadata().uid()));
    return ForEachUsed(ctx, pod, [&](const core::Volume& volume) {
      // Only what SetUp has made: a pod that was torn down does not come back.
      const bool present = IsPayloadVolume(volume) && PathExists(layout_.Volume(pod.metadata().uid(), volume));
      return present ? SetUpPayload(pod, volume, facts) : Status();
    });
  }

  Result<std::vector<ContainerMount>> MountsFor(const Context& ctx, const core::Pod& pod,
                                                const core::Container& container,
                                                const std::map<std::string, std::string>& env) override {
    std::vector<ContainerMount> mounts;
    for (int i = 0; i < container.volumemounts_size(); ++i) {
      KNARR_TRY(ctx.Err());
      mounts.push_back(KNARR_TRY(MountFor(pod, container, i, env)));
    }
    return mounts;
  }

  Status TearDown(const Context& ctx, const std::string& pod_uid) override {
    KNARR_TRY(CheckFileName("pod uid", pod_uid));
    KNARR_TRY_CTX(RemovePodDirectory(ctx, layout_.Pod(pod_uid)), "failed to remove the volumes of pod {}", pod_uid);
    return {};
  }

  Result<std::string> OverLimit(const Context& ctx, const core::Pod& pod) override {
    for (const core::Volume& volume : pod.spec().volumes()) {
      const core::EmptyDirVolumeSource& source = volume.volumesource().emptydir();
      if (!volume.volumesource().has_emptydir() || !source.medium().empty() || !source.has_sizelimit()) continue;
      const int64_t limit = Quantity::From(source.sizelimit()).Value();
      const std::string path = layout_.Volume(pod.metadata().uid(), volume);
      if (limit <= 0 || !PathExists(path)) continue;
      const platform::DirUsage usage = KNARR_TRY(platform::DiskUsage(ctx, path));
      if (usage.bytes <= static_cast<uint64_t>(limit)) continue;
      return fmt::format("Usage of EmptyDir volume {} exceeds the limit {}. ", field::Quote(volume.name()),
                         field::Quote(Quantity::From(source.sizelimit()).ToString()));
    }
    return std::string();
  }

  Result<std::set<std::string>> PodsOnDisk() const override {
    const Result<std::vector<std::string>> names = ListDir(layout_.Pods());
    if (!names.ok())
      return names.error().error_number() == ENOENT ? Result<std::set<std::string>>(std::set<std::string>())
                                                    : names.error();
    std::set<std::string> uids;
    for (const std::string& name : *names) {
      struct stat info {};
      if (::lstat(JoinPath(layout_.Pods(), name).c_str(), &info) == 0 && S_ISDIR(info.st_mode)) uids.insert(name);
    }
    return uids;
  }

 private:
  // Goes on after a failure: one missing ConfigMap should not hide the next.
  template <typename Fn>
  Status ForEachUsed(const Context& ctx, const core::Pod& pod, const Fn& fn) {
    const std::set<std::string> used = UsedVolumes(pod.spec());
    std::string errors;
    Code code = Code::kOk;
    for (const core::Volume& volume : pod.spec().volumes()) {
      KNARR_TRY(ctx.Err());
      if (!used.contains(volume.name())) continue;
      const Status status = fn(volume);
      if (status.ok()) continue;
      if (code == Code::kOk) code = status.code();
      errors += fmt::format("{}MountVolume.SetUp failed for volume \"{}\" : {}", errors.empty() ? "" : "; ",
                            volume.name(), status.message());
    }
    return errors.empty() ? Status() : Status(code, errors);
  }

  Status MakePodDirs(const std::string& uid) {
    const std::string pod = layout_.Pod(uid);
    for (const std::string& path : {layout_.Pods(), pod, pod + "/volumes", pod + "/plugins"})
      KNARR_TRY(MakeDirs(path, 0750));
    return {};
  }

  Status SetUpVolume(const core::Pod& pod, const core::Volume& volume, const DownwardFacts& facts) {
    KNARR_TRY(CheckFileName("volume", volume.name()));
    const core::VolumeSource& source = volume.volumesource();
    if (source.has_hostpath()) return PrepareHostPath(source.hostpath());
    if (source.has_emptydir()) return SetUpEmptyDir(pod, volume);
    if (IsPayloadVolume(volume)) return SetUpPayload(pod, volume, facts);
    if (source.has_image())
      return Error(Code::kUnimplemented,
                   "no volume plugin matched: image volumes are not supported (feature gate ImageVolume)");
    return Error(Code::kUnimplemented,
                 "no volume plugin matched: only emptyDir, hostPath, configMap, secret, downwardAPI and projected "
                 "volumes work without an API server");
  }

  Status SetUpEmptyDir(const core::Pod& pod, const core::Volume& volume) {
    const std::string& medium = volume.volumesource().emptydir().medium();
    if (medium.starts_with("HugePages"))
      return Error(Code::kUnimplemented, "storage medium \"{}\" is not supported; use Memory or none", medium);
    if (!medium.empty() && medium != kMemory) return Error(Code::kInvalid, "unknown storage medium \"{}\"", medium);
    const bool memory = medium == kMemory;
    const std::string path = layout_.Volume(pod.metadata().uid(), volume);
    const std::string ready = layout_.EmptyDirMeta(pod.metadata().uid(), volume) + "/ready";
    const bool mounted = KNARR_TRY(platform::IsMountPoint(path));
    if (PathExists(ready) && (memory ? mounted : PathExists(path))) return {};
    KNARR_TRY(MakeDirWithMode(path, 0777));
    if (memory && !mounted) KNARR_TRY(platform::MountTmpfs(path, MemorySize(pod, volume)));
    if (const std::optional<gid_t> group = FsGroup(pod)) KNARR_TRY(SetVolumeOwnership(path, *group, false));
    return MarkReady(ready);
  }

  // Payloads other than configMaps never touch a disk: they lie on a tmpfs.
  Status SetUpPayload(const core::Pod& pod, const core::Volume& volume, const DownwardFacts& facts) {
    const Payload payload = KNARR_TRY(BuildPayload(volume, {pod, facts, objects_, options_.node_allocatable}));
    const std::string path = layout_.Volume(pod.metadata().uid(), volume);
    if (!PathExists(path)) KNARR_TRY(MakeDirWithMode(path, 0777));
    if (!volume.volumesource().has_configmap() && !KNARR_TRY(platform::IsMountPoint(path))) {
      KNARR_TRY(platform::MountTmpfs(path, MemorySize(pod, volume)));
    }
    const std::optional<gid_t> group = FsGroup(pod);
    AtomicWriter writer(path);
    KNARR_TRY(writer.Write(payload, [&](const std::string& directory) {
      return group ? SetVolumeOwnership(directory, *group, true) : Status();
    }));
    return MarkReady(layout_.EmptyDirMeta(pod.metadata().uid(), volume) + "/ready");
  }

  static Status MarkReady(const std::string& file) {
    if (PathExists(file)) return {};
    KNARR_TRY(MakeDirs(std::string(DirName(file)), 0750));
    const UniqueFd fd = KNARR_TRY(OpenFile(file, O_WRONLY | O_CREAT, 0640));
    return {};
  }

  // The smallest of the node's memory, the pod's memory limit and the volume's own limit.
  uint64_t MemorySize(const core::Pod& pod, const core::Volume& volume) const {
    int64_t size = 0;
    const auto lower = [&](int64_t other) {
      if (other > 0 && (size == 0 || other <= size)) size = other;
    };
    if (const auto node = options_.node_allocatable.find("memory"); node != options_.node_allocatable.end()) {
      lower(Quantity::Parse(node->second).value_or(Quantity()).Value());
    }
    if (size == 0) lower(static_cast<int64_t>(platform::ReadMemInfo().value_or(platform::MemInfo{}).total));
    lower(PodCgroupLimits(pod, false, 100'000, -1).memory.value_or(0));
    if (volume.volumesource().emptydir().has_sizelimit())
      lower(Quantity::From(volume.volumesource().emptydir().sizelimit()).Value());
    return static_cast<uint64_t>(size);
  }

  Result<ContainerMount> MountFor(const core::Pod& pod, const core::Container& container, int index,
                                  const std::map<std::string, std::string>& env) {
    const core::VolumeMount& wanted = container.volumemounts(index);
    const auto volume = std::find_if(pod.spec().volumes().begin(), pod.spec().volumes().end(),
                                     [&](const core::Volume& v) { return v.name() == wanted.name(); });
    if (volume == pod.spec().volumes().end()) {
      return Error(Code::kInvalid, "cannot find volume \"{}\" to mount into container \"{}\"", wanted.name(),
                   container.name());
    }
    ContainerMount mount;
    mount.name = wanted.name();
    mount.container_path = wanted.mountpath().starts_with('/') ? wanted.mountpath() : "/" + wanted.mountpath();
    mount.propagation = KNARR_TRY(TranslatePropagation(wanted));
    mount.recursive_read_only = KNARR_TRY(ResolveRecursiveReadOnly(wanted, options_.recursive_read_only_mounts && options_.recursive_read_only_mounts()));
    mount.read_only = wanted.readonly() || IsPayloadVolume(*volume);
    mount.selinux_relabel = !volume->volumesource().has_hostpath();
    mount.host_path = volume->volumesource().has_hostpath() ? volume->volumesource().hostpath().path()
                                                            : layout_.Volume(pod.metadata().uid(), *volume);
    const std::string sub_path = KNARR_TRY(SubPathOf(wanted, env));
    if (!sub_path.empty()) {
      const Result<std::string> bound = BindSub(pod, *volume, container, index, mount, sub_path);
      if (!bound.ok()) {
        return bound.error().WithContext(fmt::format(
            "failed to prepare subPath for volumeMount \"{}\" of container \"{}\"", wanted.name(), container.name()));
      }
      mount.host_path = *bound;
    } else if (mount.propagation != ContainerMount::Propagation::kPrivate && !volume->volumesource().has_hostpath()) {
      KNARR_TRY(MakeShared(mount.host_path));
    }
    return mount;
  }

  Result<std::string> BindSub(const core::Pod& pod, const core::Volume& volume, const core::Container& container,
                              int index, const ContainerMount& mount, const std::string& sub_path) {
    KNARR_TRY(CheckFileName("volume", volume.name()));
    KNARR_TRY(CheckFileName("container", container.name()));
    // The path of a hostPath is the manifest's own, its links are followed; ours has none.
    const int follow = volume.volumesource().has_hostpath() ? 0 : O_NOFOLLOW;
    const UniqueFd root = KNARR_TRY(OpenFile(mount.host_path, O_PATH | follow));
    const UniqueFd source = KNARR_TRY(OpenSubPath(root.get(), sub_path));
    const std::string directory = layout_.SubPaths(pod.metadata().uid(), volume.name(), container.name());
    KNARR_TRY(MakeDirs(directory, 0750));
    const std::string target = fmt::format("{}/{}", directory, index);
    using From = ContainerMount::Propagation;
    const platform::Propagation to = mount.propagation == From::kPrivate           ? platform::Propagation::kPrivate
                                     : mount.propagation == From::kHostToContainer ? platform::Propagation::kSlave
                                                                                   : platform::Propagation::kShared;
    KNARR_TRY(BindSubPath(source.get(), target, to));
    return target;
  }

  // A runtime propagates mounts only out of a shared mount; the directory becomes one of its own.
  static Status MakeShared(const std::string& path) {
    if (!KNARR_TRY(platform::IsMountPoint(path))) {
      const std::vector<platform::MountEntry> mounts = KNARR_TRY(platform::ReadMountInfo());
      const platform::MountEntry* const mount = platform::MountOf(mounts, path);
      if (mount != nullptr && mount->Shared()) return {};
      const UniqueFd fd = KNARR_TRY(platform::OpenPath(path, true));
      KNARR_TRY(platform::BindFd(fd.get(), fd.get(), true, path));
    }
    return platform::SetPropagation(path, platform::Propagation::kShared);
  }

  const VolumeOptions options_;
  const ObjectGetter& objects_;
  const VolumeLayout layout_;
};

}  // namespace

std::unique_ptr<VolumeManager> VolumeManager::Create(VolumeOptions options, const ObjectGetter& objects) {
  return std::make_unique<Manager>(std::move(options), objects);
}

}  // namespace knarr::kubelet
