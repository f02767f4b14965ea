// The command line of kube-apiserver.
//
// Flags are upstream's of 1.20 to 1.32 as kubeadm's manifests and the books pass them. An unknown one is refused by
// name; one that stands for something not built yet is refused with the reason; those that cannot matter here
// (profiling, timeouts of a log format that is gone) are accepted with a warning.
// Mirrors: cmd/kube-apiserver/app/options, staging/src/k8s.io/apiserver/pkg/server/options
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "pkg/base/log.h"
#include "pkg/base/status.h"

namespace knarr::apiserver {

struct ServingOptions {
  std::string bind_address = "0.0.0.0";
  std::string advertise_address;  // empty: bind_address, or the address of the default route
  int secure_port = 6443;
  std::string cert_dir = "/var/run/kubernetes";
  std::string tls_cert_file, tls_private_key_file;
  std::string tls_min_version;
  std::vector<std::string> tls_cipher_suites;
  std::string client_ca_file;
  int http2_max_streams = 100;
  std::chrono::nanoseconds request_timeout = std::chrono::seconds(60);
  std::chrono::seconds min_request_timeout{1800};
  int max_requests_inflight = 400;
  int max_mutating_requests_inflight = 200;
  std::chrono::nanoseconds shutdown_delay = std::chrono::seconds(0);
  std::string external_hostname;
};

struct StorageOptions {
  std::string backend;  // etcd3, sqlite; empty: etcd3 if there are servers, else sqlite
  std::string data_dir = "/var/lib/knarr/apiserver";
  std::vector<std::string> etcd_servers;
  std::string etcd_cafile, etcd_certfile, etcd_keyfile;
  std::string etcd_prefix = "/registry";
  std::string media_type = "application/vnd.kubernetes.protobuf";
  std::chrono::nanoseconds compaction_interval = std::chrono::minutes(5);
  bool watch_cache = true;
  std::chrono::nanoseconds event_ttl = std::chrono::hours(1);
};

struct AuthenticationOptions {
  bool anonymous = true;
  std::string token_auth_file;
  bool bootstrap_tokens = false;
  std::vector<std::string> service_account_issuers;
  std::vector<std::string> service_account_key_files;
  std::string service_account_signing_key_file;
  std::string service_account_jwks_uri;
  bool service_account_lookup = true;
  bool extend_token_expiration = true;
  std::chrono::nanoseconds service_account_max_token_expiration{0};
  std::vector<std::string> api_audiences;
  std::string requestheader_client_ca_file;
  std::vector<std::string> requestheader_allowed_names;
  std::vector<std::string> requestheader_username_headers;
  std::vector<std::string> requestheader_uid_headers;
  std::vector<std::string> requestheader_group_headers;
  std::vector<std::string> requestheader_extra_header_prefixes;
};

struct Options {
  ServingOptions serving;
  StorageOptions storage;
  AuthenticationOptions authentication;
  std::vector<std::string> authorization_modes = {"AlwaysAllow"};
  std::vector<std::string> enable_admission_plugins, disable_admission_plugins;
  std::string admission_control_config_file;
  bool allow_privileged = false;
  std::string service_cluster_ip_range = "10.0.0.0/24";
  std::string service_node_port_range = "30000-32767";
  int kubernetes_service_node_port = 0;
  std::string endpoint_reconciler_type = "lease";
  int apiserver_count = 1;
  std::string kubelet_client_certificate, kubelet_client_key, kubelet_certificate_authority;
  std::vector<std::string> kubelet_preferred_address_types = {"Hostname", "InternalDNS", "InternalIP", "ExternalDNS",
                                                              "ExternalIP"};
  std::chrono::nanoseconds kubelet_timeout = std::chrono::seconds(5);
  std::string proxy_client_cert_file, proxy_client_key_file;
  std::map<std::string, bool> feature_gates;
  std::map<std::string, bool> runtime_config;
  std::vector<std::string> cors_allowed_origins;
  LogOptions log;
};

struct ParsedCommandLine {
  enum class Action { kRun, kHelp, kVersion };
  Action action = Action::kRun;
  std::string text;  // of help and version
  Options options;
  std::vector<std::string> warnings;
};
Result<ParsedCommandLine> ParseCommandLine(const std::vector<std::string>& args);
// What is wrong with them, naming the flag.
Status Validate(const Options& options);

}  // namespace knarr::apiserver
