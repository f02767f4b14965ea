// mountinfo and its neighbours in /proc: names of mounts, sources and interfaces come from containers.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "pkg/platform/mountinfo.h"
#include "pkg/platform/procfs.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto mounts = knarr::platform::ParseMountInfo(text);
  if (mounts.ok()) {
    (void)knarr::platform::MountOf(*mounts, "/mnt/with space/x");
    (void)knarr::platform::MountPointsWithin(*mounts, "/mnt");
  }
  (void)knarr::platform::ParseMemInfo(text);
  (void)knarr::platform::ParseNetDev(text);
  return 0;
}
