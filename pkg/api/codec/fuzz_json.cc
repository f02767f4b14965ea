// JSON from outside: decoding must neither crash nor take long, and what decodes must encode and decode to the same.
#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/codec/codec.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using knarr::codec::DecodeJson;
  using knarr::codec::EncodeJson;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  ::k8s::io::api::core::v1::Pod pod;
  if (DecodeJson(text, &pod, {.validation = knarr::codec::FieldValidation::kWarn}).ok()) {
    const std::string json = EncodeJson(pod);
    ::k8s::io::api::core::v1::Pod again;
    KNARR_CHECK(DecodeJson(json, &again, {.max_bytes = SIZE_MAX}).ok());
    KNARR_CHECK(EncodeJson(again) == json);
  }
  (void)knarr::codec::JsonToYaml(text);
  return 0;
}
