// The content of a pod's /etc/hosts. Mirrors: pkg/kubelet/kubelet_pods.go (ensureHostsFile, nodeHostsFileContent,
// managedHostsFileContent, hostsEntriesFromHostAliases)
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace knarr::kubelet {

struct HostAlias {
  std::string ip;
  std::vector<std::string> hostnames;
};

// Pods with a network of their own. pod_ips: the primary first; domain: the pod's hostDomainName, may be empty.
std::string ManagedHostsFile(const std::vector<std::string>& pod_ips, std::string_view hostname, std::string_view domain,
                             const std::vector<HostAlias>& aliases);
// hostNetwork pods: the node's own file plus the aliases.
std::string NodeHostsFile(std::string_view node_hosts, const std::vector<HostAlias>& aliases);

}  // namespace knarr::kubelet
