// LimitRanges, ResourceQuotas, ReplicationControllers: what bounds pods and what makes them.
#include <fmt/format.h>

#include "pkg/api/core/validation/internal.h"
#include "pkg/api/field/quote.h"

namespace knarr::api {
namespace validation {
namespace {

using Resources = google::protobuf::Map<std::string, resource_pb::Quantity>;

std::optional<Quantity> Find(const Resources& resources, const std::string& name) {
  const auto found = resources.find(name);
  if (found == resources.end()) return std::nullopt;
  return Quantity::From(found->second);
}

// --- LimitRange

class LimitValidator {
 public:
  LimitValidator(const core::LimitRangeItem& item, const Path& path, ErrorList& errors)
      : item_(item), path_(path), errors_(errors) {}

  void Run() {
    Names(item_.max(), "max");
    Names(item_.min(), "min");
    if (item_.type() == "Pod") {
      Forbid(item_.default_(), "default");
      Forbid(item_.defaultrequest(), "defaultRequest");
    } else {
      Names(item_.default_(), "default");
      Names(item_.defaultrequest(), "defaultRequest");
    }
    if (item_.type() == "PersistentVolumeClaim" && !item_.min().contains("storage") &&
        !item_.max().contains("storage")) {
      errors_.push_back(field::Required(
          path_.Child("limits"), "either minimum or maximum storage value is required, but neither was provided"));
    }
    Names(item_.maxlimitrequestratio(), "maxLimitRequestRatio");
    for (const std::string& name : names_) Values(name);
  }

 private:
  void Names(const Resources& resources, std::string_view list) {
    for (const std::string& name : SortedKeys(resources)) {
      const Path path = path_.Child(list).Key(name);
      if (item_.type() == "Pod" || item_.type() == "Container") {
        ValidateContainerResourceName(name, path, errors_);
      } else {
        ValidateResourceName(name, path, errors_);
      }
      names_.insert(name);
    }
  }

  void Forbid(const Resources& resources, std::string_view list) {
    if (resources.empty()) return;
    errors_.push_back(field::Forbidden(path_.Child(list), "may not be specified when `type` is 'Pod'"));
  }

  struct Bound {
    const std::optional<Quantity>& quantity;
    std::string_view text;
  };
  // `low` must not be above `high`; `shown` is the bad value.
  void Order(const Bound& low, const Bound& high, const Quantity* shown, std::string_view list,
             const std::string& name) {
    if (!low.quantity || !high.quantity || *low.quantity <= *high.quantity) return;
    errors_.push_back(field::Invalid(path_.Child(list).Key(name), shown->ToString(),
                                     fmt::format("{} value {} is greater than {} value {}", low.text,
                                                 low.quantity->ToString(), high.text, high.quantity->ToString())));
  }

  void Values(const std::string& name) {
    const std::optional<Quantity> min = Find(item_.min(), name);
    const std::optional<Quantity> max = Find(item_.max(), name);
    const bool pod = item_.type() == "Pod";
    const std::optional<Quantity> limit = pod ? std::nullopt : Find(item_.default_(), name);
    const std::optional<Quantity> request = pod ? std::nullopt : Find(item_.defaultrequest(), name);
    const auto shown = [](const std::optional<Quantity>& quantity) { return quantity ? &*quantity : nullptr; };
    Order({min, "min"}, {max, "max"}, shown(min), "min", name);
    Order({min, "min"}, {request, "default request"}, shown(request), "defaultRequest", name);
    Order({request, "default request"}, {max, "max"}, shown(request), "defaultRequest", name);
    Order({request, "default request"}, {limit, "default limit"}, shown(request), "defaultRequest", name);
    Order({min, "min"}, {limit, "default"}, shown(min), "default", name);
    Order({limit, "default"}, {max, "max"}, shown(max), "default", name);
    if (const std::optional<Quantity> ratio = Find(item_.maxlimitrequestratio(), name)) Ratio(*ratio, min, max, name);
    if (!IsOvercommitAllowed(name) && limit && request && *limit != *request) {
      errors_.push_back(field::Invalid(path_.Child("defaultRequest").Key(name), request->ToString(),
                                       fmt::format("default value {} must equal to defaultRequest value {} in {}",
                                                   limit->ToString(), request->ToString(), name)));
    }
  }

  void Ratio(const Quantity& ratio, const std::optional<Quantity>& min, const std::optional<Quantity>& max,
             const std::string& name) {
    const Path path = path_.Child("maxLimitRequestRatio").Key(name);
    if (ratio < Quantity(1)) {
      errors_.push_back(
          field::Invalid(path, ratio.ToString(), fmt::format("ratio {} is less than 1", ratio.ToString())));
    }
    if (!min || !max || min->IsZero()) return;
    const double most = max->AsApproximateDouble() / min->AsApproximateDouble();
    if (ratio.AsApproximateDouble() <= most) return;
    errors_.push_back(field::Invalid(path, ratio.ToString(),
                                     fmt::format("ratio {} is greater than max/min = {:f}", ratio.ToString(), most)));
  }

  const core::LimitRangeItem& item_;
  const Path& path_;
  ErrorList& errors_;
  validation::Names names_;
};

void ValidateLimitType(const std::string& type, const Path& path, ErrorList& errors) {
  const names::Messages messages = names::IsQualifiedName(type);
  AddInvalid(errors, path, type, messages);
  if (!messages.empty() || type.find('/') != std::string::npos) return;
  if (type == "Pod" || type == "Container" || type == "PersistentVolumeClaim") return;
  errors.push_back(field::Invalid(path, type, "must be a standard limit type or fully qualified"));
}

// --- ResourceQuota

bool IsStandardQuotaResource(std::string_view name) {
  static const Names kStandard = {"cpu",
                                  "memory",
                                  "ephemeral-storage",
                                  "requests.cpu",
                                  "requests.memory",
                                  "requests.storage",
                                  "requests.ephemeral-storage",
                                  "limits.cpu",
                                  "limits.memory",
                                  "limits.ephemeral-storage",
                                  "pods",
                                  "resourcequotas",
                                  "services",
                                  "replicationcontrollers",
                                  "secrets",
                                  "persistentvolumeclaims",
                                  "configmaps",
                                  "services.nodeports",
                                  "services.loadbalancers"};
  return kStandard.contains(name) || name.starts_with("hugepages-") || name.starts_with("requests.hugepages-");
}

void ValidateQuotaResources(const Resources& resources, const Path& path, ErrorList& errors) {
  for (const std::string& name : SortedKeys(resources)) {
    ValidateResourceName(name, path.Key(name), errors);
    if (name.find('/') == std::string::npos && !IsStandardQuotaResource(name)) {
      errors.push_back(field::Invalid(path.Key(name), name, "must be a standard resource for quota"));
    }
    ValidateResourceQuantityValue(name, Quantity::From(resources.at(name)), path.Key(name), errors);
  }
}

bool IsStandardScope(std::string_view scope) {
  static const Names kScopes = {"Terminating",   "NotTerminating", "BestEffort",
                                "NotBestEffort", "PriorityClass",  "CrossNamespacePodAffinity"};
  return kScopes.contains(scope);
}

bool IsScopeValidFor(std::string_view scope, std::string_view resource) {
  static const Names kPods = {"pods",          "cpu",          "memory",         "limits.cpu",
                              "limits.memory", "requests.cpu", "requests.memory"};
  if (scope == "BestEffort") return resource == "pods";
  return !IsStandardScope(scope) || kPods.contains(resource);
}

bool IsOnlyByExistence(std::string_view scope) {
  return scope != "PriorityClass" && IsStandardScope(scope);
}

std::string ScopesLiteral(const core::ResourceQuotaSpec& spec) {
  std::string text;
  for (const std::string& scope : spec.scopes()) text += (text.empty() ? "" : ", ") + field::Quote(scope);
  return "[]core.ResourceQuotaScope{" + text + "}";
}

void ValidateScopeOfResources(std::string_view scope, const core::ResourceQuotaSpec& spec, const Path& path,
                              const std::string& literal, ErrorList& errors) {
  for (const std::string& name : SortedKeys(spec.hard())) {
    if (!IsStandardQuotaResource(name) || IsScopeValidFor(scope, name)) continue;
    errors.push_back(field::InvalidLiteral(path, literal, "unsupported scope applied to resource"));
  }
}

void ValidateScopePairs(const Names& scopes, const Path& path, const std::string& literal, ErrorList& errors) {
  if ((scopes.contains("BestEffort") && scopes.contains("NotBestEffort")) ||
      (scopes.contains("Terminating") && scopes.contains("NotTerminating"))) {
    errors.push_back(field::InvalidLiteral(path, literal, "conflicting scopes"));
  }
}

void ValidateScopes(const core::ResourceQuotaSpec& spec, ErrorList& errors) {
  const Path path("spec.scopes");
  const std::string literal = ScopesLiteral(spec);
  Names scopes;
  for (const std::string& scope : spec.scopes()) {
    if (!IsStandardScope(scope)) errors.push_back(field::InvalidLiteral(path, literal, "unsupported scope"));
    ValidateScopeOfResources(scope, spec, path, literal, errors);
    scopes.insert(scope);
  }
  ValidateScopePairs(scopes, path, literal, errors);
}

void ValidateScopeRequirement(const core::ScopedResourceSelectorRequirement& requirement,
                              const core::ResourceQuotaSpec& spec, const Path& path, ErrorList& errors) {
  const std::string& scope = requirement.scopename();
  const std::string& op = requirement.operator_();
  if (!IsStandardScope(scope)) errors.push_back(field::Invalid(path.Child("scopeName"), scope, "unsupported scope"));
  ValidateScopeOfResources(scope, spec, path, field::Quote(scope), errors);
  if (IsOnlyByExistence(scope) && op != "Exists") {
    errors.push_back(field::Invalid(path.Child("operator"), op,
                                    "must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, "
                                    "ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, "
                                    "ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"));
  }
  if (op == "In" || op == "NotIn") {
    if (requirement.values().empty()) {
      errors.push_back(field::Required(path.Child("values"),
                                       "must be at least one value when `operator` is 'In' or 'NotIn' for scope "
                                       "selector"));
    }
  } else if (op == "Exists" || op == "DoesNotExist") {
    if (!requirement.values().empty()) {
      errors.push_back(
          field::InvalidLiteral(path.Child("values"), GoStrings(requirement.values()),
                                "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"));
    }
  } else {
    errors.push_back(field::Invalid(path.Child("operator"), op, "not a valid selector operator"));
  }
}

void ValidateScopeSelector(const core::ResourceQuotaSpec& spec, ErrorList& errors) {
  const Path path("spec.scopeSelector.matchExpressions");
  Names scopes;
  for (const core::ScopedResourceSelectorRequirement& requirement : spec.scopeselector().matchexpressions()) {
    ValidateScopeRequirement(requirement, spec, path, errors);
    scopes.insert(requirement.scopename());
  }
  ValidateScopePairs(scopes, path, ScopesLiteral(spec), errors);
}

void ValidateQuotaStatus(const core::ResourceQuotaStatus& status, ErrorList& errors) {
  ValidateQuotaResources(status.hard(), Path("status.hard"), errors);
  ValidateQuotaResources(status.used(), Path("status.used"), errors);
}

// --- ReplicationController

void ValidateControllerTemplate(const core::ReplicationControllerSpec& spec, const Path& path, ErrorList& errors) {
  if (!spec.has_template_()) {
    errors.push_back(field::Required(path, ""));
    return;
  }
  const core::PodTemplateSpec& pod = spec.template_();
  const auto& labels = pod.metadata().labels();
  const bool matches = std::all_of(spec.selector().begin(), spec.selector().end(), [&](const auto& wanted) {
    const auto found = labels.find(wanted.first);
    return found != labels.end() && found->second == wanted.second;
  });
  if (!matches) {
    std::string literal;
    for (const std::string& key : SortedKeys(labels)) {
      literal += (literal.empty() ? "" : ", ") + field::Quote(key) + ":" + field::Quote(labels.at(key));
    }
    errors.push_back(field::InvalidLiteral(path.Child("metadata.labels"), "map[string]string{" + literal + "}",
                                           "`selector` does not match template `labels`"));
  }
  Append(errors, ValidatePodTemplateSpec(pod, path));
  for (int i = 0; spec.replicas() > 1 && i < pod.spec().volumes_size(); ++i) {
    const core::VolumeSource& source = pod.spec().volumes(i).volumesource();
    if (!source.has_gcepersistentdisk() || source.gcepersistentdisk().readonly()) continue;
    errors.push_back(field::InvalidLiteral(
        path.Child("spec.volumes").Index(static_cast<size_t>(i)).Child("gcePersistentDisk.readOnly"), "false",
        "must be true for replicated pods > 1; GCE PD can only be mounted on multiple machines if it is read-only"));
  }
  if (pod.spec().restartpolicy() != "Always") {
    errors.push_back(field::NotSupported(path.Child("spec.restartPolicy"), pod.spec().restartpolicy(), {"Always"}));
  }
  if (pod.spec().has_activedeadlineseconds()) {
    errors.push_back(field::Forbidden(path.Child("spec.activeDeadlineSeconds"),
                                      "activeDeadlineSeconds in ReplicationController is not Supported"));
  }
}

}  // namespace
}  // namespace validation

using namespace validation;  // NOLINT: what follows is made of its steps

field::ErrorList ValidateLimitRange(const core::LimitRange& range) {
  ErrorList errors;
  Names types;
  for (int i = 0; i < range.spec().limits_size(); ++i) {
    const core::LimitRangeItem& item = range.spec().limits(i);
    const Path path = Path("spec.limits").Index(static_cast<size_t>(i));
    ValidateLimitType(item.type(), path.Child("type"), errors);
    if (!types.insert(item.type()).second) errors.push_back(field::Duplicate(path.Child("type"), item.type()));
    LimitValidator(item, path, errors).Run();
  }
  return errors;
}

field::ErrorList ValidateResourceQuota(const core::ResourceQuota& quota) {
  ErrorList errors;
  ValidateQuotaResources(quota.spec().hard(), Path("spec.hard"), errors);
  ValidateScopes(quota.spec(), errors);
  ValidateScopeSelector(quota.spec(), errors);
  ValidateQuotaStatus(quota.status(), errors);
  return errors;
}

field::ErrorList ValidateResourceQuotaUpdate(const core::ResourceQuota& updated, const core::ResourceQuota& old) {
  ErrorList errors = ValidateResourceQuota(updated);
  const Names now(updated.spec().scopes().begin(), updated.spec().scopes().end());
  const Names before(old.spec().scopes().begin(), old.spec().scopes().end());
  if (now != before) {
    errors.push_back(field::InvalidLiteral(Path("spec.scopes"), ScopesLiteral(updated.spec()), kFieldImmutable));
  }
  return errors;
}

field::ErrorList ValidateResourceQuotaStatusUpdate(const core::ResourceQuota& updated) {
  ErrorList errors;
  RequireText(errors, Path("resourceVersion"), updated.metadata().resourceversion());
  ValidateQuotaStatus(updated.status(), errors);
  return errors;
}

field::ErrorList ValidateReplicationController(const core::ReplicationController& controller) {
  const core::ReplicationControllerSpec& spec = controller.spec();
  const Path path("spec");
  ErrorList errors;
  ValidateNonnegativeField(spec.minreadyseconds(), path.Child("minReadySeconds"), errors);
  if (spec.selector().empty()) errors.push_back(field::Required(path.Child("selector"), ""));
  ValidateNonnegativeField(spec.replicas(), path.Child("replicas"), errors);
  ValidateControllerTemplate(spec, path.Child("template"), errors);
  return errors;
}

field::ErrorList ValidateReplicationControllerStatusUpdate(const core::ReplicationController& controller) {
  const core::ReplicationControllerStatus& status = controller.status();
  const Path path("status");
  ErrorList errors;
  ValidateNonnegativeField(status.replicas(), path.Child("replicas"), errors);
  ValidateNonnegativeField(status.fullylabeledreplicas(), path.Child("fullyLabeledReplicas"), errors);
  ValidateNonnegativeField(status.readyreplicas(), path.Child("readyReplicas"), errors);
  ValidateNonnegativeField(status.availablereplicas(), path.Child("availableReplicas"), errors);
  ValidateNonnegativeField(status.observedgeneration(), path.Child("observedGeneration"), errors);
  const auto at_most = [&](int value, int most, const char* name, const char* why) {
    if (value > most) errors.push_back(field::Invalid(path.Child(name), value, why));
  };
  constexpr const char* kTooMany = "cannot be greater than status.replicas";
  at_most(status.fullylabeledreplicas(), status.replicas(), "fullyLabeledReplicas", kTooMany);
  at_most(status.readyreplicas(), status.replicas(), "readyReplicas", kTooMany);
  at_most(status.availablereplicas(), status.replicas(), "availableReplicas", kTooMany);
  at_most(status.availablereplicas(), status.readyreplicas(), "availableReplicas",
          "cannot be greater than readyReplicas");
  return errors;
}

}  // namespace knarr::api
