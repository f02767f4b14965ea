// Mirrors: BindingREST in pkg/registry/core/pod/storage/storage.go
#include <fmt/format.h>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "k8s.io/apimachinery/pkg/apis/meta/v1/generated.pb.h"
#include "pkg/api/core/defaults.h"
#include "pkg/api/core/validation.h"
#include "pkg/api/errors/errors.h"
#include "pkg/api/field/quote.h"
#include "pkg/apiserver/registry/access.h"
#include "pkg/apiserver/registry/core/internal.h"
#include "pkg/apiserver/registry/core/pod.h"

namespace knarr::registry::core_group {
namespace {

using google::protobuf::Message;

// Writes the pod as it is: what may be written is decided below, in AssignPod. Serves Access::Update only.
class AssignStrategy : public TypedStrategy<core::Pod> {
 public:
  void Default(core::Pod& pod) const override { api::SetDefaults(pod); }
  field::ErrorList CheckUpdate(const RequestContext&, const core::Pod&, const core::Pod&) const override { return {}; }
  std::vector<Cell> Row(const core::Pod& pod, WallTime now) const override { return PodRow(pod, now); }
};

Status Refuse(const core::Pod& pod, std::string_view why) {
  return errors::Conflict("", "pods/binding", pod.metadata().name(), why);
}

Status CheckPreconditions(const core::Pod& pod, const meta::ObjectMeta& wanted) {
  const auto refuse = [&](const char* what, const char* where, const std::string& asked, const std::string& found) {
    return errors::Conflict(
        "", "pods", pod.metadata().name(),
        fmt::format("StorageError: invalid object, Code: 4, Key: /registry/pods/{}/{}, ResourceVersion: 0, "
                    "AdditionalErrorMsg: Precondition failed: {} in precondition: {}, {} in object meta: {}",
                    pod.metadata().namespace_(), pod.metadata().name(), what, asked, where, found));
  };
  if (!wanted.uid().empty() && wanted.uid() != pod.metadata().uid()) {
    return refuse("UID", "UID", wanted.uid(), pod.metadata().uid());
  }
  if (!wanted.resourceversion().empty() && wanted.resourceversion() != pod.metadata().resourceversion()) {
    return refuse("ResourceVersion", "ResourceVersion", wanted.resourceversion(), pod.metadata().resourceversion());
  }
  return OkStatus();
}

Status AssignPod(core::Pod& pod, const core::Binding& binding, WallTime now) {
  KNARR_TRY(CheckPreconditions(pod, binding.metadata()));
  const std::string& name = pod.metadata().name();
  if (pod.metadata().has_deletiontimestamp()) {
    return Refuse(pod, fmt::format("pod {} is being deleted, cannot be assigned to a host", name));
  }
  if (!pod.spec().nodename().empty()) {
    return Refuse(pod, fmt::format("pod {} is already assigned to node {}", name, field::Quote(pod.spec().nodename())));
  }
  if (pod.spec().schedulinggates_size() > 0) {
    return Refuse(pod, fmt::format("pod {} has non-empty .spec.schedulingGates", name));
  }
  pod.mutable_spec()->set_nodename(binding.target().name());
  for (const auto& [key, value] : binding.metadata().annotations()) {
    (*pod.mutable_metadata()->mutable_annotations())[key] = value;
  }
  UpdatePodCondition(*pod.mutable_status(), "PodScheduled", "True", "", "", now);
  return OkStatus();
}

Result<std::unique_ptr<Message>> Bind(const RequestContext& rc, std::string_view name, std::unique_ptr<Message> body) {
  const auto& binding = static_cast<const core::Binding&>(*body);
  if (name != binding.metadata().name()) {
    return errors::BadRequest("name in URL does not match name in Binding object");
  }
  // An error without a code of its own, as upstream's.
  if (const field::ErrorList errors = api::ValidatePodBinding(binding); !errors.empty()) {
    return Status(Code::kUnknown, std::string(field::ToStatus(errors).message()));
  }
  const auto assign = [&](Object& object) -> Status {
    return AssignPod(object.As<core::Pod>(), binding, rc.clock->Now());
  };
  if (rc.dry_run) {
    const ObjectRef current = KNARR_TRY(rc.access->GetConsistent(rc.ctx, {"", "pods"}, rc.namespace_, name));
    Object copy = current->Clone();
    KNARR_TRY(assign(copy));
  } else {
    KNARR_TRY(rc.access->Update(rc.ctx, {"", "pods"}, rc.namespace_, name, "binding", assign));
  }
  auto success = std::make_unique<meta::Status>();
  success->set_status("Success");
  success->set_code(201);
  return success;
}

const Message& BindingPrototype() {
  return core::Binding::default_instance();
}

}  // namespace

void UpdatePodCondition(core::PodStatus& pod_status, std::string_view type, std::string_view status,
                        std::string_view reason, std::string_view message, WallTime now) {
  core::PodCondition* condition = nullptr;
  for (core::PodCondition& one : *pod_status.mutable_conditions()) {
    if (one.type() == type) condition = &one;
  }
  if (condition == nullptr) {
    condition = pod_status.add_conditions();
    condition->set_type(std::string(type));
  }
  if (condition->status() != status) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
    condition->mutable_lasttransitiontime()->set_seconds(seconds);
    condition->mutable_lasttransitiontime()->set_nanos(0);
  }
  condition->set_status(std::string(status));
  condition->set_reason(std::string(reason));
  condition->set_message(std::string(message));
}

Subresource BindingSubresource() {
  Subresource binding;
  binding.name = "binding";
  binding.kind = "Binding";
  binding.verbs = {"create"};
  binding.strategy = std::make_shared<AssignStrategy>();
  binding.prototype = BindingPrototype;
  binding.create = [](const RequestContext& rc, std::unique_ptr<Message> body) {
    return Bind(rc, rc.name, std::move(body));
  };
  return binding;
}

Kind BindingKind() {
  Kind kind;
  kind.kind = "Binding";
  kind.resource = "bindings";
  kind.singular = "binding";
  kind.storage_prefix = "/registry/bindings/";  // where nothing ever is
  kind.verbs = {"create"};
  kind.versions.push_back({.version = "v1", .prototype = BindingPrototype, .deprecation_warning = {}});
  kind.strategy = std::make_shared<Strategy>();
  kind.create_only = [](const RequestContext& rc, std::unique_ptr<Message> body) -> Result<std::unique_ptr<Message>> {
    const std::string name = static_cast<const core::Binding&>(*body).metadata().name();
    return Bind(rc, name, std::move(body));
  };
  return kind;
}

}  // namespace knarr::registry::core_group
