#include "pkg/api/policy/validation.h"

#include "k8s.io/api/policy/v1/generated.pb.h"
#include "pkg/api/meta/validation.h"
#include "pkg/api/rules/rules.h"

namespace knarr::api {
namespace {

constexpr std::string_view kLabel = "pdb.kubernetes.io/deprecated-v1beta1-empty-selector-match";

}  // namespace

void SetDefaults(policy::PodDisruptionBudget& budget) {
  if (!budget.spec().has_selector()) return;
  auto& selector = *budget.mutable_spec()->mutable_selector();
  auto& expressions = *selector.mutable_matchexpressions();
  const bool only = selector.matchlabels().empty() && expressions.size() == 1 && expressions[0].key() == kLabel &&
                    expressions[0].operator_() == "Exists" && expressions[0].values().empty();
  if (only) return;
  for (int i = expressions.size() - 1; i >= 0; --i) {
    if (expressions[i].key() == kLabel) expressions.DeleteSubrange(i, 1);
  }
}

field::ErrorList ValidatePodDisruptionBudget(const policy::PodDisruptionBudget& budget) {
  field::ErrorList errors;
  const field::Path path("spec");
  const auto& spec = budget.spec();
  if (spec.has_minavailable() && spec.has_maxunavailable()) {
    errors.push_back(field::InvalidLiteral(path, "policy.PodDisruptionBudgetSpec{...}",
                                           "minAvailable and maxUnavailable cannot be both set"));
  }
  if (spec.has_minavailable()) {
    rules::PositiveIntOrPercent(errors, path.Child("minAvailable"), spec.minavailable());
    rules::NotMoreThan100Percent(errors, path.Child("minAvailable"), spec.minavailable());
  }
  if (spec.has_maxunavailable()) {
    rules::PositiveIntOrPercent(errors, path.Child("maxUnavailable"), spec.maxunavailable());
    rules::NotMoreThan100Percent(errors, path.Child("maxUnavailable"), spec.maxunavailable());
  }
  if (spec.has_selector()) field::Append(errors, ValidateLabelSelector(spec.selector(), path.Child("selector")));
  if (spec.has_unhealthypodevictionpolicy()) {
    const std::string& policy = spec.unhealthypodevictionpolicy();
    if (policy != "AlwaysAllow" && policy != "IfHealthyBudget") {
      errors.push_back(
          field::NotSupported(path.Child("unhealthyPodEvictionPolicy"), policy, {"AlwaysAllow", "IfHealthyBudget"}));
    }
  }
  return errors;
}

field::ErrorList ValidatePodDisruptionBudgetStatus(const policy::PodDisruptionBudget& budget) {
  const field::Path path("status");
  const auto& status = budget.status();
  field::ErrorList errors = ValidateConditions(status.conditions(), path.Child("conditions"));
  rules::Nonnegative(errors, path.Child("disruptionsAllowed"), status.disruptionsallowed());
  rules::Nonnegative(errors, path.Child("currentHealthy"), status.currenthealthy());
  rules::Nonnegative(errors, path.Child("desiredHealthy"), status.desiredhealthy());
  rules::Nonnegative(errors, path.Child("expectedPods"), status.expectedpods());
  return errors;
}

}  // namespace knarr::api
