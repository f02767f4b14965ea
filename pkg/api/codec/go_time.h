// Points in time as metav1.Time and MicroTime write and read them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "pkg/base/status.h"

namespace knarr::codec {

// Go's zero time, 0001-01-01T00:00:00Z: "not set".
inline constexpr int64_t kGoZeroSeconds = -62135596800;

struct GoTime {
  int64_t seconds = 0;  // since 1970
  int32_t nanos = 0;
};

// time.Parse with time.RFC3339, or with metav1.RFC3339Micro, whose six digits of fraction are required.
// Error text: parsing time "x" as "2006-01-02T15:04:05Z07:00": cannot parse "x" as "2006"
Result<GoTime> ParseGoTime(std::string_view text, bool micro);
// UTC, without quotes: 2006-01-02T15:04:05Z or 2006-01-02T15:04:05.000000Z
void AppendGoTime(GoTime time, bool micro, std::string* out);

}  // namespace knarr::codec
