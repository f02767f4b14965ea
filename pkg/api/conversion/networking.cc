// Ingress and EndpointSlice. Mirrors: pkg/apis/networking/v1beta1/{conversion,defaults}.go,
// pkg/apis/discovery/v1beta1/conversion.go
#include "k8s.io/api/discovery/v1/generated.pb.h"
#include "k8s.io/api/discovery/v1beta1/generated.pb.h"
#include "k8s.io/api/networking/v1/generated.pb.h"
#include "k8s.io/api/networking/v1beta1/generated.pb.h"
#include "pkg/api/conversion/wire.h"
#include "pkg/api/intstr/intstr.h"

namespace knarr::conversion {
namespace {

using google::protobuf::Message;
namespace net_v1 = ::k8s::io::api::networking::v1;
namespace net_beta = ::k8s::io::api::networking::v1beta1;
namespace slice_v1 = ::k8s::io::api::discovery::v1;
namespace slice_beta = ::k8s::io::api::discovery::v1beta1;

constexpr const char* kZone = "topology.kubernetes.io/zone";
constexpr const char* kHostname = "kubernetes.io/hostname";

void BackendToV1(const net_beta::IngressBackend& from, net_v1::IngressBackend* to) {
  to->clear_service();
  if (from.servicename().empty() && !from.has_serviceport()) return;
  // Go's zero value of a port (the number 0) and no name: no service at all.
  const bool no_port = !intstr::IsString(from.serviceport()) && from.serviceport().intval() == 0;
  if (from.servicename().empty() && no_port) return;
  to->mutable_service()->set_name(from.servicename());
  if (intstr::IsString(from.serviceport())) {
    to->mutable_service()->mutable_port()->set_name(from.serviceport().strval());
  } else {
    to->mutable_service()->mutable_port()->set_number(from.serviceport().intval());
  }
}

void BackendToV1beta1(const net_v1::IngressBackend& from, net_beta::IngressBackend* to) {
  to->clear_servicename();
  to->clear_serviceport();
  if (!from.has_service()) return;
  to->set_servicename(from.service().name());
  if (!from.service().port().name().empty()) {
    *to->mutable_serviceport() = intstr::FromString(from.service().port().name());
  } else {
    *to->mutable_serviceport() = intstr::FromInt32(from.service().port().number());
  }
}

// Calls visit(backend of `from`, backend of `to`, path of `to` or null) for every backend of two ingresses of one
// shape.
template <typename From, typename To, typename Visitor>
void VisitPaths(const From& from, To* to, Visitor visit) {
  for (int i = 0; i < from.spec().rules_size(); ++i) {
    const auto& rule = from.spec().rules(i);
    auto* to_rule = to->mutable_spec()->mutable_rules(i);
    for (int j = 0; j < rule.ingressrulevalue().http().paths_size(); ++j) {
      visit(rule.ingressrulevalue().http().paths(j),
            to_rule->mutable_ingressrulevalue()->mutable_http()->mutable_paths(j));
    }
  }
}

}  // namespace

Status IngressV1beta1ToV1(const Message& message, Message* out) {
  const auto& from = static_cast<const net_beta::Ingress&>(message);
  auto* to = static_cast<net_v1::Ingress*>(out);
  if (!CopyByWire(from, to)) return Status(Code::kInvalid, "malformed Ingress");
  if (from.spec().has_backend()) BackendToV1(from.spec().backend(), to->mutable_spec()->mutable_defaultbackend());
  VisitPaths(from, to, [](const auto& path, auto* to_path) {
    // What only this version defaults.
    if (!to_path->has_pathtype()) to_path->set_pathtype("ImplementationSpecific");
    if (path.has_backend()) BackendToV1(path.backend(), to_path->mutable_backend());
  });
  return Status();
}

Status IngressV1ToV1beta1(const Message& message, Message* out) {
  const auto& from = static_cast<const net_v1::Ingress&>(message);
  auto* to = static_cast<net_beta::Ingress*>(out);
  if (!CopyByWire(from, to)) return Status(Code::kInvalid, "malformed Ingress");
  if (from.spec().has_defaultbackend()) {
    BackendToV1beta1(from.spec().defaultbackend(), to->mutable_spec()->mutable_backend());
  }
  VisitPaths(from, to, [](const auto& path, auto* to_path) {
    if (path.has_backend()) BackendToV1beta1(path.backend(), to_path->mutable_backend());
  });
  return Status();
}

Status EndpointSliceV1beta1ToV1(const Message& message, Message* out) {
  const auto& from = static_cast<const slice_beta::EndpointSlice&>(message);
  auto* to = static_cast<slice_v1::EndpointSlice*>(out);
  // The numbers of zone and hints mean other things in the two versions: without them.
  slice_beta::EndpointSlice rest = from;
  for (auto& endpoint : *rest.mutable_endpoints()) endpoint.clear_hints();
  if (!CopyByWire(rest, to)) return Status(Code::kInvalid, "malformed EndpointSlice");
  for (int i = 0; i < from.endpoints_size(); ++i) {
    const auto& endpoint = from.endpoints(i);
    auto* to_endpoint = to->mutable_endpoints(i);
    if (endpoint.has_hints() && !CopyByWire(endpoint.hints(), to_endpoint->mutable_hints())) {
      return Status(Code::kInvalid, "malformed EndpointSlice");
    }
    auto& topology = *to_endpoint->mutable_deprecatedtopology();
    if (const auto zone = topology.find(kZone); zone != topology.end()) {
      to_endpoint->set_zone(zone->second);
      topology.erase(zone);
    }
    const auto hostname = topology.find(kHostname);
    if (hostname != topology.end() && endpoint.has_nodename() && hostname->second == endpoint.nodename()) {
      topology.erase(hostname);
    }
  }
  return Status();
}

Status EndpointSliceV1ToV1beta1(const Message& message, Message* out) {
  const auto& from = static_cast<const slice_v1::EndpointSlice&>(message);
  auto* to = static_cast<slice_beta::EndpointSlice*>(out);
  slice_v1::EndpointSlice rest = from;
  for (auto& endpoint : *rest.mutable_endpoints()) {
    endpoint.clear_zone();
    endpoint.clear_hints();
  }
  if (!CopyByWire(rest, to)) return Status(Code::kInvalid, "malformed EndpointSlice");
  for (int i = 0; i < from.endpoints_size(); ++i) {
    const auto& endpoint = from.endpoints(i);
    auto* to_endpoint = to->mutable_endpoints(i);
    if (endpoint.has_hints() && !CopyByWire(endpoint.hints(), to_endpoint->mutable_hints())) {
      return Status(Code::kInvalid, "malformed EndpointSlice");
    }
    auto& topology = *to_endpoint->mutable_topology();
    if (endpoint.has_zone()) topology[kZone] = endpoint.zone();
    if (endpoint.has_nodename()) topology.insert({kHostname, endpoint.nodename()});
  }
  return Status();
}

}  // namespace knarr::conversion
