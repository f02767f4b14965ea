#include "pkg/api/networking/validation.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "k8s.io/api/networking/v1/generated.pb.h"
#include "pkg/api/intstr/intstr.h"
#include "pkg/api/meta/validation.h"
#include "pkg/api/rules/rules.h"

namespace knarr::api {
namespace {

using field::ErrorList;
using field::Path;

constexpr size_t kMaxController = 250;
constexpr const char* kClassAnnotation = "kubernetes.io/ingress.class";
constexpr std::string_view kBadSequences[] = {"//", "/./", "/../", "%2f", "%2F"};
constexpr std::string_view kBadEnds[] = {"/..", "/."};
constexpr std::string_view kNotAnAddress = "must be a DNS name, not an IP address";

struct IngressOptions {
  bool allow_invalid_secret_name = false;
  bool allow_invalid_wildcard_rule = false;
};

bool HasWildcard(const std::string& host) {
  return host.find('*') != std::string::npos;
}

void ValidateHost(ErrorList& errors, const Path& path, const std::string& host) {
  rules::AddInvalid(errors, path, host,
                    HasWildcard(host) ? names::IsWildcardDNS1123Subdomain(host) : names::IsDNS1123Subdomain(host));
}

// Kind and name of something in the same namespace.
void ValidateLocalReference(ErrorList& errors, const Path& path, const std::string* group, const std::string& kind,
                            const std::string& name) {
  if (group != nullptr) {
    rules::AddInvalid(errors, path.Child("apiGroup"), *group, names::IsDNS1123Subdomain(*group));
  }
  if (kind.empty()) {
    errors.push_back(field::Required(path.Child("kind"), "kind is required"));
  } else {
    rules::AddInvalid(errors, path.Child("kind"), kind, ValidatePathSegmentName(kind, false));
  }
  if (name.empty()) {
    errors.push_back(field::Required(path.Child("name"), "name is required"));
  } else {
    rules::AddInvalid(errors, path.Child("name"), name, ValidatePathSegmentName(name, false));
  }
}

void ValidateServiceBackend(ErrorList& errors, const Path& path, const networking::IngressServiceBackend& service) {
  const Path name_path = path.Child("service.name");
  if (service.name().empty()) {
    errors.push_back(field::Required(name_path, ""));
  } else {
    rules::AddInvalid(errors, name_path, service.name(), names::NameIsDNS1035Label(service.name(), false));
  }
  const std::string& port_name = service.port().name();
  const int32_t number = service.port().number();
  if (!port_name.empty() && number != 0) {
    errors.push_back(field::Invalid(path, "", "cannot set both port name & port number"));
  } else if (!port_name.empty()) {
    rules::AddInvalid(errors, path.Child("service.port.name"), port_name, names::IsValidPortName(port_name));
  } else if (number != 0) {
    rules::AddInvalid(errors, path.Child("service.port.number"), number, names::IsValidPortNum(number));
  } else {
    errors.push_back(field::Required(path, "port name or number is required"));
  }
}

void ValidateBackend(ErrorList& errors, const Path& path, const networking::IngressBackend& backend) {
  if (backend.has_resource() && backend.has_service()) {
    errors.push_back(field::Invalid(path, "", "cannot set both resource and service backends"));
  } else if (backend.has_resource()) {
    const auto& resource = backend.resource();
    ValidateLocalReference(errors, path.Child("resource"), resource.has_apigroup() ? &resource.apigroup() : nullptr,
                           resource.kind(), resource.name());
  } else if (backend.has_service()) {
    ValidateServiceBackend(errors, path, backend.service());
  } else {
    errors.push_back(field::Invalid(path, "", "resource or service backend is required"));
  }
}

void ValidateHttpPath(ErrorList& errors, const Path& path, const networking::HTTPIngressPath& rule) {
  if (!rule.has_pathtype()) {
    errors.push_back(field::Required(path.Child("pathType"), "pathType must be specified"));
    return;
  }
  const std::string& text = rule.path();
  const Path at = path.Child("path");
  const bool absolute = text.starts_with('/');
  if (rule.pathtype() == "Exact" || rule.pathtype() == "Prefix") {
    if (!absolute) errors.push_back(field::Invalid(at, text, "must be an absolute path"));
    for (const std::string_view bad : kBadSequences) {
      if (text.find(bad) == std::string::npos) continue;
      errors.push_back(field::Invalid(at, text, fmt::format("must not contain '{}'", bad)));
    }
    for (const std::string_view bad : kBadEnds) {
      if (text.ends_with(bad)) errors.push_back(field::Invalid(at, text, fmt::format("cannot end with '{}'", bad)));
    }
  } else if (rule.pathtype() == "ImplementationSpecific") {
    if (!text.empty() && !absolute) errors.push_back(field::Invalid(at, text, "must be an absolute path"));
  } else {
    errors.push_back(
        field::NotSupported(path.Child("pathType"), rule.pathtype(), {"Exact", "ImplementationSpecific", "Prefix"}));
  }
  ValidateBackend(errors, path.Child("backend"), rule.backend());
}

void ValidateRuleValue(ErrorList& errors, const Path& path, const networking::IngressRule& rule) {
  if (!rule.ingressrulevalue().has_http()) return;
  const Path list = path.Child("http.paths");
  const auto& paths = rule.ingressrulevalue().http().paths();
  if (paths.empty()) errors.push_back(field::Required(list, ""));
  for (int i = 0; i < paths.size(); ++i) ValidateHttpPath(errors, list.Index(static_cast<size_t>(i)), paths[i]);
}

ErrorList ValidateSpec(const networking::IngressSpec& spec, const IngressOptions& options) {
  ErrorList errors;
  const Path path("spec");
  if (spec.rules_size() == 0 && !spec.has_defaultbackend()) {
    errors.push_back(field::InvalidLiteral(path, "[]networking.IngressRule(nil)",
                                           "either `defaultBackend` or `rules` must be specified"));
  }
  if (spec.has_defaultbackend()) ValidateBackend(errors, path.Child("defaultBackend"), spec.defaultbackend());
  for (int i = 0; i < spec.rules_size(); ++i) {
    const auto& rule = spec.rules(i);
    const Path at = path.Child("rules").Index(static_cast<size_t>(i));
    if (!rule.host().empty()) {
      if (names::ParseIPSloppy(rule.host())) {
        errors.push_back(field::Invalid(at.Child("host"), rule.host(), kNotAnAddress));
      }
      ValidateHost(errors, at.Child("host"), rule.host());
    }
    if (HasWildcard(rule.host()) && options.allow_invalid_wildcard_rule) continue;
    ValidateRuleValue(errors, at, rule);
  }
  for (int i = 0; i < spec.tls_size(); ++i) {
    const auto& tls = spec.tls(i);
    const Path at = path.Child("tls").Index(static_cast<size_t>(i));
    for (int j = 0; j < tls.hosts_size(); ++j) {
      ValidateHost(errors, at.Child("hosts").Index(static_cast<size_t>(j)), tls.hosts(j));
    }
    if (tls.secretname().empty() || options.allow_invalid_secret_name) continue;
    rules::AddInvalid(errors, at.Child("secretName"), tls.secretname(),
                      names::NameIsDNSSubdomain(tls.secretname(), false));
  }
  if (spec.has_ingressclassname()) {
    rules::AddInvalid(errors, path.Child("ingressClassName"), spec.ingressclassname(),
                      names::NameIsDNSSubdomain(spec.ingressclassname(), false));
  }
  return errors;
}

struct Cidr {
  names::IpAddress address;
  int bits = 0;  // of the sixteen bytes
};

std::optional<Cidr> ParseCidr(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto address = names::ParseIPSloppy(text.substr(0, slash));
  const std::string_view digits = text.substr(slash + 1);
  int bits = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  if (!address || error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  const bool v4 = text.find(':') == std::string_view::npos;
  if (bits < 0 || bits > (v4 ? 32 : 128)) return std::nullopt;
  return Cidr{*address, v4 ? bits + 96 : bits};
}

bool Contains(const Cidr& net, const names::IpAddress& address) {
  for (int bit = 0; bit < net.bits; ++bit) {
    const auto mask = static_cast<uint8_t>(0x80 >> (bit % 8));
    const auto byte = static_cast<size_t>(bit / 8);
    if ((net.address.bytes[byte] & mask) != (address.bytes[byte] & mask)) return false;
  }
  return true;
}

void ValidateIpBlock(ErrorList& errors, const Path& path, const networking::IPBlock& block) {
  if (block.cidr().empty()) {
    errors.push_back(field::Required(path.Child("cidr"), ""));
    return;
  }
  rules::AddInvalid(errors, path.Child("cidr"), block.cidr(), names::IsValidCIDR(block.cidr()));
  const auto net = ParseCidr(block.cidr());
  if (!net) return;
  for (int i = 0; i < block.except_size(); ++i) {
    const Path at = path.Child("except").Index(static_cast<size_t>(i));
    rules::AddInvalid(errors, at, block.except(i), names::IsValidCIDR(block.except(i)));
    const auto except = ParseCidr(block.except(i));
    if (!except) continue;
    if (!Contains(*net, except->address) || net->bits >= except->bits) {
      errors.push_back(field::Invalid(at, block.except(i), "must be a strict subset of `cidr`"));
    }
  }
}

void ValidatePort(ErrorList& errors, const Path& path, const networking::NetworkPolicyPort& port) {
  if (port.has_protocol() && port.protocol() != "TCP" && port.protocol() != "UDP" && port.protocol() != "SCTP") {
    errors.push_back(field::NotSupported(path.Child("protocol"), port.protocol(), {"TCP", "UDP", "SCTP"}));
  }
  const Path end = path.Child("endPort");
  if (!port.has_port()) {
    if (port.has_endport()) {
      errors.push_back(field::Invalid(end, port.endport(), "may not be specified when `port` is not specified"));
    }
  } else if (intstr::IsString(port.port())) {
    if (port.has_endport()) {
      errors.push_back(field::Invalid(end, port.endport(), "may not be specified when `port` is non-numeric"));
    }
    rules::AddInvalid(errors, path.Child("port"), port.port().strval(), names::IsValidPortName(port.port().strval()));
  } else {
    const int32_t number = port.port().intval();
    rules::AddInvalid(errors, path.Child("port"), number, names::IsValidPortNum(number));
    if (!port.has_endport()) return;
    if (port.endport() < number) {
      errors.push_back(field::Invalid(end, number, "must be greater than or equal to `port`"));
    }
    rules::AddInvalid(errors, end, port.endport(), names::IsValidPortNum(port.endport()));
  }
}

void ValidatePeer(ErrorList& errors, const Path& path, const networking::NetworkPolicyPeer& peer) {
  if (peer.has_podselector()) {
    field::Append(errors, ValidateLabelSelector(peer.podselector(), path.Child("podSelector")));
  }
  if (peer.has_namespaceselector()) {
    field::Append(errors, ValidateLabelSelector(peer.namespaceselector(), path.Child("namespaceSelector")));
  }
  if (peer.has_ipblock()) ValidateIpBlock(errors, path.Child("ipBlock"), peer.ipblock());
  const bool selects = peer.has_podselector() || peer.has_namespaceselector();
  if (!selects && !peer.has_ipblock()) {
    errors.push_back(field::Required(path, "must specify a peer"));
  } else if (selects && peer.has_ipblock()) {
    errors.push_back(field::Forbidden(path, "may not specify both ipBlock and another peer"));
  }
}

template <typename Rule, typename Peers>
void ValidatePolicyRule(ErrorList& errors, const Path& path, const Rule& rule, std::string_view peers_name,
                        const Peers& peers) {
  for (int i = 0; i < rule.ports_size(); ++i) {
    ValidatePort(errors, path.Child("ports").Index(static_cast<size_t>(i)), rule.ports(i));
  }
  for (int i = 0; i < peers.size(); ++i) {
    ValidatePeer(errors, path.Child(peers_name).Index(static_cast<size_t>(i)), peers[i]);
  }
}

}  // namespace

void SetDefaults(networking::IngressClass& ingress_class) {
  if (!ingress_class.spec().has_parameters() || ingress_class.spec().parameters().has_scope()) return;
  ingress_class.mutable_spec()->mutable_parameters()->set_scope("Cluster");
}

void SetDefaults(networking::NetworkPolicy& network_policy) {
  auto& spec = *network_policy.mutable_spec();
  const auto set_protocols = [](auto* rules) {
    for (auto& rule : *rules) {
      for (auto& port : *rule.mutable_ports()) {
        if (!port.has_protocol()) port.set_protocol("TCP");
      }
    }
  };
  set_protocols(spec.mutable_ingress());
  set_protocols(spec.mutable_egress());
  if (spec.policytypes_size() > 0) return;
  spec.add_policytypes("Ingress");
  if (spec.egress_size() > 0) spec.add_policytypes("Egress");
}

field::ErrorList ValidateIngress(const networking::Ingress& ingress) {
  ErrorList errors = ValidateSpec(ingress.spec(), {});
  const auto annotation = ingress.metadata().annotations().find(kClassAnnotation);
  if (annotation != ingress.metadata().annotations().end() && ingress.spec().has_ingressclassname() &&
      annotation->second != ingress.spec().ingressclassname()) {
    errors.push_back(field::Invalid(Path("annotations").Child(kClassAnnotation), annotation->second,
                                    "must match `ingressClassName` when both are specified"));
  }
  return errors;
}

field::ErrorList ValidateIngressUpdate(const networking::Ingress& updated, const networking::Ingress& old) {
  IngressOptions options;
  for (const auto& tls : old.spec().tls()) {
    options.allow_invalid_secret_name |=
        !tls.secretname().empty() && !names::NameIsDNSSubdomain(tls.secretname(), false).empty();
  }
  for (const auto& rule : old.spec().rules()) {
    ErrorList errors;
    if (HasWildcard(rule.host())) ValidateRuleValue(errors, Path("spec"), rule);
    options.allow_invalid_wildcard_rule |= !errors.empty();
  }
  return ValidateSpec(updated.spec(), options);
}

field::ErrorList ValidateIngressStatus(const networking::Ingress& ingress) {
  ErrorList errors;
  const auto& points = ingress.status().loadbalancer().ingress();
  for (int i = 0; i < points.size(); ++i) {
    const Path at = Path("status.loadBalancer.ingress").Index(static_cast<size_t>(i));
    if (!points[i].ip().empty()) {
      rules::AddInvalid(errors, at.Child("ip"), points[i].ip(), names::IsValidIP(points[i].ip()));
    }
    const std::string& host = points[i].hostname();
    if (host.empty()) continue;
    rules::AddInvalid(errors, at.Child("hostname"), host, names::IsDNS1123Subdomain(host));
    if (names::ParseIPSloppy(host)) errors.push_back(field::Invalid(at.Child("hostname"), host, kNotAnAddress));
  }
  return errors;
}

field::ErrorList ValidateIngressClass(const networking::IngressClass& ingress_class) {
  ErrorList errors;
  const auto& spec = ingress_class.spec();
  const Path controller("spec.controller");
  if (spec.controller().size() > kMaxController) {
    errors.push_back(field::TooLong(controller, "", kMaxController));
  }
  if (spec.controller().empty()) {
    errors.push_back(field::Required(controller, ""));
  } else {
    rules::AddInvalid(errors, controller, spec.controller(), names::IsDomainPrefixedPath(spec.controller()));
  }
  if (!spec.has_parameters()) return errors;
  const auto& parameters = spec.parameters();
  const Path path("spec.parameters");
  ValidateLocalReference(errors, path, parameters.has_apigroup() ? &parameters.apigroup() : nullptr, parameters.kind(),
                         parameters.name());
  const Path space = path.Child("namespace");
  if (!parameters.has_scope()) {
    errors.push_back(field::Required(path.Child("scope"), ""));
  } else if (parameters.scope() == "Namespace") {
    if (!parameters.has_namespace_()) {
      errors.push_back(field::Required(space, "`parameters.scope` is set to 'Namespace'"));
    } else {
      rules::AddInvalid(errors, space, parameters.namespace_(), names::NameIsDNSLabel(parameters.namespace_(), false));
    }
  } else if (parameters.scope() == "Cluster") {
    if (parameters.has_namespace_()) {
      errors.push_back(field::Forbidden(space, "`parameters.scope` is set to 'Cluster'"));
    }
  } else {
    errors.push_back(field::NotSupported(path.Child("scope"), parameters.scope(), {"Cluster", "Namespace"}));
  }
  return errors;
}

field::ErrorList ValidateIngressClassUpdate(const networking::IngressClass& updated,
                                            const networking::IngressClass& old) {
  ErrorList errors;
  rules::ImmutableText(errors, Path("spec.controller"), updated.spec().controller(), old.spec().controller());
  field::Append(errors, ValidateIngressClass(updated));
  return errors;
}

field::ErrorList ValidateNetworkPolicy(const networking::NetworkPolicy& network_policy) {
  const Path path("spec");
  const auto& spec = network_policy.spec();
  ErrorList errors = ValidateLabelSelector(spec.podselector(), path.Child("podSelector"));
  for (int i = 0; i < spec.ingress_size(); ++i) {
    ValidatePolicyRule(errors, path.Child("ingress").Index(static_cast<size_t>(i)), spec.ingress(i), "from",
                       spec.ingress(i).from());
  }
  for (int i = 0; i < spec.egress_size(); ++i) {
    ValidatePolicyRule(errors, path.Child("egress").Index(static_cast<size_t>(i)), spec.egress(i), "to",
                       spec.egress(i).to());
  }
  const Path types = path.Child("policyTypes");
  if (spec.policytypes_size() > 2) {
    errors.push_back(
        field::InvalidLiteral(types, "[]networking.PolicyType{...}", "may not specify more than two policyTypes"));
    return errors;
  }
  for (int i = 0; i < spec.policytypes_size(); ++i) {
    if (spec.policytypes(i) == "Ingress" || spec.policytypes(i) == "Egress") continue;
    errors.push_back(
        field::NotSupported(types.Index(static_cast<size_t>(i)), spec.policytypes(i), {"Ingress", "Egress"}));
  }
  return errors;
}

}  // namespace knarr::api
