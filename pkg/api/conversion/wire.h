// What the conversions share. Internal to this package.
#pragma once

#include <google/protobuf/message.h>

#include "pkg/base/status.h"

namespace knarr::conversion {

// Fields of the same number; what `to` does not have is dropped. False if one means something else there.
bool CopyByWire(const google::protobuf::Message& from, google::protobuf::Message* to);

// Each converts `from` into `to`, an empty message of the other version. kInvalid if something cannot be said there.
using Converter = Status (*)(const google::protobuf::Message& from, google::protobuf::Message* to);

// --- autoscaling.cc
Status AutoscalerV1ToV2(const google::protobuf::Message& from, google::protobuf::Message* to);
Status AutoscalerV2ToV1(const google::protobuf::Message& from, google::protobuf::Message* to);
Status AutoscalerV2beta1ToV2(const google::protobuf::Message& from, google::protobuf::Message* to);
Status AutoscalerV2ToV2beta1(const google::protobuf::Message& from, google::protobuf::Message* to);
Status AutoscalerV2beta2AndV2(const google::protobuf::Message& from, google::protobuf::Message* to);  // either way

// --- events.cc
Status EventCoreToV1(const google::protobuf::Message& from, google::protobuf::Message* to);
Status EventV1ToCore(const google::protobuf::Message& from, google::protobuf::Message* to);

// --- networking.cc
Status IngressV1beta1ToV1(const google::protobuf::Message& from, google::protobuf::Message* to);
Status IngressV1ToV1beta1(const google::protobuf::Message& from, google::protobuf::Message* to);
Status EndpointSliceV1beta1ToV1(const google::protobuf::Message& from, google::protobuf::Message* to);
Status EndpointSliceV1ToV1beta1(const google::protobuf::Message& from, google::protobuf::Message* to);

// --- special.cc
Status BudgetV1beta1ToV1(const google::protobuf::Message& from, google::protobuf::Message* to);
Status BudgetV1ToV1beta1(const google::protobuf::Message& from, google::protobuf::Message* to);
Status SigningRequestV1beta1ToV1(const google::protobuf::Message& from, google::protobuf::Message* to);
// v1beta1 to v1beta3.
Status PriorityLevelBetaToV1(const google::protobuf::Message& from, google::protobuf::Message* to);
Status PriorityLevelV1ToBeta(const google::protobuf::Message& from, google::protobuf::Message* to);

}  // namespace knarr::conversion
