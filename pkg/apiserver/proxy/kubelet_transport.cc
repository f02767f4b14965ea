#include "pkg/apiserver/proxy/kubelet_transport.h"

namespace knarr::proxy {
namespace {

Transports::Config Kubelet(const registry::BuiltinDeps& deps, bool insecure) {
  return tls::ClientConfig::New({.insecure_skip_verify = insecure || deps.kubelet_certificate_authority.empty(),
                                 .ca_file = insecure ? "" : deps.kubelet_certificate_authority,
                                 .cert_file = deps.kubelet_client_certificate,
                                 .key_file = deps.kubelet_client_key});
}

}  // namespace

Transports::Transports(const registry::BuiltinDeps& deps)
    : kubelet(Kubelet(deps, false)),
      insecure_kubelet(Kubelet(deps, true)),
      backend(tls::ClientConfig::New({.insecure_skip_verify = true})),
      preferred_types(deps.kubelet_preferred_address_types) {}

}  // namespace knarr::proxy
