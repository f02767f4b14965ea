#include <boost/test/unit_test.hpp>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/codec/codec.h"

namespace core = ::k8s::io::api::core::v1;

namespace knarr::codec {
namespace {

template <typename T>
std::string ErrorOf(std::string_view json, const DecodeOptions& options = {}) {
  T message;
  return std::string(DecodeJson(json, &message, options).message());
}

template <typename T>
std::string Again(std::string_view json) {
  T message;
  const Status status = DecodeJson(json, &message);
  BOOST_REQUIRE_MESSAGE(status.ok(), status.message());
  return EncodeJson(message);
}

BOOST_AUTO_TEST_SUITE(codec_json)

BOOST_AUTO_TEST_CASE(an_empty_pod_prints_its_value_structs) {
  core::Pod pod;
  BOOST_TEST(
      EncodeJson(pod, {.api_version = "v1", .kind = "Pod"}) ==
      R"({"kind":"Pod","apiVersion":"v1","metadata":{"creationTimestamp":null},"spec":{"containers":null},"status":{}})");
  BOOST_TEST(EncodeJson(core::PodList(), {.empty_items = true}) == R"({"metadata":{},"items":[]})");
}

BOOST_AUTO_TEST_CASE(fields_print_in_gos_order_and_maps_sorted) {
  BOOST_TEST(
      Again<core::Pod>(
          R"({"spec":{"containers":[{"resources":{"limits":{"memory":"1Gi","cpu":1.5}},"image":"i","name":"a"}],"nodeName":"n"},
                  "metadata":{"labels":{"b":"2","a":"1"},"name":"x","creationTimestamp":"2024-02-29T12:00:00+02:00"},"kind":"Pod"})") ==
      R"({"metadata":{"name":"x","creationTimestamp":"2024-02-29T10:00:00Z","labels":{"a":"1","b":"2"}},)"
      R"("spec":{"containers":[{"name":"a","image":"i","resources":{"limits":{"cpu":"1500m","memory":"1Gi"}}}],"nodeName":"n"},"status":{}})");
}

BOOST_AUTO_TEST_CASE(inlined_structs_read_and_print_flat) {
  BOOST_TEST(Again<core::Volume>(R"({"emptyDir":{"medium":"Memory"},"name":"v"})") ==
             R"({"name":"v","emptyDir":{"medium":"Memory"}})");
  BOOST_TEST(Again<core::Probe>(R"({"httpGet":{"port":"web"},"periodSeconds":3})") ==
             R"({"httpGet":{"port":"web"},"periodSeconds":3})");
  BOOST_TEST(Again<core::ServicePort>(R"({"port":80,"targetPort":8080})") == R"({"port":80,"targetPort":8080})");
}

BOOST_AUTO_TEST_CASE(strings_are_escaped_as_go_does) {
  BOOST_TEST(
      Again<core::EnvVar>("{\"name\":\"a\",\"value\":\"<&>\\u2028\\u0001\\n\\\"\xff\xc3\xa4\\ud83d\\ude00\\ud800\"}") ==
      "{\"name\":\"a\",\"value\":"
      "\"\\u003c\\u0026\\u003e\\u2028\\u0001\\n\\\"\xef\xbf\xbd\xc3\xa4\xf0\x9f\x98\x80\xef\xbf\xbd\"}");
  core::EnvVar bad;
  bad.set_value("a\xff");
  BOOST_TEST(EncodeJson(bad) == R"({"name":"","value":"a\ufffd"})");
}

BOOST_AUTO_TEST_CASE(bytes_are_base64) {
  BOOST_TEST(Again<core::Secret>(R"({"data":{"k":"AAECAw==","e":""}})") ==
             R"({"metadata":{"creationTimestamp":null},"data":{"e":"","k":"AAECAw=="}})");
  BOOST_TEST(ErrorOf<core::Secret>(R"({"data":{"k":"A*=="}})") == "illegal base64 data at input byte 1");
}

BOOST_AUTO_TEST_CASE(unknown_and_duplicate_fields_are_strict_errors_with_their_path) {
  BOOST_TEST(ErrorOf<core::Pod>(R"({"spec":{"containers":[{"foo":1,"name":"a","name":"b"}]},"Kind":"x"})") ==
             "strict decoding error: unknown field \"spec.containers[0].foo\", duplicate field "
             "\"spec.containers[0].name\", unknown field \"Kind\"");
  BOOST_TEST(ErrorOf<core::Pod>(R"({"metadata":{"labels":{"a":"1","a":"2"}}})") ==
             "strict decoding error: duplicate field \"metadata.labels.a\"");
  core::Pod pod;
  std::vector<Finding> findings;
  BOOST_TEST(DecodeJson(R"({"metadata":{"labels":{"a":"1","a":"2"},"x":{"y":[1]}}})", &pod,
                        {.validation = FieldValidation::kWarn}, &findings)
                 .ok());
  BOOST_REQUIRE_EQUAL(findings.size(), 2u);
  BOOST_TEST(findings[1].text == "unknown field \"metadata.x\"");
  BOOST_TEST(pod.metadata().labels().at("a") == "2");
  BOOST_TEST(ErrorOf<core::Pod>(R"({"nope":1})", {.validation = FieldValidation::kIgnore}) == "ok");
}

BOOST_AUTO_TEST_CASE(wrong_types_are_reported_in_gos_words) {
  BOOST_TEST(ErrorOf<core::Pod>(R"({"spec":{"containers":[{"name":5}]}})") ==
             "json: cannot unmarshal number into Go struct field Container.spec.containers.name of type string");
  BOOST_TEST(ErrorOf<core::Pod>(R"({"spec":{"containers":{}}})") ==
             "json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container");
  BOOST_TEST(ErrorOf<core::Pod>(R"([])") == "json: cannot unmarshal array into Go value of type v1.Pod");
  BOOST_TEST(ErrorOf<core::Pod>(R"({"metadata":{"labels":{"a":true}}})") ==
             "json: cannot unmarshal bool into Go struct field ObjectMeta.metadata.labels of type string");
  BOOST_TEST(ErrorOf<core::Pod>(R"({"spec":{"terminationGracePeriodSeconds":1.5}})") ==
             "json: cannot unmarshal number 1.5 into Go struct field PodSpec.spec.terminationGracePeriodSeconds of "
             "type int64");
  BOOST_TEST(ErrorOf<core::Pod>(R"({"metadata":{"creationTimestamp":"yesterday"}})") ==
             "parsing time \"yesterday\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"yesterday\" as \"2006\"");
  BOOST_TEST(ErrorOf<core::Service>(R"({"spec":{"ports":[{"targetPort":true}]}})") ==
             "json: cannot unmarshal bool into Go struct field ServicePort.spec.ports.targetPort of type int32");
}

BOOST_AUTO_TEST_CASE(broken_json_is_reported_in_gos_words) {
  BOOST_TEST(ErrorOf<core::Pod>("") == "unexpected end of JSON input");
  BOOST_TEST(ErrorOf<core::Pod>("{\"a\":}") == "invalid character '}' looking for beginning of value");
  BOOST_TEST(ErrorOf<core::Pod>("{\"a\" 1}") == "invalid character '1' after object key");
  BOOST_TEST(ErrorOf<core::Pod>("{} x") == "invalid character 'x' after top-level value");
  BOOST_TEST(ErrorOf<core::Pod>("{\"spec\":tru}") == "invalid character '}' in literal true (expecting 'e')");
  BOOST_TEST(ErrorOf<core::Pod>("{\"spec\":{\"nodeName\":\"a\nb\"}}") == "invalid character '\\n' in string literal");
}

BOOST_AUTO_TEST_CASE(depth_values_and_bytes_are_limited) {
  BOOST_TEST(ErrorOf<core::Pod>(R"({"x":)" + std::string(100'000, '[')) == "exceeded max depth");
  std::string many = R"({"spec":{"nodeSelector":{)";
  for (int i = 0; i < 1000; ++i) many += "\"k" + std::to_string(i) + "\":\"\",";
  many.back() = '}';
  many += "}}";
  BOOST_TEST(ErrorOf<core::Pod>(many) == "ok");
  BOOST_TEST(ErrorOf<core::Pod>(many, {.max_nodes = 500}) == "more than 500 values");
  BOOST_TEST(ErrorOf<core::Pod>(many, {.max_bytes = 100}).ends_with("bytes are more than the limit of 100"));
}

BOOST_AUTO_TEST_CASE(null_clears_pointers_and_leaves_values) {
  BOOST_TEST(
      Again<core::Pod>(
          R"({"metadata":null,"spec":{"containers":null,"securityContext":null,"nodeName":null},"status":null})") ==
      R"({"metadata":{"creationTimestamp":null},"spec":{"containers":null},"status":{}})");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::codec
