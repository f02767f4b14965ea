// DNS, host aliases and the host's network.
#include <fmt/format.h>

#include "pkg/api/core/validation/internal.h"

namespace knarr::api::validation {
namespace {

constexpr int kNameserversMax = 3;
constexpr int kSearchPathsMax = 32;
constexpr size_t kSearchListMax = 2048;

void ValidateSearches(const core::PodDNSConfig& config, const Path& list, const PodValidationOptions& options,
                      ErrorList& errors) {
  if (config.searches_size() > kSearchPathsMax) {
    errors.push_back(field::InvalidLiteral(list, GoStrings(config.searches()),
                                           fmt::format("must not have more than {} search paths", kSearchPathsMax)));
  }
  size_t length = 0;
  for (const std::string& search : config.searches()) length += search.size() + 1;
  if (length > kSearchListMax + 1) {
    errors.push_back(field::InvalidLiteral(
        list, GoStrings(config.searches()),
        fmt::format("must not have more than {} characters (including spaces) in the search list", kSearchListMax)));
  }
  for (int i = 0; i < config.searches_size(); ++i) {
    std::string_view search = config.searches(i);
    if (options.allow_relaxed_dns_search_validation && search == ".") continue;
    if (search.ends_with('.')) search.remove_suffix(1);
    AddInvalid(errors, list.Index(static_cast<size_t>(i)), search,
               options.allow_relaxed_dns_search_validation ? names::IsDNS1123SubdomainWithUnderscore(search)
                                                           : names::IsDNS1123Subdomain(search));
  }
}

void ValidateDNSConfig(const core::PodDNSConfig& config, const Path& path, const PodValidationOptions& options,
                       ErrorList& errors) {
  const Path nameservers = path.Child("nameservers");
  if (config.nameservers_size() > kNameserversMax) {
    errors.push_back(field::InvalidLiteral(nameservers, GoStrings(config.nameservers()),
                                           fmt::format("must not have more than {} nameservers", kNameserversMax)));
  }
  for (int i = 0; i < config.nameservers_size(); ++i) {
    AddInvalid(errors, nameservers.Index(static_cast<size_t>(i)), config.nameservers(i),
               names::IsValidIP(config.nameservers(i)));
  }
  ValidateSearches(config, path.Child("searches"), options, errors);
  for (int i = 0; i < config.options_size(); ++i) {
    if (config.options(i).name().empty()) {
      errors.push_back(field::Required(path.Child("options").Index(static_cast<size_t>(i)), "must not be empty"));
    }
  }
}

}  // namespace

void ValidatePodDNS(const core::PodSpec& spec, const Path& path, const PodValidationOptions& options,
                    ErrorList& errors) {
  if (spec.dnspolicy() == "None") {
    if (!spec.has_dnsconfig()) {
      errors.push_back(field::Required(path, "must provide `dnsConfig` when `dnsPolicy` is None"));
      return;
    }
    if (spec.dnsconfig().nameservers().empty()) {
      errors.push_back(field::Required(path.Child("nameservers"),
                                       "must provide at least one DNS nameserver when `dnsPolicy` is None"));
      return;
    }
  }
  if (spec.has_dnsconfig()) ValidateDNSConfig(spec.dnsconfig(), path, options, errors);
}

void ValidateHostAliases(const core::PodSpec& spec, const Path& list, ErrorList& errors) {
  for (int i = 0; i < spec.hostaliases_size(); ++i) {
    const core::HostAlias& alias = spec.hostaliases(i);
    const Path path = list.Index(static_cast<size_t>(i));
    AddInvalid(errors, path.Child("ip"), alias.ip(), names::IsValidIP(alias.ip()));
    for (int j = 0; j < alias.hostnames_size(); ++j) {
      AddInvalid(errors, path.Child("hostnames").Index(static_cast<size_t>(j)), alias.hostnames(j),
                 names::IsDNS1123Subdomain(alias.hostnames(j)));
    }
  }
}

void ValidatePodHostNetworkDeps(const core::PodSpec& spec, const Path& spec_path, const PodValidationOptions& options,
                                ErrorList& errors) {
  if (!spec.hostnetwork()) return;
  for (int i = 0; i < spec.containers_size(); ++i) {
    const Path ports = spec_path.Child("containers").Index(static_cast<size_t>(i)).Child("ports");
    for (int j = 0; j < spec.containers(i).ports_size(); ++j) {
      const core::ContainerPort& port = spec.containers(i).ports(j);
      const bool must_match = options.resource_is_pod || port.hostport() != 0;
      if (must_match && port.hostport() != port.containerport()) {
        errors.push_back(field::Invalid(ports.Index(static_cast<size_t>(j)).Child("hostPort"), port.hostport(),
                                        "must match `containerPort` when `hostNetwork` is true"));
      }
    }
  }
}

}  // namespace knarr::api::validation
