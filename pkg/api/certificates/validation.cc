#include "pkg/api/certificates/validation.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "k8s.io/api/certificates/v1/generated.pb.h"
#include "pkg/api/certificates/csr.h"
#include "pkg/api/field/quote.h"
#include "pkg/api/meta/equality.h"
#include "pkg/api/rules/rules.h"

namespace knarr::api {
namespace {

using certificates_v1::CertificateSigningRequest;
using certificates_v1::CertificateSigningRequestCondition;
using field::ErrorList;
using field::Path;

constexpr int kMinExpirationSeconds = 600;
constexpr int kMaxDomain = 253;
constexpr int kMaxSigner = kMaxDomain + 1 + kMaxDomain + 63 + 1;

constexpr std::string_view kUsages[] = {"any",
                                        "cert sign",
                                        "client auth",
                                        "code signing",
                                        "content commitment",
                                        "crl sign",
                                        "data encipherment",
                                        "decipher only",
                                        "digital signature",
                                        "email protection",
                                        "encipher only",
                                        "ipsec end system",
                                        "ipsec tunnel",
                                        "ipsec user",
                                        "key agreement",
                                        "key encipherment",
                                        "microsoft sgc",
                                        "netscape sgc",
                                        "ocsp signing",
                                        "s/mime",
                                        "server auth",
                                        "signing",
                                        "timestamping"};
constexpr std::string_view kStatuses[] = {"False", "True", "Unknown"};
constexpr std::string_view kDecisions[] = {"Approved", "Denied", "Failed"};

// Checks the parts between dots; the first that is wrong is named.
void ValidateLabels(ErrorList& errors, const Path& path, std::string_view segment,
                    names::Messages (*check)(std::string_view)) {
  std::string_view rest = segment;
  for (;;) {
    const size_t dot = rest.find('.');
    const std::string_view label = rest.substr(0, dot);
    const names::Messages messages = check(label);
    for (const std::string& message : messages) {
      errors.push_back(
          field::Invalid(path, segment, fmt::format("validating label {}: {}", field::Quote(label), message)));
    }
    if (!messages.empty() || dot == std::string_view::npos) return;
    rest.remove_prefix(dot + 1);
  }
}

void ValidateConditions(ErrorList& errors, const CertificateSigningRequest& request) {
  std::set<std::string> seen;
  for (int i = 0; i < request.status().conditions_size(); ++i) {
    const CertificateSigningRequestCondition& condition = request.status().conditions(i);
    const Path path = Path("status.conditions").Index(static_cast<size_t>(i));
    const std::string& type = condition.type();
    const std::string& status = condition.status();
    if (type.empty()) errors.push_back(field::Required(path.Child("type"), ""));
    const bool only_true = std::find(std::begin(kDecisions), std::end(kDecisions), type) != std::end(kDecisions);
    if (status.empty()) {
      errors.push_back(field::Required(path.Child("status"), ""));
    } else if (only_true && status != "True") {
      errors.push_back(field::NotSupported(path.Child("status"), status, {"True"}));
    } else if (std::find(std::begin(kStatuses), std::end(kStatuses), status) == std::end(kStatuses)) {
      errors.push_back(field::NotSupported(path.Child("status"), status, kStatuses));
    }
    if ((type == "Approved" && seen.contains("Denied")) || (type == "Denied" && seen.contains("Approved"))) {
      errors.push_back(
          field::Invalid(path.Child("type"), type, "Approved and Denied conditions are mutually exclusive"));
    }
    if (!seen.insert(type).second) errors.push_back(field::Duplicate(path.Child("type"), type));
  }
}

std::vector<const CertificateSigningRequestCondition*> Find(const CertificateSigningRequest& request,
                                                            std::string_view type) {
  std::vector<const CertificateSigningRequestCondition*> found;
  for (const auto& condition : request.status().conditions()) {
    if (condition.type() == type) found.push_back(&condition);
  }
  return found;
}

}  // namespace

field::ErrorList ValidateSignerName(const field::Path& path, std::string_view signer) {
  ErrorList errors;
  if (signer.empty()) {
    errors.push_back(field::Required(path, "signerName must be provided"));
    return errors;
  }
  const size_t slash = signer.find('/');
  if (slash == std::string_view::npos || signer.find('/', slash + 1) != std::string_view::npos) {
    errors.push_back(field::Invalid(path, signer,
                                    "must be a fully qualified domain and path of the form 'example.com/signer-name'"));
    return errors;
  }
  const std::string_view domain = signer.substr(0, slash);
  if (domain.size() > static_cast<size_t>(kMaxDomain)) errors.push_back(field::TooLong(path, domain, kMaxDomain));
  ValidateLabels(errors, path, domain, names::IsDNS1123Label);
  if (domain.find('.') == std::string_view::npos) {
    errors.push_back(field::Invalid(path, domain, "should be a domain with at least two segments separated by dots"));
  }
  ValidateLabels(errors, path, signer.substr(slash + 1), names::IsDNS1123Subdomain);
  if (signer.size() > static_cast<size_t>(kMaxSigner)) errors.push_back(field::TooLong(path, signer, kMaxSigner));
  return errors;
}

field::ErrorList ValidateSigningRequest(const CertificateSigningRequest& request) {
  ErrorList errors;
  const Path path("spec");
  const auto& spec = request.spec();
  if (const Status checked = certificates::CheckRequest(spec.request()); !checked.ok()) {
    errors.push_back(field::InvalidLiteral(path.Child("request"), rules::GoBytes(spec.request()), checked.message()));
  }
  const Path usages = path.Child("usages");
  if (spec.usages().empty()) errors.push_back(field::Required(usages, "usages must be provided"));
  std::set<std::string> seen;
  for (int i = 0; i < spec.usages_size(); ++i) {
    const std::string& usage = spec.usages(i);
    if (std::find(std::begin(kUsages), std::end(kUsages), usage) != std::end(kUsages)) continue;
    errors.push_back(field::NotSupported(usages.Index(static_cast<size_t>(i)), usage, kUsages));
  }
  for (int i = 0; i < spec.usages_size(); ++i) {
    if (seen.insert(spec.usages(i)).second) continue;
    errors.push_back(field::Duplicate(usages.Index(static_cast<size_t>(i)), spec.usages(i)));
  }
  field::Append(errors, ValidateSignerName(path.Child("signerName"), spec.signername()));
  if (spec.has_expirationseconds() && spec.expirationseconds() < kMinExpirationSeconds) {
    errors.push_back(field::Invalid(path.Child("expirationSeconds"), spec.expirationseconds(),
                                    "may not specify a duration less than 600 seconds (10 minutes)"));
  }
  ValidateConditions(errors, request);
  if (const Status checked = certificates::CheckCertificates(request.status().certificate()); !checked.ok()) {
    errors.push_back(field::Invalid(Path("status.certificate"), "<certificate data>", checked.message()));
  }
  return errors;
}

field::ErrorList ValidateSigningRequestUpdate(const CertificateSigningRequest& updated,
                                              const CertificateSigningRequest& old, SigningRequestPart part) {
  ErrorList errors = ValidateSigningRequest(updated);
  const Path conditions("status.conditions");
  for (const std::string_view type : kDecisions) {
    if (Find(updated, type).size() < Find(old, type).size()) {
      errors.push_back(field::Forbidden(
          conditions, fmt::format("updates may not remove a condition of type {}", field::Quote(type))));
    }
  }
  if (part != SigningRequestPart::kApproval) {
    for (const std::string_view type : {"Approved", "Denied"}) {
      const auto now = Find(updated, type);
      const auto before = Find(old, type);
      if (now.size() > before.size()) {
        errors.push_back(field::Forbidden(
            conditions, fmt::format("updates may not add a condition of type {}", field::Quote(type))));
      } else if (now.size() == before.size() &&
                 !std::equal(now.begin(), now.end(), before.begin(),
                             [](const auto* a, const auto* b) { return SemanticEqual(*a, *b); })) {
        errors.push_back(field::Forbidden(
            conditions, fmt::format("updates may not modify a condition of type {}", field::Quote(type))));
      }
    }
  }
  const Path certificate("status.certificate");
  if (updated.status().certificate() != old.status().certificate()) {
    if (part != SigningRequestPart::kStatus) {
      errors.push_back(field::Forbidden(certificate, "updates may not set certificate content"));
    } else if (!old.status().certificate().empty()) {
      errors.push_back(field::Forbidden(certificate, "updates may not modify existing certificate content"));
    }
  }
  return errors;
}

}  // namespace knarr::api
