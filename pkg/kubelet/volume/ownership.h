// fsGroup: gives a volume to a group.
// Mirrors: pkg/volume/volume_linux.go (SetVolumeOwnership)
#pragma once

#include <sys/types.h>

#include <string>

#include "pkg/base/status.h"

namespace knarr::kubelet {

// Every file and directory below the path gets the group, and the group may read and write (only read if read_only);
// directories also get setgid and may be searched. Symbolic links change their group and are not followed; mounts
// below are not entered. Each step works on an open file, so names that are exchanged meanwhile do no harm.
Status SetVolumeOwnership(const std::string& path, gid_t fs_group, bool read_only);

}  // namespace knarr::kubelet
