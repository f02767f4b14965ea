#include "pkg/kubelet/kuberuntime/security_context.h"

#include <algorithm>
#include <limits>

#include "pkg/base/file.h"
#include "pkg/kubelet/kuberuntime/names.h"

namespace knarr::kubelet {
namespace {

constexpr const char* kMaskedPaths[] = {"/proc/asound",     "/proc/acpi",       "/proc/kcore", "/proc/keys",    "/proc/latency_stats",
                                        "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
                                        "/sys/devices/virtual/powercap"};
constexpr const char* kReadonlyPaths[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};

void SetSeLinux(const core::SELinuxOptions& from, cri_v1::SELinuxOption* to) {
  to->set_user(from.user());
  to->set_role(from.role());
  to->set_type(from.type());
  to->set_level(from.level());
}

Result<cri_v1::SecurityProfile> SeccompProfile(const core::Pod& pod, const core::Container& container, const SeccompSettings& settings) {
  cri_v1::SecurityProfile profile;
  const core::SeccompProfile* wanted = nullptr;
  if (container.securitycontext().has_seccompprofile()) {
    wanted = &container.securitycontext().seccompprofile();
  } else if (pod.spec().securitycontext().has_seccompprofile()) {
    wanted = &pod.spec().securitycontext().seccompprofile();
  }
  if (!wanted) {
    profile.set_profile_type(settings.default_profile ? cri_v1::SecurityProfile::RuntimeDefault : cri_v1::SecurityProfile::Unconfined);
  } else if (wanted->type() == "Localhost") {
    if (wanted->localhostprofile().empty()) {
      return Error(Code::kInvalid, "localhostProfile must be set if seccompProfile type is Localhost.");
    }
    profile.set_profile_type(cri_v1::SecurityProfile::Localhost);
    profile.set_localhost_ref(JoinPath(settings.profile_root, wanted->localhostprofile()));
  } else if (wanted->type() == "RuntimeDefault") {
    profile.set_profile_type(cri_v1::SecurityProfile::RuntimeDefault);
  } else {
    profile.set_profile_type(cri_v1::SecurityProfile::Unconfined);
  }
  return profile;
}

// False: nothing is said, the runtime decides.
bool AppArmorProfile(const core::Pod& pod, const core::Container& container, cri_v1::SecurityProfile* profile) {
  const core::AppArmorProfile* wanted = nullptr;
  if (container.securitycontext().has_apparmorprofile()) {
    wanted = &container.securitycontext().apparmorprofile();
  } else if (pod.spec().securitycontext().has_apparmorprofile()) {
    wanted = &pod.spec().securitycontext().apparmorprofile();
  }
  if (!wanted) return false;
  if (wanted->type() == "Localhost") {
    profile->set_profile_type(cri_v1::SecurityProfile::Localhost);
    profile->set_localhost_ref(wanted->localhostprofile());
  } else {
    profile->set_profile_type(wanted->type() == "RuntimeDefault" ? cri_v1::SecurityProfile::RuntimeDefault
                                                                 : cri_v1::SecurityProfile::Unconfined);
  }
  return true;
}

// fsGroup, then the groups of the pod.
template <typename Context>
void AddGroups(const core::PodSecurityContext& pod, Context* context) {
  if (pod.has_fsgroup()) context->add_supplemental_groups(pod.fsgroup());
  for (const int64_t group : pod.supplementalgroups()) context->add_supplemental_groups(group);
  if (pod.supplementalgroupspolicy() == "Strict") context->set_supplemental_groups_policy(cri_v1::Strict);
}

}  // namespace

core::SecurityContext EffectiveSecurityContext(const core::Pod& pod, const core::Container& container) {
  core::SecurityContext effective;
  const core::PodSecurityContext& defaults = pod.spec().securitycontext();
  if (defaults.has_selinuxoptions()) *effective.mutable_selinuxoptions() = defaults.selinuxoptions();
  if (defaults.has_runasuser()) effective.set_runasuser(defaults.runasuser());
  if (defaults.has_runasgroup()) effective.set_runasgroup(defaults.runasgroup());
  if (defaults.has_runasnonroot()) effective.set_runasnonroot(defaults.runasnonroot());
  core::SecurityContext own = container.securitycontext();
  if (own.has_selinuxoptions()) effective.clear_selinuxoptions();
  effective.MergeFrom(own);
  return effective;
}

Status VerifyRunAsNonRoot(const core::Pod& pod, const core::Container& container, const ImageUser& user) {
  const core::SecurityContext effective = EffectiveSecurityContext(pod, container);
  if (!effective.runasnonroot()) return OkStatus();
  const std::string pod_text = FormatPod(pod);
  if (effective.has_runasuser()) {
    if (effective.runasuser() != 0) return OkStatus();
    return Error(Code::kInvalid, "container's runAsUser breaks non-root policy (pod: \"{}\", container: {})", pod_text, container.name());
  }
  if (!user.uid) {
    if (user.username.empty()) return OkStatus();
    return Error(Code::kInvalid,
                 "container has runAsNonRoot and image has non-numeric user ({}), cannot verify user is non-root (pod: \"{}\", container: {})",
                 user.username, pod_text, container.name());
  }
  if (*user.uid == 0) {
    return Error(Code::kInvalid, "container has runAsNonRoot and image will run as root (pod: \"{}\", container: {})", pod_text,
                 container.name());
  }
  constexpr int64_t kMaxUid = std::numeric_limits<int32_t>::max();
  if (*user.uid < 0 || *user.uid > kMaxUid) {
    return Error(Code::kInvalid,
                 "container has runAsNonRoot and image has an invalid user id ({}). (Must be 1-({})): must be between 0 and 2147483647, "
                 "inclusive (pod: \"{}\", container: {})",
                 *user.uid, kMaxUid, pod_text, container.name());
  }
  return OkStatus();
}

cri_v1::NamespaceOption NamespacesFor(const core::Pod& pod) {
  cri_v1::NamespaceOption out;
  const core::PodSpec& spec = pod.spec();
  out.set_network(spec.hostnetwork() ? cri_v1::NODE : cri_v1::POD);
  out.set_ipc(spec.hostipc() ? cri_v1::NODE : cri_v1::POD);
  out.set_pid(spec.hostpid() ? cri_v1::NODE : spec.shareprocessnamespace() ? cri_v1::POD : cri_v1::CONTAINER);
  return out;
}

Result<cri_v1::LinuxContainerSecurityContext> ContainerSecurityContext(const core::Pod& pod, const core::Container& container,
                                                                       const ImageUser& user, const SeccompSettings& seccomp) {
  const core::SecurityContext effective = EffectiveSecurityContext(pod, container);
  cri_v1::LinuxContainerSecurityContext out;
  if (effective.has_capabilities()) {
    for (const std::string& name : effective.capabilities().add()) out.mutable_capabilities()->add_add_capabilities(name);
    for (const std::string& name : effective.capabilities().drop()) out.mutable_capabilities()->add_drop_capabilities(name);
  }
  if (effective.has_selinuxoptions()) SetSeLinux(effective.selinuxoptions(), out.mutable_selinux_options());
  out.set_privileged(effective.privileged());
  out.set_readonly_rootfs(effective.readonlyrootfilesystem());
  out.set_no_new_privs(effective.has_allowprivilegeescalation() && !effective.allowprivilegeescalation());
  if (effective.procmount() != "Unmasked") {
    for (const char* path : kMaskedPaths) out.add_masked_paths(path);
    for (const char* path : kReadonlyPaths) out.add_readonly_paths(path);
  }
  if (effective.has_runasuser()) {
    out.mutable_run_as_user()->set_value(effective.runasuser());
  } else if (user.uid) {
    out.mutable_run_as_user()->set_value(*user.uid);
  } else {
    out.set_run_as_username(user.username);
  }
  if (effective.has_runasgroup()) out.mutable_run_as_group()->set_value(effective.runasgroup());
  *out.mutable_namespace_options() = NamespacesFor(pod);
  AddGroups(pod.spec().securitycontext(), &out);
  *out.mutable_seccomp() = KNARR_TRY(SeccompProfile(pod, container, seccomp));
  cri_v1::SecurityProfile apparmor;
  if (AppArmorProfile(pod, container, &apparmor)) *out.mutable_apparmor() = std::move(apparmor);
  return out;
}

cri_v1::LinuxSandboxSecurityContext SandboxSecurityContext(const core::Pod& pod) {
  cri_v1::LinuxSandboxSecurityContext out;
  const core::PodSecurityContext& from = pod.spec().securitycontext();
  // The pause program needs nothing: the strictest profile, so that pods may ask for less than the default.
  out.mutable_seccomp()->set_profile_type(cri_v1::SecurityProfile::RuntimeDefault);
  *out.mutable_namespace_options() = NamespacesFor(pod);
  const auto privileged = [](const core::Container& c) { return c.securitycontext().privileged(); };
  const auto& containers = pod.spec().containers();
  const auto& inits = pod.spec().initcontainers();
  out.set_privileged(std::any_of(containers.begin(), containers.end(), privileged) ||
                     std::any_of(inits.begin(), inits.end(), privileged));
  if (from.has_runasuser()) out.mutable_run_as_user()->set_value(from.runasuser());
  if (from.has_runasgroup()) out.mutable_run_as_group()->set_value(from.runasgroup());
  if (from.has_selinuxoptions()) SetSeLinux(from.selinuxoptions(), out.mutable_selinux_options());
  AddGroups(from, &out);
  return out;
}

}  // namespace knarr::kubelet
