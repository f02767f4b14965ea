// Defaults and validation of networking.k8s.io/v1; metadata is validated apart.
// Mirrors: pkg/apis/networking/{v1/defaults.go,validation/validation.go} of 1.32
#pragma once

#include "pkg/api/field/field.h"

namespace k8s::io::api::networking::v1 {
class Ingress;
class IngressClass;
class NetworkPolicy;
}  // namespace k8s::io::api::networking::v1

namespace knarr {
namespace networking = ::k8s::io::api::networking::v1;
}

namespace knarr::api {

void SetDefaults(networking::IngressClass& ingress_class);
void SetDefaults(networking::NetworkPolicy& network_policy);

field::ErrorList ValidateIngress(const networking::Ingress& ingress);
// What was invalid before may stay: names of secrets, rules of wildcard hosts.
field::ErrorList ValidateIngressUpdate(const networking::Ingress& updated, const networking::Ingress& old);
field::ErrorList ValidateIngressStatus(const networking::Ingress& ingress);
field::ErrorList ValidateIngressClass(const networking::IngressClass& ingress_class);
field::ErrorList ValidateIngressClassUpdate(const networking::IngressClass& updated,
                                            const networking::IngressClass& old);
field::ErrorList ValidateNetworkPolicy(const networking::NetworkPolicy& network_policy);

}  // namespace knarr::api
