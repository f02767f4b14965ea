// Where pods, nodes and services are to be reached, as functions of objects.
//
// Mirrors: pkg/registry/core/{pod,node}/strategy.go, pkg/registry/core/service/storage/storage.go (ResourceLocation),
// pkg/kubelet/client/kubelet_client.go, pkg/proxy/util (IsProxyableIP)
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/api/types.h"
#include "pkg/apiserver/registry/access.h"

namespace k8s::io::api::core::v1 {
class Node;
class Pod;
}  // namespace k8s::io::api::core::v1

namespace knarr::proxy {

struct HostPort {
  std::string scheme;  // "", "http", "https"
  std::string host;
  uint16_t port = 0;  // 0: the scheme's
};

// "name", "name:port", "scheme:name:port"; nullopt where it is none of them.
struct SchemeNamePort {
  std::string scheme, name, port;
};
std::optional<SchemeNamePort> SplitSchemeNamePort(std::string_view id);

// Loopback, link-local and interface-local addresses are not for proxies (CVE-2020-8559's relatives): "address not
// allowed". kBadRequest.
Status CheckProxyableIP(std::string_view ip);
// The first address of a host name, all of them allowed: to be dialled, so that a second look-up cannot differ.
Result<std::string> ResolveProxyable(std::string_view host);

// Host and port of a node's kubelet, by the first type that the node has an address of.
Result<HostPort> KubeletOf(const core::Node& node, const std::vector<std::string>& preferred_types,
                           uint16_t default_port = 10250);

// id as in ".../pods/<id>/proxy". Ports may be numbers or names of the pod's container ports.
Result<HostPort> PodLocation(registry::Access& access, const Context& ctx, std::string_view ns, std::string_view id);
// A ready endpoint of the service, at random.
Result<HostPort> ServiceLocation(registry::Access& access, const Context& ctx, std::string_view ns,
                                 std::string_view id);

// As upstream's: what is missing on the way is said to be of the request's resource ("pods "node1" not found").
Status MissingFor(std::string_view resource, const Status& status, std::string_view name);

// The container that a request means: the one it names, or the only one. kBadRequest in upstream's words.
Result<std::string> ChooseContainer(const core::Pod& pod, std::string_view container);

}  // namespace knarr::proxy
