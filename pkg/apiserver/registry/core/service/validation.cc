#include "pkg/apiserver/registry/core/service/validation.h"

#include <arpa/inet.h>

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/field/quote.h"
#include "pkg/api/intstr/intstr.h"
#include "pkg/api/names/names.h"
#include "pkg/apiserver/registry/core/service/allocators.h"

namespace knarr::registry::service {
namespace {

using field::ErrorList;
using field::Path;

const Path kSpec("spec");
constexpr int32_t kClientIpSeconds = 10800;
constexpr int32_t kMaxClientIpSeconds = 86400;

void Add(ErrorList& errors, const Path& path, std::string_view value, const names::Messages& messages) {
  for (const std::string& message : messages) errors.push_back(field::Invalid(path, value, message));
}

std::vector<std::string> ClusterIps(const core::Service& service) {
  return {service.spec().clusterips().begin(), service.spec().clusterips().end()};
}
field::FieldError BadIps(const Path& path, const core::Service& service, std::string_view why) {
  return field::InvalidLiteral(path, GoStrings(ClusterIps(service)), why);
}
field::FieldError BadFamilies(const Path& path, const core::Service& service, std::string_view why) {
  return field::InvalidLiteral(
      path, GoStrings({service.spec().ipfamilies().begin(), service.spec().ipfamilies().end()}, "core.IPFamily"), why);
}
field::FieldError BadPolicy(const core::Service& service, std::string_view why) {
  const Path path = kSpec.Child("ipFamilyPolicy");
  if (!service.spec().has_ipfamilypolicy()) return field::InvalidLiteral(path, "null", why);
  return field::Invalid(path, service.spec().ipfamilypolicy(), why);
}

bool ExternallyAccessible(const core::Service& service) {
  const auto& spec = service.spec();
  return NeedsNodePort(service) || (spec.type() == "ClusterIP" && spec.externalips_size() > 0);
}

// Mirrors: ValidateNonSpecialIP
void ValidateNonSpecialIp(ErrorList& errors, const Path& path, const std::string& text) {
  const auto ip = names::ParseIPSloppy(text);
  if (!ip) return;
  const auto& b = ip->bytes;
  const auto zero = [&](size_t from, size_t to) {
    return std::all_of(b.begin() + static_cast<long>(from), b.begin() + static_cast<long>(to),
                       [](uint8_t x) { return x == 0; });
  };
  const bool v4 = ip->is_v4;
  if (v4 ? zero(12, 16) : zero(0, 16))
    errors.push_back(field::Invalid(path, text, fmt::format("may not be unspecified ({})", text)));
  if (v4 ? b[12] == 127 : zero(0, 15) && b[15] == 1)
    errors.push_back(field::Invalid(path, text, "may not be in the loopback range (127.0.0.0/8, ::1/128)"));
  if (v4 ? b[12] == 169 && b[13] == 254 : b[0] == 0xfe && (b[1] & 0xc0) == 0x80)
    errors.push_back(field::Invalid(path, text, "may not be in the link-local range (169.254.0.0/16, fe80::/10)"));
  if (v4 ? b[12] == 224 && b[13] == 0 && b[14] == 0 : b[0] == 0xff && (b[1] & 0x0f) == 2)
    errors.push_back(
        field::Invalid(path, text, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"));
}

void ValidatePort(ErrorList& errors, const core::ServicePort& port, bool require_name, std::set<std::string>* all_names,
                  const Path& path) {
  if (require_name && port.name().empty()) {
    errors.push_back(field::Required(path.Child("name"), ""));
  } else if (!port.name().empty()) {
    Add(errors, path.Child("name"), port.name(), names::IsDNS1123Label(port.name()));
    if (!all_names->insert(port.name()).second) errors.push_back(field::Duplicate(path.Child("name"), port.name()));
  }
  for (const auto& message : names::IsValidPortNum(port.port()))
    errors.push_back(field::Invalid(path.Child("port"), port.port(), message));
  const std::string& protocol = port.protocol();
  if (protocol.empty()) {
    errors.push_back(field::Required(path.Child("protocol"), ""));
  } else if (protocol != "SCTP" && protocol != "TCP" && protocol != "UDP") {
    errors.push_back(field::NotSupported(path.Child("protocol"), protocol, {"SCTP", "TCP", "UDP"}));
  }
  const auto& target = port.targetport();
  if (intstr::IsString(target)) {
    Add(errors, path.Child("targetPort"), intstr::ToString(target), names::IsValidPortName(intstr::ToString(target)));
  } else {
    for (const auto& message : names::IsValidPortNum(intstr::IntValue(target)))
      errors.push_back(field::Invalid(path.Child("targetPort"), intstr::IntValue(target), message));
  }
  if (port.has_appprotocol())
    Add(errors, path.Child("appProtocol"), port.appprotocol(), names::IsQualifiedName(port.appprotocol()));
}

void ValidateExternalName(ErrorList& errors, const core::ServiceSpec& spec) {
  constexpr std::string_view kNotSet = "may not be set for ExternalName services";
  if (spec.clusterips_size() > 0) errors.push_back(field::Forbidden(kSpec.Child("clusterIPs"), kNotSet));
  if (spec.ipfamilies_size() > 0) errors.push_back(field::Forbidden(kSpec.Child("ipFamilies"), kNotSet));
  if (spec.has_ipfamilypolicy()) errors.push_back(field::Forbidden(kSpec.Child("ipFamilyPolicy"), kNotSet));
  std::string_view name = spec.externalname();
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.empty()) {
    errors.push_back(field::Required(kSpec.Child("externalName"), ""));
  } else {
    Add(errors, kSpec.Child("externalName"), name, names::IsDNS1123Subdomain(name));
  }
}

void ValidateAffinity(ErrorList& errors, const core::ServiceSpec& spec) {
  const std::string& affinity = spec.sessionaffinity();
  if (affinity.empty()) {
    errors.push_back(field::Required(kSpec.Child("sessionAffinity"), ""));
  } else if (affinity != "ClientIP" && affinity != "None") {
    errors.push_back(field::NotSupported(kSpec.Child("sessionAffinity"), affinity, {"ClientIP", "None"}));
  }
  const Path config = kSpec.Child("sessionAffinityConfig");
  if (affinity == "ClientIP") {
    const auto& client = spec.sessionaffinityconfig().clientip();
    if (!spec.has_sessionaffinityconfig()) {
      errors.push_back(field::Required(config, "when session affinity type is ClientIP"));
    } else if (!spec.sessionaffinityconfig().has_clientip()) {
      errors.push_back(field::Required(config.Child("clientIP"), "when session affinity type is ClientIP"));
    } else if (!client.has_timeoutseconds()) {
      errors.push_back(
          field::Required(config.Child("clientIP").Child("timeoutSeconds"), "when session affinity type is ClientIP"));
    } else if (client.timeoutseconds() <= 0 || client.timeoutseconds() > kMaxClientIpSeconds) {
      errors.push_back(field::Invalid(config.Child("clientIP").Child("timeoutSeconds"), client.timeoutseconds(),
                                      fmt::format("must be greater than 0 and less than {}", kMaxClientIpSeconds)));
    }
  } else if (affinity == "None" && spec.has_sessionaffinityconfig()) {
    errors.push_back(field::Forbidden(config, "must not be set when session affinity is None"));
  }
}

void ValidateSourceRanges(ErrorList& errors, const core::Service& service) {
  constexpr std::string_view kOnly = "may only be used when `type` is 'LoadBalancer'";
  const auto trim = [](std::string_view text) {
    const size_t begin = text.find_first_not_of(" \t");
    if (begin == std::string_view::npos) return std::string_view();
    return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
  };
  const bool balancer = service.spec().type() == "LoadBalancer";
  if (service.spec().loadbalancersourceranges_size() > 0) {
    const Path path = kSpec.Child("LoadBalancerSourceRanges");
    if (!balancer) errors.push_back(field::Forbidden(path, kOnly));
    size_t i = 0;
    for (const auto& range : service.spec().loadbalancersourceranges()) {
      const auto value = trim(range);
      Add(errors, path.Index(i++), value, names::IsValidCIDR(value));
    }
    return;
  }
  constexpr char kAnnotation[] = "service.beta.kubernetes.io/load-balancer-source-ranges";
  const auto found = service.metadata().annotations().find(kAnnotation);
  if (found == service.metadata().annotations().end()) return;
  const Path path = Path("metadata").Child("annotations").Key(kAnnotation);
  if (!balancer) errors.push_back(field::Forbidden(path, kOnly));
  std::string_view rest = trim(found->second);
  while (!rest.empty()) {
    const size_t comma = std::min(rest.find(','), rest.size());
    const auto value = trim(rest.substr(0, comma));
    Add(errors, path, value, names::IsValidCIDR(value));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
}

void ValidateTraffic(ErrorList& errors, const core::Service& service) {
  const auto& spec = service.spec();
  const std::string& external = spec.externaltrafficpolicy();
  const Path path = kSpec.Child("externalTrafficPolicy");
  if (!ExternallyAccessible(service)) {
    if (!external.empty())
      errors.push_back(field::Invalid(path, external, "may only be set for externally-accessible services"));
  } else if (external.empty()) {
    errors.push_back(field::Required(path, ""));
  } else if (external != "Cluster" && external != "Local") {
    errors.push_back(field::NotSupported(path, external, {"Cluster", "Local"}));
  }
  const Path health = kSpec.Child("healthCheckNodePort");
  if (!NeedsHealthCheck(service)) {
    if (spec.healthchecknodeport() != 0)
      errors.push_back(
          field::Invalid(health, spec.healthchecknodeport(),
                         "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"));
  } else if (spec.healthchecknodeport() != 0) {  // zero: it is given one
    for (const auto& message : names::IsValidPortNum(spec.healthchecknodeport()))
      errors.push_back(field::Invalid(health, spec.healthchecknodeport(), message));
  }
  const Path internal = kSpec.Child("internalTrafficPolicy");
  if (!spec.has_internaltrafficpolicy()) {
    if (spec.type() == "NodePort" || spec.type() == "LoadBalancer" || spec.type() == "ClusterIP")
      errors.push_back(field::Required(internal, ""));
  } else if (spec.internaltrafficpolicy() != "Cluster" && spec.internaltrafficpolicy() != "Local") {
    errors.push_back(field::NotSupported(internal, spec.internaltrafficpolicy(), {"Cluster", "Local"}));
  }
  if (spec.has_trafficdistribution() && spec.trafficdistribution() != "PreferClose")
    errors.push_back(
        field::NotSupported(kSpec.Child("trafficDistribution"), spec.trafficdistribution(), {"PreferClose"}));
}

void ValidateLoadBalancerClass(ErrorList& errors, const core::ServiceSpec& spec) {
  if (!spec.has_loadbalancerclass()) return;
  const Path path = kSpec.Child("loadBalancerClass");
  if (spec.type() == "LoadBalancer") {
    Add(errors, path, spec.loadbalancerclass(), names::IsQualifiedName(spec.loadbalancerclass()));
  } else {
    errors.push_back(field::Forbidden(path, "may only be used when `type` is 'LoadBalancer'"));
  }
}

void ValidateDuplicatePorts(ErrorList& errors, const core::ServiceSpec& spec) {
  const Path path = kSpec.Child("ports");
  std::set<std::pair<std::string, int>> node_ports, ports;
  for (int i = 0; i < spec.ports_size(); ++i) {
    const auto& port = spec.ports(i);
    if (port.nodeport() != 0 && !node_ports.emplace(port.protocol(), port.nodeport()).second)
      errors.push_back(field::Duplicate(path.Index(static_cast<size_t>(i)).Child("nodePort"), port.nodeport()));
  }
  for (int i = 0; i < spec.ports_size(); ++i) {
    const auto& port = spec.ports(i);
    if (ports.emplace(port.protocol(), port.port()).second) continue;
    field::FieldError error = field::Duplicate(path.Index(static_cast<size_t>(i)), "");
    error.value = fmt::format(
        "core.ServicePort{{Name:\"\", Protocol:\"{}\", AppProtocol:(*string)(nil), Port:{}, "
        "TargetPort:intstr.IntOrString{{Type:0, IntVal:0, StrVal:\"\"}}, NodePort:0}}",
        port.protocol(), port.port());
    errors.push_back(std::move(error));
  }
}

bool BothNeedIps(const core::Service& a, const core::Service& b) {
  return NeedsClusterIp(a) && NeedsClusterIp(b);
}

// Mirrors: validateUpgradeDowngradeClusterIPs
void ValidateIpChange(ErrorList& errors, const core::Service& service, const core::Service& old) {
  if (!BothNeedIps(service, old) || (IsHeadless(service) && IsHeadless(old))) return;
  const Path path = kSpec.Child("clusterIPs");
  const auto now = ClusterIps(service), before = ClusterIps(old);
  constexpr std::string_view kChanged = "may not change once set";
  if (now.size() == before.size()) {
    for (size_t i = 0; i < now.size(); ++i) {
      if (now[i] != before[i]) errors.push_back(BadIps(path.Index(i), service, kChanged));
    }
    return;
  }
  if (now.empty()) errors.push_back(BadIps(path.Index(0), service, "primary clusterIP can not be unset"));
  if (!now.empty() && !before.empty() && now[0] != before[0])
    errors.push_back(BadIps(path.Index(0), service, kChanged));
  if (now.size() < before.size() && now.size() == 1 && service.spec().ipfamilypolicy() != "SingleStack")
    errors.push_back(BadPolicy(service, "must be set to 'SingleStack' when releasing the secondary clusterIP"));
}

// Mirrors: validateUpgradeDowngradeIPFamilies. No families at all: they are filled in later.
void ValidateFamilyChange(ErrorList& errors, const core::Service& service, const core::Service& old) {
  if (!BothNeedIps(service, old) || IsHeadless(service) || IsHeadless(old)) return;
  const auto& now = service.spec().ipfamilies();
  const auto& before = old.spec().ipfamilies();
  if (now.empty() || before.empty()) return;
  const Path path = kSpec.Child("ipFamilies").Index(0);
  constexpr std::string_view kChanged = "may not change once set";
  if (now.size() == before.size()) {
    for (int i = 0; i < now.size(); ++i) {
      if (now[i] != before[i]) errors.push_back(BadFamilies(path, service, kChanged));
    }
    return;
  }
  if (now[0] != before[0]) errors.push_back(BadIps(path, service, kChanged));
  if (now.size() < before.size() && service.spec().ipfamilypolicy() != "SingleStack")
    errors.push_back(BadPolicy(service, "must be set to 'SingleStack' when releasing the secondary ipFamily"));
}

}  // namespace

// Mirrors: SetDefaults_Service in pkg/apis/core/v1/defaults.go
void SetDefaults(core::Service& service) {
  auto& spec = *service.mutable_spec();
  if (spec.sessionaffinity().empty()) spec.set_sessionaffinity("None");
  if (spec.sessionaffinity() == "None") spec.clear_sessionaffinityconfig();
  if (spec.sessionaffinity() == "ClientIP" && !spec.sessionaffinityconfig().clientip().has_timeoutseconds())
    spec.mutable_sessionaffinityconfig()->mutable_clientip()->set_timeoutseconds(kClientIpSeconds);
  if (spec.type().empty()) spec.set_type("ClusterIP");
  for (auto& port : *spec.mutable_ports()) {
    if (port.protocol().empty()) port.set_protocol("TCP");
    const std::string target = intstr::ToString(port.targetport());
    if (target.empty() || (!intstr::IsString(port.targetport()) && intstr::IntValue(port.targetport()) == 0))
      *port.mutable_targetport() = intstr::FromInt32(port.port());
  }
  if (ExternallyAccessible(service) && spec.externaltrafficpolicy().empty()) spec.set_externaltrafficpolicy("Cluster");
  if (!spec.has_internaltrafficpolicy() && NeedsClusterIp(service)) spec.set_internaltrafficpolicy("Cluster");
  if (spec.type() == "LoadBalancer") {
    if (!spec.has_allocateloadbalancernodeports()) spec.set_allocateloadbalancernodeports(true);
    for (auto& ingress : *service.mutable_status()->mutable_loadbalancer()->mutable_ingress()) {
      if (!ingress.ip().empty() && !ingress.has_ipmode()) ingress.set_ipmode("VIP");
    }
  }
}

ErrorList ValidateClusterIpFields(const core::Service& service) {
  ErrorList errors;
  const auto& spec = service.spec();
  if (!NeedsClusterIp(service)) return errors;
  const Path path = kSpec.Child("clusterIPs");
  const Path families = kSpec.Child("ipFamilies");
  if (!spec.clusterip().empty()) {
    if (spec.clusterips_size() == 0) {
      errors.push_back(field::Required(path, ""));
    } else if (spec.clusterips(0) != spec.clusterip()) {
      errors.push_back(BadIps(path, service, "first value must match `clusterIP`"));
    }
  } else if (spec.clusterips_size() != 0) {
    errors.push_back(BadIps(path, service, "must be empty when `clusterIP` is not specified"));
  }
  std::set<std::string> seen;
  for (int i = 0; i < spec.ipfamilies_size(); ++i) {
    const std::string& family = spec.ipfamilies(i);
    const Path at = families.Index(static_cast<size_t>(i));
    if (family != "IPv4" && family != "IPv6") errors.push_back(field::NotSupported(at, family, {"IPv4", "IPv6"}));
    if (!seen.insert(family).second) errors.push_back(field::Duplicate(at, family));
  }
  const std::string& policy = spec.ipfamilypolicy();
  if (spec.has_ipfamilypolicy() && policy != "SingleStack" && policy != "PreferDualStack" &&
      policy != "RequireDualStack")
    errors.push_back(field::NotSupported(kSpec.Child("ipFamilyPolicy"), policy,
                                         {"PreferDualStack", "RequireDualStack", "SingleStack"}));
  bool bad = false;
  for (int i = 0; i < spec.clusterips_size(); ++i) {
    const std::string& ip = spec.clusterips(i);
    if (i == 0 && ip == "None") {
      if (spec.clusterips_size() > 1) {
        bad = true;
        errors.push_back(BadIps(path, service, "'None' must be the first and only value"));
      }
      continue;
    }
    const auto messages = names::IsValidIP(ip);
    bad = bad || !messages.empty();
    Add(errors, path.Index(static_cast<size_t>(i)), ip, messages);
  }
  if (spec.clusterips_size() > 2) errors.push_back(BadIps(path, service, "may only hold up to 2 values"));
  if (bad) return errors;
  if (spec.clusterips_size() > 1) {
    std::set<std::string_view> of;
    for (const auto& ip : spec.clusterips()) of.insert(FamilyOf(ip));
    if (of.size() != 2 || spec.clusterips_size() != 2)
      errors.push_back(BadIps(path, service, "may specify no more than one IP for each IP family"));
  }
  if (IsHeadless(service)) return errors;
  for (int i = 0; i < std::min(spec.clusterips_size(), spec.ipfamilies_size()); ++i) {
    const auto family = FamilyOf(spec.clusterips(i));
    const std::string& wanted = spec.ipfamilies(i);
    if ((wanted == "IPv4" || wanted == "IPv6") && family != wanted)
      errors.push_back(field::Invalid(path.Index(static_cast<size_t>(i)), spec.clusterips(i),
                                      fmt::format("expected an {} value as indicated by `ipFamilies[{}]`", wanted, i)));
  }
  return errors;
}

ErrorList ValidateService(const core::Service& service) {
  ErrorList errors;
  const auto& spec = service.spec();
  const auto& annotations = service.metadata().annotations();
  const auto hints = annotations.find("service.kubernetes.io/topology-aware-hints");
  const auto mode = annotations.find("service.kubernetes.io/topology-mode");
  if (hints != annotations.end() && mode != annotations.end() && hints->second != mode->second)
    errors.push_back(field::Invalid(Path("metadata").Child("annotations").Key("service.kubernetes.io/topology-mode"),
                                    mode->second,
                                    "must match annotations[service.kubernetes.io/topology-aware-hints] when both are "
                                    "specified"));
  const bool headless = IsHeadless(service);
  if (spec.ports_size() == 0 && !headless && spec.type() != "ExternalName")
    errors.push_back(field::Required(kSpec.Child("ports"), ""));
  if (NeedsNodePort(service) && headless)
    errors.push_back(field::Invalid(kSpec.Child("clusterIPs").Index(0), "None",
                                    fmt::format("may not be set to 'None' for {} services", spec.type())));
  if (spec.type() == "ExternalName") ValidateExternalName(errors, spec);
  std::set<std::string> port_names;
  for (int i = 0; i < spec.ports_size(); ++i)
    ValidatePort(errors, spec.ports(i), spec.ports_size() > 1, &port_names,
                 kSpec.Child("ports").Index(static_cast<size_t>(i)));
  const std::map<std::string, std::string> selector(spec.selector().begin(), spec.selector().end());
  for (const auto& [key, value] : selector) {
    Add(errors, kSpec.Child("selector"), key, names::IsQualifiedName(key));
    Add(errors, kSpec.Child("selector"), value, names::IsValidLabelValue(value));
  }
  ValidateAffinity(errors, spec);
  field::Append(errors, ValidateClusterIpFields(service));
  for (int i = 0; i < spec.externalips_size(); ++i) {
    const Path path = kSpec.Child("externalIPs").Index(static_cast<size_t>(i));
    const auto messages = names::IsValidIP(spec.externalips(i));
    Add(errors, path, spec.externalips(i), messages);
    if (messages.empty()) ValidateNonSpecialIp(errors, path, spec.externalips(i));
  }
  static const std::set<std::string_view> kTypes = {"ClusterIP", "ExternalName", "LoadBalancer", "NodePort"};
  if (spec.type().empty()) {
    errors.push_back(field::Required(kSpec.Child("type"), ""));
  } else if (!kTypes.contains(spec.type())) {
    errors.push_back(field::NotSupported(kSpec.Child("type"), spec.type(),
                                         {"ClusterIP", "ExternalName", "LoadBalancer", "NodePort"}));
  }
  if (spec.type() == "ClusterIP") {
    for (int i = 0; i < spec.ports_size(); ++i) {
      if (spec.ports(i).nodeport() != 0)
        errors.push_back(field::Forbidden(kSpec.Child("ports").Index(static_cast<size_t>(i)).Child("nodePort"),
                                          "may not be used when `type` is 'ClusterIP'"));
    }
  }
  ValidateDuplicatePorts(errors, spec);
  ValidateSourceRanges(errors, service);
  if (spec.has_allocateloadbalancernodeports() && spec.type() != "LoadBalancer")
    errors.push_back(field::Forbidden(kSpec.Child("allocateLoadBalancerNodePorts"),
                                      "may only be used when `type` is 'LoadBalancer'"));
  if (spec.type() == "LoadBalancer" && !spec.has_allocateloadbalancernodeports())
    errors.push_back(field::Required(Path("allocateLoadBalancerNodePorts"), ""));
  ValidateLoadBalancerClass(errors, spec);
  ValidateTraffic(errors, service);
  return errors;
}

ErrorList ValidateServiceUpdate(const core::Service& service, const core::Service& old) {
  ErrorList errors;
  ValidateIpChange(errors, service, old);
  ValidateFamilyChange(errors, service, old);
  const auto& spec = service.spec();
  if (spec.type() == "LoadBalancer" && old.spec().type() == "LoadBalancer" &&
      (spec.has_loadbalancerclass() != old.spec().has_loadbalancerclass() ||
       spec.loadbalancerclass() != old.spec().loadbalancerclass())) {
    const Path path = kSpec.Child("loadBalancerClass");
    errors.push_back(spec.has_loadbalancerclass()
                         ? field::Invalid(path, spec.loadbalancerclass(), "may not change once set")
                         : field::InvalidLiteral(path, "null", "may not change once set"));
  }
  if (NeedsHealthCheck(old) && NeedsHealthCheck(service) &&
      spec.healthchecknodeport() != old.spec().healthchecknodeport())
    errors.push_back(field::Forbidden(kSpec.Child("healthCheckNodePort"), "field is immutable"));
  field::Append(errors, ValidateService(service));
  return errors;
}

namespace {

// What is accepted today and may not be tomorrow, or is not written as others write it.
void WarnOfIp(std::vector<std::string>& warnings, const Path& path, const std::string& text) {
  const auto ip = names::ParseIPSloppy(text);
  if (!ip) return;
  char canonical[INET6_ADDRSTRLEN];
  if (ip->is_v4) {
    // A leading zero is read as octal elsewhere.
    inet_ntop(AF_INET, ip->bytes.data() + 12, canonical, sizeof canonical);
    if (text.find(':') == std::string::npos && text != canonical)
      warnings.push_back(
          fmt::format("{}: IP address was accepted, but will be invalid in a future Kubernetes release: "
                      "ParseAddr({}): IPv4 field has octet with leading zero",
                      path.ToString(), field::Quote(text)));
    return;
  }
  inet_ntop(AF_INET6, ip->bytes.data(), canonical, sizeof canonical);
  if (text != canonical)
    warnings.push_back(
        fmt::format("{}: IPv6 address {} is not in RFC 5952 canonical format ({}), which may cause "
                    "controller apply-loops",
                    path.ToString(), field::Quote(text), field::Quote(canonical)));
}

}  // namespace

std::vector<std::string> ServiceWarnings(const core::Service& service, const core::Service* old) {
  std::vector<std::string> warnings;
  const auto& spec = service.spec();
  constexpr char kHints[] = "service.kubernetes.io/topology-aware-hints";
  if (service.metadata().annotations().contains(kHints) &&
      (old == nullptr || !old->metadata().annotations().contains(kHints)))
    warnings.push_back(
        fmt::format("annotation {} is deprecated, please use service.kubernetes.io/topology-mode instead", kHints));
  if (!spec.clusterip().empty() && !IsHeadless(service) && NeedsClusterIp(service)) {
    for (int i = 0; i < spec.clusterips_size(); ++i)
      WarnOfIp(warnings, kSpec.Child("clusterIPs").Index(static_cast<size_t>(i)), spec.clusterips(i));
  }
  for (int i = 0; i < spec.externalips_size(); ++i)
    WarnOfIp(warnings, kSpec.Child("externalIPs").Index(static_cast<size_t>(i)), spec.externalips(i));
  if (!spec.loadbalancerip().empty()) WarnOfIp(warnings, kSpec.Child("loadBalancerIP"), spec.loadbalancerip());
  if (spec.type() == "ExternalName" && spec.externalips_size() > 0)
    warnings.emplace_back("spec.externalIPs is ignored when spec.type is \"ExternalName\"");
  if (spec.type() != "ExternalName" && !spec.externalname().empty())
    warnings.emplace_back("spec.externalName is ignored when spec.type is not \"ExternalName\"");
  return warnings;
}

// Mirrors: ValidateLoadBalancerStatus
ErrorList ValidateServiceStatus(const core::Service& service) {
  ErrorList errors;
  const Path path = Path("status").Child("loadBalancer").Child("ingress");
  const auto& ingresses = service.status().loadbalancer().ingress();
  if (service.spec().type() != "LoadBalancer" && !ingresses.empty()) {
    errors.push_back(field::Forbidden(path, "may only be used when `spec.type` is \"LoadBalancer\""));
    return errors;
  }
  for (int i = 0; i < ingresses.size(); ++i) {
    const auto& ingress = ingresses[i];
    const Path at = path.Index(static_cast<size_t>(i));
    if (!ingress.ip().empty()) Add(errors, at.Child("ip"), ingress.ip(), names::IsValidIP(ingress.ip()));
    if (ingress.has_ipmode()) {
      if (ingress.ip().empty()) {
        errors.push_back(field::Forbidden(at.Child("ipMode"), "may not be specified when `ip` is not set"));
      } else if (ingress.ipmode() != "VIP" && ingress.ipmode() != "Proxy") {
        errors.push_back(field::NotSupported(at.Child("ipMode"), ingress.ipmode(), {"Proxy", "VIP"}));
      }
    } else if (!ingress.ip().empty()) {
      errors.push_back(field::Required(at.Child("ipMode"), "must be specified when `ip` is set"));
    }
    if (ingress.hostname().empty()) continue;
    Add(errors, at.Child("hostname"), ingress.hostname(), names::IsDNS1123Subdomain(ingress.hostname()));
    if (names::IsValidIP(ingress.hostname()).empty())
      errors.push_back(
          field::Invalid(at.Child("hostname"), ingress.hostname(), "must be a DNS name, not an IP address"));
  }
  return errors;
}

}  // namespace knarr::registry::service
