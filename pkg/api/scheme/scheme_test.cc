#include "pkg/api/scheme/scheme.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>

namespace knarr::scheme {
namespace {

BOOST_AUTO_TEST_SUITE(api_scheme)

BOOST_AUTO_TEST_CASE(resources_are_found_by_kind_and_by_plural) {
  const ResourceInfo* pods = FindKind("v1", "Pod");
  BOOST_REQUIRE(pods);
  BOOST_TEST(pods->resource == "pods");
  BOOST_TEST(pods->singular == "pod");
  BOOST_TEST(pods->namespaced);
  BOOST_TEST(pods->ApiVersion() == "v1");
  BOOST_TEST(pods->verbs.size() == 8u);
  BOOST_TEST(pods->prototype().GetDescriptor()->full_name() == "k8s.io.api.core.v1.Pod");
  BOOST_TEST(FindResource("apps", "v1", "deployments")->kind == "Deployment");
  BOOST_TEST(FindResource("apps", "v1", "deployments")->ApiVersion() == "apps/v1");
  BOOST_TEST(FindKind("v1", "Endpoints")->resource == "endpoints");
  BOOST_TEST(FindKind("networking.k8s.io/v1", "NetworkPolicy")->resource == "networkpolicies");
  BOOST_TEST(!FindKind("v1", "Node")->namespaced);
  BOOST_TEST(FindKind("v1", "PodList") == nullptr);
  BOOST_TEST(FindKind("v1", "Nope") == nullptr);
}

BOOST_AUTO_TEST_CASE(what_people_type_is_found) {
  const auto kind = [](std::string_view name) { return FindByName(name) ? std::string(FindByName(name)->kind) : ""; };
  BOOST_TEST(kind("po") == "Pod");
  BOOST_TEST(kind("PODS") == "Pod");
  BOOST_TEST(kind("Pod") == "Pod");
  BOOST_TEST(kind("deploy") == "Deployment");
  BOOST_TEST(FindByName("deploy")->ApiVersion() == "apps/v1");
  BOOST_TEST(FindByName("ingress")->ApiVersion() == "networking.k8s.io/v1");
  BOOST_TEST(FindByName("ev")->group == "");
  BOOST_TEST(FindByName("hpa")->version == "v2");
  BOOST_TEST(FindByName("deployments.v1beta1.apps")->version == "v1beta1");
  BOOST_TEST(FindByName("deployments.extensions")->group == "extensions");
  BOOST_TEST(kind("pod.nope") == "");
  BOOST_TEST(kind("nope") == "");
}

BOOST_AUTO_TEST_CASE(verbs_follow_upstreams_clients) {
  const auto verbs = [](std::string_view api_version, std::string_view kind) {
    std::string out;
    for (const std::string_view verb : FindKind(api_version, kind)->verbs) out += std::string(verb) + " ";
    return out;
  };
  BOOST_TEST(verbs("authorization.k8s.io/v1", "SubjectAccessReview") == "create ");
  BOOST_TEST(verbs("v1", "Namespace") == "create delete get list patch update watch ");
  BOOST_TEST(verbs("v1", "Binding") == "create ");
}

BOOST_AUTO_TEST_CASE(every_registered_kind_can_be_made) {
  for (const std::string_view kind :
       {"Pod", "PodList", "DeleteOptions", "Status", "WatchEvent", "List", "APIResourceList"}) {
    const auto object = New("v1", kind);
    BOOST_REQUIRE_MESSAGE(object.ok(), kind);
    BOOST_TEST((*object)->GetDescriptor()->name() == kind);
  }
  BOOST_TEST(New("batch/v1", "DeleteOptions").ok());
  BOOST_TEST(New("apps/v1", "Pod").status().message() == "no kind \"Pod\" is registered for version \"apps/v1\"");
  for (const ResourceInfo& info : AllResources()) BOOST_TEST(New(info.ApiVersion(), info.kind).ok());
  BOOST_TEST(
      std::is_sorted(AllResources().begin(), AllResources().end(), [](const ResourceInfo& a, const ResourceInfo& b) {
        return std::tie(a.group, a.version, a.kind) < std::tie(b.group, b.version, b.kind);
      }));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::scheme
