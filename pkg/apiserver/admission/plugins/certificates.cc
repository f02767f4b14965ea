// CertificateApproval, CertificateSigning, CertificateSubjectRestriction, OwnerReferencesPermissionEnforcement: plugins
// that ask the authorizer. Mirrors: plugin/pkg/admission/{certificates,gc}
#include <fmt/format.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "k8s.io/api/certificates/v1/generated.pb.h"
#include "k8s.io/apimachinery/pkg/apis/meta/v1/generated.pb.h"
#include "pkg/api/codec/codec.h"
#include "pkg/api/scheme/scheme.h"
#include "pkg/apiserver/admission/plugins/plugins.h"

namespace knarr::admission {
namespace {

using ::k8s::io::api::certificates::v1::CertificateSigningRequest;

bool IsRequest(const Attributes& attributes, std::string_view subresource) {
  return attributes.Is("certificates.k8s.io", "certificatesigningrequests") && attributes.subresource == subresource &&
         attributes.object != nullptr;
}
const CertificateSigningRequest& New(const Attributes& attributes) {
  return static_cast<const api::Object*>(attributes.object)->As<CertificateSigningRequest>();
}

// For the signer itself, or for all of its domain. Mirrors: certificates/util.go
bool MayUseSigner(const Context& ctx, auth::Authorizer* authorizer, const auth::UserInfo* user, std::string_view verb,
                  const std::string& signer) {
  if (authorizer == nullptr || user == nullptr) return false;
  auth::Attributes asked{.user = user,
                         .verb = std::string(verb),
                         .resource_request = true,
                         .api_group = "certificates.k8s.io",
                         .api_version = "*",
                         .resource = "signers",
                         .name = signer};
  if (authorizer->Authorize(ctx, asked).decision == auth::Decision::kAllow) return true;
  asked.name = signer.substr(0, signer.find('/')) + "/*";
  return authorizer->Authorize(ctx, asked).decision == auth::Decision::kAllow;
}

class CertificateApproval : public PluginBase {
 public:
  explicit CertificateApproval(const PluginDeps& deps)
      : PluginBase("CertificateApproval", {Operation::kUpdate}, deps) {}

  Status Validate(const Context& ctx, const Attributes& attributes) override {
    if (!IsRequest(attributes, "approval")) return {};
    // Of the old one: the new one may claim another signer.
    const std::string& signer = attributes.old_object->As<CertificateSigningRequest>().spec().signername();
    if (MayUseSigner(ctx, deps_.authorizer, attributes.user, "approve", signer)) return {};
    return Forbidden(attributes, fmt::format("user not permitted to approve requests with signerName \"{}\"", signer));
  }
};

class CertificateSigning : public PluginBase {
 public:
  explicit CertificateSigning(const PluginDeps& deps) : PluginBase("CertificateSigning", {Operation::kUpdate}, deps) {}

  Status Validate(const Context& ctx, const Attributes& attributes) override {
    if (!IsRequest(attributes, "status")) return {};
    const auto& old = attributes.old_object->As<CertificateSigningRequest>();
    if (codec::EncodeProtobuf(old.status()) == codec::EncodeProtobuf(New(attributes).status())) return {};
    const std::string& signer = old.spec().signername();
    if (MayUseSigner(ctx, deps_.authorizer, attributes.user, "sign", signer)) return {};
    return Forbidden(attributes, fmt::format("user not permitted to sign requests with signerName \"{}\"", signer));
  }
};

// The organizations in the subject of a PEM certificate request.
Result<std::vector<std::string>> Organizations(const std::string& pem) {
  constexpr size_t kMaxBytes = 1 << 20;
  if (pem.size() > kMaxBytes) return Error(Code::kInvalid, "too large");
  const std::unique_ptr<BIO, decltype(&BIO_free_all)> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())),
                                                          BIO_free_all);
  const std::unique_ptr<X509_REQ, decltype(&X509_REQ_free)> request(
      PEM_read_bio_X509_REQ(bio.get(), nullptr, nullptr, nullptr), X509_REQ_free);
  if (!request) return Error(Code::kInvalid, "PEM block type must be CERTIFICATE REQUEST");
  std::vector<std::string> out;
  X509_NAME* subject = X509_REQ_get_subject_name(request.get());
  for (int at = X509_NAME_get_index_by_NID(subject, NID_organizationName, -1); at >= 0;
       at = X509_NAME_get_index_by_NID(subject, NID_organizationName, at)) {
    unsigned char* text = nullptr;
    const int size = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    if (size < 0) return Error(Code::kInvalid, "organization is not text");
    out.emplace_back(reinterpret_cast<char*>(text), static_cast<size_t>(size));
    OPENSSL_free(text);
  }
  return out;
}

class CertificateSubjectRestriction : public PluginBase {
 public:
  explicit CertificateSubjectRestriction(const PluginDeps& deps)
      : PluginBase("CertificateSubjectRestriction", {Operation::kCreate}, deps) {}

  Status Validate(const Context&, const Attributes& attributes) override {
    if (!IsRequest(attributes, "")) return {};
    constexpr std::string_view kSigner = "kubernetes.io/kube-apiserver-client";
    const auto& spec = New(attributes).spec();
    if (spec.signername() != kSigner) return {};
    const auto organizations = Organizations(spec.request());
    if (!organizations.ok())
      return Forbidden(attributes, fmt::format("failed to parse CSR: {}", organizations.status()));
    for (const std::string& group : *organizations) {
      if (group == auth::kMastersGroup)
        return Forbidden(attributes, fmt::format("use of {} signer with {} group is not allowed", kSigner, group));
    }
    return {};
  }
};

class OwnerReferencesPermissionEnforcement : public PluginBase {
 public:
  explicit OwnerReferencesPermissionEnforcement(const PluginDeps& deps)
      : PluginBase("OwnerReferencesPermissionEnforcement", {Operation::kCreate, Operation::kUpdate}, deps) {}

  Status Validate(const Context& ctx, const Attributes& attributes) override {
    if (attributes.object == nullptr || !attributes.object->has_metadata()) return {};
    if (attributes.Is("", "pods") && !attributes.subresource.empty()) return {};
    const auto& now = attributes.object->metadata().ownerreferences();
    static const google::protobuf::RepeatedPtrField<meta::OwnerReference> kNone;
    const auto& before = attributes.old_object != nullptr && attributes.old_object->has_metadata()
                             ? attributes.old_object->metadata().ownerreferences()
                             : kNone;
    const bool changed =
        !std::equal(now.begin(), now.end(), before.begin(), before.end(),
                    [](const auto& a, const auto& b) { return codec::EncodeProtobuf(a) == codec::EncodeProtobuf(b); });
    if (!changed) return {};
    if (attributes.operation == Operation::kUpdate) {
      const auto verdict = Ask(ctx, attributes, "delete", attributes.group, attributes.resource, "", attributes.name);
      if (verdict.decision != auth::Decision::kAllow)
        return Forbidden(attributes, fmt::format("cannot set an ownerRef on a resource you can't delete: {}, <nil>",
                                                 verdict.reason));
    }
    for (const auto& owner : now) {
      if (!owner.blockownerdeletion()) continue;
      const bool was = std::any_of(before.begin(), before.end(), [&](const auto& old) {
        return old.uid() == owner.uid() && old.blockownerdeletion();
      });
      if (was) continue;
      const scheme::ResourceInfo* info = scheme::FindKind(owner.apiversion(), owner.kind());
      if (info == nullptr)
        return Forbidden(attributes, fmt::format("cannot set blockOwnerDeletion in this case because cannot find "
                                                 "RESTMapping for APIVersion {} Kind {}: no matches for kind \"{}\" in "
                                                 "version \"{}\"",
                                                 owner.apiversion(), owner.kind(), owner.kind(), owner.apiversion()));
      const auto verdict = Ask(ctx, attributes, "update", info->group, info->resource, "finalizers", owner.name());
      if (verdict.decision != auth::Decision::kAllow)
        return Forbidden(attributes,
                         fmt::format("cannot set blockOwnerDeletion if an ownerReference refers to a resource "
                                     "you can't set finalizers on: {}, <nil>",
                                     verdict.reason));
    }
    return {};
  }

 private:
  auth::Verdict Ask(const Context& ctx, const Attributes& attributes, std::string_view verb, std::string_view group,
                    std::string_view resource, std::string_view subresource, const std::string& name) const {
    if (deps_.authorizer == nullptr) return {};
    return deps_.authorizer->Authorize(ctx, {.user = attributes.user,
                                             .verb = std::string(verb),
                                             .resource_request = true,
                                             .api_group = std::string(group),
                                             .api_version = "*",
                                             .resource = std::string(resource),
                                             .subresource = std::string(subresource),
                                             .name = name,
                                             .namespace_ = attributes.namespace_});
  }
};

}  // namespace

PluginResult NewCertificateApproval(const PluginDeps& deps) {
  return std::unique_ptr<Plugin>(std::make_unique<CertificateApproval>(deps));
}
PluginResult NewCertificateSigning(const PluginDeps& deps) {
  return std::unique_ptr<Plugin>(std::make_unique<CertificateSigning>(deps));
}
PluginResult NewCertificateSubjectRestriction(const PluginDeps& deps) {
  return std::unique_ptr<Plugin>(std::make_unique<CertificateSubjectRestriction>(deps));
}
PluginResult NewOwnerReferencesPermissionEnforcement(const PluginDeps& deps) {
  return std::unique_ptr<Plugin>(std::make_unique<OwnerReferencesPermissionEnforcement>(deps));
}

}  // namespace knarr::admission
