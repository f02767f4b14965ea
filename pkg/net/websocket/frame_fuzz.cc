// The frame reader on both sides, fed whole and byte by byte: both must see the same messages.
#include <cstdint>
#include <cstdlib>

#include "pkg/net/websocket/frame.h"

namespace {

std::string Run(std::string_view input, size_t step, bool masked) {
  constexpr size_t kMax = 1000;
  knarr::websocket::FrameReader reader(masked, kMax);
  std::string seen;
  for (size_t i = 0; i < input.size(); i += step) {
    reader.Feed(input.substr(i, step));
    for (;;) {
      const auto frame = reader.Next();
      if (!frame.ok()) return seen + "error";
      if (!*frame) break;
      if ((*frame)->payload.size() > kMax || !(*frame)->fin) std::abort();
      seen += fmt::format("{} {};", static_cast<int>((*frame)->opcode), (*frame)->payload);
    }
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  for (const bool masked : {true, false}) {
    if (Run(input, input.size() + 1, masked) != Run(input, 1, masked)) std::abort();
  }
  return 0;
}
