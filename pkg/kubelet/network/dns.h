// A pod's DNS settings: dnsPolicy, dnsConfig, the node's resolv.conf and the limits.
// Mirrors: pkg/kubelet/network/dns/dns.go
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/base/status.h"
#include "pkg/kubelet/events/events.h"

namespace knarr::kubelet {

// runtime.v1 DNSConfig without the CRI types.
struct DnsConfig {
  std::vector<std::string> servers, searches, options;
  bool operator==(const DnsConfig&) const = default;
};

struct PodDnsOption {
  std::string name;
  std::optional<std::string> value;
};

// What matters of a pod, without the generated types.
struct PodDnsInput {
  ObjectRef pod;  // where events go
  std::string ns, policy;  // ClusterFirst, ClusterFirstWithHostNet, Default, None
  bool host_network = false;
  // spec.dnsConfig, empty where absent
  std::vector<std::string> nameservers, searches;
  std::vector<PodDnsOption> options;
  bool quiet = false;  // record no events: they were when the pod started
};

struct DnsOptions {
  std::vector<std::string> cluster_dns;  // --cluster-dns
  std::string cluster_domain;            // --cluster-domain
  std::string resolv_conf = "/etc/resolv.conf";  // --resolv-conf; empty: no lookups but what the pod asks for
  std::vector<std::string> node_ips;
  ObjectRef node;
};

// Thread-safe: has no state but its options.
class DnsConfigurer {
 public:
  DnsConfigurer(DnsOptions options, EventRecorder& events) : options_(std::move(options)), events_(events) {}
  Result<DnsConfig> PodDns(const PodDnsInput& pod) const;
  // Warns on the node when its resolv.conf alone breaks the limits. Call once at start.
  void CheckLimitsForResolvConf() const;

 private:
  Result<DnsConfig> HostDns() const;
  DnsConfig FitLimits(DnsConfig config, const PodDnsInput& pod) const;

  const DnsOptions options_;
  EventRecorder& events_;
};

// nameserver and search lines accumulate or overrule as upstream's parser has it.
Result<DnsConfig> ParseResolvConf(std::string_view content);

}  // namespace knarr::kubelet
