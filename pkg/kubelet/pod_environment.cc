#include "pkg/kubelet/pod_environment.h"

#include <fcntl.h>

#include <cerrno>

#include "pkg/base/file.h"
#include "pkg/kubelet/network/hosts.h"

namespace knarr::kubelet {
namespace {

constexpr size_t kMaxHostname = 63;

PodDnsInput DnsInputOf(const core::Pod& pod) {
  const core::PodSpec& spec = pod.spec();
  PodDnsInput input{.pod = {.kind = "Pod", .ns = pod.metadata().namespace_(), .name = pod.metadata().name(), .uid = pod.metadata().uid(), .field_path = ""},
                    .ns = pod.metadata().namespace_(),
                    .policy = spec.dnspolicy(),
                    .host_network = spec.hostnetwork(),
                    .nameservers = {},
                    .searches = {},
                    .options = {}};
  const core::PodDNSConfig& config = spec.dnsconfig();
  input.nameservers.assign(config.nameservers().begin(), config.nameservers().end());
  input.searches.assign(config.searches().begin(), config.searches().end());
  for (const core::PodDNSConfigOption& option : config.options()) {
    input.options.push_back({option.name(), option.has_value() ? std::optional(option.value()) : std::nullopt});
  }
  return input;
}

std::vector<HostAlias> AliasesOf(const core::Pod& pod) {
  std::vector<HostAlias> aliases;
  for (const core::HostAlias& alias : pod.spec().hostaliases()) {
    aliases.push_back({alias.ip(), {alias.hostnames().begin(), alias.hostnames().end()}});
  }
  return aliases;
}

}  // namespace

std::string PodHostname(const core::Pod& pod) {
  if (!pod.spec().hostname().empty()) return pod.spec().hostname();
  std::string name = pod.metadata().name().substr(0, kMaxHostname);
  while (!name.empty() && (name.back() == '-' || name.back() == '.')) name.pop_back();
  return name;
}

std::string PodDomain(const core::Pod& pod, const std::string& cluster_domain) {
  if (pod.spec().subdomain().empty() || cluster_domain.empty()) return "";
  return fmt::format("{}.{}.svc.{}", pod.spec().subdomain(), pod.metadata().namespace_(), cluster_domain);
}

Result<PodNetworkSettings> PodEnvironment::NetworkSettings(const core::Pod& pod) const {
  DnsConfig dns = KNARR_TRY(dns_.PodDns(DnsInputOf(pod)));
  PodNetworkSettings settings{.hostname = "",
                              .dns_servers = std::move(dns.servers),
                              .dns_searches = std::move(dns.searches),
                              .dns_options = std::move(dns.options)};
  if (pod.spec().hostnetwork()) return settings;
  settings.hostname = PodHostname(pod);
  if (pod.spec().sethostnameasfqdn()) {
    if (const std::string domain = PodDomain(pod, cluster_domain_); !domain.empty()) settings.hostname += "." + domain;
    if (settings.hostname.size() > 64) {
      return Error(Code::kInvalid, "failed to construct FQDN from pod hostname and cluster domain, FQDN {} is too long (64 characters is the max, {} characters requested)",
                   settings.hostname, settings.hostname.size());
    }
  }
  return settings;
}

Result<std::string> PodEnvironment::HostsFile(const core::Pod& pod, const std::vector<std::string>& pod_ips) const {
  const std::string directory = fmt::format("{}/pods/{}", root_dir_, pod.metadata().uid());
  KNARR_TRY(MakeDirs(directory, 0750));
  std::string content;
  if (pod.spec().hostnetwork()) {
    // A node without /etc/hosts gives its pods only their aliases.
    const Result<std::string> node = ReadFile("/etc/hosts", 1 << 20);
    content = NodeHostsFile(node.ok() ? *node : std::string(), AliasesOf(pod));
  } else {
    content = ManagedHostsFile(pod_ips, PodHostname(pod), PodDomain(pod, cluster_domain_), AliasesOf(pod));
  }
  const std::string path = directory + "/etc-hosts";
  // Containers have the file itself mounted: it is rewritten in place, never renamed over.
  if (const Result<std::string> old = ReadFile(path, 1 << 20); old.ok() && *old == content) return path;
  const UniqueFd fd = KNARR_TRY(OpenFile(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0644));
  if (::fchmod(fd.get(), 0644) != 0) return ErrnoError(errno, "chmod {}", path);
  KNARR_TRY(WriteAll(fd.get(), content, path));
  return path;
}

}  // namespace knarr::kubelet
