// A Store in memory, for tests: the same contract, nothing durable.
#pragma once

#include <memory>

#include "pkg/apiserver/storage/store.h"
#include "pkg/base/clock.h"

namespace knarr::storage {

// Keeps all history until Compact. TTLs run on the clock.
std::unique_ptr<Store> NewMemoryStore(Clock& clock = Clock::Real());

}  // namespace knarr::storage
