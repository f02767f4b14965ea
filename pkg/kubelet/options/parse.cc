#include <unistd.h>

#include <algorithm>
#include <cctype>

#include "pkg/api/resource/quantity.h"
#include "pkg/base/duration.h"
#include "pkg/kubelet/options/flags.h"

namespace knarr::kubelet {
namespace {

// The version of the API that this kubelet speaks and says it is, as far as skew is concerned.
constexpr char kKubernetesVersion[] = "v1.32.0-knarr";

std::string HelpText(const flags::FlagSet& set, std::string_view program) {
  return fmt::format(
      "The kubelet is the node agent: it runs the pods of the manifest directory (and, with an API server, those bound "
      "to\n"
      "the node) on a container runtime and keeps them running.\n\nUsage:\n  {} [flags]\n\n{}",
      program, set.Usages());
}

// util/node.GetHostname
Result<std::string> NodeName(const std::string& hostname_override) {
  std::string name = hostname_override;
  if (name.empty()) {
    char host[256] = {};
    if (::gethostname(host, sizeof(host) - 1) != 0) return ErrnoError(errno, "couldn't determine hostname");
    name = host;
  }
  const size_t begin = name.find_first_not_of(" \t\n");
  if (begin == std::string::npos) return Error(Code::kInvalid, "empty hostname is invalid");
  name = name.substr(begin, name.find_last_not_of(" \t\n") - begin + 1);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name;
}

// <key>=<value>:<effect> or <key>:<effect>
Status ParseTaints(const std::vector<std::string>& texts, std::vector<NodeOptions::Taint>& taints) {
  taints.clear();
  for (const std::string& text : texts) {
    const size_t colon = text.rfind(':');
    if (colon == std::string::npos) return Error(Code::kInvalid, "invalid taint spec: {}", text);
    const std::string head = text.substr(0, colon);
    const size_t equals = head.find('=');
    taints.push_back(
        {head.substr(0, equals), equals == std::string::npos ? "" : head.substr(equals + 1), text.substr(colon + 1)});
  }
  return OkStatus();
}

Status DeriveEviction(const ConfigExtras& extras, EvictionOptions& eviction) {
  eviction.soft_grace_period.clear();
  for (const auto& [signal, text] : extras.eviction_soft_grace_period) {
    const Result<Nanos> period = ParseDuration(text);
    if (!period.ok())
      return Error(Code::kInvalid,
                   "invalid configuration: evictionSoftGracePeriod (--eviction-soft-grace-period) {}: {}", signal,
                   period.error());
    eviction.soft_grace_period[signal] = *period;
  }
  return OkStatus();
}

// Without an API server the webhooks have nobody to ask: off by default, an error if somebody asked for them.
Status DeriveStandalone(const std::string& json, const flags::FlagSet& set, KubeletOptions& options) {
  if (!options.node.standalone()) return OkStatus();
  const auto asked = [&](const char* path, const char* flag) {
    return config::HasPath(json, path) || set.Changed(flag);
  };
  ServerOptions& server = options.server;
  if (server.authentication_webhook) {
    if (asked("authentication.webhook.enabled", "authentication-token-webhook")) {
      return Error(Code::kInvalid,
                   "no client provided, cannot use webhook authentication; set authentication.webhook.enabled "
                   "(--authentication-token-webhook) to false or give --kubeconfig");
    }
    server.authentication_webhook = false;
  }
  if (server.authorization_mode == "Webhook") {
    if (asked("authorization.mode", "authorization-mode")) {
      return Error(Code::kInvalid,
                   "no client provided, cannot use webhook authorization; set authorization.mode "
                   "(--authorization-mode) to AlwaysAllow or give --kubeconfig");
    }
    server.authorization_mode = "SystemMasters";
  }
  return OkStatus();
}

// What is computed from several settings, after all of them are known.
Status Derive(const std::string& json, const flags::FlagSet& set, const CommandFlags& command, KubeletOptions& options,
              ConfigExtras& extras) {
  options.node.node_name = KNARR_TRY(NodeName(options.node.hostname_override));
  if (set.Changed("register-with-taints"))
    KNARR_TRY(ParseTaints(command.register_with_taints, options.node.register_with_taints));
  options.node.node_ips.clear();
  for (size_t begin = 0; begin < command.node_ip.size();) {
    const size_t end = std::min(command.node_ip.find(',', begin), command.node_ip.size());
    if (end > begin) options.node.node_ips.push_back(command.node_ip.substr(begin, end - begin));
    begin = end + 1;
  }
  const Result<Quantity> log_size = Quantity::Parse(extras.container_log_max_size);
  options.pods.container_log_max_size = log_size.ok() ? log_size->Value() : 0;
  KNARR_TRY(DeriveEviction(extras, options.eviction));
  options.log.verbosity = set.Changed("v") ? command.verbosity : extras.logging_verbosity;
  options.log.format = extras.logging_format == "json" ? LogFormat::kJson : LogFormat::kText;
  if (options.cgroups.enforce_node_allocatable == std::vector<std::string>{""})
    options.cgroups.enforce_node_allocatable.clear();
  KNARR_TRY(DeriveStandalone(json, set, options));
  return ValidateKubeletOptions(options, extras);
}

void Warn(const flags::FlagSet& set, KubeletOptions& options) {
  options.warnings = set.warnings();
  if (options.cgroups.cgroup_driver == "systemd") {
    options.cgroups.cgroup_driver = "cgroupfs";
    options.warnings.emplace_back(
        "cgroupDriver (--cgroup-driver) systemd is not supported: cgroupfs is used, and containerd must have "
        "SystemdCgroup = false");
  }
  if (options.server.read_only_port != 0) {
    options.warnings.emplace_back(
        "readOnlyPort (--read-only-port) has no effect: nothing is served without authentication");
    options.server.read_only_port = 0;
  }
}

}  // namespace

Result<ParsedCommandLine> ParseCommandLine(const std::vector<std::string>& args, std::string_view program) {
  ParsedCommandLine parsed;
  KubeletOptions& options = parsed.options;
  ConfigExtras extras;
  CommandFlags command;
  flags::FlagSet set;
  AddKubeletFlags(set, options, extras, command);
  AddLegacyFlags(set);
  std::vector<std::string> positional;
  KNARR_TRY(set.Parse(args, &positional));
  KNARR_TRY(set.Apply());
  using Action = ParsedCommandLine::Action;
  if (command.help) {
    parsed.action = Action::kHelp;
    parsed.text = HelpText(set, program);
    return parsed;
  }
  if (!command.version.empty()) {
    parsed.action = Action::kVersion;
    parsed.text = fmt::format("Kubernetes {}\n", kKubernetesVersion);
    return parsed;
  }
  if (!positional.empty()) return Error(Code::kInvalid, "unknown command {}", positional[0]);
  const std::string json = KNARR_TRY(ReadKubeletConfig(options.config_file, options.config_dir));
  // Defaults, then the files, then the flags again.
  options = KubeletOptions();
  extras = ConfigExtras();
  command = CommandFlags();
  KNARR_TRY(ApplyKubeletConfig(json, options, extras));
  KNARR_TRY(set.Apply());
  KNARR_TRY(Derive(json, set, command, options, extras));
  Warn(set, options);
  config::Binder binder(kKubeletConfigKind);
  BindKubeletConfig(binder, options, extras);
  options.kubelet_config_json = binder.Encode(kKubeletConfigApiVersion, kKubeletConfigKind);
  parsed.action = command.validate_config ? Action::kValidateConfig : Action::kRun;
  return parsed;
}

}  // namespace knarr::kubelet
