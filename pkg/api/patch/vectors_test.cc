// Compares with what the libraries of upstream's API server make of the same documents and patches (ci/vectors/patch).
#include <zlib.h>

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>
#include <map>
#include <string>
#include <vector>

#include "pkg/api/patch/json_patch.h"
#include "pkg/api/patch/patch.h"
#include "pkg/api/patch/tree.h"

namespace knarr::patch {
namespace {
namespace json = boost::json;

using Line = std::vector<std::string>;

std::vector<Line> Read() {
  gzFile file = gzopen("pkg/api/patch/testdata/vectors/patches.tsv.gz", "rb");
  BOOST_REQUIRE(file != nullptr);
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

json::value Parse(const std::string& text) {
  json::parse_options options;
  options.max_depth = 128;
  return json::parse(text, {}, options);
}

BOOST_AUTO_TEST_SUITE(patch_vectors)

BOOST_AUTO_TEST_CASE(patches_do_what_they_do_upstream) {
  std::map<std::string, int> seen;
  for (const Line& line : Read()) {
    BOOST_TEST_REQUIRE(line.size() == 6u);
    json::value document = Parse(line[2]);
    const json::value patch = Parse(line[3]);
    Status status;
    if (line[0] == "json") {
      status = RunJsonPatch(document, patch, {});
    } else if (line[0] == "merge") {
      ApplyMergePatch(document, patch);
    } else {
      const MergeSchema* schema = SchemaOf(line[1]);
      BOOST_TEST_REQUIRE(schema != nullptr);
      status = ApplyStrategicMergePatch(document.as_object(), patch.as_object(), *schema);
    }
    BOOST_TEST_CONTEXT(line[0] << " " << line[1] << "\n" << line[2] << "\n" << line[3]) {
      if (!line[4].empty()) {
        BOOST_TEST(status.message() == "ok");
        const json::value wanted = Parse(line[4]);
        BOOST_TEST(Equal(document, wanted), json::serialize(document) << "\nis not\n" << line[4]);
        ++seen[line[0] + " done"];
      } else {
        BOOST_TEST(!status.ok());
        if (!line[5].empty() && status.code() != Code::kInvalid) {
          BOOST_TEST(status.message() == std::string_view(json::value_to<std::string>(Parse(line[5]))));
        }
        ++seen[line[0] + " refused"];
      }
    }
  }
  BOOST_TEST(seen["json done"] > 600);
  BOOST_TEST(seen["json refused"] > 500);
  BOOST_TEST(seen["merge done"] > 500);
  BOOST_TEST(seen["strategic done"] > 900);
  BOOST_TEST(seen["strategic refused"] > 100);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::patch
