// Everything in pkg/cni that parses bytes from outside: configurations, results, plugin errors, records, relay frames.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "pkg/cni/cache.h"
#include "pkg/cni/config.h"
#include "pkg/cni/relay_wire.h"
#include "pkg/cni/result.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace knarr::cni;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto network = ParseNetworkList(text); network.ok()) {
    // What is remembered must be readable again, and mean the same.
    const auto again = ParseNetworkList(network->json);
    if (!again.ok() || again->json != network->json) std::abort();
  }
  (void)ParseSingleNetwork(text);
  for (const std::string_view version : kVersions) {
    if (const auto result = ConvertResult(text, "1.0.0", version); result.ok()) {
      if (!ConvertResult(*result, "", version).ok()) std::abort();
    }
  }
  (void)SummarizeResult(text);
  if (const auto error = ParsePluginError(text)) (void)error->ToJson("1.0.0");
  if (const auto record = ParseRecord(text); record.ok()) {
    if (!ParseRecord(FormatRecord(*record)).ok()) std::abort();
  }
  (void)DecodeRequest(text);
  (void)DecodeReply(text);
  (void)TopLevelString(text, "socket");
  return 0;
}
