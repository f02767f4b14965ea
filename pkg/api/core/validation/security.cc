#include <fmt/format.h>

#include "pkg/api/core/validation/internal.h"

namespace knarr::api::validation {
namespace {

constexpr int kProfilePathMax = 4095;
constexpr size_t kSysctlMax = 253;

void ValidateSeccompProfile(const core::SeccompProfile& profile, const Path& path, ErrorList& errors) {
  static constexpr std::string_view kTypes[] = {"Localhost", "RuntimeDefault", "Unconfined"};
  if (profile.type().empty()) {
    errors.push_back(field::Required(path.Child("type"), "type is required when seccompProfile is set"));
  } else {
    RequireOneOf(errors, path.Child("type"), profile.type(), kTypes);
  }
  const Path localhost = path.Child("localhostProfile");
  if (profile.type() != "Localhost") {
    if (profile.has_localhostprofile()) {
      errors.push_back(
          field::Invalid(localhost, profile.localhostprofile(), "can only be set when seccomp type is Localhost"));
    }
  } else if (!profile.has_localhostprofile()) {
    errors.push_back(field::Required(localhost, "must be set when seccomp type is Localhost"));
  } else {
    ValidateLocalDescendingPath(profile.localhostprofile(), localhost, errors);
  }
}

void ValidateLocalhostAppArmor(const core::AppArmorProfile& profile, const Path& path, ErrorList& errors) {
  constexpr std::string_view kRequired = "must be set when AppArmor type is Localhost";
  if (!profile.has_localhostprofile()) {
    errors.push_back(field::Required(path, kRequired));
    return;
  }
  const std::string& name = profile.localhostprofile();
  if (TrimSpace(name).size() != name.size()) {
    errors.push_back(field::Invalid(path, name, "must not be padded with whitespace"));
  } else if (name.empty()) {
    errors.push_back(field::Required(path, kRequired));
  }
  if (name.size() > kProfilePathMax) errors.push_back(field::TooLong(path, "", kProfilePathMax));
}

void ValidateAppArmorProfile(const core::AppArmorProfile& profile, const Path& path, ErrorList& errors) {
  static constexpr std::string_view kTypes[] = {"Localhost", "RuntimeDefault", "Unconfined"};
  const Path localhost = path.Child("localhostProfile");
  if (profile.type() == "Localhost") {
    ValidateLocalhostAppArmor(profile, localhost, errors);
  } else if (profile.type() == "RuntimeDefault" || profile.type() == "Unconfined") {
    if (profile.has_localhostprofile()) {
      errors.push_back(
          field::Invalid(localhost, profile.localhostprofile(), "can only be set when AppArmor type is Localhost"));
    }
  } else if (profile.type().empty()) {
    errors.push_back(field::Required(path.Child("type"), "type is required when appArmorProfile is set"));
  } else {
    RequireOneOf(errors, path.Child("type"), profile.type(), kTypes);
  }
}

// segments of [a-z0-9]([-_a-z0-9]*[a-z0-9])?, with . or / between them
bool IsValidSysctlName(std::string_view name) {
  if (name.size() > kSysctlMax) return false;
  const auto alnum = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  for (;;) {
    const size_t end = std::min(name.find_first_of("./"), name.size());
    const std::string_view segment = name.substr(0, end);
    if (segment.empty() || !alnum(segment.front()) || !alnum(segment.back())) return false;
    if (!std::all_of(segment.begin(), segment.end(), [&](char c) { return alnum(c) || c == '-' || c == '_'; })) {
      return false;
    }
    if (end == name.size()) return true;
    name.remove_prefix(end + 1);
  }
}

// net/ipv4/conf/eno2.100/rp_filter and net.ipv4.conf.eno2/100.rp_filter are one: the first separator decides.
std::string NormalizeSysctl(std::string_view name) {
  std::string normalized(name);
  const size_t first = name.find_first_of("./");
  if (first == std::string_view::npos || name[first] == '.') return normalized;
  for (char& c : normalized) c = c == '.' ? '/' : c == '/' ? '.' : c;
  return normalized;
}

enum class SysctlNamespace { kNone, kNet, kIpc };

SysctlNamespace NamespaceOf(std::string_view sysctl) {
  static const Names kIpc = {"kernel.msg", "kernel.msgmax",          "kernel.msgmnb", "kernel.msgmni", "kernel.sem",
                             "kernel.shm", "kernel.shm_rmid_forced", "kernel.shmall", "kernel.shmmax", "kernel.shmmni"};
  const std::string name = NormalizeSysctl(sysctl);
  const std::string_view prefix = std::string_view(name).substr(0, name.find('*'));
  if (kIpc.contains(prefix) || prefix.starts_with("fs.mqueue.")) return SysctlNamespace::kIpc;
  return prefix.starts_with("net.") ? SysctlNamespace::kNet : SysctlNamespace::kNone;
}

void ValidateSysctls(const core::PodSpec& spec, const Path& list, const PodValidationOptions& options,
                     ErrorList& errors) {
  Names seen;
  const auto& sysctls = spec.securitycontext().sysctls();
  for (int i = 0; i < sysctls.size(); ++i) {
    const std::string& name = sysctls[i].name();
    const Path path = list.Index(static_cast<size_t>(i)).Child("name");
    if (name.empty()) {
      errors.push_back(field::Required(path, ""));
    } else if (!IsValidSysctlName(name)) {
      errors.push_back(field::Invalid(path, name,
                                      "must have at most 253 characters and match regex "
                                      "^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"));
    } else if (seen.contains(name)) {
      errors.push_back(field::Duplicate(path, name));
    }
    seen.insert(name);
    if (options.allow_namespaced_sysctls_for_host_net_and_host_ipc) continue;
    if (spec.hostnetwork() && NamespaceOf(name) == SysctlNamespace::kNet) {
      errors.push_back(field::Invalid(path, name, "may not be specified when 'hostNetwork' is true"));
    } else if (spec.hostipc() && NamespaceOf(name) == SysctlNamespace::kIpc) {
      errors.push_back(field::Invalid(path, name, "may not be specified when 'hostIPC' is true"));
    }
  }
}

void ValidatePrivilegeEscalation(const core::SecurityContext& security, const Path& path, ErrorList& errors) {
  if (!security.has_allowprivilegeescalation() || security.allowprivilegeescalation()) return;
  if (security.privileged()) {
    errors.push_back(field::InvalidLiteral(path, "{allowPrivilegeEscalation: false, privileged: true}",
                                           "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"));
  }
  for (const std::string& capability : security.capabilities().add()) {
    if (capability != "CAP_SYS_ADMIN") continue;
    errors.push_back(
        field::InvalidLiteral(path, "{allowPrivilegeEscalation: false, capabilities: {add: [CAP_SYS_ADMIN]}}",
                              "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"));
  }
}

void ValidatePodIds(const core::PodSecurityContext& security, const Path& path, ErrorList& errors) {
  if (security.has_fsgroup()) {
    AddInvalid(errors, path.Child("fsGroup"), security.fsgroup(), names::IsValidGroupID(security.fsgroup()));
  }
  if (security.has_runasuser()) {
    AddInvalid(errors, path.Child("runAsUser"), security.runasuser(), names::IsValidUserID(security.runasuser()));
  }
  if (security.has_runasgroup()) {
    AddInvalid(errors, path.Child("runAsGroup"), security.runasgroup(), names::IsValidGroupID(security.runasgroup()));
  }
  for (int i = 0; i < security.supplementalgroups_size(); ++i) {
    AddInvalid(errors, path.Child("supplementalGroups").Index(static_cast<size_t>(i)), security.supplementalgroups(i),
               names::IsValidGroupID(security.supplementalgroups(i)));
  }
}

}  // namespace

void ValidateSecurityContext(const core::SecurityContext& security, const Path& path, bool host_users,
                             ErrorList& errors) {
  static constexpr std::string_view kProcMounts[] = {"Default", "Unmasked"};
  if (security.has_runasuser()) {
    AddInvalid(errors, path.Child("runAsUser"), security.runasuser(), names::IsValidUserID(security.runasuser()));
  }
  if (security.has_runasgroup()) {
    AddInvalid(errors, path.Child("runAsGroup"), security.runasgroup(), names::IsValidGroupID(security.runasgroup()));
  }
  if (security.has_procmount()) {
    RequireOneOf(errors, path.Child("procMount"), security.procmount(), kProcMounts);
    if (host_users && security.procmount() == "Unmasked") {
      errors.push_back(
          field::Invalid(path.Child("procMount"), security.procmount(), "`hostUsers` must be false to use `Unmasked`"));
    }
  }
  if (security.has_seccompprofile()) {
    ValidateSeccompProfile(security.seccompprofile(), path.Child("seccompProfile"), errors);
  }
  ValidatePrivilegeEscalation(security, path, errors);
  if (security.has_windowsoptions()) {
    ValidateWindowsSecurityContextOptions(security.windowsoptions(), path.Child("windowsOptions"), errors);
  }
  if (security.has_apparmorprofile()) {
    ValidateAppArmorProfile(security.apparmorprofile(), path.Child("appArmorProfile"), errors);
  }
}

void ValidatePodSecurityContext(const core::PodSpec& spec, const Path& path, const PodValidationOptions& options,
                                ErrorList& errors) {
  static constexpr std::string_view kGroupChange[] = {"Always", "OnRootMismatch"};
  static constexpr std::string_view kSupplemental[] = {"Merge", "Strict"};
  static constexpr std::string_view kLabelChange[] = {"MountOption", "Recursive"};
  const core::PodSecurityContext& security = spec.securitycontext();
  ValidatePodIds(security, path, errors);
  if (spec.hostpid() && spec.shareprocessnamespace()) {
    errors.push_back(field::InvalidLiteral(path.Child("shareProcessNamespace"), "true",
                                           "ShareProcessNamespace and HostPID cannot both be enabled"));
  }
  ValidateSysctls(spec, path.Child("sysctls"), options, errors);
  if (security.has_fsgroupchangepolicy()) {
    RequireOneOf(errors, path.Child("fsGroupChangePolicy"), security.fsgroupchangepolicy(), kGroupChange);
  }
  if (security.has_seccompprofile()) {
    ValidateSeccompProfile(security.seccompprofile(), path.Child("seccompProfile"), errors);
  }
  if (security.has_windowsoptions()) {
    ValidateWindowsSecurityContextOptions(security.windowsoptions(), path.Child("windowsOptions"), errors);
  }
  if (security.has_apparmorprofile()) {
    ValidateAppArmorProfile(security.apparmorprofile(), path.Child("appArmorProfile"), errors);
  }
  if (security.has_supplementalgroupspolicy()) {
    RequireOneOf(errors, path.Child("supplementalGroupsPolicy"), security.supplementalgroupspolicy(), kSupplemental);
  }
  if (security.has_selinuxchangepolicy()) {
    RequireOneOf(errors, path.Child("seLinuxChangePolicy"), security.selinuxchangepolicy(), kLabelChange);
  }
}

}  // namespace knarr::api::validation
