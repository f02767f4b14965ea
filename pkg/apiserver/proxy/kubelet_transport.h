// Private to this folder: TLS towards kubelets and towards what proxies reach.
#pragma once

#include <memory>

#include "pkg/apiserver/registry/builtin.h"
#include "pkg/net/tls/tls.h"

namespace knarr::proxy {

struct Transports {
  explicit Transports(const registry::BuiltinDeps& deps);

  using Config = Result<std::shared_ptr<tls::ClientConfig>>;
  static Config Copy(const Config& config) { return config; }  // for KNARR_TRY, which takes
  Config kubelet;           // with our client certificate; verified where an authority is configured
  Config insecure_kubelet;  // the same, never verified (insecureSkipTLSVerifyBackend)
  Config backend;           // pods, services: nothing is verified, nothing shown, as upstream
  std::vector<std::string> preferred_types;
};

}  // namespace knarr::proxy
