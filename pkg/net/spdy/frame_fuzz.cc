// The decoder, fed whole and byte by byte: both must see the same frames.
#include <cstdint>
#include <cstdlib>

#include "pkg/net/spdy/frame.h"

namespace {

std::string Run(std::string_view input, size_t step) {
  knarr::spdy::Decoder decoder;
  std::string seen;
  for (size_t i = 0; i < input.size(); i += step) {
    decoder.Feed(input.substr(i, step));
    for (;;) {
      const auto frame = decoder.Next();
      if (!frame.ok()) return seen + "error";
      if (!*frame) break;
      const knarr::spdy::Frame& f = **frame;
      seen += fmt::format("{} {} {} {} {} {};", static_cast<int>(f.type), f.stream, f.fin, f.fields.size(),
                          f.payload.size(), f.number);
    }
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (Run(input, input.size() + 1) != Run(input, 1)) std::abort();
  return 0;
}
