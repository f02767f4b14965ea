#include "pkg/apiserver/auth/serviceaccount/serviceaccount.h"

#include <boost/test/unit_test.hpp>
#include <filesystem>

#include "k8s.io/api/authentication/v1/generated.pb.h"
#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/types.h"
#include "pkg/apiserver/auth/base64url.h"
#include "pkg/apiserver/auth/serviceaccount/test_keys.h"
#include "pkg/apiserver/registry/fake/fake_access.h"
#include "pkg/base/file.h"

namespace knarr::auth {
namespace {

using namespace std::chrono_literals;
namespace authentication = ::k8s::io::api::authentication::v1;
using google::protobuf::Message;

constexpr const char* kIssuer = "https://kubernetes.default.svc.cluster.local";
constexpr int64_t kNow = 1700000000;  // FakeClock's start

struct Fixture {
  FakeClock clock;
  registry::FakeAccess access{clock};
  std::string signing_pem = NewEcKey("P-256");
  std::shared_ptr<ServiceAccountKeys> keys = std::make_shared<ServiceAccountKeys>();
  std::vector<std::string> warnings;

  Fixture() {
    keys->issuers = {kIssuer, "https://old.example"};
    keys->audiences = {kIssuer, "api"};
    keys->keys = *jwt::PublicKey::ParsePem(signing_pem, "k");
    keys->signer = std::make_shared<const jwt::Signer>(*jwt::Signer::ParsePem(signing_pem, "k"));
    access.Put<core::ServiceAccount>({"", "serviceaccounts"},
                                     R"(metadata { name: "web" namespace: "shop" uid: "sa-1" })");
    access.Put<core::Pod>({"", "pods"}, R"(metadata { name: "p" namespace: "shop" uid: "pod-1" }
                                     spec { serviceAccountName: "web" nodeName: "n1" })");
    access.Put<core::Node>({"", "nodes"}, R"(metadata { name: "n1" uid: "node-1" })");
    access.Put<core::Secret>({"", "secrets"}, R"(metadata { name: "s" namespace: "shop" uid: "secret-1" })");
  }

  TokenClaims Claims() const {
    return {.ns = "shop",
            .service_account = {"web", "sa-1"},
            .audiences = {kIssuer},
            .issued_at = clock.Now(),
            .lifetime = 1h,
            .id = "j1"};
  }
  std::string Sign(const TokenClaims& claims, std::string_view issuer = kIssuer) const {
    return *keys->signer->Sign(ClaimsJson(claims, issuer));
  }
  Result<std::optional<TokenAuthenticator::Answer>> Ask(const std::string& token,
                                                        const std::vector<std::string>& audiences = {}) {
    return NewServiceAccountAuthenticator(keys, access, clock)
        ->AuthenticateToken(Context::Background(), token, audiences);
  }
  std::string ErrorOf(const std::string& token) {
    const auto answer = Ask(token);
    return answer.ok() ? (*answer ? "accepted" : "no opinion") : std::string(answer.error().message());
  }

  Result<authentication::TokenRequest> Request(const std::string& text, const std::string& name = "web") {
    auto body = std::make_unique<authentication::TokenRequest>();
    BOOST_REQUIRE(google::protobuf::TextFormat::ParseFromString(text, body.get()));
    registry::RequestContext rc{.ctx = Context::Background(),
                                .namespace_ = "shop",
                                .name = name,
                                .warnings = &warnings,
                                .access = &access,
                                .clock = &clock};
    const auto made = KNARR_TRY(TokenSubresource(keys).create(rc, std::move(body)));
    return static_cast<const authentication::TokenRequest&>(*made);
  }
};

BOOST_FIXTURE_TEST_SUITE(serviceaccount, Fixture)

BOOST_AUTO_TEST_CASE(claims_are_printed_in_upstreams_order) {
  TokenClaims claims = Claims();
  claims.pod = {"p", "pod-1"};
  claims.node = {"n1", "node-1"};
  claims.warn_after = 3607s;
  BOOST_TEST(ClaimsJson(claims, "https://i") ==
             R"({"aud":["https://kubernetes.default.svc.cluster.local"],"exp":1700003600,"iat":1700000000,)"
             R"("iss":"https://i","jti":"j1","kubernetes.io":{"namespace":"shop","node":{"name":"n1","uid":"node-1"},)"
             R"("pod":{"name":"p","uid":"pod-1"},"serviceaccount":{"name":"web","uid":"sa-1"},"warnafter":1700003607},)"
             R"("nbf":1700000000,"sub":"system:serviceaccount:shop:web"})");
}

BOOST_AUTO_TEST_CASE(a_good_token_names_the_account_and_its_groups) {
  const auto answer = Ask(Sign(Claims()));
  BOOST_REQUIRE(answer.ok());
  const UserInfo& user = (**answer).user;
  BOOST_TEST(user.name == "system:serviceaccount:shop:web");
  BOOST_TEST(user.uid == "sa-1");
  BOOST_TEST(user.groups == (std::vector<std::string>{"system:serviceaccounts", "system:serviceaccounts:shop"}),
             boost::test_tools::per_element());
  BOOST_TEST(user.extra.at("authentication.kubernetes.io/credential-id")[0] == "JTI=j1");
  BOOST_TEST((**answer).audiences == std::vector<std::string>{kIssuer}, boost::test_tools::per_element());
  BOOST_TEST(ErrorOf(Sign(Claims(), "https://old.example")) == "accepted");
}

BOOST_AUTO_TEST_CASE(tokens_of_others_are_nobodys_business_here) {
  BOOST_TEST(ErrorOf("abcdef.0123456789abcdef") == "no opinion");
  BOOST_TEST(ErrorOf("") == "no opinion");
  BOOST_TEST(ErrorOf(Sign(Claims(), "https://elsewhere")) == "no opinion");
}

BOOST_AUTO_TEST_CASE(a_key_that_is_not_ours_signs_nothing) {
  const jwt::Signer stranger = *jwt::Signer::ParsePem(NewEcKey("P-256"), "x");
  BOOST_TEST(ErrorOf(*stranger.Sign(ClaimsJson(Claims(), kIssuer))) == "invalid signature, no keys found");
  // The stranger's signature under our key's name.
  const std::string header = fmt::format(R"({{"alg":"ES256","kid":"{}"}})", keys->keys[0].id());
  const std::string good = *stranger.Sign(ClaimsJson(Claims(), kIssuer));
  BOOST_TEST(ErrorOf(EncodeBase64Url(header) + good.substr(good.find('.'))) == "invalid signature, no keys found");
}

BOOST_AUTO_TEST_CASE(times_count_with_a_minute_of_leeway) {
  const std::string token = Sign(Claims());
  clock.Advance(1h + 59s);
  BOOST_TEST(ErrorOf(token) == "accepted");
  clock.Advance(2s);
  BOOST_TEST(ErrorOf(token) == "service account token has expired");
  TokenClaims early = Claims();
  early.issued_at += 59s;
  BOOST_TEST(ErrorOf(Sign(early)) == "accepted");
  early.issued_at += 2s;
  BOOST_TEST(ErrorOf(Sign(early)) == "service account token is not valid yet");
  const std::string endless =
      fmt::format(R"({{"iss":"{}","aud":["{}"],"sub":"system:serviceaccount:shop:web"}})", kIssuer, kIssuer);
  BOOST_TEST(ErrorOf(*keys->signer->Sign(endless)) == "service account token has no expiration");
}

BOOST_AUTO_TEST_CASE(audiences_must_meet) {
  TokenClaims claims = Claims();
  claims.audiences = {"vault"};
  BOOST_TEST(
      ErrorOf(Sign(claims)) ==
      R"(token audiences ["vault"] is invalid for the target audiences ["https://kubernetes.default.svc.cluster.local" "api"])");
  const auto answer = Ask(Sign(claims), {"vault", "other"});
  BOOST_REQUIRE(answer.ok());
  BOOST_TEST((**answer).audiences == std::vector<std::string>{"vault"}, boost::test_tools::per_element());
  claims.audiences.clear();
  BOOST_TEST(ErrorOf(Sign(claims)).starts_with("token audiences [] is invalid"));
}

BOOST_AUTO_TEST_CASE(a_token_lives_as_long_as_what_it_is_bound_to) {
  TokenClaims pod = Claims(), secret = Claims(), node = Claims();
  pod.pod = {"p", "pod-1"};
  pod.node = {"n1", "node-gone"};
  secret.secret = {"s", "secret-1"};
  node.node = {"n1", "node-1"};
  const auto answer = Ask(Sign(pod));
  BOOST_REQUIRE(answer.ok());
  const auto& extra = (**answer).user.extra;
  BOOST_TEST(extra.at("authentication.kubernetes.io/pod-name")[0] == "p");
  BOOST_TEST(extra.at("authentication.kubernetes.io/pod-uid")[0] == "pod-1");
  BOOST_TEST(extra.at("authentication.kubernetes.io/node-name")[0] == "n1");
  BOOST_TEST(ErrorOf(Sign(secret)) == "accepted");
  BOOST_TEST(ErrorOf(Sign(node)) == "accepted");

  // Somebody else of the same name.
  pod.pod.uid = "pod-0";
  BOOST_TEST(ErrorOf(Sign(pod)) == "pod UID (pod-1) does not match service account pod ref claim (pod-0)");
  node.node.uid = "node-0";
  BOOST_TEST(ErrorOf(Sign(node)).find("does not match") != std::string::npos);
  TokenClaims other = Claims();
  other.service_account.uid = "sa-0";
  BOOST_TEST(ErrorOf(Sign(other)) == "service account UID (sa-1) does not match claim (sa-0)");

  BOOST_REQUIRE(access.Delete(Context::Background(), {"", "secrets"}, "shop", "s", "").ok());
  BOOST_TEST(ErrorOf(Sign(secret)) == "service account token has been invalidated");
  // Being deleted counts after the leeway.
  access.Put<core::Pod>({"", "pods"}, fmt::format(R"(metadata {{ name: "p" namespace: "shop" uid: "pod-1"
                                               deletionTimestamp {{ seconds: {} }} }})",
                                                  kNow + 30));
  pod.pod.uid = "pod-1";
  BOOST_TEST(ErrorOf(Sign(pod)) == "accepted");
  clock.Advance(91s);
  BOOST_TEST(ErrorOf(Sign(pod)) == "service account token has been invalidated");
  BOOST_REQUIRE(access.Delete(Context::Background(), {"", "serviceaccounts"}, "shop", "web", "").ok());
  BOOST_TEST(ErrorOf(Sign(Claims())) == "serviceaccounts \"web\" not found");
}

BOOST_AUTO_TEST_CASE(a_subject_that_is_not_the_account_is_refused) {
  for (const char* subject :
       {"system:serviceaccount:kube-system:web", "system:admin", "system:serviceaccount:shop:web:x"}) {
    const std::string payload = fmt::format(
        R"({{"iss":"{}","aud":["api"],"exp":{},"sub":"{}","kubernetes.io":{{"namespace":"shop","serviceaccount":{{"name":"web","uid":"sa-1"}}}}}})",
        kIssuer, kNow + 100, subject);
    BOOST_TEST(ErrorOf(*keys->signer->Sign(payload)) == "sub claim is invalid", subject);
  }
}

BOOST_AUTO_TEST_CASE(what_the_cache_has_not_seen_yet_is_read_from_the_store) {
  access.HoldCache(true);
  access.Put<core::ServiceAccount>({"", "serviceaccounts"},
                                   R"(metadata { name: "new" namespace: "shop" uid: "sa-2" })");
  TokenClaims claims = Claims();
  claims.service_account = {"new", "sa-2"};
  BOOST_TEST(ErrorOf(Sign(claims)) == "accepted");
}

BOOST_AUTO_TEST_CASE(legacy_tokens_must_be_in_their_secret) {
  const std::string token = *keys->signer->Sign(
      R"({"iss":"kubernetes/serviceaccount","kubernetes.io/serviceaccount/namespace":"shop",)"
      R"("kubernetes.io/serviceaccount/secret.name":"web-token","kubernetes.io/serviceaccount/service-account.name":"web",)"
      R"("kubernetes.io/serviceaccount/service-account.uid":"sa-1","sub":"system:serviceaccount:shop:web"})");
  BOOST_TEST(ErrorOf(token) == "Token has been invalidated");
  const auto put = [&](const std::string& data, const std::string& more) {
    access.Put<core::Secret>({"", "secrets"}, fmt::format(R"(metadata {{ name: "web-token" namespace: "shop" {} }}
        type: "kubernetes.io/service-account-token" data {{ key: "token" value: "{}" }})",
                                                          more, data));
  };
  put("another", "");
  BOOST_TEST(ErrorOf(token) == "Token does not match server's copy");
  put(token, "");
  BOOST_TEST(ErrorOf(token) == "accepted");
  BOOST_TEST((**Ask(token)).audiences.size() == 2u);
  BOOST_TEST(!Ask(token, {"vault"}).ok());
  put(token, R"(labels { key: "kubernetes.io/legacy-token-invalid-since" value: "2024-01-01" })");
  BOOST_TEST(ErrorOf(token).find("has been marked invalid") != std::string::npos);
  put(token, "deletionTimestamp { seconds: 1 }");
  BOOST_TEST(ErrorOf(token) == "Token has been invalidated");
  keys->lookup = false;
  BOOST_TEST(ErrorOf(token) == "accepted");
}

BOOST_AUTO_TEST_CASE(a_requested_token_is_a_good_token) {
  const auto made = Request(R"(spec { boundObjectRef { kind: "Pod" apiVersion: "v1" name: "p" uID: "pod-1" } })");
  BOOST_REQUIRE(made.ok());
  BOOST_TEST(made->metadata().name() == "web");
  BOOST_TEST(made->spec().expirationseconds() == 3600);
  BOOST_TEST(made->spec().audiences_size() == 2);
  BOOST_TEST(made->status().expirationtimestamp().seconds() == kNow + 3600);
  const auto answer = Ask(made->status().token());
  BOOST_REQUIRE(answer.ok());
  BOOST_TEST((**answer).user.extra.at("authentication.kubernetes.io/node-uid")[0] == "node-1");
}

BOOST_AUTO_TEST_CASE(pods_tokens_of_an_hour_and_seven_seconds_live_a_year) {
  const std::string pod = R"(boundObjectRef { kind: "Pod" apiVersion: "v1" name: "p" } expirationSeconds: 3607)";
  auto made = Request("spec {" + pod + "}");
  BOOST_REQUIRE(made.ok());
  BOOST_TEST(made->status().expirationtimestamp().seconds() == kNow + 3607);
  BOOST_TEST(jwt::Parse(made->status().token())->payload.find(fmt::format("\"exp\":{}", kNow + 31536000)) !=
             std::string::npos);
  // Not for others than this server.
  made = Request("spec { audiences: \"vault\" " + pod + "}");
  BOOST_REQUIRE(made.ok());
  BOOST_TEST(jwt::Parse(made->status().token())->payload.find(fmt::format("\"exp\":{}", kNow + 3607)) !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(requests_are_checked_in_upstreams_words) {
  const std::pair<const char*, const char*> cases[] = {
      {"spec { expirationSeconds: 599 }",
       "TokenRequest.authentication.k8s.io \"\" is invalid: spec.expirationSeconds: Invalid value: 599: may not "
       "specify "
       "a duration less than 10 minutes"},
      {"spec { expirationSeconds: 4294967297 }",
       "TokenRequest.authentication.k8s.io \"\" is invalid: spec.expirationSeconds: Invalid value: 4294967297: may not "
       "specify a duration larger than 2^32 seconds"},
      {R"(metadata { name: "other" })",
       "TokenRequest.authentication.k8s.io \"web\" is invalid: metadata.name: Invalid value: \"other\": must match the "
       "service account name if specified"},
      {R"(spec { boundObjectRef { kind: "ConfigMap" apiVersion: "v1" name: "x" } })",
       "cannot bind token to object of type /v1, Kind=ConfigMap"},
      {R"(spec { boundObjectRef { kind: "Pod" apiVersion: "v1" name: "nope" } })", "pods \"nope\" not found"},
      {R"(spec { boundObjectRef { kind: "Pod" apiVersion: "v1" name: "p" uID: "pod-0" } })",
       "Operation cannot be fulfilled on Pod \"p\": the UID in the bound object reference (pod-0) does not match the "
       "UID "
       "in record. The object might have been deleted and then recreated"},
  };
  for (const auto& [text, message] : cases) BOOST_TEST(Request(text).status().message() == message);
  access.Put<core::ServiceAccount>({"", "serviceaccounts"}, R"(metadata { name: "b" namespace: "shop" uid: "sa-3" })");
  BOOST_TEST(Request(R"(spec { boundObjectRef { kind: "Pod" apiVersion: "v1" name: "p" } })", "b").status().message() ==
             "cannot bind token for serviceaccount \"b\" to pod running with different serviceaccount name.");
  BOOST_TEST(Request("", "ghost").status().message() == "serviceaccounts \"ghost\" not found");
}

BOOST_AUTO_TEST_CASE(long_lives_are_cut_with_a_warning) {
  keys->max_expiration = 2h;
  const auto made = Request("spec { expirationSeconds: 86400 }");
  BOOST_REQUIRE(made.ok());
  BOOST_TEST(made->spec().expirationseconds() == 7200);
  BOOST_TEST(warnings.at(0) == "requested expiration of 86400 seconds shortened to 7200 seconds");
}

BOOST_AUTO_TEST_CASE(keys_are_loaded_and_published) {
  char name[] = "/tmp/knarr-sa-XXXXXX";
  const std::string dir = ::mkdtemp(name);
  const std::string rsa = NewRsaKey();
  BOOST_REQUIRE(WriteFileAtomically(dir + "/sa.key", signing_pem, 0600).ok());
  BOOST_REQUIRE(WriteFileAtomically(dir + "/old.key", rsa, 0600).ok());
  ServiceAccountOptions options{.issuers = {kIssuer},
                                .key_files = {dir + "/sa.key", dir + "/old.key", dir + "/sa.key"},
                                .signing_key_file = dir + "/sa.key"};
  const auto loaded = LoadServiceAccountKeys(options);
  BOOST_REQUIRE(loaded.ok());
  BOOST_TEST((*loaded)->keys.size() == 2u);
  BOOST_TEST((*loaded)->audiences == std::vector<std::string>{kIssuer}, boost::test_tools::per_element());
  const auto documents = MakeDiscovery(**loaded, "192.0.2.1:6443");
  BOOST_REQUIRE(documents.ok());
  BOOST_TEST(
      documents->configuration ==
      R"({"issuer":"https://kubernetes.default.svc.cluster.local","jwks_uri":"https://192.0.2.1:6443/openid/v1/jwks",)"
      R"("response_types_supported":["id_token"],"subject_types_supported":["public"],)"
      R"("id_token_signing_alg_values_supported":["ES256","RS256"]})");
  BOOST_TEST(documents->keys == R"({"keys":[)" + (*loaded)->keys[0].ToJwk() + "," + (*loaded)->keys[1].ToJwk() + "]}");
  options.issuers = {"http://insecure"};
  BOOST_TEST(!MakeDiscovery(**LoadServiceAccountKeys(options), "x").ok());
  options.key_files = {dir + "/missing"};
  BOOST_TEST(!LoadServiceAccountKeys(options).ok());
  options.issuers.clear();
  BOOST_TEST(LoadServiceAccountKeys(options).status().message() == "service-account-issuer is a required flag");
  std::filesystem::remove_all(dir);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::auth
