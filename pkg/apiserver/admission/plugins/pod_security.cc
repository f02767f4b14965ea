// Mirrors: plugin/pkg/admission/security/podsecurity, k8s.io/pod-security-admission/admission/admission.go
#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "k8s.io/api/apps/v1/generated.pb.h"
#include "k8s.io/api/batch/v1/generated.pb.h"
#include "pkg/api/errors/errors.h"
#include "pkg/api/names/names.h"
#include "pkg/apiserver/admission/config.h"
#include "pkg/apiserver/admission/plugins/plugins.h"
#include "pkg/apiserver/admission/plugins/pod_security_checks.h"
#include "pkg/apiserver/admission/plugins/pods.h"

namespace knarr::admission {
namespace {

using podsecurity::Level;
using podsecurity::LevelVersion;
using podsecurity::Policy;

// How many pods a new level of a namespace is tried on.
constexpr size_t kMaxPods = 3000;
constexpr auto kMaxTime = std::chrono::seconds(1);

struct Configuration {
  Policy defaults;
  std::vector<std::string> namespaces, usernames, runtime_classes;
};

bool Contains(const std::vector<std::string>& list, const std::string& name) {
  return !name.empty() && std::find(list.begin(), list.end(), name) != list.end();
}

// Mirrors: admission/api/validation/validation.go
Result<Configuration> ParseConfig(const PluginDeps& deps) {
  Configuration out;
  if (deps.config.empty()) return out;
  auto config = KNARR_TRY(
      ConfigObject::Parse(deps.config, "PodSecurityConfiguration",
                          {"pod-security.admission.config.k8s.io/v1", "pod-security.admission.config.k8s.io/v1beta1",
                           "pod-security.admission.config.k8s.io/v1alpha1"}));
  field::ErrorList errors;
  if (auto defaults = KNARR_TRY(config.Object("defaults"))) {
    const auto read = [&](const std::string& mode, LevelVersion* to) -> Status {
      const std::string level = KNARR_TRY(defaults->String(mode));
      const std::string version = KNARR_TRY(defaults->String(mode + "-version"));
      const auto parsed = podsecurity::ParseLevel(level.empty() ? "privileged" : level);
      const auto parsed_version = podsecurity::ParseVersion(version.empty() ? "latest" : version);
      const field::Path path("defaults");
      if (!parsed.ok()) errors.push_back(field::Invalid(path.Child(mode), level, parsed.status().message()));
      if (!parsed_version.ok())
        errors.push_back(field::Invalid(path.Child(mode + "-version"), version, parsed_version.status().message()));
      if (parsed.ok() && parsed_version.ok()) *to = {*parsed, *parsed_version};
      return {};
    };
    KNARR_TRY(read("enforce", &out.defaults.enforce));
    KNARR_TRY(read("warn", &out.defaults.warn));
    KNARR_TRY(read("audit", &out.defaults.audit));
    KNARR_TRY(defaults->Finish());
  }
  if (auto exemptions = KNARR_TRY(config.Object("exemptions"))) {
    const auto check = [&](const std::string& name, const std::vector<std::string>& list, auto&& wrong) {
      std::set<std::string> seen;
      for (size_t i = 0; i < list.size(); ++i) {
        const field::Path path = field::Path("exemptions").Child(name).Index(i);
        const std::string why = wrong(list[i]);
        if (!why.empty()) {
          errors.push_back(field::Invalid(path, list[i], why));
        } else if (!seen.insert(list[i]).second) {
          errors.push_back(field::Duplicate(path, list[i]));
        }
      }
    };
    const auto joined = [](const names::Messages& messages) {
      std::string text;
      for (const auto& message : messages) text += (text.empty() ? "" : ", ") + message;
      return text;
    };
    out.namespaces = KNARR_TRY(exemptions->Strings("namespaces"));
    check("namespaces", out.namespaces, [&](const auto& n) { return joined(names::NameIsDNSLabel(n, false)); });
    out.runtime_classes = KNARR_TRY(exemptions->Strings("runtimeClasses"));
    check("runtimeClasses", out.runtime_classes,
          [&](const auto& n) { return joined(names::NameIsDNSSubdomain(n, false)); });
    out.usernames = KNARR_TRY(exemptions->Strings("usernames"));
    check("usernames", out.usernames,
          [](const auto& n) { return std::string(n.empty() ? "username must not be empty" : ""); });
    KNARR_TRY(exemptions->Finish());
  }
  KNARR_TRY(config.Finish());
  KNARR_TRY(field::ToStatus(errors));
  return out;
}

// The template of what makes pods; null: not such a kind, or it has none.
const core::PodTemplateSpec* TemplateOf(const Attributes& attributes) {
  if (attributes.object == nullptr || attributes.object->custom()) return nullptr;
  const api::Object& object = *attributes.object;
  const auto& a = attributes;
  if (a.Is("", "podtemplates")) return &object.As<core::PodTemplate>().template_();
  if (a.Is("", "replicationcontrollers")) {
    const auto& spec = object.As<core::ReplicationController>().spec();
    return spec.has_template_() ? &spec.template_() : nullptr;
  }
  if (a.Is("apps", "replicasets")) return &object.As<apps::ReplicaSet>().spec().template_();
  if (a.Is("apps", "deployments")) return &object.As<apps::Deployment>().spec().template_();
  if (a.Is("apps", "daemonsets")) return &object.As<apps::DaemonSet>().spec().template_();
  if (a.Is("apps", "statefulsets")) return &object.As<apps::StatefulSet>().spec().template_();
  if (a.Is("batch", "jobs")) return &object.As<batch::Job>().spec().template_();
  if (a.Is("batch", "cronjobs")) return &object.As<batch::CronJob>().spec().jobtemplate().spec().template_();
  return nullptr;
}

// Metadata and tolerations may change; what runs decides. Mirrors: isSignificantPodUpdate
bool SameImages(const core::PodSpec& now, const core::PodSpec& old) {
  const auto same = [](const auto& a, const auto& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](const auto& x, const auto& y) { return x.image() == y.image(); });
  };
  if (!same(now.containers(), old.containers()) || !same(now.initcontainers(), old.initcontainers())) return false;
  for (const auto& container : now.ephemeralcontainers()) {
    const auto& common = container.ephemeralcontainercommon();
    const auto& olds = old.ephemeralcontainers();
    const auto found = std::find_if(olds.begin(), olds.end(), [&](const auto& one) {
      return one.ephemeralcontainercommon().name() == common.name();
    });
    if (found == olds.end() || found->ephemeralcontainercommon().image() != common.image()) return false;
  }
  return true;
}

class PodSecurity : public PluginBase {
 public:
  PodSecurity(const PluginDeps& deps, Configuration config)
      : PluginBase("PodSecurity", {Operation::kCreate, Operation::kUpdate}, deps), config_(std::move(config)) {}

  Status Validate(const Context& ctx, const Attributes& attributes) override {
    if (attributes.Is("", "namespaces")) return ValidateNamespace(ctx, attributes);
    if (attributes.Is("", "pods")) return ValidatePod(ctx, attributes);
    return ValidateTemplate(ctx, attributes);
  }

 private:
  static void Warn(const Attributes& attributes, std::string text) {
    if (attributes.warnings != nullptr) attributes.warnings->push_back(std::move(text));
  }

  Status ValidateNamespace(const Context& ctx, const Attributes& attributes) {
    if (!attributes.subresource.empty() || attributes.object == nullptr) return {};
    const auto& metadata = attributes.object->metadata();
    field::ErrorList errors, old_errors;
    const Policy policy = PolicyToEvaluate(metadata.labels(), config_.defaults, &errors);
    const bool creates = attributes.operation == Operation::kCreate;
    Policy old;
    if (!creates) old = PolicyToEvaluate(attributes.old_object->metadata().labels(), config_.defaults, &old_errors);
    if (!errors.empty() && errors != old_errors) return errors::Invalid("", attributes.kind, metadata.name(), errors);
    const bool exempt = Contains(config_.namespaces, metadata.name());
    if (creates) {
      if (exempt) WarnOfExemption(attributes, policy);
      return {};
    }
    if (policy.enforce == old.enforce || policy.enforce.level == Level::kPrivileged) return {};
    if (policy.enforce.version == old.enforce.version && policy.enforce.level <= old.enforce.level) return {};
    if (exempt) {
      WarnOfExemption(attributes, policy);
    } else {
      TryPods(ctx, attributes, metadata.name(), policy.enforce);
    }
    return {};
  }

  Status ValidatePod(const Context& ctx, const Attributes& attributes) {
    static const std::set<std::string_view> kIgnored = {"exec", "attach",      "binding", "eviction",
                                                        "log",  "portforward", "proxy",   "status"};
    if (kIgnored.contains(attributes.subresource) || attributes.object == nullptr || Exempt(attributes)) return {};
    const auto ns = Namespace(ctx, attributes.namespace_);
    if (!ns.ok()) return errors::InternalError(fmt::format("failed to lookup namespace \"{}\"", attributes.namespace_));
    field::ErrorList errors;
    const Policy policy = PolicyToEvaluate((*ns)->metadata().labels(), config_.defaults, &errors);
    if (errors.empty() && policy.FullyPrivileged()) return {};
    const auto& pod = PodOf(attributes);
    if (attributes.operation == Operation::kUpdate &&
        SameImages(pod.spec(), attributes.old_object->As<core::Pod>().spec()))
      return {};
    if (Contains(config_.runtime_classes, pod.spec().runtimeclassname())) return {};
    const auto found = Evaluate(policy.enforce, pod.metadata(), pod.spec());
    if (!found.Allowed())
      return Forbidden(attributes,
                       fmt::format("violates PodSecurity \"{}\": {}", policy.enforce.ToString(), found.Details()));
    WarnOfViolations(attributes, policy, pod.metadata(), pod.spec());
    return {};
  }

  // What would make pods that are refused is admitted, with a warning.
  Status ValidateTemplate(const Context& ctx, const Attributes& attributes) {
    if (!attributes.subresource.empty()) return {};
    const auto* pod = TemplateOf(attributes);
    if (pod == nullptr || Exempt(attributes)) return {};
    const auto ns = Namespace(ctx, attributes.namespace_);
    if (!ns.ok()) return {};
    field::ErrorList errors;
    const Policy policy = PolicyToEvaluate((*ns)->metadata().labels(), config_.defaults, &errors);
    if (Contains(config_.runtime_classes, pod->spec().runtimeclassname())) return {};
    WarnOfViolations(attributes, policy, pod->metadata(), pod->spec());
    return {};
  }

  static void WarnOfViolations(const Attributes& attributes, const Policy& policy, const meta::ObjectMeta& metadata,
                               const core::PodSpec& spec) {
    const auto found = Evaluate(policy.warn, metadata, spec);
    if (!found.Allowed())
      Warn(attributes, fmt::format("would violate PodSecurity \"{}\": {}", policy.warn.ToString(), found.Details()));
  }

  bool Exempt(const Attributes& attributes) const {
    return Contains(config_.namespaces, attributes.namespace_) ||
           (attributes.user != nullptr && Contains(config_.usernames, attributes.user->name));
  }

  Result<registry::ObjectRef> Namespace(const Context& ctx, const std::string& name) {
    auto found = deps_.access->Get(ctx, {"", "namespaces"}, "", name);
    if (!found.ok() && found.status().Is(Code::kNotFound))
      found = deps_.access->GetConsistent(ctx, {"", "namespaces"}, "", name);
    return found;
  }

  // Mirrors: EvaluatePodsInNamespace
  void TryPods(const Context& ctx, const Attributes& attributes, const std::string& name, const LevelVersion& enforce) {
    const auto listed = deps_.access->List(ctx, {"", "pods"}, name);
    if (!listed.ok()) {
      Warn(attributes, "failed to list pods while checking new PodSecurity enforce level");
      return;
    }
    // One of each controller first: the others are like it.
    std::vector<const core::Pod*> pods, replicas;
    std::set<std::string> controllers;
    for (const auto& ref : *listed) {
      const auto& pod = ref->As<core::Pod>();
      if (Contains(config_.runtime_classes, pod.spec().runtimeclassname())) continue;
      const auto& owners = pod.metadata().ownerreferences();
      const auto owner = std::find_if(owners.begin(), owners.end(), [](const auto& one) { return one.controller(); });
      const bool first = owner == owners.end() || controllers.insert(owner->uid()).second;
      (first ? pods : replicas).push_back(&pod);
    }
    pods.insert(pods.end(), replicas.begin(), replicas.end());

    struct Seen {
      std::string first;
      size_t count = 0;
    };
    std::map<std::string, Seen> by_reason;
    const MonoTime end = deps_.clock->Monotonic() + kMaxTime;
    size_t checked = 0;
    while (checked < std::min(pods.size(), kMaxPods) && deps_.clock->Monotonic() < end && !ctx.Done()) {
      const core::Pod& pod = *pods[checked++];
      const auto found = Evaluate(enforce, pod.metadata(), pod.spec());
      if (found.Allowed()) continue;
      Seen& seen = by_reason[found.Reasons()];
      if (seen.count++ == 0 || pod.metadata().name() < seen.first) seen.first = pod.metadata().name();
    }
    if (checked < pods.size())
      Warn(attributes,
           fmt::format("new PodSecurity enforce level only checked against the first {} of {} existing pods", checked,
                       pods.size()));
    if (by_reason.empty()) return;
    Warn(attributes, fmt::format("existing pods in namespace \"{}\" violate the new PodSecurity enforce level \"{}\"",
                                 name, enforce.ToString()));
    std::set<std::string> texts;
    for (const auto& [reason, seen] : by_reason) {
      const std::string others = seen.count == 1   ? ""
                                 : seen.count == 2 ? " (and 1 other pod)"
                                                   : fmt::format(" (and {} other pods)", seen.count - 1);
      texts.insert(fmt::format("{}{}: {}", seen.first, others, reason));
    }
    for (const std::string& text : texts) Warn(attributes, text);
  }

  void WarnOfExemption(const Attributes& attributes, const Policy& policy) const {
    if (policy.FullyPrivileged() || policy.Equivalent(config_.defaults)) return;
    const auto& labels = attributes.object->metadata().labels();
    std::string text;
    const auto add = [&](const std::string& mode, const LevelVersion& value) {
      const std::string label = "pod-security.kubernetes.io/" + mode;
      if (value.level == Level::kPrivileged || !(labels.contains(label) || labels.contains(label + "-version"))) return;
      text += fmt::format("{}{}={}", text.empty() ? "" : ", ", mode, value.ToString());
    };
    add("enforce", policy.enforce);
    add("audit", policy.audit);
    add("warn", policy.warn);
    Warn(attributes, fmt::format("namespace \"{}\" is exempt from Pod Security, and the policy ({}) will be ignored",
                                 attributes.object->metadata().name(), text));
  }

  const Configuration config_;
};

}  // namespace

PluginResult NewPodSecurity(const PluginDeps& deps) {
  return std::unique_ptr<Plugin>(std::make_unique<PodSecurity>(deps, KNARR_TRY(ParseConfig(deps))));
}

}  // namespace knarr::admission
