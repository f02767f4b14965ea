// Mirrors: pkg/registry/core/pod/strategy.go
//
// Subresources of their own files: binding (binding.cc), eviction (eviction.cc). log, exec, attach, portforward and
// proxy are appended by the proxy. resize does not exist: its feature is off by default in 1.32.
#include "pkg/apiserver/registry/core/pod.h"

#include <fmt/format.h>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/core/defaults.h"
#include "pkg/api/core/validation.h"
#include "pkg/api/meta/validation.h"
#include "pkg/api/names/names.h"
#include "pkg/apiserver/registry/core/internal.h"

namespace knarr::registry::core_group {
namespace {

constexpr std::string_view kAppArmorPrefix = "container.apparmor.security.beta.kubernetes.io/";

api::PodValidationOptions Options() {
  api::PodValidationOptions options;
  options.validate_metadata = false;
  return options;
}

// podIP and podIPs are one thing in two fields; the old one wins where they differ.
void SynchronizeIPs(core::Pod& pod) {
  if (!pod.has_status()) return;
  core::PodStatus& status = *pod.mutable_status();
  if (!status.podip().empty() && (status.podips_size() == 0 || status.podips(0).ip() != status.podip())) {
    status.clear_podips();
    status.add_podips()->set_ip(status.podip());
  } else if (status.podip().empty() && status.podips_size() > 0) {
    status.set_podip(status.podips(0).ip());
  }
}

void ApplySchedulingGatedCondition(core::Pod& pod) {
  if (pod.spec().schedulinggates_size() == 0) return;
  core::PodCondition& condition = *pod.mutable_status()->add_conditions();
  condition.set_type("PodScheduled");
  condition.set_status("False");
  condition.set_reason("SchedulingGated");
  condition.set_message("Scheduling is blocked due to non-empty scheduling gates");
}

// matchLabelKeys (and mismatchLabelKeys) become requirements of the selector, with this pod's values.
void AddLabelKeys(core::PodAffinityTerm& term, const core::Pod& pod) {
  if (!term.has_labelselector()) return;
  const auto add = [&](const auto& keys, const char* op) {
    for (const std::string& key : keys) {
      const auto found = pod.metadata().labels().find(key);
      if (found == pod.metadata().labels().end()) continue;
      meta::LabelSelectorRequirement& requirement = *term.mutable_labelselector()->add_matchexpressions();
      requirement.set_key(key);
      requirement.set_operator_(op);
      requirement.add_values(found->second);
    }
  };
  add(term.matchlabelkeys(), "In");
  add(term.mismatchlabelkeys(), "NotIn");
}

template <typename PodAffinity>
void AddLabelKeysToTerms(PodAffinity& affinity, const core::Pod& pod) {
  for (auto& weighted : *affinity.mutable_preferredduringschedulingignoredduringexecution()) {
    AddLabelKeys(*weighted.mutable_podaffinityterm(), pod);
  }
  for (auto& term : *affinity.mutable_requiredduringschedulingignoredduringexecution()) AddLabelKeys(term, pod);
}

void MutatePodAffinity(core::Pod& pod) {
  if (!pod.spec().has_affinity()) return;
  core::Affinity& affinity = *pod.mutable_spec()->mutable_affinity();
  if (affinity.has_podaffinity()) AddLabelKeysToTerms(*affinity.mutable_podaffinity(), pod);
  if (affinity.has_podantiaffinity()) AddLabelKeysToTerms(*affinity.mutable_podantiaffinity(), pod);
}

std::string AnnotationOf(const core::AppArmorProfile& profile) {
  if (profile.type() == "Unconfined") return "unconfined";
  if (profile.type() == "RuntimeDefault") return "runtime/default";
  if (profile.type() == "Localhost" && profile.has_localhostprofile()) return "localhost/" + profile.localhostprofile();
  return "";
}

std::optional<core::AppArmorProfile> ProfileOf(std::string_view annotation) {
  static constexpr std::string_view kLocalhost = "localhost/";
  core::AppArmorProfile profile;
  if (annotation == "unconfined") {
    profile.set_type("Unconfined");
  } else if (annotation == "runtime/default") {
    profile.set_type("RuntimeDefault");
  } else if (annotation.starts_with(kLocalhost) && annotation.size() > kLocalhost.size()) {
    profile.set_type("Localhost");
    profile.set_localhostprofile(std::string(annotation.substr(kLocalhost.size())));
  } else {
    return std::nullopt;
  }
  return profile;
}

bool SameProfile(const core::AppArmorProfile& a, const core::AppArmorProfile& b) {
  return a.type() == b.type() && a.localhostprofile() == b.localhostprofile();
}

// Kubelets older than the field read the annotation, clients older than it write it.
template <typename Container>
void SynchronizeAppArmor(core::Pod& pod, Container& container, std::vector<std::string>* warnings) {
  const std::string key = std::string(kAppArmorPrefix) + container.name();
  const core::AppArmorProfile* of_pod =
      pod.spec().securitycontext().has_apparmorprofile() ? &pod.spec().securitycontext().apparmorprofile() : nullptr;
  const auto annotation = pod.metadata().annotations().find(key);
  const bool has_field = container.securitycontext().has_apparmorprofile();
  if (annotation == pod.metadata().annotations().end()) {
    std::string text;
    if (has_field) {
      text = AnnotationOf(container.securitycontext().apparmorprofile());
    } else if (of_pod != nullptr) {
      text = AnnotationOf(*of_pod);
    }
    if (!text.empty()) (*pod.mutable_metadata()->mutable_annotations())[key] = text;
    return;
  }
  if (has_field) return;
  const std::optional<core::AppArmorProfile> profile = ProfileOf(annotation->second);
  if (profile && of_pod != nullptr && SameProfile(*profile, *of_pod)) return;
  if (profile) *container.mutable_securitycontext()->mutable_apparmorprofile() = *profile;
  if (warnings != nullptr) {
    warnings->push_back(fmt::format(
        "metadata.annotations[{}]: deprecated since v1.30; use the \"appArmorProfile\" field instead", key));
  }
}

void ApplyAppArmorVersionSkew(core::Pod& pod, std::vector<std::string>* warnings) {
  if (pod.spec().os().name() == "windows") return;
  for (auto& container : *pod.mutable_spec()->mutable_initcontainers()) SynchronizeAppArmor(pod, container, warnings);
  for (auto& container : *pod.mutable_spec()->mutable_containers()) SynchronizeAppArmor(pod, container, warnings);
  for (auto& container : *pod.mutable_spec()->mutable_ephemeralcontainers()) {
    SynchronizeAppArmor(pod, *container.mutable_ephemeralcontainercommon(), warnings);
  }
}

class PodStrategy : public TypedStrategy<core::Pod> {
 public:
  std::vector<std::string> ResetFields() const override { return {"status"}; }
  bool ReturnDeletedObject() const override { return true; }
  void Default(core::Pod& pod) const override {
    api::SetDefaults(pod);
    SynchronizeIPs(pod);
  }
  void PrepareCreate(const RequestContext& rc, core::Pod& pod) const override {
    pod.mutable_status()->Clear();
    pod.mutable_status()->set_phase("Pending");
    pod.mutable_status()->set_qosclass(std::string(api::ToString(api::ComputeQosClass(pod))));
    DropDisabledPodFields(pod, nullptr);
    ApplySchedulingGatedCondition(pod);
    MutatePodAffinity(pod);
    ApplyAppArmorVersionSkew(pod, rc.warnings);
  }
  void PrepareUpdate(const RequestContext&, core::Pod& updated, const core::Pod& old) const override {
    *updated.mutable_status() = old.status();
    DropDisabledPodFields(updated, &old);
  }
  field::ErrorList Check(const RequestContext&, const core::Pod& pod) const override {
    return api::ValidatePod(pod, Options());
  }
  field::ErrorList CheckUpdate(const RequestContext&, const core::Pod& updated, const core::Pod& old) const override {
    return api::ValidatePodUpdate(updated, old, Options());
  }
  // Of new pods only: updates are frequent and seldom by hand.
  std::vector<std::string> Warnings(const RequestContext&, const Object& object, const Object* old) const override {
    if (old != nullptr) return {};
    const auto& pod = object.As<core::Pod>();
    std::vector<std::string> warnings;
    if (const names::Messages messages = names::IsDNS1123Label(pod.metadata().name()); !messages.empty()) {
      std::string list;
      for (const std::string& message : messages) list += (list.empty() ? "" : " ") + message;
      warnings.push_back(
          fmt::format("metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a "
                      "DNS label is recommended: [{}]",
                      list));
    }
    for (std::string& warning : GetWarningsForPod(pod)) warnings.push_back(std::move(warning));
    return warnings;
  }
  std::optional<int64_t> GracePeriod(const Object& object, std::optional<int64_t> requested) const override {
    const auto& pod = object.As<core::Pod>();
    int64_t period = requested.value_or(pod.spec().terminationgraceperiodseconds());
    const std::string& phase = pod.status().phase();
    if (pod.spec().nodename().empty() || phase == "Failed" || phase == "Succeeded") period = 0;
    return period < 0 ? 1 : period;
  }
  std::vector<std::pair<std::string, std::string>> SelectableFields(const Object& object) const override {
    const auto& pod = object.As<core::Pod>();
    const core::PodSpec& spec = pod.spec();
    return {{"spec.nodeName", spec.nodename()},
            {"spec.restartPolicy", spec.restartpolicy()},
            {"spec.schedulerName", spec.schedulername()},
            {"spec.serviceAccountName", spec.serviceaccountname()},
            {"spec.hostNetwork", spec.hostnetwork() ? "true" : "false"},
            {"status.phase", pod.status().phase()},
            {"status.podIP", pod.status().podips_size() > 0 ? pod.status().podips(0).ip() : ""},
            {"status.nominatedNodeName", pod.status().nominatednodename()}};
  }
  std::vector<std::string_view> SelectableFieldNames() const override {
    return {"spec.nodeName",    "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName",
            "spec.hostNetwork", "status.phase",       "status.podIP",       "status.nominatedNodeName"};
  }
  std::vector<Column> Columns() const override { return PodColumns(); }
  std::vector<Cell> Row(const core::Pod& pod, WallTime now) const override { return PodRow(pod, now); }
};

class PodStatusStrategy : public PodStrategy {
 public:
  std::vector<std::string> ResetFields() const override {
    return {"spec", "metadata.deletionTimestamp", "metadata.ownerReferences"};
  }
  void PrepareUpdate(const RequestContext&, core::Pod& updated, const core::Pod& old) const override {
    *updated.mutable_spec() = old.spec();
    meta::ObjectMeta& metadata = *updated.mutable_metadata();
    metadata.clear_deletiontimestamp();
    if (old.metadata().has_deletiontimestamp()) {
      *metadata.mutable_deletiontimestamp() = old.metadata().deletiontimestamp();
    }
    // Old kubelets spoil them.
    *metadata.mutable_ownerreferences() = old.metadata().ownerreferences();
    // Some kubelets forget it when they reject a pod.
    if (updated.status().qosclass().empty()) updated.mutable_status()->set_qosclass(old.status().qosclass());
    DropDisabledPodFields(updated, &old);
  }
  field::ErrorList CheckUpdate(const RequestContext&, const core::Pod& updated, const core::Pod& old) const override {
    return api::ValidatePodStatusUpdate(updated, old, Options());
  }
};

class PodEphemeralContainersStrategy : public PodStrategy {
 public:
  void PrepareUpdate(const RequestContext&, core::Pod& updated, const core::Pod& old) const override {
    google::protobuf::RepeatedPtrField<core::EphemeralContainer> containers;
    containers.Swap(updated.mutable_spec()->mutable_ephemeralcontainers());
    *updated.mutable_spec() = old.spec();
    *updated.mutable_status() = old.status();
    api::ResetObjectMetaForStatus(*updated.mutable_metadata(), old.metadata());
    updated.mutable_spec()->mutable_ephemeralcontainers()->Swap(&containers);
    DropDisabledPodFields(updated, &old);
  }
  field::ErrorList CheckUpdate(const RequestContext&, const core::Pod& updated, const core::Pod& old) const override {
    return api::ValidatePodEphemeralContainersUpdate(updated, old, Options());
  }
};

}  // namespace

Kind PodKind() {
  Kind kind = BuiltinKind("", "pods", {"v1"}, std::make_shared<PodStrategy>());
  kind.name_validator = names::NameIsDNSSubdomain;
  kind.subresources.push_back(BindingSubresource());
  Subresource ephemeral;
  ephemeral.name = "ephemeralcontainers";
  ephemeral.verbs = {"get", "patch", "update"};
  ephemeral.strategy = std::make_shared<PodEphemeralContainersStrategy>();
  kind.subresources.push_back(std::move(ephemeral));
  kind.subresources.push_back(EvictionSubresource());
  kind.subresources.push_back(StatusSubresource(std::make_shared<PodStatusStrategy>()));
  return kind;
}

}  // namespace knarr::registry::core_group
