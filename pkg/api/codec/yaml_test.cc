#include <boost/test/unit_test.hpp>

#include <chrono>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/codec/codec.h"

namespace core = ::k8s::io::api::core::v1;

namespace knarr::codec {
namespace {

std::string Json(std::string_view yaml) {
  const Result<std::string> json = YamlToJson(yaml);
  return json.ok() ? *json : "error: " + std::string(json.error().message());
}

std::string Yaml(std::string_view json) {
  const Result<std::string> yaml = JsonToYaml(json);
  return yaml.ok() ? *yaml : "error: " + std::string(yaml.error().message());
}

std::string Repeat(std::string head, std::string_view part, size_t size) {
  while (head.size() < size) head += part;
  return head;
}

BOOST_AUTO_TEST_SUITE(codec_yaml)

BOOST_AUTO_TEST_CASE(scalars_follow_yaml_1_1) {
  BOOST_TEST(Json("[on, yes, 'yes', \"on\", off, 0777, 0x1F, 1_000, 08, 1e3, .5, -3, ~, null, 2001-01-01, 1:20, ip, "
                  "!!str 5, !!float 3]") ==
             R"([true,true,"yes","on",false,511,31,1000,8,1000,0.5,-3,null,null,"2001-01-01","1:20","ip","5",3])");
  BOOST_TEST(Json("a: |\n  x\n  y\nb: >-\n  x\n  y\nc:\n1: z\ntrue: q\n") ==
             R"({"1":"z","a":"x\ny\n","b":"x y","c":null,"true":"q"})");
  BOOST_TEST(Json("a: 18446744073709551615\nb: 9223372036854775807\nc: 1e400\nd: 0.1\ne: 123456789012345678901") ==
             R"({"a":18446744073709551615,"b":9223372036854775807,"c":"1e400","d":0.1,"e":123456789012345680000})");
  BOOST_TEST(Json("a: !!int x") == "error: yaml: line 1: cannot decode !!str `x` as a !!int");
  BOOST_TEST(Json("a: .inf") == "error: yaml: line 1: json: unsupported value: +Inf");
}

BOOST_AUTO_TEST_CASE(anchors_and_merge_keys_are_applied) {
  BOOST_TEST(Json("base: &b {x: 1, w: 2}\nc:\n  <<: *b\n  w: 3\nd: *b\n") ==
             R"({"base":{"w":2,"x":1},"c":{"w":3,"x":1},"d":{"w":2,"x":1}})");
  BOOST_TEST(Json("a: &a {x: 1}\nb: &b {x: 2, z: 3}\nc: {<<: [*a, *b]}\n") ==
             R"({"a":{"x":1},"b":{"x":2,"z":3},"c":{"x":1,"z":3}})");
  BOOST_TEST(Json("a: *nope") == "error: yaml: line 1: unknown anchor referenced");
  BOOST_TEST(Json("a: &a [*a]") == "error: yaml: line 1: anchor value contains itself");
}

BOOST_AUTO_TEST_CASE(documents_are_split_with_their_lines) {
  const auto documents =
      SplitDocuments("\xef\xbb\xbf# first\n---\nkind: A\napiVersion: v1\n---\n# none\n---\n\nkind: B\n--- {kind: C}\n");
  BOOST_REQUIRE_MESSAGE(documents.ok(), documents.status().message());
  BOOST_REQUIRE_EQUAL(documents->size(), 3u);
  BOOST_TEST((*documents)[0].kind == "A");
  BOOST_TEST((*documents)[0].api_version == "v1");
  BOOST_TEST((*documents)[0].line == 3);
  BOOST_TEST((*documents)[1].kind == "B");
  BOOST_TEST((*documents)[1].line == 9);
  BOOST_TEST((*documents)[2].kind == "C");
  const auto json = SplitDocuments("\n {\"kind\":\n\"X\", \"a\": {\n\"b\": [1,\n2]}}");
  BOOST_REQUIRE(json.ok());
  BOOST_REQUIRE_EQUAL(json->size(), 1u);
  BOOST_TEST((*json)[0].kind == "X");
  BOOST_TEST((*json)[0].LineOf("a.b[1]") == 5);
  BOOST_TEST(SplitDocuments("{\n\"a\" 1}").status().message() == "line 2: invalid character '1' after object key");
  BOOST_TEST(SplitDocuments("").value().empty());
}

BOOST_AUTO_TEST_CASE(syntax_errors_name_the_line_in_upstreams_words) {
  BOOST_TEST(Json("a: b: c") == "error: yaml: line 1: mapping values are not allowed in this context");
  BOOST_TEST(Json("a:\n  - b\n c: d").starts_with("error: yaml: line "));
  BOOST_TEST(Json("kind: A\n---\nx: [1,\n").starts_with("error: yaml: line "));
  BOOST_TEST(Json("a: \"\x01\"") == "error: yaml: line 1: control characters are not allowed");
  BOOST_TEST(Json("a:\n  b: \xff") == "error: yaml: line 2: invalid leading UTF-8 octet");
}

constexpr std::string_view kPod =
    "apiVersion: v1\nkind: Pod\nmetadata:\n  name: x\n  name: z\nspec:\n  containers:\n  - image: i\n    foo: 1\n    "
    "name: 5\n";

BOOST_AUTO_TEST_CASE(findings_carry_upstreams_words_and_lines) {
  std::string text(kPod);
  text.replace(text.find("name: 5"), 7, "name: c");
  const auto documents = SplitDocuments(text);
  BOOST_REQUIRE(documents.ok());
  core::Pod pod;
  BOOST_TEST(DecodeDocument((*documents)[0], &pod).message() ==
             "strict decoding error: yaml: unmarshal errors:\n  line 5: key \"name\" already set in map, "
             "unknown field \"spec.containers[0].foo\"");
  std::vector<Finding> findings;
  BOOST_TEST(DecodeDocument((*documents)[0], &pod, {.validation = FieldValidation::kWarn}, &findings).ok());
  BOOST_REQUIRE_EQUAL(findings.size(), 2u);
  BOOST_TEST(findings[0].line == 5);
  BOOST_TEST(findings[1].line == 9);
  BOOST_TEST(pod.metadata().name() == "z");
  BOOST_TEST((*documents)[0].LineOf("spec.containers[0].image") == 8);
  BOOST_TEST((*documents)[0].LineOf("spec.containers[0].nothing") == 8);
  BOOST_TEST((*documents)[0].LineOf("metadata") == 3);
}

BOOST_AUTO_TEST_CASE(type_errors_carry_their_line) {
  const auto documents = SplitDocuments(kPod);
  BOOST_REQUIRE(documents.ok());
  core::Pod pod;
  BOOST_TEST(
      DecodeDocument((*documents)[0], &pod).message() ==
      "line 10: json: cannot unmarshal number into Go struct field Container.spec.containers.name of type string");
}

BOOST_AUTO_TEST_CASE(bombs_are_refused_quickly) {
  const auto start = std::chrono::steady_clock::now();
  std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 10; ++i) {
    bomb += fmt::format("a{0}: &a{0} [*a{1},*a{1},*a{1},*a{1},*a{1},*a{1},*a{1},*a{1},*a{1},*a{1}]\n", i, i - 1);
  }
  BOOST_TEST(Json(bomb).find("document contains excessive aliasing") != std::string::npos);
  std::string merges = "a0: &a0 {x: 1}\n";
  for (int i = 1; i < 40; ++i) merges += fmt::format("a{0}: &a{0} {{<<: [*a{1}, *a{1}]}}\n", i, i - 1);
  BOOST_TEST(Json(merges).starts_with("error: "));
  std::string wide = "s: &s " + std::string(100'000, 'x') + "\nl:\n";
  for (int i = 0; i < 10'000; ++i) wide += "- *s\n";
  BOOST_TEST(Json(wide).find("document contains excessive aliasing") != std::string::npos);
  BOOST_TEST(Json(std::string(200'000, '[')) == "error: yaml: line 1: exceeded max depth");
  BOOST_TEST(Json(std::string(100'000, '{')) == "error: yaml: line 1: exceeded max depth");
  BOOST_TEST(SplitDocuments(std::string(100'000, '{')).status().message() ==
             "line 1: invalid character '{' looking for beginning of object key string");
  BOOST_TEST(Json(Repeat("k: [[", "a,", 400'000)).find("in brackets is larger than") != std::string::npos);
  BOOST_TEST(Json(Repeat("- {a: 1,\n", " b: [c],\n", 400'000)).find("in brackets is larger than") != std::string::npos);
  std::string nested;
  for (int i = 0; i < 2'000; ++i) nested += std::string(static_cast<size_t>(i % 200), ' ') + "a:\n";
  BOOST_TEST(Json(nested).starts_with("error: "));
  std::string dashes;
  for (int i = 0; i < 50'000; ++i) dashes += "- ";
  BOOST_TEST(Json(dashes) == "error: yaml: line 1: exceeded max depth");
  BOOST_TEST(Json(std::string(4 << 20, 'a')).find("more than the limit") != std::string::npos);
  BOOST_TEST((std::chrono::steady_clock::now() - start < std::chrono::seconds(60)));
}

BOOST_AUTO_TEST_CASE(long_is_not_hostile) {
  // Scalars of every style, full of brackets, and lists of many small things.
  for (const std::string_view head :
       {"k: |\n  x\n", "k: >\n  x\n", "k: 'x\n", "k: \"x\n", "- |\n  x\n", "k:\n  - - >-\n        x\n", "k: [\"x\n"}) {
    std::string text = Repeat(std::string(head), "        [[a, {b: c}, ] } - x\n", 400'000);
    if (head.find('\'') != std::string_view::npos) text += "'";
    if (head.find('"') != std::string_view::npos) text += "\"";
    if (head.find('[') != std::string_view::npos) text += "]";
    BOOST_TEST(!Json(text).starts_with("error"), Json(text).substr(0, 100));
  }
  BOOST_TEST(!Json(Repeat("", "- [a, {b: [c]}]\n", 400'000)).starts_with("error"));
  BOOST_TEST(!Json(Repeat("k: [", "{a: b},\n ", 400'000) + "]").starts_with("error"));
}

BOOST_AUTO_TEST_CASE(yaml_is_written_as_sigs_k8s_io_yaml_does) {
  BOOST_TEST(
      Yaml(
          R"({"b":[1,{"x":"y","l":[[1,2],[]]}],"a":{"k":null,"e":{}},"s10":"yes","s9":"1","t":"a: b","m":"x\ny\n","o":"x\ny","d":"2020-01-01"})") ==
      "a:\n  e: {}\n  k: null\nb:\n- 1\n- l:\n  - - 1\n    - 2\n  - []\n  x: \"y\"\nd: \"2020-01-01\"\nm: |\n  x\n  y\n"
      "o: |-\n  x\n  y\ns9: \"1\"\ns10: \"yes\"\nt: 'a: b'\n");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::codec
