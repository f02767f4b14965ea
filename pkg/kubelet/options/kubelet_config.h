// KubeletConfiguration (kubelet.config.k8s.io/v1beta1): which field fills which option.
// Mirrors: k8s.io/kubelet/config/v1beta1/types.go, pkg/kubelet/apis/config/v1beta1/defaults.go,
// pkg/kubelet/kubeletconfig/configfiles (1.32)
#pragma once

#include <string>
#include <vector>

#include "pkg/kubelet/options/config_binder.h"
#include "pkg/kubelet/options/options.h"

namespace knarr::kubelet {

inline constexpr char kKubeletConfigApiVersion[] = "kubelet.config.k8s.io/v1beta1";
inline constexpr char kKubeletConfigKind[] = "KubeletConfiguration";

// Fields that have no option because nothing here depends on them, or only one of their values is supported. Kept for
// validation and /configz.
struct ConfigExtras {
  Nanos cpu_manager_reconcile_period = Seconds(10);
  std::map<std::string, std::string> cpu_manager_policy_options, topology_manager_policy_options;
  int iptables_masquerade_bit = 14, iptables_drop_bit = 15;
  std::string show_hidden_metrics_for_version;
  std::string logging_format = "text";
  std::string logging_flush_frequency_text;
  int logging_verbosity = 0;
  std::string container_log_max_size = "10Mi";
  std::map<std::string, std::string> eviction_soft_grace_period;
  std::optional<bool> merge_default_eviction_settings;
};

// Every field of 1.32, in upstream's order. Options and extras must outlive the binder.
void BindKubeletConfig(config::Binder& binder, KubeletOptions& options, ConfigExtras& extras);

// Reads --config and the *.conf files of --config-dir (each decoded strictly, then merged over the former ones in the
// order of their names) and returns the merged JSON; `options` are not touched. Errors name file, line and path:
//   failed to load kubelet config file, path: /x.yaml, error: strict decoding error: line 7: unknown field "foo"
Result<std::string> ReadKubeletConfig(const std::string& file, const std::string& dir);

// Applies the merged JSON and what upstream's SetDefaults_KubeletConfiguration derives from other fields.
Status ApplyKubeletConfig(const std::string& json, KubeletOptions& options, ConfigExtras& extras);

// Upstream's checks and words; all that is wrong in one error. `json` is what the files say.
Status ValidateKubeletOptions(const KubeletOptions& options, const ConfigExtras& extras);

}  // namespace knarr::kubelet
