#include "pkg/kubelet/kuberuntime/sysctls.h"

#include <algorithm>

namespace knarr::kubelet {
namespace {

constexpr std::string_view kSafe[] = {"kernel.shm_rmid_forced",
                                      "net.ipv4.ip_local_port_range",
                                      "net.ipv4.tcp_syncookies",
                                      "net.ipv4.ping_group_range",
                                      "net.ipv4.ip_unprivileged_port_start",
                                      "net.ipv4.ip_local_reserved_ports",
                                      "net.ipv4.tcp_keepalive_time",
                                      "net.ipv4.tcp_fin_timeout",
                                      "net.ipv4.tcp_keepalive_intvl",
                                      "net.ipv4.tcp_keepalive_probes",
                                      "net.ipv4.tcp_rmem",
                                      "net.ipv4.tcp_wmem"};

bool Matches(std::string_view pattern, std::string_view name) {
  if (!pattern.ends_with('*')) return pattern == name;
  pattern.remove_suffix(1);
  return name.starts_with(pattern);
}

std::string Dotted(std::string text) {
  std::replace(text.begin(), text.end(), '/', '.');
  return text;
}

bool InIpcNamespace(std::string_view name) {
  return name.starts_with("kernel.shm") || name.starts_with("kernel.msg") || name == "kernel.sem" || name.starts_with("fs.mqueue.");
}

}  // namespace

Status CheckSysctls(const core::Pod& pod, const std::vector<std::string>& allowed) {
  for (const core::Sysctl& sysctl : pod.spec().securitycontext().sysctls()) {
    const std::string name = Dotted(sysctl.name());
    const bool safe = std::find(std::begin(kSafe), std::end(kSafe), name) != std::end(kSafe);
    const bool listed = std::any_of(allowed.begin(), allowed.end(), [&](const std::string& p) { return Matches(Dotted(p), name); });
    if (!safe && !listed) return Error(Code::kForbidden, "forbidden sysctl: \"{}\" not allowlisted", sysctl.name());
    if (pod.spec().hostnetwork() && name.starts_with("net.")) {
      return Error(Code::kForbidden, "forbidden sysctl: \"{}\" not allowed with host net enabled", sysctl.name());
    }
    if (pod.spec().hostipc() && InIpcNamespace(name)) {
      return Error(Code::kForbidden, "forbidden sysctl: \"{}\" not allowed with host ipc enabled", sysctl.name());
    }
  }
  return OkStatus();
}

}  // namespace knarr::kubelet
