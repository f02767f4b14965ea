// Every built-in kind. A folder per group of the API holds a file per kind; <group>/kinds.h lists them.
#pragma once

#include <string>
#include <vector>

#include "pkg/apiserver/registry/kind.h"

namespace knarr::http {
class Client;
}

namespace knarr::auth {
struct ServiceAccountKeys;
}
namespace knarr::storage {
class Store;
}

namespace knarr::registry {

// What some kinds need besides themselves. All pointers outlive the kinds.
struct BuiltinDeps {
  Access* access = nullptr;
  storage::Store* store = nullptr;  // for what is kept beside objects: ranges of addresses and ports
  Clock* clock = nullptr;
  auth::Authorizer* authorizer = nullptr;                                // escalation checks, reviews
  std::shared_ptr<auth::TokenAuthenticator> tokens;                      // TokenReview; null: no token is known
  std::shared_ptr<const auth::ServiceAccountKeys> service_account_keys;  // TokenRequest
  Logger log;

  // Services.
  std::vector<std::string> service_cluster_ip_ranges;  // --service-cluster-ip-range: one or two
  int node_port_first = 30000, node_port_count = 2768;

  // The way to kubelets (log, exec, attach, portforward, node proxy).
  std::string kubelet_client_certificate, kubelet_client_key, kubelet_certificate_authority;
  std::vector<std::string> kubelet_preferred_address_types = {"Hostname", "InternalDNS", "InternalIP", "ExternalDNS",
                                                              "ExternalIP"};
  std::chrono::seconds kubelet_timeout{5};
  // The front-proxy certificate, for proxies to pods and services.
  std::string proxy_client_cert_file, proxy_client_key_file;
  bool allow_privileged = false;
};

std::vector<Kind> BuiltinKinds(const BuiltinDeps& deps);

}  // namespace knarr::registry
