#include "pkg/apiserver/registry/fake/fake_access.h"

#include <boost/test/unit_test.hpp>

#include "k8s.io/api/core/v1/generated.pb.h"

namespace knarr::registry {
namespace {

const Context kCtx = Context::Background();

BOOST_AUTO_TEST_SUITE(fake_access)

BOOST_AUTO_TEST_CASE(objects_are_created_once_and_found_by_their_names) {
  FakeClock clock;
  FakeAccess access(clock);
  auto pod = std::make_unique<core::Pod>();
  pod->mutable_metadata()->set_name("web");
  pod->mutable_metadata()->set_namespace_("default");
  (*pod->mutable_metadata()->mutable_labels())["app"] = "web";
  const api::Object object(std::move(pod));
  const auto created = access.Create(kCtx, {"", "pods"}, object.Clone());
  BOOST_REQUIRE(created.ok());
  BOOST_TEST((*created)->metadata().creationtimestamp().seconds() == 1700000000);
  BOOST_TEST(access.Create(kCtx, {"", "pods"}, object.Clone()).status().message() == "pods \"web\" already exists");
  BOOST_TEST(access.Get(kCtx, {"", "pods"}, "other", "web").status().message() == "pods \"web\" not found");
  BOOST_TEST(access.List(kCtx, {"", "pods"}, "", *labels::Parse("app=db"))->size() == 0U);
  BOOST_TEST(access.List(kCtx, {"", "pods"}, "default", *labels::Parse("app=web"))->size() == 1U);
  BOOST_TEST(access.Delete(kCtx, {"", "pods"}, "default", "web", "another").Is(Code::kConflict));
  BOOST_TEST(access.Delete(kCtx, {"", "pods"}, "default", "web", "").ok());
}

BOOST_AUTO_TEST_CASE(a_held_cache_is_stale_and_a_conflicting_update_runs_again) {
  FakeAccess access;
  access.Put<core::ConfigMap>({"", "configmaps"}, R"(metadata { name: "c" namespace: "n" })");
  access.HoldCache(true);
  access.BeforeUpdate([&] {
    access.Put<core::ConfigMap>({"", "configmaps"},
                                R"(metadata { name: "c" namespace: "n" } data { key: "x" value: "1" })");
  });
  int calls = 0;
  const auto updated = access.Update(kCtx, {"", "configmaps"}, "n", "c", "", [&](api::Object& object) {
    ++calls;
    (*object.As<core::ConfigMap>().mutable_data())["y"] = "2";
    return Status();
  });
  BOOST_REQUIRE(updated.ok());
  BOOST_TEST(calls == 2);
  BOOST_TEST((*updated)->As<core::ConfigMap>().data().size() == 2U);
  BOOST_TEST((*access.Get(kCtx, {"", "configmaps"}, "n", "c"))->As<core::ConfigMap>().data().size() == 0U);
  BOOST_TEST((*access.GetConsistent(kCtx, {"", "configmaps"}, "n", "c"))->As<core::ConfigMap>().data().size() == 2U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::registry
