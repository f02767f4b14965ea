#include <boost/test/unit_test.hpp>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/codec/codec.h"

namespace core = ::k8s::io::api::core::v1;

namespace knarr::codec {
namespace {

std::string Hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

BOOST_AUTO_TEST_SUITE(codec_protobuf)

BOOST_AUTO_TEST_CASE(value_fields_are_written_even_when_they_are_not_set) {
  core::ContainerPort port;
  port.set_containerport(80);
  BOOST_TEST(Hex(EncodeProtobuf(port)) ==
             "0a00100018502200"
             "2a00");
  // A pointer is written when it is set, a nil one not.
  core::LocalObjectReference name;
  BOOST_TEST(Hex(EncodeProtobuf(name)) == "0a00");
}

BOOST_AUTO_TEST_CASE(maps_are_sorted_and_keep_both_halves) {
  core::ConfigMap map;
  (*map.mutable_data())["b"] = "";
  (*map.mutable_data())["a"] = "1";
  const std::string hex = Hex(EncodeProtobuf(map));
  BOOST_TEST(
      hex.ends_with("12060a0161120131"
                    "12050a01621200"));
}

BOOST_AUTO_TEST_CASE(what_was_encoded_decodes_to_the_same) {
  core::Pod pod;
  BOOST_REQUIRE(
      DecodeJson(
          R"({"metadata":{"name":"a","creationTimestamp":"1970-01-01T00:00:00Z"},"spec":{"containers":[{"name":"c",
      "resources":{"requests":{"cpu":"100m"}}}]}})",
          &pod)
          .ok());
  core::Pod again;
  BOOST_REQUIRE(DecodeProtobuf(EncodeProtobuf(pod), &again).ok());
  BOOST_TEST(EncodeJson(again) == EncodeJson(pod));
  BOOST_TEST(EncodeJson(again).find("1970-01-01") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(times_keep_what_json_can_say) {
  core::PodStatus status;
  status.mutable_starttime()->set_seconds(1);
  status.mutable_starttime()->set_nanos(5);
  BOOST_TEST(Hex(EncodeProtobuf(status)).find("3a0408011000") != std::string::npos);
  core::Event event;
  event.mutable_eventtime()->set_seconds(1);
  event.mutable_eventtime()->set_nanos(1999);
  BOOST_TEST(Hex(EncodeProtobuf(event))
                 .find("08011"
                       "0e807") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_envelope_carries_type_and_bytes) {
  core::Namespace space;
  space.mutable_metadata()->set_name("x");
  const std::string bytes = EncodeEnvelope(space, "v1", "Namespace");
  BOOST_TEST(
      Hex(bytes).starts_with("6b387300"
                             "0a0f0a02763112094e616d657370616365"));
  BOOST_TEST(Hex(bytes).ends_with("1a002200"));
  const Result<Envelope> envelope = DecodeEnvelope(bytes);
  BOOST_REQUIRE(envelope.ok());
  BOOST_TEST(envelope->kind == "Namespace");
  BOOST_TEST(envelope->api_version == "v1");
  BOOST_TEST(envelope->raw == EncodeProtobuf(space));
  BOOST_TEST(!DecodeEnvelope("{}").ok());
}

BOOST_AUTO_TEST_CASE(hostile_bytes_are_refused) {
  core::Pod pod;
  BOOST_TEST(!DecodeProtobuf("\x0a\xff\xff\xff\xff\x0f", &pod).ok());
  core::ResourceRequirements resources;
  // limits: {"a": Quantity{"nonsense"}}
  BOOST_TEST(!DecodeProtobuf(std::string_view("\x0a\x0f\x0a\x01\x61\x12\x0a\x0a\x08nonsense", 17), &resources).ok());
  BOOST_TEST(!DecodeProtobuf(std::string(100, 'x'), &pod, {.max_bytes = 10}).ok());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::codec
