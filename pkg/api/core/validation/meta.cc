// Mirrors: k8s.io/apimachinery/pkg/api/validation/objectmeta.go, pkg/apis/meta/v1/validation/validation.go
#include <fmt/format.h>

#include "pkg/api/core/validation/internal.h"
#include "pkg/api/field/quote.h"

namespace knarr::api::validation {
namespace {

constexpr size_t kAnnotationsMax = 256 << 10;
constexpr size_t kFieldManagerMax = 128;
constexpr size_t kSubresourceMax = 256;

void ValidateOwnerReferences(const meta::ObjectMeta& metadata, const Path& path, ErrorList& errors) {
  std::string controller;
  for (const meta::OwnerReference& reference : metadata.ownerreferences()) {
    // group/version; anything with two slashes has neither.
    const std::string& api_version = reference.apiversion();
    const size_t slash = api_version.find('/');
    const bool malformed = slash != std::string::npos && api_version.find('/', slash + 1) != std::string::npos;
    const std::string version = slash == std::string::npos ? api_version : api_version.substr(slash + 1);
    if (version.empty() || malformed) {
      errors.push_back(field::Invalid(path.Child("apiVersion"), api_version, "version must not be empty"));
    }
    if (reference.kind().empty()) errors.push_back(field::Invalid(path.Child("kind"), "", "kind must not be empty"));
    if (reference.name().empty()) errors.push_back(field::Invalid(path.Child("name"), "", "name must not be empty"));
    if (reference.uid().empty()) errors.push_back(field::Invalid(path.Child("uid"), "", "uid must not be empty"));
    if (api_version == "v1" && reference.kind() == "Event") {
      errors.push_back(field::Invalid(path, reference.name(), "/v1, Kind=Event is disallowed from being an owner"));
    }
    if (!reference.controller()) continue;
    const std::string current = reference.kind() + "/" + reference.name();
    if (controller.empty()) {
      controller = current;
    } else {
      errors.push_back(
          field::Invalid(path, current,
                         fmt::format("Only one reference can have Controller set to true. Found \"true\" in "
                                     "references for {} and {}",
                                     controller, current)));
    }
  }
}

void ValidateFinalizers(const meta::ObjectMeta& metadata, const Path& path, ErrorList& errors) {
  bool orphan = false;
  bool foreground = false;
  for (const std::string& finalizer : metadata.finalizers()) {
    AddInvalid(errors, path, finalizer, names::IsQualifiedName(finalizer));
    orphan |= finalizer == "orphan";
    foreground |= finalizer == "foregroundDeletion";
  }
  if (orphan && foreground) {
    errors.push_back(field::InvalidLiteral(path, GoStrings(metadata.finalizers()),
                                           "finalizer orphan and foregroundDeletion cannot be both set"));
  }
}

void ValidateKubeFinalizers(const meta::ObjectMeta& metadata, const Path& path, ErrorList& errors) {
  for (int i = 0; i < metadata.finalizers_size(); ++i) {
    const std::string& finalizer = metadata.finalizers(i);
    if (finalizer.find('/') != std::string::npos) continue;
    if (finalizer == "kubernetes" || finalizer == "orphan" || finalizer == "foregroundDeletion") continue;
    errors.push_back(field::Invalid(path.Index(static_cast<size_t>(i)), finalizer,
                                    "name is neither a standard finalizer name nor is it fully qualified"));
  }
}

void ValidateManagedFields(const meta::ObjectMeta& metadata, const Path& list, ErrorList& errors) {
  for (int i = 0; i < metadata.managedfields_size(); ++i) {
    const meta::ManagedFieldsEntry& entry = metadata.managedfields(i);
    const Path path = list.Index(static_cast<size_t>(i));
    if (entry.operation() != "Apply" && entry.operation() != "Update") {
      errors.push_back(field::Invalid(path.Child("operation"), entry.operation(), "must be `Apply` or `Update`"));
    }
    if (!entry.fieldstype().empty() && entry.fieldstype() != "FieldsV1") {
      errors.push_back(field::Invalid(path.Child("fieldsType"), entry.fieldstype(), "must be `FieldsV1`"));
    }
    if (entry.manager().size() > kFieldManagerMax) {
      errors.push_back(field::TooLong(path.Child("manager"), "", kFieldManagerMax));
    }
    if (entry.subresource().size() > kSubresourceMax) {
      errors.push_back(field::TooLong(path.Child("subresource"), "", kSubresourceMax));
    }
  }
}

void ValidateLabelSelectorRequirement(const meta::LabelSelectorRequirement& requirement, const Path& path,
                                      ErrorList& errors) {
  const std::string& op = requirement.operator_();
  if (op == "In" || op == "NotIn") {
    if (requirement.values().empty()) {
      errors.push_back(field::Required(path.Child("values"), "must be specified when `operator` is 'In' or 'NotIn'"));
    }
  } else if (op == "Exists" || op == "DoesNotExist") {
    if (!requirement.values().empty()) {
      errors.push_back(
          field::Forbidden(path.Child("values"), "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
    }
  } else {
    errors.push_back(field::Invalid(path.Child("operator"), op, "not a valid selector operator"));
  }
  ValidateLabelName(requirement.key(), path.Child("key"), errors);
  for (int i = 0; i < requirement.values_size(); ++i) {
    AddInvalid(errors, path.Child("values").Index(static_cast<size_t>(i)), requirement.values(i),
               names::IsValidLabelValue(requirement.values(i)));
  }
}

}  // namespace

void ValidateLabelName(std::string_view name, const Path& path, ErrorList& errors) {
  AddInvalid(errors, path, name, names::IsQualifiedName(name));
}

void ValidateLabels(const google::protobuf::Map<std::string, std::string>& labels, const Path& path,
                    ErrorList& errors) {
  for (const std::string& key : SortedKeys(labels)) {
    ValidateLabelName(key, path, errors);
    AddInvalid(errors, path, labels.at(key), names::IsValidLabelValue(labels.at(key)));
  }
}

void ValidateAnnotations(const google::protobuf::Map<std::string, std::string>& annotations, const Path& path,
                         ErrorList& errors) {
  size_t size = 0;
  for (const std::string& key : SortedKeys(annotations)) {
    AddInvalid(errors, path, key, names::IsQualifiedName(Lower(key)));
    size += key.size() + annotations.at(key).size();
  }
  if (size > kAnnotationsMax) errors.push_back(field::TooLong(path, "", kAnnotationsMax));
}

void ValidateLabelSelector(const meta::LabelSelector& selector, const Path& path, ErrorList& errors) {
  ValidateLabels(selector.matchlabels(), path.Child("matchLabels"), errors);
  for (int i = 0; i < selector.matchexpressions_size(); ++i) {
    ValidateLabelSelectorRequirement(selector.matchexpressions(i),
                                     path.Child("matchExpressions").Index(static_cast<size_t>(i)), errors);
  }
}

void ValidateObjectMeta(const meta::ObjectMeta& metadata, NameCheck check_name, const Path& path, ErrorList& errors) {
  if (!metadata.generatename().empty()) {
    AddInvalid(errors, path.Child("generateName"), metadata.generatename(), check_name(metadata.generatename(), true));
  }
  if (metadata.name().empty()) {
    errors.push_back(field::Required(path.Child("name"), "name or generateName is required"));
  } else {
    AddInvalid(errors, path.Child("name"), metadata.name(), check_name(metadata.name(), false));
  }
  RequireText(errors, path.Child("namespace"), metadata.namespace_());
  if (!metadata.namespace_().empty()) {
    AddInvalid(errors, path.Child("namespace"), metadata.namespace_(),
               names::NameIsDNSLabel(metadata.namespace_(), false));
  }
  ValidateNonnegativeField(metadata.generation(), path.Child("generation"), errors);
  ValidateLabels(metadata.labels(), path.Child("labels"), errors);
  ValidateAnnotations(metadata.annotations(), path.Child("annotations"), errors);
  ValidateOwnerReferences(metadata, path.Child("ownerReferences"), errors);
  ValidateFinalizers(metadata, path.Child("finalizers"), errors);
  ValidateManagedFields(metadata, path.Child("managedFields"), errors);
  ValidateKubeFinalizers(metadata, path.Child("finalizers"), errors);
}

// Only labels and annotations may be set. "uID" is how upstream spells it here.
void ValidateTemplateObjectMeta(const meta::ObjectMeta& metadata, const Path& path, ErrorList& errors) {
  ValidateAnnotations(metadata.annotations(), path.Child("annotations"), errors);
  ValidateLabels(metadata.labels(), path.Child("labels"), errors);
  const auto forbid = [&](bool is_set, std::string_view name) {
    if (is_set) errors.push_back(field::Forbidden(path.Child(name), "cannot be set"));
  };
  forbid(!metadata.name().empty(), "name");
  forbid(!metadata.generatename().empty(), "generateName");
  forbid(!metadata.namespace_().empty(), "namespace");
  forbid(!metadata.selflink().empty(), "selfLink");
  forbid(!metadata.uid().empty(), "uID");
  forbid(!metadata.resourceversion().empty(), "resourceVersion");
  forbid(metadata.generation() != 0, "generation");
  forbid(metadata.creationtimestamp().seconds() != 0, "creationTimestamp");
  forbid(metadata.has_deletiontimestamp(), "deletionTimestamp");
  forbid(metadata.has_deletiongraceperiodseconds(), "deletionGracePeriodSeconds");
  forbid(metadata.ownerreferences_size() > 0, "ownerReferences");
  forbid(metadata.finalizers_size() > 0, "finalizers");
  forbid(metadata.managedfields_size() > 0, "managedFields");
}

}  // namespace knarr::api::validation
