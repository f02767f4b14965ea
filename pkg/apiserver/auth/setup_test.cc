#include "pkg/apiserver/auth/setup.h"

#include <boost/test/unit_test.hpp>
#include <filesystem>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/types.h"
#include "pkg/apiserver/auth/serviceaccount/test_keys.h"
#include "pkg/apiserver/registry/fake/fake_access.h"
#include "pkg/base/file.h"
#include "pkg/net/http/server.h"

namespace knarr::auth {
namespace {

constexpr const char* kCertificate = "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n";

struct Fixture {
  std::string dir;
  FakeClock clock;
  registry::FakeAccess access{clock};
  AuthOptions options;
  Fixture() {
    char name[] = "/tmp/knarr-auth-XXXXXX";
    dir = ::mkdtemp(name);
    options.service_accounts.issuers = {"https://kubernetes.default.svc"};
    options.service_accounts.signing_key_file = Put("sa.key", NewEcKey("P-256"));
    options.token_auth_file = Put("tokens.csv", "secret,jane,1,\"system:masters\"\n");
    options.bootstrap_tokens = true;
    options.authorization_modes = {"Node", "RBAC"};
  }
  ~Fixture() { std::filesystem::remove_all(dir); }
  std::string Put(const std::string& name, const std::string& text) const {
    KNARR_CHECK(WriteFileAtomically(dir + "/" + name, text, 0600).ok());
    return dir + "/" + name;
  }
};

BOOST_FIXTURE_TEST_SUITE(setup, Fixture)

BOOST_AUTO_TEST_CASE(the_flags_become_an_authenticator_and_an_authorizer) {
  const auto auth = SetUpAuth(options, access, clock);
  BOOST_REQUIRE(auth.ok());
  http::Request request;
  request.headers = {{"Authorization", "Bearer secret"}};
  const auto user = auth->authenticator->Authenticate(request);
  BOOST_REQUIRE(user.ok());
  BOOST_TEST((**user).name == "jane");
  const Attributes attributes{.user = &**user, .verb = "get", .path = "/anything"};
  BOOST_TEST((auth->authorizer->Authorize(Context::Background(), attributes).decision == Decision::kAllow));
  BOOST_TEST(auth->keys->keys.size() == 1u);
  access.Put<core::ServiceAccount>({"", "serviceaccounts"}, R"(metadata { name: "web" namespace: "shop" uid: "u" })");
  const std::string token = *auth->keys->signer->Sign(ClaimsJson({.ns = "shop",
                                                                  .service_account = {"web", "u"},
                                                                  .audiences = auth->keys->audiences,
                                                                  .issued_at = clock.Now(),
                                                                  .lifetime = std::chrono::hours(1)},
                                                                 auth->keys->issuers[0]));
  request.headers = {{"Authorization", "Bearer " + token}};
  BOOST_TEST((**auth->authenticator->Authenticate(request)).name == "system:serviceaccount:shop:web");
}

BOOST_AUTO_TEST_CASE(flags_without_effect_are_refused) {
  options.unsupported.token_webhook_config = "/x";
  BOOST_TEST(SetUpAuth(options, access, clock).status().message().find("--authentication-token-webhook-config-file") !=
             std::string::npos);
  options.unsupported = {};
  options.token_auth_file = dir + "/missing";
  BOOST_TEST(!SetUpAuth(options, access, clock).ok());
}

BOOST_AUTO_TEST_CASE(the_authorities_are_published_beside_those_of_other_servers) {
  const std::string ours = fmt::format(kCertificate, "b3Vycw=="), theirs = fmt::format(kCertificate, "dGhlaXJz");
  BOOST_TEST(PublishAuthentication(Context::Background(), access, options).ok());
  BOOST_TEST(access.Count({"", "configmaps"}) == 0u);
  options.client_ca_file = Put("ca.crt", "comment\n" + ours);
  options.requestheader_client_ca_file = Put("front.crt", ours);
  options.front_proxy.allowed_names = {"front-proxy-client"};
  access.Put<core::ConfigMap>({"", "configmaps"},
                              "metadata { name: 'extension-apiserver-authentication' namespace: 'kube-system' }");
  BOOST_REQUIRE(access
                    .Update(Context::Background(), {"", "configmaps"}, "kube-system",
                            "extension-apiserver-authentication", "",
                            [&](api::Object& object) {
                              (*object.As<core::ConfigMap>().mutable_data())["client-ca-file"] = theirs;
                              return OkStatus();
                            })
                    .ok());
  BOOST_REQUIRE(PublishAuthentication(Context::Background(), access, options).ok());
  const auto map = access.Find({"", "configmaps"}, "kube-system", "extension-apiserver-authentication");
  const auto& data = map->As<core::ConfigMap>().data();
  BOOST_TEST(data.at("client-ca-file") == theirs + ours);
  BOOST_TEST(data.at("requestheader-client-ca-file") == ours);
  BOOST_TEST(data.at("requestheader-allowed-names") == R"(["front-proxy-client"])");
  BOOST_TEST(data.at("requestheader-username-headers") == R"(["x-remote-user"])");
  const int writes = access.writes();
  BOOST_REQUIRE(PublishAuthentication(Context::Background(), access, options).ok());
  BOOST_TEST(access.writes() == writes);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::auth
