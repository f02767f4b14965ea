#include "pkg/kubelet/options/flags.h"

namespace knarr::kubelet {
namespace {

using flags::FlagSet;

void AddGeneral(FlagSet& set, KubeletOptions& o, ConfigExtras& extras, CommandFlags& command) {
  set.Bool(&command.help, "help", "help for kubelet").Shorthand('h');
  set.Custom("version", "version[=true]", "print the version and quit",
             [&command](const std::string& value, bool) -> Status {
               command.version = value == "false" ? "" : value;
               return OkStatus();
             })
      .WithoutValue("true");
  set.String(&o.config_file, "config", "KubeletConfiguration file; flags override it");
  set.String(&o.config_dir, "config-dir",
             "directory of drop-in files (*.conf), merged over --config in the order of their names");
  set.Bool(&command.validate_config, "validate-config", "check flags and configuration, print what is wrong, and quit");
  set.String(&o.root_dir, "root-dir", "where the kubelet keeps its files: pods, volumes, plugins");
  set.String(&o.lock_file, "lock-file", "file to lock while running");
  set.Bool(&o.exit_on_lock_contention, "exit-on-lock-contention", "quit when somebody else wants the lock file");
  set.BoolMap(&o.feature_gates, "feature-gates", "features to turn on or off, Name=true|false");
  set.Section("Logging");
  set.Int(&command.verbosity, "v", "how much to log").Shorthand('v');
  set.String(&extras.logging_format, "logging-format", "format of the log: text or json");
}

void AddSources(FlagSet& set, SourceOptions& sources) {
  set.Section("Pod source");
  set.String(&sources.static_pod_path, "pod-manifest-path", "directory of static pod manifests, or one such file");
  set.String(&sources.static_pod_url, "manifest-url", "URL of more static pods");
  set.Custom("manifest-url-header", "headers", "HTTP headers for --manifest-url, name:value, repeated or with commas",
             [&sources](const std::string& value, bool first) -> Status {
               if (first) sources.static_pod_url_header.clear();
               for (size_t begin = 0; begin <= value.size();) {
                 const size_t end = std::min(value.find(',', begin), value.size());
                 const std::string pair = value.substr(begin, end - begin);
                 const size_t colon = pair.find(':');
                 if (colon == std::string::npos) return Error(Code::kInvalid, "malformed pair, expect string:string");
                 sources.static_pod_url_header[pair.substr(0, colon)].push_back(pair.substr(colon + 1));
                 begin = end + 1;
               }
               return OkStatus();
             });
  set.Duration(&sources.file_check_frequency, "file-check-frequency",
               "how often to look at the manifests beside being told of changes");
  set.Duration(&sources.http_check_frequency, "http-check-frequency", "how often to get --manifest-url");
  set.Duration(&sources.sync_frequency, "sync-frequency", "longest time between two looks at a running pod");
}

void AddServer(FlagSet& set, ServerOptions& server) {
  set.Section("Server");
  set.Bool(&server.enable_server, "enable-server", "serve the kubelet API");
  set.String(&server.address, "address", "address to serve on; 0.0.0.0 or :: are all");
  set.Int(&server.port, "port", "port of the kubelet API (TLS, authenticated)");
  set.Int(&server.read_only_port, "read-only-port", "no effect: nothing is served without authentication");
  set.Int(&server.healthz_port, "healthz-port", "port of /healthz; 0: none");
  set.String(&server.healthz_bind_address, "healthz-bind-address", "address of /healthz");
  set.String(&server.tls_cert_file, "tls-cert-file",
             "serving certificate, followed by intermediate ones; without it a self-signed one is made in --cert-dir");
  set.String(&server.tls_private_key_file, "tls-private-key-file", "private key of --tls-cert-file");
  set.String(&server.local_socket, "local-socket",
             "unix socket for knarr get, logs, exec, why and shutdown; empty: none");
  set.String(&server.cert_dir, "cert-dir", "directory of certificates that the kubelet makes or gets");
  set.Strings(&server.tls_cipher_suites, "tls-cipher-suites", "cipher suites to offer, by their Go names");
  set.String(&server.tls_min_version, "tls-min-version", "lowest TLS version: VersionTLS12 or VersionTLS13");
  set.Bool(&server.rotate_certificates, "rotate-certificates", "renew the client certificate before it expires");
  set.Bool(&server.server_tls_bootstrap, "rotate-server-certificates",
           "get and renew the serving certificate from the API server");
  set.Bool(&server.anonymous_auth, "anonymous-auth", "let requests without credentials in as system:anonymous");
  set.Bool(&server.authentication_webhook, "authentication-token-webhook", "ask the API server about bearer tokens");
  set.Duration(&server.authentication_webhook_cache_ttl, "authentication-token-webhook-cache-ttl",
               "how long to remember what it said of a token");
  set.String(&server.client_ca_file, "client-ca-file", "CAs whose client certificates are accepted");
  set.String(&server.authorization_mode, "authorization-mode",
             "who may do what: AlwaysAllow or Webhook (ask the API server)");
  set.Duration(&server.authorization_cache_authorized_ttl, "authorization-webhook-cache-authorized-ttl",
               "how long to remember a yes");
  set.Duration(&server.authorization_cache_unauthorized_ttl, "authorization-webhook-cache-unauthorized-ttl",
               "how long to remember a no");
  set.Bool(&server.enable_debugging_handlers, "enable-debugging-handlers", "serve logs, exec, attach and port-forward");
  set.Bool(&server.enable_contention_profiling, "contention-profiling", "profile lock contention");
  set.Duration(&server.streaming_connection_idle_timeout, "streaming-connection-idle-timeout",
               "when to close a silent streaming connection");
}

void AddRuntime(FlagSet& set, RuntimeOptions& runtime, CommandFlags& command) {
  set.Section("Container runtime and network");
  set.String(&runtime.container_runtime_endpoint, "container-runtime-endpoint", "CRI socket of the container runtime");
  set.String(&runtime.image_service_endpoint, "image-service-endpoint",
             "CRI socket of the image service; the same as the runtime's if empty");
  set.Duration(&runtime.runtime_request_timeout, "runtime-request-timeout",
               "longest time of a CRI call other than pull, logs, exec and attach");
  set.String(&runtime.runtime_cgroups, "runtime-cgroups", "cgroup of the container runtime");
  set.String(&runtime.pod_infra_container_image, "pod-infra-container-image",
             "pause image, never removed by image garbage collection");
  set.String(&runtime.cni_conf_dir, "cni-conf-dir", "directory of CNI configurations");
  set.Custom("cni-bin-dir", "string", "directories of CNI plugins, with commas",
             [&runtime, &command](const std::string& value, bool) -> Status {
               command.cni_bin_dir = value;
               runtime.cni_bin_dirs.clear();
               for (size_t begin = 0; begin < value.size();) {
                 const size_t end = std::min(value.find(',', begin), value.size());
                 if (end > begin) runtime.cni_bin_dirs.push_back(value.substr(begin, end - begin));
                 begin = end + 1;
               }
               return OkStatus();
             });
  set.String(&runtime.cni_cache_dir, "cni-cache-dir", "directory of CNI results");
  set.String(
      &runtime.cni_relay_socket, "cni-relay-socket",
      "socket on which the kubelet executes CNI for containerd's relay plugin; empty: the runtime executes CNI itself");
  set.String(&runtime.cni_state_dir, "cni-state-dir",
             "where network attachments are recorded, to clean up after a crash or reboot");
  set.String(&runtime.cni_relay_conf_dir, "cni-relay-conf-dir",
             "containerd's cni.conf_dir, where the relay's configuration is written; empty: it is there already");
  set.Int(&runtime.network_plugin_mtu, "network-plugin-mtu", "MTU for the CNI plugins; 0: theirs");
  set.String(&runtime.hairpin_mode, "hairpin-mode",
             "how a pod reaches itself through its service: promiscuous-bridge, hairpin-veth or none");
  set.String(&runtime.pod_cidr, "pod-cidr", "address range of pods, standalone only");
}

void AddNode(FlagSet& set, NodeOptions& node, CommandFlags& command) {
  set.Section("Node and API server");
  set.String(&node.kubeconfig, "kubeconfig", "how to reach the API server; without it the kubelet runs standalone");
  set.String(&node.bootstrap_kubeconfig, "bootstrap-kubeconfig", "how to get the first client certificate");
  set.String(&node.hostname_override, "hostname-override", "name of the node instead of the host's");
  set.String(&command.node_ip, "node-ip", "address of the node, or one of each family with a comma");
  set.StringMap(&node.node_labels, "node-labels", "labels of the node when it registers");
  set.String(&node.provider_id, "provider-id", "id of the machine at its cloud provider");
  set.Bool(&node.register_node, "register-node", "register with the API server");
  set.Strings(&command.register_with_taints, "register-with-taints",
              "taints of the node when it registers, key=value:effect");
  set.Duration(&node.node_status_update_frequency, "node-status-update-frequency",
               "how often to compute the node's status");
  set.Int(&node.node_status_max_images, "node-status-max-images",
          "how many images to report in the node's status; -1: all");
  set.Int(&node.kube_api_qps, "kube-api-qps", "requests per second to the API server");
  set.Int(&node.kube_api_burst, "kube-api-burst", "requests at once to the API server");
  set.String(&node.content_type, "kube-api-content-type", "media type of requests to the API server");
  set.Int(&node.event_record_qps, "event-qps", "events per second; 0: 50");
  set.Int(&node.event_burst, "event-burst", "events at once");
}

void AddPods(FlagSet& set, KubeletOptions& o, ConfigExtras& extras) {
  PodOptions& pods = o.pods;
  set.Section("Pods and containers");
  set.Int(&pods.max_pods, "max-pods", "how many pods may run here");
  set.Int(&pods.pods_per_core, "pods-per-core", "how many pods may run per core; 0: no limit");
  set.Int64(&pods.pod_pids_limit, "pod-max-pids", "how many processes a pod may have; -1: no limit but the node's");
  set.Bool(&pods.seccomp_default, "seccomp-default",
           "RuntimeDefault is the seccomp profile of containers that name none");
  set.Strings(&pods.allowed_unsafe_sysctls, "allowed-unsafe-sysctls",
              "unsafe sysctls that pods may set; a trailing * is a pattern");
  set.Bool(&pods.cpu_cfs_quota, "cpu-cfs-quota", "enforce CPU limits by CFS quota");
  set.Duration(&pods.cpu_cfs_quota_period, "cpu-cfs-quota-period", "period of the CFS quota");
  set.String(&pods.resolv_conf, "resolv-conf", "resolver configuration that pods' own is made from; empty: none");
  set.String(&pods.cluster_domain, "cluster-domain", "DNS domain of the cluster, searched by all pods");
  set.Strings(&pods.cluster_dns, "cluster-dns", "DNS servers of pods with dnsPolicy ClusterFirst");
  set.String(&extras.container_log_max_size, "container-log-max-size", "size at which a container's log is rotated");
  set.Int(&pods.container_log_max_files, "container-log-max-files",
          "how many log files a container may have, at least 2");
  set.Duration(&pods.minimum_container_ttl, "minimum-container-ttl-duration",
               "how long a dead container stays at least");
  set.Int(&pods.maximum_dead_containers_per_container, "maximum-dead-containers-per-container",
          "how many dead instances of a container stay");
  set.Int(&pods.maximum_dead_containers, "maximum-dead-containers",
          "how many dead containers stay on the node; negative: any number");
  set.Bool(&pods.run_once, "runonce", "run the static pods once and quit").Hidden();
  set.Section("Images");
  set.Int(&o.images.registry_qps, "registry-qps", "image pulls per second; 0: no limit");
  set.Int(&o.images.registry_burst, "registry-burst", "image pulls at once, within --registry-qps");
  set.Bool(&o.images.serialize_image_pulls, "serialize-image-pulls", "pull one image at a time");
  set.Duration(&o.images.minimum_gc_age, "minimum-image-ttl-duration", "how long an unused image stays at least");
  set.Int(&o.images.gc_high_threshold_percent, "image-gc-high-threshold",
          "disk usage in percent above which images are removed");
  set.Int(&o.images.gc_low_threshold_percent, "image-gc-low-threshold",
          "disk usage in percent down to which images are removed");
}

void AddResources(FlagSet& set, KubeletOptions& o, ConfigExtras& extras) {
  CgroupOptions& cgroups = o.cgroups;
  set.Section("Resources");
  set.String(&cgroups.cgroup_driver, "cgroup-driver", "who manages cgroups: cgroupfs");
  set.String(&cgroups.cgroup_root, "cgroup-root", "cgroup under which those of pods are made");
  set.Bool(&cgroups.cgroups_per_qos, "cgroups-per-qos", "a cgroup for each pod and QoS class");
  set.Strings(&cgroups.enforce_node_allocatable, "enforce-node-allocatable",
              "what to enforce reservations on: pods, system-reserved, kube-reserved or none");
  set.StringMap(&cgroups.system_reserved, "system-reserved", "resources kept for the system, name=quantity");
  set.StringMap(&cgroups.kube_reserved, "kube-reserved", "resources kept for Kubernetes' own programs, name=quantity");
  set.String(&cgroups.system_reserved_cgroup, "system-reserved-cgroup", "cgroup that --system-reserved is enforced on");
  set.String(&cgroups.kube_reserved_cgroup, "kube-reserved-cgroup", "cgroup that --kube-reserved is enforced on");
  set.String(&cgroups.system_cgroups, "system-cgroups", "cgroup for processes that have none");
  set.String(&cgroups.kubelet_cgroups, "kubelet-cgroups", "cgroup of the kubelet");
  set.String(&cgroups.reserved_system_cpus, "reserved-cpus", "CPUs kept for the system, such as 0-3,5");
  set.StringMap(&cgroups.qos_reserved, "qos-reserved", "not supported");
  set.String(&cgroups.cpu_manager_policy, "cpu-manager-policy", "CPU manager policy: none");
  set.StringMap(&extras.cpu_manager_policy_options, "cpu-manager-policy-options", "options of the CPU manager policy");
  set.Duration(&extras.cpu_manager_reconcile_period, "cpu-manager-reconcile-period", "period of the CPU manager");
  set.String(&cgroups.memory_manager_policy, "memory-manager-policy", "memory manager policy: None");
  set.String(&cgroups.topology_manager_policy, "topology-manager-policy", "topology manager policy: none");
  set.String(&cgroups.topology_manager_scope, "topology-manager-scope",
             "scope of the topology manager: container or pod");
  set.StringMap(&extras.topology_manager_policy_options, "topology-manager-policy-options",
                "options of the topology manager policy");
  set.Bool(&cgroups.fail_swap_on, "fail-swap-on", "refuse to start on a node with swap");
  set.Int(&cgroups.oom_score_adj, "oom-score-adj", "oom_score_adj of the kubelet");
  set.Int64(&cgroups.max_open_files, "max-open-files", "how many files the kubelet may open");
  set.Bool(&cgroups.protect_kernel_defaults, "protect-kernel-defaults",
           "refuse to start where kernel settings differ from what the kubelet needs, instead of changing them");
  set.Bool(&cgroups.local_storage_capacity_isolation, "local-storage-capacity-isolation",
           "account for ephemeral storage");
  set.Bool(&cgroups.make_iptables_util_chains, "make-iptables-util-chains", "create the chain KUBE-IPTABLES-HINT");
  EvictionOptions& eviction = o.eviction;
  set.StringMap(&eviction.hard, "eviction-hard", "thresholds that evict pods at once, signal<quantity or percentage",
                '<');
  set.StringMap(&eviction.soft, "eviction-soft", "thresholds that evict pods after a grace period", '<');
  set.StringMap(&extras.eviction_soft_grace_period, "eviction-soft-grace-period",
                "grace periods of --eviction-soft, signal=duration");
  set.StringMap(&eviction.minimum_reclaim, "eviction-minimum-reclaim", "how much to free at least, signal=quantity");
  set.Duration(&eviction.pressure_transition_period, "eviction-pressure-transition-period",
               "how long pressure has to be over before the node says so");
  set.Int(&eviction.max_pod_grace_period, "eviction-max-pod-grace-period",
          "longest time in seconds that a pod gets when a soft threshold evicts it");
  set.Bool(&eviction.kernel_memcg_notification, "kernel-memcg-notification",
           "let the kernel tell when memory runs short");
  set.Section("Volume");
  set.String(&o.volume_plugin_dir, "volume-plugin-dir", "directory of flexvolume plugins");
  set.Duration(&o.volume_stats_agg_period, "volume-stats-agg-period", "how often volumes are measured");
  set.Bool(&o.enable_controller_attach_detach, "enable-controller-attach-detach",
           "volumes are attached by the controller manager");
}

}  // namespace

void AddKubeletFlags(FlagSet& set, KubeletOptions& options, ConfigExtras& extras, CommandFlags& command) {
  AddGeneral(set, options, extras, command);
  AddSources(set, options.sources);
  AddServer(set, options.server);
  AddRuntime(set, options.runtime, command);
  AddNode(set, options.node, command);
  AddPods(set, options, extras);
  AddResources(set, options, extras);
}

}  // namespace knarr::kubelet
