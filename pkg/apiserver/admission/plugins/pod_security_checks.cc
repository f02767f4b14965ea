#include "pkg/apiserver/admission/plugins/pod_security_checks.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <optional>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "pkg/api/field/quote.h"
#include "pkg/apiserver/admission/plugins/pods.h"

namespace knarr::admission::podsecurity {
namespace {

using Names = std::vector<std::string>;
using Result = std::optional<Violation>;  // nullopt: allowed
using PodCheck = Result (*)(const meta::ObjectMeta&, const core::PodSpec&, int minor);

// The newest version that changes a check.
constexpr int kNewest = 32;
constexpr std::string_view kLevels[] = {"privileged", "baseline", "restricted"};

template <typename Container>
std::string JoinQuote(const Container& items) {
  if (items.empty()) return {};
  return fmt::format("\"{}\"", fmt::join(items, "\", \""));
}
std::string_view Plural(std::string_view one, std::string_view many, size_t count) {
  return count == 1 ? one : many;
}
std::string Containers(const Names& names) {
  return fmt::format("{} {}", Plural("container", "containers", names.size()), JoinQuote(names));
}
// Names of the containers that are bad.
template <typename Bad>
Names Find(const core::PodSpec& spec, const Bad& bad) {
  Names names;
  VisitContainers(spec, [&](const auto& container) {
    if (bad(container.securitycontext())) names.push_back(container.name());
  });
  return names;
}
// pod and containers "a", "b"
std::string Setters(bool pod, const Names& containers) {
  std::string out = pod ? "pod" : "";
  if (!containers.empty()) out += (pod ? " and " : "") + Containers(containers);
  return out;
}
bool IsWindows(const core::PodSpec& spec) {
  return spec.os().name() == "windows";
}

Result AllowPrivilegeEscalation(const meta::ObjectMeta&, const core::PodSpec& spec, int minor) {
  if (minor >= 25 && IsWindows(spec)) return {};
  const Names bad = Find(spec, [](const core::SecurityContext& s) {
    return !s.has_allowprivilegeescalation() || s.allowprivilegeescalation();
  });
  if (bad.empty()) return {};
  return Violation{"allowPrivilegeEscalation != false",
                   Containers(bad) + " must set securityContext.allowPrivilegeEscalation=false"};
}

Result AppArmorProfile(const meta::ObjectMeta& metadata, const core::PodSpec& spec, int) {
  std::set<std::string> values;
  const auto bad = [&](const auto& context) {
    if (!context.has_apparmorprofile()) return false;
    const std::string& type = context.apparmorprofile().type();
    if (type == "RuntimeDefault" || type == "Localhost") return false;
    values.insert(type);
    return true;
  };
  const bool pod = bad(spec.securitycontext());
  const Names containers = Find(spec, bad);
  std::set<std::string> annotations;
  for (const auto& [key, value] : metadata.annotations()) {
    if (key.starts_with("container.apparmor.security.beta.kubernetes.io/") && !value.empty() &&
        value != "runtime/default" && !value.starts_with("localhost/"))
      annotations.insert(fmt::format("{}={}", key, field::Quote(value)));
  }
  std::string setters = Setters(pod, containers);
  if (!annotations.empty()) {
    if (!setters.empty()) setters += " and ";
    setters += Plural("annotation", "annotations", annotations.size());
  }
  if (setters.empty()) return {};
  Names all(values.begin(), values.end());
  all.insert(all.end(), annotations.begin(), annotations.end());
  return Violation{std::string(Plural("forbidden AppArmor profile", "forbidden AppArmor profiles", all.size())),
                   fmt::format("{} must not set AppArmor profile type to {}", setters, JoinQuote(all))};
}

Result CapabilitiesBaseline(const meta::ObjectMeta&, const core::PodSpec& spec, int) {
  static const std::set<std::string_view> kAllowed = {"AUDIT_WRITE", "CHOWN",  "DAC_OVERRIDE",     "FOWNER",  "FSETID",
                                                      "KILL",        "MKNOD",  "NET_BIND_SERVICE", "SETFCAP", "SETGID",
                                                      "SETPCAP",     "SETUID", "SYS_CHROOT"};
  std::set<std::string> capabilities;
  const Names bad = Find(spec, [&](const core::SecurityContext& s) {
    bool found = false;
    for (const auto& capability : s.capabilities().add()) {
      if (kAllowed.contains(capability)) continue;
      capabilities.insert(capability);
      found = true;
    }
    return found;
  });
  if (bad.empty()) return {};
  return Violation{"non-default capabilities", fmt::format("{} must not include {} in securityContext.capabilities.add",
                                                           Containers(bad), JoinQuote(capabilities))};
}

Result CapabilitiesRestricted(const meta::ObjectMeta&, const core::PodSpec& spec, int minor) {
  if (minor >= 25 && IsWindows(spec)) return {};
  std::set<std::string> capabilities;
  const Names keeping = Find(spec, [](const core::SecurityContext& s) {
    const auto& drop = s.capabilities().drop();
    return std::find(drop.begin(), drop.end(), "ALL") == drop.end();
  });
  const Names adding = Find(spec, [&](const core::SecurityContext& s) {
    bool found = false;
    for (const auto& capability : s.capabilities().add()) {
      if (capability == "NET_BIND_SERVICE") continue;
      capabilities.insert(capability);
      found = true;
    }
    return found;
  });
  Names details;
  if (!keeping.empty())
    details.push_back(Containers(keeping) + " must set securityContext.capabilities.drop=[\"ALL\"]");
  if (!adding.empty())
    details.push_back(fmt::format("{} must not include {} in securityContext.capabilities.add", Containers(adding),
                                  JoinQuote(capabilities)));
  if (details.empty()) return {};
  return Violation{"unrestricted capabilities", fmt::format("{}", fmt::join(details, "; "))};
}

Result HostNamespaces(const meta::ObjectMeta&, const core::PodSpec& spec, int) {
  Names found;
  if (spec.hostnetwork()) found.emplace_back("hostNetwork=true");
  if (spec.hostpid()) found.emplace_back("hostPID=true");
  if (spec.hostipc()) found.emplace_back("hostIPC=true");
  if (found.empty()) return {};
  return Violation{"host namespaces", fmt::format("{}", fmt::join(found, ", "))};
}

Result HostPathVolumes(const meta::ObjectMeta&, const core::PodSpec& spec, int) {
  Names found;
  for (const auto& volume : spec.volumes()) {
    if (volume.volumesource().has_hostpath()) found.push_back(volume.name());
  }
  if (found.empty()) return {};
  return Violation{"hostPath volumes",
                   fmt::format("{} {}", Plural("volume", "volumes", found.size()), JoinQuote(found))};
}

Result HostPorts(const meta::ObjectMeta&, const core::PodSpec& spec, int) {
  Names bad;
  std::set<std::string> ports;
  VisitContainers(spec, [&](const auto& container) {
    bool found = false;
    for (const auto& port : container.ports()) {
      if (port.hostport() == 0) continue;
      ports.insert(std::to_string(port.hostport()));
      found = true;
    }
    if (found) bad.push_back(container.name());
  });
  if (bad.empty()) return {};
  return Violation{"hostPort", fmt::format("{} {} {} {}", Containers(bad), Plural("uses", "use", bad.size()),
                                           Plural("hostPort", "hostPorts", ports.size()), fmt::join(ports, ", "))};
}

Result Privileged(const meta::ObjectMeta&, const core::PodSpec& spec, int) {
  const Names bad = Find(spec, [](const core::SecurityContext& s) { return s.privileged(); });
  if (bad.empty()) return {};
  return Violation{"privileged", Containers(bad) + " must not set securityContext.privileged=true"};
}

Result ProcMount(const meta::ObjectMeta&, const core::PodSpec& spec, int) {
  std::set<std::string> types;
  const Names bad = Find(spec, [&](const core::SecurityContext& s) {
    if (!s.has_procmount() || s.procmount() == "Default") return false;
    types.insert(s.procmount());
    return true;
  });
  if (bad.empty()) return {};
  return Violation{"procMount",
                   fmt::format("{} must not set securityContext.procMount to {}", Containers(bad), JoinQuote(types))};
}

Result RestrictedVolumes(const meta::ObjectMeta&, const core::PodSpec& spec, int) {
  static const std::set<std::string_view> kAllowed = {"configMap", "csi",   "downwardAPI", "emptyDir",
                                                      "ephemeral", "image", "secret",      "persistentVolumeClaim",
                                                      "projected"};
  static const std::set<std::string_view> kNamed = {"hostPath",
                                                    "gcePersistentDisk",
                                                    "awsElasticBlockStore",
                                                    "gitRepo",
                                                    "nfs",
                                                    "iscsi",
                                                    "glusterfs",
                                                    "rbd",
                                                    "flexVolume",
                                                    "cinder",
                                                    "cephfs",
                                                    "flocker",
                                                    "fc",
                                                    "azureFile",
                                                    "vsphereVolume",
                                                    "quobyte",
                                                    "azureDisk",
                                                    "photonPersistentDisk",
                                                    "portworxVolume",
                                                    "scaleIO",
                                                    "storageos"};
  Names bad;
  std::set<std::string> types;
  for (const auto& volume : spec.volumes()) {
    std::vector<const google::protobuf::FieldDescriptor*> fields;
    const auto& source = volume.volumesource();
    source.GetReflection()->ListFields(source, &fields);
    if (std::any_of(fields.begin(), fields.end(), [](const auto* f) { return kAllowed.contains(f->name()); })) continue;
    bad.push_back(volume.name());
    types.insert(!fields.empty() && kNamed.contains(fields.front()->name()) ? fields.front()->name() : "unknown");
  }
  if (bad.empty()) return {};
  return Violation{
      "restricted volume types",
      fmt::format("{} {} {} {} {}", Plural("volume", "volumes", bad.size()), JoinQuote(bad),
                  Plural("uses", "use", bad.size()),
                  Plural("restricted volume type", "restricted volume types", types.size()), JoinQuote(types))};
}

Result RunAsNonRoot(const meta::ObjectMeta&, const core::PodSpec& spec, int) {
  const auto& own = spec.securitycontext();
  const bool pod_bad = own.has_runasnonroot() && !own.runasnonroot();
  const Names explicitly =
      Find(spec, [](const core::SecurityContext& s) { return s.has_runasnonroot() && !s.runasnonroot(); });
  if (pod_bad || !explicitly.empty())
    return Violation{"runAsNonRoot != true",
                     Setters(pod_bad, explicitly) + " must not set securityContext.runAsNonRoot=false"};
  if (own.runasnonroot()) return {};
  const Names implicitly = Find(spec, [](const core::SecurityContext& s) { return !s.has_runasnonroot(); });
  if (implicitly.empty()) return {};
  return Violation{"runAsNonRoot != true",
                   fmt::format("pod or {} must set securityContext.runAsNonRoot=true", Containers(implicitly))};
}

Result RunAsUser(const meta::ObjectMeta&, const core::PodSpec& spec, int) {
  const auto root = [](const auto& s) { return s.has_runasuser() && s.runasuser() == 0; };
  const bool pod = root(spec.securitycontext());
  const Names containers = Find(spec, root);
  if (!pod && containers.empty()) return {};
  return Violation{"runAsUser=0", Setters(pod, containers) + " must not set runAsUser=0"};
}

Result SELinuxOptions(const meta::ObjectMeta&, const core::PodSpec& spec, int minor) {
  std::set<std::string> types;
  bool user = false, role = false;
  const auto bad = [&](const auto& context) {
    if (!context.has_selinuxoptions()) return false;
    const auto& options = context.selinuxoptions();
    const std::string& type = options.type();
    const bool type_ok = type.empty() || type == "container_t" || type == "container_init_t" ||
                         type == "container_kvm_t" || (minor >= 31 && type == "container_engine_t");
    if (!type_ok) types.insert(type);
    user = user || !options.user().empty();
    role = role || !options.role().empty();
    return !type_ok || !options.user().empty() || !options.role().empty();
  };
  const bool pod = bad(spec.securitycontext());
  const Names containers = Find(spec, bad);
  if (!pod && containers.empty()) return {};
  Names data;
  if (!types.empty()) data.push_back(fmt::format("{} {}", Plural("type", "types", types.size()), JoinQuote(types)));
  if (user) data.emplace_back("user may not be set");
  if (role) data.emplace_back("role may not be set");
  return Violation{"seLinuxOptions", fmt::format("{} set forbidden securityContext.seLinuxOptions: {}",
                                                 Setters(pod, containers), fmt::join(data, "; "))};
}

template <typename SecurityContext>
bool BadSeccomp(const SecurityContext& context, std::set<std::string>& values) {
  if (!context.has_seccompprofile()) return false;
  const std::string& type = context.seccompprofile().type();
  if (type == "Localhost" || type == "RuntimeDefault") return false;
  values.insert(type);
  return true;
}

Result SeccompBaseline(const meta::ObjectMeta& metadata, const core::PodSpec& spec, int minor) {
  if (minor < 19) {
    std::set<std::string> forbidden;
    const auto look = [&](const std::string& key) {
      const auto found = metadata.annotations().find(key);
      if (found == metadata.annotations().end()) return;
      const std::string& value = found->second;
      if (value != "runtime/default" && value != "docker/default" && !value.starts_with("localhost/"))
        forbidden.insert(fmt::format("{}={}", key, field::Quote(value)));
    };
    look("seccomp.security.alpha.kubernetes.io/pod");
    VisitContainers(spec, [&](const auto& container) {
      look("container.seccomp.security.alpha.kubernetes.io/" + container.name());
    });
    if (forbidden.empty()) return {};
    return Violation{"seccompProfile",
                     fmt::format("forbidden {} {}", Plural("annotation", "annotations", forbidden.size()),
                                 fmt::join(forbidden, ", "))};
  }
  std::set<std::string> values;
  const bool pod = BadSeccomp(spec.securitycontext(), values);
  const Names containers = Find(spec, [&](const core::SecurityContext& s) { return BadSeccomp(s, values); });
  if (!pod && containers.empty()) return {};
  return Violation{"seccompProfile", fmt::format("{} must not set securityContext.seccompProfile.type to {}",
                                                 Setters(pod, containers), JoinQuote(values))};
}

Result SeccompRestricted(const meta::ObjectMeta& metadata, const core::PodSpec& spec, int minor) {
  if (minor >= 25 && IsWindows(spec)) return {};
  if (auto explicitly = SeccompBaseline(metadata, spec, minor)) return explicitly;
  if (spec.securitycontext().has_seccompprofile()) return {};
  const Names implicitly = Find(spec, [](const core::SecurityContext& s) { return !s.has_seccompprofile(); });
  if (implicitly.empty()) return {};
  return Violation{"seccompProfile", fmt::format("pod or {} must set securityContext.seccompProfile.type to "
                                                 "\"RuntimeDefault\" or \"Localhost\"",
                                                 Containers(implicitly))};
}

Result Sysctls(const meta::ObjectMeta&, const core::PodSpec& spec, int minor) {
  static const std::map<std::string_view, int> kAllowedSince = {{"kernel.shm_rmid_forced", 0},
                                                                {"net.ipv4.ip_local_port_range", 0},
                                                                {"net.ipv4.tcp_syncookies", 0},
                                                                {"net.ipv4.ping_group_range", 0},
                                                                {"net.ipv4.ip_unprivileged_port_start", 0},
                                                                {"net.ipv4.ip_local_reserved_ports", 27},
                                                                {"net.ipv4.tcp_keepalive_time", 29},
                                                                {"net.ipv4.tcp_fin_timeout", 29},
                                                                {"net.ipv4.tcp_keepalive_intvl", 29},
                                                                {"net.ipv4.tcp_keepalive_probes", 29},
                                                                {"net.ipv4.tcp_rmem", 32},
                                                                {"net.ipv4.tcp_wmem", 32}};
  Names forbidden;
  for (const auto& sysctl : spec.securitycontext().sysctls()) {
    const auto found = kAllowedSince.find(sysctl.name());
    if (found == kAllowedSince.end() || found->second > minor) forbidden.push_back(sysctl.name());
  }
  if (forbidden.empty()) return {};
  return Violation{"forbidden sysctls", fmt::format("{}", fmt::join(forbidden, ", "))};
}

Result WindowsHostProcess(const meta::ObjectMeta&, const core::PodSpec& spec, int) {
  const Names bad = Find(spec, [](const core::SecurityContext& s) { return s.windowsoptions().hostprocess(); });
  const bool pod = spec.securitycontext().windowsoptions().hostprocess();
  if (!pod && bad.empty()) return {};
  return Violation{"hostProcess", Setters(pod, bad) + " must not set securityContext.windowsOptions.hostProcess=true"};
}

struct Check {
  Level level;
  int since;
  // From this version on the restricted level leaves this baseline check to a stricter one; -1: never.
  int overridden_since;
  PodCheck check;
};
// Sorted by level, then by upstream's ids.
constexpr Check kChecks[] = {
    {Level::kBaseline, 0, -1, AppArmorProfile},
    {Level::kBaseline, 0, 22, CapabilitiesBaseline},
    {Level::kBaseline, 0, -1, HostNamespaces},
    {Level::kBaseline, 0, 0, HostPathVolumes},
    {Level::kBaseline, 0, -1, HostPorts},
    {Level::kBaseline, 0, -1, Privileged},
    {Level::kBaseline, 0, -1, ProcMount},
    {Level::kBaseline, 0, -1, SELinuxOptions},
    {Level::kBaseline, 0, 19, SeccompBaseline},
    {Level::kBaseline, 0, -1, Sysctls},
    {Level::kBaseline, 0, -1, WindowsHostProcess},
    {Level::kRestricted, 8, -1, AllowPrivilegeEscalation},
    {Level::kRestricted, 22, -1, CapabilitiesRestricted},
    {Level::kRestricted, 0, -1, RestrictedVolumes},
    {Level::kRestricted, 0, -1, RunAsNonRoot},
    {Level::kRestricted, 23, -1, RunAsUser},
    {Level::kRestricted, 19, -1, SeccompRestricted},
};

}  // namespace

std::string_view ToString(Level level) {
  return kLevels[static_cast<size_t>(level)];
}

knarr::Result<Level> ParseLevel(std::string_view text) {
  for (size_t i = 0; i < std::size(kLevels); ++i) {
    if (text == kLevels[i]) return static_cast<Level>(i);
  }
  return Error(Code::kInvalid, "must be one of privileged, baseline, restricted");
}

std::string Version::ToString() const {
  return minor == kLatest ? "latest" : fmt::format("v1.{}", minor);
}

knarr::Result<Version> ParseVersion(std::string_view text) {
  if (text == "latest") return Version{};
  int minor = 0;
  if (text.starts_with("v1.")) {
    const std::string_view digits = text.substr(3);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), minor);
    const bool canonical = !digits.empty() && (digits == "0" || digits.front() != '0') && digits.front() != '-';
    if (error == std::errc() && end == digits.data() + digits.size() && canonical) return Version{minor};
  }
  return Error(Code::kInvalid, "must be \"latest\" or \"v1.x\"");
}

std::string LevelVersion::ToString() const {
  return fmt::format("{}:{}", podsecurity::ToString(level), version.ToString());
}
bool LevelVersion::Equivalent(const LevelVersion& other) const {
  return (level == Level::kPrivileged && other.level == Level::kPrivileged) || *this == other;
}
bool Policy::FullyPrivileged() const {
  return enforce.level == Level::kPrivileged && audit.level == Level::kPrivileged && warn.level == Level::kPrivileged;
}
bool Policy::Equivalent(const Policy& other) const {
  return enforce.Equivalent(other.enforce) && audit.Equivalent(other.audit) && warn.Equivalent(other.warn);
}

Policy PolicyToEvaluate(const google::protobuf::Map<std::string, std::string>& labels, const Policy& defaults,
                        field::ErrorList* errors) {
  Policy policy = defaults;
  const auto wrong = [&](const std::string& label, const std::string& value, const Status& why) {
    errors->push_back(field::Invalid(field::Path("metadata").Child("labels").Key(label), value, why.message()));
  };
  // Whether the label is there, and whether it is right.
  const auto level = [&](const char* mode, Level on_error, Level* to) -> std::pair<bool, bool> {
    const std::string label = fmt::format("pod-security.kubernetes.io/{}", mode);
    const auto found = labels.find(label);
    if (found == labels.end()) return {false, false};
    const auto parsed = ParseLevel(found->second);
    *to = parsed.ok() ? *parsed : on_error;
    if (!parsed.ok()) wrong(label, found->second, parsed.status());
    return {true, parsed.ok()};
  };
  const auto version = [&](const char* mode, Version* to) {
    const std::string label = fmt::format("pod-security.kubernetes.io/{}-version", mode);
    const auto found = labels.find(label);
    if (found == labels.end()) return false;
    const auto parsed = ParseVersion(found->second);
    *to = parsed.ok() ? *parsed : Version{};
    if (!parsed.ok()) wrong(label, found->second, parsed.status());
    return true;
  };
  const bool enforces = level("enforce", Level::kRestricted, &policy.enforce.level).second;
  version("enforce", &policy.enforce.version);
  level("audit", Level::kPrivileged, &policy.audit.level);
  version("audit", &policy.audit.version);
  const bool warns = level("warn", Level::kPrivileged, &policy.warn.level).first;
  const bool warns_version = version("warn", &policy.warn.version);
  // Who sets only enforce is warned of what would be refused: of templates.
  if (!warns && enforces && policy.enforce.level > policy.warn.level) {
    policy.warn.level = policy.enforce.level;
    if (!warns_version) policy.warn.version = policy.enforce.version;
  }
  return policy;
}

std::string Violations::Reasons() const {
  Names reasons;
  for (const Violation& one : all) reasons.push_back(one.reason);
  return fmt::format("{}", fmt::join(reasons, ", "));
}

std::string Violations::Details() const {
  Names details;
  for (const Violation& one : all)
    details.push_back(one.detail.empty() ? one.reason : fmt::format("{} ({})", one.reason, one.detail));
  return fmt::format("{}", fmt::join(details, ", "));
}

Violations Evaluate(const LevelVersion& what, const meta::ObjectMeta& metadata, const core::PodSpec& spec) {
  Violations out;
  if (what.level == Level::kPrivileged) return out;
  const int minor = what.version.minor == Version::kLatest ? kNewest : std::min(what.version.minor, kNewest);
  for (const Check& check : kChecks) {
    if (check.level > what.level || minor < check.since) continue;
    const bool overridden =
        what.level == Level::kRestricted && check.overridden_since >= 0 && minor >= check.overridden_since;
    if (overridden) continue;
    if (auto violation = check.check(metadata, spec, minor)) out.all.push_back(std::move(*violation));
  }
  return out;
}

}  // namespace knarr::admission::podsecurity
