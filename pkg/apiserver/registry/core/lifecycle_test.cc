// Core kinds in the real registry, on a store in memory: what is stored where, and how objects end.
#include "k8s.io/api/policy/v1/generated.pb.h"
#include "k8s.io/apimachinery/pkg/apis/meta/v1/generated.pb.h"
#include "pkg/apiserver/registry/core/test_objects.h"
#include "pkg/apiserver/registry/policy/kinds.h"
#include "pkg/apiserver/registry/registry.h"
#include "pkg/apiserver/storage/memory.h"

namespace knarr::registry::testing {
namespace {

struct Server {
  FakeClock clock;
  std::unique_ptr<storage::Store> store = storage::NewMemoryStore(clock);
  Registry registry{*store, clock, Logger(), {.watch_cache = false}};
  Context ctx = Context::Background();
  std::vector<std::string> warnings;
  Status last;

  Server() {
    for (Kind& kind : CoreKinds(BuiltinDeps())) {
      if (kind.resource != "services") registry.Add(std::move(kind));
    }
    for (Kind& kind : PolicyKinds(BuiltinDeps())) registry.Add(std::move(kind));
  }

  RequestContext Request(std::string_view ns, std::string_view name) {
    return {.ctx = ctx,
            .namespace_ = std::string(ns),
            .name = std::string(name),
            .warnings = &warnings,
            .access = &registry,
            .clock = &clock};
  }
  // The error, or "ok".
  std::string Create(std::string_view resource, const std::string& text) {
    last = registry.Create(ctx, GroupResource{"", resource}, FromText(resource, text)).status();
    return std::string(last.message());
  }
  std::string Update(std::string_view resource, std::string_view ns, std::string_view name, std::string_view part,
                     const std::function<void(Object&)>& change) {
    last = registry
               .Update(ctx, GroupResource{"", resource}, ns, name, part,
                       [&](Object& object) -> Status {
                         change(object);
                         return OkStatus();
                       })
               .status();
    return std::string(last.message());
  }
  std::string Delete(std::string_view resource, std::string_view ns, std::string_view name,
                     std::optional<int64_t> grace = std::nullopt) {
    meta::DeleteOptions options;
    if (grace) options.set_graceperiodseconds(*grace);
    last = registry.DeleteWithOptions(ctx, {"", resource}, ns, name, options);
    return std::string(last.message());
  }
  std::string Post(std::string_view subresource, const std::string& body) {
    const Subresource* found = KindOf("pods").FindSubresource(subresource);
    std::unique_ptr<google::protobuf::Message> message(found->prototype().New());
    BOOST_REQUIRE(google::protobuf::TextFormat::ParseFromString(body, message.get()));
    const auto result = found->create(Request("default", "web"), std::move(message));
    last = result.ok() ? OkStatus() : result.error();
    return std::string(last.message());
  }
  ObjectRef Find(std::string_view resource, std::string_view ns, std::string_view name) {
    auto found = registry.GetConsistent(ctx, {"", resource}, ns, name);
    return found.ok() ? *found : nullptr;
  }
  bool Stored(const std::string& key) {
    const auto found = store->Get(ctx, key);
    return found.ok() && found->has_value();
  }
};

const char* const kPod = R"(metadata { name: "web" namespace: "default" labels { key: "app" value: "web" } }
                            spec { containers { name: "c" image: "i:1" } })";

BOOST_AUTO_TEST_SUITE(core_lifecycle)

BOOST_AUTO_TEST_CASE(objects_lie_where_upstream_keeps_them) {
  Server server;
  BOOST_TEST(server.Create("nodes", R"(metadata { name: "n1" })") == "ok");
  BOOST_TEST(server.Create("pods", kPod) == "ok");
  BOOST_TEST(server.Create("endpoints", R"(metadata { name: "e" namespace: "default" })") == "ok");
  BOOST_TEST(server.Stored("/registry/minions/n1"));
  BOOST_TEST(server.Stored("/registry/pods/default/web"));
  BOOST_TEST(server.Stored("/registry/services/endpoints/default/e"));
}

BOOST_AUTO_TEST_CASE(errors_name_the_object_and_the_field) {
  Server server;
  BOOST_TEST(
      server.Create("configmaps", R"(metadata { name: "A_b" namespace: "default" } data { key: "x y" value: "" })")
          .starts_with("ConfigMap \"A_b\" is invalid: [metadata.name: Invalid value: \"A_b\": a lowercase RFC "
                       "1123 subdomain must consist of"));
  BOOST_TEST(server.last.Is(Code::kInvalid));
  BOOST_TEST(server.Create("pods", kPod) == "ok");
  BOOST_TEST(server.Create("pods", kPod) == "pods \"web\" already exists");
  BOOST_TEST(server
                 .Update("pods", "default", "web", "",
                         [](Object& pod) { pod.As<core::Pod>().mutable_spec()->set_nodename("n1"); })
                 .starts_with("Pod \"web\" is invalid: spec: Forbidden: pod updates may not change fields other than"));
}

BOOST_AUTO_TEST_CASE(a_namespace_stays_until_it_is_finalized) {
  Server server;
  BOOST_TEST(server.Create("namespaces", R"(metadata { name: "n" })") == "ok");
  BOOST_TEST(server.Delete("namespaces", "", "n") == "ok");
  const ObjectRef terminating = server.Find("namespaces", "", "n");
  BOOST_REQUIRE(terminating);
  BOOST_TEST(terminating->As<core::Namespace>().status().phase() == "Terminating");
  BOOST_TEST(terminating->metadata().has_deletiontimestamp());
  BOOST_TEST(server.Update("namespaces", "", "n", "status",
                           [](Object& space) { space.As<core::Namespace>().mutable_status()->set_phase("Active"); }) ==
             "Namespace \"n\" is invalid: status.Phase: Invalid value: \"Active\": may only be 'Terminating' if "
             "`deletionTimestamp` is not empty");
  BOOST_TEST(server.Update("namespaces", "", "n", "finalize", [](Object& space) {
    space.As<core::Namespace>().mutable_spec()->clear_finalizers();
  }) == "ok");
  BOOST_TEST(!server.Find("namespaces", "", "n"));
}

BOOST_AUTO_TEST_CASE(a_pod_is_bound_runs_and_ends_gracefully) {
  Server server;
  BOOST_TEST(server.Create("pods", kPod) == "ok");
  BOOST_TEST(
      server.Post("binding", R"(metadata { name: "web" namespace: "default" } target { kind: "Node" name: "n1" })") ==
      "ok");
  ObjectRef pod = server.Find("pods", "default", "web");
  BOOST_TEST(pod->As<core::Pod>().spec().nodename() == "n1");
  BOOST_TEST(pod->As<core::Pod>().status().conditions(0).type() == "PodScheduled");
  BOOST_TEST(server.Update("pods", "default", "web", "status", [](Object& object) {
    object.As<core::Pod>().mutable_status()->set_phase("Running");
  }) == "ok");

  BOOST_TEST(server.Delete("pods", "default", "web") == "ok");
  pod = server.Find("pods", "default", "web");
  BOOST_REQUIRE(pod);
  BOOST_TEST(pod->metadata().deletiongraceperiodseconds() == 30);
  // The kubelet reports, then confirms.
  BOOST_TEST(server.Update("pods", "default", "web", "status", [](Object& object) {
    object.As<core::Pod>().mutable_status()->set_message("stopping");
  }) == "ok");
  BOOST_TEST(server.Find("pods", "default", "web")->metadata().has_deletiontimestamp());
  BOOST_TEST(server.Delete("pods", "default", "web", 0) == "ok");
  BOOST_TEST(!server.Find("pods", "default", "web"));
}

// Nothing listens on the components' ports here, or something does that is not one of them: only the store is certain.
BOOST_AUTO_TEST_CASE(component_statuses_are_made_when_asked_for) {
  Server server;
  BuiltinDeps deps;
  deps.store = server.store.get();
  deps.clock = &server.clock;
  for (Kind& kind : CoreKinds(deps)) {
    if (kind.resource == "componentstatuses") server.registry.Add(std::move(kind));
  }
  const auto all = server.registry.List(server.ctx, {"", "componentstatuses"}, "", labels::Selector::Everything());
  BOOST_REQUIRE(all.ok());
  BOOST_REQUIRE(all->size() == 3);
  BOOST_TEST((*all)[0]->metadata().name() == "controller-manager");
  BOOST_TEST((*all)[2]->metadata().name() == "scheduler");
  const auto one = server.registry.Get(server.ctx, {"", "componentstatuses"}, "", "etcd-0");
  BOOST_REQUIRE(one.ok());
  BOOST_TEST((*one)->As<core::ComponentStatus>().conditions(0).status() == "True");
  BOOST_TEST((*one)->As<core::ComponentStatus>().conditions(0).message() == "ok");
  BOOST_TEST(!server.registry.Get(server.ctx, {"", "componentstatuses"}, "", "other").ok());
}

BOOST_AUTO_TEST_CASE(a_pod_without_a_node_goes_at_once) {
  Server server;
  BOOST_TEST(server.Create("pods", kPod) == "ok");
  BOOST_TEST(server.Delete("pods", "default", "web") == "ok");
  BOOST_TEST(!server.Find("pods", "default", "web"));
}

BOOST_AUTO_TEST_CASE(an_eviction_debits_the_budget_and_begins_the_end) {
  Server server;
  BOOST_TEST(server.Create("pods", kPod) == "ok");
  server.Post("binding", R"(metadata { name: "web" } target { name: "n1" })");
  BOOST_TEST(server.Update("pods", "default", "web", "status", [](Object& object) {
    auto& status = *object.As<core::Pod>().mutable_status();
    status.set_phase("Running");
    auto& ready = *status.add_conditions();
    ready.set_type("Ready");
    ready.set_status("True");
  }) == "ok");
  auto budget = std::make_unique<::k8s::io::api::policy::v1::PodDisruptionBudget>();
  BOOST_REQUIRE(google::protobuf::TextFormat::ParseFromString(
      R"(metadata { name: "b" namespace: "default" }
         spec { minAvailable { intVal: 0 } selector { matchLabels { key: "app" value: "web" } } })",
      budget.get()));
  const GroupResource budgets{"policy", "poddisruptionbudgets"};
  BOOST_REQUIRE(server.registry.Create(server.ctx, budgets, Object(std::move(budget))).ok());
  BOOST_TEST(server.Post("eviction", R"(metadata { name: "web" })") ==
             "Cannot evict pod as it would violate the pod's disruption budget.");
  const Status allowed =
      server.registry
          .Update(server.ctx, budgets, "default", "b", "status",
                  [](Object& object) -> Status {
                    auto& status = *object.As<::k8s::io::api::policy::v1::PodDisruptionBudget>().mutable_status();
                    status.set_observedgeneration(1);
                    status.set_disruptionsallowed(1);
                    return OkStatus();
                  })
          .status();
  BOOST_TEST(allowed.message() == "ok");
  BOOST_TEST(server.Post("eviction", R"(metadata { name: "web" } deleteOptions { gracePeriodSeconds: 7 })") == "ok");
  const ObjectRef pod = server.Find("pods", "default", "web");
  BOOST_REQUIRE(pod);
  BOOST_TEST(pod->metadata().deletiongraceperiodseconds() == 7);
  const auto& conditions = pod->As<core::Pod>().status().conditions();
  BOOST_TEST(conditions[conditions.size() - 1].type() == "DisruptionTarget");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::registry::testing
