// Addresses as Kubernetes accepts them: Go's parser of before 1.17, which allowed leading zeros in IPv4.
#include <algorithm>
#include <charconv>
#include <string>

#include <arpa/inet.h>

#include "pkg/api/names/names.h"

namespace knarr::names {
namespace {

bool ParseNumber(std::string_view digits, unsigned max, unsigned* value) {
  if (digits.empty() || !std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    return false;
  }
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), *value);
  return error == std::errc() && end == digits.data() + digits.size() && *value <= max;
}

bool ParseV4(std::string_view text, uint8_t* out) {
  for (int i = 0; i < 4; ++i) {
    const size_t dot = i < 3 ? text.find('.') : text.size();
    if (dot == std::string_view::npos) return false;
    unsigned octet = 0;
    if (!ParseNumber(text.substr(0, dot), 255, &octet)) return false;
    out[i] = static_cast<uint8_t>(octet);
    text.remove_prefix(std::min(dot + 1, text.size()));
  }
  return true;
}

bool IsMappedV4(const std::array<uint8_t, 16>& bytes) {
  return std::all_of(bytes.begin(), bytes.begin() + 10, [](uint8_t b) { return b == 0; }) && bytes[10] == 0xff &&
         bytes[11] == 0xff;
}

}  // namespace

std::optional<IpAddress> ParseIPSloppy(std::string_view text) {
  IpAddress address;
  if (text.find(':') == std::string_view::npos) {
    address.bytes[10] = address.bytes[11] = 0xff;
    address.is_v4 = true;
    if (!ParseV4(text, &address.bytes[12])) return std::nullopt;
    return address;
  }
  if (text.size() > INET6_ADDRSTRLEN || text.find('\0') != std::string_view::npos) return std::nullopt;
  if (::inet_pton(AF_INET6, std::string(text).c_str(), address.bytes.data()) != 1) return std::nullopt;
  address.is_v4 = IsMappedV4(address.bytes);
  return address;
}

Messages IsValidIP(std::string_view value) {
  if (ParseIPSloppy(value)) return {};
  return {"must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"};
}

Messages IsValidIPv4Address(std::string_view value) {
  const auto address = ParseIPSloppy(value);
  if (address && address->is_v4) return {};
  return {"must be a valid IPv4 address"};
}

Messages IsValidIPv6Address(std::string_view value) {
  const auto address = ParseIPSloppy(value);
  if (address && !address->is_v4) return {};
  return {"must be a valid IPv6 address"};
}

Messages IsValidCIDR(std::string_view value) {
  const size_t slash = value.find('/');
  if (slash != std::string_view::npos) {
    const std::string_view address = value.substr(0, slash);
    const unsigned max = address.find(':') == std::string_view::npos ? 32 : 128;
    unsigned bits = 0;
    if (ParseIPSloppy(address) && ParseNumber(value.substr(slash + 1), max, &bits)) return {};
  }
  return {"must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"};
}

}  // namespace knarr::names
