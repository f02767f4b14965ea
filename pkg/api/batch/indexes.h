// Sets of completion indexes as a Job's status writes them: "1,3-5,7".
// Mirrors: validateIndexesFormat in pkg/apis/batch/validation/validation.go
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "pkg/base/status.h"

namespace knarr::batch_indexes {

// How many there are; all below `completions`, in ascending order.
Result<int32_t> Count(std::string_view text, int32_t completions);
// The first index in both; parts that cannot be read are passed over.
std::optional<int32_t> Overlap(std::string_view completed, std::string_view failed, int32_t completions);

}  // namespace knarr::batch_indexes
