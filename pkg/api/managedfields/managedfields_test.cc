#include "pkg/api/managedfields/managedfields.h"

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>

#include "pkg/api/managedfields/fieldset.h"
#include "pkg/api/patch/patch.h"

namespace knarr::managedfields {
namespace {
namespace json = boost::json;

json::object Parse(std::string_view text) {
  return json::parse({text.data(), text.size()}).as_object();
}

Request By(std::string manager, int64_t seconds = 1'600'000'000, std::string version = "apps/v1") {
  Request request;
  request.manager = std::move(manager);
  request.api_version = std::move(version);
  request.now = WallTime(std::chrono::seconds(seconds));
  return request;
}

const TypeSchema& Deployment() {
  return *SchemaOf("k8s.io.api.apps.v1.Deployment");
}

json::object Entries(const json::object& object) {
  json::object out;
  const json::value* list = object.at("metadata").as_object().if_contains("managedFields");
  if (list == nullptr) return out;
  for (const json::value& entry : list->as_array()) {
    out[std::string(entry.at("manager").as_string()) + " " + std::string(entry.at("operation").as_string())] =
        json::object{{"time", entry.as_object().contains("time") ? entry.at("time") : json::value()},
                     {"fields", json::serialize(entry.at("fieldsV1"))}};
  }
  return out;
}
std::string Fields(const json::object& object, const char* who) {
  const json::object entries = Entries(object);
  const json::value* entry = entries.if_contains(who);
  return entry ? std::string(entry->at("fields").as_string()) : "none";
}
std::string Time(const json::object& object, const char* who) {
  const json::object entries = Entries(object);
  const json::value* entry = entries.if_contains(who);
  return entry && entry->at("time").is_string() ? std::string(entry->at("time").as_string()) : "none";
}

constexpr std::string_view kDeployment =
    R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"default","uid":"1",)"
    R"("labels":{"app":"web"}},"spec":{"replicas":3,"template":{"spec":{"containers":[{"name":"c","image":"i"}]}}}})";

BOOST_AUTO_TEST_SUITE(managedfields)

BOOST_AUTO_TEST_CASE(a_create_is_tracked_with_the_fields_that_it_sets) {
  json::object object = Parse(kDeployment);
  object["metadata"].as_object().erase("uid");
  BOOST_TEST(Update(Deployment(), nullptr, object, By("kubectl")).ok());
  BOOST_TEST(Fields(object, "kubectl Update") ==
             R"({"f:metadata":{"f:labels":{".":{},"f:app":{}}},"f:spec":{"f:replicas":{},"f:template":{"f:spec":)"
             R"({"f:containers":{"k:{\"name\":\"c\"}":{".":{},"f:image":{},"f:name":{}}}}}}})");
  BOOST_TEST(Time(object, "kubectl Update") == "2020-09-13T12:26:40Z");
}

BOOST_AUTO_TEST_CASE(an_unchanged_set_keeps_its_time) {
  json::object live = Parse(kDeployment);
  auto first = Apply(Deployment(), nullptr,
                     Parse(R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":)"
                           R"({"name":"web"},"spec":{"replicas":3}})"),
                     By("alice"));
  BOOST_TEST_REQUIRE(first.ok());
  live = *first;
  live["metadata"].as_object()["uid"] = "1";
  const json::object same =
      Parse(R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":{"replicas":3}})");
  const auto second = Apply(Deployment(), &live, same, By("alice", 1'700'000'000));
  BOOST_TEST_REQUIRE(second.ok());
  BOOST_TEST(Time(*second, "alice Apply") == "2020-09-13T12:26:40Z");
}

BOOST_AUTO_TEST_CASE(conflicts_are_told_as_upstream_tells_them) {
  json::object live = Parse(kDeployment);
  live["metadata"].as_object().erase("uid");
  BOOST_TEST(Update(Deployment(), nullptr, live, By("kubectl")).ok());
  live["metadata"].as_object()["uid"] = "1";
  const json::object config =
      Parse(R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":{"replicas":5}})");
  const auto refused = Apply(Deployment(), &live, config, By("alice"));
  BOOST_TEST((refused.status().code() == Code::kConflict));
  BOOST_TEST(refused.status().message() ==
             "Apply failed with 1 conflict: conflict with \"kubectl\" using apps/v1: .spec.replicas");
  BOOST_TEST_REQUIRE(refused.status().details() != nullptr);
  BOOST_TEST(refused.status().details()->causes[0].reason == "FieldManagerConflict");
  BOOST_TEST(refused.status().details()->causes[0].field == ".spec.replicas");
  Request force = By("alice");
  force.force = true;
  const auto taken = Apply(Deployment(), &live, config, force);
  BOOST_TEST_REQUIRE(taken.ok());
  BOOST_TEST(taken->at("spec").at("replicas").as_int64() == 5);
  BOOST_TEST(Fields(*taken, "alice Apply") == R"({"f:spec":{"f:replicas":{}}})");
  BOOST_TEST(Fields(*taken, "kubectl Update").find("replicas") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_is_no_longer_applied_goes_unless_shared) {
  const auto config = [](std::string_view labels) {
    return Parse(R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","labels":)" +
                 std::string(labels) + "}}");
  };
  json::object live = *Apply(Deployment(), nullptr, config(R"({"a":"1","b":"1"})"), By("alice"));
  live["metadata"].as_object()["uid"] = "1";
  live = *Apply(Deployment(), &live, config(R"({"b":"1"})"), By("bob"));
  live = *Apply(Deployment(), &live, config("{}"), By("alice"));
  BOOST_TEST(json::serialize(live.at("metadata").at("labels")) == R"({"b":"1"})");
}

BOOST_AUTO_TEST_CASE(an_object_without_managed_fields_stays_so_until_it_is_applied) {
  const json::object live = Parse(kDeployment);
  json::object updated = live;
  updated["spec"].as_object()["replicas"] = 4;
  BOOST_TEST(Update(Deployment(), &live, updated, By("kubectl")).ok());
  BOOST_TEST(Entries(updated).empty());
  const auto applied =
      Apply(Deployment(), &live,
            Parse(R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","labels":{"x":"y"}}})"),
            By("alice"));
  BOOST_TEST_REQUIRE(applied.ok());
  BOOST_TEST(Fields(*applied, "before-first-apply Update").find("f:replicas") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(an_empty_entry_resets) {
  json::object live = *Apply(Deployment(), nullptr, Parse(kDeployment), By("alice"));
  json::object updated = live;
  updated["metadata"].as_object()["managedFields"] = json::array{json::object()};
  BOOST_TEST(Update(Deployment(), &live, updated, By("kubectl")).ok());
  BOOST_TEST(Entries(updated).empty());
}

BOOST_AUTO_TEST_CASE(an_update_of_a_subresource_cannot_change_entries_by_hand) {
  json::object live = *Apply(Deployment(), nullptr, Parse(kDeployment), By("alice"));
  live["metadata"].as_object()["uid"] = "1";
  json::object updated = live;
  updated["metadata"].as_object()["managedFields"] = json::array{json::object()};
  updated["status"] = Parse(R"({"replicas":1})");
  Request request = By("controller");
  request.subresource = "status";
  request.reset_fields = {"spec", "metadata.labels"};
  BOOST_TEST(Update(Deployment(), &live, updated, request).ok());
  BOOST_TEST(Fields(updated, "alice Apply") != "none");
  BOOST_TEST(Fields(updated, "controller Update") == R"({"f:status":{"f:replicas":{}}})");
}

BOOST_AUTO_TEST_CASE(without_a_valid_tree_there_are_no_entries) {
  json::object updated = Parse(kDeployment);
  updated["metadata"].as_object().erase("uid");
  updated["spec"] = "x";
  const Status status = Update(Deployment(), nullptr, updated, By("kubectl"));
  BOOST_TEST(status.message() ==
             "failed to convert new object (default/web; apps/v1, Kind=Deployment) to smd typed: .spec: expected map, "
             "got &{x}");
  BOOST_TEST(Entries(updated).empty());
}

BOOST_AUTO_TEST_CASE(kubectl_takes_over_what_its_client_side_apply_wrote) {
  json::object live = Parse(kDeployment);
  live["metadata"].as_object().erase("uid");
  live["metadata"].as_object()["annotations"] =
      json::object{{"kubectl.kubernetes.io/last-applied-configuration",
                    R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":{"replicas":3}})"}};
  BOOST_TEST(Update(Deployment(), nullptr, live, By("kubectl-client-side-apply")).ok());
  live["metadata"].as_object()["uid"] = "1";
  const json::object config =
      Parse(R"({"spec":{"replicas":5},"metadata":{"name":"web"},"kind":"Deployment","apiVersion":"apps/v1"})");
  BOOST_TEST((Apply(Deployment(), &live, config, By("alice")).status().code() == Code::kConflict));
  const auto taken = Apply(Deployment(), &live, config, By("kubectl"));
  BOOST_TEST_REQUIRE(taken.ok());
  // The annotation follows, sorted and with a newline as Go's encoder writes it.
  BOOST_TEST(
      std::string(
          taken->at("metadata").at("annotations").at("kubectl.kubernetes.io/last-applied-configuration").as_string()) ==
      R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":{"replicas":5}})"
      "\n");
}

BOOST_AUTO_TEST_CASE(requests_that_cannot_be_applied) {
  const json::object config = Parse(R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"}})");
  const Status version = Apply(Deployment(), nullptr, config, By("a", 0, "apps/v1beta1")).status();
  BOOST_TEST((version.code() == Code::kBadRequest));
  BOOST_TEST(version.message() == "invalid object type: apps/v1, Kind=Deployment");
  json::object own = config;
  own["metadata"].as_object()["managedFields"] = json::array();
  const Status fields = Apply(Deployment(), nullptr, own, By("a")).status();
  BOOST_TEST((fields.code() == Code::kBadRequest));
  BOOST_TEST(fields.message() == "metadata.managedFields must be nil");
}

BOOST_AUTO_TEST_CASE(no_more_than_ten_updaters) {
  json::object live = Parse(kDeployment);
  live["metadata"].as_object().erase("uid");
  BOOST_TEST(Update(Deployment(), nullptr, live, By("m0")).ok());
  live["metadata"].as_object()["uid"] = "1";
  for (int i = 1; i <= 12; ++i) {
    json::object updated = live;
    updated["metadata"].as_object()["labels"].as_object()["l" + std::to_string(i)] = "x";
    BOOST_TEST(Update(Deployment(), &live, updated, By("m" + std::to_string(i), 1'600'000'000 + i)).ok());
    live = updated;
  }
  BOOST_TEST(Entries(live).size() == 10u);
  BOOST_TEST(Fields(live, "ancient-changes Update").find("f:l2") != std::string::npos);
  BOOST_TEST(Time(live, "ancient-changes Update") == "2020-09-13T12:26:43Z");
  BOOST_TEST(Fields(live, "m3 Update") == "none");
  BOOST_TEST(Fields(live, "m4 Update") != "none");
}

BOOST_AUTO_TEST_CASE(managers_of_versions_that_are_gone_are_forgotten) {
  json::object live = *Apply(Deployment(), nullptr, Parse(kDeployment), By("alice"));
  live["metadata"].as_object()["uid"] = "1";
  live["metadata"].as_object()["managedFields"].as_array()[0].as_object()["apiVersion"] = "apps/v0";
  json::object updated = live;
  updated["spec"].as_object()["replicas"] = 4;
  Request request = By("bob");
  request.convert = [](const json::object&, std::string_view version) -> Result<json::object> {
    return Error(Code::kNotFound, "no version {}", version);
  };
  BOOST_TEST(Update(Deployment(), &live, updated, request).ok());
  BOOST_TEST(Fields(updated, "alice Apply") == "none");
  BOOST_TEST(Fields(updated, "bob Update") == R"({"f:spec":{"f:replicas":{}}})");
}

BOOST_AUTO_TEST_CASE(schemas_of_custom_resources) {
  const auto schema = SchemaFromOpenApi(Parse(
      R"({"type":"object","properties":{"spec":{"type":"object","properties":{
        "ports":{"type":"array","x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["port","protocol"],
          "items":{"type":"object","properties":{"port":{"type":"integer"},"protocol":{"type":"string","default":"TCP"},
            "extra":{"type":"string"}}}},
        "tags":{"type":"array","x-kubernetes-list-type":"set","items":{"type":"string"}},
        "args":{"type":"array","items":{"type":"string"}},
        "selector":{"type":"object","x-kubernetes-map-type":"atomic","additionalProperties":{"type":"string"}},
        "free":{"type":"object","x-kubernetes-preserve-unknown-fields":true},
        "quantity":{"x-kubernetes-int-or-string":true}}}}})"));
  json::object object = Parse(
      R"({"apiVersion":"example.com/v1","kind":"Web","metadata":{"name":"w","finalizers":["f"]},
        "spec":{"ports":[{"port":1,"extra":"x"}],"tags":["a"],"args":["b"],"selector":{"k":"v"},
        "free":{"a":{"b":[1]}},"quantity":5}})");
  BOOST_TEST(Update(*schema, nullptr, object, By("kubectl", 0, "example.com/v1")).message() == "ok");
  BOOST_TEST(Fields(object, "kubectl Update") ==
             R"({"f:metadata":{"f:finalizers":{".":{},"v:\"f\"":{}}},"f:spec":{".":{},"f:args":{},)"
             R"("f:free":{".":{},"f:a":{".":{},"f:b":{}}},"f:ports":{".":{},"k:{\"port\":1,\"protocol\":\"TCP\"}":)"
             R"({".":{},"f:extra":{},"f:port":{}}},"f:quantity":{},"f:selector":{},"f:tags":{".":{},"v:\"a\"":{}}}})");
  const auto refused =
      Apply(*schema, nullptr, Parse(R"({"apiVersion":"example.com/v1","kind":"Web","metadata":{"name":"w"},
                               "spec":{"nosuch":1}})"),
            By("a", 0, "example.com/v1"));
  BOOST_TEST(refused.status().message() ==
             "failed to create typed patch object (/w; example.com/v1, Kind=Web): .spec.nosuch: field not declared in "
             "schema");
}

BOOST_AUTO_TEST_CASE(empty_objects_are_what_go_prints) {
  json::value pod = SchemaOf("k8s.io.api.core.v1.Pod")->Empty();
  patch::SortMembers(pod);
  BOOST_TEST(json::serialize(pod) ==
             R"({"metadata":{"creationTimestamp":null},"spec":{"containers":null},"status":{}})");
  BOOST_TEST(Deduced().Empty().empty());
}

BOOST_AUTO_TEST_CASE(times_alone_are_no_change) {
  json::object live = *Apply(Deployment(), nullptr, Parse(kDeployment), By("alice"));
  live["metadata"].as_object()["resourceVersion"] = "5";
  json::object updated = live;
  updated["metadata"].as_object().erase("resourceVersion");
  updated["metadata"].as_object()["managedFields"].as_array()[0].as_object()["time"] = "2024-01-01T00:00:00Z";
  json::object changed = updated;
  KeepTimesIfUnchanged(live, updated);
  BOOST_TEST(Time(updated, "alice Apply") == "2020-09-13T12:26:40Z");
  changed["spec"].as_object()["replicas"] = 9;
  KeepTimesIfUnchanged(live, changed);
  BOOST_TEST(Time(changed, "alice Apply") == "2024-01-01T00:00:00Z");
}

BOOST_AUTO_TEST_CASE(entries_that_are_wrong) {
  const auto problem = [](std::string_view text) {
    return std::string(ValidateEntries(json::parse({text.data(), text.size()})).message());
  };
  BOOST_TEST(problem(R"([{"operation":"Update","apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":{}}])") == "ok");
  BOOST_TEST(problem(R"([{"operation":"Edit"}])") == "operation must be `Apply` or `Update`");
  BOOST_TEST(problem(R"([{"operation":"Apply"}])") == "apiVersion must not be empty");
  BOOST_TEST(problem(R"([{"operation":"Apply","apiVersion":"v1"}])") == "missing fieldsType in managed fields entry 0");
  BOOST_TEST(problem(R"([{"operation":"Apply","apiVersion":"v1","fieldsType":"X"}])") ==
             "invalid fieldsType \"X\" in managed fields entry 0");
  BOOST_TEST(problem(R"([{"operation":"Apply","apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":{"a":{}}}])") !=
             "ok");
}

BOOST_AUTO_TEST_CASE(user_agents) {
  BOOST_TEST(ManagerFromUserAgent("kubectl/v1.20.2 (linux/amd64) kubernetes/faecb19") == "kubectl");
  BOOST_TEST(ManagerFromUserAgent("my\tagent \x01x") == "myagent x");
  BOOST_TEST(ManagerFromUserAgent("a\"b\\c") == "a\"b\\c");
  BOOST_TEST(ManagerFromUserAgent(std::string(300, 'x')).size() == 128u);
  BOOST_TEST(ManagerFromUserAgent("\xffkäse/1") == "\xef\xbf\xbdkäse");
  BOOST_TEST(ManagerFromUserAgent("") == "");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::managedfields
