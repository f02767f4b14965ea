#include "pkg/kubelet/nodeinfo/addresses.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <memory>

#include "pkg/base/file.h"

namespace knarr::kubelet {

namespace {

constexpr unsigned kRouteUp = 0x1;

std::vector<std::string_view> Fields(std::string_view line) {
  std::vector<std::string_view> fields;
  for (;;) {
    const size_t start = line.find_first_not_of(" \t");
    if (start == std::string_view::npos) return fields;
    line.remove_prefix(start);
    const size_t end = std::min(line.find_first_of(" \t"), line.size());
    fields.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
}

uint64_t Number(std::string_view text, int base) {
  uint64_t value = std::numeric_limits<uint64_t>::max();
  std::from_chars(text.data(), text.data() + text.size(), value, base);
  return value;
}

struct Route {
  std::string_view interface;
  uint64_t metric = 0;
};

// ParseLine returns true for a usable default route.
template <typename ParseLine>
std::string BestInterface(std::string_view table, const ParseLine& parse) {
  std::string best;
  uint64_t best_metric = std::numeric_limits<uint64_t>::max();
  while (!table.empty()) {
    const size_t end = table.find('\n');
    Route route;
    if (parse(Fields(table.substr(0, end)), route) && route.metric < best_metric) {
      best = route.interface;
      best_metric = route.metric;
    }
    table.remove_prefix(end == std::string_view::npos ? table.size() : end + 1);
  }
  return best;
}

struct Parsed {
  int family = 0;  // AF_INET, AF_INET6; 0: not an address
  in_addr v4{};
  in6_addr v6{};
};

Parsed Parse(const std::string& text) {
  Parsed parsed;
  if (::inet_pton(AF_INET, text.c_str(), &parsed.v4) == 1) {
    parsed.family = AF_INET;
  } else if (::inet_pton(AF_INET6, text.c_str(), &parsed.v6) == 1) {
    parsed.family = AF_INET6;
  }
  return parsed;
}

bool IsLoopback(const Parsed& p) {
  return p.family == AF_INET ? (ntohl(p.v4.s_addr) >> 24) == 127 : IN6_IS_ADDR_LOOPBACK(&p.v6);
}
bool IsMulticast(const Parsed& p) {
  return p.family == AF_INET ? IN_MULTICAST(ntohl(p.v4.s_addr)) : IN6_IS_ADDR_MULTICAST(&p.v6);
}
bool IsLinkLocal(const Parsed& p) {
  return p.family == AF_INET ? (ntohl(p.v4.s_addr) >> 16) == 0xa9fe : IN6_IS_ADDR_LINKLOCAL(&p.v6);
}
bool IsUnspecified(const Parsed& p) {
  return p.family == AF_INET ? p.v4.s_addr == 0 : IN6_IS_ADDR_UNSPECIFIED(&p.v6);
}
bool IsUsable(const std::string& address) {
  const Parsed parsed = Parse(address);
  return parsed.family != 0 && !IsLoopback(parsed) && !IsMulticast(parsed) && !IsLinkLocal(parsed) &&
         !IsUnspecified(parsed);
}

Status CheckNodeIp(const std::string& address, const HostNetwork& network) {
  const Parsed parsed = Parse(address);
  if (parsed.family == 0) return Error(Code::kInvalid, "nodeIP must be a valid IP address: \"{}\"", address);
  if (IsLoopback(parsed)) return Error(Code::kInvalid, "nodeIP can't be loopback address");
  if (IsMulticast(parsed)) return Error(Code::kInvalid, "nodeIP can't be a multicast address");
  if (IsLinkLocal(parsed)) return Error(Code::kInvalid, "nodeIP can't be a link-local unicast address");
  const bool found = std::any_of(network.addresses.begin(), network.addresses.end(),
                                 [&](const InterfaceAddress& own) { return own.address == address; });
  if (!found) return Error(Code::kInvalid, "node IP: \"{}\" not found in the host's network interfaces", address);
  return {};
}

// The default route's interface first, then any interface.
std::string PickAddress(const HostNetwork& network, bool v6) {
  const std::string& preferred = v6 ? network.default_interface_v6 : network.default_interface_v4;
  std::string any;
  for (const InterfaceAddress& own : network.addresses) {
    if (own.v6 != v6 || !IsUsable(own.address)) continue;
    if (own.interface == preferred) return own.address;
    if (any.empty()) any = own.address;
  }
  return any;
}

}  // namespace

// Iface Destination Gateway Flags RefCnt Use Metric Mask ...
std::string DefaultInterfaceV4(std::string_view route_table) {
  return BestInterface(route_table, [](const std::vector<std::string_view>& fields, Route& route) {
    if (fields.size() < 8 || fields[1] != "00000000" || fields[7] != "00000000") return false;
    route = {fields[0], Number(fields[6], 10)};
    return (Number(fields[3], 16) & kRouteUp) != 0;
  });
}

// Destination length source length next-hop metric refs use flags interface, all hexadecimal.
std::string DefaultInterfaceV6(std::string_view route_table) {
  return BestInterface(route_table, [](const std::vector<std::string_view>& fields, Route& route) {
    if (fields.size() < 10 || fields[0].find_first_not_of('0') != std::string_view::npos || fields[1] != "00")
      return false;
    route = {fields[9], Number(fields[5], 16)};
    // Every machine has an unreachable default route on lo.
    return (Number(fields[8], 16) & kRouteUp) != 0 && fields[9] != "lo";
  });
}

Result<HostNetwork> ReadHostNetwork() {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return ErrnoError(errno, "list the network interfaces");
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, &::freeifaddrs);
  HostNetwork network;
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || (entry->ifa_flags & IFF_UP) == 0) continue;
    char text[INET6_ADDRSTRLEN];
    const int family = entry->ifa_addr->sa_family;
    const void* address = nullptr;
    if (family == AF_INET) address = &reinterpret_cast<const sockaddr_in*>(entry->ifa_addr)->sin_addr;
    if (family == AF_INET6) address = &reinterpret_cast<const sockaddr_in6*>(entry->ifa_addr)->sin6_addr;
    if (address == nullptr || ::inet_ntop(family, address, text, sizeof text) == nullptr) continue;
    network.addresses.push_back({entry->ifa_name, text, family == AF_INET6});
  }
  // Missing where the kernel has no such family.
  network.default_interface_v4 = DefaultInterfaceV4(ReadFile("/proc/net/route", 4 << 20).value_or(""));
  network.default_interface_v6 = DefaultInterfaceV6(ReadFile("/proc/net/ipv6_route", 4 << 20).value_or(""));
  return network;
}

Result<std::vector<std::string>> ChooseNodeIps(const std::vector<std::string>& node_ips, const HostNetwork& network) {
  std::vector<std::string> chosen;
  for (const std::string& wanted : node_ips) {
    const Parsed parsed = Parse(wanted);
    if (parsed.family != 0 && IsUnspecified(parsed)) {
      std::string picked = PickAddress(network, parsed.family == AF_INET6);
      if (!picked.empty()) chosen.push_back(std::move(picked));
      continue;
    }
    KNARR_TRY(CheckNodeIp(wanted, network));
    chosen.push_back(wanted);
  }
  if (chosen.empty()) chosen.push_back(PickAddress(network, false));
  if (chosen.front().empty()) chosen.front() = PickAddress(network, true);
  if (chosen.front().empty()) chosen.front() = "127.0.0.1";
  return chosen;
}

}  // namespace knarr::kubelet
