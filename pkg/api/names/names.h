// Checkers of names, each giving upstream's explanations of what is wrong; an empty list means valid.
// Mirrors: k8s.io/apimachinery/pkg/util/validation/validation.go, pkg/api/validation/generic.go
// Pure functions, linear in the length of their input.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace knarr::names {

using Messages = std::vector<std::string>;

Messages IsQualifiedName(std::string_view value);  // [prefix/]name: label and annotation keys, finalizers, resources
Messages IsValidLabelValue(std::string_view value);
Messages IsDNS1123Label(std::string_view value);
Messages IsDNS1123Subdomain(std::string_view value);
Messages IsDNS1123SubdomainWithUnderscore(std::string_view value);
Messages IsDNS1035Label(std::string_view value);
Messages IsWildcardDNS1123Subdomain(std::string_view value);
Messages IsCIdentifier(std::string_view value);
Messages IsValidPortNum(int64_t port);
Messages IsValidPortName(std::string_view port);
Messages IsInRange(int64_t value, int64_t min, int64_t max);
Messages IsValidUserID(int64_t uid);
Messages IsValidGroupID(int64_t gid);
Messages IsValidPercent(std::string_view percent);
Messages IsHTTPHeaderName(std::string_view value);
Messages IsEnvVarName(std::string_view value);
Messages IsRelaxedEnvVarName(std::string_view value);
Messages IsConfigMapKey(std::string_view value);
Messages IsValidIP(std::string_view value);
Messages IsValidIPv4Address(std::string_view value);
Messages IsValidIPv6Address(std::string_view value);
Messages IsValidCIDR(std::string_view value);
// acme.io/foo, as used for signer names and conditions.
Messages IsDomainPrefixedPath(std::string_view value);

// The names of objects. `prefix` is true for generateName: a trailing dash is then allowed.
Messages NameIsDNSSubdomain(std::string_view name, bool prefix);
Messages NameIsDNSLabel(std::string_view name, bool prefix);
Messages NameIsDNS1035Label(std::string_view name, bool prefix);

// As upstream parses addresses: leading zeros of IPv4 octets are decimal and allowed, IPv6 zones are not.
struct IpAddress {
  std::array<uint8_t, 16> bytes{};  // IPv4 as ::ffff:a.b.c.d
  bool is_v4 = false;               // also for IPv4 written as IPv6, as in Go
};
std::optional<IpAddress> ParseIPSloppy(std::string_view text);

std::string MaxLenError(int length);
std::string InclusiveRangeError(int64_t low, int64_t high);
std::string RegexError(std::string_view message, std::string_view format,
                       std::initializer_list<std::string_view> examples);

}  // namespace knarr::names
