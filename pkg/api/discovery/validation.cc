#include "pkg/api/discovery/validation.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "k8s.io/api/discovery/v1/generated.pb.h"
#include "pkg/api/meta/validation.h"
#include "pkg/api/rules/rules.h"

namespace knarr::api {
namespace {

using field::ErrorList;
using field::Path;

constexpr int kMaxTopologyLabels = 16;
constexpr int kMaxAddresses = 100;
constexpr int kMaxPorts = 20000;
constexpr int kMaxEndpoints = 1000;
constexpr int kMaxZoneHints = 8;
constexpr const char* kZone = "topology.kubernetes.io/zone";

// Addresses that a proxy must not send anything to.
void ValidateEndpointIp(ErrorList& errors, const Path& path, const std::string& address) {
  const auto ip = names::ParseIPSloppy(address);
  if (!ip) {
    errors.push_back(field::Invalid(path, address, "must be a valid IP address"));
    return;
  }
  const auto& b = ip->bytes;
  const auto zeros = [&](size_t from, size_t to) {
    return std::all_of(b.begin() + static_cast<long>(from), b.begin() + static_cast<long>(to),
                       [](uint8_t byte) { return byte == 0; });
  };
  if (ip->is_v4 ? zeros(12, 16) : zeros(0, 16)) {
    errors.push_back(field::Invalid(path, address, fmt::format("may not be unspecified ({})", address)));
  }
  if (ip->is_v4 ? b[12] == 127 : zeros(0, 15) && b[15] == 1) {
    errors.push_back(field::Invalid(path, address, "may not be in the loopback range (127.0.0.0/8, ::1/128)"));
  }
  if (ip->is_v4 ? b[12] == 169 && b[13] == 254 : b[0] == 0xfe && (b[1] & 0xc0) == 0x80) {
    errors.push_back(field::Invalid(path, address, "may not be in the link-local range (169.254.0.0/16, fe80::/10)"));
  }
  if (ip->is_v4 ? b[12] == 224 && b[13] == 0 && b[14] == 0 : b[0] == 0xff && (b[1] & 0x0f) == 2) {
    errors.push_back(
        field::Invalid(path, address, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"));
  }
}

void ValidateDomainName(ErrorList& errors, const Path& path, std::string_view name) {
  if (name.empty()) {
    errors.push_back(field::Required(path, ""));
    return;
  }
  if (name.ends_with('.')) name.remove_suffix(1);
  if (const auto messages = names::IsDNS1123Subdomain(name); !messages.empty()) {
    errors.push_back(field::Invalid(path, name, fmt::format("{}", fmt::join(messages, ","))));
    return;
  }
  if (name.find('.') == std::string_view::npos) {
    errors.push_back(field::Invalid(path, name, "should be a domain with at least two segments separated by dots"));
    return;
  }
  while (!name.empty()) {
    const size_t dot = name.find('.');
    const std::string_view label = name.substr(0, dot);
    if (const auto messages = names::IsDNS1123Label(label); !messages.empty()) {
      errors.push_back(field::Invalid(path, label, fmt::format("{}", fmt::join(messages, ","))));
      return;
    }
    name = dot == std::string_view::npos ? std::string_view() : name.substr(dot + 1);
  }
}

void ValidateHints(ErrorList& errors, const Path& path, const discovery::EndpointHints& hints) {
  if (hints.forzones_size() > kMaxZoneHints) {
    errors.push_back(field::TooMany(path, hints.forzones_size(), kMaxZoneHints));
    return;
  }
  std::set<std::string> seen;
  for (int i = 0; i < hints.forzones_size(); ++i) {
    const Path at = path.Index(static_cast<size_t>(i)).Child("name");
    const std::string& zone = hints.forzones(i).name();
    if (!seen.insert(zone).second) errors.push_back(field::Duplicate(at, zone));
    rules::AddInvalid(errors, at, zone, names::IsValidLabelValue(zone));
  }
}

void ValidateEndpoint(ErrorList& errors, const Path& path, const discovery::Endpoint& endpoint,
                      const std::string& type) {
  const Path addresses = path.Child("addresses");
  if (endpoint.addresses_size() == 0) {
    errors.push_back(field::Required(addresses, "must contain at least 1 address"));
  } else if (endpoint.addresses_size() > kMaxAddresses) {
    errors.push_back(field::TooMany(addresses, endpoint.addresses_size(), kMaxAddresses));
  }
  for (int i = 0; i < endpoint.addresses_size(); ++i) {
    const Path at = addresses.Index(static_cast<size_t>(i));
    const std::string& address = endpoint.addresses(i);
    if (type == "IPv4") {
      rules::AddInvalid(errors, at, address, names::IsValidIPv4Address(address));
      ValidateEndpointIp(errors, at, address);
    } else if (type == "IPv6") {
      rules::AddInvalid(errors, at, address, names::IsValidIPv6Address(address));
      ValidateEndpointIp(errors, at, address);
    } else if (type == "FQDN") {
      ValidateDomainName(errors, at, address);
    }
  }
  if (endpoint.has_nodename()) {
    rules::AddInvalid(errors, path.Child("nodeName"), endpoint.nodename(),
                      names::NameIsDNSSubdomain(endpoint.nodename(), false));
  }
  const Path topology = path.Child("deprecatedTopology");
  const auto& labels = endpoint.deprecatedtopology();
  if (labels.size() > kMaxTopologyLabels) {
    errors.push_back(field::TooMany(topology, static_cast<int64_t>(labels.size()), kMaxTopologyLabels));
  }
  field::Append(errors, ValidateLabels(labels, topology));
  if (labels.contains(kZone)) {
    errors.push_back(field::InternalError(topology.Key(kZone), "reserved key was not removed in conversion"));
  }
  if (endpoint.has_hostname()) {
    rules::AddInvalid(errors, path.Child("hostname"), endpoint.hostname(), names::IsDNS1123Label(endpoint.hostname()));
  }
  if (endpoint.has_hints()) ValidateHints(errors, path.Child("hints.forZones"), endpoint.hints());
}

void ValidatePorts(ErrorList& errors, const discovery::EndpointSlice& slice) {
  const Path path("ports");
  if (slice.ports_size() > kMaxPorts) {
    errors.push_back(field::TooMany(path, slice.ports_size(), kMaxPorts));
    return;
  }
  std::set<std::string> seen;
  for (int i = 0; i < slice.ports_size(); ++i) {
    const auto& port = slice.ports(i);
    const Path at = path.Index(static_cast<size_t>(i));
    if (!port.name().empty()) {
      rules::AddInvalid(errors, at.Child("name"), port.name(), names::IsDNS1123Label(port.name()));
    }
    if (!seen.insert(port.name()).second) errors.push_back(field::Duplicate(at.Child("name"), port.name()));
    const std::string& protocol = port.protocol();
    if (!port.has_protocol()) {
      errors.push_back(field::Required(at.Child("protocol"), ""));
    } else if (protocol != "SCTP" && protocol != "TCP" && protocol != "UDP") {
      errors.push_back(field::NotSupported(at.Child("protocol"), protocol, {"SCTP", "TCP", "UDP"}));
    }
    if (port.has_appprotocol()) {
      rules::AddInvalid(errors, at.Child("appProtocol"), port.appprotocol(),
                        names::IsQualifiedName(port.appprotocol()));
    }
  }
}

}  // namespace

void SetDefaults(discovery::EndpointSlice& slice) {
  for (auto& port : *slice.mutable_ports()) {
    if (!port.has_name()) port.set_name("");
    if (!port.has_protocol()) port.set_protocol("TCP");
  }
}

field::ErrorList ValidateEndpointSlice(const discovery::EndpointSlice& slice) {
  static constexpr std::string_view kTypes[] = {"FQDN", "IPv4", "IPv6"};
  ErrorList errors;
  rules::RequireOneOf(errors, Path("addressType"), slice.addresstype(), kTypes);
  const Path endpoints("endpoints");
  if (slice.endpoints_size() > kMaxEndpoints) {
    errors.push_back(field::TooMany(endpoints, slice.endpoints_size(), kMaxEndpoints));
  } else {
    for (int i = 0; i < slice.endpoints_size(); ++i) {
      ValidateEndpoint(errors, endpoints.Index(static_cast<size_t>(i)), slice.endpoints(i), slice.addresstype());
    }
  }
  ValidatePorts(errors, slice);
  return errors;
}

field::ErrorList ValidateEndpointSliceUpdate(const discovery::EndpointSlice& updated,
                                             const discovery::EndpointSlice& old) {
  ErrorList errors = ValidateEndpointSlice(updated);
  rules::ImmutableText(errors, Path("addressType"), updated.addresstype(), old.addresstype());
  return errors;
}

}  // namespace knarr::api
