// Everything the kubelet can be told: the merge of built-in defaults, KubeletConfiguration v1beta1 (--config and
// --config-dir) and flags, in this order of precedence, validated. Plain values, filled once by Load() and read-only
// afterwards, so every component takes what it needs from here without knowing where it was set.
// Mirrors: cmd/kubelet/app/options/options.go, pkg/kubelet/apis/config/types.go (1.32)
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/base/log.h"
#include "pkg/base/status.h"

namespace knarr::kubelet {

using Seconds = std::chrono::seconds;
using Nanos = std::chrono::nanoseconds;

// Sources of pods (pkg/kubelet/config).
struct SourceOptions {
  std::string static_pod_path;  // directory or one file; empty: none
  std::string static_pod_url;
  std::map<std::string, std::vector<std::string>> static_pod_url_header;
  Nanos file_check_frequency = Seconds(20);
  Nanos http_check_frequency = Seconds(20);
  Nanos sync_frequency = Seconds(60);
};

// The servers: 10250 (TLS), 10255 (read-only, off) and healthz.
struct ServerOptions {
  bool enable_server = true;
  std::string address = "0.0.0.0";
  int port = 10250;
  int read_only_port = 0;  // 0: off
  std::string healthz_bind_address = "127.0.0.1";
  int healthz_port = 10248;   // 0: off
  std::string tls_cert_file;  // both empty: a self-signed pair is made in cert_dir
  std::string tls_private_key_file;
  std::string cert_dir = "/var/lib/kubelet/pki";
  std::vector<std::string> tls_cipher_suites;  // Go's names (TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256)
  std::string tls_min_version;                 // VersionTLS12, VersionTLS13; empty: 1.2
  bool enable_debugging_handlers = true;
  bool enable_contention_profiling = false;
  bool enable_profiling_handler = true;
  bool enable_debug_flags_handler = true;
  bool enable_system_log_handler = true;
  bool enable_system_log_query = false;
  Nanos streaming_connection_idle_timeout = std::chrono::hours(4);
  // Authentication and authorization. Standalone (no kubeconfig): the webhooks have nobody to ask and are off.
  bool anonymous_auth = false;
  bool authentication_webhook = true;
  Nanos authentication_webhook_cache_ttl = std::chrono::minutes(2);
  std::string client_ca_file;
  // AlwaysAllow, Webhook; standalone and not asked for: SystemMasters (members of that group, and root on the socket).
  std::string authorization_mode = "Webhook";
  Nanos authorization_cache_authorized_ttl = std::chrono::minutes(5);
  Nanos authorization_cache_unauthorized_ttl = Seconds(30);
  bool rotate_certificates = false;
  bool server_tls_bootstrap = false;
  // Beside upstream: where `knarr get|logs|exec|why` find this kubelet (--local-socket); empty: off.
  std::string local_socket = "/run/knarr/kubelet.sock";
};

// The container runtime and the pod network.
struct RuntimeOptions {
  std::string container_runtime_endpoint = "unix:///run/containerd/containerd.sock";
  std::string image_service_endpoint;  // empty: the same as the runtime's
  Nanos runtime_request_timeout = std::chrono::minutes(2);
  std::string pod_infra_container_image;  // never collected; empty: what the runtime reports
  std::string runtime_cgroups;
  std::string pod_logs_dir = "/var/log/pods";
  // Beside upstream (dockershim's flags, honoured): where the kubelet reads CNI configurations and plugins.
  std::string cni_conf_dir = "/etc/cni/net.d";
  std::vector<std::string> cni_bin_dirs = {"/opt/cni/bin", "/usr/lib/cni"};  // the second is Debian's
  std::string cni_cache_dir = "/var/lib/cni/cache";
  std::string cni_relay_socket = "/run/knarr/cni.sock";  // empty: containerd runs CNI itself
  std::string cni_state_dir = "/var/lib/knarr/cni";
  // --cni-relay-conf-dir: containerd's cni.conf_dir, where the kubelet writes the relay's configuration; empty: it is
  // written by whoever set the node up.
  std::string cni_relay_conf_dir;
  std::string hairpin_mode = "promiscuous-bridge";
  std::string pod_cidr;
  int network_plugin_mtu = 0;
};

// The node: identity, API server (absent = standalone), registration.
struct NodeOptions {
  std::string hostname_override;
  std::string node_name;  // effective: hostname_override or the host's name, lower case
  std::vector<std::string> node_ips;
  std::map<std::string, std::string> node_labels;
  std::string provider_id;
  std::string cloud_provider;
  std::string kubeconfig;  // empty: standalone
  std::string bootstrap_kubeconfig;
  bool register_node = true;
  struct Taint {
    std::string key, value, effect;
  };
  std::vector<Taint> register_with_taints;
  Nanos node_status_update_frequency = Seconds(10);
  Nanos node_status_report_frequency = std::chrono::minutes(5);
  int node_lease_duration_seconds = 40;
  int node_status_max_images = 50;
  int kube_api_qps = 50;
  int kube_api_burst = 100;
  std::string content_type = "application/vnd.kubernetes.protobuf";
  int event_record_qps = 50;
  int event_burst = 100;
  bool standalone() const { return kubeconfig.empty() && bootstrap_kubeconfig.empty(); }
};

// Pods and containers.
struct PodOptions {
  int max_pods = 110;
  int pods_per_core = 0;
  int64_t pod_pids_limit = -1;
  bool seccomp_default = false;
  std::vector<std::string> allowed_unsafe_sysctls;
  bool cpu_cfs_quota = true;
  Nanos cpu_cfs_quota_period = std::chrono::milliseconds(100);
  std::string resolv_conf = "/etc/resolv.conf";  // empty: DNS configuration of the host is not used
  std::string cluster_domain;
  std::vector<std::string> cluster_dns;
  int64_t container_log_max_size = 10 << 20;  // bytes
  int container_log_max_files = 5;
  int container_log_max_workers = 1;
  Nanos container_log_monitor_interval = Seconds(10);
  bool run_once = false;
  std::string config_map_and_secret_change_detection_strategy = "Watch";
  std::optional<Nanos> max_container_restart_period;  // crashLoopBackOff
  Nanos shutdown_grace_period{0};
  Nanos shutdown_grace_period_critical_pods{0};
  struct ShutdownGrace {
    int32_t priority;
    int64_t seconds;
  };
  std::vector<ShutdownGrace> shutdown_grace_period_by_pod_priority;
  Nanos minimum_container_ttl{0};
  int maximum_dead_containers = -1;
  int maximum_dead_containers_per_container = 1;
};

// Images: pulling and collecting.
struct ImageOptions {
  int registry_qps = 5;  // 0: no limit
  int registry_burst = 10;
  bool serialize_image_pulls = true;
  std::optional<int> max_parallel_image_pulls;
  Nanos minimum_gc_age = std::chrono::minutes(2);
  Nanos maximum_gc_age{0};  // 0: off
  int gc_high_threshold_percent = 85;
  int gc_low_threshold_percent = 80;
};

// Cgroups and what is reserved.
struct CgroupOptions {
  std::string cgroup_driver = "cgroupfs";  // cgroupfs, systemd
  std::string cgroup_root = "/";
  bool cgroups_per_qos = true;
  std::vector<std::string> enforce_node_allocatable = {"pods"};
  std::map<std::string, std::string> system_reserved;  // cpu, memory, ephemeral-storage, pid -> quantity
  std::map<std::string, std::string> kube_reserved;
  std::string system_reserved_cgroup, kube_reserved_cgroup;
  std::string system_cgroups, kubelet_cgroups;
  std::string reserved_system_cpus;
  std::map<std::string, std::string> qos_reserved;
  std::string cpu_manager_policy = "none";
  std::string memory_manager_policy = "None";
  std::string topology_manager_policy = "none";
  std::string topology_manager_scope = "container";
  bool fail_cgroup_v1 = false;
  bool fail_swap_on = true;
  std::string memory_swap_behavior;  // "", NoSwap, LimitedSwap
  std::optional<double> memory_throttling_factor;
  std::optional<bool> single_process_oom_kill;
  int oom_score_adj = -999;
  int64_t max_open_files = 1000000;
  bool protect_kernel_defaults = false;
  bool local_storage_capacity_isolation = true;
  bool make_iptables_util_chains = true;
};

// Thresholds by signal (memory.available, nodefs.available, ...); values are quantities or percentages as written.
struct EvictionOptions {
  std::map<std::string, std::string> hard = {{"memory.available", "100Mi"},
                                             {"nodefs.available", "10%"},
                                             {"nodefs.inodesFree", "5%"},
                                             {"imagefs.available", "15%"},
                                             {"imagefs.inodesFree", "5%"}};
  std::map<std::string, std::string> soft;
  std::map<std::string, Nanos> soft_grace_period;
  std::map<std::string, std::string> minimum_reclaim;
  Nanos pressure_transition_period = std::chrono::minutes(5);
  int max_pod_grace_period = 0;  // seconds
  bool kernel_memcg_notification = false;
};

struct KubeletOptions {
  std::string root_dir = "/var/lib/kubelet";
  std::string volume_plugin_dir = "/usr/libexec/kubernetes/kubelet-plugins/volume/exec/";
  std::string config_file;  // --config; empty: none
  std::string config_dir;   // --config-dir
  std::string lock_file;
  bool exit_on_lock_contention = false;
  bool enable_controller_attach_detach = true;
  Nanos volume_stats_agg_period = std::chrono::minutes(1);
  SourceOptions sources;
  ServerOptions server;
  RuntimeOptions runtime;
  NodeOptions node;
  PodOptions pods;
  ImageOptions images;
  CgroupOptions cgroups;
  EvictionOptions eviction;
  std::map<std::string, bool> feature_gates;
  LogOptions log;

  // What was accepted but has no effect here, or is deprecated; to be logged at start, one line each.
  std::vector<std::string> warnings;
  // The effective KubeletConfiguration as JSON (apiVersion, kind and all), for /configz.
  std::string kubelet_config_json;
};

// What main is to do with a command line.
struct ParsedCommandLine {
  enum class Action { kRun, kHelp, kVersion, kValidateConfig };
  Action action = Action::kRun;
  std::string text;  // kHelp, kVersion: what to print on stdout
  KubeletOptions options;
};

// Parses argv[1..] and reads the configuration files. Errors are ready to print (upstream prints them on stderr and
// exits 1): `unknown flag: --foo`; `invalid configuration: ...` with file, line and field path.
// `program` is what the usage line calls it ("kubelet").
Result<ParsedCommandLine> ParseCommandLine(const std::vector<std::string>& args, std::string_view program = "kubelet");

}  // namespace knarr::kubelet
