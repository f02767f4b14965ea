// What the server serves, for clients: /api, /apis and below, and the aggregated form (apidiscovery.k8s.io v2,
// v2beta1). Documents are made from the registry and kept until it changes. Mirrors:
// staging/src/k8s.io/apiserver/pkg/endpoints/discovery
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "pkg/apiserver/registry/registry.h"
#include "pkg/net/http/server.h"

namespace knarr::endpoints {

class Discovery {
 public:
  // server_address: what /api tells clients, "10.0.0.5:6443".
  Discovery(const registry::Registry& registry, std::string server_address);
  ~Discovery();

  // True if the path is one of discovery's (it was answered, with 404 for a group or version that is not served).
  bool Serve(const http::Request& request, http::ResponseWriter& response);

 private:
  struct Documents;
  std::shared_ptr<const Documents> Current();

  const registry::Registry& registry_;
  const std::string server_address_;
  std::mutex mutex_;
  std::shared_ptr<const Documents> documents_;
};

// Stable before beta before alpha, newer first. Mirrors: k8s.io/apimachinery/pkg/version/helpers.go
bool VersionBefore(std::string_view a, std::string_view b);

}  // namespace knarr::endpoints
