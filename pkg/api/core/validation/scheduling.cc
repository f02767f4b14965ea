// Tolerations, topology spread constraints, scheduling gates.
#include <fmt/format.h>

#include "pkg/api/core/validation/internal.h"

namespace knarr::api::validation {
namespace {

std::string Join(const names::Messages& messages) {
  std::string text;
  for (const std::string& message : messages) text.append(text.empty() ? "" : ";").append(message);
  return text;
}

void ValidateToleration(const core::Toleration& toleration, const Path& path, ErrorList& errors) {
  if (!toleration.key().empty()) ValidateLabelName(toleration.key(), path.Child("key"), errors);
  const std::string& op = toleration.operator_();
  if (toleration.key().empty() && op != "Exists") {
    errors.push_back(
        field::Invalid(path.Child("operator"), op,
                       "operator must be Exists when `key` is empty, which means \"match all values and all keys\""));
  }
  if (toleration.has_tolerationseconds() && toleration.effect() != "NoExecute") {
    errors.push_back(field::Invalid(path.Child("effect"), toleration.effect(),
                                    "effect must be 'NoExecute' when `tolerationSeconds` is set"));
  }
  if (op.empty() || op == "Equal") {
    if (const names::Messages messages = names::IsValidLabelValue(toleration.value()); !messages.empty()) {
      errors.push_back(field::Invalid(path.Child("operator"), toleration.value(), Join(messages)));
    }
  } else if (op == "Exists") {
    if (!toleration.value().empty()) {
      errors.push_back(field::Invalid(path.Child("operator"), toleration.value(),
                                      "value must be empty when `operator` is 'Exists'"));
    }
  } else {
    errors.push_back(field::NotSupported(path.Child("operator"), op, {"Equal", "Exists"}));
  }
  static constexpr std::string_view kEffects[] = {"NoSchedule", "PreferNoSchedule", "NoExecute"};
  if (!toleration.effect().empty()) RequireOneOf(errors, path.Child("effect"), toleration.effect(), kEffects);
}

void ValidateMinDomains(const core::TopologySpreadConstraint& constraint, const Path& path, ErrorList& errors) {
  if (!constraint.has_mindomains()) return;
  if (constraint.mindomains() <= 0) errors.push_back(field::Invalid(path, constraint.mindomains(), kMustBePositive));
  if (constraint.whenunsatisfiable() == "DoNotSchedule") return;
  errors.push_back(field::Invalid(path, constraint.mindomains(),
                                  fmt::format("can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {}",
                                              constraint.whenunsatisfiable())));
}

void ValidateSpreadLabelKeys(const core::TopologySpreadConstraint& constraint, const Path& list, ErrorList& errors) {
  if (constraint.matchlabelkeys().empty()) return;
  if (!constraint.has_labelselector()) {
    errors.push_back(field::Forbidden(list, "must not be specified when labelSelector is not set"));
  }
  Names selected;
  for (const auto& [key, value] : constraint.labelselector().matchlabels()) selected.insert(key);
  for (const auto& expression : constraint.labelselector().matchexpressions()) selected.insert(expression.key());
  for (int i = 0; i < constraint.matchlabelkeys_size(); ++i) {
    const std::string& key = constraint.matchlabelkeys(i);
    const Path path = list.Index(static_cast<size_t>(i));
    ValidateLabelName(key, path, errors);
    if (selected.contains(key)) {
      errors.push_back(field::Invalid(path, key, "exists in both matchLabelKeys and labelSelector"));
    }
  }
}

// What must differ between two constraints, and how upstream prints it.
std::string KindOf(const core::TopologySpreadConstraint& constraint) {
  return fmt::format("{{{}, {}}}", constraint.topologykey(), constraint.whenunsatisfiable());
}

void ValidateConstraint(const core::TopologySpreadConstraint& constraint, bool repeated_later, const Path& path,
                        ErrorList& errors) {
  static constexpr std::string_view kActions[] = {"DoNotSchedule", "ScheduleAnyway"};
  static constexpr std::string_view kPolicies[] = {"Honor", "Ignore"};
  if (constraint.maxskew() <= 0) {
    errors.push_back(field::Invalid(path.Child("maxSkew"), constraint.maxskew(), kMustBePositive));
  }
  if (constraint.topologykey().empty()) {
    errors.push_back(field::Required(path.Child("topologyKey"), "can not be empty"));
  }
  RequireOneOf(errors, path.Child("whenUnsatisfiable"), constraint.whenunsatisfiable(), kActions);
  if (repeated_later) {
    errors.push_back(field::Duplicate(path.Child("{topologyKey, whenUnsatisfiable}"), KindOf(constraint)));
  }
  ValidateMinDomains(constraint, path.Child("minDomains"), errors);
  if (constraint.has_nodeaffinitypolicy()) {
    RequireOneOf(errors, path.Child("nodeAffinityPolicy"), constraint.nodeaffinitypolicy(), kPolicies);
  }
  if (constraint.has_nodetaintspolicy()) {
    RequireOneOf(errors, path.Child("nodeTaintsPolicy"), constraint.nodetaintspolicy(), kPolicies);
  }
  ValidateSpreadLabelKeys(constraint, path.Child("matchLabelKeys"), errors);
  if (constraint.has_labelselector()) {
    ValidateLabelSelector(constraint.labelselector(), path.Child("labelSelector"), errors);
  }
}

}  // namespace

void ValidateTolerations(const google::protobuf::RepeatedPtrField<core::Toleration>& tolerations, const Path& path,
                         ErrorList& errors) {
  for (int i = 0; i < tolerations.size(); ++i) {
    ValidateToleration(tolerations[i], path.Index(static_cast<size_t>(i)), errors);
  }
}

void ValidateTopologySpreadConstraints(const core::PodSpec& spec, const Path& path, ErrorList& errors) {
  // Of constraints that are alike, all but the last are reported.
  std::map<std::string, int> left;
  for (const core::TopologySpreadConstraint& constraint : spec.topologyspreadconstraints()) ++left[KindOf(constraint)];
  for (int i = 0; i < spec.topologyspreadconstraints_size(); ++i) {
    const core::TopologySpreadConstraint& constraint = spec.topologyspreadconstraints(i);
    const bool repeated_later = --left[KindOf(constraint)] > 0;
    ValidateConstraint(constraint, repeated_later, path.Index(static_cast<size_t>(i)), errors);
  }
}

void ValidateSchedulingGates(const core::PodSpec& spec, const Path& list, ErrorList& errors) {
  Names seen;
  for (int i = 0; i < spec.schedulinggates_size(); ++i) {
    const std::string& name = spec.schedulinggates(i).name();
    const Path path = list.Index(static_cast<size_t>(i));
    AddInvalid(errors, path, name, names::IsQualifiedName(name));
    if (!seen.insert(name).second) errors.push_back(field::Duplicate(path, name));
  }
}

}  // namespace knarr::api::validation
