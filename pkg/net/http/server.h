// HTTP server: one io thread reads requests (so a slow or idle peer costs no thread), handlers are blocking
// functions on an ElasticPool.
//
// HTTP/1.1, and HTTP/2 where TLS's ALPN says so (tls::ServerOptions::alpn holds "h2"); handlers see Request and
// ResponseWriter only.
// Grammar is strict and nothing is repaired: two Content-Length fields, Content-Length beside Transfer-Encoding, bare
// LF, folded or nameless fields, a missing Host are 400 and the connection is closed. Everything is bounded (Limits).
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/base/clock.h"
#include "pkg/base/context.h"
#include "pkg/base/pool.h"
#include "pkg/base/status.h"
#include "pkg/net/http/message.h"
#include "pkg/net/stream.h"
#include "pkg/net/tls/tls.h"

namespace knarr::http {

struct Peer {
  std::string address;  // "10.0.0.1:4711"; "@" for unix sockets
  bool loopback = false;
  bool unix_socket = false;
  uid_t uid = static_cast<uid_t>(-1);  // of a unix peer (SO_PEERCRED)
  gid_t gid = static_cast<gid_t>(-1);
  pid_t pid = 0;
  std::optional<tls::PeerCertificate> certificate;  // verified
  std::optional<tls::PeerCertificate> front_proxy;  // verified by the authority of front proxies
  bool showed_certificate = false;                  // of whatever authority
  bool tls = false;
};

struct Request {
  std::string method;
  std::string target;  // as sent
  std::string path;    // decoded; "/a%2Fb" keeps its slash apart only in Param of a route
  std::string raw_path;
  Query query;
  Headers headers;
  std::string host;
  std::string body;  // whole, at most Limits::body
  Peer peer;
  std::string listener;  // Listen::name it came in by
  bool http2 = false;

  // A segment named in the route's pattern, decoded; "" where there is none.
  std::string_view Param(std::string_view name) const;
  // The first value of a query key, "" where absent.
  std::string_view QueryValue(std::string_view key) const;
  bool HasQuery(std::string_view key) const;
  // Upgrade asked for: Connection has the token "upgrade". The protocol, or "".
  std::string_view UpgradeProtocol() const;

  std::vector<std::pair<std::string, std::string>> params;
  // Cancelled when the client goes away or the server stops.
  Context ctx;
};

// A body that the server pumps without a thread of its own: watches.
class BodySource {
 public:
  enum class State { kMore, kWait, kEnd };
  virtual ~BodySource() = default;
  // Appends what there is, up to about `max` bytes, without blocking. kMore: call again. kWait: the wake function will
  // be called once there is more. kEnd: the body is complete. Called by one thread at a time.
  virtual State Pull(std::string* out, size_t max) = 0;
  // Set before the first Pull. Callable from any thread, until the source is destroyed.
  virtual void SetWake(std::function<void()> wake) = 0;
  // The server is about to stop and lets responses end well (Server::Shutdown): the next Pulls may deliver a last word
  // and should come to kEnd soon. Never at the same time as Pull.
  virtual void Shutdown() {}
  // The response is over, early or not; the source is destroyed next. `delivered`: to its end.
  virtual void OnEnd(bool delivered) { (void)delivered; }
};

// Used by one thread at a time (the handler's).
class ResponseWriter {
 public:
  virtual ~ResponseWriter() = default;
  // To be sent with the first byte of the body; later changes have no effect. "Connection: close" also makes an HTTP/2
  // client go elsewhere (GOAWAY) once its present requests are done.
  virtual Headers& headers() = 0;
  // Once; Write implies 200.
  virtual void WriteHeader(int status) = 0;
  // Blocks while the peer is slow; an error when it is gone or stalls longer than Limits::write_stall. A body that
  // fits the buffer (16 KiB) is sent with its length, a longer or flushed one in chunks.
  virtual Status Write(std::string_view bytes) = 0;
  virtual Status Flush() = 0;
  // Hands the rest of the body to the server and lets the handler return. After WriteHeader (200 is implied). A reader
  // that stalls longer than Limits::write_stall is cut off. The source may outlive the request's pool, not the server.
  virtual void Pump(std::unique_ptr<BodySource> source);
  // Gives the response up: the client sees that it is not complete (the connection or the stream ends early). For
  // proxies whose backend broke off.
  virtual void Abort() {}
  // Takes the connection away from HTTP (upgrades): nothing of a response was sent and nothing will be.
  virtual Result<net::StreamPtr> Hijack() = 0;
  virtual bool HeaderSent() const = 0;
  virtual int status() const = 0;

  // A whole response.
  void Reply(int status, std::string_view content_type, std::string_view body);
  // Go's http.Error: text/plain, nosniff, text and a newline.
  void Error(int status, std::string_view text);
};

using Handler = std::function<void(const Request&, ResponseWriter&)>;

// Patterns: "/pods", "/containerLogs/{namespace}/{pod}/{container}", "/logs/{path...}" (the rest, may be empty).
// The most specific pattern wins (literal before named before rest). 404 and 405 as net/http words them.
// Immutable once the server runs.
class Router {
 public:
  Router();
  ~Router();
  // method "" means any. KNARR_CHECKs that the pattern is new.
  void Handle(std::string_view method, std::string_view pattern, Handler handler);
  void Serve(Request& request, ResponseWriter& response) const;

 private:
  struct Node;
  std::unique_ptr<Node> root_;
};

struct Listen {
  std::string name;       // copied to Request::listener
  std::string host;       // TCP: address to bind ("0.0.0.0", "::", "127.0.0.1")
  uint16_t port = 0;      // 0: any; see Server::Port
  std::string unix_path;  // not empty: a unix socket, replaced if a stale one is there
  mode_t unix_mode = 0600;
  std::shared_ptr<tls::ServerConfig> tls;  // null: plain
  bool plain_http2 = false;                // without TLS: also HTTP/2 with prior knowledge
};

struct Limits {
  size_t header = 64 << 10;  // request line and fields
  size_t header_fields = 200;
  size_t body = 1 << 20;
  size_t connections = 512;  // of each listener, so that a flood on one leaves the others alone
  Duration handshake = std::chrono::seconds(10);
  Duration read_header = std::chrono::seconds(10);  // from its first byte
  Duration read_body = std::chrono::seconds(60);
  Duration idle = std::chrono::seconds(90);         // between requests
  Duration write_stall = std::chrono::seconds(60);  // one write without progress
};

class Server {
 public:
  struct Options {
    std::vector<Listen> listen;
    Limits limits;
    std::string thread_name = "http-io";
  };
  // Binds and starts. handler is called on the pool for each request; both must outlive the server.
  static Result<std::unique_ptr<Server>> Start(Options options, ElasticPool& pool, Handler handler,
                                               Clock& clock = Clock::Real(), Logger logger = {});
  // Closes the listeners, cancels what runs and waits for it.
  ~Server();
  // Accepts nothing more, tells the clients (GOAWAY, Connection: close) and the pumped bodies (BodySource::Shutdown),
  // and waits until every connection has ended. When the context is done first, the rest is cancelled and waited for;
  // the answer is then the context's error. Call once; not on the pool.
  Status Shutdown(const Context& ctx);
  Server(const Server&) = delete;

  // The bound TCP port of a listener.
  uint16_t Port(std::string_view name) const;
  size_t Connections() const;

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace knarr::http
