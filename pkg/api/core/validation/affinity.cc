#include "pkg/api/core/validation/internal.h"

namespace knarr::api::validation {
namespace {

constexpr std::string_view kRequired = "requiredDuringSchedulingIgnoredDuringExecution";
constexpr std::string_view kPreferred = "preferredDuringSchedulingIgnoredDuringExecution";
constexpr std::string_view kBadOperator = "not a valid selector operator";

// The values are not checked: upstream accepts any label value in node affinities.
void ValidateNodeSelectorRequirement(const core::NodeSelectorRequirement& requirement, const Path& path,
                                     ErrorList& errors) {
  const std::string& op = requirement.operator_();
  const Path values = path.Child("values");
  if (op == "In" || op == "NotIn") {
    if (requirement.values().empty()) {
      errors.push_back(field::Required(values, "must be specified when `operator` is 'In' or 'NotIn'"));
    }
  } else if (op == "Exists" || op == "DoesNotExist") {
    if (!requirement.values().empty()) {
      errors.push_back(field::Forbidden(values, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
    }
  } else if (op == "Gt" || op == "Lt") {
    if (requirement.values_size() != 1) {
      errors.push_back(field::Required(values, "must be specified single value when `operator` is 'Lt' or 'Gt'"));
    }
  } else {
    errors.push_back(field::Invalid(path.Child("operator"), op, kBadOperator));
  }
  ValidateLabelName(requirement.key(), path.Child("key"), errors);
}

void ValidateNodeFieldSelectorRequirement(const core::NodeSelectorRequirement& requirement, const Path& path,
                                          ErrorList& errors) {
  const std::string& op = requirement.operator_();
  if (op != "In" && op != "NotIn") {
    errors.push_back(field::Invalid(path.Child("operator"), op, kBadOperator));
  } else if (requirement.values_size() != 1) {
    errors.push_back(field::Required(
        path.Child("values"), "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"));
  }
  if (requirement.key() != "metadata.name") {
    errors.push_back(field::Invalid(path.Child("key"), requirement.key(), "not a valid field selector key"));
    return;
  }
  for (int i = 0; i < requirement.values_size(); ++i) {
    AddInvalid(errors, path.Child("values").Index(static_cast<size_t>(i)), requirement.values(i),
               names::NameIsDNSSubdomain(requirement.values(i), false));
  }
}

void ValidateNodeSelectorTerm(const core::NodeSelectorTerm& term, const Path& path, ErrorList& errors) {
  for (int i = 0; i < term.matchexpressions_size(); ++i) {
    ValidateNodeSelectorRequirement(term.matchexpressions(i),
                                    path.Child("matchExpressions").Index(static_cast<size_t>(i)), errors);
  }
  for (int i = 0; i < term.matchfields_size(); ++i) {
    ValidateNodeFieldSelectorRequirement(term.matchfields(i), path.Child("matchFields").Index(static_cast<size_t>(i)),
                                         errors);
  }
}

void ValidateWeight(int weight, const Path& path, ErrorList& errors) {
  if (weight <= 0 || weight > 100) errors.push_back(field::Invalid(path, weight, "must be in the range 1-100"));
}

void ValidateNodeAffinity(const core::NodeAffinity& affinity, const Path& path, ErrorList& errors) {
  if (affinity.has_requiredduringschedulingignoredduringexecution()) {
    ValidateNodeSelector(affinity.requiredduringschedulingignoredduringexecution(), path.Child(kRequired), errors);
  }
  const auto& preferred = affinity.preferredduringschedulingignoredduringexecution();
  for (int i = 0; i < preferred.size(); ++i) {
    const Path term = path.Child(kPreferred).Index(static_cast<size_t>(i));
    ValidateWeight(preferred[i].weight(), term.Child("weight"), errors);
    ValidateNodeSelectorTerm(preferred[i].preference(), term.Child("preference"), errors);
  }
}

void ValidateLabelKeys(const google::protobuf::RepeatedPtrField<std::string>& keys, bool has_selector, const Path& path,
                       ErrorList& errors) {
  if (keys.empty()) return;
  if (!has_selector) {
    errors.push_back(field::Forbidden(path, "must not be specified when labelSelector is not set"));
    return;
  }
  for (int i = 0; i < keys.size(); ++i) ValidateLabelName(keys[i], path.Index(static_cast<size_t>(i)), errors);
}

// A selector that has one key twice, of which the scheduler added one from matchLabelKeys.
void ValidateKeysAgainstSelector(const core::PodAffinityTerm& term, const Path& path, ErrorList& errors) {
  std::map<std::string, size_t, std::less<>> keys;
  for (int i = 0; i < term.matchlabelkeys_size(); ++i) keys[term.matchlabelkeys(i)] = static_cast<size_t>(i);
  Names selected;
  for (const auto& [key, value] : term.labelselector().matchlabels()) selected.insert(key);
  for (const meta::LabelSelectorRequirement& requirement : term.labelselector().matchexpressions()) {
    const auto found = keys.find(requirement.key());
    if (found != keys.end() && selected.contains(requirement.key())) {
      errors.push_back(field::Invalid(path.Index(found->second), requirement.key(),
                                      "exists in both matchLabelKeys and labelSelector"));
    }
    selected.insert(requirement.key());
  }
}

void ValidateMatchLabelKeys(const core::PodAffinityTerm& term, const Path& path, ErrorList& errors) {
  ValidateLabelKeys(term.matchlabelkeys(), term.has_labelselector(), path.Child("matchLabelKeys"), errors);
  ValidateLabelKeys(term.mismatchlabelkeys(), term.has_labelselector(), path.Child("mismatchLabelKeys"), errors);
  ValidateKeysAgainstSelector(term, path, errors);
  const Names mismatch(term.mismatchlabelkeys().begin(), term.mismatchlabelkeys().end());
  for (int i = 0; i < term.matchlabelkeys_size(); ++i) {
    if (!mismatch.contains(term.matchlabelkeys(i))) continue;
    errors.push_back(field::Invalid(path.Child("matchLabelKeys").Index(static_cast<size_t>(i)), term.matchlabelkeys(i),
                                    "exists in both matchLabelKeys and mismatchLabelKeys"));
  }
}

void ValidatePodAffinityTerm(const core::PodAffinityTerm& term, const Path& path, ErrorList& errors) {
  if (term.has_labelselector()) ValidateLabelSelector(term.labelselector(), path.Child("labelSelector"), errors);
  if (term.has_namespaceselector()) {
    ValidateLabelSelector(term.namespaceselector(), path.Child("namespaceSelector"), errors);
  }
  for (const std::string& name : term.namespaces()) {
    AddInvalid(errors, path.Child("namespace"), name, names::NameIsDNSLabel(name, false));
  }
  ValidateMatchLabelKeys(term, path, errors);
  if (term.topologykey().empty()) errors.push_back(field::Required(path.Child("topologyKey"), "can not be empty"));
  ValidateLabelName(term.topologykey(), path.Child("topologyKey"), errors);
}

// PodAffinity or PodAntiAffinity.
template <typename Affinity>
void ValidatePodAffinity(const Affinity& affinity, const Path& path, ErrorList& errors) {
  const auto& required = affinity.requiredduringschedulingignoredduringexecution();
  for (int i = 0; i < required.size(); ++i) {
    ValidatePodAffinityTerm(required[i], path.Child(kRequired).Index(static_cast<size_t>(i)), errors);
  }
  const auto& preferred = affinity.preferredduringschedulingignoredduringexecution();
  for (int i = 0; i < preferred.size(); ++i) {
    const Path term = path.Child(kPreferred).Index(static_cast<size_t>(i));
    ValidateWeight(preferred[i].weight(), term.Child("weight"), errors);
    ValidatePodAffinityTerm(preferred[i].podaffinityterm(), term.Child("podAffinityTerm"), errors);
  }
}

}  // namespace

void ValidateNodeSelector(const core::NodeSelector& selector, const Path& path, ErrorList& errors) {
  const auto& terms = selector.nodeselectorterms();
  const Path list = path.Child("nodeSelectorTerms");
  if (terms.empty()) errors.push_back(field::Required(list, "must have at least one node selector term"));
  for (int i = 0; i < terms.size(); ++i) {
    ValidateNodeSelectorTerm(terms[i], list.Index(static_cast<size_t>(i)), errors);
  }
}

void ValidateAffinity(const core::Affinity& affinity, const Path& path, ErrorList& errors) {
  if (affinity.has_nodeaffinity()) ValidateNodeAffinity(affinity.nodeaffinity(), path.Child("nodeAffinity"), errors);
  if (affinity.has_podaffinity()) ValidatePodAffinity(affinity.podaffinity(), path.Child("podAffinity"), errors);
  if (affinity.has_podantiaffinity()) {
    ValidatePodAffinity(affinity.podantiaffinity(), path.Child("podAntiAffinity"), errors);
  }
}

}  // namespace knarr::api::validation
