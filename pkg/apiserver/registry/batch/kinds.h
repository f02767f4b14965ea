// Jobs and CronJobs.
// Mirrors: pkg/registry/batch/rest/storage_batch.go
#pragma once

#include <vector>

#include "pkg/apiserver/registry/builtin.h"

namespace knarr::registry {

std::vector<Kind> BatchKinds(const BuiltinDeps& deps);

}  // namespace knarr::registry
