#include "pkg/apiserver/auth/filter.h"

#include <boost/test/unit_test.hpp>
#include <functional>

#include "pkg/apiserver/auth/authn/authn.h"
#include "pkg/apiserver/auth/authz/authz.h"
#include "pkg/net/http/message.h"
#include "pkg/net/http/server.h"

namespace knarr::auth {
namespace {

// Writes down what it is asked, allows what starts with one of the given texts.
struct Recorder final : Authorizer {
  std::vector<std::string> asked, allowed;
  Verdict Authorize(const Context&, const Attributes& a) override {
    std::string text = fmt::format("{} {}/{}/{}", a.verb, a.api_group, a.resource, a.name);
    if (!a.subresource.empty()) text += " sub=" + a.subresource;
    if (!a.namespace_.empty()) text += " ns=" + a.namespace_;
    asked.push_back(text);
    for (const std::string& prefix : allowed) {
      if (text.starts_with(prefix)) return {Decision::kAllow, ""};
    }
    return {Decision::kNoOpinion, "because"};
  }
  Rules RulesFor(const Context&, const UserInfo&, std::string_view) override { return {}; }
};

struct Fixture {
  Recorder authorizer;
  UserInfo jane{.name = "jane", .groups = {"dev"}, .extra = {{"scopes", {"a"}}}};
  Result<std::optional<UserInfo>> Ask(const http::Headers& headers) {
    http::Request request;
    request.target = "/api?x=1";
    request.headers = headers;
    return Impersonate(Context::Background(), authorizer, jane, request);
  }
};

using Texts = std::vector<std::string>;

BOOST_FIXTURE_TEST_SUITE(filter, Fixture)

BOOST_AUTO_TEST_CASE(without_headers_nobody_is_impersonated) {
  const auto user = Ask({{"X-Other", "x"}, {"Impersonate", "x"}});
  BOOST_REQUIRE(user.ok());
  BOOST_TEST(!user->has_value());
  BOOST_TEST(authorizer.asked.empty());
}

BOOST_AUTO_TEST_CASE(every_part_is_asked_for) {
  authorizer.allowed = {"impersonate"};
  const auto user = Ask({{"impersonate-user", "bob"},
                         {"Impersonate-Group", "ops"},
                         {"IMPERSONATE-GROUP", "all"},
                         {"Impersonate-Extra-Acme.com%2Fproject", "one"},
                         {"Impersonate-Extra-acme.com%2fproject", "two"},
                         {"Impersonate-Uid", "u-1"}});
  BOOST_REQUIRE(user.ok());
  BOOST_TEST(authorizer.asked == (Texts{"impersonate /users/bob", "impersonate /groups/ops", "impersonate /groups/all",
                                        "impersonate authentication.k8s.io/userextras/one sub=acme.com/project",
                                        "impersonate authentication.k8s.io/userextras/two sub=acme.com/project",
                                        "impersonate authentication.k8s.io/uids/u-1"}),
             boost::test_tools::per_element());
  BOOST_TEST((*user)->name == "bob");
  BOOST_TEST((*user)->uid == "u-1");
  BOOST_TEST((*user)->groups == (Texts{"ops", "all", "system:authenticated"}), boost::test_tools::per_element());
  BOOST_TEST((*user)->extra.at("acme.com/project") == (Texts{"one", "two"}), boost::test_tools::per_element());
  BOOST_TEST(!(*user)->extra.contains("scopes"));
}

BOOST_AUTO_TEST_CASE(one_refusal_is_a_refusal) {
  authorizer.allowed = {"impersonate /users/"};
  const auto user = Ask({{"Impersonate-User", "bob"}, {"Impersonate-Group", "system:masters"}});
  BOOST_TEST(
      user.status().message() ==
      R"(groups "system:masters" is forbidden: User "jane" cannot impersonate resource "groups" in API group "" at the cluster scope: because)");
  BOOST_TEST(user.status().Is(Code::kForbidden));
}

BOOST_AUTO_TEST_CASE(accounts_get_their_groups_and_anonymous_its_own) {
  authorizer.allowed = {"impersonate"};
  const auto account = Ask({{"Impersonate-User", "system:serviceaccount:shop:web"}});
  BOOST_TEST(authorizer.asked.back() == "impersonate /serviceaccounts/web ns=shop");
  BOOST_TEST(
      (*account)->groups == (Texts{"system:serviceaccounts", "system:serviceaccounts:shop", "system:authenticated"}),
      boost::test_tools::per_element());
  const auto anonymous = Ask({{"Impersonate-User", "system:anonymous"}});
  BOOST_TEST((*anonymous)->groups == Texts{"system:unauthenticated"}, boost::test_tools::per_element());
  const auto nobody = Ask({{"Impersonate-User", "x"}, {"Impersonate-Group", "system:unauthenticated"}});
  BOOST_TEST((*nobody)->groups == Texts{"system:unauthenticated"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(groups_without_a_user_are_an_error) {
  authorizer.allowed = {"impersonate"};
  BOOST_TEST(
      Ask({{"Impersonate-Group", "system:masters"}}).status().message() ==
      "Internal Server Error: \"/api?x=1\": requested [{Group  system:masters    }] without impersonating a user");
  BOOST_TEST(!Ask({{"Impersonate-Uid", "0"}}).ok());
  BOOST_TEST(!Ask({{"Impersonate-User", ""}, {"Impersonate-Extra-x", "y"}}).ok());
  BOOST_TEST(authorizer.asked.empty());
}

BOOST_AUTO_TEST_CASE(headers_are_stripped_whatever_their_case) {
  http::Headers headers{{"impersonate-user", "a"},
                        {"Impersonate-GROUP", "b"},
                        {"Impersonate-extra-X", "c"},
                        {"Impersonate-UID", "d"},
                        {"Accept", "e"}};
  StripImpersonation(headers);
  BOOST_TEST(headers.size() == 1u);
  BOOST_TEST(headers.Has("Accept"));
}

BOOST_AUTO_TEST_CASE(a_request_becomes_an_identity_or_401) {
  FakeClock clock;
  const auto tokens = *ParseTokenFile("secret,jane,1\n", "f", {});
  const auto chain = NewChain({.tokens = tokens}, clock);
  authorizer.allowed = {"impersonate /users/bob"};
  http::Request request;
  request.headers = {{"Authorization", "Bearer secret"}, {"Impersonate-User", "bob"}};
  const auto identity = Identify(*chain, authorizer, request);
  BOOST_REQUIRE(identity.ok());
  BOOST_TEST(identity->user.name == "bob");
  BOOST_TEST(identity->impersonator->name == "jane");
  request.headers = {{"Authorization", "Bearer wrong"}};
  const Status refused = Identify(*chain, authorizer, request).status();
  BOOST_TEST(refused.Is(Code::kUnauthorized));
  BOOST_TEST(refused.message() == "Unauthorized");
  request.headers = {};
  BOOST_TEST(Identify(*chain, authorizer, request)->user.name == "system:anonymous");
  BOOST_TEST(!AuthenticateRequest(*NewChain({.tokens = tokens, .anonymous = false}, clock), request).ok());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::auth
