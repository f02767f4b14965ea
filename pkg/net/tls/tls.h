// TLS for servers and clients over OpenSSL. No OpenSSL type appears here.
//
// Certificates are read again when their files change: at a handshake the files' stat is compared (at most once a
// second), so an idle process does nothing. A reload that fails keeps the old certificate and logs once.
// Buffers of idle connections are released (SSL_MODE_RELEASE_BUFFERS). Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/base/clock.h"
#include "pkg/base/context.h"
#include "pkg/base/status.h"
#include "pkg/net/stream.h"

namespace knarr::tls {

// The verified certificate of a peer.
struct PeerCertificate {
  std::string common_name;                 // the user name
  std::vector<std::string> organizations;  // the groups
  std::vector<std::string> dns_names;
  WallTime not_after;
  std::string sha256;  // of the DER, in lower case hex
};

// Go's names (crypto/tls). Versions: VersionTLS12, VersionTLS13; VersionTLS10 and VersionTLS11 are read as
// VersionTLS12, the lowest that is spoken. Empty means the default (1.2).
enum class Version { kTls12, kTls13 };
Result<Version> ParseVersion(std::string_view name);
// TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 and so on -> OpenSSL's cipher list; TLS 1.3 suites cannot be chosen in Go
// either and are accepted without effect. Unknown name: kInvalid naming it.
Result<std::string> CipherList(const std::vector<std::string>& go_names);

struct ServerOptions {
  std::string cert_file;
  std::string key_file;
  // Empty: client certificates are not asked for. Else they are asked for, not required, and verified against it:
  // without a valid one the handshake succeeds and the peer has no certificate (upstream answers 401, not an alert).
  std::string client_ca_file;
  // A second, separate authority: of front proxies (--requestheader-client-ca-file). What it signed is FrontProxy() and
  // never Peer(), unless the other authority vouches for it, too.
  std::string front_proxy_ca_file;
  std::string min_version;
  std::vector<std::string> cipher_suites;
  std::vector<std::string> alpn = {"http/1.1"};
};

namespace internal {
struct ServerImpl;
struct ClientImpl;
}  // namespace internal

class ServerConfig {
 public:
  static Result<std::shared_ptr<ServerConfig>> New(ServerOptions options, Clock& clock = Clock::Real());
  ~ServerConfig();
  internal::ServerImpl& impl() { return *impl_; }

 private:
  explicit ServerConfig(std::unique_ptr<internal::ServerImpl> impl);
  std::unique_ptr<internal::ServerImpl> impl_;
};

struct ClientOptions {
  bool insecure_skip_verify = false;
  std::string ca_file;  // empty and ca_pem empty: the system's roots
  std::string ca_pem;
  std::string cert_file, key_file;  // the client's own, reloaded like the server's
  std::string server_name;          // SNI and the name verified; empty: the host dialled
  std::string min_version;
  std::vector<std::string> alpn;
};

class ClientConfig {
 public:
  static Result<std::shared_ptr<ClientConfig>> New(ClientOptions options, Clock& clock = Clock::Real());
  ~ClientConfig();
  internal::ClientImpl& impl() { return *impl_; }

 private:
  explicit ClientConfig(std::unique_ptr<internal::ClientImpl> impl);
  std::unique_ptr<internal::ClientImpl> impl_;
};

// A stream that knows its handshake.
class TlsStream : public net::Stream {
 public:
  // One non-blocking step; bytes == 1 when it is done.
  virtual Result<net::Io> TryHandshake() = 0;
  Status Handshake(const Context& ctx);
  // After the handshake. nullopt: the peer showed none, or one that was not verified.
  virtual std::optional<PeerCertificate> Peer() const = 0;
  // It showed a certificate, whoever signed it.
  virtual bool ShowedCertificate() const { return Peer().has_value(); }
  // The same as Peer for ServerOptions::front_proxy_ca_file.
  virtual std::optional<PeerCertificate> FrontProxy() const { return std::nullopt; }
  virtual std::string Alpn() const = 0;
};

// Takes a connected socket.
Result<std::unique_ptr<TlsStream>> Accept(ServerConfig& config, UniqueFd fd);
Result<std::unique_ptr<TlsStream>> Connect(ClientConfig& config, UniqueFd fd, const std::string& host);

// The kubelet's serving certificate where none is configured: <dir>/kubelet.crt and <dir>/kubelet.key (0600), signed
// by a throw-away CA that is appended to the .crt as upstream does. ECDSA P-256; SAN = host and alternates (names or
// addresses); valid one year, one hour back-dated. Kept while it is readable, fits the key and has more than half of
// its life left; written anew otherwise. Returns true when it wrote.
struct SelfSignedOptions {
  std::string dir;
  std::string host;
  std::vector<std::string> alternates;
  std::string name = "kubelet";  // the stem of both files
};
Result<bool> EnsureSelfSigned(const SelfSignedOptions& options, Clock& clock = Clock::Real());

// For tests and the bootstrap's phases: PEM texts.
struct KeyPair {
  std::string cert_pem;
  std::string key_pem;
};
struct CertTemplate {
  std::string common_name;
  std::vector<std::string> organizations;
  std::vector<std::string> names;  // SANs, DNS or IP
  bool ca = false;
  bool client = false;  // extended key usage clientAuth, else serverAuth
  WallTime not_before;
  WallTime not_after;
};
// Signed by the issuer, or by itself where there is none.
Result<KeyPair> IssueCertificate(const CertTemplate& what, const KeyPair* issuer);

}  // namespace knarr::tls
