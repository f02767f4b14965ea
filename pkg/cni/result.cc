#include "pkg/cni/result.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <charconv>

#include "pkg/cni/config.h"
#include "pkg/cni/json.h"

namespace knarr::cni {

using internal::ArrayAt;
using internal::GoTypeOf;
using internal::ObjectAt;
using internal::ParseJsonObject;
using internal::StringAt;
namespace json = boost::json;

namespace {

constexpr std::string_view kWhat = "error parsing CNI result";
constexpr size_t kMaxEntries = 1024;  // interfaces, addresses, routes

// 4, 6, or 0 when the text is not an address.
int Family(std::string_view text) {
  const std::string address(text);
  unsigned char buffer[sizeof(in6_addr)];
  if (::inet_pton(AF_INET, address.c_str(), buffer) == 1) return 4;
  if (::inet_pton(AF_INET6, address.c_str(), buffer) == 1) return 6;
  return 0;
}

// The family of "10.0.0.1/24", or 0.
int CidrFamily(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return 0;
  const int family = Family(text.substr(0, slash));
  const std::string_view digits = text.substr(slash + 1);
  int length = -1;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (error != std::errc() || end != digits.data() + digits.size()) return 0;
  return length >= 0 && length <= (family == 4 ? 32 : 128) ? family : 0;
}

Result<const json::array*> ListAt(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || value->is_null()) return nullptr;
  if (!value->is_array()) return Error(Code::kInvalid, "{}: \"{}\" is {}, not a list", kWhat, key, GoTypeOf(*value));
  if (value->get_array().size() > kMaxEntries) {
    return Error(Code::kInvalid, "{}: \"{}\" has {} entries, the limit is {}", kWhat, key, value->get_array().size(), kMaxEntries);
  }
  for (const json::value& entry : value->get_array()) {
    if (!entry.is_object()) return Error(Code::kInvalid, "{}: \"{}\" has an entry of type {}", kWhat, key, GoTypeOf(entry));
  }
  return &value->get_array();
}

// The common form of all versions: what 1.x says.
struct Parsed {
  json::array interfaces, ips, routes;
  json::object dns;
};

Status CheckAddress(std::string_view address) {
  if (CidrFamily(address) == 0) return Error(Code::kInvalid, "{}: invalid CIDR address: {}", kWhat, address);
  return {};
}

Status CheckGateway(const json::object& object, std::string_view key) {
  const json::value* gateway = object.if_contains(key);
  if (gateway == nullptr || gateway->is_null() || StringAt(object, key).empty()) return {};
  if (Family(StringAt(object, key)) == 0) return Error(Code::kInvalid, "{}: invalid IP address: {}", kWhat, StringAt(object, key));
  return {};
}

Status AppendRoutes(Parsed& parsed, const json::object& from) {
  const json::array* routes = KNARR_TRY(ListAt(from, "routes"));
  if (routes == nullptr) return {};
  for (const json::value& route : *routes) {
    KNARR_TRY(CheckAddress(StringAt(route.get_object(), "dst")));
    KNARR_TRY(CheckGateway(route.get_object(), "gw"));
    parsed.routes.push_back(route);
  }
  return {};
}

Status ParseOld(Parsed& parsed, const json::object& object) {
  for (const std::string_view key : {"ip4", "ip6"}) {
    const json::object* from = ObjectAt(object, key);
    if (from == nullptr) continue;
    KNARR_TRY(CheckAddress(StringAt(*from, "ip")));
    KNARR_TRY(CheckGateway(*from, "gateway"));
    json::object ip;
    ip["address"] = StringAt(*from, "ip");
    if (const std::string_view gateway = StringAt(*from, "gateway"); !gateway.empty()) ip["gateway"] = gateway;
    parsed.ips.push_back(std::move(ip));
    KNARR_TRY(AppendRoutes(parsed, *from));
  }
  return {};
}

Status ParseNew(Parsed& parsed, const json::object& object) {
  if (const json::array* interfaces = KNARR_TRY(ListAt(object, "interfaces"))) parsed.interfaces = *interfaces;
  if (const json::array* ips = KNARR_TRY(ListAt(object, "ips"))) {
    for (const json::value& value : *ips) {
      json::object ip = value.get_object();
      KNARR_TRY(CheckAddress(StringAt(ip, "address")));
      KNARR_TRY(CheckGateway(ip, "gateway"));
      if (const json::value* index = ip.if_contains("interface"); index != nullptr && !index->is_null() && !index->is_int64()) {
        return Error(Code::kInvalid, "{}: the interface of an address is {}, not a number", kWhat, GoTypeOf(*index));
      }
      ip.erase("version");
      parsed.ips.push_back(std::move(ip));
    }
  }
  return AppendRoutes(parsed, object);
}

Result<Parsed> Parse(const json::object& object, std::string_view version) {
  Parsed parsed;
  if (const json::object* dns = ObjectAt(object, "dns")) parsed.dns = *dns;
  if (AtLeast(version, "0.3.0")) {
    KNARR_TRY(ParseNew(parsed, object));
  } else {
    KNARR_TRY(ParseOld(parsed, object));
  }
  return parsed;
}

Result<std::string> VersionOf(const json::object& object, std::string_view config_version) {
  std::string version(StringAt(object, "cniVersion"));
  if (version.empty()) version = config_version;
  if (version.empty()) version = "0.1.0";
  if (!IsKnownVersion(version)) return Error(Code::kInvalid, "unsupported CNI result version \"{}\"", version);
  return version;
}

json::object ToNewest(Parsed parsed) {
  json::object object;
  if (!parsed.interfaces.empty()) object["interfaces"] = std::move(parsed.interfaces);
  if (!parsed.ips.empty()) object["ips"] = std::move(parsed.ips);
  if (!parsed.routes.empty()) object["routes"] = std::move(parsed.routes);
  return object;
}

// 0.3 and 0.4 name the family of an address and know three members of an interface.
json::object To04(Parsed parsed) {
  for (json::value& value : parsed.ips) {
    json::object& ip = value.get_object();
    ip["version"] = CidrFamily(StringAt(ip, "address")) == 4 ? "4" : "6";
  }
  for (json::value& value : parsed.interfaces) {
    for (const std::string_view key : {"mtu", "socketPath", "pciID"}) value.get_object().erase(key);
  }
  return ToNewest(std::move(parsed));
}

// 0.1 and 0.2 know one address of each family.
Result<json::object> To02(const Parsed& parsed) {
  json::object object;
  for (const json::value& value : parsed.ips) {
    const json::object& from = value.get_object();
    const std::string_view key = CidrFamily(StringAt(from, "address")) == 4 ? "ip4" : "ip6";
    if (object.contains(key)) continue;
    json::object ip;
    ip["ip"] = StringAt(from, "address");
    if (const std::string_view gateway = StringAt(from, "gateway"); !gateway.empty()) ip["gateway"] = gateway;
    object[key] = std::move(ip);
  }
  if (object.empty()) return Error(Code::kInvalid, "cannot convert: no valid IP addresses");
  for (const json::value& value : parsed.routes) {
    const json::object& route = value.get_object();
    json::value* ip = object.if_contains(CidrFamily(StringAt(route, "dst")) == 4 ? "ip4" : "ip6");
    if (ip == nullptr) continue;
    json::object kept;
    kept["dst"] = StringAt(route, "dst");
    if (const std::string_view gateway = StringAt(route, "gw"); !gateway.empty()) kept["gw"] = gateway;
    json::value& routes = ip->get_object()["routes"];
    if (!routes.is_array()) routes = json::array();
    routes.get_array().push_back(std::move(kept));
  }
  return object;
}

}  // namespace

Result<std::string> ConvertResult(std::string_view text, std::string_view config_version, std::string_view to_version) {
  const json::object object = KNARR_TRY(ParseJsonObject(text, kWhat));
  const std::string version = KNARR_TRY(VersionOf(object, config_version));
  if (to_version.empty()) to_version = "0.1.0";
  if (!IsKnownVersion(to_version)) {
    return Error(Code::kInvalid, "no converter for CNI result version {} to {}", version, to_version);
  }
  Parsed parsed = KNARR_TRY(Parse(object, version));
  json::object dns = std::move(parsed.dns);
  json::object converted;
  if (AtLeast(to_version, "1.0.0")) {
    converted = ToNewest(std::move(parsed));
  } else if (AtLeast(to_version, "0.3.0")) {
    converted = To04(std::move(parsed));
  } else {
    converted = KNARR_TRY(To02(parsed));
  }
  if (!dns.empty()) converted["dns"] = std::move(dns);
  converted["cniVersion"] = to_version;
  return json::serialize(converted);
}

Result<ResultSummary> SummarizeResult(std::string_view text) {
  const json::object object = KNARR_TRY(ParseJsonObject(text, kWhat));
  const std::string version = KNARR_TRY(VersionOf(object, kNewestVersion));
  const Parsed parsed = KNARR_TRY(Parse(object, version));
  ResultSummary summary;
  for (const json::value& value : parsed.interfaces) {
    const json::object& from = value.get_object();
    summary.interfaces.push_back({std::string(StringAt(from, "name")), std::string(StringAt(from, "mac")),
                                  std::string(StringAt(from, "sandbox"))});
  }
  for (const json::value& value : parsed.ips) {
    const std::string_view address = StringAt(value.get_object(), "address");
    summary.ips.emplace_back(address.substr(0, address.find('/')));
  }
  return summary;
}

std::string PluginError::ToString() const { return details.empty() ? msg : msg + "; " + details; }

std::string PluginError::ToJson(std::string_view cni_version) const {
  json::object object;
  object["cniVersion"] = cni_version;
  object["code"] = code;
  object["msg"] = msg;
  if (!details.empty()) object["details"] = details;
  std::string text = json::serialize(object);
  // Plugins quote anything in their errors; who reads this (containerd, over gRPC) takes nothing but UTF-8.
  if (!internal::ParseJson(text, "error").ok()) {
    for (char& c : text) {
      if (static_cast<unsigned char>(c) >= 0x80) c = '?';
    }
  }
  return text;
}

std::optional<PluginError> ParsePluginError(std::string_view text) {
  const Result<json::object> object = ParseJsonObject(text, "error");
  if (!object.ok()) return std::nullopt;
  const json::value* code = object->if_contains("code");
  if (code == nullptr && !object->contains("msg")) return std::nullopt;
  PluginError error;
  if (code != nullptr && code->is_int64() && code->get_int64() >= 0) error.code = static_cast<unsigned>(code->get_int64());
  error.msg = StringAt(*object, "msg");
  error.details = StringAt(*object, "details");
  return error;
}

}  // namespace knarr::cni
