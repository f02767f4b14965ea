// Field selectors come from URLs: parsing neither crashes nor takes long, and the canonical text means the same.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "pkg/api/fields/selector.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace fields = knarr::fields;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto unescaped = fields::UnescapeValue(fields::EscapeValue(text));
  if (!unescaped.ok() || *unescaped != text) std::abort();
  const auto selector = fields::ParseSelector(text);
  if (!selector.ok()) return 0;
  const auto again = fields::ParseSelector(selector->ToString());
  if (!again.ok() || again->requirements().size() != selector->requirements().size()) std::abort();
  return 0;
}
