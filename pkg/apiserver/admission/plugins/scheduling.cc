// Plugins that change how pods are placed: DefaultTolerationSeconds, ExtendedResourceToleration,
// TaintNodesByCondition, LimitPodHardAntiAffinityTopology, PodNodeSelector; and AlwaysPullImages.
// Mirrors: plugin/pkg/admission/{defaulttolerationseconds,extendedresourcetoleration,nodetaint,antiaffinity,
// podnodeselector,alwayspullimages}
#include <set>

#include <fmt/format.h>

#include "pkg/api/field/field.h"
#include "pkg/api/labels/selector.h"
#include "pkg/apiserver/admission/config.h"
#include "pkg/apiserver/admission/plugins/plugins.h"
#include "pkg/apiserver/admission/plugins/pods.h"

namespace knarr::admission {
namespace {

constexpr char kNotReady[] = "node.kubernetes.io/not-ready";
constexpr char kUnreachable[] = "node.kubernetes.io/unreachable";

class DefaultTolerationSeconds : public PluginBase {
 public:
  explicit DefaultTolerationSeconds(const PluginDeps& deps)
      : PluginBase("DefaultTolerationSeconds", {Operation::kCreate, Operation::kUpdate}, deps) {}

  Status Admit(const Context&, Attributes& attributes) override {
    if (!IsPod(attributes)) return {};
    core::PodSpec& spec = *PodOf(attributes).mutable_spec();
    Add(spec, kNotReady, deps_.not_ready_toleration_seconds);
    Add(spec, kUnreachable, deps_.unreachable_toleration_seconds);
    return {};
  }

 private:
  static void Add(core::PodSpec& spec, const char* key, int64_t seconds) {
    for (const auto& toleration : spec.tolerations()) {
      if ((toleration.key() == key || toleration.key().empty()) &&
          (toleration.effect() == "NoExecute" || toleration.effect().empty()))
        return;
    }
    auto* added = spec.add_tolerations();
    added->set_key(key);
    added->set_operator_("Exists");
    added->set_effect("NoExecute");
    added->set_tolerationseconds(seconds);
  }
};

class ExtendedResourceToleration : public PluginBase {
 public:
  explicit ExtendedResourceToleration(const PluginDeps& deps)
      : PluginBase("ExtendedResourceToleration", {Operation::kCreate, Operation::kUpdate}, deps) {}

  Status Admit(const Context&, Attributes& attributes) override {
    if (!IsPod(attributes)) return {};
    core::PodSpec& spec = *PodOf(attributes).mutable_spec();
    std::set<std::string> resources;
    const auto collect = [&](const core::Container& container) {
      for (const auto& [name, value] : container.resources().requests()) {
        if (IsExtendedResourceName(name)) resources.insert(name);
      }
    };
    for (const auto& container : spec.containers()) collect(container);
    for (const auto& container : spec.initcontainers()) collect(container);
    for (const std::string& name : resources) {
      const auto same = [&](const core::Toleration& one) {
        return one.key() == name && one.operator_() == "Exists" && one.effect() == "NoSchedule" && one.value().empty();
      };
      if (std::any_of(spec.tolerations().begin(), spec.tolerations().end(), same)) continue;
      auto* added = spec.add_tolerations();
      added->set_key(name);
      added->set_operator_("Exists");
      added->set_effect("NoSchedule");
    }
    return {};
  }
};

// A node is not ready before its controller has looked at it.
class TaintNodesByCondition : public PluginBase {
 public:
  explicit TaintNodesByCondition(const PluginDeps& deps)
      : PluginBase("TaintNodesByCondition", {Operation::kCreate}, deps) {}

  Status Admit(const Context&, Attributes& attributes) override {
    if (!attributes.Is("", "nodes") || !attributes.subresource.empty() || attributes.object == nullptr) return {};
    core::NodeSpec& spec = *attributes.object->As<core::Node>().mutable_spec();
    for (const auto& taint : spec.taints()) {
      if (taint.key() == kNotReady && taint.effect() == "NoSchedule") return {};
    }
    auto* added = spec.add_taints();
    added->set_key(kNotReady);
    added->set_effect("NoSchedule");
    return {};
  }
};

class LimitPodHardAntiAffinityTopology : public PluginBase {
 public:
  explicit LimitPodHardAntiAffinityTopology(const PluginDeps& deps)
      : PluginBase("LimitPodHardAntiAffinityTopology", {Operation::kCreate, Operation::kUpdate}, deps) {}

  Status Validate(const Context&, const Attributes& attributes) override {
    if (!IsPod(attributes)) return {};
    constexpr std::string_view kHostname = "kubernetes.io/hostname";
    for (const auto& term :
         PodOf(attributes).spec().affinity().podantiaffinity().requiredduringschedulingignoredduringexecution()) {
      if (term.topologykey() != kHostname)
        return Forbidden(
            attributes, fmt::format("affinity.PodAntiAffinity.RequiredDuringScheduling has TopologyKey {} but only key "
                                    "{} is allowed",
                                    term.topologykey(), kHostname));
    }
    return {};
  }
};

class AlwaysPullImages : public PluginBase {
 public:
  explicit AlwaysPullImages(const PluginDeps& deps)
      : PluginBase("AlwaysPullImages", {Operation::kCreate, Operation::kUpdate}, deps) {}

  Status Admit(const Context&, Attributes& attributes) override {
    if (!IsPod(attributes) || NoNewImages(attributes)) return {};
    VisitContainers(*PodOf(attributes).mutable_spec(),
                    [](auto& container) { container.set_imagepullpolicy("Always"); });
    return {};
  }
  Status Validate(const Context&, const Attributes& attributes) override {
    if (!IsPod(attributes)) return {};
    Status status;
    const auto check = [&](std::string_view list, int index, const std::string& policy) {
      if (policy == "Always" || !status.ok()) return;
      const auto error = field::NotSupported(
          field::Path("spec").Child(list).Index(static_cast<size_t>(index)).Child("imagePullPolicy"), policy,
          {"Always"});
      status = Forbidden(attributes, error.ToString());
    };
    const auto& spec = PodOf(attributes).spec();
    for (int i = 0; i < spec.initcontainers_size(); ++i)
      check("initContainers", i, spec.initcontainers(i).imagepullpolicy());
    for (int i = 0; i < spec.containers_size(); ++i) check("containers", i, spec.containers(i).imagepullpolicy());
    for (int i = 0; i < spec.ephemeralcontainers_size(); ++i)
      check("ephemeralContainers", i, spec.ephemeralcontainers(i).ephemeralcontainercommon().imagepullpolicy());
    return status;
  }

 private:
  static bool NoNewImages(const Attributes& attributes) {
    if (attributes.operation != Operation::kUpdate) return false;
    std::set<std::string> old;
    VisitContainers(attributes.old_object->As<core::Pod>().spec(),
                    [&](const auto& container) { old.insert(container.image()); });
    bool none_new = true;
    VisitContainers(std::as_const(PodOf(attributes).spec()),
                    [&](const auto& container) { none_new = none_new && old.contains(container.image()); });
    return none_new;
  }
};

// Selectors of namespaces: the annotation scheduler.alpha.kubernetes.io/node-selector, else the configuration's
// clusterDefaultNodeSelector; the configuration's entry of the namespace is what its pods may ask for at most.
class PodNodeSelector : public PluginBase {
 public:
  using Labels = std::map<std::string, std::string>;
  PodNodeSelector(const PluginDeps& deps, Labels config)
      : PluginBase("PodNodeSelector", {Operation::kCreate}, deps), config_(std::move(config)) {}

  Status Admit(const Context& ctx, Attributes& attributes) override {
    if (!IsPod(attributes)) return {};
    const Labels wanted = KNARR_TRY(OfNamespace(ctx, attributes));
    core::PodSpec& spec = *PodOf(attributes).mutable_spec();
    if (Conflicts(wanted, spec.nodeselector()))
      return Forbidden(attributes, "pod node label selector conflicts with its namespace node label selector");
    for (const auto& [key, value] : wanted) (*spec.mutable_nodeselector())[key] = value;
    return Validate(ctx, attributes);
  }

  Status Validate(const Context& ctx, const Attributes& attributes) override {
    if (!IsPod(attributes)) return {};
    const Labels wanted = KNARR_TRY(OfNamespace(ctx, attributes));
    const auto& own = PodOf(attributes).spec().nodeselector();
    if (Conflicts(wanted, own))
      return Forbidden(attributes, "pod node label selector conflicts with its namespace node label selector");
    const auto allowed_text = config_.find(attributes.namespace_);
    if (allowed_text == config_.end() || allowed_text->second.empty()) return {};
    const Labels allowed = KNARR_TRY(ParseLabels(allowed_text->second));
    for (const auto& [key, value] : own) {
      const auto found = allowed.find(key);
      if (found == allowed.end() || found->second != value)
        return Forbidden(attributes, "pod node label selector labels conflict with its namespace whitelist");
    }
    return {};
  }

 private:
  static Result<Labels> ParseLabels(const std::string& text) {
    Labels labels;
    const auto selector = KNARR_TRY(labels::Parse(text));
    for (const auto& requirement : selector.requirements()) {
      const auto value = selector.RequiresExactMatch(requirement.key());
      if (!value) return Error(Code::kInvalid, "invalid selector: {}", text);
      labels[requirement.key()] = *value;
    }
    return labels;
  }
  template <typename Map>
  static bool Conflicts(const Labels& a, const Map& b) {
    for (const auto& [key, value] : a) {
      const auto found = b.find(key);
      if (found != b.end() && found->second != value) return true;
    }
    return false;
  }
  Result<Labels> OfNamespace(const Context& ctx, const Attributes& attributes) {
    auto ns = deps_.access->Get(ctx, {"", "namespaces"}, "", attributes.namespace_);
    if (!ns.ok()) ns = deps_.access->GetConsistent(ctx, {"", "namespaces"}, "", attributes.namespace_);
    if (!ns.ok()) return ns.status();
    const auto& annotations = (*ns)->metadata().annotations();
    if (const auto found = annotations.find("scheduler.alpha.kubernetes.io/node-selector"); found != annotations.end())
      return ParseLabels(found->second);
    const auto fallback = config_.find("clusterDefaultNodeSelector");
    return fallback == config_.end() ? Labels() : ParseLabels(fallback->second);
  }
  const Labels config_;
};

}  // namespace

PluginResult NewDefaultTolerationSeconds(const PluginDeps& deps) {
  return std::unique_ptr<Plugin>(std::make_unique<DefaultTolerationSeconds>(deps));
}
PluginResult NewExtendedResourceToleration(const PluginDeps& deps) {
  return std::unique_ptr<Plugin>(std::make_unique<ExtendedResourceToleration>(deps));
}
PluginResult NewTaintNodesByCondition(const PluginDeps& deps) {
  return std::unique_ptr<Plugin>(std::make_unique<TaintNodesByCondition>(deps));
}
PluginResult NewLimitPodHardAntiAffinityTopology(const PluginDeps& deps) {
  return std::unique_ptr<Plugin>(std::make_unique<LimitPodHardAntiAffinityTopology>(deps));
}
PluginResult NewAlwaysPullImages(const PluginDeps& deps) {
  return std::unique_ptr<Plugin>(std::make_unique<AlwaysPullImages>(deps));
}
PluginResult NewPodNodeSelector(const PluginDeps& deps) {
  std::map<std::string, std::string> config;
  if (!deps.config.empty()) config = KNARR_TRY(ParseSelectors(deps.config, "podNodeSelectorPluginConfig"));
  return std::unique_ptr<Plugin>(std::make_unique<PodNodeSelector>(deps, std::move(config)));
}

}  // namespace knarr::admission
