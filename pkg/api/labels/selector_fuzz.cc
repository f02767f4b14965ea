// Selectors come from URLs: parsing neither crashes nor takes long, and the canonical text means the same.
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

#include "pkg/api/labels/selector.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace labels = knarr::labels;
  const auto selector = labels::Parse(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!selector.ok()) return 0;
  const auto again = labels::Parse(selector->ToString());
  if (!again.ok() || again->ToString() != selector->ToString()) std::abort();
  const std::map<std::string, std::string> some = {{"a", "1"}, {"x", "b"}};
  if (selector->Matches(some) != again->Matches(some)) std::abort();
  return 0;
}
