#include "pkg/kubelet/network/hosts.h"

#include <fmt/format.h>

namespace knarr::kubelet {
namespace {

// Programs recognise a file of the kubelet's by its first line.
constexpr std::string_view kManagedHeader = "# Kubernetes-managed hosts file.\n";
constexpr std::string_view kManagedHostNetworkHeader = "# Kubernetes-managed hosts file (host network).\n";

// The fe00 addresses are upstream's, odd as they are: people compare these files.
constexpr std::string_view kLoopback =
    "127.0.0.1\tlocalhost\n"
    "::1\tlocalhost ip6-localhost ip6-loopback\n"
    "fe00::0\tip6-localnet\n"
    "fe00::0\tip6-mcastprefix\n"
    "fe00::1\tip6-allnodes\n"
    "fe00::2\tip6-allrouters\n";

void AppendAliases(std::string& content, const std::vector<HostAlias>& aliases) {
  if (aliases.empty()) return;
  content += "\n# Entries added by HostAliases.\n";
  for (const HostAlias& alias : aliases) {
    content += fmt::format("{}\t{}\n", alias.ip, fmt::join(alias.hostnames, "\t"));
  }
}

}  // namespace

std::string ManagedHostsFile(const std::vector<std::string>& pod_ips, std::string_view hostname, std::string_view domain,
                             const std::vector<HostAlias>& aliases) {
  std::string content(kManagedHeader);
  content += kLoopback;
  for (const std::string& ip : pod_ips) {
    content += domain.empty() ? fmt::format("{}\t{}\n", ip, hostname)
                              : fmt::format("{}\t{}.{}\t{}\n", ip, hostname, domain, hostname);
  }
  AppendAliases(content, aliases);
  return content;
}

std::string NodeHostsFile(std::string_view node_hosts, const std::vector<HostAlias>& aliases) {
  std::string content(kManagedHostNetworkHeader);
  content += node_hosts;
  AppendAliases(content, aliases);
  return content;
}

}  // namespace knarr::kubelet
