// Private to this library: what hides behind ServerConfig and ClientConfig.
#pragma once

#include <openssl/pem.h>

#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "pkg/net/tls/openssl.h"
#include "pkg/net/tls/tls.h"

namespace knarr::tls::internal {

// Holds the context in use and builds another when the files changed.
class Reloader {
 public:
  Reloader(std::vector<std::string> files, Clock& clock) : files_(std::move(files)), clock_(clock) {
    std::erase(files_, "");
  }
  Status Load(const std::function<Result<CtxPtr>()>& build);
  CtxPtr Get(const std::function<Result<CtxPtr>()>& build);

 private:
  std::vector<std::string> files_;
  Clock& clock_;
  std::mutex mutex_;
  CtxPtr current_;
  std::string stamp_;
  MonoTime checked_;
};

// ALPN protocol names as the extension carries them.
std::string AlpnWire(const std::vector<std::string>& protocols);
// Verify callback of servers: notes in the SSL's app data (a bool) that the peer's certificate is not to be trusted,
// and lets the handshake go on.
int AcceptUnverified(int ok, X509_STORE_CTX* store);

// The authority of front proxies that a server's context was built with; null where there is none.
X509_STORE* FrontProxyStore(const SSL_CTX* ctx);

struct ServerImpl {
  ServerImpl(ServerOptions o, Clock& clock)
      : options(std::move(o)),
        alpn_wire(AlpnWire(options.alpn)),
        reloader({options.cert_file, options.key_file, options.client_ca_file, options.front_proxy_ca_file}, clock) {}
  Result<CtxPtr> Build() const;
  CtxPtr Current() {
    return reloader.Get([this] { return Build(); });
  }
  const ServerOptions options;
  const std::string alpn_wire;
  Reloader reloader;
};

struct ClientImpl {
  ClientImpl(ClientOptions o, Clock& clock)
      : options(std::move(o)),
        alpn_wire(AlpnWire(options.alpn)),
        reloader({options.cert_file, options.key_file, options.ca_file}, clock) {}
  Result<CtxPtr> Build() const;
  CtxPtr Current() {
    return reloader.Get([this] { return Build(); });
  }
  const ClientOptions options;
  const std::string alpn_wire;
  Reloader reloader;
};

}  // namespace knarr::tls::internal
