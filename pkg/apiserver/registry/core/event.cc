// Events and Endpoints. Mirrors: pkg/registry/core/{event,endpoint}/strategy.go
#include <algorithm>
#include <cctype>

#include <fmt/format.h>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/api/core/defaults.h"
#include "pkg/api/core/validation.h"
#include "pkg/api/names/names.h"
#include "pkg/apiserver/registry/core/internal.h"
#include "pkg/apiserver/registry/printers.h"

namespace knarr::registry::core_group {
namespace {

std::string_view Trimmed(std::string_view text) {
  static constexpr std::string_view kSpace = " \t\n\v\f\r";
  const size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

const std::string& FirstNonEmpty(const std::string& a, const std::string& b) {
  return a.empty() ? b : a;
}

class EventStrategy : public TypedStrategy<core::Event> {
 public:
  field::ErrorList Check(const RequestContext&, const core::Event& object) const override {
    return api::ValidateEvent(object);
  }
  bool AllowCreateOnUpdate() const override { return true; }
  std::vector<std::pair<std::string, std::string>> SelectableFields(const Object& object) const override {
    const auto& event = object.As<core::Event>();
    const core::ObjectReference& about = event.involvedobject();
    return {{"involvedObject.kind", about.kind()},
            {"involvedObject.namespace", about.namespace_()},
            {"involvedObject.name", about.name()},
            {"involvedObject.uid", about.uid()},
            {"involvedObject.apiVersion", about.apiversion()},
            {"involvedObject.resourceVersion", about.resourceversion()},
            {"involvedObject.fieldPath", about.fieldpath()},
            {"reason", event.reason()},
            {"reportingComponent", event.reportingcomponent()},
            {"source", FirstNonEmpty(event.source().component(), event.reportingcomponent())},
            {"type", event.type()}};
  }
  std::vector<std::string_view> SelectableFieldNames() const override {
    return {"involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type"};
  }
  std::vector<Column> Columns() const override {
    Column name = NameColumn();
    name.priority = 1;
    return {TextColumn("Last Seen"),    TextColumn("Type"),
            TextColumn("Reason"),       TextColumn("Object"),
            TextColumn("Subobject", 1), TextColumn("Source", 1),
            TextColumn("Message"),      TextColumn("First Seen", 1),
            TextColumn("Count", 1),     name};
  }
  std::vector<Cell> Row(const core::Event& event, WallTime now) const override {
    const bool old_style = event.firsttimestamp().seconds() != 0;
    const std::string first =
        HumanAge(old_style ? ToWallTime(event.firsttimestamp()) : ToWallTime(event.eventtime()), now);
    std::string last = event.lasttimestamp().seconds() != 0 ? HumanAge(ToWallTime(event.lasttimestamp()), now) : first;
    int64_t count = event.count() == 0 ? 1 : event.count();
    if (event.has_series()) {
      last = HumanAge(ToWallTime(event.series().lastobservedtime()), now);
      // The event that the series began with is not in its count.
      count = int64_t{event.series().count()} + 1;
    }
    std::string target = event.involvedobject().kind();
    std::transform(target.begin(), target.end(), target.begin(), [](unsigned char c) { return std::tolower(c); });
    if (!event.involvedobject().name().empty()) target += "/" + event.involvedobject().name();
    std::string source = FirstNonEmpty(event.source().component(), event.reportingcomponent());
    const std::string& instance = FirstNonEmpty(event.source().host(), event.reportinginstance());
    if (!instance.empty()) source += ", " + instance;
    return {last,
            event.type(),
            event.reason(),
            target,
            event.involvedobject().fieldpath(),
            source,
            std::string(Trimmed(event.message())),
            first,
            count,
            event.metadata().name()};
  }
};

class EndpointsStrategy : public TypedStrategy<core::Endpoints> {
 public:
  void Default(core::Endpoints& object) const override { api::SetDefaults(object); }
  field::ErrorList Check(const RequestContext&, const core::Endpoints& object) const override {
    return api::ValidateEndpoints(object);
  }
  // Updates are validated like new objects.
  bool AllowCreateOnUpdate() const override { return true; }
  std::vector<Column> Columns() const override { return {NameColumn(), TextColumn("Endpoints"), AgeColumn()}; }
  std::vector<Cell> Row(const core::Endpoints& object, WallTime now) const override {
    return {object.metadata().name(), Format(object), Age(object.metadata(), now)};
  }

 private:
  static std::string HostPort(const std::string& ip, int port) {
    return ip.find(':') == std::string::npos ? fmt::format("{}:{}", ip, port) : fmt::format("[{}]:{}", ip, port);
  }
  static std::string Format(const core::Endpoints& object) {
    if (object.subsets_size() == 0) return "<none>";
    constexpr int kShown = 3;
    std::string text;
    int count = 0;
    const auto add = [&](const std::string& one) {
      if (count++ < kShown) text.append(text.empty() ? "" : ",").append(one);
    };
    for (const core::EndpointSubset& subset : object.subsets()) {
      if (subset.ports_size() == 0) {
        for (const core::EndpointAddress& address : subset.addresses()) add(address.ip());
      }
      for (const core::EndpointPort& port : subset.ports()) {
        for (const core::EndpointAddress& address : subset.addresses()) add(HostPort(address.ip(), port.port()));
      }
    }
    return count > kShown ? fmt::format("{} + {} more...", text, count - kShown) : text;
  }
};

}  // namespace

Kind EventKind() {
  Kind kind = BuiltinKind("", "events", {"v1"}, std::make_shared<EventStrategy>());
  kind.name_validator = names::NameIsDNSSubdomain;
  kind.ttl_seconds = 3600;  // --event-ttl
  return kind;
}

Kind EndpointsKind() {
  Kind kind = BuiltinKind("", "endpoints", {"v1"}, std::make_shared<EndpointsStrategy>());
  kind.storage_prefix = "/registry/services/endpoints/";
  kind.name_validator = names::NameIsDNSSubdomain;
  return kind;
}

}  // namespace knarr::registry::core_group
