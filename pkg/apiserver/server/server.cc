#include "pkg/apiserver/server/server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>

#include "pkg/api/names/names.h"
#include "pkg/apiserver/admission/admission.h"
#include "pkg/apiserver/apiextensions/apiextensions.h"
#include "pkg/apiserver/auth/filter.h"
#include "pkg/apiserver/auth/setup.h"
#include "pkg/apiserver/openapi/openapi.h"
#include "pkg/apiserver/registry/builtin.h"
#include "pkg/apiserver/server/cache_detector.h"
#include "pkg/apiserver/server/chain.h"
#include "pkg/apiserver/server/paths.h"
#include "pkg/apiserver/server/post_start.h"
#include "pkg/apiserver/storage/etcd3.h"
#include "pkg/apiserver/storage/sqlite.h"
#include "pkg/base/memory.h"
#include "pkg/net/http/server.h"
#include "pkg/net/tls/tls.h"

namespace knarr::apiserver {
namespace {

constexpr size_t kMaxBody = 3 << 20;           // upstream's limit of a request
constexpr size_t kHandlerThreads = 64;         // requests at work; more wait
constexpr std::chrono::seconds kShutdown{30};  // for requests to end by themselves
constexpr std::chrono::seconds kCompare{300};  // watch caches with the store, where something changed
constexpr std::chrono::seconds kFarewell{5};   // for leaving the endpoints

Result<std::unique_ptr<storage::Store>> OpenStore(const StorageOptions& options, const Logger& log) {
  const auto interval = std::chrono::duration_cast<std::chrono::seconds>(options.compaction_interval);
  if (options.backend == "sqlite") {
    storage::SqliteOptions sqlite{.data_dir = options.data_dir};
    sqlite.compaction_interval = interval;
    return storage::OpenSqlite(sqlite, log);
  }
  storage::Etcd3Options etcd{.endpoints = options.etcd_servers,
                             .ca_file = options.etcd_cafile,
                             .cert_file = options.etcd_certfile,
                             .key_file = options.etcd_keyfile};
  etcd.compaction_interval = interval;
  return storage::OpenEtcd3(etcd, log);
}

// The address that packets to the world would leave by; nothing is sent.
std::string DefaultRouteAddress() {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(53);
  ::inet_pton(AF_INET, "192.0.2.1", &to.sin_addr);
  sockaddr_in from{};
  socklen_t size = sizeof from;
  if (!socket || ::connect(socket.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) != 0 ||
      ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&from), &size) != 0)
    return "127.0.0.1";
  char text[INET_ADDRSTRLEN];
  return ::inet_ntop(AF_INET, &from.sin_addr, text, sizeof text);
}

std::string AdvertiseAddress(const ServingOptions& serving) {
  if (!serving.advertise_address.empty()) return serving.advertise_address;
  const std::string& bind = serving.bind_address;
  // Nobody else can reach a loopback address: as upstream, the host's own is advertised instead.
  const bool usable = !bind.empty() && bind != "0.0.0.0" && bind != "::" && bind != "::1" && !bind.starts_with("127.");
  return usable ? bind : DefaultRouteAddress();
}

std::string HostName() {
  char name[256] = {};
  ::gethostname(name, sizeof name - 1);
  return name;
}

// The second address of the range (the first is the network's own): the Service kubernetes'.
Result<std::string> FirstServiceAddress(const std::string& range) {
  const size_t slash = range.find('/');
  const auto parsed = names::ParseIPSloppy(range.substr(0, slash));
  if (!parsed || slash == std::string::npos)
    return Error(Code::kInvalid, "--service-cluster-ip-range: \"{}\" is not a range of addresses as 10.96.0.0/16",
                 range);
  auto bytes = parsed->bytes;
  for (size_t at = bytes.size(); at-- > 0 && ++bytes[at] == 0;) {
  }
  char text[INET6_ADDRSTRLEN];
  const void* from = parsed->is_v4 ? &bytes[12] : &bytes[0];
  return std::string(::inet_ntop(parsed->is_v4 ? AF_INET : AF_INET6, from, text, sizeof text));
}

std::vector<std::string> SplitRanges(const std::string& text) {
  std::vector<std::string> ranges;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(',', at), text.size());
    if (end > at) ranges.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return ranges;
}

Result<std::pair<int, int>> NodePorts(const std::string& range) {
  int first = 0, last = 0;
  char rest = 0;
  if (std::sscanf(range.c_str(), "%d-%d%c", &first, &last, &rest) == 2 && first > 0 && last >= first && last <= 65535)
    return std::pair(first, last - first + 1);
  int size = 0;
  if (std::sscanf(range.c_str(), "%d+%d%c", &first, &size, &rest) == 2 && first > 0 && size >= 0 &&
      first + size <= 65535)
    return std::pair(first, size + 1);
  return Error(Code::kInvalid, "--service-node-port-range: \"{}\" is not a range of ports as 30000-32767", range);
}

auth::AuthOptions AuthOptionsOf(const Options& options) {
  const AuthenticationOptions& a = options.authentication;
  auth::AuthOptions to;
  to.client_ca_file = options.serving.client_ca_file;
  to.requestheader_client_ca_file = a.requestheader_client_ca_file;
  auth::FrontProxyOptions& front = to.front_proxy;
  if (!a.requestheader_username_headers.empty()) front.username_headers = a.requestheader_username_headers;
  if (!a.requestheader_group_headers.empty()) front.group_headers = a.requestheader_group_headers;
  if (!a.requestheader_extra_header_prefixes.empty())
    front.extra_header_prefixes = a.requestheader_extra_header_prefixes;
  front.uid_headers = a.requestheader_uid_headers;
  front.allowed_names = a.requestheader_allowed_names;
  to.token_auth_file = a.token_auth_file;
  to.bootstrap_tokens = a.bootstrap_tokens;
  to.anonymous = a.anonymous;
  auth::ServiceAccountOptions& accounts = to.service_accounts;
  accounts.issuers = a.service_account_issuers;
  accounts.key_files = a.service_account_key_files;
  accounts.signing_key_file = a.service_account_signing_key_file;
  accounts.api_audiences = a.api_audiences;
  accounts.max_expiration = std::chrono::duration_cast<std::chrono::seconds>(a.service_account_max_token_expiration);
  accounts.extend_expiration = a.extend_token_expiration;
  accounts.lookup = a.service_account_lookup;
  accounts.jwks_uri = a.service_account_jwks_uri;
  to.authorization_modes = options.authorization_modes;
  return to;
}

}  // namespace

// In order of construction; the last is destroyed first.
struct ApiServer::Parts {
  Options options;
  Logger log;
  Clock& clock = Clock::Real();
  std::string advertise_address;
  std::vector<std::string> service_ranges;

  std::unique_ptr<storage::Store> store;
  std::unique_ptr<registry::Registry> registry;
  auth::AuthOptions auth_options;
  auth::Auth auth;
  std::unique_ptr<admission::Chain> admission;
  std::unique_ptr<endpoints::Verbs> verbs;
  std::unique_ptr<endpoints::Discovery> discovery;
  std::unique_ptr<OtherPaths> other;
  std::unique_ptr<openapi::OpenApi> openapi;
  Health health;
  std::unique_ptr<Chain> chain;
  std::unique_ptr<PostStart> post_start;
  std::unique_ptr<CacheDetector> cache_detector;
  std::shared_ptr<tls::ServerConfig> tls;
  ElasticPool pool{"apiserver", kHandlerThreads};
  std::unique_ptr<http::Server> server;
  std::atomic<bool> stopping{false};
  std::atomic<uint16_t> port{0};

  explicit Parts(Options o, Logger l) : options(std::move(o)), log(std::move(l)) {}

  Status MakeKinds();
  Status MakeServing();
  Status MakePostStart();
  void AddHealthChecks();
  Status Listen();
};

Status ApiServer::Parts::MakeKinds() {
  registry::BuiltinDeps deps;
  deps.access = registry.get();
  deps.store = store.get();
  deps.clock = &clock;
  deps.authorizer = auth.authorizer.get();
  deps.tokens = auth.tokens;
  deps.service_account_keys = auth.keys;
  deps.log = log;
  deps.service_cluster_ip_ranges = service_ranges;
  const auto [first, count] = KNARR_TRY(NodePorts(options.service_node_port_range));
  deps.node_port_first = first;
  deps.node_port_count = count;
  deps.kubelet_client_certificate = options.kubelet_client_certificate;
  deps.kubelet_client_key = options.kubelet_client_key;
  deps.kubelet_certificate_authority = options.kubelet_certificate_authority;
  deps.kubelet_preferred_address_types = options.kubelet_preferred_address_types;
  deps.kubelet_timeout = std::chrono::duration_cast<std::chrono::seconds>(options.kubelet_timeout);
  deps.proxy_client_cert_file = options.proxy_client_cert_file;
  deps.proxy_client_key_file = options.proxy_client_key_file;
  deps.allow_privileged = options.allow_privileged;
  const auto ttl = std::chrono::duration_cast<std::chrono::seconds>(options.storage.event_ttl).count();
  for (registry::Kind& kind : registry::BuiltinKinds(deps)) {
    if (kind.kind == "Event") kind.ttl_seconds = ttl;
    registry->Add(std::move(kind));
  }
  for (registry::Kind& kind : apiextensions::Kinds()) registry->Add(std::move(kind));
  return {};
}

Status ApiServer::Parts::MakePostStart() {
  PostStart::Deps deps;
  deps.access = registry.get();
  deps.log = log;
  deps.rbac = std::find(options.authorization_modes.begin(), options.authorization_modes.end(), "RBAC") !=
              options.authorization_modes.end();
  deps.auth = &auth_options;
  deps.service.access = registry.get();
  deps.service.store = store.get();
  deps.service.clock = &clock;
  deps.service.log = log;
  deps.service.type = KNARR_TRY(reconcilers::ParseEndpointReconciler(options.endpoint_reconciler_type));
  if (advertise_address.starts_with("127.")) {
    log.Info("No address to advertise: the Service kubernetes has no endpoints; see --advertise-address",
             {{"address", advertise_address}});
    deps.service.type = reconcilers::EndpointReconciler::kNone;
  }
  deps.service.sole_server = options.storage.backend == "sqlite";
  deps.service.advertise_address = advertise_address;
  deps.service.secure_port = options.serving.secure_port;
  deps.service.service_address = KNARR_TRY(FirstServiceAddress(service_ranges.front()));
  deps.service.node_port = options.kubernetes_service_node_port;
  deps.registry = registry.get();
  deps.clock = &clock;
  post_start = std::make_unique<PostStart>(std::move(deps));
  return {};
}

void ApiServer::Parts::AddHealthChecks() {
  health.Add("ping", [](const Context&) { return Status(); });
  health.Add("log", [](const Context&) { return Status(); });
  const std::string store_check = options.storage.backend == "sqlite" ? "sqlite" : "etcd";
  health.Add(store_check, [this](const Context& ctx) { return store->Healthy(ctx); });
  health.Add("poststarthook/rbac/bootstrap-roles", [this](const Context&) { return post_start->Check("rbac"); });
  health.Add("poststarthook/crd-informer-synced", [this](const Context&) { return post_start->Check("crd"); });
  health.Add("poststarthook/scheduling/bootstrap-system-priority-classes",
             [this](const Context&) { return post_start->Check("priority"); });
  health.Add("poststarthook/start-cluster-authentication-info-controller",
             [this](const Context&) { return post_start->Check("authentication"); });
  health.Add("poststarthook/start-system-namespaces-controller",
             [this](const Context&) { return post_start->Check("service"); });
  health.Add(
      "shutdown",
      [this](const Context&) {
        return stopping ? Error(Code::kServiceUnavailable, "process is shutting down") : Status();
      },
      Health::kReadyz);
}

Status ApiServer::Parts::MakeServing() {
  const ServingOptions& serving = options.serving;
  tls::ServerOptions tls_options;
  tls_options.cert_file = serving.tls_cert_file;
  tls_options.key_file = serving.tls_private_key_file;
  if (tls_options.cert_file.empty()) {
    tls::SelfSignedOptions self{.dir = serving.cert_dir,
                                .host = serving.external_hostname.empty() ? HostName() : serving.external_hostname,
                                .alternates = {advertise_address, "127.0.0.1", "localhost", "kubernetes",
                                               "kubernetes.default", "kubernetes.default.svc"},
                                .name = "apiserver"};
    KNARR_TRY_CTX(tls::EnsureSelfSigned(self), "--cert-dir {}", serving.cert_dir);
    tls_options.cert_file = serving.cert_dir + "/apiserver.crt";
    tls_options.key_file = serving.cert_dir + "/apiserver.key";
  }
  tls_options.client_ca_file = serving.client_ca_file;
  tls_options.front_proxy_ca_file = options.authentication.requestheader_client_ca_file;
  tls_options.min_version = serving.tls_min_version;
  tls_options.cipher_suites = serving.tls_cipher_suites;
  tls_options.alpn = {"h2", "http/1.1"};
  tls = KNARR_TRY(tls::ServerConfig::New(tls_options));
  return {};
}

Status ApiServer::Parts::Listen() {
  http::Server::Options http_options;
  http_options.listen.push_back({.name = "secure",
                                 .host = options.serving.bind_address,
                                 .port = static_cast<uint16_t>(options.serving.secure_port),
                                 .unix_path = {},
                                 .tls = tls});
  http_options.limits.body = kMaxBody;
  http_options.limits.connections = 8192;
  http_options.thread_name = "apiserver-io";
  server = KNARR_TRY_CTX(
      http::Server::Start(
          std::move(http_options), pool,
          [this](const http::Request& request, http::ResponseWriter& response) { chain->Serve(request, response); },
          clock, log),
      "failed to listen on {}:{}", options.serving.bind_address, options.serving.secure_port);
  port = server->Port("secure");
  return {};
}

ApiServer::ApiServer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
ApiServer::~ApiServer() = default;

uint16_t ApiServer::port() const {
  return parts_->port;
}

Result<std::unique_ptr<ApiServer>> ApiServer::New(Options options, Logger log) {
  auto parts = std::make_unique<Parts>(std::move(options), std::move(log));
  Parts& p = *parts;
  const Options& o = p.options;
  p.advertise_address = AdvertiseAddress(o.serving);
  p.service_ranges = SplitRanges(o.service_cluster_ip_range);
  if (p.service_ranges.empty() || p.service_ranges.size() > 2)
    return Error(Code::kInvalid, "--service-cluster-ip-range: needs one range or two, got \"{}\"",
                 o.service_cluster_ip_range);
  p.store = KNARR_TRY(OpenStore(o.storage, p.log));
  p.registry = std::make_unique<registry::Registry>(*p.store, p.clock, p.log,
                                                    registry::Registry::Options{.watch_cache = o.storage.watch_cache});
  p.auth_options = AuthOptionsOf(o);
  p.auth = KNARR_TRY(auth::SetUpAuth(p.auth_options, *p.registry, p.clock));
  KNARR_TRY(p.MakeKinds());
  admission::PluginDeps plugin_deps{.access = p.registry.get(),
                                    .authorizer = p.auth.authorizer.get(),
                                    .clock = &p.clock,
                                    .log = p.log,
                                    .config_file = {}};
  p.admission = KNARR_TRY(admission::Chain::New({.enable = o.enable_admission_plugins,
                                                 .disable = o.disable_admission_plugins,
                                                 .config_file = o.admission_control_config_file},
                                                plugin_deps));
  const auto strip = [&p](http::Headers& headers) {
    const bool front_proxy = !p.auth_options.requestheader_client_ca_file.empty();
    auth::StripCredentials(headers, front_proxy ? &p.auth_options.front_proxy : nullptr);
    auth::StripImpersonation(headers);
  };
  p.verbs = std::make_unique<endpoints::Verbs>(
      *p.registry, *p.admission, p.clock,
      endpoints::VerbsOptions{.min_request_timeout = o.serving.min_request_timeout, .strip_credentials = strip});
  const std::string address = net::JoinHostPort(p.advertise_address, static_cast<uint16_t>(o.serving.secure_port));
  p.discovery = std::make_unique<endpoints::Discovery>(*p.registry, address);
  p.other = KNARR_TRY(OtherPaths::New(*p.auth.keys, address));
  p.openapi = std::make_unique<openapi::OpenApi>(
      openapi::Options{.kinds =
                           [&p] {
                             std::vector<registry::KindPtr> kinds;
                             for (const registry::ResourcePtr& resource : p.registry->All())
                               kinds.emplace_back(resource, &resource->kind());
                             return kinds;
                           },
                       .generation = [&p] { return p.registry->Generation(); },
                       .custom_schema = apiextensions::SchemaForOpenApi},
      p.clock);
  p.AddHealthChecks();
  Chain::Parts chain_parts;
  chain_parts.authenticator = p.auth.authenticator.get();
  chain_parts.authorizer = p.auth.authorizer.get();
  chain_parts.registry = p.registry.get();
  chain_parts.verbs = p.verbs.get();
  chain_parts.discovery = p.discovery.get();
  chain_parts.health = &p.health;
  chain_parts.other = [&p](const http::Request& request, http::ResponseWriter& response) {
    if (request.path.starts_with("/openapi/")) {
      p.openapi->Handle(request, response);
      return true;
    }
    return p.other->Serve(request, response);
  };
  chain_parts.paths = p.other->paths();
  for (const char* path : {"/openapi/v2", "/openapi/v3"}) chain_parts.paths.emplace_back(path);
  const Chain::Limits limits{.read = o.serving.max_requests_inflight,
                             .write = o.serving.max_mutating_requests_inflight,
                             .request_timeout = o.serving.request_timeout};
  p.chain = std::make_unique<Chain>(std::move(chain_parts), limits, p.clock, metrics::Registry::Default());
  KNARR_TRY(p.MakePostStart());
  if (o.storage.watch_cache) p.cache_detector = std::make_unique<CacheDetector>(*p.registry, *p.store, p.log);
  KNARR_TRY(p.MakeServing());
  return std::unique_ptr<ApiServer>(new ApiServer(std::move(parts)));
}

Status ApiServer::Run(const Context& ctx) {
  Parts& p = *parts_;
  KNARR_TRY(p.Listen());
  p.log.Info("Serving securely", {{"address", p.options.serving.bind_address},
                                  {"port", std::to_string(p.port)},
                                  {"storage", p.options.storage.backend}});
  p.post_start->Start();
  if (p.cache_detector) p.cache_detector->Start(kCompare);
  while (ctx.Sleep(std::chrono::hours(24)).ok()) {
  }
  p.log.Info("Shutting down");
  p.stopping = true;
  if (p.options.serving.shutdown_delay.count() > 0) {
    (void)Context::Background().Sleep(std::chrono::duration_cast<Context::Duration>(p.options.serving.shutdown_delay));
  }
  if (p.cache_detector && p.cache_detector->Round(Context::Background().WithTimeout(kFarewell)) > 0)
    p.log.Info("Watch caches differed from the store; please report this");
  p.post_start->Stop(Context::Background().WithTimeout(kFarewell));
  if (const Status status = p.server->Shutdown(Context::Background().WithTimeout(kShutdown)); !status.ok())
    p.log.Info("Requests were cut off", {{"err", status.message()}});
  p.server.reset();
  return {};
}

}  // namespace knarr::apiserver
