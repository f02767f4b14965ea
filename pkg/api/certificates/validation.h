// Validation of certificates.k8s.io/v1; metadata is validated apart.
// Mirrors: pkg/apis/certificates/validation/validation.go of 1.32. Requests of v1beta1 without a signer carry the
// legacy one; it is let through in every version, as the hub does not know where an object came from.
#pragma once

#include "pkg/api/field/field.h"

namespace k8s::io::api::certificates::v1 {
class CertificateSigningRequest;
}

namespace knarr {
namespace certificates_v1 = ::k8s::io::api::certificates::v1;
}

namespace knarr::api {

field::ErrorList ValidateSignerName(const field::Path& path, std::string_view signer);
field::ErrorList ValidateSigningRequest(const certificates_v1::CertificateSigningRequest& request);
// What an endpoint may change besides.
enum class SigningRequestPart { kMain, kStatus, kApproval };
field::ErrorList ValidateSigningRequestUpdate(const certificates_v1::CertificateSigningRequest& updated,
                                              const certificates_v1::CertificateSigningRequest& old,
                                              SigningRequestPart part);

}  // namespace knarr::api
