// Protobuf from outside, bare and in the envelope: what decodes must encode to a fixed point.
#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/codec/codec.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto envelope = knarr::codec::DecodeEnvelope(bytes);
  ::k8s::io::api::core::v1::Pod pod;
  if (!knarr::codec::DecodeProtobuf(envelope.ok() ? std::string_view(envelope->raw) : bytes, &pod).ok()) return 0;
  const std::string wire = knarr::codec::EncodeProtobuf(pod);
  ::k8s::io::api::core::v1::Pod again;
  KNARR_CHECK(knarr::codec::DecodeProtobuf(wire, &again, {.max_bytes = SIZE_MAX}).ok());
  KNARR_CHECK(knarr::codec::EncodeProtobuf(again) == wire);
  (void)knarr::codec::EncodeJson(pod);
  return 0;
}
