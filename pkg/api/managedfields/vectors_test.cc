// Compares with upstream's field manager (ci/vectors/managedfields): schemas of all types, sets of objects, sequences
// of updates and applies.
#include <zlib.h>

#include <boost/test/unit_test.hpp>
#include <set>
#include <sstream>

#include "pkg/api/managedfields/fieldset.h"
#include "pkg/api/managedfields/managedfields.h"
#include "pkg/api/managedfields/typed.h"
#include "pkg/api/patch/patch.h"
#include "pkg/api/patch/tree.h"

namespace knarr::managedfields {
namespace {
namespace json = boost::json;

using Line = std::vector<std::string>;
using patch::JsonView;
using patch::View;

std::vector<Line> Read(const std::string& name) {
  const std::string path = "pkg/api/managedfields/testdata/vectors/" + name;
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

json::value Parse(const std::string& text) {
  json::parse_options options;
  options.max_depth = 128;
  return json::parse(text, {}, options);
}

const TypeSchema* Schema(const std::string& message) {
  const TypeSchema* schema = SchemaOf(message);
  BOOST_REQUIRE_MESSAGE(schema != nullptr, message);
  return schema;
}

// In the words of the generator's describe().
std::string Describe(const TypeSchema& schema) {
  const TypeSchema::Info& info = schema.info();
  using Kind = TypeSchema::Kind;
  std::string out;
  switch (info.kind) {
    case Kind::kAtomic: return "atomic";
    case Kind::kUntyped: return "untyped";
    case Kind::kScalar: {
      constexpr const char* kNames[] = {"untyped", "numeric", "string", "boolean"};
      return kNames[static_cast<int>(info.scalar)];
    }
    case Kind::kStruct: return info.atomic ? "struct atomic" : "struct";
    case Kind::kMap: return "map of (" + Describe(*info.element) + ")" + (info.atomic ? " atomic" : "");
    case Kind::kList: return "list of (" + Describe(*info.element) + ")";
    case Kind::kSet: return "set of (" + Describe(*info.element) + ")";
    case Kind::kAssociativeList: {
      out = "list of (" + Describe(*info.element) + ")";
      for (const std::string& key : info.keys) {
        out += " " + key;
        for (const auto& [name, value] : info.key_defaults) {
          if (name == key) out += "=" + value;
        }
      }
      return out;
    }
  }
  return out;
}

BOOST_AUTO_TEST_SUITE(managedfields_vectors)

BOOST_AUTO_TEST_CASE(schemas_are_those_of_upstreams_client_library) {
  int compared = 0;
  for (const Line& line : Read("schemas.tsv.gz")) {
    const TypeSchema* schema = SchemaOf(line[0]);
    if (schema == nullptr) continue;  // groups without a .proto
    BOOST_TEST_CONTEXT(line[0]) {
      BOOST_TEST(schema->info().atomic == (line[1] == "true"));
      for (size_t i = 2; i + 1 < line.size(); i += 2) {
        const TypeSchema* field = schema->Field(line[i]);
        // Names of structs are not part of a schema.
        std::string wanted;
        std::istringstream words(line[i + 1]);
        for (std::string word; words >> word;) {
          std::string_view bare = word;
          const size_t at = bare.find("io.k8s.");
          if (at != std::string_view::npos) {
            wanted += std::string(bare.substr(bare.find_last_not_of(')') + 1));
            continue;
          }
          wanted += (wanted.empty() ? "" : " ") + word;
        }
        BOOST_TEST((field != nullptr), line[i]);
        if (field == nullptr) continue;
        BOOST_TEST(Describe(*field) == wanted, line[i] << ": " << Describe(*field) << " is not " << line[i + 1]);
        ++compared;
      }
    }
  }
  BOOST_TEST(compared > 3000);
}

BOOST_AUTO_TEST_CASE(sets_are_written_byte_by_byte_as_upstream_writes_them) {
  for (const Line& line : Read("sets.tsv.gz")) {
    BOOST_TEST_CONTEXT(line[1]) {
      const TypeSchema* schema = Schema(line[0]);
      const json::value tree = Parse(line[1]);
      BOOST_TEST(Validate(*schema, tree, true).message() == "ok");
      const Set set = ToFieldSet(*schema, tree);
      BOOST_TEST(json::serialize(set.Encode()) == line[2]);
      const auto decoded = Set::Decode(Parse(line[2]));
      BOOST_TEST_REQUIRE(decoded.ok());
      BOOST_TEST((*decoded == set));
      const json::value paths = Parse(line[3]);
      std::vector<std::string> wanted;
      for (const json::value& path : paths.as_array()) {
        if (path.as_string() != "") wanted.emplace_back(View(path.as_string()));
      }
      std::vector<std::string> got;
      set.ForEach([&](const Path& path) { got.push_back(ToString(path)); });
      BOOST_TEST(got == wanted, boost::test_tools::per_element());
    }
  }
}

Request RequestOf(const Line& line) {
  Request request;
  request.manager = line[3];
  request.api_version = line[2];
  request.subresource = line[4];
  request.force = line[0] == "force";
  request.now = WallTime(std::chrono::seconds(std::stoll(line[6])));
  std::istringstream resets(line[5]);
  for (std::string path; resets >> path;) request.reset_fields.push_back(path);
  request.convert = [](const json::object& tree, std::string_view version) -> Result<json::object> {
    if (version.ends_with("v0")) return Error(Code::kNotFound, "no version {}", version);
    json::object out = tree;
    out["apiVersion"] = JsonView(version);
    return out;
  };
  return request;
}

BOOST_AUTO_TEST_CASE(operations_give_upstreams_objects_conflicts_and_errors) {
  std::map<std::string, int> seen;
  for (const Line& line : Read("operations.tsv.gz")) {
    const TypeSchema* schema = Schema(line[1]);
    const Request request = RequestOf(line);
    json::value live = line[7].empty() ? json::value() : Parse(line[7]);
    // The server converts what it has to the version of the request.
    if (live.is_object()) live.as_object()["apiVersion"] = JsonView(request.api_version);
    const json::object* before = live.if_object();
    json::value object = Parse(line[8]);
    Status status;
    if (line[0] == "update") {
      status = Update(*schema, before, object.as_object(), request);
    } else {
      auto result = Apply(*schema, before, object.as_object(), request);
      status = result.status();
      if (result.ok()) object = std::move(*result);
    }
    BOOST_TEST_CONTEXT(line[0] << " " << line[3] << " " << line[2] << " sub " << line[4] << " reset " << line[5]
                               << "\nlive   " << line[7] << "\nobject " << line[8]) {
      if (line[10].empty()) {
        BOOST_TEST(status.message() == "ok");
        if (!status.ok()) continue;
        // A subset of the defaults of an empty object is not printed.
        json::value wanted = Parse(line[9]);
        BOOST_TEST(
            patch::Equal(object, wanted), "\ngot    " << [&] {
              patch::SortMembers(object);
              return json::serialize(object);
            }() << "\nwanted " << line[9]);
        ++seen[line[0]];
        continue;
      }
      const std::string wanted = json::value_to<std::string>(Parse(line[10]));
      // Where several things are wrong, upstream names them in the order of a Go map.
      const bool several = wanted.find("errors:\n") != std::string::npos;
      BOOST_TEST((several ? !status.ok() : status.message() == wanted), status.message() << "\nis not\n" << wanted);
      if (!line[11].empty()) {
        BOOST_TEST((status.code() == (wanted.starts_with("Apply failed") ? Code::kConflict : Code::kBadRequest)));
        const json::value causes = Parse(line[11]);
        std::multiset<std::string> expected, got;
        if (causes.is_array()) {
          for (const json::value& cause : causes.as_array()) {
            expected.insert(json::value_to<std::string>(cause.at("message")) + " " +
                            json::value_to<std::string>(cause.at("field")));
          }
        }
        if (status.details()) {
          for (const StatusCause& cause : status.details()->causes) got.insert(cause.message + " " + cause.field);
        }
        BOOST_TEST(got == expected, boost::test_tools::per_element());
      }
      ++seen["refused"];
    }
  }
  BOOST_TEST(seen["update"] > 300);
  BOOST_TEST(seen["apply"] > 100);
  BOOST_TEST(seen["force"] > 80);
  BOOST_TEST(seen["refused"] > 80);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::managedfields
