// Go's time.Duration text: "300ms", "1m30s", "1h0m0s". Mirrors: time.ParseDuration and Duration.String.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "pkg/base/status.h"

namespace knarr {

Result<std::chrono::nanoseconds> ParseDuration(std::string_view text);
std::string FormatDuration(std::chrono::nanoseconds duration);

}  // namespace knarr
