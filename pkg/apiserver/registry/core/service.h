// Services. Mirrors: pkg/registry/core/service
#pragma once

#include <memory>

#include "pkg/apiserver/registry/builtin.h"
#include "pkg/apiserver/registry/core/service/allocators.h"

namespace knarr::registry {

// Without a store (tests, discovery only) nothing is allocated. KNARR_CHECKs the ranges: flags were validated before.
Kind ServiceKind(const BuiltinDeps& deps);
Kind ServiceKind(std::shared_ptr<service::Allocators> allocators);

}  // namespace knarr::registry
