// The kubelet's HTTP server: 10250 with TLS and authentication, healthz on localhost:10248 without, and a unix socket
// for the local command line (peer must be root or the kubelet's own user).
//
// Routes stand in one table, each with a mandatory auth attribute; what is not public needs an identity (x509 client
// certificate, or the unix peer) and the Authorizer's consent. There is no read-only port and no /checkpoint.
// Mirrors: pkg/kubelet/server/{server,auth}.go v1.32
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/base/clock.h"
#include "pkg/base/metrics/metrics.h"
#include "pkg/base/pool.h"
#include "pkg/base/status.h"
#include "pkg/kubelet/server/view.h"
#include "pkg/net/http/server.h"

namespace knarr::kubelet {

struct User {
  std::string name;
  std::vector<std::string> groups;
};

// authorizer.Attributes of a node request: verb get/create/update/patch/delete on nodes/<subresource>.
struct AuthAttributes {
  User user;
  std::string verb;
  std::string subresource;  // "proxy", "stats", "metrics", "log", "spec", "healthz", "configz", "pods"
  std::string path;
  std::string node;
};
class Authorizer {
 public:
  virtual ~Authorizer() = default;
  // True: allowed. An error is answered with 500.
  virtual Result<bool> Authorize(const Context& ctx, const AuthAttributes& attributes) = 0;
};
// Everyone who has an identity.
std::unique_ptr<Authorizer> MakeAlwaysAllowAuthorizer();
// Standalone's default: these users or members of these groups (system:masters; the unix socket's root is one).
std::unique_ptr<Authorizer> MakeGroupAuthorizer(std::vector<std::string> users, std::vector<std::string> groups);

enum class RouteAuth {
  kRequired,
  kPublicOnLocalhost,  // served without identity on the healthz listener only; elsewhere as kRequired
};
struct RouteInfo {
  std::string method;  // "" any
  std::string pattern;
  RouteAuth auth;
  std::string subresource;
};
// The whole table, for the tests.
std::vector<RouteInfo> ServerRoutes();

class KubeletServer {
 public:
  struct Options {
    std::string node_name;
    // Empty address: that listener is off.
    std::string address = "0.0.0.0";
    uint16_t port = 10250;
    std::shared_ptr<tls::ServerConfig> tls;  // required with `address`
    std::string healthz_address = "127.0.0.1";
    uint16_t healthz_port = 10248;
    std::string unix_path = "/run/knarr/kubelet.sock";
    bool anonymous = false;
    bool enable_debugging_handlers = true;  // exec, attach, logs, run, portForward, runningpods
    bool enable_system_log_handler = true;  // /logs/
    std::string system_log_dir = "/var/log";
    std::string pod_log_dir = "/var/log/pods";
    Duration streaming_idle_timeout = std::chrono::hours(4);
    // Followed logs, exec, attach, port forwards and /run at the same time; more are answered 429. The pool must have
    // some threads beyond these, for everything else.
    size_t max_long_requests = 32;
    metrics::Registry* registry = nullptr;  // null: metrics::Registry::Default()
    http::Limits limits;
  };
  // All arguments outlive the server. Long requests (logs -f, exec) hold a thread of the
  // pool each.
  static Result<std::unique_ptr<KubeletServer>> Start(Options options, KubeletView& view, Authorizer& authorizer,
                                                      ElasticPool& pool, Clock& clock = Clock::Real(),
                                                      Logger logger = {});
  ~KubeletServer();
  KubeletServer(const KubeletServer&) = delete;

  // For port 0: what was bound ("main", "healthz").
  uint16_t Port(std::string_view listener) const;

 private:
  struct Impl;
  explicit KubeletServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace knarr::kubelet
