// StorageClasses, VolumeAttachments, CSI drivers, nodes and capacities.
// Mirrors: pkg/registry/storage/rest/storage_storage.go
#pragma once

#include <vector>

#include "pkg/apiserver/registry/builtin.h"

namespace knarr::registry {

std::vector<Kind> StorageKinds(const BuiltinDeps& deps);

}  // namespace knarr::registry
