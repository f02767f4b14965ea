#include "pkg/apiserver/server/server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>

#include "pkg/apiserver/admission/admission.h"
#include "pkg/apiserver/auth/authn/authn.h"
#include "pkg/apiserver/auth/authz/authz.h"
#include "pkg/apiserver/auth/filter.h"
#include "pkg/apiserver/auth/serviceaccount/serviceaccount.h"
#include "pkg/apiserver/registry/builtin.h"
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
  if (serving.bind_address != "0.0.0.0" && serving.bind_address != "::" && !serving.bind_address.empty())
    return serving.bind_address;
  return DefaultRouteAddress();
}

std::string HostName() {
  char name[256] = {};
  ::gethostname(name, sizeof name - 1);
  return name;
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

auth::ServiceAccountOptions ServiceAccountOptionsOf(const AuthenticationOptions& a) {
  auth::ServiceAccountOptions options;
  options.issuers = a.service_account_issuers;
  options.key_files = a.service_account_key_files;
  options.signing_key_file = a.service_account_signing_key_file;
  options.api_audiences = a.api_audiences;
  options.max_expiration = std::chrono::duration_cast<std::chrono::seconds>(a.service_account_max_token_expiration);
  options.extend_expiration = a.extend_token_expiration;
  options.lookup = a.service_account_lookup;
  options.jwks_uri = a.service_account_jwks_uri;
  return options;
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
  std::shared_ptr<const auth::ServiceAccountKeys> service_account_keys;
  auth::FrontProxyOptions front_proxy;
  auth::TokenAuthenticatorPtr tokens;
  auth::AuthenticatorPtr authenticator;
  std::unique_ptr<auth::Authorizer> authorizer;
  std::unique_ptr<admission::Chain> admission;
  std::unique_ptr<endpoints::Verbs> verbs;
  std::unique_ptr<endpoints::Discovery> discovery;
  std::unique_ptr<OtherPaths> other;
  Health health;
  std::unique_ptr<Chain> chain;
  std::unique_ptr<PostStart> post_start;
  std::shared_ptr<tls::ServerConfig> tls;
  ElasticPool pool{"apiserver", kHandlerThreads};
  std::unique_ptr<http::Server> server;
  std::atomic<bool> stopping{false};
  std::atomic<uint16_t> port{0};

  explicit Parts(Options o, Logger l) : options(std::move(o)), log(std::move(l)) {}

  const auth::FrontProxyOptions* FrontProxy() const {
    return options.authentication.requestheader_client_ca_file.empty() ? nullptr : &front_proxy;
  }
  Status MakeAuthentication();
  Status MakeKinds();
  Status MakeServing();
  void AddHealthChecks();
  Status Listen();
};

Status ApiServer::Parts::MakeAuthentication() {
  const AuthenticationOptions& a = options.authentication;
  if (!a.requestheader_username_headers.empty()) front_proxy.username_headers = a.requestheader_username_headers;
  if (!a.requestheader_group_headers.empty()) front_proxy.group_headers = a.requestheader_group_headers;
  if (!a.requestheader_extra_header_prefixes.empty())
    front_proxy.extra_header_prefixes = a.requestheader_extra_header_prefixes;
  front_proxy.uid_headers = a.requestheader_uid_headers;
  front_proxy.allowed_names = a.requestheader_allowed_names;
  service_account_keys = KNARR_TRY(auth::LoadServiceAccountKeys(ServiceAccountOptionsOf(a)));

  std::vector<auth::TokenAuthenticatorPtr> token_parts;
  if (!a.token_auth_file.empty())
    token_parts.push_back(KNARR_TRY(auth::LoadTokenFile(a.token_auth_file, service_account_keys->audiences)));
  if (!service_account_keys->keys.empty())
    token_parts.push_back(auth::NewServiceAccountAuthenticator(service_account_keys, *registry, clock));
  if (a.bootstrap_tokens)
    token_parts.push_back(auth::NewBootstrapTokenAuthenticator(*registry, clock, service_account_keys->audiences));
  if (!token_parts.empty()) tokens = auth::NewTokenCache(auth::NewTokenUnion(std::move(token_parts)), clock);
  auth::ChainOptions chain_options;
  chain_options.client_ca = !options.serving.client_ca_file.empty();
  chain_options.front_proxy = FrontProxy();
  chain_options.tokens = tokens;
  chain_options.anonymous = a.anonymous;
  authenticator = auth::NewChain(chain_options, clock);
  authorizer = KNARR_TRY(auth::NewAuthorizer(options.authorization_modes, *registry, clock));
  return {};
}

Status ApiServer::Parts::MakeKinds() {
  registry::BuiltinDeps deps;
  deps.access = registry.get();
  deps.store = store.get();
  deps.clock = &clock;
  deps.authorizer = authorizer.get();
  deps.tokens = tokens;
  deps.service_account_keys = service_account_keys;
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
  return {};
}

void ApiServer::Parts::AddHealthChecks() {
  health.Add("ping", [](const Context&) { return Status(); });
  health.Add("log", [](const Context&) { return Status(); });
  const std::string store_check = options.storage.backend == "sqlite" ? "sqlite" : "etcd";
  health.Add(store_check, [this](const Context& ctx) { return store->Healthy(ctx); });
  health.Add("poststarthook/rbac/bootstrap-roles", [this](const Context&) { return post_start->Check("rbac"); });
  health.Add("poststarthook/start-system-namespaces-controller",
             [this](const Context&) { return post_start->Check("system"); });
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
  KNARR_TRY(p.MakeAuthentication());
  KNARR_TRY(p.MakeKinds());
  admission::PluginDeps plugin_deps{
      .access = p.registry.get(), .authorizer = p.authorizer.get(), .clock = &p.clock, .log = p.log, .config_file = {}};
  p.admission = KNARR_TRY(admission::Chain::New({.enable = o.enable_admission_plugins,
                                                 .disable = o.disable_admission_plugins,
                                                 .config_file = o.admission_control_config_file},
                                                plugin_deps));
  const auto strip = [&p](http::Headers& headers) {
    auth::StripCredentials(headers, p.FrontProxy());
    auth::StripImpersonation(headers);
  };
  p.verbs = std::make_unique<endpoints::Verbs>(
      *p.registry, *p.admission, p.clock,
      endpoints::VerbsOptions{.min_request_timeout = o.serving.min_request_timeout, .strip_credentials = strip});
  const std::string address = net::JoinHostPort(p.advertise_address, static_cast<uint16_t>(o.serving.secure_port));
  p.discovery = std::make_unique<endpoints::Discovery>(*p.registry, address);
  p.other = KNARR_TRY(OtherPaths::New(*p.service_account_keys, address));
  p.AddHealthChecks();
  Chain::Parts chain_parts;
  chain_parts.authenticator = p.authenticator.get();
  chain_parts.authorizer = p.authorizer.get();
  chain_parts.registry = p.registry.get();
  chain_parts.verbs = p.verbs.get();
  chain_parts.discovery = p.discovery.get();
  chain_parts.health = &p.health;
  chain_parts.other = [&p](const http::Request& request, http::ResponseWriter& response) {
    return p.other->Serve(request, response);
  };
  chain_parts.paths = p.other->paths();
  const Chain::Limits limits{.read = o.serving.max_requests_inflight,
                             .write = o.serving.max_mutating_requests_inflight,
                             .request_timeout = o.serving.request_timeout};
  p.chain = std::make_unique<Chain>(std::move(chain_parts), limits, p.clock, metrics::Registry::Default());
  p.post_start = std::make_unique<PostStart>(PostStart::Deps{
      .registry = p.registry.get(),
      .store = p.store.get(),
      .clock = &p.clock,
      .log = p.log,
      .rbac =
          std::find(o.authorization_modes.begin(), o.authorization_modes.end(), "RBAC") != o.authorization_modes.end(),
      .advertise_address = p.advertise_address,
      .port = o.serving.secure_port,
      .service_ranges = p.service_ranges,
      .node_port = o.kubernetes_service_node_port,
      .reconciler = o.endpoint_reconciler_type,
      .client_ca_file = o.serving.client_ca_file,
      .authentication = o.authentication});
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
  while (ctx.Sleep(std::chrono::hours(24)).ok()) {
  }
  p.log.Info("Shutting down");
  p.stopping = true;
  if (p.options.serving.shutdown_delay.count() > 0) {
    (void)Context::Background().Sleep(std::chrono::duration_cast<Context::Duration>(p.options.serving.shutdown_delay));
  }
  p.post_start->Stop();
  if (const Status status = p.server->Shutdown(Context::Background().WithTimeout(kShutdown)); !status.ok())
    p.log.Info("Requests were cut off", {{"err", status.message()}});
  p.server.reset();
  return {};
}

}  // namespace knarr::apiserver
