// What may change in a pod, its status and its ephemeral containers; bindings.
#include <fmt/format.h>

#include <limits>

#include "pkg/api/codec/codec.h"
#include "pkg/api/core/validation/internal.h"
#include "pkg/api/field/quote.h"
#include "pkg/api/meta/equality.h"

namespace knarr::api {
namespace validation {
namespace {

constexpr std::string_view kAppArmorPrefix = "container.apparmor.security.beta.kubernetes.io/";
constexpr std::string_view kMirror = "kubernetes.io/config.mirror";
constexpr size_t kDiffLines = 40;

std::vector<std::string_view> SplitLines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return lines;
}

void ValidateAnnotationUpdates(const core::Pod& updated, const core::Pod& old, const PodValidationOptions& options,
                               ErrorList& errors) {
  const Path path("metadata.annotations");
  const auto& now = updated.metadata().annotations();
  const auto& before = old.metadata().annotations();
  const auto forbid = [&](const std::string& key, const char* verb) {
    if (key.starts_with(kAppArmorPrefix)) {
      errors.push_back(field::Forbidden(path.Key(key), fmt::format("may not {} AppArmor annotations", verb)));
    }
    if (key == kMirror) {
      errors.push_back(field::Forbidden(path.Key(key), fmt::format("may not {} mirror pod annotation", verb)));
    }
  };
  for (const std::string& key : SortedKeys(before)) {
    const auto found = now.find(key);
    if (found == now.end() || found->second != before.at(key)) forbid(key, "remove or update");
  }
  for (const std::string& key : SortedKeys(now)) {
    if (!before.contains(key)) forbid(key, "add");
  }
  ValidatePodSpecificAnnotations(updated, path, options, errors);
}

using Containers = google::protobuf::RepeatedPtrField<core::Container>;

// False: nothing more can be said.
bool ValidateContainerUpdates(const Containers& updated, const Containers& old, const Path& list, ErrorList& errors) {
  if (updated.size() != old.size()) {
    errors.push_back(field::Forbidden(list, "pod updates may not add or remove containers"));
    return false;
  }
  for (int i = 0; i < updated.size(); ++i) {
    const std::string& image = updated[i].image();
    const Path path = list.Index(static_cast<size_t>(i)).Child("image");
    RequireText(errors, path, image);
    if (TrimSpace(image).size() != image.size()) {
      errors.push_back(field::Invalid(path, image, "must not have leading or trailing whitespace"));
    }
  }
  return true;
}

bool ValidateActiveDeadline(const core::PodSpec& updated, const core::PodSpec& old, ErrorList& errors) {
  const Path path("spec.activeDeadlineSeconds");
  constexpr int64_t kMax = std::numeric_limits<int32_t>::max();
  if (!updated.has_activedeadlineseconds()) {
    if (old.has_activedeadlineseconds()) {
      errors.push_back(field::InvalidLiteral(path, "null", "must not update from a positive integer to nil value"));
    }
    return true;
  }
  const int64_t seconds = updated.activedeadlineseconds();
  if (seconds < 0 || seconds > kMax) {
    errors.push_back(field::Invalid(path, seconds, names::InclusiveRangeError(0, kMax)));
    return false;
  }
  if (old.has_activedeadlineseconds() && old.activedeadlineseconds() < seconds) {
    errors.push_back(field::Invalid(path, seconds, "must be less than or equal to previous value"));
    return false;
  }
  return true;
}

// Only tolerationSeconds of the old ones may change.
void ValidateOnlyAddedTolerations(const core::PodSpec& updated, const core::PodSpec& old, const Path& path,
                                  ErrorList& errors) {
  const auto same = [](core::Toleration a, core::Toleration b) {
    a.clear_tolerationseconds();
    b.clear_tolerationseconds();
    return SemanticEqual(a, b);
  };
  for (const core::Toleration& toleration : old.tolerations()) {
    const auto& now = updated.tolerations();
    if (std::any_of(now.begin(), now.end(), [&](const core::Toleration& one) { return same(one, toleration); })) {
      continue;
    }
    errors.push_back(field::Forbidden(path, "existing toleration can not be modified except its tolerationSeconds"));
    return;
  }
  ValidateTolerations(updated.tolerations(), path, errors);
}

void ValidateOnlyDeletedSchedulingGates(const core::PodSpec& updated, const core::PodSpec& old, const Path& path,
                                        ErrorList& errors) {
  Names before;
  for (const core::PodSchedulingGate& gate : old.schedulinggates()) before.insert(gate.name());
  for (int i = 0; i < updated.schedulinggates_size(); ++i) {
    const std::string& name = updated.schedulinggates(i).name();
    if (before.contains(name)) continue;
    errors.push_back(
        field::Forbidden(path.Index(static_cast<size_t>(i)).Child("name"),
                         fmt::format("only deletion is allowed, but found new scheduling gate '{}'", name)));
  }
}

void ValidateNodeSelectorMutation(const core::PodSpec& updated, const core::PodSpec& old, ErrorList& errors) {
  for (const auto& [key, value] : old.nodeselector()) {
    const auto found = updated.nodeselector().find(key);
    if (found != updated.nodeselector().end() && found->second == value) continue;
    std::string literal = "map[string]string{";
    for (const std::string& name : SortedKeys(updated.nodeselector())) {
      if (literal.back() != '{') literal += ", ";
      literal += field::Quote(name) + ":" + field::Quote(updated.nodeselector().at(name));
    }
    errors.push_back(field::InvalidLiteral(Path("spec.nodeSelector"), literal + "}",
                                           "only additions to spec.nodeSelector are allowed (no mutations or "
                                           "deletions)"));
    return;
  }
}

using Requirements = google::protobuf::RepeatedPtrField<core::NodeSelectorRequirement>;

bool StartsWith(const Requirements& updated, const Requirements& old) {
  if (updated.size() < old.size()) return false;
  for (int i = 0; i < old.size(); ++i) {
    if (!SemanticEqual(updated[i], old[i])) return false;
  }
  return true;
}

bool HasOnlyAdditions(const core::NodeSelectorTerm& updated, const core::NodeSelectorTerm& old) {
  // An empty term selects nothing; adding to it would widen it.
  if (old.matchexpressions_size() == 0 && old.matchfields_size() == 0) {
    return updated.matchexpressions_size() == 0 && updated.matchfields_size() == 0;
  }
  return StartsWith(updated.matchexpressions(), old.matchexpressions()) &&
         StartsWith(updated.matchfields(), old.matchfields());
}

void ValidateNodeAffinityMutation(const core::PodSpec& updated, const core::PodSpec& old, ErrorList& errors) {
  const core::NodeAffinity& before = old.affinity().nodeaffinity();
  if (!before.has_requiredduringschedulingignoredduringexecution()) return;
  const auto& old_terms = before.requiredduringschedulingignoredduringexecution().nodeselectorterms();
  const auto& new_terms =
      updated.affinity().nodeaffinity().requiredduringschedulingignoredduringexecution().nodeselectorterms();
  const Path path("spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms");
  if (!old_terms.empty() && old_terms.size() != new_terms.size()) {
    errors.push_back(field::InvalidLiteral(path, fmt::format("{} terms", new_terms.size()),
                                           "no additions/deletions to non-empty NodeSelectorTerms list are allowed"));
    return;
  }
  for (int i = 0; i < old_terms.size(); ++i) {
    if (HasOnlyAdditions(new_terms[i], old_terms[i])) continue;
    errors.push_back(field::InvalidLiteral(path.Index(static_cast<size_t>(i)), codec::EncodeJson(new_terms[i]),
                                           "only additions are allowed (no mutations or deletions)"));
  }
}

// Puts back in `munged`, a copy of the new spec, what gated pods may change.
void PutBackGated(core::PodSpec& munged, const core::PodSpec& old, ErrorList& errors) {
  ValidateNodeSelectorMutation(munged, old, errors);
  *munged.mutable_nodeselector() = old.nodeselector();
  const core::NodeAffinity& before = old.affinity().nodeaffinity();
  if (munged.affinity().has_nodeaffinity() == old.affinity().has_nodeaffinity() &&
      SemanticEqual(munged.affinity().nodeaffinity(), before)) {
    return;
  }
  ValidateNodeAffinityMutation(munged, old, errors);
  core::Affinity& affinity = *munged.mutable_affinity();
  if (!old.has_affinity() && !affinity.has_podaffinity() && !affinity.has_podantiaffinity()) {
    munged.clear_affinity();
  } else if (old.affinity().has_nodeaffinity()) {
    *affinity.mutable_nodeaffinity() = before;
  } else {
    affinity.clear_nodeaffinity();
  }
}

void ValidateRestIsSame(const core::PodSpec& updated, const core::PodSpec& old, ErrorList& errors) {
  core::PodSpec munged = updated;
  for (int i = 0; i < munged.containers_size(); ++i) {
    munged.mutable_containers(i)->set_image(old.containers(i).image());
  }
  for (int i = 0; i < munged.initcontainers_size(); ++i) {
    munged.mutable_initcontainers(i)->set_image(old.initcontainers(i).image());
  }
  munged.clear_activedeadlineseconds();
  if (old.has_activedeadlineseconds()) munged.set_activedeadlineseconds(old.activedeadlineseconds());
  *munged.mutable_schedulinggates() = old.schedulinggates();
  *munged.mutable_tolerations() = old.tolerations();
  if (old.terminationgraceperiodseconds() < 0 && munged.terminationgraceperiodseconds() == 1) {
    munged.set_terminationgraceperiodseconds(old.terminationgraceperiodseconds());
  }
  if (old.schedulinggates_size() > 0) PutBackGated(munged, old, errors);
  if (SemanticEqual(munged, old)) return;
  errors.push_back(field::Forbidden(
      Path("spec"),
      "pod updates may not change fields other than "
      "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only "
      "additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was "
      "previously negative)\n" +
          Diff(old, munged)));
}

void ValidatePodConditions(const core::PodStatus& status, ErrorList& errors) {
  static constexpr std::string_view kSystem[] = {"PodScheduled", "Ready", "Initialized"};
  const Path list("metadata.conditions");
  for (int i = 0; i < status.conditions_size(); ++i) {
    const std::string& type = status.conditions(i).type();
    if (std::find(std::begin(kSystem), std::end(kSystem), type) != std::end(kSystem)) continue;
    AddInvalid(errors, list.Index(static_cast<size_t>(i)).Child("Type"), type, names::IsQualifiedName(type));
  }
}

using Statuses = google::protobuf::RepeatedPtrField<core::ContainerStatus>;

// A container that has ended and may not restart stays so.
void ValidateStateTransition(const Statuses& updated, const Statuses& old, const core::PodSpec& spec,
                             std::string_view policy, bool init, const Path& list, ErrorList& errors) {
  if (policy == "Always") return;
  const auto restarts = [&](const std::string& name) {
    const auto& all = spec.initcontainers();
    return init && std::any_of(all.begin(), all.end(), [&](const core::Container& container) {
             return container.name() == name && container.restartpolicy() == "Always";
           });
  };
  for (int i = 0; i < old.size(); ++i) {
    if (!old[i].state().has_terminated()) continue;
    if (old[i].state().terminated().exitcode() != 0 && policy == "OnFailure") continue;
    if (restarts(old[i].name())) continue;
    for (const core::ContainerStatus& status : updated) {
      if (status.name() != old[i].name() || status.state().has_terminated()) continue;
      errors.push_back(field::Forbidden(list.Index(static_cast<size_t>(i)).Child("state"),
                                        "may not be transitioned to non-terminated state"));
    }
  }
}

// PodIPs or HostIPs: at most one of each family.
template <typename IPs>
void ValidateIPs(const IPs& ips, const Path& list, ErrorList& errors) {
  bool v4 = false;
  bool v6 = false;
  for (int i = 0; i < ips.size(); ++i) {
    AddInvalid(errors, list.Index(static_cast<size_t>(i)), ips[i].ip(), names::IsValidIP(ips[i].ip()));
    (ips[i].ip().find(':') == std::string::npos ? v4 : v6) = true;
  }
  if (ips.size() <= 1) return;
  if (!(v4 && v6) || ips.size() > 2) {
    std::string literal;
    for (const auto& ip : ips) literal += (literal.empty() ? "" : ", ") + field::Quote(ip.ip());
    errors.push_back(
        field::InvalidLiteral(list, "{" + literal + "}", "may specify no more than one IP for each IP family"));
  }
  Names seen;
  for (int i = 0; i < ips.size(); ++i) {
    if (!seen.insert(ips[i].ip()).second) {
      errors.push_back(field::Duplicate(list.Index(static_cast<size_t>(i)), ips[i].ip()));
    }
  }
}

}  // namespace

// The lines of both between what they have in common at the start and at the end: for people.
std::string Diff(const google::protobuf::Message& old, const google::protobuf::Message& updated) {
  const std::string old_text = codec::EncodeYaml(old);
  const std::string new_text = codec::EncodeYaml(updated);
  std::vector<std::string_view> a = SplitLines(old_text);
  std::vector<std::string_view> b = SplitLines(new_text);
  size_t first = 0;
  while (first < a.size() && first < b.size() && a[first] == b[first]) ++first;
  while (a.size() > first && b.size() > first && a.back() == b.back()) {
    a.pop_back();
    b.pop_back();
  }
  std::string text;
  const auto add = [&](char sign, const std::vector<std::string_view>& lines) {
    for (size_t i = first; i < lines.size(); ++i) {
      if (i - first == kDiffLines) {
        text.append("  ...\n");
        return;
      }
      text.append(1, sign).append(" ").append(lines[i]).append("\n");
    }
  };
  add('-', a);
  add('+', b);
  return text;
}

}  // namespace validation

using namespace validation;  // NOLINT: what follows is made of its steps

field::ErrorList ValidatePodUpdate(const core::Pod& updated, const core::Pod& old,
                                   const PodValidationOptions& options) {
  const core::PodSpec& spec = updated.spec();
  const Path path("spec");
  ErrorList errors;
  ValidatePodMetadataAndSpec(updated, options, errors);
  ValidateAnnotationUpdates(updated, old, options, errors);
  if (!ValidateContainerUpdates(spec.containers(), old.spec().containers(), path.Child("containers"), errors) ||
      !ValidateContainerUpdates(spec.initcontainers(), old.spec().initcontainers(), path.Child("initContainers"),
                                errors) ||
      !ValidateActiveDeadline(spec, old.spec(), errors)) {
    return errors;
  }
  ValidateOnlyAddedTolerations(spec, old.spec(), path.Child("tolerations"), errors);
  ValidateOnlyDeletedSchedulingGates(spec, old.spec(), path.Child("schedulingGates"), errors);
  if (!SemanticEqual(spec, old.spec())) ValidateRestIsSame(spec, old.spec(), errors);
  return errors;
}

field::ErrorList ValidatePodStatusUpdate(const core::Pod& updated, const core::Pod& old,
                                         const PodValidationOptions& options) {
  const core::PodStatus& status = updated.status();
  const Path path("status");
  ErrorList errors;
  ValidateAnnotationUpdates(updated, old, options, errors);
  ValidatePodConditions(status, errors);
  if (updated.spec().nodename() != old.spec().nodename()) {
    errors.push_back(field::Forbidden(path.Child("nodeName"), "may not be changed directly"));
  }
  const std::string& nominated = status.nominatednodename();
  if (nominated != old.status().nominatednodename() && !nominated.empty()) {
    AddInvalid(errors, path.Child("nominatedNodeName"), nominated, names::NameIsDNSSubdomain(nominated, false));
  }
  if (status.qosclass() != old.status().qosclass()) {
    errors.push_back(field::Invalid(path.Child("qosClass"), status.qosclass(), kFieldImmutable));
  }
  const core::PodSpec& spec = old.spec();
  ValidateStateTransition(status.containerstatuses(), old.status().containerstatuses(), spec, spec.restartpolicy(),
                          false, path.Child("containerStatuses"), errors);
  ValidateStateTransition(status.initcontainerstatuses(), old.status().initcontainerstatuses(), spec,
                          spec.restartpolicy(), true, path.Child("initContainerStatuses"), errors);
  // Ephemeral ones are never restarted.
  ValidateStateTransition(status.ephemeralcontainerstatuses(), old.status().ephemeralcontainerstatuses(), spec, "Never",
                          false, path.Child("ephemeralContainerStatuses"), errors);
  ValidateIPs(status.podips(), path.Child("podIPs"), errors);
  if (status.hostips_size() > 0 && status.hostips(0).ip() != status.hostip()) {
    errors.push_back(field::Invalid(path.Child("hostIPs").Index(0).Child("ip"), status.hostips(0).ip(),
                                    "must be equal to `hostIP`"));
  }
  ValidateIPs(status.hostips(), path.Child("hostIPs"), errors);
  return errors;
}

field::ErrorList ValidatePodEphemeralContainersUpdate(const core::Pod& updated, const core::Pod& old,
                                                      const PodValidationOptions& options) {
  ErrorList errors;
  ValidatePodMetadataAndSpec(updated, options, errors);
  ValidateAnnotationUpdates(updated, old, options, errors);
  if (old.metadata().annotations().contains(std::string(kMirror))) {
    return {field::Forbidden(Path("[]"), "static pods do not support ephemeral containers")};
  }
  const Path path("spec.ephemeralContainers");
  std::map<std::string_view, const core::EphemeralContainer*> now;
  for (const core::EphemeralContainer& container : updated.spec().ephemeralcontainers()) {
    now[container.ephemeralcontainercommon().name()] = &container;
  }
  for (const core::EphemeralContainer& before : old.spec().ephemeralcontainers()) {
    const std::string& name = before.ephemeralcontainercommon().name();
    const auto found = now.find(name);
    if (found == now.end()) {
      errors.push_back(field::Forbidden(
          path, fmt::format("existing ephemeral containers {} may not be removed\n", field::Quote(name))));
    } else if (!SemanticEqual(before, *found->second)) {
      errors.push_back(field::Forbidden(path, fmt::format("existing ephemeral containers {} may not be changed\n{}",
                                                          field::Quote(name), Diff(before, *found->second))));
    }
  }
  return errors;
}

field::ErrorList ValidatePodBinding(const core::Binding& binding) {
  ErrorList errors;
  const core::ObjectReference& target = binding.target();
  if (!target.kind().empty() && target.kind() != "Node") {
    errors.push_back(field::NotSupported(Path("target.kind"), target.kind(), {"Node", "<empty>"}));
  }
  RequireText(errors, Path("target.name"), target.name());
  return errors;
}

}  // namespace knarr::api
