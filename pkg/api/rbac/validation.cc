#include "pkg/api/rbac/validation.h"

#include <fmt/format.h>

#include "k8s.io/api/rbac/v1/generated.pb.h"
#include "pkg/api/field/quote.h"
#include "pkg/api/meta/validation.h"
#include "pkg/api/rules/rules.h"

namespace knarr::api {
namespace {

using field::ErrorList;
using field::Path;

constexpr const char* kGroup = "rbac.authorization.k8s.io";

template <typename Binding>
void SetBindingDefaults(Binding& binding) {
  if (binding.roleref().apigroup().empty()) binding.mutable_roleref()->set_apigroup(kGroup);
  for (auto& subject : *binding.mutable_subjects()) {
    if (!subject.apigroup().empty()) continue;
    if (subject.kind() == "User" || subject.kind() == "Group") subject.set_apigroup(kGroup);
  }
}

void ValidateRules(ErrorList& errors, const google::protobuf::RepeatedPtrField<rbac::PolicyRule>& policy_rules,
                   bool namespaced) {
  for (int i = 0; i < policy_rules.size(); ++i) {
    const rbac::PolicyRule& rule = policy_rules[i];
    const Path path = Path("rules").Index(static_cast<size_t>(i));
    if (rule.verbs().empty()) {
      errors.push_back(field::Required(path.Child("verbs"), "verbs must contain at least one value"));
    }
    if (!rule.nonresourceurls().empty()) {
      const Path urls = path.Child("nonResourceURLs");
      const std::string value =
          rules::GoValue(std::vector<std::string>(rule.nonresourceurls().begin(), rule.nonresourceurls().end()));
      if (namespaced) {
        errors.push_back(field::InvalidLiteral(urls, value, "namespaced rules cannot apply to non-resource URLs"));
      }
      if (!rule.apigroups().empty() || !rule.resources().empty() || !rule.resourcenames().empty()) {
        errors.push_back(
            field::InvalidLiteral(urls, value, "rules cannot apply to both regular resources and non-resource URLs"));
      }
      continue;
    }
    if (rule.apigroups().empty()) {
      errors.push_back(field::Required(path.Child("apiGroups"), "resource rules must supply at least one api group"));
    }
    if (rule.resources().empty()) {
      errors.push_back(field::Required(path.Child("resources"), "resource rules must supply at least one resource"));
    }
  }
}

void ValidateSubject(ErrorList& errors, const Path& path, const rbac::Subject& subject, bool namespaced) {
  if (subject.name().empty()) errors.push_back(field::Required(path.Child("name"), ""));
  if (subject.kind() == "ServiceAccount") {
    if (!subject.name().empty()) {
      rules::AddInvalid(errors, path.Child("name"), subject.name(), names::NameIsDNSSubdomain(subject.name(), false));
    }
    if (!subject.apigroup().empty()) {
      errors.push_back(field::NotSupported(path.Child("apiGroup"), subject.apigroup(), {""}));
    }
    if (!namespaced && subject.namespace_().empty()) {
      errors.push_back(field::Required(path.Child("namespace"), ""));
    }
  } else if (subject.kind() == "User" || subject.kind() == "Group") {
    if (subject.apigroup() != kGroup) {
      errors.push_back(field::NotSupported(path.Child("apiGroup"), subject.apigroup(), {kGroup}));
    }
  } else {
    errors.push_back(field::NotSupported(path.Child("kind"), subject.kind(), {"ServiceAccount", "User", "Group"}));
  }
}

template <typename Binding>
ErrorList ValidateBinding(const Binding& binding, bool namespaced) {
  ErrorList errors;
  const rbac::RoleRef& role = binding.roleref();
  const Path path("roleRef");
  if (role.apigroup() != kGroup) {
    errors.push_back(field::NotSupported(path.Child("apiGroup"), role.apigroup(), {kGroup}));
  }
  if (namespaced && role.kind() != "Role" && role.kind() != "ClusterRole") {
    errors.push_back(field::NotSupported(path.Child("kind"), role.kind(), {"Role", "ClusterRole"}));
  }
  if (!namespaced && role.kind() != "ClusterRole") {
    errors.push_back(field::NotSupported(path.Child("kind"), role.kind(), {"ClusterRole"}));
  }
  if (role.name().empty()) {
    errors.push_back(field::Required(path.Child("name"), ""));
  } else {
    rules::AddInvalid(errors, path.Child("name"), role.name(), ValidatePathSegmentName(role.name(), false));
  }
  for (int i = 0; i < binding.subjects_size(); ++i) {
    ValidateSubject(errors, Path("subjects").Index(static_cast<size_t>(i)), binding.subjects(i), namespaced);
  }
  return errors;
}

template <typename Binding>
void ValidateSameRole(ErrorList& errors, const Binding& updated, const Binding& old) {
  const rbac::RoleRef& role = updated.roleref();
  const rbac::RoleRef& before = old.roleref();
  if (role.apigroup() == before.apigroup() && role.kind() == before.kind() && role.name() == before.name()) return;
  errors.push_back(
      field::InvalidLiteral(Path("roleRef"),
                            fmt::format("rbac.RoleRef{{APIGroup:{}, Kind:{}, Name:{}}}", field::Quote(role.apigroup()),
                                        field::Quote(role.kind()), field::Quote(role.name())),
                            "cannot change roleRef"));
}

}  // namespace

void SetDefaults(rbac::RoleBinding& binding) {
  SetBindingDefaults(binding);
}
void SetDefaults(rbac::ClusterRoleBinding& binding) {
  SetBindingDefaults(binding);
}

field::ErrorList ValidateRole(const rbac::Role& role) {
  ErrorList errors;
  ValidateRules(errors, role.rules(), true);
  return errors;
}

field::ErrorList ValidateClusterRole(const rbac::ClusterRole& role) {
  ErrorList errors;
  ValidateRules(errors, role.rules(), false);
  if (!role.has_aggregationrule()) return errors;
  const Path path("aggregationRule.clusterRoleSelectors");
  const auto& selectors = role.aggregationrule().clusterroleselectors();
  if (selectors.empty()) {
    errors.push_back(field::Required(path, "at least one clusterRoleSelector required if aggregationRule is non-nil"));
  }
  for (int i = 0; i < selectors.size(); ++i) {
    const Path selector = path.Index(static_cast<size_t>(i));
    field::Append(errors, ValidateLabelSelector(selectors[i], selector));
    if (!labels::LabelSelectorAsSelector(&selectors[i]).ok()) {
      errors.push_back(field::InvalidLiteral(selector, "\"null\"", "invalid label selector."));
    }
  }
  return errors;
}

field::ErrorList ValidateRoleBinding(const rbac::RoleBinding& binding) {
  return ValidateBinding(binding, true);
}

field::ErrorList ValidateRoleBindingUpdate(const rbac::RoleBinding& updated, const rbac::RoleBinding& old) {
  ErrorList errors = ValidateRoleBinding(updated);
  ValidateSameRole(errors, updated, old);
  return errors;
}

field::ErrorList ValidateClusterRoleBinding(const rbac::ClusterRoleBinding& binding) {
  return ValidateBinding(binding, false);
}

field::ErrorList ValidateClusterRoleBindingUpdate(const rbac::ClusterRoleBinding& updated,
                                                  const rbac::ClusterRoleBinding& old) {
  ErrorList errors = ValidateClusterRoleBinding(updated);
  ValidateSameRole(errors, updated, old);
  return errors;
}

}  // namespace knarr::api
