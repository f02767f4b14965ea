#include "pkg/apiserver/options/options.h"

#include <fmt/format.h>

#include <algorithm>

#include "pkg/base/flags/flags.h"

namespace knarr::apiserver {
namespace {

using flags::FlagSet;

constexpr std::string_view kVersionText = "Kubernetes v1.32.0 (Knarr)\n";

struct Command {
  bool help = false;
  std::string version;
  int verbosity = 0;
  std::string logging_format = "text";
};

void AddGeneral(FlagSet& set, Options& o, Command& command) {
  set.Section("Generic");
  set.Bool(&command.help, "help", "help for kube-apiserver").Shorthand('h');
  set.Custom("version", "version[=true]", "print the version and quit",
             [&command](const std::string& value, bool) -> Status {
               command.version = value == "false" ? "" : value;
               return OkStatus();
             })
      .WithoutValue("true");
  set.String(&o.serving.advertise_address, "advertise-address",
             "address at which members of the cluster reach this server; it is in the Endpoints of the Service "
             "kubernetes. Empty: --bind-address, or the address of the default route");
  set.String(&o.serving.external_hostname, "external-hostname", "name of this server in URLs it hands out");
  set.Strings(&o.cors_allowed_origins, "cors-allowed-origins", "origins that browsers may call from (not built yet)");
  set.Int(&o.serving.max_requests_inflight, "max-requests-inflight",
          "reads at a time; more are answered 429. 0: no limit");
  set.Int(&o.serving.max_mutating_requests_inflight, "max-mutating-requests-inflight",
          "writes at a time; more are answered 429. 0: no limit");
  set.Duration(&o.serving.request_timeout, "request-timeout", "longest time for a request that is no watch or stream");
  set.Custom("min-request-timeout", "int", "seconds a watch lasts at least, unless it says otherwise (default 1800)",
             [&o](const std::string& value, bool) -> Status {
               char* end = nullptr;
               const long seconds = std::strtol(value.c_str(), &end, 10);
               if (value.empty() || *end != '\0' || seconds < 0)
                 return Error(Code::kInvalid, "invalid number of seconds");
               o.serving.min_request_timeout = std::chrono::seconds(seconds);
               return OkStatus();
             });
  set.Duration(&o.serving.shutdown_delay, "shutdown-delay-duration",
               "time to go on serving after /readyz begins to fail at shutdown");
  set.BoolMap(&o.feature_gates, "feature-gates", "features to turn on or off, Name=true|false");
  set.Custom("runtime-config", "mapStringString", "API groups and versions to serve: group/version=true|false",
             [&o](const std::string& value, bool) -> Status {
               for (size_t at = 0; at < value.size();) {
                 const size_t end = std::min(value.find(',', at), value.size());
                 const std::string pair = value.substr(at, end - at);
                 const size_t equals = pair.find('=');
                 const std::string setting = equals == std::string::npos ? "true" : pair.substr(equals + 1);
                 if (setting != "true" && setting != "false" && setting != "1" && setting != "0")
                   return Error(Code::kInvalid, "invalid value {}", setting);
                 o.runtime_config[pair.substr(0, equals)] = setting == "true" || setting == "1";
                 at = end + 1;
               }
               return OkStatus();
             });
  set.Section("Logging");
  set.Int(&command.verbosity, "v", "how much to log").Shorthand('v');
  set.String(&command.logging_format, "logging-format", "format of the log: text or json");
}

void AddStorage(FlagSet& set, StorageOptions& storage) {
  set.Section("Storage");
  set.String(&storage.backend, "storage-backend",
             "etcd3, or sqlite: a file of its own. Empty: etcd3 with --etcd-servers, else sqlite");
  set.String(&storage.data_dir, "data-dir", "directory of the sqlite store");
  set.Strings(&storage.etcd_servers, "etcd-servers", "etcd's URLs: scheme://host:port");
  set.String(&storage.etcd_cafile, "etcd-cafile", "authority that signed etcd's certificate");
  set.String(&storage.etcd_certfile, "etcd-certfile", "client certificate for etcd");
  set.String(&storage.etcd_keyfile, "etcd-keyfile", "its key");
  set.String(&storage.etcd_prefix, "etcd-prefix", "prefix of all keys");
  set.String(&storage.media_type, "storage-media-type", "how objects are stored");
  set.Duration(&storage.compaction_interval, "etcd-compaction-interval",
               "how much of the past is kept for watches and paged lists; 0: this server never compacts");
  set.Bool(&storage.watch_cache, "watch-cache", "answer reads from memory");
  set.Duration(&storage.event_ttl, "event-ttl", "how long Events are kept");
}

void AddServing(FlagSet& set, ServingOptions& serving) {
  set.Section("Secure serving");
  set.String(&serving.bind_address, "bind-address", "address to serve on; 0.0.0.0 or :: are all");
  set.Int(&serving.secure_port, "secure-port", "port of the API (TLS, authenticated)");
  set.String(&serving.cert_dir, "cert-dir",
             "directory for a self-signed certificate where --tls-cert-file is not given");
  set.String(&serving.tls_cert_file, "tls-cert-file",
             "certificate of the server, with its chain; read again on change");
  set.String(&serving.tls_private_key_file, "tls-private-key-file", "its key");
  set.String(&serving.tls_min_version, "tls-min-version", "VersionTLS12 or VersionTLS13");
  set.Strings(&serving.tls_cipher_suites, "tls-cipher-suites", "cipher suites by Go's names; empty: the default ones");
  set.Int(&serving.http2_max_streams, "http2-max-streams-per-connection", "streams at a time on one connection");
}

void AddAuthentication(FlagSet& set, Options& o) {
  AuthenticationOptions& a = o.authentication;
  set.Section("Authentication");
  set.Bool(&a.anonymous, "anonymous-auth", "requests without credentials are system:anonymous's");
  set.String(&o.serving.client_ca_file, "client-ca-file",
             "authority of client certificates: user = common name, groups = organizations");
  set.String(&a.token_auth_file, "token-auth-file", "known tokens: token,user,uid[,\"group,group\"] a line");
  set.Bool(&a.bootstrap_tokens, "enable-bootstrap-token-auth", "accept the tokens of kube-system's bootstrap secrets");
  set.Strings(&a.service_account_issuers, "service-account-issuer",
              "who issues service account tokens; the first one does, all are accepted");
  set.Strings(&a.service_account_key_files, "service-account-key-file",
              "keys (public, private or certificates) that verify service account tokens");
  set.String(&a.service_account_signing_key_file, "service-account-signing-key-file", "key that signs them");
  set.String(&a.service_account_jwks_uri, "service-account-jwks-uri", "where clients find the public keys");
  set.Bool(&a.service_account_lookup, "service-account-lookup", "tokens of deleted accounts are refused");
  set.Bool(&a.extend_token_expiration, "service-account-extend-token-expiration",
           "tokens of pods live a year, while clients learn to read them again");
  set.Duration(&a.service_account_max_token_expiration, "service-account-max-token-expiration",
               "longest life of a token; 0: no limit");
  set.Strings(&a.api_audiences, "api-audiences", "whom tokens must be meant for; default: the issuer");
  set.String(&a.requestheader_client_ca_file, "requestheader-client-ca-file",
             "authority of front proxies, which name the user in headers");
  set.Strings(&a.requestheader_allowed_names, "requestheader-allowed-names",
              "common names of front proxies; empty: any");
  set.Strings(&a.requestheader_username_headers, "requestheader-username-headers", "headers with the user's name");
  set.Strings(&a.requestheader_uid_headers, "requestheader-uid-headers", "headers with the user's uid");
  set.Strings(&a.requestheader_group_headers, "requestheader-group-headers", "headers with groups");
  set.Strings(&a.requestheader_extra_header_prefixes, "requestheader-extra-headers-prefix",
              "prefixes of headers with more about the user");
}

void AddPolicy(FlagSet& set, Options& o) {
  set.Section("Authorization and admission");
  set.Strings(&o.authorization_modes, "authorization-mode", "in order: Node, RBAC, AlwaysAllow, AlwaysDeny");
  set.Strings(&o.enable_admission_plugins, "enable-admission-plugins", "plugins beside the default ones");
  set.Strings(&o.disable_admission_plugins, "disable-admission-plugins", "default plugins to leave out");
  set.Strings(&o.enable_admission_plugins, "admission-control", "plugins beside the default ones")
      .Deprecated("use --enable-admission-plugins or --disable-admission-plugins instead");
  set.String(&o.admission_control_config_file, "admission-control-config-file", "AdmissionConfiguration file");
  set.Bool(&o.allow_privileged, "allow-privileged", "containers may be privileged");
}

void AddNetwork(FlagSet& set, Options& o) {
  set.Section("Services and nodes");
  set.String(&o.service_cluster_ip_range, "service-cluster-ip-range",
             "addresses of Services, one range or two of different families");
  set.String(&o.service_node_port_range, "service-node-port-range", "ports of NodePort Services: 30000-32767");
  set.Int(&o.kubernetes_service_node_port, "kubernetes-service-node-port",
          "node port of the Service kubernetes; 0: none");
  set.String(&o.endpoint_reconciler_type, "endpoint-reconciler-type",
             "who keeps the endpoints of the Service kubernetes: lease, none");
  set.Int(&o.apiserver_count, "apiserver-count", "no effect: leases count servers");
  set.String(&o.kubelet_client_certificate, "kubelet-client-certificate", "certificate shown to kubelets");
  set.String(&o.kubelet_client_key, "kubelet-client-key", "its key");
  set.String(&o.kubelet_certificate_authority, "kubelet-certificate-authority",
             "authority of kubelets' certificates; empty: they are not verified");
  set.Strings(&o.kubelet_preferred_address_types, "kubelet-preferred-address-types",
              "which address of a node to use, best first");
  set.Duration(&o.kubelet_timeout, "kubelet-timeout", "longest time for an operation of a kubelet");
  set.String(&o.proxy_client_cert_file, "proxy-client-cert-file", "certificate shown to proxied pods and services");
  set.String(&o.proxy_client_key_file, "proxy-client-key-file", "its key");
}

// Flags of things that are not built yet: saying so beats pretending.
struct Unsupported {
  std::string_view name, type, why;
};
constexpr Unsupported kUnsupported[] = {
    {"audit-policy-file", "string", "audit is not built yet"},
    {"audit-log-path", "string", "audit is not built yet"},
    {"audit-webhook-config-file", "string", "audit is not built yet"},
    {"encryption-provider-config", "string", "encryption at rest is not built yet"},
    {"oidc-issuer-url", "string", "OIDC is not built yet"},
    {"oidc-client-id", "string", "OIDC is not built yet"},
    {"authentication-token-webhook-config-file", "string", "webhook authentication is not built yet"},
    {"authentication-config", "string", "structured authentication is not built yet"},
    {"authorization-webhook-config-file", "string", "webhook authorization is not built yet"},
    {"authorization-config", "string", "structured authorization is not built yet"},
    {"authorization-policy-file", "string", "ABAC is not built"},
    {"egress-selector-config-file", "string", "egress selection is not built yet"},
    {"tracing-config-file", "string", "tracing is not built yet"},
    {"tls-sni-cert-key", "namedCertKey", "certificates by server name are not built yet"},
    {"peer-ca-file", "string", "the peer proxy is not built yet"},
    {"service-account-signing-endpoint", "string", "external signing is not built yet"},
};

void AddUnsupported(FlagSet& set) {
  for (const Unsupported& flag : kUnsupported) {
    set.Custom(std::string(flag.name), std::string(flag.type), std::string(flag.why),
               [why = flag.why](const std::string& value, bool) -> Status {
                 if (value.empty()) return OkStatus();
                 return Error(Code::kUnimplemented, "{}; leave the flag out", why);
               })
        .Hidden();
  }
}

void AddIgnored(FlagSet& set) {
  const auto ignore = [&](const char* name, const char* type, const char* why) {
    set.Ignored(name, type, "no effect", why).Hidden();
  };
  ignore("profiling", "bool", "there is no profiler behind it");
  ignore("contention-profiling", "bool", "there is no profiler behind it");
  ignore("enable-priority-and-fairness", "bool", "requests are limited by --max-requests-inflight");
  ignore("enable-aggregator-routing", "bool", "aggregation is not built yet");
  ignore("default-watch-cache-size", "int", "watch caches size themselves");
  ignore("watch-cache-sizes", "strings", "watch caches size themselves");
  ignore("target-ram-mb", "int", "memory is what it needs");
  ignore("etcd-count-metric-poll-period", "duration", "counts are read from the watch caches");
  ignore("etcd-db-metric-poll-interval", "duration", "sizes are read when asked for");
  ignore("etcd-healthcheck-timeout", "duration", "two seconds");
  ignore("etcd-readycheck-timeout", "duration", "two seconds");
  ignore("default-not-ready-toleration-seconds", "int", "300");
  ignore("default-unreachable-toleration-seconds", "int", "300");
  ignore("goaway-chance", "float", "connections are not shaken off");
  ignore("livez-grace-period", "duration", "liveness does not depend on start-up");
  ignore("audit-log-maxage", "int", "audit is not built yet");
  ignore("audit-log-maxbackup", "int", "audit is not built yet");
  ignore("audit-log-maxsize", "int", "audit is not built yet");
  ignore("audit-log-format", "string", "audit is not built yet");
  ignore("permit-port-sharing", "bool", "the port is this server's");
  ignore("permit-address-sharing", "bool", "the port is this server's");
  ignore("lease-reuse-duration-seconds", "int", "60");
  ignore("logtostderr", "bool", "logs go to stderr");
  ignore("alsologtostderr", "bool", "logs go to stderr");
  ignore("log-dir", "string", "logs go to stderr");
  ignore("log-file", "string", "logs go to stderr");
  ignore("vmodule", "string", "-v is for all of the program");
  ignore("log-flush-frequency", "duration", "lines are written at once");
  ignore("show-hidden-metrics-for-version", "string", "there are no hidden metrics");
  ignore("strict-transport-security-directives", "strings", "not sent");
  ignore("authorization-webhook-cache-authorized-ttl", "duration", "webhook authorization is not built yet");
  ignore("authorization-webhook-cache-unauthorized-ttl", "duration", "webhook authorization is not built yet");
  ignore("authentication-token-webhook-cache-ttl", "duration", "webhook authentication is not built yet");
  ignore("delete-collection-workers", "int", "one");
  ignore("enable-garbage-collector", "bool", "finalizers are always honoured");
  ignore("insecure-port", "int", "nothing is served without TLS");
  ignore("insecure-bind-address", "string", "nothing is served without TLS");
  ignore("storage-initialization-timeout", "duration", "bootstrap objects are tried until they are there");
}

}  // namespace

Status Validate(const Options& o) {
  const auto bad = [](std::string_view flag, std::string_view why) {
    return Error(Code::kInvalid, "--{}: {}", flag, why);
  };
  if (o.serving.secure_port < 0 || o.serving.secure_port > 65535)
    return bad("secure-port", fmt::format("{} is not a port", o.serving.secure_port));
  if (o.serving.tls_cert_file.empty() != o.serving.tls_private_key_file.empty())
    return bad("tls-cert-file", "needs --tls-private-key-file, and the other way round");
  const StorageOptions& s = o.storage;
  if (!s.backend.empty() && s.backend != "etcd3" && s.backend != "sqlite")
    return bad("storage-backend", fmt::format("\"{}\" is neither etcd3 nor sqlite", s.backend));
  if (s.backend == "etcd3" && s.etcd_servers.empty()) return bad("etcd-servers", "must be specified");
  if (s.backend == "sqlite" && !s.etcd_servers.empty())
    return bad("etcd-servers", "contradicts --storage-backend=sqlite");
  if (s.etcd_prefix != "/registry") return bad("etcd-prefix", "only /registry is built");
  if (s.media_type != "application/vnd.kubernetes.protobuf")
    return bad("storage-media-type", "only application/vnd.kubernetes.protobuf is built");
  for (const std::string& mode : o.authorization_modes) {
    if (mode == "Webhook" || mode == "ABAC")
      return bad("authorization-mode",
                 fmt::format("{} is not built yet; there are Node, RBAC, AlwaysAllow and AlwaysDeny", mode));
    if (mode != "Node" && mode != "RBAC" && mode != "AlwaysAllow" && mode != "AlwaysDeny")
      return bad("authorization-mode", fmt::format("\"{}\" is not a valid mode", mode));
  }
  if (o.authorization_modes.empty()) return bad("authorization-mode", "at least one authorization-mode must be passed");
  const AuthenticationOptions& a = o.authentication;
  if (a.service_account_signing_key_file.empty() != a.service_account_issuers.empty()) {
    return bad("service-account-issuer",
               "goes with --service-account-signing-key-file: tokens are issued by somebody and signed with something");
  }
  if (o.endpoint_reconciler_type != "lease" && o.endpoint_reconciler_type != "none" &&
      o.endpoint_reconciler_type != "master-count") {
    return bad("endpoint-reconciler-type", fmt::format("\"{}\" is none of lease, none", o.endpoint_reconciler_type));
  }
  for (const auto& [version, on] : o.runtime_config) {
    if (!on)
      return bad("runtime-config", fmt::format("{}=false: leaving out a group or version is not built yet", version));
  }
  if (!o.cors_allowed_origins.empty()) return bad("cors-allowed-origins", "is not built yet");
  return {};
}

Result<ParsedCommandLine> ParseCommandLine(const std::vector<std::string>& args) {
  ParsedCommandLine parsed;
  Options& o = parsed.options;
  Command command;
  FlagSet set;
  AddGeneral(set, o, command);
  AddServing(set, o.serving);
  AddStorage(set, o.storage);
  AddAuthentication(set, o);
  AddPolicy(set, o);
  AddNetwork(set, o);
  AddUnsupported(set);
  AddIgnored(set);
  std::vector<std::string> positional;
  KNARR_TRY(set.Parse(args, &positional));
  KNARR_TRY(set.Apply());
  if (command.help) {
    parsed.action = ParsedCommandLine::Action::kHelp;
    parsed.text =
        "The Kubernetes API server: validates and keeps the state of a cluster and serves it over REST.\n\nUsage:\n"
        "  kube-apiserver [flags]\n\n" +
        set.Usages();
    return parsed;
  }
  if (!command.version.empty()) {
    parsed.action = ParsedCommandLine::Action::kVersion;
    parsed.text = kVersionText;
    return parsed;
  }
  if (!positional.empty()) return Error(Code::kInvalid, "unknown argument \"{}\": there are only flags", positional[0]);
  if (o.storage.backend.empty()) o.storage.backend = o.storage.etcd_servers.empty() ? "sqlite" : "etcd3";
  if (command.logging_format != "text" && command.logging_format != "json")
    return Error(Code::kInvalid, "--logging-format: \"{}\" is neither text nor json", command.logging_format);
  o.log.format = command.logging_format == "json" ? LogFormat::kJson : LogFormat::kText;
  o.log.verbosity = command.verbosity;
  KNARR_TRY(Validate(o));
  parsed.warnings = set.warnings();
  return parsed;
}

}  // namespace knarr::apiserver
