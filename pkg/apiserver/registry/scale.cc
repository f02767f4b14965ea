#include "pkg/apiserver/registry/scale.h"

#include <fmt/format.h>

#include <memory>
#include <utility>

#include "k8s.io/api/autoscaling/v1/generated.pb.h"
#include "pkg/api/errors/errors.h"
#include "pkg/api/field/field.h"

namespace knarr::registry {
namespace {

using Scale = ::k8s::io::api::autoscaling::v1::Scale;
using google::protobuf::Message;

std::unique_ptr<Message> ToScale(const Object& object, const ScaleState& state) {
  auto scale = std::make_unique<Scale>();
  const meta::ObjectMeta& from = object.metadata();
  meta::ObjectMeta& metadata = *scale->mutable_metadata();
  metadata.set_name(from.name());
  metadata.set_namespace_(from.namespace_());
  metadata.set_uid(from.uid());
  metadata.set_resourceversion(from.resourceversion());
  *metadata.mutable_creationtimestamp() = from.creationtimestamp();
  scale->mutable_spec()->set_replicas(state.desired);
  scale->mutable_status()->set_replicas(state.observed);
  scale->mutable_status()->set_selector(state.selector);
  return scale;
}

}  // namespace

Subresource ScaleSubresource(std::string object_group, std::string object_resource,
                             std::function<Result<ScaleState>(const Object&)> read,
                             std::function<void(Object&, int32_t replicas)> write) {
  Subresource scale;
  scale.name = "scale";
  scale.group = "autoscaling";
  scale.version = "v1";
  scale.kind = "Scale";
  scale.verbs = {"get", "patch", "update"};
  scale.prototype = []() -> const Message& { return Scale::default_instance(); };
  scale.view = [read = std::move(read)](const RequestContext&,
                                        const Object& object) -> Result<std::unique_ptr<Message>> {
    return ToScale(object, KNARR_TRY(read(object)));
  };
  scale.apply = [group = std::move(object_group), resource = std::move(object_resource), write = std::move(write)](
                    const RequestContext&, const Message& message, Object& object) -> Status {
    const auto& wanted = static_cast<const Scale&>(message);
    if (wanted.spec().replicas() < 0) {
      const field::ErrorList errors{
          field::Invalid(field::Path("spec.replicas"), wanted.spec().replicas(), "must be greater than or equal to 0")};
      return errors::Invalid("autoscaling", "Scale", wanted.metadata().name(), errors);
    }
    if (const std::string& uid = wanted.metadata().uid(); !uid.empty() && uid != object.metadata().uid()) {
      return errors::Conflict(group, resource, object.metadata().name(),
                              fmt::format("Precondition failed: UID in precondition: {}, UID in object meta: {}", uid,
                                          object.metadata().uid()));
    }
    // The update compares it with what is stored; "" overwrites.
    object.metadata().set_resourceversion(wanted.metadata().resourceversion());
    write(object, wanted.spec().replicas());
    return OkStatus();
  };
  return scale;
}

}  // namespace knarr::registry
