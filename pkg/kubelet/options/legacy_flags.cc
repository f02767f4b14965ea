#include "pkg/kubelet/options/flags.h"

namespace knarr::kubelet {
namespace {

struct IgnoredFlag {
  const char* name;
  const char* type;
  const char* why;
};

constexpr char kOldLog[] = "logs go to stderr in klog's format";
constexpr char kCadvisor[] = "there is no cAdvisor in it";
constexpr char kDocker[] = "dockershim was removed in 1.24";
constexpr char kGone[] = "upstream removed it";

// Accepted because unit files of older guides and other distributions pass them.
constexpr IgnoredFlag kIgnored[] = {
    {"add-dir-header", "bool", kOldLog},
    {"alsologtostderr", "bool", kOldLog},
    {"log-backtrace-at", "string", kOldLog},
    {"log-dir", "string", kOldLog},
    {"log-file", "string", kOldLog},
    {"log-file-max-size", "uint", kOldLog},
    {"log-flush-frequency", "duration", "every line is written at once"},
    {"log-json-info-buffer-size", "quantity", "every line is written at once"},
    {"log-json-split-stream", "bool", kOldLog},
    {"log-text-info-buffer-size", "quantity", "every line is written at once"},
    {"log-text-split-stream", "bool", kOldLog},
    {"logtostderr", "bool", kOldLog},
    {"one-output", "bool", kOldLog},
    {"skip-headers", "bool", kOldLog},
    {"skip-log-headers", "bool", kOldLog},
    {"stderrthreshold", "string", kOldLog},
    {"vmodule", "string", "verbosity is set by -v for all files"},
    {"experimental-logging-sanitization", "bool", "secrets are never logged"},
    {"application-metrics-count-limit", "int", kCadvisor},
    {"boot-id-file", "string", kCadvisor},
    {"container-hints", "string", kCadvisor},
    {"containerd", "string", kCadvisor},
    {"containerd-namespace", "string", kCadvisor},
    {"docker", "string", kCadvisor},
    {"docker-env-metadata-whitelist", "string", kCadvisor},
    {"docker-only", "bool", kCadvisor},
    {"docker-root", "string", kCadvisor},
    {"docker-tls", "bool", kCadvisor},
    {"docker-tls-ca", "string", kCadvisor},
    {"docker-tls-cert", "string", kCadvisor},
    {"docker-tls-key", "string", kCadvisor},
    {"enable-cadvisor-json-endpoints", "bool", kCadvisor},
    {"enable-load-reader", "bool", kCadvisor},
    {"event-storage-age-limit", "string", kCadvisor},
    {"event-storage-event-limit", "string", kCadvisor},
    {"global-housekeeping-interval", "duration", kCadvisor},
    {"housekeeping-interval", "duration", "statistics are made when asked for"},
    {"log-cadvisor-usage", "bool", kCadvisor},
    {"machine-id-file", "string", kCadvisor},
    {"cadvisor-port", "int32", kCadvisor},
    {"storage-driver-buffer-duration", "duration", kCadvisor},
    {"storage-driver-db", "string", kCadvisor},
    {"storage-driver-host", "string", kCadvisor},
    {"storage-driver-password", "string", kCadvisor},
    {"storage-driver-secure", "bool", kCadvisor},
    {"storage-driver-table", "string", kCadvisor},
    {"storage-driver-user", "string", kCadvisor},
    {"docker-endpoint", "string", kDocker},
    {"experimental-dockershim-root-directory", "string", kDocker},
    {"image-pull-progress-deadline", "duration", kDocker},
    {"redirect-container-streaming", "bool", kDocker},
    {"non-masquerade-cidr", "string", "masquerading is a matter of the CNI configuration"},
    {"network-plugin-dir", "string", "use --cni-bin-dir"},
    {"allow-privileged", "bool",
     "privileged containers are allowed, as in upstream since 1.15; restrict them by policy"},
    {"host-network-sources", "strings", kGone},
    {"host-pid-sources", "strings", kGone},
    {"host-ipc-sources", "strings", kGone},
    {"master-service-namespace", "string", kGone},
    {"register-schedulable", "bool", "use --register-with-taints"},
    {"require-kubeconfig", "bool", "without --kubeconfig it runs standalone"},
    {"keep-terminated-pod-volumes", "bool", kGone},
    {"bootstrap-checkpoint-path", "string", kGone},
    {"low-diskspace-threshold-mb", "int", "use --eviction-hard"},
    {"chaos-chance", "float", kGone},
    {"really-crash-for-testing", "bool", kGone},
    {"windows-service", "bool", "this is not Windows"},
    {"windows-priorityclass", "string", "this is not Windows"},
    {"experimental-mounter-path", "string", "volumes are mounted by system calls"},
    {"experimental-allocatable-ignore-eviction", "bool", kGone},
    {"experimental-check-node-capabilities-before-mount", "bool", kGone},
    {"experimental-kernel-memcg-notification", "bool", "use --kernel-memcg-notification"},
    {"experimental-fail-swap-on", "bool", "use --fail-swap-on"},
    {"iptables-masquerade-bit", "int32", "KUBE-MARK-MASQ is kube-proxy's"},
    {"iptables-drop-bit", "int32", "KUBE-MARK-DROP is kube-proxy's"},
    {"show-hidden-metrics-for-version", "string", "no metric is hidden"},
    {"azure-container-registry-config", "string", "registry credentials are the container runtime's"},
    {"reserved-memory", "string", "there is no static memory manager"},
    {"cloud-config", "string", "there are no built-in cloud providers"},
    {"seccomp-profile-root", "string", "profiles are below <root-dir>/seccomp"},
};

// Refused unless the value is one of the harmless ones (which are accepted, with a warning where there is a text).
struct RefusedFlag {
  const char* name;
  const char* type;
  std::vector<const char*> harmless;
  const char* why;
};

const std::vector<RefusedFlag>& Refused() {
  static const std::vector<RefusedFlag> kRefused = {
      {"container-runtime",
       "string",
       {"remote", ""},
       "only \"remote\" (CRI) is supported; dockershim was removed in 1.24"},
      {"network-plugin", "string", {"cni", ""}, "only \"cni\" is supported"},
      {"experimental-dockershim", "bool", {"false"}, "dockershim was removed in 1.24"},
      {"cloud-provider",
       "string",
       {"", "external"},
       "built-in cloud providers were removed in 1.29; use \"external\" or leave it empty"},
      {"dynamic-config-dir", "string", {""}, "dynamic configuration was removed in 1.24; use --config"},
      {"image-credential-provider-config", "string", {""}, "credential provider plugins are not supported"},
      {"image-credential-provider-bin-dir", "string", {""}, "credential provider plugins are not supported"},
  };
  return kRefused;
}

}  // namespace

void AddLegacyFlags(flags::FlagSet& set) {
  for (const IgnoredFlag& flag : kIgnored) set.Ignored(flag.name, flag.type, "", flag.why);
  for (const RefusedFlag& flag : Refused()) {
    flags::Flag& defined = set.Custom(flag.name, flag.type, "", [flag](const std::string& value, bool) -> Status {
      for (const char* harmless : flag.harmless) {
        if (value == harmless) return OkStatus();
      }
      return Error(Code::kInvalid, "{}", flag.why);
    });
    if (flag.type == std::string("bool")) defined.WithoutValue("true");
    defined.Hidden();
  }
}

}  // namespace knarr::kubelet
