#include "pkg/kubelet/volume/teardown.h"

#include <limits.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "pkg/base/file.h"
#include "pkg/platform/mount.h"
#include "pkg/platform/mountinfo.h"

namespace knarr::kubelet {

namespace {

// Each round takes the top of every stack of mounts.
constexpr int kMaxRounds = 32;

// The topmost mount points within, deepest first, each once.
Result<std::vector<std::string>> PointsWithin(const std::string& directory) {
  const std::vector<platform::MountEntry> mounts = KNARR_TRY(platform::ReadMountInfo());
  std::vector<std::string> points;
  for (std::string& point : platform::MountPointsWithin(mounts, directory)) {
    if (std::find(points.begin(), points.end(), point) == points.end()) points.push_back(std::move(point));
  }
  return points;
}

Status UnmountRound(const Context& ctx, const std::vector<std::string>& points) {
  // A copy of a shared mount of the node (a hostPath's subPath) would take the node's own mounts below it along.
  for (const std::string& point : points) KNARR_TRY(platform::SetPropagation(point, platform::Propagation::kPrivate));
  for (const std::string& point : points) {
    bool lazy = false;
    KNARR_TRY(platform::Unmount(point, true, &lazy));
    if (lazy) ctx.log().Warning("A mount of a pod was still in use and was detached lazily", {{"path", point}});
  }
  return {};
}

}  // namespace

Status UnmountAllWithin(const Context& ctx, const std::string& directory) {
  // mountinfo has resolved paths.
  char real[PATH_MAX];
  if (::realpath(directory.c_str(), real) == nullptr) {
    return errno == ENOENT ? Status() : ErrnoError(errno, "resolve {}", directory);
  }
  for (int round = 0; round < kMaxRounds; ++round) {
    const std::vector<std::string> points = KNARR_TRY(PointsWithin(real));
    if (points.empty()) return {};
    KNARR_TRY(UnmountRound(ctx, points));
  }
  return Error(Code::kFailedPrecondition, "{}: something keeps mounting below it", directory);
}

Status RemovePodDirectory(const Context& ctx, const std::string& directory) {
  if (!PathExists(directory)) return {};
  KNARR_TRY(UnmountAllWithin(ctx, directory));
  return RemoveAll(directory);
}

}  // namespace knarr::kubelet
