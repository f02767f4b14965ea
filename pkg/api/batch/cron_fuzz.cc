#include <cstddef>
#include <cstdint>

#include "pkg/api/batch/cron.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto schedule = knarr::cron::Schedule::Parse({reinterpret_cast<const char*>(data), size});
  if (!schedule.ok()) return 0;
  const auto next = schedule->Next(1700000000);
  if (next && *next <= 1700000000) __builtin_trap();
  return 0;
}
