#include "pkg/net/tls/tls.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>

#include <filesystem>
#include <thread>

#include "pkg/base/file.h"

namespace knarr::tls {
namespace {

// For threads beside the test's own: Boost.Test's checks are not for several threads at once.
void Sure(bool condition) {
  if (!condition) std::abort();
}

using namespace std::chrono_literals;

struct TempDir {
  std::string path;
  TempDir() {
    char name[] = "/tmp/knarr-tls-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~TempDir() { std::filesystem::remove_all(path); }
  std::string Put(const std::string& name, const std::string& text) const {
    const std::string file = path + "/" + name;
    BOOST_REQUIRE(WriteFileAtomically(file, text, 0600).ok());
    return file;
  }
};

CertTemplate Template(const std::string& name, bool ca = false, bool client = false) {
  const WallTime now = std::chrono::system_clock::now();
  return {
      .common_name = name, .names = {name}, .ca = ca, .client = client, .not_before = now - 1h, .not_after = now + 24h};
}

struct Pki {
  TempDir dir;
  KeyPair ca = *IssueCertificate(Template("ca", true), nullptr);
  std::string ca_file = dir.Put("ca.crt", ca.cert_pem);
  ServerOptions server;
  Pki() {
    const KeyPair pair = *IssueCertificate(Template("node1"), &ca);
    server = {.cert_file = dir.Put("s.crt", pair.cert_pem), .key_file = dir.Put("s.key", pair.key_pem)};
  }
  ClientOptions ClientOf(const std::string& name, const KeyPair* issuer) {
    CertTemplate what = Template(name, false, true);
    what.organizations = {"system:masters", "dev"};
    const KeyPair pair = *IssueCertificate(what, issuer);
    return {
        .ca_file = ca_file, .cert_file = dir.Put("c.crt", pair.cert_pem), .key_file = dir.Put("c.key", pair.key_pem)};
  }
};

struct Connection {
  std::unique_ptr<TlsStream> server, client;
  Status server_status, client_status;
  Connection(ServerConfig& s, ClientConfig& c, const std::string& host) {
    int fds[2];
    BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    server = std::move(*Accept(s, UniqueFd(fds[0])));
    client = std::move(*Connect(c, UniqueFd(fds[1]), host));
    std::thread other([&] {
      server_status = server->Handshake(Context::Background().WithTimeout(10s));
      if (!server_status.ok()) server->Abort();
    });
    client_status = client->Handshake(Context::Background().WithTimeout(10s));
    if (!client_status.ok()) client->Abort();
    other.join();
  }
};

BOOST_AUTO_TEST_SUITE(tls)

BOOST_AUTO_TEST_CASE(bytes_travel_both_ways_and_the_end_is_seen) {
  Pki pki;
  const auto server = *ServerConfig::New(pki.server);
  const auto client = *ClientConfig::New({.ca_file = pki.ca_file, .alpn = {"h2", "http/1.1"}});
  Connection c(*server, *client, "node1");
  BOOST_REQUIRE(c.client_status.ok());
  BOOST_REQUIRE(c.server_status.ok());
  BOOST_TEST(c.client->Alpn() == "http/1.1");
  BOOST_TEST(!c.server->Peer().has_value());
  const Context ctx = Context::Background().WithTimeout(10s);
  const std::string big(1 << 20, 'b');
  std::thread writer([&] {
    Sure(c.client->Write(ctx, big).ok());
    c.client->CloseWrite();
  });
  std::string got;
  char buffer[8192];
  for (;;) {
    const Result<size_t> n = c.server->Read(ctx, buffer, sizeof(buffer));
    BOOST_REQUIRE(n.ok());
    if (*n == 0) break;
    got.append(buffer, *n);
  }
  writer.join();
  BOOST_TEST((got == big));
  BOOST_TEST(c.server->Write(ctx, "bye").ok());
  BOOST_TEST(*c.client->Read(ctx, buffer, 3) == 3u);
}

BOOST_AUTO_TEST_CASE(a_server_that_is_not_trusted_or_not_the_named_one_is_refused) {
  Pki pki, other;
  const auto server = *ServerConfig::New(pki.server);
  const auto stranger = *ClientConfig::New({.ca_file = other.ca_file});
  Connection untrusted(*server, *stranger, "node1");
  BOOST_TEST(untrusted.client_status.message().find("failed to verify certificate") != std::string_view::npos);
  const auto client = *ClientConfig::New({.ca_file = pki.ca_file});
  Connection misnamed(*server, *client, "node2");
  BOOST_TEST(!misnamed.client_status.ok());
  const auto careless = *ClientConfig::New({.insecure_skip_verify = true});
  Connection unchecked(*server, *careless, "node2");
  BOOST_TEST(unchecked.client_status.ok());
}

BOOST_AUTO_TEST_CASE(a_verified_client_certificate_gives_name_and_groups) {
  Pki pki;
  pki.server.client_ca_file = pki.ca_file;
  const auto server = *ServerConfig::New(pki.server);
  const auto client = *ClientConfig::New(pki.ClientOf("admin", &pki.ca));
  Connection c(*server, *client, "node1");
  BOOST_REQUIRE(c.client_status.ok());
  const auto peer = c.server->Peer();
  BOOST_REQUIRE(peer.has_value());
  BOOST_TEST(peer->common_name == "admin");
  BOOST_TEST(peer->organizations == (std::vector<std::string>{"system:masters", "dev"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_client_certificate_of_another_ca_or_for_servers_or_expired_is_no_identity) {
  Pki pki, other;
  pki.server.client_ca_file = pki.ca_file;
  const auto server = *ServerConfig::New(pki.server);
  {
    const auto client = *ClientConfig::New(pki.ClientOf("admin", &other.ca));
    Connection c(*server, *client, "node1");
    BOOST_TEST(c.server_status.ok());
    BOOST_TEST(!c.server->Peer().has_value());
  }
  for (const bool expired : {false, true}) {
    CertTemplate what = Template("admin", false, expired);
    if (expired) what.not_after = what.not_before + 1min;
    const KeyPair pair = *IssueCertificate(what, &pki.ca);
    const auto client = *ClientConfig::New({.ca_file = pki.ca_file,
                                            .cert_file = pki.dir.Put("w.crt", pair.cert_pem),
                                            .key_file = pki.dir.Put("w.key", pair.key_pem)});
    Connection c(*server, *client, "node1");
    BOOST_TEST(!c.server->Peer().has_value());
  }
}

// A user's certificate must not pass for a proxy's, which may claim to be anybody.
BOOST_AUTO_TEST_CASE(each_authority_vouches_for_its_own_certificates_only) {
  Pki pki, proxies, strangers;
  pki.server.client_ca_file = pki.ca_file;
  pki.server.front_proxy_ca_file = proxies.ca_file;
  const auto server = *ServerConfig::New(pki.server);
  const auto connect = [&](const KeyPair& issuer) {
    const auto client = *ClientConfig::New(pki.ClientOf("front-proxy-client", &issuer));
    return Connection(*server, *client, "node1").server;
  };
  const auto user = connect(pki.ca);
  BOOST_TEST(user->Peer().has_value());
  BOOST_TEST(!user->FrontProxy().has_value());
  BOOST_TEST(user->Peer()->sha256.size() == 64u);
  const auto proxy = connect(proxies.ca);
  BOOST_TEST(!proxy->Peer().has_value());
  BOOST_REQUIRE(proxy->FrontProxy().has_value());
  BOOST_TEST(proxy->FrontProxy()->common_name == "front-proxy-client");
  const auto stranger = connect(strangers.ca);
  BOOST_TEST(!stranger->Peer().has_value());
  BOOST_TEST(!stranger->FrontProxy().has_value());
  BOOST_TEST(stranger->ShowedCertificate());
  const auto nameless = *ClientConfig::New({.ca_file = pki.ca_file});
  BOOST_TEST(!Connection(*server, *nameless, "node1").server->ShowedCertificate());
  // Without a client CA there are no users, only proxies.
  pki.server.client_ca_file.clear();
  const auto alone = *ServerConfig::New(pki.server);
  const auto client = *ClientConfig::New(pki.ClientOf("front-proxy-client", &proxies.ca));
  const Connection c(*alone, *client, "node1");
  BOOST_TEST(!c.server->Peer().has_value());
  BOOST_TEST(c.server->FrontProxy().has_value());
  // A server's certificate of that authority is no proxy.
  const KeyPair pair = *IssueCertificate(Template("front-proxy-client"), &proxies.ca);
  const auto wrong = *ClientConfig::New({.ca_file = pki.ca_file,
                                         .cert_file = pki.dir.Put("w.crt", pair.cert_pem),
                                         .key_file = pki.dir.Put("w.key", pair.key_pem)});
  BOOST_TEST(!Connection(*alone, *wrong, "node1").server->FrontProxy().has_value());
}

BOOST_AUTO_TEST_CASE(changed_files_are_used_without_restart_and_broken_ones_are_not) {
  Pki pki;
  FakeClock clock;
  const auto server = *ServerConfig::New(pki.server, clock);
  const auto client = *ClientConfig::New({.ca_file = pki.ca_file});
  pki.dir.Put("s.crt", "garbage");
  clock.Advance(2s);
  BOOST_TEST(Connection(*server, *client, "node1").client_status.ok());
  const KeyPair pair = *IssueCertificate(Template("node2"), &pki.ca);
  pki.dir.Put("s.crt", pair.cert_pem);
  pki.dir.Put("s.key", pair.key_pem);
  BOOST_TEST(Connection(*server, *client, "node1").client_status.ok());  // not looked at again within a second
  clock.Advance(2s);
  BOOST_TEST(Connection(*server, *client, "node2").client_status.ok());
  BOOST_TEST(!Connection(*server, *client, "node1").client_status.ok());
}

BOOST_AUTO_TEST_CASE(wrong_files_and_names_are_refused_with_their_names) {
  Pki pki;
  const KeyPair pair = *IssueCertificate(Template("x"), nullptr);
  ServerOptions options = pki.server;
  options.key_file = pki.dir.Put("other.key", pair.key_pem);
  // OpenSSL notices the mismatch while loading the key or when asked; both name the file.
  BOOST_TEST(ServerConfig::New(options).status().message().find("other.key") != std::string_view::npos);
  options.cert_file = "/nonexistent.crt";
  BOOST_TEST(ServerConfig::New(options).status().message().find("/nonexistent.crt") != std::string_view::npos);
  BOOST_TEST(CipherList({"TLS_NOPE"}).status().message() == "Cipher suite TLS_NOPE not supported or doesn't exist");
  BOOST_TEST(*CipherList({"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"}) ==
             "ECDHE-RSA-AES128-GCM-SHA256");
  BOOST_TEST((*ParseVersion("VersionTLS13") == Version::kTls13));
  BOOST_TEST(!ParseVersion("TLS1").ok());
}

BOOST_AUTO_TEST_CASE(every_cipher_name_is_known_to_openssl) {
  Pki pki;
  for (const char* name : {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
                           "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
                           "TLS_RSA_WITH_AES_128_GCM_SHA256", "TLS_RSA_WITH_AES_256_CBC_SHA"}) {
    ServerOptions options = pki.server;
    options.cipher_suites = {name};
    BOOST_TEST(ServerConfig::New(options).ok(), name);
  }
}

BOOST_AUTO_TEST_CASE(the_self_signed_certificate_is_kept_until_half_of_its_life_is_over) {
  TempDir dir;
  FakeClock clock(std::chrono::system_clock::now());
  const SelfSignedOptions options{.dir = dir.path + "/pki", .host = "node1", .alternates = {"127.0.0.1"}};
  BOOST_TEST(*EnsureSelfSigned(options, clock));
  struct stat st {};
  BOOST_REQUIRE(::stat((dir.path + "/pki/kubelet.key").c_str(), &st) == 0);
  BOOST_TEST((st.st_mode & 0777) == 0600u);
  BOOST_TEST(!*EnsureSelfSigned(options, clock));
  const auto server =
      *ServerConfig::New({.cert_file = dir.path + "/pki/kubelet.crt", .key_file = dir.path + "/pki/kubelet.key"});
  const auto client = *ClientConfig::New({.ca_file = dir.path + "/pki/kubelet.crt"});
  BOOST_TEST(Connection(*server, *client, "node1").client_status.ok());
  BOOST_TEST(Connection(*server, *client, "127.0.0.1").client_status.ok());
  BOOST_TEST(!Connection(*server, *client, "127.0.0.2").client_status.ok());
  clock.Advance(24h * 190);
  BOOST_TEST(*EnsureSelfSigned(options, clock));
  dir.Put("pki/kubelet.key", "garbage");
  BOOST_TEST(*EnsureSelfSigned(options, clock));
  BOOST_TEST(!EnsureSelfSigned({.dir = dir.path + "/x", .host = "a,DNS:evil"}, clock).ok());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::tls
