// Budgets, certificate requests and priority levels: the same fields with other meanings.
// Mirrors: pkg/apis/policy/{helper.go,v1beta1/conversion.go,v1/conversion.go},
// pkg/apis/certificates/v1beta1/defaults.go, pkg/apis/flowcontrol/v1beta3/{conversion,defaults}.go
#include "k8s.io/api/certificates/v1/generated.pb.h"
#include "k8s.io/api/certificates/v1beta1/generated.pb.h"
#include "k8s.io/api/flowcontrol/v1/generated.pb.h"
#include "k8s.io/api/policy/v1/generated.pb.h"
#include "k8s.io/api/policy/v1beta1/generated.pb.h"
#include "pkg/api/certificates/csr.h"
#include "pkg/api/conversion/wire.h"
#include "pkg/api/types.h"

namespace knarr::conversion {
namespace {

using google::protobuf::Message;
namespace policy_v1 = ::k8s::io::api::policy::v1;
namespace policy_beta = ::k8s::io::api::policy::v1beta1;
namespace certificates_v1 = ::k8s::io::api::certificates::v1;
namespace certificates_beta = ::k8s::io::api::certificates::v1beta1;
namespace flow_v1 = ::k8s::io::api::flowcontrol::v1;

// An empty selector selects nothing in v1beta1 and everything in v1. Each says the other's meaning by this label.
constexpr const char* kBudgetLabel = "pdb.kubernetes.io/deprecated-v1beta1-empty-selector-match";
constexpr const char* kPreserveZero = "flowcontrol.k8s.io/v1beta3-preserve-zero-concurrency-shares";

bool IsEmpty(const meta::LabelSelector& selector) {
  return selector.matchlabels().empty() && selector.matchexpressions().empty();
}

bool IsOnly(const meta::LabelSelector& selector, std::string_view op) {
  return selector.matchlabels().empty() && selector.matchexpressions_size() == 1 &&
         selector.matchexpressions(0).key() == kBudgetLabel && selector.matchexpressions(0).operator_() == op &&
         selector.matchexpressions(0).values().empty();
}

void SetOnly(meta::LabelSelector* selector, const char* op) {
  selector->Clear();
  auto* expression = selector->add_matchexpressions();
  expression->set_key(kBudgetLabel);
  expression->set_operator_(op);
}

void Strip(meta::LabelSelector* selector) {
  auto* expressions = selector->mutable_matchexpressions();
  for (int i = expressions->size() - 1; i >= 0; --i) {
    if ((*expressions)[i].key() == kBudgetLabel) expressions->DeleteSubrange(i, 1);
  }
}

}  // namespace

Status BudgetV1beta1ToV1(const Message& from, Message* out) {
  auto* to = static_cast<policy_v1::PodDisruptionBudget*>(out);
  if (!CopyByWire(from, to)) return Status(Code::kInvalid, "malformed PodDisruptionBudget");
  if (!to->spec().has_selector()) return Status();
  meta::LabelSelector* selector = to->mutable_spec()->mutable_selector();
  if (IsEmpty(*selector)) {
    SetOnly(selector, "Exists");
  } else if (IsOnly(*selector, "DoesNotExist")) {
    selector->Clear();
  } else {
    Strip(selector);
  }
  return Status();
}

Status BudgetV1ToV1beta1(const Message& from, Message* out) {
  auto* to = static_cast<policy_beta::PodDisruptionBudget*>(out);
  if (!CopyByWire(from, to)) return Status(Code::kInvalid, "malformed PodDisruptionBudget");
  if (!to->spec().has_selector()) return Status();
  meta::LabelSelector* selector = to->mutable_spec()->mutable_selector();
  if (IsOnly(*selector, "Exists")) {
    selector->Clear();
  } else if (IsEmpty(*selector)) {
    SetOnly(selector, "DoesNotExist");
  }
  return Status();
}

Status SigningRequestV1beta1ToV1(const Message& message, Message* out) {
  const auto& from = static_cast<const certificates_beta::CertificateSigningRequest&>(message);
  auto* to = static_cast<certificates_v1::CertificateSigningRequest*>(out);
  if (!CopyByWire(from, to)) return Status(Code::kInvalid, "malformed CertificateSigningRequest");
  auto* spec = to->mutable_spec();
  if (spec->usages().empty()) {
    spec->add_usages("digital signature");
    spec->add_usages("key encipherment");
  }
  if (!from.spec().has_signername()) {
    const std::vector<std::string> usages(spec->usages().begin(), spec->usages().end());
    spec->set_signername(std::string(certificates::DefaultSignerName(spec->request(), usages)));
  }
  for (auto& condition : *to->mutable_status()->mutable_conditions()) {
    if (condition.status().empty()) condition.set_status("True");
  }
  return Status();
}

Status PriorityLevelBetaToV1(const Message& from, Message* out) {
  auto* to = static_cast<flow_v1::PriorityLevelConfiguration*>(out);
  if (!CopyByWire(from, to)) return Status(Code::kInvalid, "malformed PriorityLevelConfiguration");
  const bool preserve = to->mutable_metadata()->mutable_annotations()->erase(kPreserveZero) > 0;
  if (!to->spec().has_limited()) return Status();
  auto* limited = to->mutable_spec()->mutable_limited();
  if (limited->nominalconcurrencyshares() != 0) return Status();
  if (preserve) {
    limited->set_nominalconcurrencyshares(0);
  } else {
    limited->clear_nominalconcurrencyshares();
  }
  return Status();
}

Status PriorityLevelV1ToBeta(const Message& message, Message* to) {
  const auto& from = static_cast<const flow_v1::PriorityLevelConfiguration&>(message);
  if (!CopyByWire(from, to)) return Status(Code::kInvalid, "malformed PriorityLevelConfiguration");
  const auto& limited = from.spec().limited();
  if (!limited.has_nominalconcurrencyshares() || limited.nominalconcurrencyshares() != 0) return Status();
  const auto* field = to->GetDescriptor()->FindFieldByName("metadata");
  KNARR_CHECK(field != nullptr);
  auto* metadata = static_cast<meta::ObjectMeta*>(to->GetReflection()->MutableMessage(to, field));
  (*metadata->mutable_annotations())[kPreserveZero] = "";
  return Status();
}

}  // namespace knarr::conversion
