// What surrounds a pod's containers: hostname, DNS and /etc/hosts.
// Mirrors: pkg/kubelet/kubelet_pods.go (GeneratePodHostNameAndDomain, ensureHostsFile), kubelet_network.go
#pragma once

#include <string>
#include <vector>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/types.h"
#include "pkg/base/status.h"
#include "pkg/kubelet/kuberuntime/kuberuntime.h"
#include "pkg/kubelet/network/dns.h"

namespace knarr::kubelet {

class PodEnvironment {
 public:
  PodEnvironment(std::string root_dir, std::string cluster_domain, const DnsConfigurer& dns)
      : root_dir_(std::move(root_dir)), cluster_domain_(std::move(cluster_domain)), dns_(dns) {}

  Result<PodNetworkSettings> NetworkSettings(const core::Pod& pod) const;
  // Writes <root>/pods/<uid>/etc-hosts and returns its path.
  Result<std::string> HostsFile(const core::Pod& pod, const std::vector<std::string>& pod_ips) const;

 private:
  const std::string root_dir_, cluster_domain_;
  const DnsConfigurer& dns_;
};

// spec.hostname or the pod's name, at most 63 characters, not ending in '-' or '.'.
std::string PodHostname(const core::Pod& pod);
// <subdomain>.<namespace>.svc.<cluster domain>, or "".
std::string PodDomain(const core::Pod& pod, const std::string& cluster_domain);

}  // namespace knarr::kubelet
