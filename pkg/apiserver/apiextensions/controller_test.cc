#include <boost/test/unit_test.hpp>
#include <thread>

#include "k8s.io/apimachinery/pkg/apis/meta/v1/generated.pb.h"

#include "pkg/apiserver/apiextensions/custom.h"
#include "pkg/apiserver/registry/registry.h"
#include "pkg/apiserver/storage/memory.h"

namespace knarr::apiextensions {
namespace {

using registry::Object;
using registry::ObjectRef;

const Context kCtx = Context::Background();
constexpr registry::GroupResource kDefinitions{"apiextensions.k8s.io", "customresourcedefinitions"};

struct Fixture {
  Fixture() : store(storage::NewMemoryStore(clock)), access(*store, clock, Logger(), {}) {
    for (registry::Kind& kind : Kinds()) access.Add(std::move(kind));
    const registry::ResourcePtr definitions = access.Find(kDefinitions.group, "v1", kDefinitions.resource);
    Controller::Options options;
    options.access = &access;
    options.definitions = &definitions->reader();
    options.decode = [definitions](const cacher::Entry& entry) { return definitions->Decode(entry); };
    options.add = [this](registry::Kind kind) { access.Add(std::move(kind)); };
    options.remove = [this](std::string_view group, std::string_view resource) { access.Remove(group, resource); };
    options.taken = [](std::string_view group, std::string_view) { return group == "taken.example.com"; };
    options.clock = &clock;
    controller = std::make_unique<Controller>(std::move(options));
  }
  Status Start() { return controller->Start(kCtx); }
  registry::ResourcePtr Find(std::string_view resource, std::string_view group = "example.com") {
    return access.Find(group, "", resource);
  }

  ObjectRef Define(const std::string& plural, const std::string& kind, const std::string& group = "example.com",
                   const std::string& short_name = "") {
    json::object names{{"plural", plural}, {"kind", kind}};
    if (!short_name.empty()) names["shortNames"] = json::array{json::value(short_name)};
    json::object version{
        {"name", "v1"},
        {"served", true},
        {"storage", true},
        {"schema", {{"openAPIV3Schema", {{"type", "object"}, {"x-kubernetes-preserve-unknown-fields", true}}}}}};
    Object object = *Object::FromJson(
        {{"metadata", {{"name", plural + "." + group}}},
         {"spec", {{"group", group}, {"scope", "Namespaced"}, {"names", names}, {"versions", json::array{version}}}}});
    const auto created = access.Create(kCtx, kDefinitions, std::move(object));
    BOOST_REQUIRE_MESSAGE(created.ok(), created.status().message());
    return *created;
  }
  ObjectRef Definition(const std::string& name) {
    const auto got = access.GetConsistent(kCtx, kDefinitions, "", name);
    return got.ok() ? *got : nullptr;
  }
  std::string Condition(const std::string& name, std::string_view type) {
    const ObjectRef object = Definition(name);
    return object ? std::string(ConditionStatus(object->body(), type)) : "gone";
  }
  // Time passes until it is so; the test's own time limit ends what never comes.
  void Until(const std::function<bool()>& is) {
    while (!is()) {
      clock.Advance(std::chrono::milliseconds(100));
      std::this_thread::yield();
    }
  }

  FakeClock clock;
  std::unique_ptr<storage::Store> store;
  registry::Registry access;
  std::unique_ptr<Controller> controller;
};

BOOST_AUTO_TEST_SUITE(controller)

BOOST_AUTO_TEST_CASE(what_is_defined_at_the_start_is_served_when_start_returns) {
  Fixture f;
  f.Define("widgets", "Widget");
  BOOST_TEST(!f.controller->Synced());
  BOOST_REQUIRE(f.Start().ok());
  BOOST_TEST(f.controller->Synced());
  BOOST_REQUIRE(f.Find("widgets"));
  BOOST_TEST(f.Condition("widgets.example.com", "NamesAccepted") == "True");
  BOOST_TEST(f.Condition("widgets.example.com", "Established") == "True");
  BOOST_TEST((f.Definition("widgets.example.com")->body().at("status").at("acceptedNames") ==
              json::parse(R"({"kind":"Widget","listKind":"WidgetList","plural":"widgets","singular":"widget"})")));
}

BOOST_AUTO_TEST_CASE(definitions_come_change_and_go_while_the_server_runs) {
  Fixture f;
  BOOST_REQUIRE(f.Start().ok());
  f.Define("widgets", "Widget");
  f.Until([&] { return f.Condition("widgets.example.com", "Established") == "True"; });
  const registry::ResourcePtr first = f.Find("widgets");
  // Status alone changes no kind; a short name does.
  const auto change = f.access.Update(kCtx, kDefinitions, "", "widgets.example.com", "", [](Object& object) {
    object.body()["spec"].as_object()["names"].as_object()["shortNames"] = json::array{"wd"};
    return Status();
  });
  BOOST_REQUIRE(change.ok());
  f.Until([&] { return f.Find("widgets") != first; });
  BOOST_TEST(f.Find("widgets")->kind().short_names.size() == 1u);
  BOOST_REQUIRE(f.access.Delete(kCtx, kDefinitions, "", "widgets.example.com", "").ok());
  f.Until([&] { return !f.Definition("widgets.example.com") && !f.Find("widgets"); });
}

BOOST_AUTO_TEST_CASE(names_in_use_are_not_accepted_until_they_are_free) {
  Fixture f;
  BOOST_REQUIRE(f.Start().ok());
  f.Define("widgets", "Widget", "example.com", "w");
  f.Until([&] { return f.Condition("widgets.example.com", "Established") == "True"; });
  f.Define("gadgets", "Widget", "example.com", "w");
  f.Define("gizmos", "Widget", "other.com", "w");  // another group
  f.Until([&] { return f.Condition("gizmos.other.com", "Established") == "True"; });
  f.Until([&] { return f.Condition("gadgets.example.com", "NamesAccepted") == "False"; });
  BOOST_TEST(f.Condition("gadgets.example.com", "Established") == "False");
  BOOST_TEST(!f.Find("gadgets"));
  const ObjectRef refused = f.Definition("gadgets.example.com");
  const std::string conditions = json::serialize(refused->body().at("status").at("conditions"));
  BOOST_TEST(conditions.find(R"(\"WidgetList\" is already in use)") != std::string::npos);
  BOOST_TEST(conditions.find("ListKindConflict") != std::string::npos);
  BOOST_REQUIRE(f.access.Delete(kCtx, kDefinitions, "", "widgets.example.com", "").ok());
  f.Until([&] { return f.Condition("gadgets.example.com", "Established") == "True"; });
  BOOST_TEST(f.Find("gadgets"));
}

BOOST_AUTO_TEST_CASE(objects_go_before_their_definition_and_finalizers_are_waited_for) {
  Fixture f;
  BOOST_REQUIRE(f.Start().ok());
  f.Define("widgets", "Widget");
  f.Until([&] { return f.Condition("widgets.example.com", "Established") == "True"; });
  const registry::GroupResource widgets{"example.com", "widgets"};
  for (const char* name : {"a", "b", "held"}) {
    Object object = *Object::FromJson({{"metadata", {{"name", name}, {"namespace", "ns"}}}});
    if (std::string_view(name) == "held") *object.metadata().add_finalizers() = "example.com/hold";
    BOOST_REQUIRE(f.access.Create(kCtx, widgets, std::move(object)).ok());
  }
  BOOST_REQUIRE(f.access.Delete(kCtx, kDefinitions, "", "widgets.example.com", "").ok());
  f.Until([&] { return f.access.List(kCtx, widgets, "", labels::Selector())->size() == 1; });
  f.clock.Advance(std::chrono::seconds(30));
  BOOST_TEST(f.Condition("widgets.example.com", "Terminating") == "True");
  Object late = *Object::FromJson({{"metadata", {{"name", "late"}, {"namespace", "ns"}}}});
  const Status refused = f.access.Create(kCtx, widgets, std::move(late)).status();
  BOOST_TEST((refused.code() == Code::kMethodNotAllowed));
  BOOST_TEST(refused.message() == "create not allowed while custom resource definition is terminating");
  BOOST_REQUIRE(f.access
                    .Update(kCtx, widgets, "ns", "held", "",
                            [](Object& object) {
                              object.metadata().clear_finalizers();
                              return Status();
                            })
                    .ok());
  f.Until([&] { return !f.Definition("widgets.example.com") && !f.Find("widgets"); });
  BOOST_TEST(f.store->List(kCtx, "/registry/example.com/widgets/", {})->items.empty());
}

BOOST_AUTO_TEST_CASE(the_names_of_built_in_kinds_are_left_alone) {
  Fixture f;
  f.Define("pods", "Pod", "taken.example.com");
  BOOST_REQUIRE(f.Start().ok());
  BOOST_TEST(!f.Find("pods", "taken.example.com"));
  BOOST_TEST(f.Condition("pods.taken.example.com", "Established") != "True");
  BOOST_REQUIRE(f.access.Delete(kCtx, kDefinitions, "", "pods.taken.example.com", "").ok());
  f.Until([&] { return !f.Definition("pods.taken.example.com"); });
}

BOOST_AUTO_TEST_CASE(every_served_version_has_its_apiservice) {
  Fixture f;
  const auto names = [&] {
    std::string text;
    const auto present = f.store->List(kCtx, "/registry/apiregistration.k8s.io/apiservices/", {});
    for (const auto& kv : present->items) {
      const json::value value = json::parse(kv.value);
      text += fmt::format("{}={} ", Str(value.at("metadata").as_object(), "name"),
                          ConditionStatus(value.as_object(), "Available"));
    }
    return text;
  };
  BOOST_REQUIRE(SyncApiServices(kCtx, f.access, {{"", "v1"}, {"apps", "v1"}, {"example.com", "v1"}}, f.clock).ok());
  // The core group's name ends with a dot.
  BOOST_TEST(names() == "v1.=True v1.apps=True v1.example.com=True ");
  f.Until([&] {
    BOOST_REQUIRE(SyncApiServices(kCtx, f.access, {{"", "v1"}, {"apps", "v1"}}, f.clock).ok());
    return names() == "v1.=True v1.apps=True ";
  });
}

BOOST_AUTO_TEST_CASE(a_start_without_a_store_is_made_up_for) {
  Fixture f;
  std::stop_source cancelled;
  cancelled.request_stop();
  BOOST_TEST(!f.controller->Start(kCtx.WithStop(cancelled.get_token())).ok());
  f.Define("widgets", "Widget");
  f.Until([&] { return f.Start().ok() && f.Find("widgets"); });
  BOOST_TEST(f.controller->Synced());
}

// Objects through the real registry: pruned, defaulted, refused, stored as upstream would.
BOOST_AUTO_TEST_CASE(custom_objects_are_stored_as_json) {
  Fixture f;
  BOOST_REQUIRE(f.Start().ok());
  f.Define("widgets", "Widget");
  f.Until([&] { return f.Find("widgets") != nullptr; });
  const registry::GroupResource widgets{"example.com", "widgets"};
  Object object =
      *Object::FromJson({{"metadata", {{"name", "a"}, {"namespace", "ns"}}}, {"spec", {{"z", 1}, {"a", 2}}}});
  BOOST_REQUIRE(f.access.Create(kCtx, widgets, std::move(object)).ok());
  const auto kv = f.store->Get(kCtx, "/registry/example.com/widgets/ns/a");
  BOOST_REQUIRE(kv->has_value());
  BOOST_TEST((*kv)->value.starts_with(R"({"apiVersion":"example.com/v1","kind":"Widget","metadata":{)"));
  BOOST_TEST((*kv)->value.ends_with("\"spec\":{\"a\":2,\"z\":1}}\n"));
  const auto got = f.access.GetConsistent(kCtx, widgets, "ns", "a");
  BOOST_REQUIRE(got.ok());
  BOOST_TEST((*got)->metadata().generation() == 1);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::apiextensions
