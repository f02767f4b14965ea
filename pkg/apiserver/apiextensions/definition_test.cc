#include <boost/test/unit_test.hpp>

#include "k8s.io/api/autoscaling/v1/generated.pb.h"
#include "k8s.io/apimachinery/pkg/apis/meta/v1/generated.pb.h"
#include "pkg/apiserver/apiextensions/custom.h"

namespace knarr::apiextensions {
namespace {

using registry::Kind;
using registry::Object;

Object Make(const json::value& value) {
  Result<Object> object = Object::FromJson(value.as_object());
  BOOST_REQUIRE_MESSAGE(object.ok(), object.status().message());
  return std::move(*object);
}

// A good definition, with `change` applied to it.
Object Definition(const std::function<void(json::object& whole)>& change = nullptr) {
  json::value value = json::parse(R"({
    "metadata":{"name":"crontabs.stable.example.com"},
    "spec":{"group":"stable.example.com","scope":"Namespaced",
      "names":{"plural":"crontabs","kind":"CronTab","shortNames":["ct"]},
      "versions":[{"name":"v1","served":true,"storage":true,
        "schema":{"openAPIV3Schema":{"type":"object","properties":{
          "spec":{"type":"object","required":["cronSpec"],"properties":{
            "cronSpec":{"type":"string","pattern":"^(\\d+|\\*)(/\\d+)?(\\s+(\\d+|\\*)(/\\d+)?){4}$"},
            "image":{"type":"string","default":"busybox"},"replicas":{"type":"integer","minimum":1,"maximum":10}}},
          "status":{"type":"object","properties":{"replicas":{"type":"integer"},"labelSelector":{"type":"string"}}}}}},
        "subresources":{"status":{},"scale":{"specReplicasPath":".spec.replicas",
          "statusReplicasPath":".status.replicas","labelSelectorPath":".status.labelSelector"}},
        "selectableFields":[{"jsonPath":".spec.image"}],
        "additionalPrinterColumns":[{"name":"Spec","type":"string","jsonPath":".spec.cronSpec"},
          {"name":"Replicas","type":"integer","jsonPath":".spec.replicas","priority":1},
          {"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}]}]}})");
  if (change) change(value.get_object());
  Object object = Make(value);
  DefinitionKind().strategy->SetDefaults(object);
  return object;
}

json::object& Spec(json::object& whole) {
  return whole["spec"].as_object();
}
json::object& Version(json::object& whole) {
  return Spec(whole)["versions"].as_array()[0].as_object();
}

std::vector<std::string> Texts(const field::ErrorList& errors) {
  std::vector<std::string> texts;
  for (const field::FieldError& error : errors) texts.push_back(error.ToString());
  return texts;
}

void Refuse(const std::function<void(json::object& whole)>& change, const std::vector<std::string>& expected) {
  BOOST_TEST(Texts(ValidateDefinition(Definition(change))) == expected, boost::test_tools::per_element());
}

struct Rc : registry::RequestContext {
  Rc() { clock = &fake; }
  FakeClock fake;
};

BOOST_AUTO_TEST_SUITE(definition)

BOOST_AUTO_TEST_CASE(names_conversion_and_stored_versions_have_defaults) {
  const Object object = Definition();
  BOOST_TEST(
      json::serialize(object.body().at("spec").at("names")) ==
      R"({"kind":"CronTab","listKind":"CronTabList","plural":"crontabs","shortNames":["ct"],"singular":"crontab"})");
  BOOST_TEST(json::serialize(object.body().at("spec").at("conversion")) == R"({"strategy":"None"})");
  BOOST_TEST(json::serialize(object.body().at("status")) == R"({"storedVersions":["v1"]})");
  BOOST_TEST(Texts(ValidateDefinition(object)) == std::vector<std::string>(), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(what_upstream_refuses_is_refused_in_its_words) {
  Refuse([](json::object& o) { Spec(o)["group"] = "example"; },
         {"metadata.name: Invalid value: \"crontabs.stable.example.com\": must be spec.names.plural+\".\"+spec.group",
          "spec.group: Invalid value: \"example\": should be a domain with at least one dot"});
  Refuse([](json::object& o) { Spec(o)["scope"] = "Galaxy"; },
         {"spec.scope: Unsupported value: \"Galaxy\": supported values: \"Cluster\", \"Namespaced\""});
  Refuse([](json::object& o) { Spec(o).erase("scope"); }, {"spec.scope: Required value"});
  Refuse([](json::object& o) { Version(o).erase("schema"); },
         {"spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required"});
  Refuse([](json::object& o) { Spec(o)["names"].as_object()["listKind"] = "CronTab"; },
         {"spec.names.listKind: Invalid value: \"CronTab\": kind and listKind may not be the same"});
  Refuse([](json::object& o) { Version(o)["deprecationWarning"] = "old"; },
         {"spec.versions[0].deprecationWarning: Invalid value: \"old\": can only be set for deprecated versions"});
  Refuse(
      [](json::object& o) { Version(o)["subresources"].as_object()["scale"].as_object()["specReplicasPath"] = ".x"; },
      {"spec.versions[0].subresources.scale.specReplicasPath: Invalid value: \".x\": should be a json path under "
       ".spec"});
  Refuse([](json::object& o) { Version(o)["additionalPrinterColumns"].as_array()[0].as_object()["type"] = "text"; },
         {"spec.versions[0].additionalPrinterColumns[0].type: Invalid value: \"text\": must be one of "
          "boolean,date,integer,number,string"});
  Refuse(
      [](json::object& o) {
        Spec(o)["conversion"] = json::object{{"strategy", "Webhook"}};
      },
      {"spec.conversion.strategy: Invalid value: \"Webhook\": conversion webhooks are not supported by this server: "
       "use None, or serve one version only"});
  Refuse([](json::object& o) { Spec(o)["preserveUnknownFields"] = true; },
         {"spec.preserveUnknownFields: Invalid value: true: cannot set to true, set "
          "x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"});
  Refuse(
      [](json::object& o) { Version(o)["served"] = "yes"; },
      {"spec.versions[0].served: Invalid value: \"string\": spec.versions[0].served in body must be of type boolean: "
       "\"string\""});
  Refuse(
      [](json::object& o) {
        Spec(o)["group"] = "new.k8s.io";
        o["metadata"].as_object()["name"] = "crontabs.new.k8s.io";
      },
      {"metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups must have approval "
       "annotation "
       "\"api-approved.kubernetes.io\", see https://github.com/kubernetes/enhancements/pull/1111"});
  const std::vector<std::string> storage =
      Texts(ValidateDefinition(Definition([](json::object& o) { Version(o)["storage"] = false; })));
  BOOST_REQUIRE(storage.size() == 1u);
  BOOST_TEST(storage[0].starts_with("spec.versions: Invalid value: ["));
  BOOST_TEST(storage[0].ends_with(": must have exactly one version marked as storage version"));
}

BOOST_AUTO_TEST_CASE(names_stay_and_stored_versions_must_be_known) {
  const auto update = [](const Object& updated, const Object& old) {
    return Texts(ValidateDefinitionUpdate(updated, old));
  };
  Object old = Definition();
  Object renamed = Definition([](json::object& o) {
    Spec(o)["names"].as_object()["kind"] = "Cron";
    Spec(o)["scope"] = "Cluster";
  });
  BOOST_TEST(update(renamed, old) == std::vector<std::string>(), boost::test_tools::per_element());
  SetCondition(old.body(), "Established", "True", "InitialNamesAccepted", "", WallTime());
  const std::vector<std::string> immutable = {"spec.scope: Invalid value: \"Cluster\": field is immutable",
                                              "spec.names.kind: Invalid value: \"Cron\": field is immutable"};
  BOOST_TEST(update(renamed, old) == immutable, boost::test_tools::per_element());

  Rc rc;
  Object moved = Definition([](json::object& o) { Version(o)["name"] = "v2"; });
  DefinitionKind().strategy->PrepareForUpdate(rc, moved, old);
  BOOST_TEST(json::serialize(moved.body().at("status").at("storedVersions")) == R"(["v1","v2"])");
  const std::vector<std::string> stored = {
      "status.storedVersions[0]: Invalid value: \"v1\": must appear in spec.versions"};
  BOOST_TEST(update(moved, old) == stored, boost::test_tools::per_element());
  BOOST_TEST(moved.metadata().generation() == 1);
}

BOOST_AUTO_TEST_CASE(deletion_waits_for_the_objects) {
  const Kind kind = DefinitionKind();
  Object object = Definition();
  BOOST_TEST(kind.strategy->HeldBySpec(object));
  object.metadata().mutable_deletiontimestamp()->set_seconds(1700000000);
  kind.strategy->OnDeletionBegun(object);
  BOOST_TEST(!kind.strategy->HeldBySpec(object));
  BOOST_REQUIRE(object.metadata().finalizers_size() == 1);
  BOOST_TEST(object.metadata().finalizers(0) == "customresourcecleanup.apiextensions.k8s.io");
  BOOST_TEST(ConditionStatus(object.body(), "Terminating") == "True");
}

BOOST_AUTO_TEST_CASE(rules_are_kept_with_a_warning) {
  Rc rc;
  const Object object = Definition([](json::object& o) {
    Version(o)["schema"]
        .as_object()["openAPIV3Schema"]
        .as_object()["properties"]
        .as_object()["spec"]
        .as_object()["x-kubernetes-validations"] = json::array{{{"rule", "self.replicas > 1"}}};
  });
  BOOST_TEST(ValidateDefinition(object).empty());
  const std::vector<std::string> warnings = DefinitionKind().strategy->Warnings(rc, object, nullptr);
  BOOST_REQUIRE(warnings.size() == 1u);
  BOOST_TEST(warnings[0].find("not evaluated") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(custom)

BOOST_AUTO_TEST_CASE(a_definition_makes_a_kind) {
  const Object definition = Definition([](json::object& o) {
    json::object beta = Version(o), alpha = Version(o), hidden = Version(o);
    for (auto& [version, name] :
         {std::pair<json::object*, const char*>{&beta, "v1beta1"}, {&alpha, "v1alpha1"}, {&hidden, "v0"}}) {
      (*version)["name"] = name;
      (*version)["storage"] = false;
    }
    hidden["served"] = false;
    beta["deprecated"] = true;
    Spec(o)["versions"].as_array().insert(Spec(o)["versions"].as_array().begin(), {alpha, beta, hidden});
  });
  const Kind kind = *KindOf(definition);
  BOOST_TEST(kind.GroupResource() == "crontabs.stable.example.com");
  BOOST_TEST(kind.list_kind == "CronTabList");
  BOOST_TEST(kind.namespaced);
  BOOST_TEST(kind.storage_version == "stable.example.com/v1");
  BOOST_TEST(kind.storage_prefix == "/registry/stable.example.com/crontabs/");
  std::string versions;
  for (const registry::ServedVersion& version : kind.versions) versions += version.version + " ";
  BOOST_TEST(versions == "v1 v1beta1 v1alpha1 ");
  BOOST_TEST(kind.FindVersion("v1beta1")->deprecation_warning == "stable.example.com/v1beta1 CronTab is deprecated");
  BOOST_TEST(kind.FindSubresource("status"));
  BOOST_TEST(kind.FindSubresource("scale"));
  BOOST_REQUIRE(SchemaForOpenApi(kind, "v1beta1"));
  BOOST_TEST(SchemaForOpenApi(kind, "v1beta1")->at("type") == "object");
  BOOST_TEST(!SchemaForOpenApi(kind, "v0"));
  BOOST_TEST(SchemaForOpenApi(DefinitionKind(), "v1"));
  const managedfields::TypeSchema* shape = kind.field_schema("v1");
  BOOST_REQUIRE(shape->Field("spec"));
  BOOST_TEST((shape->Field("spec")->Field("replicas")->info().kind == managedfields::TypeSchema::Kind::kScalar));
  BOOST_TEST(kind.field_schema("v1") == shape);
  BOOST_TEST((kind.field_schema("v0") == &managedfields::Deduced()));
}

BOOST_AUTO_TEST_CASE(custom_objects_are_pruned_defaulted_and_validated) {
  const Kind kind = *KindOf(Definition());
  Rc rc;
  Object object = Make(json::parse(R"({"apiVersion":"stable.example.com/v1","kind":"CronTab","metadata":{"name":"a"},
      "spec":{"cronSpec":"* * * * */5","replicas":3,"unknown":1},"status":{"replicas":1}})"));
  const json::object whole = object.ToJsonValue("stable.example.com/v1", "CronTab");
  BOOST_TEST(UnknownFields(kind, "v1", whole) == std::vector<std::string>{"spec.unknown"},
             boost::test_tools::per_element());
  kind.strategy->SetDefaults(object);
  kind.strategy->PrepareForCreate(rc, object);
  BOOST_TEST(json::serialize(object.body()) == R"({"spec":{"cronSpec":"* * * * */5","image":"busybox","replicas":3}})");
  BOOST_TEST(object.metadata().generation() == 1);
  BOOST_TEST(kind.strategy->Validate(rc, object).empty());
  BOOST_TEST((kind.strategy->SelectableFields(object) ==
              std::vector<std::pair<std::string, std::string>>{{"spec.image", "busybox"}}));

  Object bad = object.Clone();
  bad.body()["spec"].as_object()["replicas"] = 11;
  bad.body()["spec"].as_object()["cronSpec"] = "often";
  const std::vector<std::string> expected = {
      "spec.cronSpec: Invalid value: \"often\": spec.cronSpec in body should match "
      "'^(\\d+|\\*)(/\\d+)?(\\s+(\\d+|\\*)(/\\d+)?){4}$'",
      "spec.replicas: Invalid value: 11: spec.replicas in body should be less than or equal to 10"};
  BOOST_TEST(Texts(kind.strategy->ValidateUpdate(rc, bad, object)) == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(spec_and_status_are_written_apart) {
  const Kind kind = *KindOf(Definition());
  const registry::Strategy& main = *kind.strategy;
  const registry::Strategy& status = *kind.FindSubresource("status")->strategy;
  Rc rc;
  Object old = Make(json::parse(R"({"metadata":{"name":"a","generation":4,"labels":{"l":"1"}},
      "spec":{"replicas":1},"status":{"replicas":1}})"));
  Object updated = Make(json::parse(R"({"metadata":{"name":"a","labels":{"l":"2"}},"spec":{"replicas":2},
      "status":{"replicas":2}})"));
  Object by_main = updated.Clone(), by_status = updated.Clone();
  main.PrepareForUpdate(rc, by_main, old);
  BOOST_TEST(json::serialize(by_main.body()) == R"({"spec":{"replicas":2},"status":{"replicas":1}})");
  BOOST_TEST(by_main.metadata().generation() == 5);
  status.PrepareForUpdate(rc, by_status, old);
  BOOST_TEST(json::serialize(by_status.body()) == R"({"spec":{"replicas":1},"status":{"replicas":2}})");
  BOOST_TEST(by_status.metadata().generation() == 4);
  BOOST_TEST(by_status.metadata().labels().at("l") == "1");
  Object labels = old.Clone();
  (*labels.metadata().mutable_labels())["l"] = "3";
  main.PrepareForUpdate(rc, labels, old);
  BOOST_TEST(labels.metadata().generation() == 4);
}

BOOST_AUTO_TEST_CASE(scale_reads_and_writes_by_path) {
  const Kind kind = *KindOf(Definition());
  const registry::Subresource& scale = *kind.FindSubresource("scale");
  Rc rc;
  Object object = Make(json::parse(R"({"metadata":{"name":"a","namespace":"n","uid":"u","resourceVersion":"7"},
      "spec":{"replicas":3},"status":{"replicas":2,"labelSelector":"app=a"}})"));
  auto view = scale.view(rc, object);
  BOOST_REQUIRE(view.ok());
  auto& message = static_cast<k8s::io::api::autoscaling::v1::Scale&>(**view);
  BOOST_TEST(message.spec().replicas() == 3);
  BOOST_TEST(message.status().replicas() == 2);
  BOOST_TEST(message.status().selector() == "app=a");
  BOOST_TEST(message.metadata().resourceversion() == "7");
  message.mutable_spec()->set_replicas(5);
  BOOST_REQUIRE(scale.apply(rc, message, object).ok());
  BOOST_TEST(object.body().at("spec").at("replicas") == 5);
  message.mutable_spec()->set_replicas(-1);
  BOOST_TEST((scale.apply(rc, message, object).code() == Code::kInvalid));
  object.body()["spec"] = json::object();
  BOOST_TEST(
      scale.view(rc, object).status().message().find("the spec replicas field \".spec.replicas\" does not exist") !=
      std::string_view::npos);
}

BOOST_AUTO_TEST_CASE(columns_are_those_of_the_definition) {
  const Kind kind = *KindOf(Definition());
  std::string names;
  for (const registry::Column& column : kind.strategy->Columns()) names += std::string(column.name) + " ";
  BOOST_TEST(names == "Name Spec Replicas Age ");
  FakeClock clock;
  Object object = Make(json::parse(R"({"metadata":{"name":"a"},"spec":{"cronSpec":"x","replicas":3}})"));
  object.metadata().mutable_creationtimestamp()->set_seconds(
      std::chrono::duration_cast<std::chrono::seconds>(clock.Now().time_since_epoch()).count() - 90);
  const std::vector<registry::Cell> cells = kind.strategy->Cells(object, clock.Now());
  BOOST_REQUIRE(cells.size() == 4u);
  BOOST_TEST(std::get<std::string>(cells[0]) == "a");
  BOOST_TEST(std::get<std::string>(cells[1]) == "x");
  BOOST_TEST(std::get<int64_t>(cells[2]) == 3);
  BOOST_TEST(std::get<std::string>(cells[3]) == "90s");
  const Kind plain = *KindOf(Definition([](json::object& o) { Version(o).erase("additionalPrinterColumns"); }));
  BOOST_TEST(plain.strategy->Columns().size() == 2u);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(apiservice)

BOOST_AUTO_TEST_CASE(local_ones_are_available_and_services_are_said_not_to_be) {
  const Kind kind = ApiServiceKind();
  Rc rc;
  Object local = Make(json::parse(R"({"metadata":{"name":"v1.apps"},"spec":{"group":"apps","version":"v1",
      "groupPriorityMinimum":17800,"versionPriority":15}})"));
  kind.strategy->SetDefaults(local);
  kind.strategy->PrepareForCreate(rc, local);
  BOOST_TEST(kind.strategy->Validate(rc, local).empty());
  BOOST_TEST(ConditionStatus(local.body(), "Available") == "True");
  BOOST_TEST(kind.strategy->Warnings(rc, local, nullptr).empty());
  Object remote = Make(json::parse(R"({"metadata":{"name":"v1beta1.metrics.k8s.io"},"spec":{"group":"metrics.k8s.io",
      "version":"v1beta1","groupPriorityMinimum":100,"versionPriority":0,"insecureSkipTLSVerify":true,
      "service":{"name":"metrics-server","namespace":"kube-system"}}})"));
  kind.strategy->SetDefaults(remote);
  kind.strategy->PrepareForCreate(rc, remote);
  BOOST_TEST(remote.body().at("spec").at("service").at("port") == 443);
  BOOST_TEST(ConditionStatus(remote.body(), "Available") == "False");
  BOOST_TEST(kind.strategy->Warnings(rc, remote, nullptr).size() == 1u);
  const std::vector<std::string> expected = {
      "spec.versionPriority: Invalid value: 0: must be positive and less than 1000"};
  BOOST_TEST(Texts(kind.strategy->Validate(rc, remote)) == expected, boost::test_tools::per_element());
  BOOST_TEST(std::get<std::string>(kind.strategy->Cells(remote, WallTime())[2]) == "False (AggregationUnavailable)");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::apiextensions
