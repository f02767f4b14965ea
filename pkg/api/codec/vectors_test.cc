// Compares every byte with what upstream's own types and serializers wrote (ci/vectors).
#include <zlib.h>

#include <boost/test/unit_test.hpp>
#include <map>
#include <set>
#include <vector>

#include "pkg/api/codec/codec.h"
#include "pkg/api/codec/json_text.h"
#include "pkg/api/scheme/scheme.h"

namespace knarr::codec {
namespace {

using Line = std::vector<std::string>;

std::vector<Line> Read(const std::string& name) {
  const std::string path = "pkg/api/codec/testdata/vectors/" + name;
  gzFile file = gzopen(path.c_str(), "rb");
  BOOST_REQUIRE_MESSAGE(file != nullptr, path);
  std::string text;
  char buffer[1 << 16];
  for (int n = 0; (n = gzread(file, buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<size_t>(n));
  gzclose(file);
  std::vector<Line> lines(1, Line(1));
  for (const char c : text) {
    if (c == '\n') {
      lines.emplace_back(1);
    } else if (c == '\t') {
      lines.back().emplace_back();
    } else {
      lines.back().back().push_back(c);
    }
  }
  lines.pop_back();
  return lines;
}

std::string Bytes(const std::string& base64) {
  return DecodeBase64(base64).value();
}

std::unique_ptr<google::protobuf::Message> NewObject(std::string_view api_version, std::string_view kind) {
  auto object = scheme::New(api_version, kind);
  BOOST_REQUIRE_MESSAGE(object.ok(), object.status().message());
  return std::move(*object);
}

BOOST_AUTO_TEST_SUITE(codec_vectors)

BOOST_AUTO_TEST_CASE(objects_are_byte_equal_in_json_protobuf_and_yaml) {
  const std::vector<Line> lines = Read("objects.tsv.gz");
  BOOST_TEST(lines.size() > 500u);
  for (const Line& line : lines) {
    const EncodeOptions options{.api_version = line[0], .kind = line[1]};
    const std::string wire = Bytes(line[3]);
    BOOST_TEST_CONTEXT(line[0] << " " << line[1]) {
      const auto from_json = NewObject(line[0], line[1]);
      BOOST_TEST(DecodeJson(line[2], from_json.get()).message() == "ok");
      BOOST_TEST(EncodeJson(*from_json, options) == line[2]);
      BOOST_TEST((EncodeProtobuf(*from_json) == wire));
      const auto from_wire = NewObject(line[0], line[1]);
      BOOST_TEST(DecodeProtobuf(wire, from_wire.get()).message() == "ok");
      BOOST_TEST(EncodeJson(*from_wire, options) == line[2]);
      BOOST_TEST((EncodeProtobuf(*from_wire) == wire));
      if (line[4].empty()) continue;
      const std::string yaml = Bytes(line[4]);
      BOOST_TEST(EncodeYaml(*from_json, options) == yaml);
      const auto from_yaml = NewObject(line[0], line[1]);
      BOOST_TEST(DecodeYaml(yaml, from_yaml.get()).message() == "ok");
      BOOST_TEST(EncodeJson(*from_yaml, options) == line[2]);
    }
  }
}

BOOST_AUTO_TEST_CASE(objects_and_errors_decode_as_upstream) {
  for (const Line& line : Read("decodes.tsv.gz")) {
    const std::string input = Bytes(line[1]), json = Bytes(line[2]), error = Bytes(line[3]);
    BOOST_TEST_CONTEXT(input) {
      Document document;
      document.json = input;
      if (line[0] == "yaml") {
        const auto documents = SplitDocuments(input);
        BOOST_REQUIRE(documents.ok());
        document = documents->front();
      } else {
        const auto documents = SplitDocuments(input);
        if (documents.ok() && !documents->empty()) document = documents->front();
      }
      auto object = scheme::New(document.api_version, document.kind);
      if (!object.ok()) {
        BOOST_TEST(!error.empty());
        continue;
      }
      std::string ours(DecodeDocument(document, object->get()).message());
      // The line is ours.
      if (ours.starts_with("line ")) ours = ours.substr(ours.find(": ") + 2);
      BOOST_TEST(ours == (error.empty() ? "ok" : error));
      if (!json.empty())
        BOOST_TEST(EncodeJson(**object, {.api_version = document.api_version, .kind = document.kind}) == json);
    }
  }
}

BOOST_AUTO_TEST_CASE(yaml_and_json_convert_as_upstream) {
  for (const Line& line : Read("conversions.tsv.gz")) {
    const std::string input = Bytes(line[1]), output = Bytes(line[2]), error = Bytes(line[3]);
    BOOST_TEST_CONTEXT(line[0] << " [" << input << "]") {
      const Result<std::string> ours = line[0] == "to-json" ? YamlToJson(input) : JsonToYaml(input);
      if (!error.empty()) {
        BOOST_TEST(!ours.ok(), (ours.ok() ? *ours : "") << " but upstream: " << error);
        if (!ours.ok() && ours.status().message() != error)
          BOOST_TEST_MESSAGE("other words: " << ours.status().message() << " / " << error);
      } else {
        BOOST_TEST((ours.ok() ? *ours : std::string(ours.status().message())) == output);
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::codec
