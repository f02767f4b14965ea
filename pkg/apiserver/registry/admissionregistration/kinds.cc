#include "pkg/apiserver/registry/admissionregistration/kinds.h"

#include "k8s.io/api/admissionregistration/v1/generated.pb.h"
#include "pkg/api/errors/errors.h"
#include "pkg/api/names/names.h"
#include "pkg/apiserver/registry/printers.h"
#include "pkg/apiserver/registry/strategies.h"

namespace knarr::registry {
namespace {

namespace pb = ::k8s::io::api::admissionregistration::v1;

constexpr std::string_view kGroup = "admissionregistration.k8s.io";

// An object that would be stored and then not do what it says is worse than none: creation is refused. Objects that
// lie in the store already (an upstream server put them there) can be read and deleted.
template <typename T>
class RefusedStrategy : public TypedStrategy<T> {
 public:
  RefusedStrategy(std::string_view resource, std::string_view what) : resource_(resource), what_(what) {}

  Result<Strategy::Finish> Begin(const RequestContext&, Object& object, const Object* old) const override {
    if (old != nullptr) return Strategy::Finish();
    return errors::Forbidden(kGroup, resource_, object.metadata().name(),
                             fmt::format("this server does not call {} yet", what_));
  }

 private:
  std::string resource_, what_;
};

template <typename T>
class WebhookStrategy : public RefusedStrategy<T> {
 public:
  explicit WebhookStrategy(std::string_view resource) : RefusedStrategy<T>(resource, "admission webhooks") {}
  std::vector<Column> Columns() const override { return {NameColumn(), NumberColumn("Webhooks"), AgeColumn()}; }
  std::vector<Cell> Row(const T& object, WallTime now) const override {
    return {object.metadata().name(), int64_t{object.webhooks_size()}, Age(object.metadata(), now)};
  }
};

class PolicyStrategy : public RefusedStrategy<pb::ValidatingAdmissionPolicy> {
 public:
  PolicyStrategy() : RefusedStrategy("validatingadmissionpolicies", "validating admission policies") {}
  std::vector<Column> Columns() const override {
    return {NameColumn(), NumberColumn("Validations"), TextColumn("ParamKind"), AgeColumn()};
  }
  std::vector<Cell> Row(const pb::ValidatingAdmissionPolicy& policy, WallTime now) const override {
    const auto& spec = policy.spec();
    return {policy.metadata().name(), int64_t{spec.validations_size()},
            spec.has_paramkind() ? fmt::format("{}/{}", spec.paramkind().apiversion(), spec.paramkind().kind())
                                 : std::string("<unset>"),
            Age(policy.metadata(), now)};
  }
};

class PolicyBindingStrategy : public RefusedStrategy<pb::ValidatingAdmissionPolicyBinding> {
 public:
  PolicyBindingStrategy() : RefusedStrategy("validatingadmissionpolicybindings", "validating admission policies") {}
  std::vector<Column> Columns() const override {
    return {NameColumn(), TextColumn("PolicyName"), TextColumn("ParamRef"), AgeColumn()};
  }
  std::vector<Cell> Row(const pb::ValidatingAdmissionPolicyBinding& binding, WallTime now) const override {
    std::string reference = "<unset>";
    if (binding.spec().has_paramref()) {
      const auto& param = binding.spec().paramref();
      if (!param.name().empty()) {
        reference = fmt::format("{}/{}", param.has_namespace_() ? param.namespace_() : "*", param.name());
      } else if (param.has_selector()) {
        reference = FormatLabelSelector(param.selector());
      }
    }
    return {binding.metadata().name(), binding.spec().policyname(), std::move(reference), Age(binding.metadata(), now)};
  }
};

Kind Make(std::string_view resource, std::shared_ptr<const Strategy> strategy) {
  Kind kind = BuiltinKind(kGroup, resource, {"v1"}, std::move(strategy));
  kind.name_validator = names::NameIsDNSSubdomain;
  return kind;
}

}  // namespace

std::vector<Kind> AdmissionRegistrationKinds(const BuiltinDeps&) {
  constexpr std::string_view kMutating = "mutatingwebhookconfigurations";
  constexpr std::string_view kValidating = "validatingwebhookconfigurations";
  return {Make(kMutating, std::make_shared<WebhookStrategy<pb::MutatingWebhookConfiguration>>(kMutating)),
          Make(kValidating, std::make_shared<WebhookStrategy<pb::ValidatingWebhookConfiguration>>(kValidating)),
          Make("validatingadmissionpolicies", std::make_shared<PolicyStrategy>()),
          Make("validatingadmissionpolicybindings", std::make_shared<PolicyBindingStrategy>())};
}

}  // namespace knarr::registry
