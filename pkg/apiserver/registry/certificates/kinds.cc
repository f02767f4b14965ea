#include "pkg/apiserver/registry/certificates/kinds.h"

#include "k8s.io/api/certificates/v1/generated.pb.h"
#include "pkg/api/certificates/validation.h"
#include "pkg/api/meta/validation.h"
#include "pkg/apiserver/registry/printers.h"
#include "pkg/apiserver/registry/strategies.h"

namespace knarr::registry {
namespace {

using api::SigningRequestPart;
using certificates_v1::CertificateSigningRequest;
using field::ErrorList;

std::vector<const certificates_v1::CertificateSigningRequestCondition*> Find(const CertificateSigningRequest& request,
                                                                             std::string_view type) {
  std::vector<const certificates_v1::CertificateSigningRequestCondition*> found;
  for (const auto& condition : request.status().conditions()) {
    if (condition.type() == type) found.push_back(&condition);
  }
  return found;
}

class SigningRequestStrategy : public TypedStrategy<CertificateSigningRequest> {
 public:
  // Who asks is what the server knows of them, and nobody approves on their own behalf here.
  void PrepareCreate(const RequestContext& rc, CertificateSigningRequest& request) const override {
    auto& spec = *request.mutable_spec();
    spec.clear_username();
    spec.clear_uid();
    spec.clear_groups();
    spec.clear_extra();
    if (rc.user != nullptr) {
      spec.set_username(rc.user->name);
      spec.set_uid(rc.user->uid);
      for (const std::string& group : rc.user->groups) spec.add_groups(group);
      for (const auto& [key, values] : rc.user->extra) {
        auto& items = (*spec.mutable_extra())[key];
        for (const std::string& value : values) items.add_items(value);
      }
    }
    request.clear_status();
  }
  void PrepareUpdate(const RequestContext&, CertificateSigningRequest& updated,
                     const CertificateSigningRequest& old) const override {
    KeepSpec(updated, old);
    KeepStatus(updated, old);
  }
  ErrorList Check(const RequestContext&, const CertificateSigningRequest& request) const override {
    return api::ValidateSigningRequest(request);
  }
  ErrorList CheckUpdate(const RequestContext&, const CertificateSigningRequest& updated,
                        const CertificateSigningRequest& old) const override {
    return api::ValidateSigningRequestUpdate(updated, old, SigningRequestPart::kMain);
  }
  std::vector<std::pair<std::string, std::string>> SelectableFields(const Object& object) const override {
    return {{"spec.signerName", object.As<CertificateSigningRequest>().spec().signername()}};
  }
  std::vector<std::string_view> SelectableFieldNames() const override { return {"spec.signerName"}; }
  std::vector<Column> Columns() const override {
    return {NameColumn(),
            AgeColumn(),
            TextColumn("SignerName"),
            TextColumn("Requestor"),
            TextColumn("RequestedDuration"),
            TextColumn("Condition")};
  }
  std::vector<Cell> Row(const CertificateSigningRequest& request, WallTime now) const override {
    const auto& spec = request.spec();
    const WallTime start = WallTime(std::chrono::seconds(1));
    return {request.metadata().name(),
            Age(request.metadata(), now),
            spec.signername().empty() ? std::string("<none>") : spec.signername(),
            spec.username(),
            spec.has_expirationseconds() ? HumanAge(start, start + std::chrono::seconds(spec.expirationseconds()))
                                         : std::string("<none>"),
            StateOf(request)};
  }

 protected:
  static void StampConditions(const RequestContext& rc, CertificateSigningRequest& updated,
                              const CertificateSigningRequest& old) {
    const int64_t now = std::chrono::duration_cast<std::chrono::seconds>(
                            (rc.clock != nullptr ? *rc.clock : Clock::Real()).Now().time_since_epoch())
                            .count();
    for (auto& condition : *updated.mutable_status()->mutable_conditions()) {
      if (condition.lastupdatetime().seconds() == 0) condition.mutable_lastupdatetime()->set_seconds(now);
      if (condition.lasttransitiontime().seconds() != 0) continue;
      condition.mutable_lasttransitiontime()->set_seconds(now);
      for (const auto* before : Find(old, condition.type())) {
        if (before->status() != condition.status() || before->lasttransitiontime().seconds() == 0) continue;
        *condition.mutable_lasttransitiontime() = before->lasttransitiontime();
        break;
      }
    }
  }

 private:
  static std::string StateOf(const CertificateSigningRequest& request) {
    std::string state = "Pending";
    if (!Find(request, "Approved").empty()) state = "Approved";
    if (!Find(request, "Denied").empty()) state = "Denied";
    if (!Find(request, "Failed").empty()) state += ",Failed";
    if (!request.status().certificate().empty()) state += ",Issued";
    return state;
  }
};

class SigningRequestStatusStrategy : public SigningRequestStrategy {
 public:
  void PrepareUpdate(const RequestContext& rc, CertificateSigningRequest& updated,
                     const CertificateSigningRequest& old) const override {
    KeepSpec(updated, old);
    // A signer that read the request before it was approved does not take the approval back.
    for (const std::string_view type : {"Approved", "Denied"}) {
      if (!Find(updated, type).empty()) continue;
      for (const auto* condition : Find(old, type)) *updated.mutable_status()->add_conditions() = *condition;
    }
    StampConditions(rc, updated, old);
  }
  ErrorList CheckUpdate(const RequestContext&, const CertificateSigningRequest& updated,
                        const CertificateSigningRequest& old) const override {
    return api::ValidateSigningRequestUpdate(updated, old, SigningRequestPart::kStatus);
  }
};

class SigningRequestApprovalStrategy : public SigningRequestStrategy {
 public:
  void PrepareUpdate(const RequestContext& rc, CertificateSigningRequest& updated,
                     const CertificateSigningRequest& old) const override {
    KeepSpec(updated, old);
    const auto conditions = updated.status().conditions();
    KeepStatus(updated, old);
    *updated.mutable_status()->mutable_conditions() = conditions;
    StampConditions(rc, updated, old);
  }
  ErrorList CheckUpdate(const RequestContext&, const CertificateSigningRequest& updated,
                        const CertificateSigningRequest& old) const override {
    return api::ValidateSigningRequestUpdate(updated, old, SigningRequestPart::kApproval);
  }
};

}  // namespace

std::vector<Kind> CertificatesKinds(const BuiltinDeps&) {
  Kind kind = BuiltinKind("certificates.k8s.io", "certificatesigningrequests", {"v1", "v1beta1"},
                          std::make_shared<SigningRequestStrategy>());
  // Any name that can be a part of a path.
  kind.name_validator = api::ValidatePathSegmentName;
  kind.subresources.push_back(StatusPart(std::make_shared<SigningRequestApprovalStrategy>()));
  kind.subresources.back().name = "approval";
  kind.subresources.push_back(StatusPart(std::make_shared<SigningRequestStatusStrategy>()));
  Deprecate(kind, "v1beta1", 19, 22, "v1");
  return {std::move(kind)};
}

}  // namespace knarr::registry
