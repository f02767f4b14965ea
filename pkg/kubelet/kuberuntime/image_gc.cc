// Deleting unused images when the disk fills up. Mirrors: pkg/kubelet/images/image_gc_manager.go
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>

#include "pkg/api/names/image.h"
#include "pkg/base/file.h"
#include "pkg/kubelet/kuberuntime/image_gc.h"
#include "pkg/kubelet/kuberuntime/manager.h"

namespace knarr::kubelet {
namespace {

// The nearest directory that exists: the runtime's image store may not have been made yet.
Result<DiskSpace> SpaceOf(std::string path) {
  while (!PathExists(path) && path.size() > 1) path = std::string(DirName(path));
  struct statvfs info {};
  if (statvfs(path.c_str(), &info) != 0) return ErrnoError(errno, "statfs {}", path);
  return DiskSpace{info.f_blocks * info.f_frsize, info.f_bavail * info.f_frsize};
}

}  // namespace

bool IsImageCalled(const cri_v1::Image& image, const std::string& name) {
  if (name.empty()) return false;
  if (image.id() == name) return true;
  std::string full = name;
  if (const auto reference = names::ParseImageName(name); reference.ok()) full = reference->ToString();
  const auto matches = [&](const std::string& tag) { return tag == name || tag == full; };
  return std::any_of(image.repo_tags().begin(), image.repo_tags().end(), matches) ||
         std::any_of(image.repo_digests().begin(), image.repo_digests().end(), matches);
}

uint64_t BytesToFree(const DiskSpace& space, const RuntimeManager::ImageGcPolicy& policy) {
  if (space.capacity == 0) return 0;
  const uint64_t used = space.capacity - std::min(space.available, space.capacity);
  const auto usage_percent = 100 - static_cast<int>(space.available * 100 / space.capacity);
  if (usage_percent < policy.high_threshold_percent) return 0;
  const uint64_t wanted = space.capacity / 100 * static_cast<uint64_t>(policy.low_threshold_percent);
  return used > wanted ? used - wanted : 0;
}

Status RuntimeManagerImpl::CollectImages(const Context& ctx, const ImageGcPolicy& policy, const std::vector<std::string>& keep) {
  const auto images = KNARR_TRY(deps_.cri.ListImages(ctx));
  const auto containers = KNARR_TRY(deps_.cri.ListContainers(ctx));
  const WallTime now = deps_.clock.Now();

  std::vector<ImageCandidate> candidates;
  {
    std::lock_guard lock(mutex_);
    std::set<std::string> present;
    for (const auto& image : images) {
      present.insert(image.id());
      ImageRecord& record = images_.try_emplace(image.id(), ImageRecord{now, {}}).first->second;
      const bool used = std::any_of(containers.begin(), containers.end(), [&](const auto& c) {
        return c.image_ref() == image.id() || IsImageCalled(image, c.image().image()) || IsImageCalled(image, c.image_ref()) ||
               (!c.image_id().empty() && c.image_id() == image.id());
      });
      if (used) record.last_used = now;
      const bool kept = image.pinned() || IsImageCalled(image, options_.pause_image) ||
                        std::any_of(keep.begin(), keep.end(), [&](const std::string& k) { return IsImageCalled(image, k); });
      if (!used && !kept) candidates.push_back({image.id(), image.size(), record.first_seen, record.last_used});
    }
    std::erase_if(images_, [&](const auto& item) { return !present.contains(item.first); });
  }

  const auto fs = KNARR_TRY(deps_.cri.ImageFsInfo(ctx));
  const std::string mount = fs.image_filesystems_size() > 0 ? fs.image_filesystems(0).fs_id().mountpoint() : "/";
  const DiskSpace space = KNARR_TRY(options_.disk_space ? options_.disk_space(mount) : SpaceOf(mount));
  const uint64_t wanted = BytesToFree(space, policy);
  uint64_t freed = 0;
  std::string failures;
  for (const ImageCandidate& image : OldestFirst(std::move(candidates))) {
    const bool outdated = policy.max_age > Duration::zero() && now - std::max(image.last_used, image.first_seen) > policy.max_age;
    if (freed >= wanted && !outdated) continue;
    if (now - image.first_seen < policy.min_age) continue;
    cri_v1::ImageSpec spec;
    spec.set_image(image.id);
    deps_.log.Info("Removing image to free bytes", {{"imageID", image.id}, {"size", image.size}});
    if (const Status error = deps_.cri.RemoveImage(ctx, spec); !error.ok()) {
      failures += fmt::format("{}{}: {}", failures.empty() ? "" : "; ", image.id, error);
      continue;
    }
    freed += image.size;
    std::lock_guard lock(mutex_);
    images_.erase(image.id);
  }
  if (!failures.empty()) {
    return Error(Code::kInternal, "wanted to free {} bytes, but freed {} bytes space with errors in image deletion: {}", wanted, freed, failures);
  }
  if (freed >= wanted) return OkStatus();
  std::string message = fmt::format(
      "Failed to garbage collect required amount of images. Attempted to free {} bytes, but only found {} bytes eligible to free.", wanted, freed);
  deps_.events.Record({"Node", "", options_.node_name, options_.node_name, ""}, EventType::kWarning, "FreeDiskSpaceFailed", message);
  return Status(Code::kFailedPrecondition, std::move(message));
}

std::vector<ImageCandidate> OldestFirst(std::vector<ImageCandidate> images) {
  std::sort(images.begin(), images.end(), [](const ImageCandidate& a, const ImageCandidate& b) {
    return std::tie(a.last_used, a.first_seen, a.id) < std::tie(b.last_used, b.first_seen, b.id);
  });
  return images;
}

}  // namespace knarr::kubelet
