#include "pkg/api/meta/validation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <vector>

#include "k8s.io/apimachinery/pkg/apis/meta/v1/generated.pb.h"
#include "pkg/api/field/quote.h"

namespace knarr::api {
namespace {

using field::ErrorList;
using field::Path;

constexpr size_t kAnnotationsMax = 256 << 10;
constexpr size_t kFieldManagerMax = 128;
constexpr size_t kSubresourceMax = 256;
constexpr size_t kReasonMax = 1 << 10;
constexpr size_t kMessageMax = 32 << 10;

void AddInvalid(ErrorList& errors, const Path& path, std::string_view value, const names::Messages& messages) {
  for (const std::string& message : messages) errors.push_back(field::Invalid(path, value, message));
}

std::vector<std::string> SortedKeys(const StringMapField& map) {
  std::vector<std::string> keys;
  keys.reserve(map.size());
  for (const auto& [key, value] : map) keys.push_back(key);
  std::sort(keys.begin(), keys.end());
  return keys;
}

// As Go's time.Time prints.
std::string TimeText(const meta::Time& time) {
  const time_t seconds = static_cast<time_t>(time.seconds());
  tm parts{};
  gmtime_r(&seconds, &parts);
  char text[64];
  const size_t size = strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S +0000 UTC", &parts);
  return std::string(text, size);
}

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

void ValidateKubeFinalizerName(std::string_view name, const Path& path, ErrorList& errors) {
  if (name.find('/') != std::string_view::npos) return;
  if (name == "kubernetes" || name == "orphan" || name == "foregroundDeletion") return;
  errors.push_back(field::Invalid(path, name, "name is neither a standard finalizer name nor is it fully qualified"));
}

void ValidateKubeFinalizers(const meta::ObjectMeta& metadata, const Path& path, ErrorList& errors) {
  for (int i = 0; i < metadata.finalizers_size(); ++i) {
    ValidateKubeFinalizerName(metadata.finalizers(i), path.Index(static_cast<size_t>(i)), errors);
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
    Append(errors, ValidateFieldManager(entry.manager(), path.Child("manager")));
    if (entry.subresource().size() > kSubresourceMax) {
      errors.push_back(field::TooLong(path.Child("subresource"), "", kSubresourceMax));
    }
  }
}

// What new and changed objects have in common.
void ValidateCommon(const meta::ObjectMeta& metadata, const Path& path, ErrorList& errors) {
  Append(errors, ValidateLabels(metadata.labels(), path.Child("labels")));
  Append(errors, ValidateAnnotations(metadata.annotations(), path.Child("annotations")));
  ValidateOwnerReferences(metadata, path.Child("ownerReferences"), errors);
}

void ValidateImmutableText(std::string_view updated, std::string_view old, const Path& path, ErrorList& errors) {
  if (updated != old) errors.push_back(field::Invalid(path, updated, kFieldImmutable));
}

void ValidateImmutableTimes(const meta::ObjectMeta& updated, const meta::ObjectMeta& old, const Path& path,
                            ErrorList& errors) {
  if (updated.creationtimestamp().seconds() != old.creationtimestamp().seconds()) {
    const std::string text = updated.creationtimestamp().seconds() == 0 ? "0001-01-01 00:00:00 +0000 UTC"
                                                                        : TimeText(updated.creationtimestamp());
    errors.push_back(field::InvalidLiteral(path.Child("creationTimestamp"), text, kFieldImmutable));
  }
  if (updated.has_deletiontimestamp() != old.has_deletiontimestamp() ||
      updated.deletiontimestamp().seconds() != old.deletiontimestamp().seconds()) {
    errors.push_back(field::InvalidLiteral(
        path.Child("deletionTimestamp"),
        updated.has_deletiontimestamp() ? TimeText(updated.deletiontimestamp()) : "null", kFieldImmutable));
  }
  if (updated.has_deletiongraceperiodseconds() != old.has_deletiongraceperiodseconds() ||
      updated.deletiongraceperiodseconds() != old.deletiongraceperiodseconds()) {
    const std::string text =
        updated.has_deletiongraceperiodseconds() ? std::to_string(updated.deletiongraceperiodseconds()) : "null";
    errors.push_back(field::InvalidLiteral(path.Child("deletionGracePeriodSeconds"), text, kFieldImmutable));
  }
}

void ValidateNoNewFinalizers(const meta::ObjectMeta& updated, const meta::ObjectMeta& old, const Path& path,
                             ErrorList& errors) {
  std::set<std::string> extra(updated.finalizers().begin(), updated.finalizers().end());
  for (const std::string& finalizer : old.finalizers()) extra.erase(finalizer);
  if (extra.empty()) return;
  google::protobuf::RepeatedPtrField<std::string> sorted;
  for (const std::string& finalizer : extra) *sorted.Add() = finalizer;
  errors.push_back(field::Forbidden(
      path, fmt::format("no new finalizers can be added if the object is being deleted, found new finalizers {}",
                        GoStrings(sorted))));
}

void ValidateLabelSelectorRequirement(const meta::LabelSelectorRequirement& requirement,
                                      const LabelSelectorOptions& options, const Path& path, ErrorList& errors) {
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
  } else if (!options.allow_unknown_operator) {
    errors.push_back(field::Invalid(path.Child("operator"), op, "not a valid selector operator"));
  }
  Append(errors, ValidateLabelName(requirement.key(), path.Child("key")));
  if (options.allow_invalid_label_value) return;
  for (int i = 0; i < requirement.values_size(); ++i) {
    AddInvalid(errors, path.Child("values").Index(static_cast<size_t>(i)), requirement.values(i),
               names::IsValidLabelValue(requirement.values(i)));
  }
}

bool IsConditionReason(std::string_view reason) {
  const auto alpha = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const auto inner = [&](char c) { return alpha(c) || (c >= '0' && c <= '9') || c == '_'; };
  if (!alpha(reason.front()) || !inner(reason.back())) return false;
  return std::all_of(reason.begin(), reason.end(), [&](char c) { return inner(c) || c == ',' || c == ':'; });
}

void ValidateCondition(const meta::Condition& condition, const Path& path, ErrorList& errors) {
  Append(errors, ValidateLabelName(condition.type(), path.Child("type")));
  if (const std::string& s = condition.status(); s != "True" && s != "False" && s != "Unknown") {
    errors.push_back(field::NotSupported(path.Child("status"), s, {"False", "True", "Unknown"}));
  }
  if (condition.observedgeneration() < 0) {
    errors.push_back(field::Invalid(path.Child("observedGeneration"), condition.observedgeneration(),
                                    "must be greater than or equal to zero"));
  }
  if (condition.lasttransitiontime().seconds() == 0) {
    errors.push_back(field::Required(path.Child("lastTransitionTime"), "must be set"));
  }
  if (condition.reason().empty()) {
    errors.push_back(field::Required(path.Child("reason"), "must be set"));
  } else {
    if (!IsConditionReason(condition.reason())) {
      errors.push_back(field::Invalid(
          path.Child("reason"), condition.reason(),
          names::RegexError("a condition reason must start with alphabetic character, optionally followed by a string "
                            "of alphanumeric characters or '_,:', and must end with an alphanumeric character or '_'",
                            "[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?",
                            {"my_name", "MY_NAME", "MyName", "ReasonA,ReasonB", "ReasonA:ReasonB"})));
    }
    if (condition.reason().size() > kReasonMax) {
      errors.push_back(field::TooLong(path.Child("reason"), "", kReasonMax));
    }
  }
  if (condition.message().size() > kMessageMax) {
    errors.push_back(field::TooLong(path.Child("message"), "", kMessageMax));
  }
}

}  // namespace

std::string GoStrings(const google::protobuf::RepeatedPtrField<std::string>& values) {
  std::string text = "[]string{";
  for (int i = 0; i < values.size(); ++i) text.append(i > 0 ? ", " : "").append(field::Quote(values[i]));
  return text + "}";
}

names::Messages ValidatePathSegmentName(std::string_view name, bool prefix) {
  if (!prefix && name == ".") return {"may not be '.'"};
  if (!prefix && name == "..") return {"may not be '..'"};
  names::Messages messages;
  if (name.find('/') != std::string_view::npos) messages.emplace_back("may not contain '/'");
  if (name.find('%') != std::string_view::npos) messages.emplace_back("may not contain '%'");
  return messages;
}

ErrorList ValidateLabelName(std::string_view name, const Path& path) {
  ErrorList errors;
  AddInvalid(errors, path, name, names::IsQualifiedName(name));
  return errors;
}

ErrorList ValidateLabels(const StringMapField& labels, const Path& path) {
  ErrorList errors;
  for (const std::string& key : SortedKeys(labels)) {
    AddInvalid(errors, path, key, names::IsQualifiedName(key));
    AddInvalid(errors, path, labels.at(key), names::IsValidLabelValue(labels.at(key)));
  }
  return errors;
}

ErrorList ValidateAnnotations(const StringMapField& annotations, const Path& path) {
  ErrorList errors;
  size_t size = 0;
  for (const std::string& key : SortedKeys(annotations)) {
    std::string lower = key;
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
    AddInvalid(errors, path, key, names::IsQualifiedName(lower));
    size += key.size() + annotations.at(key).size();
  }
  if (size > kAnnotationsMax) errors.push_back(field::TooLong(path, "", kAnnotationsMax));
  return errors;
}

ErrorList ValidateFinalizerName(std::string_view name, const Path& path) {
  ErrorList errors;
  AddInvalid(errors, path, name, names::IsQualifiedName(name));
  ValidateKubeFinalizerName(name, path, errors);
  return errors;
}

ErrorList ValidateObjectMeta(const meta::ObjectMeta& metadata, bool requires_namespace, NameCheck check_name,
                             const Path& path, Finalizers finalizers) {
  ErrorList errors;
  if (!metadata.generatename().empty()) {
    AddInvalid(errors, path.Child("generateName"), metadata.generatename(), check_name(metadata.generatename(), true));
  }
  if (metadata.name().empty()) {
    errors.push_back(field::Required(path.Child("name"), "name or generateName is required"));
  } else {
    AddInvalid(errors, path.Child("name"), metadata.name(), check_name(metadata.name(), false));
  }
  if (!requires_namespace) {
    if (!metadata.namespace_().empty()) {
      errors.push_back(field::Forbidden(path.Child("namespace"), "not allowed on this type"));
    }
  } else if (metadata.namespace_().empty()) {
    errors.push_back(field::Required(path.Child("namespace"), ""));
  } else {
    AddInvalid(errors, path.Child("namespace"), metadata.namespace_(),
               names::NameIsDNSLabel(metadata.namespace_(), false));
  }
  if (metadata.generation() < 0) {
    errors.push_back(
        field::Invalid(path.Child("generation"), metadata.generation(), "must be greater than or equal to 0"));
  }
  ValidateCommon(metadata, path, errors);
  ValidateFinalizers(metadata, path.Child("finalizers"), errors);
  ValidateManagedFields(metadata, path.Child("managedFields"), errors);
  if (finalizers == Finalizers::kBuiltin) ValidateKubeFinalizers(metadata, path.Child("finalizers"), errors);
  return errors;
}

ErrorList ValidateObjectMetaUpdate(const meta::ObjectMeta& updated, const meta::ObjectMeta& old, const Path& path,
                                   Finalizers finalizers) {
  ErrorList errors;
  if (old.has_deletiontimestamp()) ValidateNoNewFinalizers(updated, old, path.Child("finalizers"), errors);
  if (updated.resourceversion().empty()) {
    errors.push_back(field::Invalid(path.Child("resourceVersion"), "", "must be specified for an update"));
  }
  if (updated.generation() < old.generation()) {
    errors.push_back(field::Invalid(path.Child("generation"), updated.generation(), "must not be decremented"));
  }
  ValidateImmutableText(updated.name(), old.name(), path.Child("name"), errors);
  ValidateImmutableText(updated.namespace_(), old.namespace_(), path.Child("namespace"), errors);
  ValidateImmutableText(updated.uid(), old.uid(), path.Child("uid"), errors);
  ValidateImmutableTimes(updated, old, path, errors);
  ValidateCommon(updated, path, errors);
  ValidateManagedFields(updated, path.Child("managedFields"), errors);
  if (finalizers == Finalizers::kBuiltin) ValidateKubeFinalizers(updated, path.Child("finalizers"), errors);
  return errors;
}

ErrorList ValidateLabelSelector(const meta::LabelSelector& selector, const Path& path,
                                const LabelSelectorOptions& options) {
  ErrorList errors = ValidateLabels(selector.matchlabels(), path.Child("matchLabels"));
  for (int i = 0; i < selector.matchexpressions_size(); ++i) {
    ValidateLabelSelectorRequirement(selector.matchexpressions(i), options,
                                     path.Child("matchExpressions").Index(static_cast<size_t>(i)), errors);
  }
  return errors;
}

// "uID" is how upstream spells it here.
ErrorList ValidateTemplateObjectMeta(const meta::ObjectMeta& metadata, const Path& path) {
  ErrorList errors = ValidateAnnotations(metadata.annotations(), path.Child("annotations"));
  Append(errors, ValidateLabels(metadata.labels(), path.Child("labels")));
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
  return errors;
}

ErrorList ValidateConditions(const google::protobuf::RepeatedPtrField<meta::Condition>& conditions, const Path& path) {
  ErrorList errors;
  std::set<std::string> seen;
  for (int i = 0; i < conditions.size(); ++i) {
    const Path element = path.Index(static_cast<size_t>(i));
    if (!seen.insert(conditions[i].type()).second) {
      errors.push_back(field::Duplicate(element.Child("type"), conditions[i].type()));
    }
    ValidateCondition(conditions[i], element, errors);
  }
  return errors;
}

ErrorList ValidateDeleteOptions(const meta::DeleteOptions& options) {
  ErrorList errors;
  const Path policy("propagationPolicy");
  if (options.has_orphandependents() && options.has_propagationpolicy()) {
    errors.push_back(field::Invalid(policy, options.propagationpolicy(),
                                    "orphanDependents and deletionPropagation cannot be both set"));
  }
  const std::string& value = options.propagationpolicy();
  if (options.has_propagationpolicy() && value != "Foreground" && value != "Background" && value != "Orphan") {
    errors.push_back(field::NotSupported(policy, value, {"Foreground", "Background", "Orphan", "nil"}));
  }
  Append(errors, ValidateDryRun(options.dryrun(), Path("dryRun")));
  if (!options.ignorestorereaderrorwithclusterbreakingpotential()) return errors;
  const Path ignore("ignoreStoreReadErrorWithClusterBreakingPotential");
  const auto exclude = [&](bool is_set, std::string_view name) {
    if (!is_set) return;
    errors.push_back(field::InvalidLiteral(ignore, "true", fmt::format("cannot be set together with .{}", name)));
  };
  exclude(options.dryrun_size() > 0, "dryRun");
  exclude(options.has_propagationpolicy(), "propagationPolicy");
  exclude(options.has_orphandependents(), "orphanDependents");
  exclude(options.has_graceperiodseconds(), "gracePeriodSeconds");
  exclude(options.has_preconditions(), "preconditions");
  return errors;
}

// Of what Unicode does not print, the controls are refused: what could spoil a terminal or a log.
ErrorList ValidateFieldManager(std::string_view manager, const Path& path) {
  ErrorList errors;
  if (manager.size() > kFieldManagerMax) errors.push_back(field::TooLong(path, "", kFieldManagerMax));
  for (size_t i = 0; i < manager.size(); ++i) {
    const auto c = static_cast<unsigned char>(manager[i]);
    unsigned point = c;
    if (c == 0xc2 && i + 1 < manager.size()) point = static_cast<unsigned char>(manager[i + 1]);
    const bool control = c < 0x20 || c == 0x7f || (c == 0xc2 && point <= 0xa0);
    if (!control) continue;
    errors.push_back(
        field::Invalid(path, manager, fmt::format("invalid character U+{:04X} (at position {})", point, i)));
  }
  return errors;
}

ErrorList ValidateDryRun(const google::protobuf::RepeatedPtrField<std::string>& dry_run, const Path& path) {
  const auto known = [](const std::string& value) { return value == "All"; };
  if (std::all_of(dry_run.begin(), dry_run.end(), known)) return {};
  field::FieldError error = field::NotSupported(path, "", {"All"});
  error.value = GoStrings(dry_run);
  return {std::move(error)};
}

ErrorList ValidateFieldValidation(std::string_view value, const Path& path) {
  if (value.empty() || value == "Ignore" || value == "Warn" || value == "Strict") return {};
  return {field::NotSupported(path, value, {"", "Ignore", "Strict", "Warn"})};
}

void ResetObjectMetaForStatus(meta::ObjectMeta& updated, const meta::ObjectMeta& old) {
  if (old.has_deletiontimestamp()) {
    *updated.mutable_deletiontimestamp() = old.deletiontimestamp();
  } else {
    updated.clear_deletiontimestamp();
  }
  updated.set_generation(old.generation());
  updated.set_selflink(old.selflink());
  *updated.mutable_labels() = old.labels();
  *updated.mutable_annotations() = old.annotations();
  *updated.mutable_finalizers() = old.finalizers();
  *updated.mutable_ownerreferences() = old.ownerreferences();
}

}  // namespace knarr::api
