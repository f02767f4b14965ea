// What pods for Windows may and may not have. They never run here, but their manifests mean the same everywhere.
#include <fmt/format.h>
#include <re2/re2.h>

#include "pkg/api/core/validation/internal.h"

namespace knarr::api::validation {
namespace {

constexpr size_t kCredentialSpecMax = 64 << 10;
constexpr size_t kUserDomainMax = 256;
constexpr size_t kUserNameMax = 104;
constexpr std::string_view kNotForWindows = "cannot be set for a windows pod";

class UserNameValidator {
 public:
  UserNameValidator(const std::string& name, const Path& path, ErrorList& errors)
      : name_(name), path_(path), errors_(errors) {}

  void Validate() {
    const auto is_control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
    if (name_.empty()) return Add("runAsUserName cannot be an empty string");
    if (std::any_of(name_.begin(), name_.end(), is_control)) {
      return Add("runAsUserName cannot contain control characters");
    }
    const size_t backslash = name_.find('\\');
    if (backslash == std::string::npos) return User(name_);
    if (name_.find('\\', backslash + 1) != std::string::npos) {
      return Add("runAsUserName cannot contain more than one backslash");
    }
    Domain(name_.substr(0, backslash));
    User(name_.substr(backslash + 1));
  }

 private:
  void Add(std::string_view detail) { errors_.push_back(field::Invalid(path_, name_, detail)); }

  void Domain(const std::string& domain) {
    static const RE2 net_bios(R"([^\\/:\*\?"<>|\.][^\\/:\*\?"<>|]{0,14})");
    static const RE2 dns(
        R"([a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*)");
    if (domain.size() >= kUserDomainMax) {
      Add(fmt::format("runAsUserName's Domain length must be under {} characters", kUserDomainMax));
    }
    if (!RE2::FullMatch(domain, net_bios) && !RE2::FullMatch(domain, dns)) {
      Add("runAsUserName's Domain doesn't match the NetBios nor the DNS format");
    }
  }

  void User(const std::string& user) {
    if (user.empty()) {
      Add("runAsUserName's User cannot be empty");
    } else if (user.size() > kUserNameMax) {
      Add(fmt::format("runAsUserName's User length must not be longer than {} characters", kUserNameMax));
    }
    if (!user.empty() && user.find_first_not_of(". ") == std::string::npos) {
      Add("runAsUserName's User cannot contain only periods or spaces");
    }
    if (user.find_first_of("\"/\\:;|=,+*?<>@[]") != std::string::npos) {
      Add("runAsUserName's User cannot contain the following characters: \"/\\:;|=,+*?<>@[]");
    }
  }

  const std::string& name_;
  const Path& path_;
  ErrorList& errors_;
};

void ForbidForLinux(const core::PodSpec& spec, const Path& spec_path, ErrorList& errors) {
  constexpr std::string_view kText = "windows options cannot be set for a linux pod";
  if (spec.securitycontext().has_windowsoptions()) {
    errors.push_back(field::Forbidden(spec_path.Child("securityContext.windowsOptions"), kText));
  }
  VisitContainersWithPath(spec, spec_path,
                          [&](const std::string&, const Path& path, const core::SecurityContext* security) {
                            if (security != nullptr && security->has_windowsoptions()) {
                              errors.push_back(field::Forbidden(path.Child("securityContext.windowsOptions"), kText));
                            }
                            return true;
                          });
}

void ForbidForWindowsContainer(const core::SecurityContext& security, const Path& path, ErrorList& errors) {
  const auto forbid = [&](bool is_set, std::string_view name) {
    if (is_set) errors.push_back(field::Forbidden(path.Child(name), kNotForWindows));
  };
  forbid(security.has_apparmorprofile(), "appArmorProfile");
  forbid(security.has_selinuxoptions(), "seLinuxOptions");
  forbid(security.has_seccompprofile(), "seccompProfile");
  forbid(security.has_capabilities(), "capabilities");
  forbid(security.has_readonlyrootfilesystem(), "readOnlyRootFilesystem");
  forbid(security.has_privileged(), "privileged");
  forbid(security.has_allowprivilegeescalation(), "allowPrivilegeEscalation");
  forbid(security.has_procmount(), "procMount");
  forbid(security.has_runasuser(), "runAsUser");
  forbid(security.has_runasgroup(), "runAsGroup");
}

void ForbidForWindows(const core::PodSpec& spec, const Path& spec_path, ErrorList& errors) {
  const core::PodSecurityContext& security = spec.securitycontext();
  const auto forbid = [&](bool is_set, std::string_view name) {
    if (is_set) errors.push_back(field::Forbidden(spec_path.Child(name), kNotForWindows));
  };
  forbid(security.has_apparmorprofile(), "securityContext.appArmorProfile");
  forbid(security.has_selinuxoptions(), "securityContext.seLinuxOptions");
  forbid(spec.has_hostusers(), "hostUsers");
  forbid(spec.hostpid(), "hostPID");
  forbid(spec.hostipc(), "hostIPC");
  forbid(security.has_seccompprofile(), "securityContext.seccompProfile");
  forbid(security.has_fsgroup(), "securityContext.fsGroup");
  forbid(security.has_fsgroupchangepolicy(), "securityContext.fsGroupChangePolicy");
  forbid(security.sysctls_size() > 0, "securityContext.sysctls");
  forbid(spec.has_shareprocessnamespace(), "shareProcessNamespace");
  forbid(security.has_runasuser(), "securityContext.runAsUser");
  forbid(security.has_runasgroup(), "securityContext.runAsGroup");
  forbid(security.supplementalgroups_size() > 0, "securityContext.supplementalGroups");
  forbid(security.has_supplementalgroupspolicy(), "securityContext.supplementalGroupsPolicy");
  forbid(security.has_selinuxchangepolicy(), "securityContext.seLinuxChangePolicy");
  VisitContainersWithPath(spec, spec_path,
                          [&](const std::string&, const Path& path, const core::SecurityContext* container) {
                            if (container != nullptr)
                              ForbidForWindowsContainer(*container, path.Child("securityContext"), errors);
                            return true;
                          });
}

}  // namespace

void ValidateWindowsSecurityContextOptions(const core::WindowsSecurityContextOptions& options, const Path& path,
                                           ErrorList& errors) {
  if (options.has_gmsacredentialspecname()) {
    AddInvalid(errors, path.Child("gmsaCredentialSpecName"), options.gmsacredentialspecname(),
               names::IsDNS1123Subdomain(options.gmsacredentialspecname()));
  }
  if (options.has_gmsacredentialspec()) {
    const std::string& spec = options.gmsacredentialspec();
    if (spec.empty()) {
      errors.push_back(
          field::Invalid(path.Child("gmsaCredentialSpec"), spec, "gmsaCredentialSpec cannot be an empty string"));
    } else if (spec.size() > kCredentialSpecMax) {
      errors.push_back(
          field::Invalid(path.Child("gmsaCredentialSpec"), spec, "gmsaCredentialSpec size must be under 64 KiB"));
    }
  }
  if (options.has_runasusername()) {
    UserNameValidator(options.runasusername(), path.Child("runAsUserName"), errors).Validate();
  }
}

void ValidateWindowsHostProcessPod(const core::PodSpec& spec, const Path& spec_path, ErrorList& errors) {
  const core::WindowsSecurityContextOptions& pod = spec.securitycontext().windowsoptions();
  int containers = 0;
  int host_process = 0;
  VisitContainersWithPath(
      spec, spec_path, [&](const std::string&, const Path& path, const core::SecurityContext* security) {
        ++containers;
        const bool is_set = security != nullptr && security->windowsoptions().has_hostprocess();
        const bool value = is_set && security->windowsoptions().hostprocess();
        if (is_set && pod.has_hostprocess() && value != pod.hostprocess()) {
          errors.push_back(field::InvalidLiteral(
              path.Child("securityContext.windowsOptions.hostProcess"), value ? "true" : "false",
              fmt::format("pod hostProcess value must be identical if both are specified, was {}", pod.hostprocess())));
        }
        if (is_set ? value : pod.hostprocess()) ++host_process;
        return true;
      });
  if (host_process == 0) return;
  if (host_process != containers) {
    errors.push_back(field::Invalid(
        spec_path, "",
        "If pod contains any hostProcess containers then all containers must be HostProcess containers"));
  }
  if (!spec.hostnetwork()) {
    errors.push_back(field::InvalidLiteral(spec_path.Child("hostNetwork"), "false",
                                           "hostNetwork must be true if pod contains any hostProcess containers"));
  }
}

void ValidateOS(const core::PodSpec& spec, const Path& spec_path, ErrorList& errors) {
  static constexpr std::string_view kSystems[] = {"linux", "windows"};
  const Path path = spec_path.Child("os");
  if (spec.os().name().empty()) {
    errors.push_back(field::Required(path.Child("name"), "cannot be empty"));
  } else if (spec.os().name() == "linux") {
    ForbidForLinux(spec, spec_path, errors);
  } else if (spec.os().name() == "windows") {
    ForbidForWindows(spec, spec_path, errors);
  } else {
    RequireOneOf(errors, path, spec.os().name(), kSystems);
  }
}

}  // namespace knarr::api::validation
