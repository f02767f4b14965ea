// The generic verbs on built-in kinds, over the store in memory.
#include "pkg/apiserver/registry/registry.h"

#include <boost/test/unit_test.hpp>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/codec/codec.h"
#include "pkg/apiserver/registry/core/kinds.h"
#include "pkg/apiserver/storage/memory.h"
#include "pkg/base/pool.h"

namespace knarr::registry {
namespace {

struct Fixture {
  FakeClock clock;
  std::unique_ptr<storage::Store> store = storage::NewMemoryStore(clock);
  Registry registry{*store, clock, Logger(), {}};
  std::vector<std::string> warnings;
  const auth::UserInfo user{.name = "jane", .uid = {}, .groups = {}, .extra = {}};

  Fixture() {
    BuiltinDeps deps;
    deps.access = &registry;
    deps.store = store.get();
    deps.clock = &clock;
    deps.service_cluster_ip_ranges = {"10.96.0.0/16"};
    for (Kind& kind : CoreKinds(deps)) registry.Add(std::move(kind));
  }

  RequestContext Rc(std::string ns, std::string name = {}) {
    warnings.clear();
    return {.ctx = Context::Background(),
            .user = &user,
            .namespace_ = std::move(ns),
            .name = std::move(name),
            .warnings = &warnings,
            .access = &registry,
            .clock = &clock};
  }
  ResourcePtr Find(std::string_view resource) { return registry.Find("", "v1", resource); }

  template <typename T>
  static Object Parse(std::string_view json) {
    auto message = std::make_unique<T>();
    BOOST_REQUIRE(codec::DecodeJson(json, message.get()).ok());
    return Object(std::move(message));
  }
  Result<Written> CreateMap(std::string_view metadata, bool dry_run = false) {
    RequestContext rc = Rc("default");
    rc.dry_run = dry_run;
    const std::string json = R"({"metadata":)" + std::string(metadata) + R"(,"data":{"a":"b"}})";
    return registry.Create(rc, *Find("configmaps"), Parse<core::ConfigMap>(json), {});
  }
  Result<Written> UpdateMap(const std::string& name, const std::function<void(core::ConfigMap&)>& edit) {
    return registry.Update(Rc("default", name), *Find("configmaps"), nullptr,
                           [&](const Object* current) -> Result<ObjectPtr> {
                             auto copy = std::make_unique<Object>(current->Clone());
                             edit(copy->As<core::ConfigMap>());
                             return copy;
                           },
                           {});
  }
  Result<Deleted> Delete(std::string_view resource, std::string_view name,
                         const ::knarr::meta::DeleteOptions& options = {}) {
    return registry.Delete(Rc("default"), *Find(resource), name, options, {});
  }
  storage::Revision Newest() { return *store->CurrentRevision(Context::Background()); }
};

BOOST_FIXTURE_TEST_SUITE(registry, Fixture)

BOOST_AUTO_TEST_CASE(a_new_object_gets_what_the_server_gives) {
  const auto written = CreateMap(R"({"name":"a","uid":"mine","selfLink":"/x"})");
  BOOST_REQUIRE(written.ok());
  const auto& metadata = written->object->metadata();
  BOOST_TEST(metadata.namespace_() == "default");
  BOOST_TEST(metadata.uid().size() == 36u);
  BOOST_TEST(metadata.creationtimestamp().seconds() == 1'700'000'000);
  BOOST_TEST(metadata.resourceversion() == std::to_string(Newest()));
  BOOST_TEST(metadata.selflink() == "");
}

BOOST_AUTO_TEST_CASE(stored_bytes_are_upstreams_and_hold_no_version) {
  BOOST_REQUIRE(CreateMap(R"({"name":"a"})").ok());
  const auto kv = *store->Get(Context::Background(), "/registry/configmaps/default/a");
  BOOST_REQUIRE(kv);
  const auto envelope = codec::DecodeEnvelope(kv->value);
  BOOST_REQUIRE(envelope.ok());
  BOOST_TEST(envelope->api_version == "v1");
  BOOST_TEST(envelope->kind == "ConfigMap");
  core::ConfigMap map;
  BOOST_REQUIRE(codec::DecodeProtobuf(envelope->raw, &map).ok());
  BOOST_TEST(map.metadata().resourceversion() == "");
}

BOOST_AUTO_TEST_CASE(what_an_older_server_stored_as_json_is_read) {
  const std::string json = R"({"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"j","namespace":"default"}})";
  BOOST_REQUIRE(store->Create(Context::Background(), "/registry/configmaps/default/j", json, 0).ok());
  const auto got = registry.GetFromStore(Rc("default", "j"), *Find("configmaps"), "j");
  BOOST_REQUIRE(got.ok());
  BOOST_TEST((*got)->metadata().name() == "j");
}

BOOST_AUTO_TEST_CASE(damaged_bytes_name_their_key) {
  BOOST_REQUIRE(store->Create(Context::Background(), "/registry/configmaps/default/d", "k8s", 0).ok());
  const auto got = registry.GetFromStore(Rc("default", "d"), *Find("configmaps"), "d");
  BOOST_REQUIRE(!got.ok());
  BOOST_TEST((got.error().code() == Code::kDataLoss));
  BOOST_TEST(got.error().message().starts_with("/registry/configmaps/default/d: "));
}

BOOST_AUTO_TEST_CASE(a_name_is_taken_once) {
  BOOST_REQUIRE(CreateMap(R"({"name":"a"})").ok());
  const auto again = CreateMap(R"({"name":"a"})");
  BOOST_REQUIRE(!again.ok());
  BOOST_TEST(again.error().message() == "configmaps \"a\" already exists");
}

BOOST_AUTO_TEST_CASE(generated_names_have_the_prefix_and_five_letters) {
  const auto written = CreateMap(R"({"generateName":"job-"})");
  BOOST_REQUIRE(written.ok());
  BOOST_TEST(written->object->metadata().name().starts_with("job-"));
  BOOST_TEST(written->object->metadata().name().size() == 9u);
}

BOOST_AUTO_TEST_CASE(an_invalid_object_names_every_field) {
  const auto written = CreateMap(R"({"name":"UPPER","labels":{"bad key":"v"}})");
  BOOST_REQUIRE(!written.ok());
  BOOST_TEST((written.error().code() == Code::kInvalid));
  BOOST_REQUIRE(written.error().details());
  BOOST_REQUIRE(written.error().details()->causes.size() == 2u);
  BOOST_TEST(written.error().details()->causes[0].field == "metadata.name");
  BOOST_TEST(written.error().details()->causes[1].field == "metadata.labels");
  BOOST_TEST(Newest() == 1);
}

BOOST_AUTO_TEST_CASE(a_dry_run_writes_nothing_but_sees_conflicts) {
  const storage::Revision before = Newest();
  BOOST_REQUIRE(CreateMap(R"({"name":"a"})", true).ok());
  BOOST_TEST(Newest() == before);
  BOOST_REQUIRE(CreateMap(R"({"name":"a"})").ok());
  BOOST_TEST((CreateMap(R"({"name":"a"})", true).error().code() == Code::kAlreadyExists));
}

BOOST_AUTO_TEST_CASE(an_update_that_changes_nothing_is_no_write) {
  BOOST_REQUIRE(CreateMap(R"({"name":"a"})").ok());
  const storage::Revision before = Newest();
  const auto same = UpdateMap("a", [](core::ConfigMap&) {});
  BOOST_REQUIRE(same.ok());
  BOOST_TEST(Newest() == before);
  BOOST_TEST(same->object->metadata().resourceversion() == std::to_string(before));
}

BOOST_AUTO_TEST_CASE(an_update_of_an_old_version_conflicts) {
  const std::string old = CreateMap(R"({"name":"a"})")->object->metadata().resourceversion();
  BOOST_REQUIRE(UpdateMap("a", [](core::ConfigMap& map) { (*map.mutable_data())["x"] = "y"; }).ok());
  const auto late = UpdateMap("a", [&](core::ConfigMap& map) { map.mutable_metadata()->set_resourceversion(old); });
  BOOST_REQUIRE(!late.ok());
  BOOST_TEST(late.error().message() ==
             "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your "
             "changes to the latest version and try again");
}

BOOST_AUTO_TEST_CASE(an_update_with_another_uid_is_refused) {
  BOOST_REQUIRE(CreateMap(R"({"name":"a"})").ok());
  const auto other = UpdateMap("a", [](core::ConfigMap& map) { map.mutable_metadata()->set_uid("x"); });
  BOOST_REQUIRE(!other.ok());
  BOOST_TEST((other.error().code() == Code::kConflict));
}

BOOST_AUTO_TEST_CASE(writers_that_race_all_succeed) {
  BOOST_REQUIRE(CreateMap(R"({"name":"a"})").ok());
  constexpr int kWriters = 8, kRounds = 20;
  {
    TaskGroup threads;
    for (int writer = 0; writer < kWriters; ++writer) {
      threads.Go("writer", [this, writer](std::stop_token) {
        for (int round = 0; round < kRounds; ++round) {
          const auto updated = registry.Update(Context::Background(), {"", "configmaps"}, "default", "a", "",
                                               [&](Object& object) -> Status {
                                                 auto& data = *object.As<core::ConfigMap>().mutable_data();
                                                 data[fmt::format("{}-{}", writer, round)] = "x";
                                                 return {};
                                               });
          KNARR_CHECK(updated.ok());
        }
      });
    }
  }
  const auto got = registry.GetConsistent(Context::Background(), {"", "configmaps"}, "default", "a");
  BOOST_REQUIRE(got.ok());
  BOOST_TEST((*got)->As<core::ConfigMap>().data_size() == kWriters * kRounds + 1);
}

BOOST_AUTO_TEST_CASE(finalizers_hold_an_object_until_the_last_is_gone) {
  BOOST_REQUIRE(CreateMap(R"({"name":"a","finalizers":["example.com/x"]})").ok());
  const auto deleted = Delete("configmaps", "a");
  BOOST_REQUIRE(deleted.ok());
  BOOST_TEST(!deleted->gone);
  BOOST_TEST(deleted->object->metadata().has_deletiontimestamp());
  const auto again = Delete("configmaps", "a");
  BOOST_REQUIRE(again.ok());
  BOOST_TEST(!again->gone);
  BOOST_REQUIRE(UpdateMap("a", [](core::ConfigMap& map) { map.mutable_metadata()->clear_finalizers(); }).ok());
  BOOST_TEST((Delete("configmaps", "a").error().code() == Code::kNotFound));
}

BOOST_AUTO_TEST_CASE(propagation_leaves_work_for_the_garbage_collector) {
  BOOST_REQUIRE(CreateMap(R"({"name":"a"})").ok());
  ::knarr::meta::DeleteOptions options;
  options.set_propagationpolicy("Foreground");
  const auto deleted = Delete("configmaps", "a", options);
  BOOST_REQUIRE(deleted.ok());
  BOOST_TEST(!deleted->gone);
  BOOST_REQUIRE(deleted->object->metadata().finalizers_size() == 1);
  BOOST_TEST(deleted->object->metadata().finalizers(0) == "foregroundDeletion");
}

BOOST_AUTO_TEST_CASE(preconditions_of_a_deletion_are_checked) {
  BOOST_REQUIRE(CreateMap(R"({"name":"a"})").ok());
  ::knarr::meta::DeleteOptions options;
  options.mutable_preconditions()->set_uid("other");
  const auto deleted = Delete("configmaps", "a", options);
  BOOST_REQUIRE(!deleted.ok());
  BOOST_TEST((deleted.error().code() == Code::kConflict));
  BOOST_TEST(deleted.error().message().find("ConfigMap \"a\": the UID in the precondition (other) does not match") !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_scheduled_pod_has_its_grace_period_which_can_be_shortened) {
  const char* pod = R"({"metadata":{"name":"p"},"spec":{"nodeName":"n","containers":[{"name":"c","image":"i"}]}})";
  BOOST_REQUIRE(registry.Create(Rc("default"), *Find("pods"), Parse<core::Pod>(pod), {}).ok());
  const auto first = Delete("pods", "p");
  BOOST_REQUIRE(first.ok());
  BOOST_TEST(!first->gone);
  BOOST_TEST(first->object->metadata().deletiongraceperiodseconds() == 30);
  BOOST_TEST(first->object->metadata().deletiontimestamp().seconds() == 1'700'000'030);
  ::knarr::meta::DeleteOptions longer;
  longer.set_graceperiodseconds(60);
  BOOST_TEST(Delete("pods", "p", longer)->object->metadata().deletiongraceperiodseconds() == 30);
  ::knarr::meta::DeleteOptions now;
  now.set_graceperiodseconds(0);
  BOOST_TEST(Delete("pods", "p", now)->gone);
}

BOOST_AUTO_TEST_CASE(a_namespace_terminates_until_its_spec_lets_it_go) {
  BOOST_REQUIRE(
      registry.Create(Rc(""), *Find("namespaces"), Parse<core::Namespace>(R"({"metadata":{"name":"n"}})"), {}).ok());
  RequestContext rc = Rc("");
  const auto deleted = registry.Delete(rc, *Find("namespaces"), "n", {}, {});
  BOOST_REQUIRE(deleted.ok());
  BOOST_TEST(!deleted->gone);
  BOOST_TEST(deleted->object->As<core::Namespace>().status().phase() == "Terminating");
  BOOST_TEST(!deleted->object->metadata().has_deletiongraceperiodseconds());
  BOOST_REQUIRE(registry
                    .Update(Context::Background(), {"", "namespaces"}, "", "n", "finalize",
                            [](Object& object) -> Status {
                              object.As<core::Namespace>().mutable_spec()->clear_finalizers();
                              return {};
                            })
                    .ok());
  BOOST_TEST((registry.GetFromStore(Rc("", "n"), *Find("namespaces"), "n").error().code() == Code::kNotFound));
}

BOOST_AUTO_TEST_CASE(hooks_see_the_object_in_order) {
  std::string order;
  WriteHooks hooks;
  hooks.manage = [&](Object&, const Object*) -> Status { return order += "manage ", Status(); };
  hooks.admit = [&](Object& object, const Object*) -> Status {
    order += "admit ";
    (*object.metadata().mutable_labels())["admitted"] = "yes";
    return {};
  };
  hooks.validate = [&](const Object& object, const Object*) -> Status {
    order += "validate";
    return object.metadata().labels().count("admitted") ? Status() : Error(Code::kForbidden, "no");
  };
  BOOST_REQUIRE(
      registry.Create(Rc("default"), *Find("configmaps"), Parse<core::ConfigMap>(R"({"metadata":{"name":"a"}})"), hooks)
          .ok());
  BOOST_TEST(order == "manage admit validate");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::registry
