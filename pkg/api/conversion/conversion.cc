#include "pkg/api/conversion/conversion.h"

#include <fmt/format.h>

#include <memory>

#include "pkg/api/conversion/wire.h"
#include "pkg/api/scheme/scheme.h"

namespace knarr::conversion {
namespace {

using google::protobuf::Message;

struct Special {
  std::string_view kind, from, to;
  Converter convert;
};

constexpr std::string_view kCore = "v1";
constexpr std::string_view kEvents = "events.k8s.io/v1";
constexpr std::string_view kPriorityLevel = "PriorityLevelConfiguration";

constexpr Special kSpecial[] = {
    {"Ingress", "networking.k8s.io/v1beta1", "networking.k8s.io/v1", IngressV1beta1ToV1},
    {"Ingress", "networking.k8s.io/v1", "networking.k8s.io/v1beta1", IngressV1ToV1beta1},
    {"EndpointSlice", "discovery.k8s.io/v1beta1", "discovery.k8s.io/v1", EndpointSliceV1beta1ToV1},
    {"EndpointSlice", "discovery.k8s.io/v1", "discovery.k8s.io/v1beta1", EndpointSliceV1ToV1beta1},
    {"HorizontalPodAutoscaler", "autoscaling/v1", "autoscaling/v2", AutoscalerV1ToV2},
    {"HorizontalPodAutoscaler", "autoscaling/v2", "autoscaling/v1", AutoscalerV2ToV1},
    {"HorizontalPodAutoscaler", "autoscaling/v2beta1", "autoscaling/v2", AutoscalerV2beta1ToV2},
    {"HorizontalPodAutoscaler", "autoscaling/v2", "autoscaling/v2beta1", AutoscalerV2ToV2beta1},
    {"HorizontalPodAutoscaler", "autoscaling/v2beta2", "autoscaling/v2", AutoscalerV2beta2AndV2},
    {"HorizontalPodAutoscaler", "autoscaling/v2", "autoscaling/v2beta2", AutoscalerV2beta2AndV2},
    // v1beta1 of events differs from v1 in nothing but its name.
    {"Event", kCore, kEvents, EventCoreToV1},
    {"Event", kEvents, kCore, EventV1ToCore},
    {"PodDisruptionBudget", "policy/v1beta1", "policy/v1", BudgetV1beta1ToV1},
    {"PodDisruptionBudget", "policy/v1", "policy/v1beta1", BudgetV1ToV1beta1},
    {"CertificateSigningRequest", "certificates.k8s.io/v1beta1", "certificates.k8s.io/v1", SigningRequestV1beta1ToV1},
    {kPriorityLevel, "flowcontrol.apiserver.k8s.io/v1beta1", "flowcontrol.apiserver.k8s.io/v1", PriorityLevelBetaToV1},
    {kPriorityLevel, "flowcontrol.apiserver.k8s.io/v1", "flowcontrol.apiserver.k8s.io/v1beta1", PriorityLevelV1ToBeta},
    {kPriorityLevel, "flowcontrol.apiserver.k8s.io/v1beta2", "flowcontrol.apiserver.k8s.io/v1", PriorityLevelBetaToV1},
    {kPriorityLevel, "flowcontrol.apiserver.k8s.io/v1", "flowcontrol.apiserver.k8s.io/v1beta2", PriorityLevelV1ToBeta},
    {kPriorityLevel, "flowcontrol.apiserver.k8s.io/v1beta3", "flowcontrol.apiserver.k8s.io/v1", PriorityLevelBetaToV1},
    {kPriorityLevel, "flowcontrol.apiserver.k8s.io/v1", "flowcontrol.apiserver.k8s.io/v1beta3", PriorityLevelV1ToBeta},
};

// The version that kinds with more than one difference go through.
struct Hub {
  std::string_view kind, api_version;
};
constexpr Hub kHubs[] = {
    {"HorizontalPodAutoscaler", "autoscaling/v2"},
    {"Event", kEvents},
    {kPriorityLevel, "flowcontrol.apiserver.k8s.io/v1"},
};

const Special* Find(std::string_view kind, std::string_view from, std::string_view to) {
  for (const Special& special : kSpecial) {
    if (special.kind == kind && special.from == from && special.to == to) return &special;
  }
  return nullptr;
}

bool IsSpecial(std::string_view kind, std::string_view api_version) {
  for (const Special& special : kSpecial) {
    if (special.kind == kind && (special.from == api_version || special.to == api_version)) return true;
  }
  return false;
}

std::string_view HubOf(std::string_view kind) {
  for (const Hub& hub : kHubs) {
    if (hub.kind == kind) return hub.api_version;
  }
  return {};
}

std::string_view Group(std::string_view api_version) {
  const size_t slash = api_version.find('/');
  return slash == std::string_view::npos ? std::string_view() : api_version.substr(0, slash);
}

// One step; kInvalid where the two have nothing to do with each other.
Result<std::unique_ptr<Message>> Step(const Message& from, std::string_view kind, std::string_view from_api_version,
                                      std::string_view to_api_version) {
  auto made = scheme::New(to_api_version, kind);
  if (!made.ok()) return made.error();
  if (const Special* special = Find(kind, from_api_version, to_api_version)) {
    KNARR_TRY(special->convert(from, made->get()));
    return made;
  }
  if (Group(from_api_version) != Group(to_api_version) || !CopyByWire(from, made->get())) {
    return Status(Code::kInvalid,
                  fmt::format("converting {} from {} to {} is not possible", kind, from_api_version, to_api_version));
  }
  return made;
}

// Lists: item by item.
Result<std::unique_ptr<Message>> ConvertList(const Message& from, std::string_view kind, std::string_view item_kind,
                                             std::string_view from_api_version, std::string_view to_api_version) {
  auto made = scheme::New(to_api_version, kind);
  if (!made.ok()) return made.error();
  Message& to = **made;
  const auto* from_items = from.GetDescriptor()->FindFieldByName("items");
  const auto* to_items = to.GetDescriptor()->FindFieldByName("items");
  const auto* from_meta = from.GetDescriptor()->FindFieldByName("metadata");
  const auto* to_meta = to.GetDescriptor()->FindFieldByName("metadata");
  KNARR_CHECK(from_items != nullptr && to_items != nullptr && from_meta != nullptr && to_meta != nullptr);
  const auto* from_reflection = from.GetReflection();
  const auto* to_reflection = to.GetReflection();
  if (from_reflection->HasField(from, from_meta)) {
    to_reflection->MutableMessage(&to, to_meta)->CopyFrom(from_reflection->GetMessage(from, from_meta));
  }
  for (int i = 0; i < from_reflection->FieldSize(from, from_items); ++i) {
    auto item = KNARR_TRY(
        Convert(from_reflection->GetRepeatedMessage(from, from_items, i), item_kind, from_api_version, to_api_version));
    to_reflection->AddAllocatedMessage(&to, to_items, item.release());
  }
  return made;
}

}  // namespace

bool CopyByWire(const Message& from, Message* to) {
  if (!to->ParsePartialFromString(from.SerializePartialAsString())) return false;
  // Of another version: they would come out again when the object is stored.
  to->DiscardUnknownFields();
  return true;
}

Result<std::unique_ptr<Message>> Convert(const Message& from, std::string_view kind, std::string_view from_api_version,
                                         std::string_view to_api_version) {
  if (from_api_version == to_api_version) {
    std::unique_ptr<Message> copy(from.New());
    copy->CopyFrom(from);
    return copy;
  }
  if (kind.ends_with("List")) {
    const std::string_view item_kind = kind.substr(0, kind.size() - 4);
    if (IsSpecial(item_kind, from_api_version) || IsSpecial(item_kind, to_api_version)) {
      return ConvertList(from, kind, item_kind, from_api_version, to_api_version);
    }
  }
  // events.k8s.io/v1beta1 is v1 by the wire; from and to core it goes through v1.
  const std::string_view hub = HubOf(kind);
  const bool direct = hub.empty() || from_api_version == hub || to_api_version == hub ||
                      Find(kind, from_api_version, to_api_version) != nullptr;
  if (direct) return Step(from, kind, from_api_version, to_api_version);
  auto middle = KNARR_TRY(Step(from, kind, from_api_version, hub));
  return Step(*middle, kind, hub, to_api_version);
}

}  // namespace knarr::conversion
