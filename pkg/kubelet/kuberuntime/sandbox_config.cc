#include "pkg/kubelet/kuberuntime/sandbox_config.h"

#include <algorithm>

#include "pkg/kubelet/kuberuntime/labels.h"
#include "pkg/kubelet/kuberuntime/names.h"
#include "pkg/kubelet/kuberuntime/security_context.h"

namespace knarr::kubelet {
namespace {

void AddPorts(const core::Container& container, cri_v1::PodSandboxConfig* config) {
  for (const core::ContainerPort& port : container.ports()) {
    auto* mapping = config->add_port_mappings();
    mapping->set_host_ip(port.hostip());
    mapping->set_host_port(port.hostport());
    mapping->set_container_port(port.containerport());
    mapping->set_protocol(port.protocol() == "UDP" ? cri_v1::UDP : port.protocol() == "SCTP" ? cri_v1::SCTP : cri_v1::TCP);
  }
}

}  // namespace

cri_v1::PodSandboxConfig MakeSandboxConfig(const core::Pod& pod, uint32_t attempt, const PodNetworkSettings& network,
                                           const std::string& pod_logs_dir, const std::string& cgroup_parent) {
  const meta::ObjectMeta& metadata = pod.metadata();
  cri_v1::PodSandboxConfig config;
  config.mutable_metadata()->set_name(metadata.name());
  config.mutable_metadata()->set_namespace_(metadata.namespace_());
  config.mutable_metadata()->set_uid(metadata.uid());
  config.mutable_metadata()->set_attempt(attempt);
  for (const auto& [key, value] : PodLabels(pod)) (*config.mutable_labels())[key] = value;
  for (const auto& [key, value] : metadata.annotations()) (*config.mutable_annotations())[key] = value;
  for (const std::string& s : network.dns_servers) config.mutable_dns_config()->add_servers(s);
  for (const std::string& s : network.dns_searches) config.mutable_dns_config()->add_searches(s);
  for (const std::string& s : network.dns_options) config.mutable_dns_config()->add_options(s);
  if (!pod.spec().hostnetwork()) config.set_hostname(network.hostname);
  config.set_log_directory(PodLogsDirectory(pod_logs_dir, metadata.namespace_(), metadata.name(), metadata.uid()));
  // Sidecars may publish ports too.
  for (const core::Container& c : pod.spec().initcontainers()) {
    if (IsSidecar(c)) AddPorts(c, &config);
  }
  for (const core::Container& c : pod.spec().containers()) AddPorts(c, &config);

  cri_v1::LinuxPodSandboxConfig& linux_config = *config.mutable_linux();
  linux_config.set_cgroup_parent(cgroup_parent);
  *linux_config.mutable_security_context() = SandboxSecurityContext(pod);
  for (const core::Sysctl& sysctl : pod.spec().securitycontext().sysctls()) {
    std::string name = sysctl.name();
    std::replace(name.begin(), name.end(), '/', '.');  // runc knows the dotted form only
    (*linux_config.mutable_sysctls())[name] = sysctl.value();
  }
  return config;
}

}  // namespace knarr::kubelet
