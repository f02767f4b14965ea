#include "pkg/apiserver/auth/reviews/reviews.h"

#include <boost/test/unit_test.hpp>

#include "k8s.io/api/authentication/v1/generated.pb.h"
#include "k8s.io/api/authorization/v1/generated.pb.h"
#include "k8s.io/api/rbac/v1/generated.pb.h"
#include "pkg/api/codec/codec.h"
#include "pkg/apiserver/auth/authn/authn.h"
#include "pkg/apiserver/auth/authz/authz.h"
#include "pkg/apiserver/registry/fake/fake_access.h"

namespace knarr::auth {
namespace {

struct Fixture {
  FakeClock clock;
  registry::FakeAccess access{clock};
  AuthorizerPtr authorizer = *NewAuthorizer({"Node", "RBAC"}, access, clock);
  UserInfo jane{.name = "jane", .uid = "7", .groups = {"dev", "system:authenticated"}, .extra = {{"k", {"v"}}}};
  std::vector<registry::Kind> kinds = ReviewKinds({.access = &access,
                                                   .clock = &clock,
                                                   .authorizer = authorizer.get(),
                                                   .tokens = *ParseTokenFile("t0k,joe,9,\"a,b\"", "f", {"api"})});
  std::string ns;

  Fixture() {
    access.Put<::k8s::io::api::rbac::v1::ClusterRole>(
        {"rbac.authorization.k8s.io", "clusterroles"},
        R"(metadata { name: "r" } rules { verbs: "get" apiGroups: "" resources: "pods" } rules { verbs: "get" nonResourceURLs: "/version" })");
    access.Put<::k8s::io::api::rbac::v1::ClusterRoleBinding>(
        {"rbac.authorization.k8s.io", "clusterrolebindings"},
        R"(metadata { name: "b" } roleRef { kind: "ClusterRole" name: "r" } subjects { kind: "Group" name: "dev" })");
  }

  // The status as JSON, or the error.
  std::string Post(std::string_view resource, std::string_view json, size_t version = 0) {
    for (const registry::Kind& kind : kinds) {
      if (kind.resource != resource) continue;
      std::unique_ptr<google::protobuf::Message> body(kind.versions[version].prototype().New());
      const Status decoded = codec::DecodeJson(json, body.get());
      BOOST_REQUIRE_MESSAGE(decoded.ok(), decoded.message());
      std::vector<std::string> warnings;
      const registry::RequestContext rc{.ctx = Context::Background(),
                                        .user = &jane,
                                        .namespace_ = ns,
                                        .warnings = &warnings,
                                        .access = &access,
                                        .clock = &clock};
      const auto answer = kind.create_only(rc, std::move(body));
      if (!answer.ok()) return std::string(answer.error().message());
      const std::string text = codec::EncodeJson(**answer);
      const size_t at = text.find("\"status\":");
      return text.substr(at + 9, text.size() - at - 10);
    }
    return "no such kind";
  }
};

BOOST_FIXTURE_TEST_SUITE(reviews, Fixture)

BOOST_AUTO_TEST_CASE(kinds_are_for_posting_in_both_versions) {
  BOOST_TEST(kinds.size() == 6u);
  for (const registry::Kind& kind : kinds) {
    BOOST_TEST(kind.verbs == std::vector<std::string>{"create"}, boost::test_tools::per_element());
    BOOST_TEST(kind.namespaced == (kind.resource == "localsubjectaccessreviews"));
    BOOST_TEST((kind.FindVersion("v1beta1") != nullptr) == (kind.resource != "selfsubjectreviews"));
  }
}

BOOST_AUTO_TEST_CASE(tokens) {
  BOOST_TEST(
      Post("tokenreviews", R"({"spec":{"token":"t0k"}})") ==
      R"({"authenticated":true,"user":{"username":"joe","uid":"9","groups":["a","b","system:authenticated"]},"audiences":["api"]})");
  BOOST_TEST(Post("tokenreviews", R"({"spec":{"token":"nope"}})") == R"({"user":{},"error":"invalid bearer token"})");
  BOOST_TEST(Post("tokenreviews", R"({"spec":{"token":"t0k","audiences":["vault"]}})") ==
             R"({"user":{},"error":"invalid bearer token"})");
  BOOST_TEST(Post("tokenreviews", R"({"spec":{}})") == "token is required for TokenReview in authentication");
  // What the client says of the outcome does not matter.
  BOOST_TEST(Post("tokenreviews", R"({"spec":{"token":"x"},"status":{"authenticated":true}})") ==
             R"({"user":{},"error":"invalid bearer token"})");
}

BOOST_AUTO_TEST_CASE(who_am_i) {
  BOOST_TEST(
      Post("selfsubjectreviews", "{}") ==
      R"({"userInfo":{"username":"jane","uid":"7","groups":["dev","system:authenticated"],"extra":{"k":["v"]}}})");
}

BOOST_AUTO_TEST_CASE(may_i) {
  BOOST_TEST(
      Post("selfsubjectaccessreviews", R"({"spec":{"resourceAttributes":{"verb":"get","resource":"pods"}}})") ==
      R"({"allowed":true,"reason":"RBAC: allowed by ClusterRoleBinding \"b\" of ClusterRole \"r\" to Group \"dev\""})");
  BOOST_TEST(Post("selfsubjectaccessreviews", R"({"spec":{"resourceAttributes":{"verb":"list","resource":"pods"}}})") ==
             R"({"allowed":false})");
  BOOST_TEST(Post("selfsubjectaccessreviews", R"({"spec":{"nonResourceAttributes":{"verb":"get","path":"/version"}}})")
                 .starts_with(R"({"allowed":true)"));
  BOOST_TEST(Post("selfsubjectaccessreviews", R"({"spec":{}})") ==
             ".authorization.k8s.io \"\" is invalid: spec.resourceAttributes: Invalid value: \"null\": exactly one of "
             "nonResourceAttributes or resourceAttributes must be specified");
  BOOST_TEST(Post("selfsubjectaccessreviews",
                  R"({"spec":{"resourceAttributes":{},"nonResourceAttributes":{"path":"/x","verb":"get"}}})") ==
             ".authorization.k8s.io \"\" is invalid: spec.nonResourceAttributes: Invalid value: "
             "authorization.NonResourceAttributes{Path:\"/x\", Verb:\"get\"}: cannot be specified in combination with "
             "resourceAttributes");
  BOOST_TEST(Post("selfsubjectaccessreviews", R"({"metadata":{"name":"a"},"spec":{"resourceAttributes":{}}})")
                 .find("metadata: Invalid value: v1.ObjectMeta{Name:\"a\", ") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(may_they) {
  BOOST_TEST(Post("subjectaccessreviews",
                  R"({"spec":{"user":"x","groups":["dev"],"resourceAttributes":{"verb":"get","resource":"pods"}}})")
                 .starts_with(R"({"allowed":true)"));
  BOOST_TEST(
      Post("subjectaccessreviews", R"({"spec":{"resourceAttributes":{"verb":"get","resource":"pods"}}})") ==
      ".authorization.k8s.io \"\" is invalid: spec.user: Invalid value: \"\": at least one of user or group must "
      "be specified");
  const std::string node =
      R"({"spec":{"user":"system:node:n1","groups":["system:nodes"],"resourceAttributes":{"verb":"list","resource":"pods")";
  BOOST_TEST(Post("subjectaccessreviews", node + "}}}") ==
             R"({"allowed":false,"reason":"can only list/watch pods with spec.nodeName field selector"})");
  BOOST_TEST(Post("subjectaccessreviews", node + R"(,"fieldSelector":{"rawSelector":"spec.nodeName=n1"}}}})") ==
             R"({"allowed":true})");
  BOOST_TEST(
      Post(
          "subjectaccessreviews",
          node + R"(,"fieldSelector":{"requirements":[{"key":"spec.nodeName","operator":"In","values":["n1"]}]}}}})") ==
      R"({"allowed":true})");
  BOOST_TEST(
      Post("subjectaccessreviews", node + R"(,"fieldSelector":{}}}})").find("spec.resourceAttributes.fieldSelector") !=
      std::string::npos);
}

BOOST_AUTO_TEST_CASE(may_they_here) {
  const std::string spec =
      R"("spec":{"user":"x","groups":["dev"],"resourceAttributes":{"namespace":"shop","verb":"get","resource":"pods"}}})";
  BOOST_TEST(Post("localsubjectaccessreviews", "{" + spec) == "namespace is required on this type: ");
  ns = "shop";
  BOOST_TEST(Post("localsubjectaccessreviews", "{" + spec).starts_with(R"({"allowed":true)"));
  BOOST_TEST(Post("localsubjectaccessreviews", R"({"metadata":{"namespace":"shop"},)" + spec)
                 .starts_with(R"({"allowed":true)"));
  BOOST_TEST(Post("localsubjectaccessreviews", R"({"metadata":{"namespace":"other"},)" + spec) ==
             ".authorization.k8s.io \"\" is invalid: spec.resourceAttributes.namespace: Invalid value: \"shop\": must "
             "match metadata.namespace");
}

BOOST_AUTO_TEST_CASE(clients_of_the_beta_are_answered_in_the_beta) {
  BOOST_TEST(Post("subjectaccessreviews",
                  R"({"spec":{"user":"x","group":["dev"],"resourceAttributes":{"verb":"get","resource":"pods"}}})", 1)
                 .starts_with(R"({"allowed":true)"));
  BOOST_TEST(Post("selfsubjectaccessreviews", R"({"spec":{"resourceAttributes":{"verb":"list","resource":"pods"}}})",
                  1) == R"({"allowed":false})");
  BOOST_TEST(Post("selfsubjectrulesreviews", R"({"spec":{"namespace":"shop"}})", 1)
                 .starts_with(R"({"resourceRules":[{"verbs":["get"])"));
  BOOST_TEST(Post("tokenreviews", R"({"spec":{"token":"t0k"}})", 1)
                 .starts_with(R"({"authenticated":true,"user":{"username":"joe")"));
  ns = "shop";
  BOOST_TEST(Post("localsubjectaccessreviews",
                  R"({"spec":{"user":"x","group":["dev"],)"
                  R"("resourceAttributes":{"namespace":"shop","verb":"get","resource":"pods"}}})",
                  1)
                 .starts_with(R"({"allowed":true)"));
}

BOOST_AUTO_TEST_CASE(what_may_i) {
  BOOST_TEST(Post("selfsubjectrulesreviews", R"({"spec":{"namespace":"shop"}})") ==
             R"({"resourceRules":[{"verbs":["get"],"apiGroups":[""],"resources":["pods"]}],)"
             R"("nonResourceRules":[{"verbs":["get"],"nonResourceURLs":["/version"]}],"incomplete":false})");
  BOOST_TEST(Post("selfsubjectrulesreviews", R"({"spec":{}})") == "no namespace on request");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::auth
