// Patches come from clients: any document and patch neither crash nor take long, and a patched Pod can be patched
// again. The input is a byte for the kind of patch, then the document and the patch, separated by a NUL.
#include <boost/json.hpp>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "pkg/api/patch/patch.h"

namespace json = boost::json;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const json::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const size_t split = text.find('\0');
  if (split == json::string_view::npos) return 0;
  boost::system::error_code error;
  json::value document = json::parse(text.substr(0, split), error);
  if (error) return 0;
  const json::value patch = json::parse(text.substr(split + 1), error);
  if (error) return 0;
  switch (data[0] % 3) {
    case 0: {
      const knarr::patch::Limits limits{.operations = 100, .result_bytes = 1 << 16, .max_depth = 48};
      (void)knarr::patch::ApplyJsonPatch(document, patch, limits);
      break;
    }
    case 1: {
      knarr::patch::ApplyMergePatch(document, patch);
      json::value again = document;
      knarr::patch::ApplyMergePatch(again, patch);
      // Applying it twice changes nothing, but for nulls that a list kept where it replaced an object.
      if (patch.is_object() && document.is_object() != again.is_object()) std::abort();
      break;
    }
    default: {
      if (!document.is_object() || !patch.is_object()) return 0;
      const auto* schema = knarr::patch::SchemaOf("k8s.io.api.core.v1.Pod");
      if (schema == nullptr) std::abort();
      (void)knarr::patch::ApplyStrategicMergePatch(document.get_object(), patch.get_object(), *schema);
    }
  }
  knarr::patch::SortMembers(document);
  (void)json::serialize(document);
  return 0;
}
