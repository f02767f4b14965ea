#include "pkg/kubelet/server/server.h"

#include <algorithm>
#include <atomic>

#include "pkg/kubelet/server/auth.h"
#include "pkg/kubelet/server/handlers.h"

namespace knarr::kubelet {
namespace {

constexpr std::string_view kMain = "main", kHealthz = "healthz", kUnix = "unix";

enum class Group { kAlways, kDebugging, kSystemLog };

struct Route {
  std::string_view method;
  std::string_view pattern;
  RouteAuth auth;
  Group group;
  RouteHandler handler;
};

constexpr auto kRequired = RouteAuth::kRequired;
constexpr auto kPublic = RouteAuth::kPublicOnLocalhost;

// Every route there is. The third column decides who may use it; there is no other way in.
constexpr Route kRoutes[] = {
    {"GET", "/healthz", kPublic, Group::kAlways, HandleHealthz},
    {"GET", "/healthz/{check}", kPublic, Group::kAlways, HandleHealthzCheck},
    {"GET", "/pods", kRequired, Group::kAlways, HandlePods},
    {"GET", "/stats/summary", kRequired, Group::kAlways, HandleStatsSummary},
    {"POST", "/stats/summary", kRequired, Group::kAlways, HandleStatsSummary},
    {"GET", "/metrics", kRequired, Group::kAlways, HandleMetrics},
    {"GET", "/metrics/resource", kRequired, Group::kAlways, HandleResourceMetrics},
    {"GET", "/metrics/probes", kRequired, Group::kAlways, HandleProbeMetrics},
    {"GET", "/metrics/cadvisor", kRequired, Group::kAlways, HandleCadvisorMetrics},
    {"GET", "/knarr/v1/pods", kRequired, Group::kAlways, HandleLocalPods},
    {"POST", "/knarr/v1/shutdown", kRequired, Group::kAlways, HandleShutdown},
    {"GET", "/configz", kRequired, Group::kDebugging, HandleConfigz},
    {"GET", "/runningpods/", kRequired, Group::kDebugging, HandleRunningPods},
    {"GET", "/containerLogs/{namespace}/{pod}/{container}", kRequired, Group::kDebugging, HandleContainerLogs},
    {"GET", "/exec/{namespace}/{pod}/{container}", kRequired, Group::kDebugging, HandleExec},
    {"POST", "/exec/{namespace}/{pod}/{container}", kRequired, Group::kDebugging, HandleExec},
    {"GET", "/exec/{namespace}/{pod}/{uid}/{container}", kRequired, Group::kDebugging, HandleExec},
    {"POST", "/exec/{namespace}/{pod}/{uid}/{container}", kRequired, Group::kDebugging, HandleExec},
    {"GET", "/attach/{namespace}/{pod}/{container}", kRequired, Group::kDebugging, HandleAttach},
    {"POST", "/attach/{namespace}/{pod}/{container}", kRequired, Group::kDebugging, HandleAttach},
    {"GET", "/attach/{namespace}/{pod}/{uid}/{container}", kRequired, Group::kDebugging, HandleAttach},
    {"POST", "/attach/{namespace}/{pod}/{uid}/{container}", kRequired, Group::kDebugging, HandleAttach},
    {"GET", "/portForward/{namespace}/{pod}", kRequired, Group::kDebugging, HandlePortForward},
    {"POST", "/portForward/{namespace}/{pod}", kRequired, Group::kDebugging, HandlePortForward},
    {"GET", "/portForward/{namespace}/{pod}/{uid}", kRequired, Group::kDebugging, HandlePortForward},
    {"POST", "/portForward/{namespace}/{pod}/{uid}", kRequired, Group::kDebugging, HandlePortForward},
    {"POST", "/run/{namespace}/{pod}/{container}", kRequired, Group::kDebugging, HandleRun},
    {"POST", "/run/{namespace}/{pod}/{uid}/{container}", kRequired, Group::kDebugging, HandleRun},
    {"GET", "/logs/{path...}", kRequired, Group::kSystemLog, HandleSystemLogs},
};

// The label "path" of the request metrics: a few words only, whatever clients ask for.
std::string PathBucket(std::string_view path) {
  const std::string_view root = path.substr(0, path.find('/', 1));
  if (root == "/metrics" && path.size() > root.size()) {
    for (const Route& route : kRoutes) {
      if (route.pattern == path) return std::string(path.substr(1));
    }
  }
  for (const Route& route : kRoutes) {
    if (route.pattern.substr(0, route.pattern.find('/', 1)) == root) return std::string(root.substr(1));
  }
  return "other";
}

std::string MethodBucket(const std::string& method) {
  for (const char* known : {"OPTIONS", "GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "CONNECT"}) {
    if (method == known) return method;
  }
  return "other";
}

std::string_view SubresourceOf(std::string_view path) {
  const std::string_view root = path.substr(0, path.find('/', 1));
  if (root == "/stats") return "stats";
  if (root == "/metrics") return "metrics";
  if (root == "/logs") return "log";
  return "proxy";
}

}  // namespace

std::vector<RouteInfo> ServerRoutes() {
  std::vector<RouteInfo> routes;
  for (const Route& route : kRoutes) {
    routes.push_back(
        {std::string(route.method), std::string(route.pattern), route.auth, std::string(SubresourceOf(route.pattern))});
  }
  return routes;
}

struct KubeletServer::Impl {
  Impl(Options options, KubeletView& view, Authorizer& a, Clock& clock, Logger logger)
      : state{options, view, clock, options.registry != nullptr ? *options.registry : metrics::Registry::Default(),
              std::move(logger)},
        authorizer(a),
        requests(state.registry.AddCounters("kubelet_http_requests_total",
                                            "[ALPHA] Number of the http requests received since the server started",
                                            {"long_running", "method", "path", "server_type"})),
        inflight(state.registry.AddGauges("kubelet_http_inflight_requests",
                                          "[ALPHA] Number of the inflight http requests",
                                          {"long_running", "method", "path", "server_type"})),
        duration(state.registry.AddHistograms("kubelet_http_requests_duration_seconds",
                                              "[ALPHA] Duration in seconds to serve http requests",
                                              {"long_running", "method", "path", "server_type"})) {
    for (const Route& route : kRoutes) Install(route);
  }

  void Install(const Route& route);
  std::vector<http::Listen> Listeners() const;
  void Serve(const http::Request& request, http::ResponseWriter& response);
  bool Admit(const http::Request& request, http::ResponseWriter& response);
  void ServeAdmitted(const std::string& path, http::Request& request, http::ResponseWriter& response);

  ServerState state;
  Authorizer& authorizer;
  metrics::Family<metrics::Counter>& requests;
  metrics::Family<metrics::Gauge>& inflight;
  metrics::Family<metrics::Histogram>& duration;
  std::atomic<size_t> long_requests{0};
  http::Router router;                   // everything
  http::Router public_router;            // what the healthz listener serves
  std::unique_ptr<http::Server> server;  // last: it stops first
};

void KubeletServer::Impl::Install(const Route& route) {
  const Options& options = state.options;
  std::string_view refusal;
  if (route.group != Group::kAlways && !options.enable_debugging_handlers) refusal = "Debug endpoints are disabled.";
  if (refusal.empty() && route.group == Group::kSystemLog && !options.enable_system_log_handler)
    refusal = "logs endpoint is disabled.";
  http::Handler handler;
  if (refusal.empty()) {
    handler = [this, run = route.handler](const http::Request& q, http::ResponseWriter& w) { run(state, q, w); };
  } else {
    handler = [refusal](const http::Request&, http::ResponseWriter& w) { w.Error(405, refusal); };
  }
  if (route.auth == RouteAuth::kPublicOnLocalhost) public_router.Handle(route.method, route.pattern, handler);
  router.Handle(route.method, route.pattern, std::move(handler));
}

std::vector<http::Listen> KubeletServer::Impl::Listeners() const {
  const Options& o = state.options;
  std::vector<http::Listen> listeners;
  if (!o.address.empty())
    listeners.push_back({.name = std::string(kMain), .host = o.address, .port = o.port, .unix_path = {}, .tls = o.tls});
  if (!o.healthz_address.empty()) {
    listeners.push_back({.name = std::string(kHealthz),
                         .host = o.healthz_address,
                         .port = o.healthz_port,
                         .unix_path = {},
                         .tls = nullptr});
  }
  if (!o.unix_path.empty())
    listeners.push_back({.name = std::string(kUnix), .host = {}, .port = 0, .unix_path = o.unix_path, .tls = nullptr});
  return listeners;
}

void KubeletServer::Impl::Serve(const http::Request& request, http::ResponseWriter& response) {
  // The router writes the parameters it finds; the request is this call's own.
  http::Request routed = request;
  if (request.listener == kHealthz) return public_router.Serve(routed, response);
  const std::string path = PathBucket(request.path);
  const bool long_running = path == "exec" || path == "attach" || path == "portForward";
  const std::vector<std::string> labels = {long_running ? "true" : "false", MethodBucket(request.method), path,
                                           "readwrite"};
  requests.With(labels).Inc();
  metrics::Gauge& now = inflight.With(labels);
  now.Add(1);
  const MonoTime begin = state.clock.Monotonic();
  if (Admit(request, response)) ServeAdmitted(path, routed, response);
  duration.With(labels).Observe(std::chrono::duration<double>(state.clock.Monotonic() - begin).count());
  now.Add(-1);
}

// Requests that hold a thread for as long as the client likes are bounded, so that the short ones always find one.
void KubeletServer::Impl::ServeAdmitted(const std::string& path, http::Request& request,
                                        http::ResponseWriter& response) {
  const bool is_long = path == "exec" || path == "attach" || path == "portForward" || path == "run" ||
                       (path == "containerLogs" && request.HasQuery("follow"));
  if (!is_long) return router.Serve(request, response);
  if (++long_requests > state.options.max_long_requests) {
    response.headers().Set("Retry-After", "1");
    response.Error(429, "too many requests that stream, please try again later");
  } else {
    router.Serve(request, response);
  }
  --long_requests;
}

// Authentication and authorisation, before anything else is known about the path.
bool KubeletServer::Impl::Admit(const http::Request& request, http::ResponseWriter& response) {
  constexpr std::string_view kText = "text/plain; charset=utf-8";
  const std::optional<User> user = Authenticate(request.peer, state.options.anonymous);
  if (!user) {
    response.Reply(401, kText, "Unauthorized");
    return false;
  }
  const AuthAttributes attributes = AttributesOf(request, *user, SubresourceOf(request.path), state.options.node_name);
  const Result<bool> allowed = authorizer.Authorize(request.ctx, attributes);
  if (!allowed.ok()) {
    state.logger.Error(allowed.status(), "Authorization error",
                       {{"user", user->name}, {"verb", attributes.verb}, {"subresource", attributes.subresource}});
    response.Reply(500, kText,
                   fmt::format("Authorization error (user={}, verb={}, resource=nodes, subresource={})", user->name,
                               attributes.verb, attributes.subresource));
    return false;
  }
  if (*allowed) return true;
  if (state.logger.V(2))
    state.logger.Info("Forbidden",
                      {{"user", user->name}, {"verb", attributes.verb}, {"subresource(s)", attributes.subresource}});
  response.Reply(403, kText,
                 fmt::format("Forbidden (user={}, verb={}, resource=nodes, subresource(s)=[{}])\n", user->name,
                             attributes.verb, attributes.subresource));
  return false;
}

KubeletServer::KubeletServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
KubeletServer::~KubeletServer() = default;

Result<std::unique_ptr<KubeletServer>> KubeletServer::Start(Options options, KubeletView& view, Authorizer& authorizer,
                                                            ElasticPool& pool, Clock& clock, Logger logger) {
  if (!options.address.empty() && !options.tls)
    return Error(Code::kInvalid, "the kubelet's server needs TLS: no certificate was given");
  if (!options.healthz_address.empty() && options.healthz_address != "::1" &&
      !options.healthz_address.starts_with("127.")) {
    logger.Warning("healthz is served without authentication on an address that is not the loopback",
                   {{"healthzBindAddress", options.healthz_address}});
  }
  auto impl = std::make_unique<Impl>(std::move(options), view, authorizer, clock, logger);
  Impl* const raw = impl.get();
  http::Server::Options http_options{
      .listen = impl->Listeners(), .limits = impl->state.options.limits, .thread_name = "kubelet-http"};
  impl->server = KNARR_TRY(http::Server::Start(
      std::move(http_options), pool, [raw](const http::Request& q, http::ResponseWriter& w) { raw->Serve(q, w); },
      clock, std::move(logger)));
  return std::unique_ptr<KubeletServer>(new KubeletServer(std::move(impl)));
}

uint16_t KubeletServer::Port(std::string_view listener) const {
  return impl_->server->Port(listener);
}

}  // namespace knarr::kubelet
