// Mirrors: pkg/kubelet/apis/config/validation/validation.go (1.32), and refuses what this kubelet does not do.
#include <algorithm>

#include "pkg/api/resource/quantity.h"
#include "pkg/base/duration.h"
#include "pkg/kubelet/options/kubelet_config.h"

namespace knarr::kubelet {
namespace {

class Errors {
 public:
  template <typename... Args>
  void Add(fmt::format_string<Args...> format, Args&&... args) {
    texts_.push_back("invalid configuration: " + fmt::format(format, std::forward<Args>(args)...));
  }
  template <typename T>
  void Range(const char* name, T value, T min, T max) {
    if (value < min || value > max) Add("{} {} must be between {} and {}, inclusive", name, value, min, max);
  }
  void NotNegative(const char* name, int64_t value) {
    if (value < 0) Add("{} {} must not be a negative number", name, value);
  }
  // utilerrors.Aggregate
  Status ToStatus() const {
    if (texts_.empty()) return OkStatus();
    std::string all = texts_[0];
    if (texts_.size() > 1) {
      for (size_t i = 1; i < texts_.size(); ++i) all += ", " + texts_[i];
      all = "[" + all + "]";
    }
    return Error(Code::kInvalid, "{}", all);
  }

 private:
  std::vector<std::string> texts_;
};

std::string Text(Nanos duration) {
  return FormatDuration(duration);
}

void CheckServer(const ServerOptions& server, Errors& errors) {
  errors.Range("port (--port)", server.port, 1, 65535);
  if (server.healthz_port != 0) errors.Range("healthzPort (--healthz-port)", server.healthz_port, 1, 65535);
  if (server.read_only_port < 0 || server.read_only_port > 65535) {
    errors.Add("readOnlyPort (--read-only-port) {} must be between 0 and 65535, inclusive", server.read_only_port);
  }
  // SystemMasters is what standalone makes of a mode that nobody chose.
  if (server.authorization_mode != "AlwaysAllow" && server.authorization_mode != "Webhook" && server.authorization_mode != "SystemMasters") {
    errors.Add("authorization.mode (--authorization-mode) \"{}\" must be one of: \"AlwaysAllow\", or \"Webhook\"",
               server.authorization_mode);
  }
  if (!server.tls_min_version.empty() && server.tls_min_version != "VersionTLS12" &&
      server.tls_min_version != "VersionTLS13") {
    errors.Add(
        "tlsMinVersion (--tls-min-version) \"{}\" must be one of: \"VersionTLS12\", or \"VersionTLS13\"; older ones "
        "are not secure",
        server.tls_min_version);
  }
  if (server.tls_cert_file.empty() != server.tls_private_key_file.empty()) {
    errors.Add(
        "tlsCertFile (--tls-cert-file) and tlsPrivateKeyFile (--tls-private-key-file) belong together: one of them is "
        "missing");
  }
}

void CheckNode(const NodeOptions& node, Errors& errors) {
  if (node.node_lease_duration_seconds <= 0) errors.Add("nodeLeaseDurationSeconds must be greater than 0");
  errors.NotNegative("eventBurst (--event-burst)", node.event_burst);
  errors.NotNegative("eventRecordQPS (--event-qps)", node.event_record_qps);
  errors.NotNegative("kubeAPIBurst (--kube-api-burst)", node.kube_api_burst);
  errors.NotNegative("kubeAPIQPS (--kube-api-qps)", node.kube_api_qps);
  if (node.node_status_max_images < -1) {
    errors.Add("nodeStatusMaxImages (--node-status-max-images) {} must be -1 or greater", node.node_status_max_images);
  }
  for (const NodeOptions::Taint& taint : node.register_with_taints) {
    if (taint.key.empty() ||
        (taint.effect != "NoSchedule" && taint.effect != "PreferNoSchedule" && taint.effect != "NoExecute")) {
      errors.Add("invalid taint: {}={}:{}", taint.key, taint.value, taint.effect);
    }
  }
}

void CheckPods(const PodOptions& pods, const ConfigExtras& extras, Errors& errors) {
  errors.NotNegative("maxPods (--max-pods)", pods.max_pods);
  errors.NotNegative("podsPerCore (--pods-per-core)", pods.pods_per_core);
  if (pods.cpu_cfs_quota_period < std::chrono::milliseconds(1) || pods.cpu_cfs_quota_period > Seconds(1)) {
    errors.Add("cpuCFSQuotaPeriod (--cpu-cfs-quota-period) {} must be between 1ms and 1sec, inclusive",
               Text(pods.cpu_cfs_quota_period));
  }
  if (pods.run_once) errors.Add("runOnce (--runOnce) true, Runonce mode has been deprecated and should not be set");
  if (pods.shutdown_grace_period_critical_pods > pods.shutdown_grace_period) {
    errors.Add("shutdownGracePeriodCriticalPods {} must be <= shutdownGracePeriod {}",
               Text(pods.shutdown_grace_period_critical_pods), Text(pods.shutdown_grace_period));
  }
  const auto odd = [](Nanos period) { return period.count() < 0 || (period.count() > 0 && period < Seconds(1)); };
  if (odd(pods.shutdown_grace_period)) {
    errors.Add("shutdownGracePeriod {} must be either zero or otherwise >= 1 sec", Text(pods.shutdown_grace_period));
  }
  if (odd(pods.shutdown_grace_period_critical_pods)) {
    errors.Add("shutdownGracePeriodCriticalPods {} must be either zero or otherwise >= 1 sec",
               Text(pods.shutdown_grace_period_critical_pods));
  }
  if (!pods.shutdown_grace_period_by_pod_priority.empty() &&
      (pods.shutdown_grace_period.count() > 0 || pods.shutdown_grace_period_critical_pods.count() > 0)) {
    errors.Add("Cannot specify both shutdownGracePeriodByPodPriority and shutdownGracePeriod at the same time");
  }
  if (pods.max_container_restart_period &&
      (*pods.max_container_restart_period < Seconds(1) || *pods.max_container_restart_period > Seconds(300))) {
    errors.Add("CrashLoopBackOff.MaxContainerRestartPeriod (got: {} seconds) must be set between 1s and 300s",
               std::chrono::duration<double>(*pods.max_container_restart_period).count());
  }
  if (pods.container_log_max_files <= 1) {
    errors.Add("containerLogMaxFiles (--container-log-max-files) {} must be greater than 1",
               pods.container_log_max_files);
  }
  if (pods.container_log_max_workers < 1) {
    errors.Add("containerLogMaxWorkers must be greater than or equal to 1");
  }
  if (pods.container_log_monitor_interval < Seconds(3)) {
    errors.Add("containerLogMonitorInterval must be a positive time duration greater than or equal to 3s");
  }
  if (pods.container_log_max_size <= 0) {
    errors.Add("containerLogMaxSize (--container-log-max-size) \"{}\" must be a positive quantity, such as 10Mi",
               extras.container_log_max_size);
  }
  if (extras.logging_format != "text" && extras.logging_format != "json") {
    errors.Add("logging.format: Invalid value: \"{}\": Unsupported log format", extras.logging_format);
  }
}

void CheckImages(const ImageOptions& images, Errors& errors) {
  errors.Range("imageGCHighThresholdPercent (--image-gc-high-threshold)", images.gc_high_threshold_percent, 0, 100);
  errors.Range("imageGCLowThresholdPercent (--image-gc-low-threshold)", images.gc_low_threshold_percent, 0, 100);
  if (images.gc_low_threshold_percent >= images.gc_high_threshold_percent) {
    errors.Add(
        "imageGCLowThresholdPercent (--image-gc-low-threshold) {} must be less than imageGCHighThresholdPercent "
        "(--image-gc-high-threshold) {}",
        images.gc_low_threshold_percent, images.gc_high_threshold_percent);
  }
  if (images.minimum_gc_age.count() < 0)
    errors.Add("imageMinimumGCAge {} must not be negative", Text(images.minimum_gc_age));
  if (images.maximum_gc_age.count() < 0)
    errors.Add("imageMaximumGCAge {} must not be negative", Text(images.maximum_gc_age));
  if (images.maximum_gc_age.count() > 0 && images.maximum_gc_age <= images.minimum_gc_age) {
    errors.Add("imageMaximumGCAge {} must be greater than imageMinimumGCAge {}", Text(images.maximum_gc_age),
               Text(images.minimum_gc_age));
  }
  errors.NotNegative("registryBurst (--registry-burst)", images.registry_burst);
  errors.NotNegative("registryPullQPS (--registry-qps)", images.registry_qps);
  if (images.max_parallel_image_pulls && *images.max_parallel_image_pulls < 1) {
    errors.Add("maxParallelImagePulls {} must be a positive number", *images.max_parallel_image_pulls);
  }
  if (images.serialize_image_pulls && images.max_parallel_image_pulls.value_or(1) > 1) {
    errors.Add(
        "maxParallelImagePulls cannot be larger than 1 unless SerializeImagePulls (--serialize-image-pulls) is set to "
        "false");
  }
}

void CheckReserved(const char* name, const std::map<std::string, std::string>& reserved, Errors& errors) {
  for (const auto& [resource, amount] : reserved) {
    if (resource != "cpu" && resource != "memory" && resource != "ephemeral-storage" && resource != "pid") {
      errors.Add("{}: cannot reserve \"{}\" resource", name, resource);
    } else if (const auto quantity = Quantity::Parse(amount); !quantity.ok()) {
      errors.Add("{}[{}] \"{}\": {}", name, resource, amount, quantity.error());
    } else if (amount.starts_with('-')) {
      errors.Add("{}: resource quantity for \"{}\" cannot be negative: {}", name, resource, amount);
    }
  }
}

void CheckCgroups(const CgroupOptions& cgroups, const ConfigExtras& extras, Errors& errors) {
  if (!cgroups.system_cgroups.empty() && cgroups.cgroup_root.empty()) {
    errors.Add("systemCgroups (--system-cgroups) was specified and cgroupRoot (--cgroup-root) was not specified");
  }
  errors.NotNegative("maxOpenFiles (--max-open-files)", cgroups.max_open_files);
  errors.Range("oomScoreAdj (--oom-score-adj)", cgroups.oom_score_adj, -1000, 1000);
  errors.Range("iptablesDropBit (--iptables-drop-bit)", extras.iptables_drop_bit, 0, 31);
  errors.Range("iptablesMasqueradeBit (--iptables-masquerade-bit)", extras.iptables_masquerade_bit, 0, 31);
  const std::string& swap = cgroups.memory_swap_behavior;
  if (!swap.empty() && swap != "NoSwap" && swap != "LimitedSwap") {
    errors.Add("memorySwap.swapBehavior \"{}\" must be one of: \"\", \"LimitedSwap\" or \"NoSwap\"", swap);
  }
  CheckReserved("systemReserved (--system-reserved)", cgroups.system_reserved, errors);
  CheckReserved("kubeReserved (--kube-reserved)", cgroups.kube_reserved, errors);
  const auto& enforce = cgroups.enforce_node_allocatable;
  for (const std::string& level : enforce) {
    static constexpr std::string_view kLevels[] = {"none",
                                                   "pods",
                                                   "system-reserved",
                                                   "system-reserved-compressible",
                                                   "kube-reserved",
                                                   "kube-reserved-compressible"};
    if (std::find(std::begin(kLevels), std::end(kLevels), level) == std::end(kLevels)) {
      errors.Add(
          "option \"{}\" specified for enforceNodeAllocatable (--enforce-node-allocatable). Valid options are "
          "\"pods\", \"system-reserved\", "
          "\"system-reserved-compressible\", \"kube-reserved\", \"kube-reserved-compressible\" or \"none\"",
          level);
    }
    if (level == "none" && enforce.size() > 1)
      errors.Add(
          "enforceNodeAllocatable (--enforce-node-allocatable) may not contain additional enforcements when \"none\" "
          "is specified");
    if (level.starts_with("system-reserved") && cgroups.system_reserved_cgroup.empty()) {
      errors.Add(
          "systemReservedCgroup (--system-reserved-cgroup) must be specified when \"{}\" contained in "
          "enforceNodeAllocatable (--enforce-node-allocatable)",
          level);
    }
    if (level.starts_with("kube-reserved") && cgroups.kube_reserved_cgroup.empty()) {
      errors.Add(
          "kubeReservedCgroup (--kube-reserved-cgroup) must be specified when \"{}\" contained in "
          "enforceNodeAllocatable (--enforce-node-allocatable)",
          level);
    }
    if (level != "none" && !cgroups.cgroups_per_qos) {
      errors.Add(
          "enforceNodeAllocatable (--enforce-node-allocatable) is not supported unless cgroupsPerQOS "
          "(--cgroups-per-qos) is set to true");
    }
  }
}

// Known, and would change what pods get: not silently ignored.
void CheckSupported(const KubeletOptions& o, Errors& errors) {
  const auto only = [&](const char* name, const std::string& value, std::string_view supported) {
    if (value != supported) errors.Add("{} \"{}\" is not supported; only \"{}\" is", name, value, supported);
  };
  only("cpuManagerPolicy (--cpu-manager-policy)", o.cgroups.cpu_manager_policy, "none");
  only("memoryManagerPolicy (--memory-manager-policy)", o.cgroups.memory_manager_policy, "None");
  only("topologyManagerPolicy (--topology-manager-policy)", o.cgroups.topology_manager_policy, "none");
  if (!o.cgroups.qos_reserved.empty()) errors.Add("qosReserved (--qos-reserved) is not supported");
  if (o.cgroups.cgroup_driver != "cgroupfs" && o.cgroups.cgroup_driver != "systemd") {
    errors.Add("cgroupDriver (--cgroup-driver) \"{}\" must be one of: \"cgroupfs\", or \"systemd\"",
               o.cgroups.cgroup_driver);
  }
  const std::string& hairpin = o.runtime.hairpin_mode;
  if (hairpin != "promiscuous-bridge" && hairpin != "hairpin-veth" && hairpin != "none") {
    errors.Add(
        "option \"{}\" specified for hairpinMode (--hairpin-mode). Valid options are \"none\", \"hairpin-veth\" or "
        "\"promiscuous-bridge\"",
        hairpin);
  }
  for (const std::string* endpoint : {&o.runtime.container_runtime_endpoint, &o.runtime.image_service_endpoint}) {
    if (!endpoint->empty() && !endpoint->starts_with("unix://") && !endpoint->starts_with("/")) {
      errors.Add("container runtime endpoint \"{}\": only unix sockets are supported, unix:///path/to/runtime.sock",
                 *endpoint);
    }
  }
}

void CheckEviction(const EvictionOptions& eviction, Errors& errors) {
  static constexpr std::string_view kSignals[] = {
      "memory.available",   "nodefs.available",      "nodefs.inodesFree",      "imagefs.available",
      "imagefs.inodesFree", "containerfs.available", "containerfs.inodesFree", "allocatableMemory.available",
      "pid.available"};
  const auto check = [&](const char* name, const std::map<std::string, std::string>& thresholds) {
    for (const auto& [signal, value] : thresholds) {
      if (std::find(std::begin(kSignals), std::end(kSignals), signal) == std::end(kSignals)) {
        errors.Add("{}: unsupported eviction signal {}", name, signal);
        continue;
      }
      std::string number = value;
      const bool percent = number.ends_with('%');
      if (percent) number.pop_back();
      if (number.starts_with('-') || !Quantity::Parse(number).ok()) {
        errors.Add("{}: eviction threshold {} \"{}\" must be a positive quantity or percentage", name, signal, value);
      }
    }
  };
  check("evictionHard (--eviction-hard)", eviction.hard);
  check("evictionSoft (--eviction-soft)", eviction.soft);
  check("evictionMinimumReclaim (--eviction-minimum-reclaim)", eviction.minimum_reclaim);
  for (const auto& [signal, value] : eviction.soft) {
    if (!eviction.soft_grace_period.contains(signal))
      errors.Add("grace period must be specified for the soft eviction threshold {}", signal);
  }
}

}  // namespace

Status ValidateKubeletOptions(const KubeletOptions& options, const ConfigExtras& extras) {
  Errors errors;
  CheckNode(options.node, errors);
  CheckServer(options.server, errors);
  CheckPods(options.pods, extras, errors);
  CheckImages(options.images, errors);
  CheckCgroups(options.cgroups, extras, errors);
  CheckEviction(options.eviction, errors);
  CheckSupported(options, errors);
  return errors.ToStatus();
}

}  // namespace knarr::kubelet
