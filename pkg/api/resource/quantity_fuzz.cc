// Quantities from outside: parsing neither crashes nor takes long, and the printed text means the same value.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "pkg/api/resource/quantity.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using knarr::Quantity;
  const auto parsed = Quantity::Parse(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!parsed.ok()) return 0;
  const auto again = Quantity::Parse(parsed->ToString());
  if (!again.ok() || *again != *parsed) std::abort();
  Quantity sum = *parsed + *again;
  if ((sum - *again) != *parsed) std::abort();
  if (sum.ToString().empty() || (-sum).Sign() != -sum.Sign()) std::abort();
  sum.RoundUp(-3);
  if (parsed->Sign() > 0 && (sum < *parsed || sum.Value() < parsed->Value())) std::abort();
  return 0;
}
