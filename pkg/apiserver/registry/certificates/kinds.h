// CertificateSigningRequests.
// Mirrors: pkg/registry/certificates/rest/storage_certificates.go
#pragma once

#include <vector>

#include "pkg/apiserver/registry/builtin.h"

namespace knarr::registry {

std::vector<Kind> CertificatesKinds(const BuiltinDeps& deps);

}  // namespace knarr::registry
