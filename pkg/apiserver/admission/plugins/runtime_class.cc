// Mirrors: plugin/pkg/admission/runtimeclass/admission.go, pkg/util/tolerations/tolerations.go
#include <fmt/format.h>

#include "k8s.io/api/node/v1/generated.pb.h"
#include "pkg/api/codec/codec.h"
#include "pkg/apiserver/admission/plugins/plugins.h"
#include "pkg/apiserver/admission/plugins/pods.h"

namespace knarr::admission {
namespace {

bool Equal(const core::Toleration& a, const core::Toleration& b) {
  return codec::EncodeProtobuf(a) == codec::EncodeProtobuf(b);
}

// Whether `wide` tolerates all that `narrow` does.
bool IsSuperset(const core::Toleration& wide, const core::Toleration& narrow) {
  if (Equal(wide, narrow)) return true;
  const bool any_key = wide.key().empty() && wide.operator_() == "Exists";
  if (narrow.key() != wide.key() && !any_key) return false;
  if (narrow.effect() != wide.effect() && !wide.effect().empty()) return false;
  if (wide.effect() == "NoExecute" && wide.has_tolerationseconds() &&
      (!narrow.has_tolerationseconds() || narrow.tolerationseconds() > wide.tolerationseconds()))
    return false;
  if (wide.operator_() == "Exists") return true;
  if (wide.operator_() == "Equal" || wide.operator_().empty())
    return narrow.operator_() == "Equal" && narrow.value() == wide.value();
  return false;
}

using Tolerations = google::protobuf::RepeatedPtrField<core::Toleration>;

Tolerations Merge(const Tolerations& first, const Tolerations& second) {
  Tolerations all = first, merged;
  all.MergeFrom(second);
  for (int i = 0; i < all.size(); ++i) {
    const auto& one = all[i];
    bool redundant = false;
    for (const auto& kept : merged) redundant = redundant || IsSuperset(kept, one);
    for (int j = i + 1; j < all.size() && !redundant; ++j) redundant = !Equal(one, all[j]) && IsSuperset(all[j], one);
    if (!redundant) *merged.Add() = one;
  }
  return merged;
}

class RuntimeClassPlugin : public PluginBase {
 public:
  explicit RuntimeClassPlugin(const PluginDeps& deps) : PluginBase("RuntimeClass", {Operation::kCreate}, deps) {}

  Status Admit(const Context& ctx, Attributes& attributes) override {
    if (!IsPod(attributes)) return {};
    const auto ref = KNARR_TRY(Find(ctx, attributes));
    if (!ref) return {};
    const auto& runtime_class = ref->As<::k8s::io::api::node::v1::RuntimeClass>();
    core::PodSpec& spec = *PodOf(attributes).mutable_spec();
    if (runtime_class.has_overhead()) {
      if (!spec.overhead().empty() && ToResources(runtime_class.overhead().podfixed()) != ToResources(spec.overhead()))
        return Forbidden(attributes, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
      *spec.mutable_overhead() = runtime_class.overhead().podfixed();
    }
    if (!runtime_class.has_scheduling()) return {};
    const std::map<std::string, std::string> wanted(runtime_class.scheduling().nodeselector().begin(),
                                                    runtime_class.scheduling().nodeselector().end());
    for (const auto& [key, value] : wanted) {
      const auto own = spec.nodeselector().find(key);
      if (own != spec.nodeselector().end() && own->second != value)
        return Forbidden(attributes, fmt::format("conflict: runtimeClass.scheduling.nodeSelector[{}] = {}; "
                                                 "pod.spec.nodeSelector[{}] = {}",
                                                 key, value, key, own->second));
    }
    for (const auto& [key, value] : wanted) (*spec.mutable_nodeselector())[key] = value;
    *spec.mutable_tolerations() = Merge(runtime_class.scheduling().tolerations(), spec.tolerations());
    return {};
  }

  Status Validate(const Context& ctx, const Attributes& attributes) override {
    if (!IsPod(attributes)) return {};
    const auto ref = KNARR_TRY(Find(ctx, attributes));
    const auto& spec = PodOf(attributes).spec();
    if (ref && ref->As<::k8s::io::api::node::v1::RuntimeClass>().has_overhead()) {
      const auto& overhead = ref->As<::k8s::io::api::node::v1::RuntimeClass>().overhead();
      if (ToResources(overhead.podfixed()) != ToResources(spec.overhead()))
        return Forbidden(attributes, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
    } else if (!spec.overhead().empty()) {
      return Forbidden(attributes,
                       "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead");
    }
    return {};
  }

 private:
  // null: the pod names none.
  Result<registry::ObjectRef> Find(const Context& ctx, const Attributes& attributes) {
    const auto& spec = PodOf(attributes).spec();
    if (!spec.has_runtimeclassname()) return registry::ObjectRef();
    constexpr registry::GroupResource kWhat{"node.k8s.io", "runtimeclasses"};
    auto found = deps_.access->Get(ctx, kWhat, "", spec.runtimeclassname());
    if (!found.ok() && found.status().Is(Code::kNotFound))
      found = deps_.access->GetConsistent(ctx, kWhat, "", spec.runtimeclassname());
    if (!found.ok() && found.status().Is(Code::kNotFound))
      return Forbidden(attributes, fmt::format("pod rejected: {}", found.status().message()));
    return found;
  }
};

}  // namespace

PluginResult NewRuntimeClass(const PluginDeps& deps) {
  return std::unique_ptr<Plugin>(std::make_unique<RuntimeClassPlugin>(deps));
}

}  // namespace knarr::admission
