#include "pkg/api/apps/validation.h"

#include <fmt/format.h>

#include "k8s.io/api/apps/v1/generated.pb.h"
#include "pkg/api/core/validation.h"
#include "pkg/api/meta/equality.h"
#include "pkg/api/meta/validation.h"
#include "pkg/api/rules/rules.h"

namespace knarr::api {
namespace {

using field::ErrorList;
using field::Path;

constexpr std::string_view kTooManyReplicas = "cannot be greater than status.replicas";

// Required, well-formed and not empty. Then the template's labels. `what` ends upstream's sentence.
void ValidateSelector(ErrorList& errors, const Path& path, const meta::LabelSelector* selector, std::string_view what) {
  if (selector == nullptr) {
    errors.push_back(field::Required(path, ""));
    return;
  }
  field::Append(errors, ValidateLabelSelector(*selector, path));
  if (selector->matchlabels().empty() && selector->matchexpressions().empty()) {
    errors.push_back(
        field::InvalidLiteral(path, rules::GoValue(*selector), fmt::format("empty selector is invalid for {}", what)));
  }
}

// `what` is the kind that cannot have a deadline.
void ValidateAlwaysRunning(ErrorList& errors, const Path& spec_path, const core::PodSpec& spec, std::string_view what) {
  if (spec.restartpolicy() != "Always") {
    errors.push_back(field::NotSupported(spec_path.Child("restartPolicy"), spec.restartpolicy(), {"Always"}));
  }
  if (spec.has_activedeadlineseconds()) {
    errors.push_back(field::Forbidden(spec_path.Child("activeDeadlineSeconds"),
                                      fmt::format("activeDeadlineSeconds in {} is not Supported", what)));
  }
}

// Deployments say ReplicaSet too: it is theirs that runs the pods.
void ValidateTemplateForReplicaSet(ErrorList& errors, const Path& spec_path, const meta::LabelSelector* selector,
                                   const core::PodTemplateSpec& pod_template) {
  if (!labels::LabelSelectorAsSelector(selector).ok()) {
    errors.push_back(
        field::InvalidLiteral(spec_path.Child("selector"), rules::GoValue(*selector), "invalid label selector"));
    return;
  }
  const Path path = spec_path.Child("template");
  rules::SelectorMatches(errors, path, selector, pod_template.metadata());
  field::Append(errors, ValidatePodTemplateSpec(pod_template, path));
  ValidateAlwaysRunning(errors, path.Child("spec"), pod_template.spec(), "ReplicaSet");
}

template <typename Status>
void ValidateCollisionCount(ErrorList& errors, const Status& updated, const Status& old) {
  if (updated.has_collisioncount() >= old.has_collisioncount() && updated.collisioncount() >= old.collisioncount()) {
    return;
  }
  errors.push_back(
      field::Invalid(Path("status").Child("collisionCount"), updated.collisioncount(), "cannot be decremented"));
}

// --- Deployment

void ValidateStrategy(ErrorList& errors, const Path& path, const apps::DeploymentStrategy& strategy) {
  const Path rolling_path = path.Child("rollingUpdate");
  if (strategy.type() == "Recreate") {
    if (strategy.has_rollingupdate()) {
      errors.push_back(field::Forbidden(rolling_path, "may not be specified when strategy `type` is 'Recreate'"));
    }
    return;
  }
  if (strategy.type() != "RollingUpdate") {
    // Upstream prints the whole structure here, with pointers.
    errors.push_back(field::NotSupported(path, strategy.type(), {"Recreate", "RollingUpdate"}));
    return;
  }
  if (!strategy.has_rollingupdate()) {
    errors.push_back(field::Required(rolling_path, "this should be defaulted and never be nil"));
    return;
  }
  const auto& rolling = strategy.rollingupdate();
  const Path unavailable = rolling_path.Child("maxUnavailable");
  rules::PositiveIntOrPercent(errors, unavailable, rolling.maxunavailable());
  rules::PositiveIntOrPercent(errors, rolling_path.Child("maxSurge"), rolling.maxsurge());
  if (rules::IntOrPercentValue(rolling.maxunavailable()) == 0 && rules::IntOrPercentValue(rolling.maxsurge()) == 0) {
    errors.push_back(field::InvalidLiteral(unavailable, rules::GoValue(rolling.maxunavailable()),
                                           "may not be 0 when `maxSurge` is 0"));
  }
  rules::NotMoreThan100Percent(errors, unavailable, rolling.maxunavailable());
}

ErrorList ValidateDeploymentSpec(const apps::DeploymentSpec& spec) {
  ErrorList errors;
  const Path path("spec");
  const auto* selector = spec.has_selector() ? &spec.selector() : nullptr;
  rules::Nonnegative(errors, path.Child("replicas"), spec.replicas());
  ValidateSelector(errors, path.Child("selector"), selector, "deployment");
  ValidateTemplateForReplicaSet(errors, path, selector, spec.template_());
  ValidateStrategy(errors, path.Child("strategy"), spec.strategy());
  rules::Nonnegative(errors, path.Child("minReadySeconds"), spec.minreadyseconds());
  if (spec.has_revisionhistorylimit()) {
    rules::Nonnegative(errors, path.Child("revisionHistoryLimit"), spec.revisionhistorylimit());
  }
  if (spec.has_progressdeadlineseconds()) {
    const Path deadline = path.Child("progressDeadlineSeconds");
    rules::Nonnegative(errors, deadline, spec.progressdeadlineseconds());
    if (spec.progressdeadlineseconds() <= spec.minreadyseconds()) {
      errors.push_back(
          field::Invalid(deadline, spec.progressdeadlineseconds(), "must be greater than minReadySeconds"));
    }
  }
  return errors;
}

// --- DaemonSet

void ValidateUpdateStrategy(ErrorList& errors, const Path& path, const apps::DaemonSetUpdateStrategy& strategy) {
  if (strategy.type() == "OnDelete") return;
  if (strategy.type() != "RollingUpdate") {
    errors.push_back(field::NotSupported(path, strategy.type(), {"RollingUpdate", "OnDelete"}));
    return;
  }
  const Path rolling_path = path.Child("rollingUpdate");
  if (!strategy.has_rollingupdate()) {
    errors.push_back(field::Required(rolling_path, ""));
    return;
  }
  const auto& rolling = strategy.rollingupdate();
  const Path unavailable = rolling_path.Child("maxUnavailable");
  const Path surge = rolling_path.Child("maxSurge");
  rules::PositiveIntOrPercent(errors, unavailable, rolling.maxunavailable());
  rules::PositiveIntOrPercent(errors, surge, rolling.maxsurge());
  rules::NotMoreThan100Percent(errors, unavailable, rolling.maxunavailable());
  rules::NotMoreThan100Percent(errors, surge, rolling.maxsurge());
  const bool has_unavailable = rules::IntOrPercentValue(rolling.maxunavailable()) != 0;
  const bool has_surge = rules::IntOrPercentValue(rolling.maxsurge()) != 0;
  if (has_unavailable && has_surge) {
    errors.push_back(field::InvalidLiteral(surge, rules::GoValue(rolling.maxsurge()),
                                           "may not be set when maxUnavailable is non-zero"));
  } else if (!has_unavailable && !has_surge) {
    errors.push_back(field::Required(unavailable, "cannot be 0 when maxSurge is 0"));
  }
}

// --- StatefulSet

void ValidateUpdateStrategy(ErrorList& errors, const Path& path, const apps::StatefulSetUpdateStrategy& strategy) {
  const Path rolling_path = path.Child("rollingUpdate");
  if (strategy.type().empty()) {
    errors.push_back(field::Required(path, ""));
  } else if (strategy.type() == "OnDelete") {
    if (!strategy.has_rollingupdate()) return;
    errors.push_back(field::InvalidLiteral(
        rolling_path,
        fmt::format("apps.RollingUpdateStatefulSetStrategy{{Partition:{}, MaxUnavailable:(*intstr.IntOrString)(nil)}}",
                    strategy.rollingupdate().partition()),
        "only allowed for updateStrategy 'RollingUpdate'"));
  } else if (strategy.type() == "RollingUpdate") {
    if (!strategy.has_rollingupdate()) return;
    const auto& rolling = strategy.rollingupdate();
    rules::Nonnegative(errors, rolling_path.Child("partition"), rolling.partition());
    if (!rolling.has_maxunavailable()) return;
    const Path unavailable = rolling_path.Child("maxUnavailable");
    rules::PositiveIntOrPercent(errors, unavailable, rolling.maxunavailable());
    if (rules::IntOrPercentValue(rolling.maxunavailable()) == 0) {
      errors.push_back(field::InvalidLiteral(unavailable, rules::GoValue(rolling.maxunavailable()), "cannot be 0"));
    }
    rules::NotMoreThan100Percent(errors, unavailable, rolling.maxunavailable());
  } else {
    errors.push_back(field::InvalidLiteral(path,
                                           fmt::format("apps.StatefulSetUpdateStrategy{{Type:\"{}\", "
                                                       "RollingUpdate:(*apps.RollingUpdateStatefulSetStrategy)(nil)}}",
                                                       strategy.type()),
                                           "must be 'RollingUpdate' or 'OnDelete'"));
  }
}

void ValidateRetention(ErrorList& errors, const Path& path, std::string_view policy) {
  if (policy != "Retain" && policy != "Delete") {
    errors.push_back(field::NotSupported(path, policy, {"Retain", "Delete"}));
  }
}

ErrorList ValidateStatefulSetSpec(const apps::StatefulSetSpec& spec) {
  ErrorList errors;
  const Path path("spec");
  const std::string& management = spec.podmanagementpolicy();
  if (management.empty()) {
    errors.push_back(field::Required(path.Child("podManagementPolicy"), ""));
  } else if (management != "OrderedReady" && management != "Parallel") {
    errors.push_back(
        field::Invalid(path.Child("podManagementPolicy"), management, "must be 'OrderedReady' or 'Parallel'"));
  }
  ValidateUpdateStrategy(errors, path.Child("updateStrategy"), spec.updatestrategy());
  if (spec.has_persistentvolumeclaimretentionpolicy()) {
    const Path retention = path.Child("persistentVolumeClaimRetentionPolicy");
    ValidateRetention(errors, retention.Child("whenDeleted"),
                      spec.persistentvolumeclaimretentionpolicy().whendeleted());
    ValidateRetention(errors, retention.Child("whenScaled"), spec.persistentvolumeclaimretentionpolicy().whenscaled());
  }
  rules::Nonnegative(errors, path.Child("replicas"), spec.replicas());
  rules::Nonnegative(errors, path.Child("minReadySeconds"), spec.minreadyseconds());
  if (spec.has_ordinals()) rules::Nonnegative(errors, path.Child("ordinals.start"), spec.ordinals().start());
  const auto* selector = spec.has_selector() ? &spec.selector() : nullptr;
  ValidateSelector(errors, path.Child("selector"), selector, "statefulset");
  const Path pod_path = path.Child("template");
  if (!labels::LabelSelectorAsSelector(selector).ok()) {
    errors.push_back(field::InvalidLiteral(path.Child("selector"), rules::GoValue(*selector), ""));
  } else {
    rules::SelectorMatches(errors, pod_path, selector, spec.template_().metadata());
    field::Append(errors, ValidatePodTemplateMetadata(spec.template_(), pod_path));
  }
  ValidateAlwaysRunning(errors, pod_path.Child("spec"), spec.template_().spec(), "StatefulSet");
  return errors;
}

}  // namespace

field::ErrorList ValidateDeployment(const apps::Deployment& deployment) {
  return ValidateDeploymentSpec(deployment.spec());
}

namespace {

template <typename Spec>
void SelectorStays(field::ErrorList& errors, const Spec& updated, const Spec& old) {
  rules::Immutable(errors, Path("spec").Child("selector"), SemanticEqual(updated.selector(), old.selector()),
                   updated.has_selector() ? rules::GoValue(updated.selector()) : "\"null\"");
}

}  // namespace

field::ErrorList ValidateDeploymentUpdate(const apps::Deployment& updated, const apps::Deployment& old) {
  field::ErrorList errors = ValidateDeploymentSpec(updated.spec());
  // Upstream's strategy checks this one.
  SelectorStays(errors, updated.spec(), old.spec());
  return errors;
}

field::ErrorList ValidateDeploymentStatusUpdate(const apps::Deployment& updated, const apps::Deployment& old) {
  field::ErrorList errors;
  const apps::DeploymentStatus& status = updated.status();
  const Path path("status");
  rules::Nonnegative(errors, path.Child("observedGeneration"), status.observedgeneration());
  rules::Nonnegative(errors, path.Child("replicas"), status.replicas());
  rules::Nonnegative(errors, path.Child("updatedReplicas"), status.updatedreplicas());
  rules::Nonnegative(errors, path.Child("readyReplicas"), status.readyreplicas());
  rules::Nonnegative(errors, path.Child("availableReplicas"), status.availablereplicas());
  rules::Nonnegative(errors, path.Child("unavailableReplicas"), status.unavailablereplicas());
  if (status.has_collisioncount()) rules::Nonnegative(errors, path.Child("collisionCount"), status.collisioncount());
  const auto limit = [&](std::string_view name, int32_t value, int32_t most, std::string_view detail) {
    if (value > most) errors.push_back(field::Invalid(path.Child(name), value, detail));
  };
  limit("updatedReplicas", status.updatedreplicas(), status.replicas(), kTooManyReplicas);
  limit("readyReplicas", status.readyreplicas(), status.replicas(), kTooManyReplicas);
  limit("availableReplicas", status.availablereplicas(), status.replicas(), kTooManyReplicas);
  limit("availableReplicas", status.availablereplicas(), status.readyreplicas(),
        "cannot be greater than readyReplicas");
  ValidateCollisionCount(errors, status, old.status());
  return errors;
}

field::ErrorList ValidateReplicaSet(const apps::ReplicaSet& replica_set) {
  field::ErrorList errors;
  const Path path("spec");
  const apps::ReplicaSetSpec& spec = replica_set.spec();
  const auto* selector = spec.has_selector() ? &spec.selector() : nullptr;
  rules::Nonnegative(errors, path.Child("replicas"), spec.replicas());
  rules::Nonnegative(errors, path.Child("minReadySeconds"), spec.minreadyseconds());
  ValidateSelector(errors, path.Child("selector"), selector, "deployment");
  ValidateTemplateForReplicaSet(errors, path, selector, spec.template_());
  return errors;
}

field::ErrorList ValidateReplicaSetUpdate(const apps::ReplicaSet& updated, const apps::ReplicaSet& old) {
  field::ErrorList errors = ValidateReplicaSet(updated);
  SelectorStays(errors, updated.spec(), old.spec());
  return errors;
}

field::ErrorList ValidateReplicaSetStatus(const apps::ReplicaSet& replica_set) {
  field::ErrorList errors;
  const apps::ReplicaSetStatus& status = replica_set.status();
  const Path path("status");
  rules::Nonnegative(errors, path.Child("replicas"), status.replicas());
  rules::Nonnegative(errors, path.Child("fullyLabeledReplicas"), status.fullylabeledreplicas());
  rules::Nonnegative(errors, path.Child("readyReplicas"), status.readyreplicas());
  rules::Nonnegative(errors, path.Child("availableReplicas"), status.availablereplicas());
  rules::Nonnegative(errors, path.Child("observedGeneration"), status.observedgeneration());
  const auto limit = [&](std::string_view name, int32_t value, int32_t most, std::string_view detail) {
    if (value > most) errors.push_back(field::Invalid(path.Child(name), value, detail));
  };
  limit("fullyLabeledReplicas", status.fullylabeledreplicas(), status.replicas(), kTooManyReplicas);
  limit("readyReplicas", status.readyreplicas(), status.replicas(), kTooManyReplicas);
  limit("availableReplicas", status.availablereplicas(), status.replicas(), kTooManyReplicas);
  limit("availableReplicas", status.availablereplicas(), status.readyreplicas(),
        "cannot be greater than readyReplicas");
  return errors;
}

field::ErrorList ValidateDaemonSet(const apps::DaemonSet& daemon_set) {
  field::ErrorList errors;
  const Path path("spec");
  const apps::DaemonSetSpec& spec = daemon_set.spec();
  const Path pod_path = path.Child("template");
  if (spec.has_selector()) {
    field::Append(errors, ValidateLabelSelector(spec.selector(), path.Child("selector")));
  }
  const auto selector = labels::LabelSelectorAsSelector(spec.has_selector() ? &spec.selector() : nullptr);
  if (selector.ok() && !selector->Matches(spec.template_().metadata().labels())) {
    errors.push_back(field::InvalidLiteral(pod_path.Child("metadata").Child("labels"),
                                           rules::GoValue(spec.template_().metadata().labels()),
                                           "`selector` does not match template `labels`"));
  }
  if (spec.has_selector() && spec.selector().matchlabels().empty() && spec.selector().matchexpressions().empty()) {
    errors.push_back(field::InvalidLiteral(path.Child("selector"), rules::GoValue(spec.selector()),
                                           "empty selector is invalid for daemonset"));
  }
  field::Append(errors, ValidatePodTemplateSpec(spec.template_(), pod_path));
  ValidateAlwaysRunning(errors, pod_path.Child("spec"), spec.template_().spec(), "DaemonSet");
  rules::Nonnegative(errors, path.Child("minReadySeconds"), spec.minreadyseconds());
  ValidateUpdateStrategy(errors, path.Child("updateStrategy"), spec.updatestrategy());
  if (spec.has_revisionhistorylimit()) {
    rules::Nonnegative(errors, path.Child("revisionHistoryLimit"), spec.revisionhistorylimit());
  }
  return errors;
}

field::ErrorList ValidateDaemonSetUpdate(const apps::DaemonSet& updated, const apps::DaemonSet& old) {
  field::ErrorList errors = ValidateDaemonSet(updated);
  SelectorStays(errors, updated.spec(), old.spec());
  return errors;
}

field::ErrorList ValidateDaemonSetStatusUpdate(const apps::DaemonSet& updated, const apps::DaemonSet& old) {
  field::ErrorList errors;
  const apps::DaemonSetStatus& status = updated.status();
  const Path path("status");
  rules::Nonnegative(errors, path.Child("currentNumberScheduled"), status.currentnumberscheduled());
  rules::Nonnegative(errors, path.Child("numberMisscheduled"), status.numbermisscheduled());
  rules::Nonnegative(errors, path.Child("desiredNumberScheduled"), status.desirednumberscheduled());
  rules::Nonnegative(errors, path.Child("numberReady"), status.numberready());
  rules::Nonnegative(errors, path.Child("observedGeneration"), status.observedgeneration());
  rules::Nonnegative(errors, path.Child("updatedNumberScheduled"), status.updatednumberscheduled());
  rules::Nonnegative(errors, path.Child("numberAvailable"), status.numberavailable());
  rules::Nonnegative(errors, path.Child("numberUnavailable"), status.numberunavailable());
  if (status.has_collisioncount()) rules::Nonnegative(errors, path.Child("collisionCount"), status.collisioncount());
  ValidateCollisionCount(errors, status, old.status());
  return errors;
}

field::ErrorList ValidateStatefulSet(const apps::StatefulSet& stateful_set) {
  return ValidateStatefulSetSpec(stateful_set.spec());
}

field::ErrorList ValidateStatefulSetUpdate(const apps::StatefulSet& updated, const apps::StatefulSet& old) {
  field::ErrorList errors = ValidateStatefulSetSpec(updated.spec());
  apps::StatefulSetSpec spec = updated.spec();
  spec.set_replicas(old.spec().replicas());
  *spec.mutable_template_() = old.spec().template_();
  *spec.mutable_updatestrategy() = old.spec().updatestrategy();
  spec.set_minreadyseconds(old.spec().minreadyseconds());
  spec.clear_ordinals();
  if (old.spec().has_ordinals()) *spec.mutable_ordinals() = old.spec().ordinals();
  spec.clear_persistentvolumeclaimretentionpolicy();
  if (old.spec().has_persistentvolumeclaimretentionpolicy()) {
    *spec.mutable_persistentvolumeclaimretentionpolicy() = old.spec().persistentvolumeclaimretentionpolicy();
  }
  if (!SemanticEqual(spec, old.spec())) {
    errors.push_back(field::Forbidden(
        Path("spec"),
        "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
        "'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"));
  }
  return errors;
}

field::ErrorList ValidateStatefulSetStatusUpdate(const apps::StatefulSet& updated, const apps::StatefulSet& old) {
  field::ErrorList errors;
  const apps::StatefulSetStatus& status = updated.status();
  const Path path("status");
  rules::Nonnegative(errors, path.Child("replicas"), status.replicas());
  rules::Nonnegative(errors, path.Child("readyReplicas"), status.readyreplicas());
  rules::Nonnegative(errors, path.Child("currentReplicas"), status.currentreplicas());
  rules::Nonnegative(errors, path.Child("updatedReplicas"), status.updatedreplicas());
  rules::Nonnegative(errors, path.Child("availableReplicas"), status.availablereplicas());
  rules::Nonnegative(errors, path.Child("observedGeneration"), status.observedgeneration());
  if (status.has_collisioncount()) rules::Nonnegative(errors, path.Child("collisionCount"), status.collisioncount());
  const auto limit = [&](std::string_view name, int32_t value, int32_t most, std::string_view detail) {
    if (value > most) errors.push_back(field::Invalid(path.Child(name), value, detail));
  };
  limit("readyReplicas", status.readyreplicas(), status.replicas(), kTooManyReplicas);
  limit("currentReplicas", status.currentreplicas(), status.replicas(), kTooManyReplicas);
  limit("updatedReplicas", status.updatedreplicas(), status.replicas(), kTooManyReplicas);
  limit("availableReplicas", status.availablereplicas(), status.replicas(), kTooManyReplicas);
  limit("availableReplicas", status.availablereplicas(), status.readyreplicas(),
        "cannot be greater than status.readyReplicas");
  ValidateCollisionCount(errors, status, old.status());
  return errors;
}

field::ErrorList ValidateControllerRevision(const apps::ControllerRevision& revision) {
  field::ErrorList errors;
  if (!revision.has_data()) errors.push_back(field::Required(Path("data"), "data is mandatory"));
  rules::Nonnegative(errors, Path("revision"), revision.revision());
  return errors;
}

field::ErrorList ValidateControllerRevisionUpdate(const apps::ControllerRevision& updated,
                                                  const apps::ControllerRevision& old) {
  field::ErrorList errors = ValidateControllerRevision(updated);
  rules::Immutable(errors, Path("data"), updated.data().raw() == old.data().raw(), "runtime.RawExtension{...}");
  return errors;
}

}  // namespace knarr::api
