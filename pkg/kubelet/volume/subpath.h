// subPath mounts, resolved by file descriptor beneath the volume: what was checked is what gets mounted, however fast a
// container exchanges names for symbolic links (CVE-2017-1002101, CVE-2021-25741).
// Mirrors: pkg/volume/util/subpath/subpath_linux.go
#pragma once

#include <string>

#include "pkg/base/status.h"
#include "pkg/base/unique_fd.h"
#include "pkg/platform/mount.h"

namespace knarr::kubelet {

// O_PATH descriptor of `sub_path` in the volume; directories that are missing are made, with the permissions of the
// volume's root and, below a setgid directory, its group. kForbidden where a symbolic link leads out of the volume.
Result<UniqueFd> OpenSubPath(int volume, const std::string& sub_path);

// Bind-mounts the file or directory behind `source` at `target`, which is made as needed (below an existing parent).
// If the same file is mounted there already, nothing happens; another one is unmounted first.
Status BindSubPath(int source, const std::string& target, platform::Propagation propagation);

}  // namespace knarr::kubelet
