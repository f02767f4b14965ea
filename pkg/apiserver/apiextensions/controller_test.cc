#include <boost/test/unit_test.hpp>
#include <thread>

#include "pkg/apiserver/apiextensions/store_access.h"

namespace knarr::apiextensions {
namespace {

using registry::Object;
using registry::ObjectRef;

const Context kCtx = Context::Background();
constexpr registry::GroupResource kDefinitions{"apiextensions.k8s.io", "customresourcedefinitions"};

struct Fixture {
  Fixture() : access(clock) {
    access.Add(DefinitionKind());
    access.Add(ApiServiceKind());
    auto made = cacher::NewCacher(
        {.resource = "customresourcedefinitions.apiextensions.k8s.io", .prefix = DefinitionKind().storage_prefix},
        access.store(), access, clock, Logger());
    BOOST_REQUIRE(made.ok());
    reader = std::move(*made);
    controller = std::make_unique<Controller>(Controller::Options{
        .access = &access,
        .definitions = reader.get(),
        .decode = [this](const cacher::Entry& entry) { return access.Decode(entry); },
        .add = [this](registry::Kind kind) { access.Add(std::move(kind)); },
        .remove = [this](std::string_view group, std::string_view resource) { access.Remove(group, resource); },
        .taken = [](std::string_view group, std::string_view) { return group == "taken.example.com"; },
        .clock = &clock,
        .log = Logger()});
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
  StoreAccess access;
  std::unique_ptr<cacher::Reader> reader;
  std::unique_ptr<Controller> controller;
};

BOOST_AUTO_TEST_SUITE(controller)

BOOST_AUTO_TEST_CASE(what_is_defined_at_the_start_is_served_when_start_returns) {
  Fixture f;
  f.Define("widgets", "Widget");
  BOOST_TEST(!f.controller->Synced());
  BOOST_REQUIRE(f.controller->Start(kCtx).ok());
  BOOST_TEST(f.controller->Synced());
  BOOST_REQUIRE(f.access.Find("widgets.example.com"));
  BOOST_TEST(f.Condition("widgets.example.com", "NamesAccepted") == "True");
  BOOST_TEST(f.Condition("widgets.example.com", "Established") == "True");
  BOOST_TEST((f.Definition("widgets.example.com")->body().at("status").at("acceptedNames") ==
              json::parse(R"({"kind":"Widget","listKind":"WidgetList","plural":"widgets","singular":"widget"})")));
}

BOOST_AUTO_TEST_CASE(definitions_come_change_and_go_while_the_server_runs) {
  Fixture f;
  BOOST_REQUIRE(f.controller->Start(kCtx).ok());
  f.Define("widgets", "Widget");
  f.Until([&] { return f.Condition("widgets.example.com", "Established") == "True"; });
  BOOST_TEST(f.access.added("widgets.example.com") == 1);
  // Status alone changes no kind; a short name does.
  const auto change = f.access.Update(kCtx, kDefinitions, "", "widgets.example.com", "", [](Object& object) {
    object.body()["spec"].as_object()["names"].as_object()["shortNames"] = json::array{"wd"};
    return Status();
  });
  BOOST_REQUIRE(change.ok());
  f.Until([&] { return f.access.added("widgets.example.com") == 2; });
  BOOST_TEST(f.access.Find("widgets.example.com")->short_names.size() == 1u);
  BOOST_REQUIRE(f.access.Delete(kCtx, kDefinitions, "", "widgets.example.com", "").ok());
  f.Until([&] { return !f.Definition("widgets.example.com") && !f.access.Find("widgets.example.com"); });
}

BOOST_AUTO_TEST_CASE(names_in_use_are_not_accepted_until_they_are_free) {
  Fixture f;
  BOOST_REQUIRE(f.controller->Start(kCtx).ok());
  f.Define("widgets", "Widget", "example.com", "w");
  f.Until([&] { return f.Condition("widgets.example.com", "Established") == "True"; });
  f.Define("gadgets", "Widget", "example.com", "w");
  f.Define("gizmos", "Widget", "other.com", "w");  // another group
  f.Until([&] { return f.Condition("gizmos.other.com", "Established") == "True"; });
  f.Until([&] { return f.Condition("gadgets.example.com", "NamesAccepted") == "False"; });
  BOOST_TEST(f.Condition("gadgets.example.com", "Established") == "False");
  BOOST_TEST(!f.access.Find("gadgets.example.com"));
  const ObjectRef refused = f.Definition("gadgets.example.com");
  const std::string conditions = json::serialize(refused->body().at("status").at("conditions"));
  BOOST_TEST(conditions.find(R"(\"WidgetList\" is already in use)") != std::string::npos);
  BOOST_TEST(conditions.find("ListKindConflict") != std::string::npos);
  BOOST_REQUIRE(f.access.Delete(kCtx, kDefinitions, "", "widgets.example.com", "").ok());
  f.Until([&] { return f.Condition("gadgets.example.com", "Established") == "True"; });
  BOOST_TEST(f.access.Find("gadgets.example.com"));
}

BOOST_AUTO_TEST_CASE(objects_go_before_their_definition_and_finalizers_are_waited_for) {
  Fixture f;
  BOOST_REQUIRE(f.controller->Start(kCtx).ok());
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
  f.Until([&] { return !f.Definition("widgets.example.com") && !f.access.Find("widgets.example.com"); });
  BOOST_TEST(f.access.store().List(kCtx, "/registry/example.com/widgets/", {})->items.empty());
}

BOOST_AUTO_TEST_CASE(the_names_of_built_in_kinds_are_left_alone) {
  Fixture f;
  f.Define("pods", "Pod", "taken.example.com");
  BOOST_REQUIRE(f.controller->Start(kCtx).ok());
  BOOST_TEST(!f.access.Find("pods.taken.example.com"));
  BOOST_TEST(f.Condition("pods.taken.example.com", "Established") != "True");
  BOOST_REQUIRE(f.access.Delete(kCtx, kDefinitions, "", "pods.taken.example.com", "").ok());
  f.Until([&] { return !f.Definition("pods.taken.example.com"); });
}

BOOST_AUTO_TEST_CASE(every_served_version_has_its_apiservice) {
  Fixture f;
  const registry::GroupResource services{"apiregistration.k8s.io", "apiservices"};
  const auto names = [&] {
    std::string text;
    const auto present = f.access.List(kCtx, services, "", labels::Selector());
    for (const ObjectRef& object : *present) {
      text += fmt::format("{}={} ", object->metadata().name(), ConditionStatus(object->body(), "Available"));
    }
    return text;
  };
  BOOST_REQUIRE(SyncApiServices(kCtx, f.access, {{"", "v1"}, {"apps", "v1"}, {"example.com", "v1"}}, f.clock).ok());
  BOOST_TEST(names() == "v1.=True v1.apps=True v1.example.com=True ");
  BOOST_REQUIRE(SyncApiServices(kCtx, f.access, {{"", "v1"}, {"apps", "v1"}}, f.clock).ok());
  BOOST_TEST(names() == "v1.=True v1.apps=True ");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::apiextensions
