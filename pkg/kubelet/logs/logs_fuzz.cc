// One CRI log line.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "pkg/kubelet/logs/logs.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string line(reinterpret_cast<const char*>(data), size);
  const auto entry = knarr::kubelet::ParseCriLogLine(line);
  if (!entry.ok()) return 0;
  // What was accepted is a time that prints and reads back, and content that lies within the line.
  const std::string printed = knarr::kubelet::FormatRfc3339Nano(entry->time);
  const auto again = knarr::kubelet::ParseRfc3339(printed);
  if (!again.ok() || *again != entry->time) std::abort();
  if (!entry->content.empty() && (entry->content.data() < line.data() ||
                                  entry->content.data() + entry->content.size() > line.data() + line.size())) {
    std::abort();
  }
  return 0;
}
