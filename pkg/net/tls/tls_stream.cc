// A TLS connection over a non-blocking socket. OpenSSL's object is not for two threads at once, so each step takes a
// lock; nobody waits while holding it.
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <mutex>

#include "pkg/net/tls/impl.h"
#include "pkg/net/tls/openssl.h"
#include "pkg/net/tls/tls.h"

namespace knarr::tls {
namespace internal {
namespace {

int BioFd(BIO* bio) {
  return static_cast<int>(reinterpret_cast<intptr_t>(BIO_get_data(bio)));
}

int BioWrite(BIO* bio, const char* data, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t n = ::send(BioFd(bio), data, static_cast<size_t>(size), MSG_NOSIGNAL);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_write(bio);
  return static_cast<int>(n);
}

int BioRead(BIO* bio, char* data, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t n = ::recv(BioFd(bio), data, static_cast<size_t>(size), 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_read(bio);
  if (n == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  return static_cast<int>(n);
}

long BioCtrl(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_FLUSH) return 1;
  if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
  return 0;
}

}  // namespace

BIO* NewSocketBio(int fd) {
  static BIO_METHOD* const kMethod = [] {
    BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket without SIGPIPE");
    BIO_meth_set_write(method, BioWrite);
    BIO_meth_set_read(method, BioRead);
    BIO_meth_set_ctrl(method, BioCtrl);
    return method;
  }();
  BIO* bio = BIO_new(kMethod);
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<intptr_t>(fd)));
  BIO_set_init(bio, 1);
  return bio;
}

namespace {

std::string NameEntry(X509_NAME* name, int nid, int& position) {
  position = X509_NAME_get_index_by_NID(name, nid, position);
  if (position < 0) return {};
  unsigned char* utf8 = nullptr;
  const int size = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, position)));
  if (size < 0) return {};
  std::string text(reinterpret_cast<const char*>(utf8), static_cast<size_t>(size));
  OPENSSL_free(utf8);
  return text;
}

PeerCertificate Describe(X509* cert) {
  PeerCertificate peer;
  X509_NAME* subject = X509_get_subject_name(cert);
  // Like Go's pkix.Name: the last common name counts.
  for (int at = -1;;) {
    std::string text = NameEntry(subject, NID_commonName, at);
    if (at < 0) break;
    peer.common_name = std::move(text);
  }
  for (int at = -1;;) {
    std::string text = NameEntry(subject, NID_organizationName, at);
    if (at < 0) break;
    peer.organizations.push_back(std::move(text));
  }
  if (auto* names = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(cert, NID_subject_alt_name, nullptr, nullptr))) {
    for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
      const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
      if (name->type != GEN_DNS) continue;
      peer.dns_names.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                                  static_cast<size_t>(ASN1_STRING_length(name->d.dNSName)));
    }
    GENERAL_NAMES_free(names);
  }
  tm utc{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(cert), &utc) == 1)
    peer.not_after = std::chrono::system_clock::from_time_t(::timegm(&utc));
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (X509_digest(cert, EVP_sha256(), digest, &size) == 1) {
    for (unsigned i = 0; i < size; ++i) peer.sha256 += fmt::format("{:02x}", digest[i]);
  }
  return peer;
}

class OpensslStream : public TlsStream {
 public:
  OpensslStream(CtxPtr ctx, SslPtr ssl, UniqueFd fd) : ctx_(std::move(ctx)), ssl_(std::move(ssl)), fd_(std::move(fd)) {
    SSL_set_app_data(ssl_.get(), &unverified_);
    BIO* bio = NewSocketBio(fd_.get());
    SSL_set_bio(ssl_.get(), bio, bio);
  }
  ~OpensslStream() override { ERR_clear_error(); }

  Result<net::Io> TryHandshake() override {
    std::lock_guard lock(mutex_);
    ERR_clear_error();
    const int rc = SSL_do_handshake(ssl_.get());
    if (rc == 1) return net::Io{.bytes = 1};
    net::Io io = KNARR_TRY(Classify(rc, "tls handshake"));
    if (io.eof) return Error(Code::kServiceUnavailable, "tls handshake: EOF");
    return io;
  }

  Result<net::Io> TryWrite(std::string_view bytes) override {
    std::lock_guard lock(mutex_);
    ERR_clear_error();
    size_t n = 0;
    const int rc = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &n);
    if (rc == 1) return net::Io{.bytes = n};
    net::Io io = KNARR_TRY(Classify(rc, "tls write"));
    if (io.eof) return Error(Code::kServiceUnavailable, "tls write: connection closed");
    return io;
  }

  bool Buffered() const override {
    std::lock_guard lock(mutex_);
    return Stream::Buffered() || SSL_has_pending(ssl_.get()) == 1;
  }
  int fd() const override { return fd_.get(); }

  void CloseWrite() override {
    std::lock_guard lock(mutex_);
    ERR_clear_error();
    if (SSL_is_init_finished(ssl_.get()) == 1) SSL_shutdown(ssl_.get());
    ::shutdown(fd_.get(), SHUT_WR);
  }

  std::optional<PeerCertificate> Peer() const override {
    std::lock_guard lock(mutex_);
    if (unverified_ || SSL_get_verify_result(ssl_.get()) != X509_V_OK) return std::nullopt;
    const X509Ptr cert(SSL_get1_peer_certificate(ssl_.get()));
    if (!cert) return std::nullopt;
    return Describe(cert.get());
  }

  bool ShowedCertificate() const override {
    std::lock_guard lock(mutex_);
    return SSL_get0_peer_certificate(ssl_.get()) != nullptr;
  }

  std::optional<PeerCertificate> FrontProxy() const override {
    std::lock_guard lock(mutex_);
    X509_STORE* store = FrontProxyStore(ctx_.get());
    const X509Ptr cert(SSL_get1_peer_certificate(ssl_.get()));
    if (store == nullptr || !cert) return std::nullopt;
    const std::unique_ptr<X509_STORE_CTX, Deleter<X509_STORE_CTX_free>> check(X509_STORE_CTX_new());
    const bool good = check &&
                      X509_STORE_CTX_init(check.get(), store, cert.get(), SSL_get_peer_cert_chain(ssl_.get())) == 1 &&
                      X509_STORE_CTX_set_default(check.get(), "ssl_client") == 1 && X509_verify_cert(check.get()) == 1;
    ERR_clear_error();
    if (!good) return std::nullopt;
    return Describe(cert.get());
  }

  std::string Alpn() const override {
    std::lock_guard lock(mutex_);
    const unsigned char* data = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_.get(), &data, &size);
    return {reinterpret_cast<const char*>(data), size};
  }

 protected:
  Result<net::Io> DoTryRead(char* buffer, size_t size) override {
    std::lock_guard lock(mutex_);
    ERR_clear_error();
    size_t n = 0;
    const int rc = SSL_read_ex(ssl_.get(), buffer, size, &n);
    if (rc == 1) return net::Io{.bytes = n};
    return Classify(rc, "tls read");
  }

 private:
  Result<net::Io> Classify(int rc, std::string_view what) {
    const int saved = errno;
    switch (SSL_get_error(ssl_.get(), rc)) {
      case SSL_ERROR_WANT_READ: return net::Io{.wait = POLLIN};
      case SSL_ERROR_WANT_WRITE: return net::Io{.wait = POLLOUT};
      case SSL_ERROR_ZERO_RETURN: return net::Io{.eof = true};
      case SSL_ERROR_SYSCALL:
        if (saved == 0) return net::Io{.eof = true};
        return ErrnoError(saved, "{}", what);
      default: break;
    }
    if (const long verify = SSL_get_verify_result(ssl_.get()); verify != X509_V_OK && !unverified_) {
      ERR_clear_error();
      return Error(Code::kUnauthorized, "{}: failed to verify certificate: {}", what,
                   X509_verify_cert_error_string(verify));
    }
    return Error(Code::kServiceUnavailable, "{}: {}", what, LastError());
  }

  const CtxPtr ctx_;  // keeps the context that the handshake began with
  mutable std::mutex mutex_;
  bool unverified_ = false;
  SslPtr ssl_;
  UniqueFd fd_;
};

void SetNonBlocking(int fd) {
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
}

bool IsAddress(const std::string& host) {
  in6_addr buffer{};
  return ::inet_pton(AF_INET, host.c_str(), &buffer) == 1 || ::inet_pton(AF_INET6, host.c_str(), &buffer) == 1;
}

}  // namespace
}  // namespace internal

Status TlsStream::Handshake(const Context& ctx) {
  for (;;) {
    const net::Io io = KNARR_TRY(TryHandshake());
    if (io.bytes == 1) return {};
    KNARR_TRY_CTX(net::WaitFd(ctx, fd(), io.wait), "tls handshake");
  }
}

Result<std::unique_ptr<TlsStream>> Accept(ServerConfig& config, UniqueFd fd) {
  using namespace internal;
  CtxPtr ctx = config.impl().Current();
  SslPtr ssl(SSL_new(ctx.get()));
  if (!ssl) return Error(Code::kInternal, "tls: {}", LastError());
  SSL_set_accept_state(ssl.get());
  SetNonBlocking(fd.get());
  return std::unique_ptr<TlsStream>(std::make_unique<OpensslStream>(std::move(ctx), std::move(ssl), std::move(fd)));
}

Result<std::unique_ptr<TlsStream>> Connect(ClientConfig& config, UniqueFd fd, const std::string& host) {
  using namespace internal;
  const ClientOptions& options = config.impl().options;
  CtxPtr ctx = config.impl().Current();
  SslPtr ssl(SSL_new(ctx.get()));
  if (!ssl) return Error(Code::kInternal, "tls: {}", LastError());
  SSL_set_connect_state(ssl.get());
  const std::string& name = options.server_name.empty() ? host : options.server_name;
  if (IsAddress(name)) {
    if (!options.insecure_skip_verify) X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), name.c_str());
  } else {
    SSL_set_tlsext_host_name(ssl.get(), name.c_str());
    if (!options.insecure_skip_verify) SSL_set1_host(ssl.get(), name.c_str());
  }
  const std::string& alpn = config.impl().alpn_wire;
  if (!alpn.empty()) {
    SSL_set_alpn_protos(ssl.get(), reinterpret_cast<const unsigned char*>(alpn.data()),
                        static_cast<unsigned>(alpn.size()));
  }
  SetNonBlocking(fd.get());
  return std::unique_ptr<TlsStream>(std::make_unique<OpensslStream>(std::move(ctx), std::move(ssl), std::move(fd)));
}

}  // namespace knarr::tls
