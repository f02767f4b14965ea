// Mirrors: pkg/apis/events/v1/conversion.go
#include "k8s.io/api/core/v1/generated.pb.h"
#include "k8s.io/api/events/v1/generated.pb.h"
#include "pkg/api/conversion/wire.h"
#include "pkg/api/types.h"

namespace knarr::conversion {

using google::protobuf::Message;
namespace events = ::k8s::io::api::events::v1;

Status EventCoreToV1(const Message& message, Message* out) {
  const auto& from = static_cast<const core::Event&>(message);
  auto* to = static_cast<events::Event*>(out);
  if (from.has_metadata()) *to->mutable_metadata() = from.metadata();
  if (from.has_eventtime()) *to->mutable_eventtime() = from.eventtime();
  if (from.has_series()) {
    to->mutable_series()->set_count(from.series().count());
    if (from.series().has_lastobservedtime()) {
      *to->mutable_series()->mutable_lastobservedtime() = from.series().lastobservedtime();
    }
  }
  to->set_reportingcontroller(from.reportingcomponent());
  to->set_reportinginstance(from.reportinginstance());
  to->set_action(from.action());
  to->set_reason(from.reason());
  if (from.has_involvedobject()) *to->mutable_regarding() = from.involvedobject();
  if (from.has_related()) *to->mutable_related() = from.related();
  to->set_note(from.message());
  to->set_type(from.type());
  if (from.has_source()) *to->mutable_deprecatedsource() = from.source();
  if (from.has_firsttimestamp()) *to->mutable_deprecatedfirsttimestamp() = from.firsttimestamp();
  if (from.has_lasttimestamp()) *to->mutable_deprecatedlasttimestamp() = from.lasttimestamp();
  to->set_deprecatedcount(from.count());
  return Status();
}

Status EventV1ToCore(const Message& message, Message* out) {
  const auto& from = static_cast<const events::Event&>(message);
  auto* to = static_cast<core::Event*>(out);
  if (from.has_metadata()) *to->mutable_metadata() = from.metadata();
  if (from.has_eventtime()) *to->mutable_eventtime() = from.eventtime();
  if (from.has_series()) {
    to->mutable_series()->set_count(from.series().count());
    if (from.series().has_lastobservedtime()) {
      *to->mutable_series()->mutable_lastobservedtime() = from.series().lastobservedtime();
    }
  }
  to->set_reportingcomponent(from.reportingcontroller());
  to->set_reportinginstance(from.reportinginstance());
  to->set_action(from.action());
  to->set_reason(from.reason());
  if (from.has_regarding()) *to->mutable_involvedobject() = from.regarding();
  if (from.has_related()) *to->mutable_related() = from.related();
  to->set_message(from.note());
  to->set_type(from.type());
  if (from.has_deprecatedsource()) *to->mutable_source() = from.deprecatedsource();
  if (from.has_deprecatedfirsttimestamp()) *to->mutable_firsttimestamp() = from.deprecatedfirsttimestamp();
  if (from.has_deprecatedlasttimestamp()) *to->mutable_lasttimestamp() = from.deprecatedlasttimestamp();
  to->set_count(from.deprecatedcount());
  return Status();
}

}  // namespace knarr::conversion
