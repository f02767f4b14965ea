// Ranges and bitmaps from any bytes: no crash, and what is read is written back.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "pkg/apiserver/registry/core/service/range.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using knarr::registry::service::Bitmap;
  using knarr::registry::service::IpRange;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto range = IpRange::Parse(text); range.ok() && range->size() > 0) {
    const int last = range->size() - 1;
    KNARR_CHECK(range->Offset(range->Address(last)) == last);
    KNARR_CHECK(IpRange::Parse(range->spec())->spec() == range->spec());
  }
  constexpr int kSize = 1000;
  const Bitmap bits = Bitmap::FromBytes(text, kSize);
  KNARR_CHECK(Bitmap::FromBytes(bits.ToBytes(), kSize).ToBytes() == bits.ToBytes());
  return 0;
}
