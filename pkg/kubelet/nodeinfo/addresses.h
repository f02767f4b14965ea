// Choosing the node's addresses.
// Mirrors: k8s.io/apimachinery/pkg/util/net/interface.go, pkg/kubelet/nodestatus/setters.go (NodeAddress)
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pkg/base/status.h"

namespace knarr::kubelet {

struct InterfaceAddress {
  std::string interface, address;
  bool v6 = false;
};

struct HostNetwork {
  std::vector<InterfaceAddress> addresses;                 // of interfaces that are up
  std::string default_interface_v4, default_interface_v6;  // empty: no default route
};

// The interface of the default route with the lowest metric, out of /proc/net/route and /proc/net/ipv6_route.
std::string DefaultInterfaceV4(std::string_view route_table);
std::string DefaultInterfaceV6(std::string_view route_table);
Result<HostNetwork> ReadHostNetwork();

Result<std::vector<std::string>> ChooseNodeIps(const std::vector<std::string>& node_ips, const HostNetwork& network);

}  // namespace knarr::kubelet
