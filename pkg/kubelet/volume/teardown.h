// Takes a pod's directory away: every mount in it first, then the files, never crossing into a mount.
#pragma once

#include <string>

#include "pkg/base/context.h"
#include "pkg/base/status.h"

namespace knarr::kubelet {

// Unmounts everything at or below the directory, the deepest first. What hangs is detached lazily, as a last resort,
// and logged. Works from mountinfo, so it needs no memory of who mounted what.
Status UnmountAllWithin(const Context& ctx, const std::string& directory);
// The same, then removes the directory; a missing one is success.
Status RemovePodDirectory(const Context& ctx, const std::string& directory);

}  // namespace knarr::kubelet
