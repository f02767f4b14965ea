#include "pkg/kubelet/network/dns.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "pkg/base/file.h"

namespace knarr::kubelet {
namespace {

constexpr size_t kMaxNameservers = 3;
constexpr size_t kMaxSearchPaths = 32;
constexpr size_t kMaxSearchListChars = 2048;
constexpr size_t kMaxSearchPath = 253;  // DNS1123SubdomainMaxLength
constexpr size_t kMaxResolvConf = 10 << 20;
constexpr std::string_view kBlanks = " \t\r\v\f";

std::vector<std::string_view> Fields(std::string_view line) {
  std::vector<std::string_view> fields;
  while (true) {
    const size_t begin = line.find_first_not_of(kBlanks);
    if (begin == std::string_view::npos) return fields;
    const size_t end = std::min(line.find_first_of(kBlanks, begin), line.size());
    fields.push_back(line.substr(begin, end - begin));
    line.remove_prefix(end);
  }
}

void AppendWithoutDuplicates(std::vector<std::string>& all, const std::vector<std::string>& more) {
  std::vector<std::string> unique;
  std::set<std::string_view> seen;
  for (const std::vector<std::string>* list : {&std::as_const(all), &more}) {
    for (const std::string& s : *list) {
      if (seen.insert(s).second) unique.push_back(s);
    }
  }
  all = std::move(unique);
}

// Upstream goes through a map, so its order is random; ours is the order of first appearance.
std::vector<std::string> MergeOptions(const std::vector<std::string>& existing, const std::vector<PodDnsOption>& more) {
  std::vector<std::pair<std::string, std::string>> merged;
  const auto set = [&merged](std::string name, std::string value) {
    const auto found = std::find_if(merged.begin(), merged.end(), [&](const auto& o) { return o.first == name; });
    if (found != merged.end()) {
      found->second = std::move(value);
    } else {
      merged.emplace_back(std::move(name), std::move(value));
    }
  };
  for (const std::string& option : existing) {
    const size_t colon = option.find(':');
    set(option.substr(0, colon), colon == std::string::npos ? "" : option.substr(colon + 1));
  }
  for (const PodDnsOption& option : more) set(option.name, option.value.value_or(""));
  std::vector<std::string> options;
  for (const auto& [name, value] : merged) options.push_back(value.empty() ? name : name + ":" + value);
  return options;
}

enum class DnsType { kCluster, kHost, kNone };

// An unknown policy is treated as ClusterFirst, as upstream does; validation has refused it before.
DnsType TypeOf(const PodDnsInput& pod) {
  if (pod.policy == "None") return DnsType::kNone;
  if (pod.policy == "Default") return DnsType::kHost;
  if (pod.policy == "ClusterFirst" && pod.host_network) return DnsType::kHost;
  return DnsType::kCluster;
}

std::vector<std::string> LoopbackServers(const std::vector<std::string>& node_ips) {
  std::vector<std::string> servers;
  for (const std::string& ip : node_ips) servers.emplace_back(ip.find(':') != std::string::npos ? "::1" : "127.0.0.1");
  if (servers.empty()) servers.emplace_back("127.0.0.1");
  return servers;
}

std::string Join(const std::vector<std::string>& list) { return fmt::format("{}", fmt::join(list, " ")); }

// Cuts the list to the limits; false when nothing had to go.
bool CutSearches(std::vector<std::string>& searches) {
  bool cut = false;
  if (searches.size() > kMaxSearchPaths) {
    searches.resize(kMaxSearchPaths);
    cut = true;
  }
  // glibc 2.28 aborts on a search path longer than 255 characters.
  cut |= std::erase_if(searches, [](const std::string& s) { return s.size() > kMaxSearchPath; }) > 0;
  while (!searches.empty() && Join(searches).size() > kMaxSearchListChars) {
    searches.pop_back();
    cut = true;
  }
  return cut;
}

}  // namespace

Result<DnsConfig> ParseResolvConf(std::string_view content) {
  DnsConfig config;
  bool empty_nameserver = false;
  while (!content.empty()) {
    const size_t end = std::min(content.find('\n'), content.size());
    const std::vector<std::string_view> fields = Fields(content.substr(0, end));
    content.remove_prefix(std::min(end + 1, content.size()));
    if (fields.empty() || fields[0].starts_with('#')) continue;
    if (fields[0] == "nameserver") {
      if (fields.size() < 2) {
        empty_nameserver = true;
      } else {
        config.servers.emplace_back(fields[1]);
      }
    } else if (fields[0] == "search") {
      config.searches.clear();
      for (size_t i = 1; i < fields.size(); ++i) {
        std::string_view domain = fields[i];
        if (domain.ends_with('.')) domain.remove_suffix(1);
        config.searches.emplace_back(domain);
      }
    } else if (fields[0] == "options") {
      config.options.assign(fields.begin() + 1, fields.end());
    }
  }
  if (empty_nameserver) return Error(Code::kInvalid, "nameserver list is empty ");
  return config;
}

Result<DnsConfig> DnsConfigurer::HostDns() const {
  if (options_.resolv_conf.empty()) return DnsConfig();
  const std::string content = KNARR_TRY(ReadFile(options_.resolv_conf, kMaxResolvConf));
  return KNARR_TRY_CTX(ParseResolvConf(content), "{}", options_.resolv_conf);
}

Result<DnsConfig> DnsConfigurer::PodDns(const PodDnsInput& pod) const {
  DnsConfig config = KNARR_TRY(HostDns());
  DnsType type = TypeOf(pod);
  if (type == DnsType::kCluster && options_.cluster_dns.empty()) {
    constexpr std::string_view kMissing =
        "kubelet does not have ClusterDNS IP configured and cannot create Pod using \"ClusterFirst\" policy. Falling "
        "back to \"Default\" policy.";
    if (!pod.quiet) {
      events_.Record(options_.node, EventType::kWarning, "MissingClusterDNS", std::string(kMissing));
      events_.Record(pod.pod, EventType::kWarning, "MissingClusterDNS",
                     fmt::format("pod: \"{}_{}({})\". {}", pod.pod.name, pod.pod.ns, pod.pod.uid, kMissing));
    }
    type = DnsType::kHost;
  }
  switch (type) {
    case DnsType::kNone:
      config = {};
      break;
    case DnsType::kCluster:
      config.servers = options_.cluster_dns;
      if (const std::string& domain = options_.cluster_domain; !domain.empty()) {
        std::vector<std::string> cluster = {fmt::format("{}.svc.{}", pod.ns, domain), "svc." + domain, domain};
        AppendWithoutDuplicates(cluster, config.searches);
        config.searches = std::move(cluster);
      }
      config.options = {"ndots:5"};
      break;
    case DnsType::kHost:
      // --resolv-conf="": lookups go to the local machine, which is what resolvers do without a nameserver.
      if (options_.resolv_conf.empty()) {
        config.servers = LoopbackServers(options_.node_ips);
        config.searches = {"."};
      }
      break;
  }
  if (!pod.nameservers.empty() || !pod.searches.empty() || !pod.options.empty()) {
    AppendWithoutDuplicates(config.servers, pod.nameservers);
    AppendWithoutDuplicates(config.searches, pod.searches);
    config.options = MergeOptions(config.options, pod.options);
  }
  return FitLimits(std::move(config), pod);
}

DnsConfig DnsConfigurer::FitLimits(DnsConfig config, const PodDnsInput& pod) const {
  const auto warn = [&](std::string text) {
    if (!pod.quiet) events_.Record(pod.pod, EventType::kWarning, "DNSConfigForming", std::move(text));
  };
  if (config.servers.size() > kMaxNameservers) {
    config.servers.resize(kMaxNameservers);
    warn(fmt::format("Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: {}",
                     Join(config.servers)));
  }
  if (CutSearches(config.searches)) {
    warn(fmt::format("Search Line limits were exceeded, some search paths have been omitted, the applied search line is: {}",
                     Join(config.searches)));
  }
  return config;
}

void DnsConfigurer::CheckLimitsForResolvConf() const {
  const auto warn = [this](std::string text) {
    events_.Record(options_.node, EventType::kWarning, "CheckLimitsForResolvConf", std::move(text));
  };
  const Result<DnsConfig> host = HostDns();
  if (!host.ok()) return warn(std::string(host.error().message()));
  const size_t limit = kMaxSearchPaths - (options_.cluster_domain.empty() ? 0 : 3);
  const std::string& file = options_.resolv_conf;
  if (host->searches.size() > limit) {
    return warn(fmt::format("Resolv.conf file '{}' contains search line consisting of more than {} domains!", file, limit));
  }
  for (const std::string& search : host->searches) {
    if (search.size() <= kMaxSearchPath) continue;
    return warn(fmt::format("Resolv.conf file \"{}\" contains a search path which length is more than allowed {} chars!",
                            file, kMaxSearchPath));
  }
  if (Join(host->searches).size() > kMaxSearchListChars) {
    warn(fmt::format("Resolv.conf file '{}' contains search line which length is more than allowed {} chars!", file,
                     kMaxSearchListChars));
  }
}

}  // namespace knarr::kubelet
