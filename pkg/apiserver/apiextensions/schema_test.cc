#include "pkg/apiserver/apiextensions/schema.h"

#include <boost/test/unit_test.hpp>

namespace knarr::apiextensions {
namespace {

json::object Parse(const char* text) {
  return json::parse(text).as_object();
}

SchemaPtr Make(const char* text) {
  Result<SchemaPtr> schema = Schema::Compile(Parse(text));
  BOOST_REQUIRE(schema.ok());
  return *schema;
}

std::vector<std::string> Texts(const field::ErrorList& errors) {
  std::vector<std::string> texts;
  for (const field::FieldError& error : errors) texts.push_back(error.ToString());
  return texts;
}

void Check(const char* schema, const char* object, const std::vector<std::string>& expected) {
  BOOST_TEST(Texts(Make(schema)->Validate(Parse(object))) == expected, boost::test_tools::per_element());
}

std::vector<std::string> Refused(const char* schema, bool status = false) {
  return Texts(ValidateSchema(Parse(schema), field::Path("s"), status));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(schema)

BOOST_AUTO_TEST_CASE(types_are_checked_in_upstreams_words) {
  Check(R"({"type":"object","properties":{"spec":{"type":"object","properties":{
            "replicas":{"type":"integer"},"name":{"type":"string"},"port":{"x-kubernetes-int-or-string":true},
            "ratio":{"type":"number"},"on":{"type":"boolean","nullable":true}}}}})",
        R"({"spec":{"replicas":"three","name":7,"port":true,"ratio":2,"on":null}})",
        {"spec.replicas: Invalid value: \"string\": spec.replicas in body must be of type integer: \"string\"",
         "spec.name: Invalid value: \"integer\": spec.name in body must be of type string: \"integer\"",
         "spec.port: Invalid value: \"boolean\": spec.port in body must be of type integer,string: \"boolean\""});
  Check(R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"},"c":{"type":"string"}}})",
        R"({"a":3.0,"b":3.5,"c":null})",
        {"b: Invalid value: \"number\": b in body must be of type integer: \"number\"",
         "c: Invalid value: \"null\": c in body must be of type string: \"null\""});
}

BOOST_AUTO_TEST_CASE(values_are_checked_in_upstreams_words) {
  Check(R"({"type":"object","properties":{"spec":{"type":"object","required":["must","here"],"properties":{
            "enum":{"type":"string","enum":["a","b"]},"pattern":{"type":"string","pattern":"^[a-z]+$"},
            "short":{"type":"string","minLength":3},"long":{"type":"string","maxLength":2},
            "low":{"type":"integer","minimum":1},"high":{"type":"integer","maximum":10,"exclusiveMaximum":true},
            "multiple":{"type":"number","multipleOf":0.5},"here":{"type":"string"},
            "ip":{"type":"string","format":"ipv4"},
            "few":{"type":"array","minItems":2,"items":{"type":"integer"}},
            "many":{"type":"array","maxItems":1,"items":{"type":"integer"}},
            "props":{"type":"object","maxProperties":1,"additionalProperties":{"type":"string"}},
            "map":{"type":"object","additionalProperties":{"type":"string"}}}}}})",
        R"({"spec":{"enum":"c","pattern":"A1","short":"é","long":"ééé","low":0,"high":10,"multiple":1.25,"here":"",
            "ip":"1.2.3","few":[1],"many":[1,"x"],"props":{"a":"","b":""},"map":{"k":1}}})",
        {
            "spec.enum: Unsupported value: \"c\": supported values: \"a\", \"b\"",
            "spec.pattern: Invalid value: \"A1\": spec.pattern in body should match '^[a-z]+$'",
            "spec.short: Invalid value: \"é\": spec.short in body should be at least 3 chars long",
            "spec.long: Too long: may not be more than 2 bytes",
            "spec.low: Invalid value: 0: spec.low in body should be greater than or equal to 1",
            "spec.high: Invalid value: 10: spec.high in body should be less than 10",
            "spec.multiple: Invalid value: 1.25: spec.multiple in body should be a multiple of 0.5",
            "spec.ip: Invalid value: \"1.2.3\": spec.ip in body must be of type ipv4: \"1.2.3\"",
            "spec.few: Invalid value: 1: spec.few in body should have at least 2 items",
            "spec.many[1]: Invalid value: \"string\": spec.many[1] in body must be of type integer: \"string\"",
            "spec.many: Too many: 2: must have at most 1 items",
            "spec.props: Too many: 2: must have at most 1 items",
            "spec.map.k: Invalid value: \"integer\": spec.map.k in body must be of type string: \"integer\"",
            "spec.must: Required value",
        });
  Check(R"({"type":"object","required":["spec"]})", "{}", {"spec: Required value"});
}

BOOST_AUTO_TEST_CASE(combinations_name_what_failed) {
  const char* const one_of = R"({"type":"object","properties":{"spec":{"type":"object",
      "oneOf":[{"required":["a"]},{"required":["b"]}],"properties":{"a":{"type":"string"},"b":{"type":"string"}}}}})";
  Check(one_of, R"({"spec":{"a":""}})", {});
  Check(one_of, R"({"spec":{"a":"","b":""}})",
        {"<nil>: Invalid value: \"\": \"spec\" must validate one and only one schema (oneOf). Found 2 valid "
         "alternatives"});
  Check(one_of, R"({"spec":{}})",
        {"<nil>: Invalid value: \"\": \"spec\" must validate one and only one schema (oneOf). Found none valid",
         "spec.a: Required value"});
  Check(R"({"type":"object","properties":{"x":{"type":"integer","anyOf":[{"minimum":10},{"maximum":1}]},
            "y":{"type":"integer","allOf":[{"minimum":1},{"maximum":3}]},"z":{"type":"integer","not":{"enum":[5]}}}})",
        R"({"x":5,"y":7,"z":5})",
        {"<nil>: Invalid value: \"\": \"x\" must validate at least one schema (anyOf)",
         "x: Invalid value: 5: x in body should be greater than or equal to 10",
         "y: Invalid value: 7: y in body should be less than or equal to 3",
         "<nil>: Invalid value: \"\": \"y\" must validate all the schemas (allOf)",
         "<nil>: Invalid value: \"\": \"z\" must not validate the schema (not)"});
}

BOOST_AUTO_TEST_CASE(lists_that_are_sets_or_maps_have_no_duplicates) {
  Check(
      R"({"type":"object","properties":{"set":{"type":"array","x-kubernetes-list-type":"set","items":{"type":"string"}},
            "map":{"type":"array","x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["k"],
                   "items":{"type":"object","properties":{"k":{"type":"string"},"v":{"type":"integer"}}}}}})",
      R"({"set":["a","b","a","a"],"map":[{"k":"x","v":1},{"k":"y"},{"k":"x","v":2}]})",
      {"set[2]: Duplicate value: \"a\"", "map[2]: Duplicate value: map[string]interface {}{\"k\":\"x\"}"});
}

BOOST_AUTO_TEST_CASE(embedded_resources_need_their_type) {
  Check(R"({"type":"object","properties":{"t":{"type":"object","x-kubernetes-embedded-resource":true,
            "x-kubernetes-preserve-unknown-fields":true}}})",
        R"({"t":{"apiVersion":""}})",
        {"t.apiVersion: Invalid value: \"\": must not be empty", "t.kind: Required value: must not be empty"});
}

BOOST_AUTO_TEST_CASE(values_that_did_not_change_are_not_looked_at_again) {
  const SchemaPtr schema = Make(
      R"({"type":"object","properties":{"spec":{"type":"object","properties":{"a":{"type":"string","maxLength":1},
          "b":{"type":"string","maxLength":1}}}}})");
  const json::object old = Parse(R"({"spec":{"a":"long","b":"x"}})");
  BOOST_TEST(schema->Validate(Parse(R"({"spec":{"a":"long","b":"y"}})"), &old).empty());
  BOOST_TEST(Texts(schema->Validate(Parse(R"({"spec":{"a":"long","b":"yy"}})"), &old)) ==
                 std::vector<std::string>{"spec.b: Too long: may not be more than 1 bytes"},
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(unknown_fields_are_pruned) {
  const SchemaPtr schema = Make(R"({"type":"object","properties":{
      "spec":{"type":"object","properties":{"a":{"type":"string"},
        "list":{"type":"array","items":{"type":"object","properties":{"x":{"type":"string"}}}},
        "map":{"type":"object","additionalProperties":{"type":"object","properties":{"y":{"type":"string"}}}},
        "free":{"type":"object","x-kubernetes-preserve-unknown-fields":true,
                "properties":{"strict":{"type":"object","properties":{"z":{"type":"string"}}}}},
        "pod":{"type":"object","x-kubernetes-embedded-resource":true,"properties":{"spec":{"type":"object"}}}}}}})");
  json::object object = Parse(R"({"apiVersion":"v1","kind":"K","metadata":{"name":"n"},"extra":1,
      "spec":{"a":"1","b":2,"list":[{"x":"1","q":1}],"map":{"k":{"y":"1","q":1}},
              "free":{"any":{"thing":1},"strict":{"z":"1","q":1}},
              "pod":{"apiVersion":"v1","kind":"Pod","metadata":{"labels":{}},"status":{},"spec":{"q":1}}}})");
  std::vector<std::string> unknown;
  schema->Prune(object, &unknown);
  BOOST_TEST((object == Parse(R"({"apiVersion":"v1","kind":"K","metadata":{"name":"n"},
      "spec":{"a":"1","list":[{"x":"1"}],"map":{"k":{"y":"1"}},
              "free":{"any":{"thing":1},"strict":{"z":"1"}},
              "pod":{"apiVersion":"v1","kind":"Pod","metadata":{"labels":{}},"spec":{}}}})")));
  std::sort(unknown.begin(), unknown.end());
  const std::vector<std::string> expected = {"extra",        "spec.b",          "spec.free.strict.q", "spec.list[0].q",
                                             "spec.map.k.q", "spec.pod.spec.q", "spec.pod.status"};
  BOOST_TEST(unknown == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(defaults_are_filled_in_and_nulls_dropped) {
  const SchemaPtr schema = Make(R"({"type":"object","properties":{
      "spec":{"type":"object","default":{},"properties":{
        "a":{"type":"string","default":"x"},"n":{"type":"string"},"nullable":{"type":"string","nullable":true,"default":"x"},
        "list":{"type":"array","items":{"type":"object","properties":{"p":{"type":"string","default":"TCP"}}}}}}}})");
  json::object object;
  schema->Default(object);
  BOOST_TEST((object == Parse(R"({"spec":{"a":"x","nullable":"x"}})")));
  object = Parse(R"({"spec":{"a":null,"n":null,"nullable":null,"list":[{},{"p":"UDP"}]}})");
  schema->Default(object);
  BOOST_TEST((object == Parse(R"({"spec":{"a":"x","nullable":null,"list":[{"p":"TCP"},{"p":"UDP"}]}})")));
  const json::object once = object;
  schema->Default(object);
  BOOST_TEST((object == once));
}

BOOST_AUTO_TEST_CASE(schemas_that_are_not_structural_are_refused) {
  const auto check = [](const char* schema, const std::vector<std::string>& expected, bool status = false) {
    BOOST_TEST(Refused(schema, status) == expected, boost::test_tools::per_element());
  };
  check(R"({"type":"object","properties":{"spec":{"type":"object"}}})", {});
  check(R"({"properties":{"a":{},"l":{"type":"array"}}})",
        {"s.properties[a].type: Required value: must not be empty for specified object fields",
         "s.properties[l].items: Required value: must be specified",
         "s.type: Required value: must not be empty at the root"});
  check(
      R"({"type":"object","properties":{"a":{"type":"string","x-kubernetes-list-type":"map","$ref":"#/x"},
            "metadata":{"type":"object","properties":{"labels":{"type":"object"}}},"b":{"type":"text"}}})",
      {"s.properties[a].$ref: Forbidden: $ref is not supported",
       "s.properties[a].type: Invalid value: \"string\": must be array if x-kubernetes-list-type is specified",
       "s.properties[a].x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map",
       "s.properties[a].items: Required value: must have a schema if x-kubernetes-list-type is map",
       "s.properties[b].type: Unsupported value: \"text\": supported values: \"array\", \"boolean\", \"integer\", "
       "\"number\", \"object\", \"string\"",
       "s.properties[metadata]: Forbidden: must not specify anything other than name and generateName, but metadata "
       "is implicitly specified"});
  check(R"({"type":"object","anyOf":[{"properties":{"b":{"type":"string"}}}],"properties":{"a":{"type":"integer",
            "pattern":"("}}})",
        {"s.anyOf[0].properties[b].type: Forbidden: must be empty to be structural",
         "s.properties[a].pattern: Invalid value: \"(\": must be a valid regular expression, but isn't: error parsing "
         "regexp: missing ): (",
         "s.properties[b]: Required value: because it is defined in s.anyOf[0].properties[b]"});
  check(R"({"type":"object","properties":{"a":{"type":"integer","default":"x"}}})",
        {"s.properties[a].default: Invalid value: \"string\": s.properties[a].default in body must be of type integer: "
         "\"string\""});
  check(R"({"type":"object","properties":{"p":{"x-kubernetes-int-or-string":true,
            "anyOf":[{"type":"integer"},{"type":"string"}]}}})",
        {});
}

BOOST_AUTO_TEST_CASE(deep_schemas_and_slow_ones_are_bounded) {
  std::string deep;
  for (int i = 0; i < 200; ++i) deep += R"({"type":"array","items":)";
  deep += "{}" + std::string(200, '}');
  json::parse_options options;
  options.max_depth = 300;
  const json::object props = json::parse(deep, {}, options).as_object();
  BOOST_TEST(!Schema::Compile(props).ok());
  BOOST_TEST(ValidateSchema(props, field::Path("s"), false).size() == 1u);
}

BOOST_AUTO_TEST_CASE(paths_lead_to_values) {
  const json::object object = Parse(R"({"spec":{"a.b":1,"list":[{"x":1},{"x":2}]},
      "status":{"conditions":[{"type":"Ready","status":"False"},{"type":"Synced","status":"True"}]}})");
  const auto find = [&object](const char* text) {
    const Result<JsonPath> path = JsonPath::Parse(text);
    if (!path.ok()) return std::string(path.status().message());
    const json::value* value = path->Find(object);
    return value ? json::serialize(*value) : "none";
  };
  BOOST_TEST(find(".spec['a.b']") == "1");
  BOOST_TEST(find(".spec.a\\.b") == "1");
  BOOST_TEST(find(".spec.list[1].x") == "2");
  BOOST_TEST(find(".spec.list[-1].x") == "2");
  BOOST_TEST(find(".spec.list[*].x") == "1");
  BOOST_TEST(find(".spec.list[7].x") == "none");
  BOOST_TEST(find(".status.conditions[?(@.type==\"Synced\")].status") == "\"True\"");
  BOOST_TEST(find(".status.conditions[?(@.type != 'Ready')].type") == "\"Synced\"");
  BOOST_TEST(find(".status.phase") == "none");
  BOOST_TEST(find(".spec.list[x]") == "is an invalid json path: invalid array index x");
  BOOST_TEST(find(".spec..x") == "is an invalid json path: recursive descent is not supported");
  json::object changed = object;
  BOOST_TEST(JsonPath::Parse(".spec.scale.replicas")->Set(changed, 3));
  BOOST_TEST(json::serialize(changed["spec"].at("scale")) == R"({"replicas":3})");
  BOOST_TEST(!JsonPath::Parse(".spec.list.replicas")->Set(changed, 3));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace knarr::apiextensions
