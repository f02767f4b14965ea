#include <fmt/format.h>

#include "pkg/api/core/validation/internal.h"

namespace knarr::api::validation {
namespace {

constexpr std::string_view kHugepageRequests = "requests.hugepages-";
constexpr std::string_view kHugepageLimits = "limits.hugepages-";

names::Messages CheckEnvName(std::string_view name, const PodValidationOptions& options) {
  return options.allow_relaxed_environment_variable_validation ? names::IsRelaxedEnvVarName(name)
                                                               : names::IsEnvVarName(name);
}

// ConfigMapKeySelector or SecretKeySelector.
template <typename Selector>
void ValidateKeySelector(const Selector& selector, const Path& path, ErrorList& errors) {
  const std::string& name = selector.localobjectreference().name();
  AddInvalid(errors, path.Child("name"), name, names::NameIsDNSSubdomain(name, false));
  RequireText(errors, path.Child("key"), selector.key());
  if (!selector.key().empty())
    AddInvalid(errors, path.Child("key"), selector.key(), names::IsConfigMapKey(selector.key()));
}

// ConfigMapEnvSource or SecretEnvSource.
template <typename Source>
void ValidateEnvSource(const Source& source, const Path& path, ErrorList& errors) {
  const std::string& name = source.localobjectreference().name();
  RequireText(errors, path.Child("name"), name);
  if (!name.empty()) AddInvalid(errors, path.Child("name"), name, names::NameIsDNSSubdomain(name, true));
}

void ValidateValueFrom(const core::EnvVar& variable, const Path& path, ErrorList& errors) {
  static constexpr std::string_view kFields[] = {
      "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
      "status.hostIP", "status.hostIPs",     "status.podIP", "status.podIPs"};
  const core::EnvVarSource& source = variable.valuefrom();
  int sources = 0;
  if (source.has_fieldref()) {
    ++sources;
    ValidateObjectFieldSelector(source.fieldref(), kFields, path.Child("fieldRef"), errors);
  }
  if (source.has_resourcefieldref()) {
    ++sources;
    ValidateContainerResourceFieldSelector(source.resourcefieldref(), path.Child("resourceFieldRef"), false, errors);
  }
  if (source.has_configmapkeyref()) {
    ++sources;
    ValidateKeySelector(source.configmapkeyref(), path.Child("configMapKeyRef"), errors);
  }
  if (source.has_secretkeyref()) {
    ++sources;
    ValidateKeySelector(source.secretkeyref(), path.Child("secretKeyRef"), errors);
  }
  if (sources == 0) {
    errors.push_back(field::Invalid(
        path, "", "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"));
  } else if (!variable.value().empty()) {
    errors.push_back(field::Invalid(path, "", "may not be specified when `value` is not empty"));
  } else if (sources > 1) {
    errors.push_back(field::Invalid(path, "", "may not have more than one field specified at a time"));
  }
}

bool IsHugepages(std::string_view resource) {
  return resource.starts_with(kHugepageRequests) || resource.starts_with(kHugepageLimits);
}

void ValidateDivisor(const core::ResourceFieldSelector& selector, const Path& path, ErrorList& errors) {
  static constexpr std::string_view kByteDivisors[] = {"1",   "1E", "1Ei", "1G", "1Gi", "1Ki", "1M",
                                                       "1Mi", "1P", "1Pi", "1T", "1Ti", "1k"};
  const Quantity divisor = Quantity::From(selector.divisor());
  if (divisor.IsZero()) return;
  const std::string text = divisor.ToString();
  const std::string& resource = selector.resource();
  const auto add = [&](std::string_view values, std::string_view kind) {
    errors.push_back(
        field::Invalid(path.Child("divisor"), resource,
                       fmt::format("only divisor's values {} are supported with the {} resource", values, kind)));
  };
  if (resource == "limits.cpu" || resource == "requests.cpu") {
    if (text != "1m" && text != "1") add("1m and 1", "cpu");
    return;
  }
  if (std::find(std::begin(kByteDivisors), std::end(kByteDivisors), text) != std::end(kByteDivisors)) return;
  constexpr std::string_view kValues = "1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei";
  if (resource == "limits.memory" || resource == "requests.memory") add(kValues, "memory");
  if (resource == "limits.ephemeral-storage" || resource == "requests.ephemeral-storage") {
    add(kValues, "local ephemeral storage");
  }
  if (IsHugepages(resource)) add(kValues, "hugepages");
}

// "metadata.labels['key']" -> metadata.labels and key.
bool SplitMaybeSubscriptedPath(std::string_view field_path, std::string_view* path, std::string_view* subscript) {
  if (!field_path.ends_with("']")) return false;
  const size_t open = field_path.find("['");
  if (open == std::string_view::npos || open == 0 || open + 4 > field_path.size()) return false;
  *path = field_path.substr(0, open);
  *subscript = field_path.substr(open + 2, field_path.size() - open - 4);
  return true;
}

// The fields of a pod that some version of the downward API knows; "" for those it does not.
std::string_view ConvertDownwardAPIFieldLabel(std::string_view label) {
  static constexpr std::string_view kKnown[] = {
      "metadata.annotations", "metadata.labels", "metadata.name",      "metadata.namespace",
      "metadata.uid",         "spec.nodeName",   "spec.restartPolicy", "spec.serviceAccountName",
      "spec.schedulerName",   "status.phase",    "status.hostIP",      "status.hostIPs",
      "status.podIP",         "status.podIPs"};
  if (label == "spec.host") return "spec.nodeName";
  const auto found = std::find(std::begin(kKnown), std::end(kKnown), label);
  return found == std::end(kKnown) ? std::string_view() : *found;
}

}  // namespace

void ValidateEnv(const core::Container& container, const Path& list, const PodValidationOptions& options,
                 ErrorList& errors) {
  for (int i = 0; i < container.env_size(); ++i) {
    const core::EnvVar& variable = container.env(i);
    const Path path = list.Index(static_cast<size_t>(i));
    if (variable.name().empty()) {
      errors.push_back(field::Required(path.Child("name"), ""));
    } else {
      AddInvalid(errors, path.Child("name"), variable.name(), CheckEnvName(variable.name(), options));
    }
    if (variable.has_valuefrom()) ValidateValueFrom(variable, path.Child("valueFrom"), errors);
  }
}

void ValidateEnvFrom(const core::Container& container, const Path& list, const PodValidationOptions& options,
                     ErrorList& errors) {
  for (int i = 0; i < container.envfrom_size(); ++i) {
    const core::EnvFromSource& source = container.envfrom(i);
    const Path path = list.Index(static_cast<size_t>(i));
    if (!source.prefix().empty()) {
      AddInvalid(errors, path.Child("prefix"), source.prefix(), CheckEnvName(source.prefix(), options));
    }
    if (source.has_configmapref()) ValidateEnvSource(source.configmapref(), path.Child("configMapRef"), errors);
    if (source.has_secretref()) ValidateEnvSource(source.secretref(), path.Child("secretRef"), errors);
    // Upstream names the list, not the element, here.
    if (!source.has_configmapref() && !source.has_secretref()) {
      errors.push_back(field::Invalid(list, "", "must specify one of: `configMapRef` or `secretRef`"));
    } else if (source.has_configmapref() && source.has_secretref()) {
      errors.push_back(field::Invalid(list, "", "may not have more than one field specified at a time"));
    }
  }
}

void ValidateObjectFieldSelector(const core::ObjectFieldSelector& selector,
                                 std::span<const std::string_view> expressions, const Path& path, ErrorList& errors) {
  if (selector.apiversion().empty()) {
    errors.push_back(field::Required(path.Child("apiVersion"), ""));
    return;
  }
  if (selector.fieldpath().empty()) {
    errors.push_back(field::Required(path.Child("fieldPath"), ""));
    return;
  }
  const std::string& field_path = selector.fieldpath();
  const auto conversion_error = [&](std::string_view problem, std::string_view what) {
    errors.push_back(field::Invalid(path.Child("fieldPath"), field_path,
                                    fmt::format("error converting fieldPath: {}: {}", problem, what)));
  };
  if (selector.apiversion() != "v1") return conversion_error("unsupported pod version", selector.apiversion());
  std::string_view name;
  std::string_view subscript;
  if (SplitMaybeSubscriptedPath(field_path, &name, &subscript)) {
    if (name == "metadata.annotations")
      return AddInvalid(errors, path, Lower(subscript), names::IsQualifiedName(Lower(subscript)));
    if (name == "metadata.labels") return AddInvalid(errors, path, subscript, names::IsQualifiedName(subscript));
    return conversion_error("field label does not support subscript", field_path);
  }
  const std::string_view converted = ConvertDownwardAPIFieldLabel(field_path);
  if (converted.empty()) return conversion_error("field label not supported", field_path);
  if (std::find(expressions.begin(), expressions.end(), converted) == expressions.end()) {
    errors.push_back(field::NotSupported(path.Child("fieldPath"), converted, expressions));
  }
}

void ValidateContainerResourceFieldSelector(const core::ResourceFieldSelector& selector, const Path& path, bool volume,
                                            ErrorList& errors) {
  static constexpr std::string_view kResources[] = {"limits.cpu",   "limits.ephemeral-storage",   "limits.memory",
                                                    "requests.cpu", "requests.ephemeral-storage", "requests.memory"};
  if (volume && selector.containername().empty()) {
    errors.push_back(field::Required(path.Child("containerName"), ""));
  } else if (selector.resource().empty()) {
    errors.push_back(field::Required(path.Child("resource"), ""));
  } else if (!IsHugepages(selector.resource())) {
    RequireOneOf(errors, path.Child("resource"), selector.resource(), kResources);
  }
  ValidateDivisor(selector, path, errors);
}

}  // namespace knarr::api::validation
