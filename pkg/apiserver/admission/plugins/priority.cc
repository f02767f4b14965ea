// Mirrors: plugin/pkg/admission/priority/admission.go
#include <fmt/format.h>

#include "k8s.io/api/scheduling/v1/generated.pb.h"
#include "pkg/apiserver/admission/plugins/plugins.h"
#include "pkg/apiserver/admission/plugins/pods.h"

namespace knarr::admission {
namespace {

using ::k8s::io::api::scheduling::v1::PriorityClass;
constexpr registry::GroupResource kPriorityClasses{"scheduling.k8s.io", "priorityclasses"};

class Priority : public PluginBase {
 public:
  explicit Priority(const PluginDeps& deps) : PluginBase("Priority", {Operation::kCreate, Operation::kUpdate}, deps) {}

  Status Admit(const Context& ctx, Attributes& attributes) override {
    if (!IsPod(attributes)) return {};
    core::PodSpec& spec = *PodOf(attributes).mutable_spec();
    if (attributes.operation == Operation::kUpdate) {
      // What was set at creation stays; clients that do not know the fields may drop them.
      const auto& old = attributes.old_object->As<core::Pod>().spec();
      if (!spec.has_priority() && old.has_priority()) spec.set_priority(old.priority());
      if (!spec.has_preemptionpolicy() && old.has_preemptionpolicy()) spec.set_preemptionpolicy(old.preemptionpolicy());
      return {};
    }
    int32_t priority = 0;
    std::string policy = "PreemptLowerPriority";
    bool has_policy = true;
    registry::ObjectRef found;
    if (spec.priorityclassname().empty()) {
      found = KNARR_TRY_CTX(Default(ctx), "failed to get default priority class");
      spec.set_priorityclassname(found ? found->metadata().name() : "");
    } else {
      auto named = deps_.access->Get(ctx, kPriorityClasses, "", spec.priorityclassname());
      if (!named.ok() && named.status().Is(Code::kNotFound))
        return Forbidden(attributes, fmt::format("no PriorityClass with name {} was found", spec.priorityclassname()));
      found = KNARR_TRY_CTX(std::move(named), "failed to get PriorityClass with name {}", spec.priorityclassname());
    }
    if (found) {
      const auto& priority_class = found->As<PriorityClass>();
      priority = priority_class.value();
      policy = priority_class.preemptionpolicy();
      has_policy = priority_class.has_preemptionpolicy();
    }
    if (spec.has_priority() && spec.priority() != priority)
      return Forbidden(attributes,
                       fmt::format("the integer value of priority ({}) must not be provided in pod spec; priority "
                                   "admission controller computed {} from the given PriorityClass name",
                                   spec.priority(), priority));
    spec.set_priority(priority);
    if (!has_policy) return {};
    if (spec.has_preemptionpolicy() && spec.preemptionpolicy() != policy)
      return Forbidden(
          attributes,
          fmt::format("the string value of PreemptionPolicy ({}) must not be provided in pod spec; priority "
                      "admission controller computed {} from the given PriorityClass name",
                      spec.preemptionpolicy(), policy));
    spec.set_preemptionpolicy(policy);
    return {};
  }

  Status Validate(const Context& ctx, const Attributes& attributes) override {
    if (!attributes.Is("scheduling.k8s.io", "priorityclasses") || !attributes.subresource.empty() ||
        attributes.object == nullptr)
      return {};
    const auto& added = static_cast<const api::Object*>(attributes.object)->As<PriorityClass>();
    if (!added.globaldefault()) return {};
    const auto other = KNARR_TRY_CTX(Default(ctx), "failed to get default priority class");
    if (other && (attributes.operation == Operation::kCreate || other->metadata().name() != added.metadata().name()))
      return Forbidden(attributes,
                       fmt::format("PriorityClass {} is already marked as default. Only one default can exist",
                                   other->metadata().name()));
    return {};
  }

 private:
  // null: there is none. Of several (a race made them) the lowest.
  Result<registry::ObjectRef> Default(const Context& ctx) {
    registry::ObjectRef lowest;
    for (const auto& ref : KNARR_TRY(ListServed(ctx, *deps_.access, kPriorityClasses, ""))) {
      const auto& priority_class = ref->As<PriorityClass>();
      if (priority_class.globaldefault() && (!lowest || priority_class.value() < lowest->As<PriorityClass>().value()))
        lowest = ref;
    }
    return lowest;
  }
};

}  // namespace

PluginResult NewPriority(const PluginDeps& deps) {
  return std::unique_ptr<Plugin>(std::make_unique<Priority>(deps));
}

}  // namespace knarr::admission
