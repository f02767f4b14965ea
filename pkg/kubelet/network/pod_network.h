// The network side of a pod's specification: hostname and domain, DNS settings, the /etc/hosts file on disk.
// Mirrors: pkg/kubelet/kubelet_pods.go (GeneratePodHostNameAndDomain, makeHostsMount), pkg/kubelet/util
// (GetNodenameForKernel)
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pkg/base/status.h"
#include "pkg/kubelet/network/dns.h"

namespace k8s::io::api::core::v1 {
class Pod;
}

namespace knarr::kubelet {

struct PodHostname {
  std::string hostname;  // at most 63 characters
  std::string domain;    // "sub.ns.svc.cluster.local", empty without spec.subdomain
};
Result<PodHostname> HostnameOf(const k8s::io::api::core::v1::Pod& pod, std::string_view cluster_domain);
// What the sandbox's kernel is told: the hostname, or the full name with setHostnameAsFQDN (kInvalid above 64 characters).
Result<std::string> KernelHostname(const PodHostname& name, bool set_hostname_as_fqdn);

// Thread-safe for different pods.
class PodNetwork {
 public:
  // root_dir: /var/lib/kubelet; node_hosts: the file that host-network pods get a copy of.
  PodNetwork(DnsOptions dns, EventRecorder& events, std::string root_dir, std::string node_hosts = "/etc/hosts");

  struct Settings {
    std::string hostname;  // empty for host network
    DnsConfig dns;
  };
  // starts: the pod gets a new sandbox; only then events tell of what is odd about its DNS.
  Result<Settings> SettingsFor(const k8s::io::api::core::v1::Pod& pod, bool starts = true) const;
  // Brings <root>/pods/<uid>/etc-hosts up to date and returns its path; "" while a pod has no address yet. The file is
  // written in place: running containers have it mounted.
  Result<std::string> WriteHostsFile(const k8s::io::api::core::v1::Pod& pod, const std::vector<std::string>& pod_ips) const;
  const DnsConfigurer& dns() const { return dns_; }

 private:
  const std::string cluster_domain_, root_dir_, node_hosts_;
  const DnsConfigurer dns_;
};

}  // namespace knarr::kubelet
