#include "pkg/apiserver/proxy/location.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <functional>
#include <memory>
#include <random>

#include <fmt/ranges.h>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/errors/errors.h"
#include "pkg/net/stream.h"

namespace knarr::proxy {
namespace {

Status NotAllowed() {
  return errors::BadRequest("address not allowed");
}

bool ProxyableV4(uint32_t address) {
  const bool loopback = address >> 24 == 127;
  const bool link_local = address >> 16 == 0xa9fe;
  const bool local_multicast = address >> 8 == 0xe00000;
  return !loopback && !link_local && !local_multicast;
}

bool Proxyable(const in6_addr& a) {
  if (IN6_IS_ADDR_V4MAPPED(&a)) {
    uint32_t v4 = 0;
    std::memcpy(&v4, a.s6_addr + 12, sizeof(v4));
    return ProxyableV4(ntohl(v4));
  }
  return !IN6_IS_ADDR_LOOPBACK(&a) && !IN6_IS_ADDR_LINKLOCAL(&a) && !IN6_IS_ADDR_MC_LINKLOCAL(&a) &&
         !IN6_IS_ADDR_MC_NODELOCAL(&a);
}

std::optional<int64_t> Number(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

size_t Random(int below) {
  thread_local std::minstd_rand engine{std::random_device{}()};
  return std::uniform_int_distribution<size_t>(0, static_cast<size_t>(below) - 1)(engine);
}

// Calls fn with the name of each container, until it returns false. Mirrors: podutil.VisitContainers
void VisitContainers(const core::Pod& pod, const std::function<bool(const std::string&)>& fn) {
  for (const auto& c : pod.spec().initcontainers()) {
    if (!fn(c.name())) return;
  }
  for (const auto& c : pod.spec().containers()) {
    if (!fn(c.name())) return;
  }
  for (const auto& c : pod.spec().ephemeralcontainers()) {
    if (!fn(c.ephemeralcontainercommon().name())) return;
  }
}

std::string PodIP(const core::Pod& pod) {
  return pod.status().podips_size() > 0 ? pod.status().podips(0).ip() : pod.status().podip();
}

// An address of a service counts only while it is that of a pod in the same namespace: endpoints are written by
// users too.
bool ValidAddress(registry::Access& access, const Context& ctx, std::string_view ns, const core::EndpointAddress& a) {
  if (!a.has_targetref() || a.targetref().namespace_() != ns) return false;
  const Result<registry::ObjectRef> pod = access.Get(ctx, {"", "pods"}, ns, a.targetref().name());
  if (!pod.ok()) return false;
  const auto& status = (*pod)->As<core::Pod>().status();
  if (!a.ip().empty() && status.podip() == a.ip()) return true;
  return std::any_of(status.podips().begin(), status.podips().end(), [&](const auto& p) { return p.ip() == a.ip(); });
}

}  // namespace

std::optional<SchemeNamePort> SplitSchemeNamePort(std::string_view id) {
  std::vector<std::string> parts;
  for (;;) {
    const size_t colon = id.find(':');
    parts.emplace_back(id.substr(0, colon));
    if (colon == std::string_view::npos) break;
    id.remove_prefix(colon + 1);
  }
  SchemeNamePort out;
  switch (parts.size()) {
    case 1: out.name = parts[0]; break;
    case 2: out = {"", parts[0], parts[1]}; break;
    case 3: out = {parts[0], parts[1], parts[2]}; break;
    default: return std::nullopt;
  }
  const bool known = out.scheme.empty() || out.scheme == "http" || out.scheme == "https";
  if (out.name.empty() || !known) return std::nullopt;
  return out;
}

Status CheckProxyableIP(std::string_view ip) {
  const std::string text(ip);
  in_addr v4{};
  in6_addr v6{};
  if (::inet_pton(AF_INET, text.c_str(), &v4) == 1) return ProxyableV4(ntohl(v4.s_addr)) ? Status() : NotAllowed();
  if (::inet_pton(AF_INET6, text.c_str(), &v6) == 1) return Proxyable(v6) ? Status() : NotAllowed();
  return NotAllowed();
}

Result<std::string> ResolveProxyable(std::string_view host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int rc = ::getaddrinfo(std::string(host).c_str(), nullptr, &hints, &found);
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, [](addrinfo* a) {
    if (a != nullptr) ::freeaddrinfo(a);
  });
  if (rc != 0) return errors::BadRequest(fmt::format("lookup {}: {}", host, ::gai_strerror(rc)));
  std::string first;
  for (const addrinfo* a = found; a != nullptr; a = a->ai_next) {
    char text[NI_MAXHOST] = {};
    if (::getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof(text), nullptr, 0, NI_NUMERICHOST) != 0) continue;
    KNARR_TRY(CheckProxyableIP(text));
    if (first.empty()) first = text;
  }
  if (first.empty()) return errors::BadRequest("No addresses for hostname");
  return first;
}

Result<HostPort> KubeletOf(const core::Node& node, const std::vector<std::string>& preferred_types,
                           uint16_t default_port) {
  for (const std::string& type : preferred_types) {
    for (const auto& address : node.status().addresses()) {
      if (address.type() != type) continue;
      const int32_t port = node.status().daemonendpoints().kubeletendpoint().port();
      return HostPort{.scheme = "https",
                      .host = address.address(),
                      .port = port > 0 && port <= 65535 ? static_cast<uint16_t>(port) : default_port};
    }
  }
  std::vector<std::string> known;
  for (const auto& address : node.status().addresses())
    known.push_back(fmt::format("{{{} {}}}", address.type(), address.address()));
  return Error(Code::kUnknown, "no preferred addresses found; known addresses: [{}]", fmt::join(known, " "));
}

Result<HostPort> PodLocation(registry::Access& access, const Context& ctx, std::string_view ns, std::string_view id) {
  const std::optional<SchemeNamePort> parts = SplitSchemeNamePort(id);
  if (!parts) return errors::BadRequest(fmt::format("invalid pod request \"{}\"", id));
  const registry::ObjectRef object = KNARR_TRY(access.Get(ctx, {"", "pods"}, ns, parts->name));
  const auto& pod = object->As<core::Pod>();
  HostPort out{.scheme = parts->scheme, .host = PodIP(pod)};
  KNARR_TRY(CheckProxyableIP(out.host));
  if (const auto number = Number(parts->port)) {
    if (*number < 1 || *number > 65535) return errors::BadRequest(fmt::format("invalid pod request \"{}\"", id));
    out.port = static_cast<uint16_t>(*number);
    return out;
  }
  for (const auto& container : pod.spec().containers()) {
    for (const auto& port : container.ports()) {
      // Without a port: the first that the pod declares.
      if (!parts->port.empty() && port.name() != parts->port) continue;
      out.port = static_cast<uint16_t>(port.containerport());
      return out;
    }
  }
  if (!parts->port.empty()) return errors::BadRequest(fmt::format("invalid pod request \"{}\"", id));
  return out;
}

Result<HostPort> ServiceLocation(registry::Access& access, const Context& ctx, std::string_view ns,
                                 std::string_view id) {
  const std::optional<SchemeNamePort> parts = SplitSchemeNamePort(id);
  if (!parts) return errors::BadRequest(fmt::format("invalid service request \"{}\"", id));
  std::string port = parts->port;
  const auto unavailable = [](std::string_view text) { return Status(Code::kServiceUnavailable, std::string(text)); };
  if (const auto number = Number(port)) {
    // Endpoints know the port by its name.
    const registry::ObjectRef object = KNARR_TRY(access.Get(ctx, {"", "services"}, ns, parts->name));
    const auto& ports = object->As<core::Service>().spec().ports();
    const auto found = std::find_if(ports.begin(), ports.end(), [&](const auto& p) { return p.port() == *number; });
    if (found == ports.end())
      return unavailable(fmt::format("no service port {} found for service \"{}\"", *number, parts->name));
    port = found->name();
  }
  const Result<registry::ObjectRef> object = access.Get(ctx, {"", "endpoints"}, ns, parts->name);
  if (!object.ok()) return MissingFor("services", object.status(), parts->name);
  const auto& endpoints = (*object)->As<core::Endpoints>();
  const int subsets = endpoints.subsets_size();
  if (subsets == 0) return unavailable(fmt::format("no endpoints available for service \"{}\"", parts->name));
  const size_t first = Random(subsets);
  for (int i = 0; i < subsets; ++i) {
    const auto& subset =
        endpoints.subsets(static_cast<int>((first + static_cast<size_t>(i)) % static_cast<size_t>(subsets)));
    const int addresses = subset.addresses_size();
    if (addresses == 0) continue;
    for (const auto& p : subset.ports()) {
      if (p.name() != port) continue;
      const size_t begin = Random(addresses);
      for (int j = 0; j < addresses; ++j) {
        const auto& address =
            subset.addresses(static_cast<int>((begin + static_cast<size_t>(j)) % static_cast<size_t>(addresses)));
        if (!ValidAddress(access, ctx, ns, address)) continue;
        // Endpoints may be written by hand: validation refuses such addresses, this does again.
        KNARR_TRY(CheckProxyableIP(address.ip()));
        return HostPort{.scheme = parts->scheme, .host = address.ip(), .port = static_cast<uint16_t>(p.port())};
      }
    }
  }
  return unavailable(fmt::format("no endpoints available for service \"{}\"", id));
}

Status MissingFor(std::string_view resource, const Status& status, std::string_view name) {
  return status.Is(Code::kNotFound) ? errors::NotFound("", resource, name) : status;
}

Result<std::string> ChooseContainer(const core::Pod& pod, std::string_view container) {
  if (!container.empty()) {
    bool found = false;
    VisitContainers(pod, [&](const std::string& name) {
      found = name == container;
      return !found;
    });
    if (found) return std::string(container);
    return errors::BadRequest(fmt::format("container {} is not valid for pod {}", container, pod.metadata().name()));
  }
  if (pod.spec().containers_size() == 1) return pod.spec().containers(0).name();
  std::vector<std::string> names;
  VisitContainers(pod, [&](const std::string& name) {
    names.push_back(name);
    return true;
  });
  if (pod.spec().containers_size() == 0)
    return errors::BadRequest(fmt::format("a container name must be specified for pod {}", pod.metadata().name()));
  return errors::BadRequest(fmt::format("a container name must be specified for pod {}, choose one of: [{}]",
                                        pod.metadata().name(), fmt::join(names, " ")));
}

}  // namespace knarr::proxy
