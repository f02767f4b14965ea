// Waiting on the injected clock, and doing several things at once.
#pragma once

#include <functional>

#include "pkg/base/clock.h"
#include "pkg/base/context.h"

namespace knarr::kubelet {

// Blocks for the duration of `clock`, or until the context is done; returns ctx.Err().
Status SleepOn(Clock& clock, const Context& ctx, Duration duration);

// fn(0) ... fn(count - 1), all at once when they are more than one; returns when all are done.
void ForEachInParallel(size_t count, const std::function<void(size_t)>& fn);

}  // namespace knarr::kubelet
