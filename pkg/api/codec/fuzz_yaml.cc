// Manifests from outside: splitting and decoding must neither crash nor take long.
#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/codec/codec.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto documents = knarr::codec::SplitDocuments(text, {.max_bytes = 1 << 16, .max_nodes = 10'000});
  if (!documents.ok()) return 0;
  for (const knarr::codec::Document& document : *documents) {
    ::k8s::io::api::core::v1::Pod pod;
    std::vector<knarr::codec::Finding> findings;
    (void)knarr::codec::DecodeDocument(document, &pod, {.validation = knarr::codec::FieldValidation::kWarn}, &findings);
    // What was converted is JSON.
    KNARR_CHECK(knarr::codec::JsonToYaml(document.json).ok());
  }
  return 0;
}
