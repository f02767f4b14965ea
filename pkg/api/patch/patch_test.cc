#include "pkg/api/patch/patch.h"

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>

#include "pkg/api/patch/json_patch.h"
#include "pkg/api/patch/tree.h"

namespace knarr::patch {
namespace {
namespace json = boost::json;

std::string Text(json::value value) {
  SortMembers(value);
  return json::serialize(value);
}

std::string Patched(std::string_view document, std::string_view patch, const Limits& limits = {}) {
  json::value tree = json::parse(JsonView(document));
  const Status status = RunJsonPatch(tree, json::parse(JsonView(patch)), limits);
  return status.ok() ? Text(std::move(tree)) : std::string(status.message());
}
std::string Merged(std::string_view document, std::string_view patch) {
  json::value tree = json::parse(JsonView(document));
  ApplyMergePatch(tree, json::parse(JsonView(patch)));
  return Text(std::move(tree));
}
Status Strategic(std::string_view type, json::value& tree, std::string_view patch) {
  return ApplyStrategicMergePatch(tree.as_object(), json::parse(JsonView(patch)).as_object(), *SchemaOf(type));
}
std::string Strategic(std::string_view type, std::string_view document, std::string_view patch) {
  json::value tree = json::parse(JsonView(document));
  const Status status = Strategic(type, tree, patch);
  return status.ok() ? Text(std::move(tree)) : std::string(status.message());
}

constexpr std::string_view kPod = "k8s.io.api.core.v1.Pod";

BOOST_AUTO_TEST_SUITE(patch)

BOOST_AUTO_TEST_CASE(json_patch_operations) {
  BOOST_TEST(Patched(R"({"a":[1,2]})", R"([{"op":"add","path":"/a/1","value":9}])") == R"({"a":[1,9,2]})");
  BOOST_TEST(Patched(R"({"a":[1,2]})", R"([{"op":"add","path":"/a/-","value":9}])") == R"({"a":[1,2,9]})");
  BOOST_TEST(Patched(R"({"a":{"b":1}})", R"([{"op":"move","from":"/a/b","path":"/c"}])") == R"({"a":{},"c":1})");
  BOOST_TEST(Patched(R"({"a":{"b":1}})", R"([{"op":"copy","from":"/a","path":"/a/c"}])") ==
             R"({"a":{"b":1,"c":{"b":1}}})");
  BOOST_TEST(Patched(R"({"a/b":1,"m~n":2})", R"([{"op":"remove","path":"/a~1b"},{"op":"replace","path":"/m~0n",)"
                                             R"("value":3}])") == R"({"m~n":3})");
}

BOOST_AUTO_TEST_CASE(test_compares_numbers_by_value) {
  const auto same = [](std::string_view a, std::string_view b) {
    return Patched(fmt::format(R"({{"a":{}}})", a), fmt::format(R"([{{"op":"test","path":"/a","value":{}}}])", b)) ==
           Text(json::parse(fmt::format(R"({{"a":{}}})", a)));
  };
  BOOST_TEST(same("1", "1.0"));
  BOOST_TEST(same("1e2", "100"));
  BOOST_TEST(same(R"({"x":[1,{"y":2}]})", R"({"x":[1.0,{"y":2}]})"));
  BOOST_TEST(!same("9007199254740993", "9007199254740992.0"));
  BOOST_TEST(!same("18446744073709551615", "-1"));
  BOOST_TEST(same("18446744073709551615", "18446744073709551615"));
  BOOST_TEST(!same("1", R"("1")"));
  BOOST_TEST(!same(R"({"x":1})", R"({"x":1,"y":1})"));
}

BOOST_AUTO_TEST_CASE(json_patch_failures_are_answered_as_upstream_does) {
  json::value tree = json::parse(R"({"a":1})");
  const Status refused = ApplyJsonPatch(tree, json::parse(R"([{"op":"remove","path":"/b"}])"));
  BOOST_TEST((refused.code() == Code::kInvalid));
  BOOST_TEST(refused.message() == "the server rejected our request due to an error in our request");
  BOOST_TEST(refused.details() != nullptr);
  const Status shape = ApplyJsonPatch(tree, json::parse(R"({"op":"remove"})"));
  BOOST_TEST((shape.code() == Code::kBadRequest));
  BOOST_TEST(shape.message() ==
             "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp");
  const Status op = ApplyJsonPatch(tree, json::parse(R"([{"op":1}])"));
  BOOST_TEST(op.message() ==
             "error decoding patch: json: cannot unmarshal number into Go struct field jsonPatchOp.op of type string");
  const Status many = ApplyJsonPatch(tree, json::parse(R"([{},{},{}])"), {.operations = 2});
  BOOST_TEST((many.code() == Code::kRequestEntityTooLarge));
  BOOST_TEST(many.message() == "The allowed maximum operations in a JSON patch is 2, got 3");
}

BOOST_AUTO_TEST_CASE(json_patch_is_bounded) {
  std::string doubling = "[";
  for (int i = 0; i < 64; ++i) doubling += fmt::format(R"({{"op":"copy","from":"/a","path":"/a/{}"}},)", i);
  doubling.back() = ']';
  BOOST_TEST(Patched(R"({"a":{"x":"yyyyyyyy"}})", doubling, {.result_bytes = 1000, .max_depth = 64})
                 .starts_with("Unable to complete the copy, the accumulated size increase of copy is "));
  BOOST_TEST(Patched(R"({"a":{"x":"yyyyyyyy"}})", doubling, {.max_depth = 6}) ==
             "the document would be nested deeper than 6 levels");
  std::string deeper = R"([{"op":"add","path":"/b","value":{}})";
  for (int i = 0; i < 40; ++i) {
    deeper += R"(,{"op":"move","from":"/a","path":"/b/a"},{"op":"move","from":"/b","path":"/a"},)"
              R"({"op":"add","path":"/b","value":{}})";
  }
  BOOST_TEST(Patched(R"({"a":{}})", deeper + "]", {.max_depth = 20}) ==
             "the document would be nested deeper than 20 levels");
}

BOOST_AUTO_TEST_CASE(merge_patch) {
  BOOST_TEST(Merged(R"({"a":"b","c":{"d":"e","f":"g"}})", R"({"a":"z","c":{"f":null}})") ==
             R"({"a":"z","c":{"d":"e"}})");
  BOOST_TEST(Merged(R"({"a":[1,2]})", R"({"a":[{"x":null}]})") == R"({"a":[{}]})");
  BOOST_TEST(Merged(R"({})", R"({"a":{"b":{"c":null}}})") == R"({"a":{"b":{}}})");
  BOOST_TEST(Merged(R"({"a":1})", R"(["c"])") == R"(["c"])");
}

BOOST_AUTO_TEST_CASE(a_strategic_patch_merges_lists_by_their_keys) {
  BOOST_TEST(Strategic(kPod, R"({"spec":{"containers":[{"name":"a","image":"1"},{"name":"b"}]}})",
                       R"({"spec":{"containers":[{"name":"c"},{"name":"a","image":"2"}]}})") ==
             R"({"spec":{"containers":[{"name":"c"},{"image":"2","name":"a"},{"name":"b"}]}})");
  BOOST_TEST(Strategic(kPod, R"({"spec":{"containers":[{"name":"a","args":["x","y"]}]}})",
                       R"({"spec":{"containers":[{"name":"a","args":["z"]}]}})") ==
             R"({"spec":{"containers":[{"args":["z"],"name":"a"}]}})");
  BOOST_TEST(Strategic(kPod, R"({"spec":{"containers":[{"name":"a"}]}})",
                       R"({"spec":{"containers":[{"value":"x","n":1.5}]}})") ==
             "map: map[n:1.5 value:x] does not contain declared merge key: name");
}

BOOST_AUTO_TEST_CASE(strategic_errors_have_upstreams_codes) {
  const auto code = [](std::string_view document, std::string_view patch) {
    json::value tree = json::parse(JsonView(document));
    return Strategic(kPod, tree, patch).code();
  };
  constexpr std::string_view kDocument = R"({"metadata":{"finalizers":["a"],"labels":{"a":"b"}}})";
  BOOST_TEST((code(kDocument, R"({"metadata":{"$deleteFromPrimitiveList":["b"]}})") == Code::kBadRequest));
  BOOST_TEST((code(kDocument, R"({"metadata":{"$setElementOrder":["b"]}})") == Code::kBadRequest));
  BOOST_TEST((code(kDocument, R"({"metadata":{"$retainKeys":1}})") == Code::kBadRequest));
  BOOST_TEST((code(R"({"metadata":{"finalizers":[[]]}})", R"({"metadata":{"finalizers":["b"]}})") == Code::kInvalid));
  BOOST_TEST((code(kDocument, R"({"metadata":{"labels":{"$patch":"x"}}})") == Code::kUnknown));
}

BOOST_AUTO_TEST_CASE(schemas_of_generated_types) {
  const MergeSchema* pod = SchemaOf(kPod);
  BOOST_TEST_REQUIRE(pod != nullptr);
  BOOST_TEST(SchemaOf("k8s.io.api.core.v1.Nothing") == nullptr);
  BOOST_TEST(pod->name() == "Pod");
  BOOST_TEST(pod->Find("kind") != nullptr);
  BOOST_TEST(pod->Find("nothing") == nullptr);
  const auto* containers = pod->Find("spec")->type->Find("containers");
  BOOST_TEST_REQUIRE(containers != nullptr);
  BOOST_TEST((containers->is_list && containers->list_of_objects && containers->merge));
  BOOST_TEST(containers->merge_key == "name");
  // VolumeSource is inlined.
  const auto* volumes = pod->Find("spec")->type->Find("volumes");
  BOOST_TEST((volumes->merge && volumes->retain_keys));
  BOOST_TEST(volumes->type->Find("emptyDir") != nullptr);
  const auto* finalizers = pod->Find("metadata")->type->Find("finalizers");
  BOOST_TEST((finalizers->is_list && finalizers->merge && !finalizers->list_of_objects));
  // Maps and scalars have no fields.
  BOOST_TEST(pod->Find("metadata")->type->Find("labels")->type == nullptr);
  BOOST_TEST(pod->Find("metadata")->type->Find("creationTimestamp")->type == nullptr);
}

BOOST_AUTO_TEST_CASE(members_are_sorted_at_every_level) {
  json::value tree = json::parse(R"({"b":[{"z":1,"y":2}],"a":{"d":null,"c":{}}})");
  SortMembers(tree);
  BOOST_TEST(json::serialize(tree) == R"({"a":{"c":{},"d":null},"b":[{"y":2,"z":1}]})");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::patch
