// Requests, limits and claims of containers. Mirrors also: pkg/apis/core/helper/helpers.go (kinds of resource names)
#include <fmt/format.h>

#include "pkg/api/core/validation/internal.h"

namespace knarr::api::validation {
namespace {

constexpr std::string_view kHugepages = "hugepages-";

bool IsHugepages(std::string_view name) {
  return name.starts_with(kHugepages);
}

// In the kubernetes.io namespace, where names without a prefix are, too.
bool IsNativeResource(std::string_view name) {
  return name.find('/') == std::string_view::npos || name.find("kubernetes.io/") != std::string_view::npos;
}

bool IsExtendedResourceName(std::string_view name) {
  if (IsNativeResource(name) || name.starts_with("requests.")) return false;
  return names::IsQualifiedName(std::string("requests.").append(name)).empty();
}

bool IsStandardResourceName(std::string_view name) {
  static const Names kStandard = {"configmaps",
                                  "cpu",
                                  "ephemeral-storage",
                                  "limits.cpu",
                                  "limits.ephemeral-storage",
                                  "limits.memory",
                                  "memory",
                                  "persistentvolumeclaims",
                                  "pods",
                                  "replicationcontrollers",
                                  "requests.cpu",
                                  "requests.ephemeral-storage",
                                  "requests.memory",
                                  "requests.storage",
                                  "resourcequotas",
                                  "secrets",
                                  "services",
                                  "services.loadbalancers",
                                  "services.nodeports",
                                  "storage"};
  return kStandard.contains(name) || IsHugepages(name) || name.starts_with("requests.hugepages-");
}

bool IsStandardContainerResourceName(std::string_view name) {
  return name == "cpu" || name == "memory" || name == "ephemeral-storage" || IsHugepages(name);
}

bool IsIntegerResourceName(std::string_view name) {
  static const Names kIntegers = {"configmaps",
                                  "persistentvolumeclaims",
                                  "pods",
                                  "replicationcontrollers",
                                  "resourcequotas",
                                  "secrets",
                                  "services",
                                  "services.loadbalancers",
                                  "services.nodeports"};
  return kIntegers.contains(name) || IsExtendedResourceName(name);
}

bool IsWholeNumberOfPages(std::string_view name, const Quantity& quantity) {
  const Result<Quantity> page = Quantity::Parse(name.substr(kHugepages.size()));
  if (!page.ok() || page->Sign() <= 0 || page->MilliValue() % 1000 != 0) return false;
  return quantity.Value() % page->Value() == 0;
}

class RequirementsValidator {
 public:
  RequirementsValidator(const core::ResourceRequirements& requirements, const Path& path,
                        const PodValidationOptions& options, ErrorList& errors)
      : requirements_(requirements), path_(path), options_(options), errors_(errors) {}

  void Limits() {
    const Path limits = path_.Child("limits");
    for (const std::string& name : SortedKeys(requirements_.limits())) {
      const Quantity quantity = Quantity::From(requirements_.limits().at(name));
      NameAndValue(name, quantity, limits.Key(name));
      Pages(name, quantity, limits.Key(name));
    }
  }

  void Requests() {
    const Path requests = path_.Child("requests");
    for (const std::string& name : SortedKeys(requirements_.requests())) {
      const Quantity quantity = Quantity::From(requirements_.requests().at(name));
      NameAndValue(name, quantity, requests.Key(name));
      AgainstLimit(name, quantity, requests);
      Pages(name, quantity, requests.Key(name));
    }
  }

  void Together() {
    if (has_hugepages_ && !has_cpu_or_memory_) {
      errors_.push_back(field::Forbidden(path_, "HugePages require cpu or memory"));
    }
  }

 private:
  void NameAndValue(const std::string& name, const Quantity& quantity, const Path& path) {
    ValidateContainerResourceName(name, path, errors_);
    ValidateResourceQuantityValue(name, quantity, path, errors_);
    has_cpu_or_memory_ |= name == "cpu" || name == "memory";
  }

  void Pages(const std::string& name, const Quantity& quantity, const Path& path) {
    if (!IsHugepages(name)) return;
    has_hugepages_ = true;
    if (options_.allow_indivisible_huge_pages_values || IsWholeNumberOfPages(name, quantity)) return;
    const std::string text = quantity.ToString();
    errors_.push_back(field::Invalid(path, text, fmt::format("{} is not positive integer multiple of {}", text, name)));
  }

  void AgainstLimit(const std::string& name, const Quantity& quantity, const Path& requests) {
    const auto found = requirements_.limits().find(name);
    if (found == requirements_.limits().end()) {
      if (!IsOvercommitAllowed(name)) {
        errors_.push_back(field::Required(path_.Child("limits"), "Limit must be set for non overcommitable resources"));
      }
      return;
    }
    const Quantity limit = Quantity::From(found->second);
    const char* relation = nullptr;
    if (quantity != limit && !IsOvercommitAllowed(name)) {
      relation = "equal to";
    } else if (quantity > limit) {
      relation = "less than or equal to";
    }
    if (relation == nullptr) return;
    errors_.push_back(field::Invalid(requests, quantity.ToString(),
                                     fmt::format("must be {} {} limit of {}", relation, name, limit.ToString())));
  }

  const core::ResourceRequirements& requirements_;
  const Path& path_;
  const PodValidationOptions& options_;
  ErrorList& errors_;
  bool has_cpu_or_memory_ = false;
  bool has_hugepages_ = false;
};

std::string Joined(const Names& names) {
  std::string text;
  for (const std::string& name : names) text.append(text.empty() ? "" : ", ").append(name);
  return text;
}

// A claim may be listed once as a whole, or several times with different requests.
void ValidateClaimUniqueness(const core::ResourceClaim& claim, Names& seen, const Path& path, ErrorList& errors) {
  const std::string& name = claim.name();
  if (seen.contains(name)) {
    errors.push_back(field::Duplicate(path, name));
    return;
  }
  std::string key = name;
  if (!claim.request().empty()) {
    AddInvalid(errors, path.Child("request"), claim.request(), names::IsDNS1123Label(claim.request()));
    key += "/" + claim.request();
  }
  if (seen.contains(key)) {
    errors.push_back(field::Duplicate(path, key));
  } else if (claim.request().empty()) {
    const std::string prefix = name + "/";
    for (auto other = seen.lower_bound(prefix); other != seen.end() && other->starts_with(prefix); ++other) {
      errors.push_back(field::Duplicate(path, name));
    }
  }
  seen.insert(key);
}

void ValidateResourceClaimNames(const core::ResourceRequirements& requirements, const Names& claim_names,
                                const Path& list, ErrorList& errors) {
  Names seen;
  for (int i = 0; i < requirements.claims_size(); ++i) {
    const core::ResourceClaim& claim = requirements.claims(i);
    const Path path = list.Index(static_cast<size_t>(i));
    if (claim.name().empty()) {
      errors.push_back(field::Required(path, ""));
      continue;
    }
    ValidateClaimUniqueness(claim, seen, path, errors);
    if (claim_names.contains(claim.name())) continue;
    field::FieldError error = field::NotFound(path, claim.name());
    error.detail = "must be one of the names in pod.spec.resourceClaims";
    error.detail += claim_names.empty() ? " which is empty" : ": " + Joined(claim_names);
    errors.push_back(std::move(error));
  }
}

}  // namespace

bool IsOvercommitAllowed(std::string_view name) {
  return IsNativeResource(name) && !IsHugepages(name);
}

bool ValidateResourceName(std::string_view name, const Path& path, ErrorList& errors) {
  const names::Messages messages = names::IsQualifiedName(name);
  AddInvalid(errors, path, name, messages);
  if (!messages.empty()) return false;
  if (name.find('/') != std::string_view::npos || IsStandardResourceName(name)) return true;
  errors.push_back(field::Invalid(path, name, "must be a standard resource type or fully qualified"));
  return false;
}

void ValidateContainerResourceName(std::string_view name, const Path& path, ErrorList& errors) {
  ValidateResourceName(name, path, errors);
  if (name.find('/') == std::string_view::npos) {
    if (!IsStandardContainerResourceName(name)) {
      errors.push_back(field::Invalid(path, name, "must be a standard resource for containers"));
    }
  } else if (!IsNativeResource(name) && !IsExtendedResourceName(name)) {
    errors.push_back(field::Invalid(path, name, "doesn't follow extended resource name standard"));
  }
}

void ValidateResourceQuantityValue(std::string_view resource, const Quantity& value, const Path& path,
                                   ErrorList& errors) {
  if (value.Sign() < 0) errors.push_back(field::Invalid(path, value.ToString(), kMustNotBeNegative));
  if (!IsIntegerResourceName(resource)) return;
  Quantity rounded = value;
  if (!rounded.RoundUp(0)) errors.push_back(field::Invalid(path, value.ToString(), "must be an integer"));
}

void ValidateContainerResourceRequirements(const core::ResourceRequirements& requirements, const Names& claim_names,
                                           const Path& path, const PodValidationOptions& options, ErrorList& errors) {
  RequirementsValidator validator(requirements, path, options, errors);
  validator.Limits();
  validator.Requests();
  validator.Together();
  ValidateResourceClaimNames(requirements, claim_names, path.Child("claims"), errors);
}

}  // namespace knarr::api::validation
