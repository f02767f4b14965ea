#include "pkg/apiserver/auth/authn/authn.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/types.h"
#include "pkg/apiserver/auth/base64url.h"
#include "pkg/apiserver/registry/fake/fake_access.h"
#include "pkg/net/http/message.h"
#include "pkg/net/http/server.h"

namespace knarr::auth {
namespace {

using namespace std::chrono_literals;
using Texts = std::vector<std::string>;

// Knows the token "good"; counts.
struct OneToken final : TokenAuthenticator {
  int asked = 0;
  bool broken = false;
  Result<std::optional<Answer>> AuthenticateToken(const Context&, const std::string& token,
                                                  const std::vector<std::string>& audiences) override {
    ++asked;
    if (broken) return Error(Code::kUnauthorized, "broken");
    if (token != "good") return std::nullopt;
    return Answer{.user = {.name = "tok"}, .audiences = audiences};
  }
};

struct Fixture {
  FakeClock clock;
  std::shared_ptr<OneToken> token = std::make_shared<OneToken>();
  FrontProxyOptions proxy{.allowed_names = {"front-proxy-client"}};
  http::Request request;

  tls::PeerCertificate Certificate(const std::string& name, Texts organizations = {}) {
    return {.common_name = name,
            .organizations = std::move(organizations),
            .dns_names = {},
            .not_after = clock.Now() + 1h,
            .sha256 = "abc"};
  }
  void Show(std::optional<tls::PeerCertificate> user, std::optional<tls::PeerCertificate> front = std::nullopt) {
    request.peer.showed_certificate = true;
    request.peer.certificate = std::move(user);
    request.peer.front_proxy = std::move(front);
  }
  // Name and groups, or the error.
  std::string Ask(ChainOptions options) {
    const auto user = NewChain(options, clock)->Authenticate(request);
    if (!user.ok()) return "error: " + std::string(user.error().message());
    if (!*user) return "nobody";
    std::string out = (**user).name;
    for (const std::string& group : (**user).groups) out += " " + group;
    return out;
  }
  std::string Ask() { return Ask({.client_ca = true, .front_proxy = &proxy, .tokens = token}); }
};

BOOST_FIXTURE_TEST_SUITE(authn, Fixture)

BOOST_AUTO_TEST_CASE(no_credential_is_anonymous_or_nobody) {
  BOOST_TEST(Ask() == "system:anonymous system:unauthenticated");
  BOOST_TEST(Ask({.tokens = token, .anonymous = false}) == "nobody");
  BOOST_TEST(Ask({}) == "system:anonymous system:unauthenticated");
}

BOOST_AUTO_TEST_CASE(certificates_name_user_and_groups) {
  Show(Certificate("jane", {"dev", "system:masters"}));
  BOOST_TEST(Ask() == "jane dev system:masters system:authenticated");
  const auto user = NewX509Authenticator(clock)->Authenticate(request);
  BOOST_TEST((**user).extra.at("authentication.kubernetes.io/credential-id")[0] == "X509SHA256=abc");
  Show(Certificate(""));
  BOOST_TEST(Ask({.client_ca = true}) == "system:anonymous system:unauthenticated");
  Show(Certificate("jane"));
  clock.Advance(2h);
  BOOST_TEST(Ask({.client_ca = true}) == "error: verifying certificate failed: x509: certificate has expired");
}

BOOST_AUTO_TEST_CASE(a_certificate_of_a_stranger_is_not_anonymous) {
  Show(std::nullopt);
  BOOST_TEST(Ask({.client_ca = true}) ==
             "error: verifying certificate failed: x509: certificate signed by unknown authority");
  // Another credential may still be good.
  request.headers.Add("Authorization", "Bearer good");
  BOOST_TEST(Ask() == "tok system:authenticated");
}

// Headers count with the proxies' certificate, and with no other.
BOOST_AUTO_TEST_CASE(headers_are_believed_from_front_proxies_only) {
  request.headers = {{"X-Remote-User", "root"},
                     {"X-Remote-Group", "system:masters"},
                     {"x-remote-group", "b"},
                     {"X-Remote-Extra-Acme.com%2FScope", "one"}};
  BOOST_TEST(Ask() == "system:anonymous system:unauthenticated");
  Show(Certificate("front-proxy-client"));
  BOOST_TEST(Ask() == "front-proxy-client system:authenticated");
  Show(std::nullopt, Certificate("front-proxy-client"));
  BOOST_TEST(Ask() == "root system:masters b system:authenticated");
  BOOST_TEST((**NewFrontProxyAuthenticator(proxy, clock)->Authenticate(request)).extra.at("acme.com/scope")[0] ==
             "one");
  Show(std::nullopt, Certificate("somebody"));
  BOOST_TEST(Ask({.front_proxy = &proxy}) == "error: x509: subject with cn=somebody is not in the allowed list");
  proxy.allowed_names.clear();
  BOOST_TEST(Ask({.front_proxy = &proxy}) == "root system:masters b system:authenticated");
  clock.Advance(2h);
  BOOST_TEST(Ask({.front_proxy = &proxy}).starts_with("error: "));
}

BOOST_AUTO_TEST_CASE(a_proxys_certificate_alone_is_nobody) {
  Show(std::nullopt, Certificate("front-proxy-client"));
  BOOST_TEST(Ask({.front_proxy = &proxy}) == "system:anonymous system:unauthenticated");
  BOOST_TEST(Ask().starts_with("error: "));
}

BOOST_AUTO_TEST_CASE(a_proxy_may_say_that_somebody_is_anonymous) {
  Show(std::nullopt, Certificate("front-proxy-client"));
  request.headers = {{"X-Remote-User", "system:anonymous"}, {"X-Remote-Group", "system:unauthenticated"}};
  BOOST_TEST(Ask() == "system:anonymous system:unauthenticated");
}

struct HeaderCase {
  const char* value;
  const char* result;
};
std::ostream& operator<<(std::ostream& out, const HeaderCase& c) {
  return out << c.value;
}
constexpr HeaderCase kHeaders[] = {
    {"Bearer good", "tok system:authenticated"},
    {"bearer good", "tok system:authenticated"},
    {"  Bearer good trailing ", "tok system:authenticated"},
    {"Bearer bad", "error: invalid bearer token"},
    {"Bearer  good", "system:anonymous system:unauthenticated"},  // the token is empty
    {"Bearer", "system:anonymous system:unauthenticated"},
    {"Bearergood", "system:anonymous system:unauthenticated"},
    {"Basic Z29vZA==", "system:anonymous system:unauthenticated"},
    {"", "system:anonymous system:unauthenticated"},
};
BOOST_DATA_TEST_CASE_F(Fixture, authorization_headers, boost::unit_test::data::make(kHeaders), c) {
  request.headers.Add("Authorization", c.value);
  BOOST_TEST(Ask() == c.result);
}

BOOST_AUTO_TEST_CASE(websockets_carry_the_token_as_a_protocol) {
  const auto ask = [&](const std::string& protocols, bool websocket = true) {
    request.headers = {{"Sec-WebSocket-Protocol", protocols}};
    if (websocket) request.headers.Add("Connection", "Upgrade");
    if (websocket) request.headers.Add("Upgrade", "websocket");
    return Ask();
  };
  const std::string good = "base64url.bearer.authorization.k8s.io." + EncodeBase64Url("good");
  BOOST_TEST(ask("v4.channel.k8s.io, " + good) == "tok system:authenticated");
  BOOST_TEST(ask("x, " + good, false) == "system:anonymous system:unauthenticated");
  BOOST_TEST(ask(good) == "error: missing additional subprotocol");
  BOOST_TEST(ask("x," + good + "," + good) == "error: multiple base64.bearer.authorization tokens specified");
  BOOST_TEST(ask("x,base64url.bearer.authorization.k8s.io.!") ==
             "error: invalid base64.bearer.authorization token encoding");
}

BOOST_AUTO_TEST_CASE(credentials_are_stripped) {
  http::Headers headers{{"authorization", "Bearer x"},
                        {"X-Remote-User", "a"},
                        {"x-REMOTE-group", "b"},
                        {"X-Remote-Extra-Scopes", "c"},
                        {"X-Remote-Uid", "d"},
                        {"X-My-User", "e"},
                        {"Accept", "f"},
                        {"X-Remote-Other", "g"},
                        {"Sec-WebSocket-Protocol", "one, base64url.bearer.authorization.k8s.io.eA ,two"}};
  const FrontProxyOptions own{.username_headers = {"X-My-User"}};
  StripCredentials(headers, &own);
  BOOST_TEST(headers.size() == 3u);
  BOOST_TEST(headers.Get("Accept") == "f");
  BOOST_TEST(headers.Has("X-Remote-Other"));
  BOOST_TEST(headers.Get("Sec-WebSocket-Protocol") == "one,two");
}

BOOST_AUTO_TEST_CASE(token_files_are_csv) {
  const auto tokens =
      *ParseTokenFile("t1,joe,1\r\n\n\"t,2\",\"j\"\"ane\",2,\"a,b\"\n,empty,3\nt3,late,4,single,more", "f", {});
  const auto who = [&](const std::string& text) {
    const auto answer = *tokens->AuthenticateToken(Context::Background(), text, {});
    if (!answer) return std::string("nobody");
    std::string out = answer->user.name + "/" + answer->user.uid;
    for (const std::string& group : answer->user.groups) out += " " + group;
    return out;
  };
  BOOST_TEST(who("t1") == "joe/1");
  BOOST_TEST(who("t,2") == "j\"ane/2 a b");
  BOOST_TEST(who("t3") == "late/4 single");
  BOOST_TEST(who("") == "nobody");
  BOOST_TEST(who("t") == "nobody");
  BOOST_TEST(ParseTokenFile("a,b\n", "/f.csv", {}).status().message() ==
             "token file '/f.csv' must have at least 3 columns (token, user name, user uid), found 2");
  BOOST_TEST(!ParseTokenFile("a,b\"c,d\n", "f", {}).ok());
  BOOST_TEST(!ParseTokenFile("\"a,b,c\n", "f", {}).ok());
  BOOST_TEST(!LoadTokenFile("/nonexistent", {}).ok());
  const auto own = *ParseTokenFile("t,u,1", "f", {"api"});
  BOOST_TEST((**own->AuthenticateToken(Context::Background(), "t", {"x", "api"})).audiences == Texts{"api"},
             boost::test_tools::per_element());
  BOOST_TEST(!own->AuthenticateToken(Context::Background(), "t", {"x"})->has_value());
}

BOOST_AUTO_TEST_CASE(bootstrap_tokens_are_good_while_their_secret_says_so) {
  registry::FakeAccess access(clock);
  const auto tokens = NewBootstrapTokenAuthenticator(access, clock, {});
  const auto ask = [&](const std::string& text) {
    const auto answer = *tokens->AuthenticateToken(Context::Background(), text, {});
    if (!answer) return std::string("nobody");
    std::string out = answer->user.name;
    for (const std::string& group : answer->user.groups) out += " " + group;
    return out;
  };
  const auto put = [&](const std::string& more, const std::string& type = "bootstrap.kubernetes.io/token",
                       const std::string& meta = "") {
    const auto data = [](const std::string& key, const std::string& value) {
      return fmt::format("data {{ key: '{}' value: '{}' }} ", key, value);
    };
    std::string text = fmt::format(
        "metadata {{ name: 'bootstrap-token-abcdef' namespace: 'kube-system' {} }} type: '{}' ", meta, type);
    text += data("token-id", "abcdef") + data("token-secret", "0123456789abcdef") +
            data("usage-bootstrap-authentication", "true");
    for (std::string_view rest = more; !rest.empty();) {
      const std::string_view one = rest.substr(0, rest.find(';'));
      rest.remove_prefix(std::min(rest.size(), one.size() + 1));
      text += data(std::string(one.substr(0, one.find('='))), std::string(one.substr(one.find('=') + 1)));
    }
    access.Put<core::Secret>({"", "secrets"}, text);
  };
  const std::string good = "abcdef.0123456789abcdef";
  BOOST_TEST(ask(good) == "nobody");
  put("");
  BOOST_TEST(ask(good) == "system:bootstrap:abcdef system:bootstrappers");
  for (const char* bad : {"abcdef.0123456789abcdeg", "abcdeg.0123456789abcdef", "abcdef.0123456789abcde",
                          "ABCDEF.0123456789abcdef", "abcdef-0123456789abcdef", "abcdef.0123456789abcdef0"})
    BOOST_TEST(ask(bad) == "nobody", bad);
  put("auth-extra-groups=system:bootstrappers:kubeadm:default-node-token,system:bootstrappers:a");
  BOOST_TEST(ask(good) ==
             "system:bootstrap:abcdef system:bootstrappers system:bootstrappers:a "
             "system:bootstrappers:kubeadm:default-node-token");
  for (const char* refused :
       {"auth-extra-groups=system:masters", "auth-extra-groups=system:bootstrappers:", "auth-extra-groups=a,",
        "usage-bootstrap-authentication=false", "token-id=other0", "token-secret=fedcba9876543210",
        "expiration=2023-11-14T22:13:20Z", "expiration=2023-11-14T23:13:19+01:00", "expiration=soon",
        "expiration=2024-1-1T0:0:0Z", "expiration=2099-01-01T00:00:00"}) {
    put(refused);
    BOOST_TEST(ask(good) == "nobody", refused);
  }
  put("expiration=2023-11-14T22:13:21Z");
  BOOST_TEST(ask(good) != "nobody");
  put("expiration=2023-11-14T21:13:21.5-01:00");
  BOOST_TEST(ask(good) != "nobody");
  put("", "Opaque");
  BOOST_TEST(ask(good) == "nobody");
  put("", "bootstrap.kubernetes.io/token", "deletionTimestamp { seconds: 1 }");
  BOOST_TEST(ask(good) == "nobody");
}

BOOST_AUTO_TEST_CASE(the_cache_remembers_who_was_accepted_for_a_while) {
  const auto cache = NewTokenCache(token, clock, 10s, 2);
  const auto ask = [&](const std::string& text, const Texts& audiences = {}) {
    const auto answer = cache->AuthenticateToken(Context::Background(), text, audiences);
    return answer.ok() && answer->has_value();
  };
  BOOST_TEST(ask("good"));
  BOOST_TEST(ask("good"));
  BOOST_TEST(token->asked == 1);
  // Other audiences are another question.
  BOOST_TEST(ask("good", {"a"}));
  BOOST_TEST(ask("good", {"a", "b"}));
  BOOST_TEST(token->asked == 3);
  BOOST_TEST(!ask("bad"));
  BOOST_TEST(!ask("bad"));
  BOOST_TEST(token->asked == 5);
  clock.Advance(10s);
  BOOST_TEST(ask("good"));
  BOOST_TEST(token->asked == 6);
  token->broken = true;
  BOOST_TEST(ask("good"));
  clock.Advance(10s);
  BOOST_TEST(!ask("good"));
}

BOOST_AUTO_TEST_CASE(a_union_takes_the_first_and_tells_all_errors) {
  const auto other = std::make_shared<OneToken>();
  const auto both = NewTokenUnion({token, other});
  token->broken = true;
  BOOST_TEST((**both->AuthenticateToken(Context::Background(), "good", {})).user.name == "tok");
  BOOST_TEST(both->AuthenticateToken(Context::Background(), "bad", {}).status().message() == "broken");
  BOOST_TEST(!NewTokenUnion({other})->AuthenticateToken(Context::Background(), "bad", {})->has_value());
}

BOOST_AUTO_TEST_CASE(account_names_are_read_strictly) {
  std::string ns, name;
  BOOST_TEST(SplitServiceAccountUsername("system:serviceaccount:shop:web.a", &ns, &name));
  BOOST_TEST(ns == "shop");
  BOOST_TEST(name == "web.a");
  for (const char* bad :
       {"system:serviceaccount:shop", "system:serviceaccount::web",
        "system:serviceaccount:shop:", "system:serviceaccount:shop:web:x", "system:serviceaccount:Shop:web",
        "system:serviceaccount:a.b:web", "serviceaccount:shop:web", "system:serviceaccount:shop:-web"})
    BOOST_TEST(!SplitServiceAccountUsername(bad, &ns, &name), bad);
}

BOOST_AUTO_TEST_CASE(flags_of_what_is_missing_are_refused) {
  BOOST_TEST(RefuseUnsupported({}).ok());
  BOOST_TEST(RefuseUnsupported({.oidc_issuer_url = "https://x"}).message() ==
             "--oidc-issuer-url is not supported yet: OIDC and webhooks are missing");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::auth
