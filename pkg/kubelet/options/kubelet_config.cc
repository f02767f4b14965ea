#include "pkg/kubelet/options/kubelet_config.h"

#include <algorithm>

#include "pkg/api/codec/codec.h"
#include "pkg/base/file.h"

namespace knarr::kubelet {
namespace {

using config::Binder;
using config::Go;

constexpr size_t kMaxConfigBytes = 1 << 20;
constexpr std::string_view kDropInSuffix = ".conf";

void BindServer(Binder& b, ServerOptions& server) {
  b.Field("address", &server.address);
  b.Field("port", &server.port, Go::kValue);
  b.Field("readOnlyPort", &server.read_only_port, Go::kValue);
  b.Field("tlsCertFile", &server.tls_cert_file);
  b.Field("tlsPrivateKeyFile", &server.tls_private_key_file);
  b.Field("tlsCipherSuites", &server.tls_cipher_suites);
  b.Field("tlsMinVersion", &server.tls_min_version);
  b.Field("rotateCertificates", &server.rotate_certificates, Go::kValue);
  b.Field("serverTLSBootstrap", &server.server_tls_bootstrap, Go::kValue);
  b.Field("authentication.x509.clientCAFile", &server.client_ca_file);
  b.Field("authentication.webhook.enabled", &server.authentication_webhook);
  b.Field("authentication.webhook.cacheTTL", &server.authentication_webhook_cache_ttl);
  b.Field("authentication.anonymous.enabled", &server.anonymous_auth);
  b.Field("authorization.mode", &server.authorization_mode);
  b.Field("authorization.webhook.cacheAuthorizedTTL", &server.authorization_cache_authorized_ttl);
  b.Field("authorization.webhook.cacheUnauthorizedTTL", &server.authorization_cache_unauthorized_ttl);
}

void BindCgroups(Binder& b, CgroupOptions& cgroups, ConfigExtras& extras) {
  b.Field("kubeletCgroups", &cgroups.kubelet_cgroups);
  b.Field("systemCgroups", &cgroups.system_cgroups);
  b.Field("cgroupRoot", &cgroups.cgroup_root);
  b.Field("cgroupsPerQOS", &cgroups.cgroups_per_qos);
  b.Field("cgroupDriver", &cgroups.cgroup_driver);
  b.Field("cpuManagerPolicy", &cgroups.cpu_manager_policy);
  b.Field("singleProcessOOMKill", &cgroups.single_process_oom_kill);
  b.Field("cpuManagerPolicyOptions", &extras.cpu_manager_policy_options);
  b.Field("cpuManagerReconcilePeriod", &extras.cpu_manager_reconcile_period);
  b.Field("memoryManagerPolicy", &cgroups.memory_manager_policy);
  b.Field("topologyManagerPolicy", &cgroups.topology_manager_policy);
  b.Field("topologyManagerScope", &cgroups.topology_manager_scope);
  b.Field("topologyManagerPolicyOptions", &extras.topology_manager_policy_options);
  b.Field("qosReserved", &cgroups.qos_reserved);
}

void BindEviction(Binder& b, EvictionOptions& eviction, ConfigExtras& extras) {
  b.Field("evictionHard", &eviction.hard);
  b.Field("evictionSoft", &eviction.soft);
  b.Field("evictionSoftGracePeriod", &extras.eviction_soft_grace_period);
  b.Field("evictionPressureTransitionPeriod", &eviction.pressure_transition_period);
  b.Field("evictionMaxPodGracePeriod", &eviction.max_pod_grace_period, Go::kValue);
  b.Field("evictionMinimumReclaim", &eviction.minimum_reclaim);
  b.Field("mergeDefaultEvictionSettings", &extras.merge_default_eviction_settings);
}

void BindReserved(Binder& b, CgroupOptions& cgroups, ConfigExtras& extras) {
  b.Field("systemReserved", &cgroups.system_reserved);
  b.Field("kubeReserved", &cgroups.kube_reserved);
  b.Field("reservedSystemCPUs", &cgroups.reserved_system_cpus);
  b.Field("showHiddenMetricsForVersion", &extras.show_hidden_metrics_for_version);
  b.Field("systemReservedCgroup", &cgroups.system_reserved_cgroup);
  b.Field("kubeReservedCgroup", &cgroups.kube_reserved_cgroup);
  b.Field("enforceNodeAllocatable", &cgroups.enforce_node_allocatable);
}

void BindShutdown(Binder& b, PodOptions& pods) {
  b.Field("shutdownGracePeriod", &pods.shutdown_grace_period);
  b.Field("shutdownGracePeriodCriticalPods", &pods.shutdown_grace_period_critical_pods);
  auto& graces = pods.shutdown_grace_period_by_pod_priority;
  b.List(
      "shutdownGracePeriodByPodPriority",
      [&graces](Binder& item, size_t i) {
        item.Field("priority", &graces[i].priority, Go::kPointer);
        item.Field("shutdownGracePeriodSeconds", &graces[i].seconds, Go::kPointer);
      },
      [&graces] { return graces.size(); }, [&graces](size_t size) { graces.resize(size); });
  b.Field("crashLoopBackOff.maxContainerRestartPeriod", &pods.max_container_restart_period);
}

void BindTaints(Binder& b, NodeOptions& node) {
  auto& taints = node.register_with_taints;
  b.List(
      "registerWithTaints",
      [&taints](Binder& item, size_t i) {
        item.Field("key", &taints[i].key, Go::kPointer);
        item.Field("value", &taints[i].value);
        item.Field("effect", &taints[i].effect, Go::kPointer);
      },
      [&taints] { return taints.size(); }, [&taints](size_t size) { taints.resize(size); });
}

}  // namespace

void BindKubeletConfig(Binder& b, KubeletOptions& o, ConfigExtras& extras) {
  b.Field("enableServer", &o.server.enable_server);
  b.Field("staticPodPath", &o.sources.static_pod_path);
  b.Field("podLogsDir", &o.runtime.pod_logs_dir);
  b.Field("syncFrequency", &o.sources.sync_frequency);
  b.Field("fileCheckFrequency", &o.sources.file_check_frequency);
  b.Field("httpCheckFrequency", &o.sources.http_check_frequency);
  b.Field("staticPodURL", &o.sources.static_pod_url);
  b.Field("staticPodURLHeader", &o.sources.static_pod_url_header);
  BindServer(b, o.server);
  b.Field("registryPullQPS", &o.images.registry_qps, Go::kPointer);
  b.Field("registryBurst", &o.images.registry_burst, Go::kValue);
  b.Field("eventRecordQPS", &o.node.event_record_qps, Go::kPointer);
  b.Field("eventBurst", &o.node.event_burst, Go::kValue);
  b.Field("enableDebuggingHandlers", &o.server.enable_debugging_handlers);
  b.Field("enableContentionProfiling", &o.server.enable_contention_profiling, Go::kValue);
  b.Field("healthzPort", &o.server.healthz_port, Go::kPointer);
  b.Field("healthzBindAddress", &o.server.healthz_bind_address);
  b.Field("oomScoreAdj", &o.cgroups.oom_score_adj, Go::kPointer);
  b.Field("clusterDomain", &o.pods.cluster_domain);
  b.Field("clusterDNS", &o.pods.cluster_dns);
  b.Field("streamingConnectionIdleTimeout", &o.server.streaming_connection_idle_timeout);
  b.Field("nodeStatusUpdateFrequency", &o.node.node_status_update_frequency);
  b.Field("nodeStatusReportFrequency", &o.node.node_status_report_frequency);
  b.Field("nodeLeaseDurationSeconds", &o.node.node_lease_duration_seconds, Go::kValue);
  b.Field("imageMinimumGCAge", &o.images.minimum_gc_age);
  b.Field("imageMaximumGCAge", &o.images.maximum_gc_age);
  b.Field("imageGCHighThresholdPercent", &o.images.gc_high_threshold_percent, Go::kPointer);
  b.Field("imageGCLowThresholdPercent", &o.images.gc_low_threshold_percent, Go::kPointer);
  b.Field("volumeStatsAggPeriod", &o.volume_stats_agg_period);
  BindCgroups(b, o.cgroups, extras);
  b.Field("runtimeRequestTimeout", &o.runtime.runtime_request_timeout);
  b.Field("hairpinMode", &o.runtime.hairpin_mode);
  b.Field("maxPods", &o.pods.max_pods, Go::kValue);
  b.Field("podCIDR", &o.runtime.pod_cidr);
  b.Field("podPidsLimit", &o.pods.pod_pids_limit, Go::kPointer);
  b.Field("resolvConf", &o.pods.resolv_conf, Go::kPointer);
  b.Field("runOnce", &o.pods.run_once, Go::kValue);
  b.Field("cpuCFSQuota", &o.pods.cpu_cfs_quota);
  b.Field("cpuCFSQuotaPeriod", &o.pods.cpu_cfs_quota_period, Go::kPointer);
  b.Field("nodeStatusMaxImages", &o.node.node_status_max_images, Go::kPointer);
  b.Field("maxOpenFiles", &o.cgroups.max_open_files, Go::kValue);
  b.Field("contentType", &o.node.content_type);
  b.Field("kubeAPIQPS", &o.node.kube_api_qps, Go::kPointer);
  b.Field("kubeAPIBurst", &o.node.kube_api_burst, Go::kValue);
  b.Field("serializeImagePulls", &o.images.serialize_image_pulls);
  b.Field("maxParallelImagePulls", &o.images.max_parallel_image_pulls);
  BindEviction(b, o.eviction, extras);
  b.Field("podsPerCore", &o.pods.pods_per_core, Go::kValue);
  b.Field("enableControllerAttachDetach", &o.enable_controller_attach_detach);
  b.Field("protectKernelDefaults", &o.cgroups.protect_kernel_defaults, Go::kValue);
  b.Field("makeIPTablesUtilChains", &o.cgroups.make_iptables_util_chains);
  b.Field("iptablesMasqueradeBit", &extras.iptables_masquerade_bit, Go::kPointer);
  b.Field("iptablesDropBit", &extras.iptables_drop_bit, Go::kPointer);
  b.Field("featureGates", &o.feature_gates);
  b.Field("failSwapOn", &o.cgroups.fail_swap_on);
  b.Field("memorySwap.swapBehavior", &o.cgroups.memory_swap_behavior);
  b.Field("containerLogMaxSize", &extras.container_log_max_size);
  b.Field("containerLogMaxFiles", &o.pods.container_log_max_files, Go::kPointer);
  b.Field("containerLogMaxWorkers", &o.pods.container_log_max_workers, Go::kPointer);
  b.Field("containerLogMonitorInterval", &o.pods.container_log_monitor_interval, Go::kPointer);
  b.Field("configMapAndSecretChangeDetectionStrategy", &o.pods.config_map_and_secret_change_detection_strategy);
  BindReserved(b, o.cgroups, extras);
  b.Field("allowedUnsafeSysctls", &o.pods.allowed_unsafe_sysctls);
  b.Field("volumePluginDir", &o.volume_plugin_dir);
  b.Field("providerID", &o.node.provider_id);
  b.Field("kernelMemcgNotification", &o.eviction.kernel_memcg_notification, Go::kValue);
  b.Field("logging.format", &extras.logging_format);
  b.Opaque("logging.flushFrequency");
  b.Field("logging.verbosity", &extras.logging_verbosity, Go::kPointer);
  b.Opaque("logging.vmodule");
  b.Opaque("logging.options");
  b.Field("enableSystemLogHandler", &o.server.enable_system_log_handler);
  b.Field("enableSystemLogQuery", &o.server.enable_system_log_query);
  BindShutdown(b, o.pods);
  b.Opaque("reservedMemory");
  b.Field("enableProfilingHandler", &o.server.enable_profiling_handler);
  b.Field("enableDebugFlagsHandler", &o.server.enable_debug_flags_handler);
  b.Field("seccompDefault", &o.pods.seccomp_default);
  b.Field("memoryThrottlingFactor", &o.cgroups.memory_throttling_factor);
  BindTaints(b, o.node);
  b.Field("registerNode", &o.node.register_node);
  b.Opaque("tracing");
  b.Field("localStorageCapacityIsolation", &o.cgroups.local_storage_capacity_isolation);
  b.Field("containerRuntimeEndpoint", &o.runtime.container_runtime_endpoint, Go::kValue);
  b.Field("imageServiceEndpoint", &o.runtime.image_service_endpoint);
  b.Field("failCgroupV1", &o.cgroups.fail_cgroup_v1);
}

namespace {

Status FileError(const std::string& path, std::string_view text) {
  return Error(Code::kInvalid, "failed to load kubelet config file, path: {}, error: {}", path, text);
}

std::string AtLine(int line, const std::string& text) {
  return line > 0 ? fmt::format("line {}: {}", line, text) : text;
}

// One file, strictly; its JSON.
Result<std::string> ReadOne(const std::string& path) {
  Result<std::string> text = ReadFile(path, kMaxConfigBytes);
  if (!text.ok()) return FileError(path, text.error().message());
  Result<std::vector<codec::Document>> documents = codec::SplitDocuments(*text);
  if (!documents.ok()) return FileError(path, documents.error().message());
  if (documents->size() != 1)
    return FileError(path, documents->empty() ? "kubelet config file was empty" : "more than one document in it");
  codec::Document& document = documents->front();
  if (document.kind.empty()) return FileError(path, "Object 'Kind' is missing");
  if (document.api_version != kKubeletConfigApiVersion || document.kind != kKubeletConfigKind) {
    return FileError(path, fmt::format("no kind \"{}\" is registered for version \"{}\"; it is {} of {}", document.kind,
                                       document.api_version, kKubeletConfigKind, kKubeletConfigApiVersion));
  }
  std::vector<std::string> wrong;
  for (const codec::Finding& finding : document.findings) wrong.push_back(AtLine(finding.line, finding.text));
  KubeletOptions scratch;
  ConfigExtras extras;
  Binder binder(kKubeletConfigKind);
  BindKubeletConfig(binder, scratch, extras);
  for (const config::Finding& finding : binder.Decode(document.json)) {
    wrong.push_back(AtLine(document.LineOf(finding.path), finding.text));
  }
  if (wrong.empty()) return std::move(document.json);
  std::string all;
  for (const std::string& one : wrong) all += (all.empty() ? "" : ", ") + one;
  return FileError(path, "strict decoding error: " + all);
}

}  // namespace

Result<std::string> ReadKubeletConfig(const std::string& file, const std::string& dir) {
  std::string merged = "{}";
  if (!file.empty()) merged = KNARR_TRY(ReadOne(file));
  if (dir.empty()) return merged;
  for (const std::string& name : KNARR_TRY_CTX(ListDir(dir), "failed to merge kubelet configs")) {
    if (!name.ends_with(kDropInSuffix) || name[0] == '.') continue;
    merged = KNARR_TRY(config::MergeJson(merged, KNARR_TRY(ReadOne(JoinPath(dir, name)))));
  }
  return merged;
}

Status ApplyKubeletConfig(const std::string& json, KubeletOptions& options, ConfigExtras& extras) {
  const std::map<std::string, std::string> default_hard = options.eviction.hard;
  const Nanos default_report = options.node.node_status_report_frequency;
  Binder binder(kKubeletConfigKind);
  BindKubeletConfig(binder, options, extras);
  for (const config::Finding& finding : binder.Decode(json)) return Error(Code::kInvalid, "{}", finding.text);
  // SetDefaults_KubeletConfiguration
  if (config::HasPath(json, "nodeStatusUpdateFrequency") && !config::HasPath(json, "nodeStatusReportFrequency") &&
      options.node.node_status_report_frequency == default_report) {
    options.node.node_status_report_frequency = options.node.node_status_update_frequency;
  }
  if (!config::HasPath(json, "serializeImagePulls")) {
    options.images.serialize_image_pulls = options.images.max_parallel_image_pulls.value_or(1) < 2;
  }
  if (options.pods.pod_pids_limit < 0) options.pods.pod_pids_limit = -1;
  if (config::HasPath(json, "evictionHard") && extras.merge_default_eviction_settings.value_or(false)) {
    options.eviction.hard.insert(default_hard.begin(), default_hard.end());
  }
  return OkStatus();
}

}  // namespace knarr::kubelet
