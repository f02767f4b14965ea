// Events, which two groups show: the core group and events.k8s.io.
#pragma once

#include "pkg/apiserver/registry/kind.h"

namespace knarr::registry::core_group {

Kind EventKind();

}  // namespace knarr::registry::core_group
