#include "pkg/kubelet/network/pod_network.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/base/file.h"
#include "pkg/kubelet/network/hosts.h"

namespace knarr::kubelet {
namespace {

using Pod = k8s::io::api::core::v1::Pod;

constexpr size_t kMaxHostname = 63;
constexpr size_t kMaxKernelHostname = 64;
constexpr size_t kMaxHostsFile = 1 << 20;

bool IsDnsLabel(std::string_view text) {
  const auto alnum = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !text.empty() && text.size() <= kMaxHostname && alnum(text.front()) && alnum(text.back()) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return alnum(c) || c == '-'; });
}

ObjectRef RefOf(const Pod& pod) {
  return {"Pod", pod.metadata().namespace_(), pod.metadata().name(), pod.metadata().uid(), ""};
}

PodDnsInput DnsInputOf(const Pod& pod) {
  PodDnsInput input;
  input.pod = RefOf(pod);
  input.ns = pod.metadata().namespace_();
  input.policy = pod.spec().dnspolicy();
  input.host_network = pod.spec().hostnetwork();
  const auto& config = pod.spec().dnsconfig();
  input.nameservers.assign(config.nameservers().begin(), config.nameservers().end());
  input.searches.assign(config.searches().begin(), config.searches().end());
  for (const auto& option : config.options()) {
    input.options.push_back({option.name(), option.has_value() ? std::optional(option.value()) : std::nullopt});
  }
  return input;
}

// Same inode, and no write when nothing changed.
Status UpdateInPlace(const std::string& path, std::string_view content) {
  const UniqueFd fd = KNARR_TRY(OpenFile(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0644));
  const Result<std::string> old = ReadFd(fd.get(), kMaxHostsFile, path);
  if (old.ok() && *old == content) return {};
  if (::lseek(fd.get(), 0, SEEK_SET) != 0 || ::ftruncate(fd.get(), 0) != 0) return ErrnoError(errno, "truncate {}", path);
  KNARR_TRY(WriteAll(fd.get(), content, path));
  if (::fchmod(fd.get(), 0644) != 0) return ErrnoError(errno, "chmod {}", path);
  return {};
}

}  // namespace

Result<PodHostname> HostnameOf(const Pod& pod, std::string_view cluster_domain) {
  PodHostname result;
  result.hostname = pod.metadata().name();
  if (const std::string& wanted = pod.spec().hostname(); !wanted.empty()) {
    if (!IsDnsLabel(wanted)) return Error(Code::kInvalid, "pod Hostname \"{}\" is not a valid DNS label", wanted);
    result.hostname = wanted;
  }
  if (result.hostname.size() > kMaxHostname) {
    const std::string whole = result.hostname;
    result.hostname.resize(kMaxHostname);
    result.hostname.erase(result.hostname.find_last_not_of("-.") + 1);
    if (result.hostname.empty()) {
      return Error(Code::kInvalid, "hostname for pod \"{}\" was invalid: \"{}\"", pod.metadata().name(), whole);
    }
  }
  if (const std::string& subdomain = pod.spec().subdomain(); !subdomain.empty()) {
    if (!IsDnsLabel(subdomain)) return Error(Code::kInvalid, "pod Subdomain \"{}\" is not a valid DNS label", subdomain);
    result.domain = fmt::format("{}.{}.svc.{}", subdomain, pod.metadata().namespace_(), cluster_domain);
  }
  return result;
}

Result<std::string> KernelHostname(const PodHostname& name, bool set_hostname_as_fqdn) {
  if (!set_hostname_as_fqdn || name.domain.empty()) return name.hostname;
  std::string full = name.hostname + "." + name.domain;
  if (full.size() <= kMaxKernelHostname) return full;
  return Error(Code::kInvalid,
               "failed to construct FQDN from pod hostname and cluster domain, FQDN {} is too long ({} characters is the max, "
               "{} characters requested)",
               full, kMaxKernelHostname, full.size());
}

PodNetwork::PodNetwork(DnsOptions dns, EventRecorder& events, std::string root_dir, std::string node_hosts)
    : cluster_domain_(dns.cluster_domain),
      root_dir_(std::move(root_dir)),
      node_hosts_(std::move(node_hosts)),
      dns_(std::move(dns), events) {}

Result<PodNetwork::Settings> PodNetwork::SettingsFor(const Pod& pod, bool starts) const {
  Settings settings;
  PodDnsInput input = DnsInputOf(pod);
  input.quiet = !starts;
  settings.dns = KNARR_TRY(dns_.PodDns(input));
  if (!pod.spec().hostnetwork()) {
    settings.hostname = KNARR_TRY(KernelHostname(KNARR_TRY(HostnameOf(pod, cluster_domain_)), pod.spec().sethostnameasfqdn()));
  }
  return settings;
}

Result<std::string> PodNetwork::WriteHostsFile(const Pod& pod, const std::vector<std::string>& pod_ips) const {
  if (pod_ips.empty() && !pod.spec().hostnetwork()) return std::string();
  std::vector<HostAlias> aliases;
  for (const auto& alias : pod.spec().hostaliases()) {
    aliases.push_back({alias.ip(), {alias.hostnames().begin(), alias.hostnames().end()}});
  }
  std::string content;
  if (pod.spec().hostnetwork()) {
    content = NodeHostsFile(KNARR_TRY(ReadFile(node_hosts_, kMaxHostsFile)), aliases);
  } else {
    const PodHostname name = KNARR_TRY(HostnameOf(pod, cluster_domain_));
    content = ManagedHostsFile(pod_ips, name.hostname, name.domain, aliases);
  }
  const std::string directory = fmt::format("{}/pods/{}", root_dir_, pod.metadata().uid());
  KNARR_TRY(MakeDirs(directory, 0750));
  std::string path = directory + "/etc-hosts";
  KNARR_TRY(UpdateInPlace(path, content));
  return path;
}

}  // namespace knarr::kubelet
