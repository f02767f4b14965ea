// Namespaces, nodes, events, endpoints.
#include <fmt/format.h>

#include "pkg/api/core/validation/internal.h"
#include "pkg/api/field/quote.h"
#include "pkg/api/meta/equality.h"

namespace knarr::api {
namespace validation {
namespace {

constexpr size_t kEventNameMax = 128;  // reporting instance, action, reason
constexpr size_t kEventNoteMax = 1024;

void ValidateTaint(const core::Taint& taint, const Path& path, ErrorList& errors) {
  ValidateLabelName(taint.key(), path.Child("key"), errors);
  if (const names::Messages messages = names::IsValidLabelValue(taint.value()); !messages.empty()) {
    std::string text;
    for (const std::string& message : messages) text.append(text.empty() ? "" : ";").append(message);
    errors.push_back(field::Invalid(path.Child("value"), taint.value(), text));
  }
  static constexpr std::string_view kEffects[] = {"NoSchedule", "PreferNoSchedule", "NoExecute"};
  RequireSetAndOneOf(errors, path.Child("effect"), taint.effect(), kEffects);
}

void ValidateNodeTaints(const core::NodeSpec& spec, const Path& list, ErrorList& errors) {
  std::set<std::pair<std::string, std::string>> seen;
  for (int i = 0; i < spec.taints_size(); ++i) {
    const core::Taint& taint = spec.taints(i);
    const Path path = list.Index(static_cast<size_t>(i));
    ValidateTaint(taint, path, errors);
    if (seen.emplace(taint.effect(), taint.key()).second) continue;
    field::FieldError error = field::Duplicate(path, "");
    error.value = fmt::format("core.Taint{{Key:{}, Value:{}, Effect:{}, TimeAdded:<nil>}}", field::Quote(taint.key()),
                              field::Quote(taint.value()), field::Quote(taint.effect()));
    error.detail = "taints must be unique by key and effect pair";
    errors.push_back(std::move(error));
  }
}

template <typename Resources>
void ValidateNodeResourceList(const Resources& resources, const Path& path, ErrorList& errors) {
  for (const std::string& name : SortedKeys(resources)) {
    ValidateResourceQuantityValue(name, Quantity::From(resources.at(name)), path.Child(name), errors);
  }
}

void ValidateNodeResources(const core::Node& node, ErrorList& errors) {
  ValidateNodeResourceList(node.status().capacity(), Path("status.capacity"), errors);
  ValidateNodeResourceList(node.status().allocatable(), Path("status.allocatable"), errors);
}

void ValidatePodCIDRs(const core::NodeSpec& spec, ErrorList& errors) {
  const Path list("spec.podCIDRs");
  bool v4 = false;
  bool v6 = false;
  for (int i = 0; i < spec.podcidrs_size(); ++i) {
    const std::string& cidr = spec.podcidrs(i);
    AddInvalid(errors, list.Index(static_cast<size_t>(i)), cidr, names::IsValidCIDR(cidr));
    (cidr.find(':') == std::string::npos ? v4 : v6) = true;
  }
  if (spec.podcidrs_size() <= 1) return;
  if (!(v4 && v6) || spec.podcidrs_size() > 2) {
    errors.push_back(field::InvalidLiteral(list, GoStrings(spec.podcidrs()),
                                           "may specify no more than one CIDR for each IP family"));
  }
  Names seen;
  for (int i = 0; i < spec.podcidrs_size(); ++i) {
    if (seen.insert(spec.podcidrs(i)).second) continue;
    errors.push_back(field::Duplicate(list.Index(static_cast<size_t>(i)), spec.podcidrs(i)));
  }
}

void ValidateNodeAddressesUnique(const core::Node& node, ErrorList& errors) {
  std::set<std::pair<std::string, std::string>> seen;
  for (int i = 0; i < node.status().addresses_size(); ++i) {
    const core::NodeAddress& address = node.status().addresses(i);
    if (seen.emplace(address.type(), address.address()).second) continue;
    field::FieldError error = field::Duplicate(Path("status.addresses").Index(static_cast<size_t>(i)), "");
    error.value = fmt::format("core.NodeAddress{{Type:{}, Address:{}}}", field::Quote(address.type()),
                              field::Quote(address.address()));
    errors.push_back(std::move(error));
  }
}

// What a node's pods are addressed by is assigned once.
void ValidateAssignedOnce(const core::NodeSpec& updated, const core::NodeSpec& old, ErrorList& errors) {
  if (old.podcidrs_size() > 0 &&
      !std::equal(updated.podcidrs().begin(), updated.podcidrs().end(), old.podcidrs().begin(), old.podcidrs().end())) {
    errors.push_back(
        field::Forbidden(Path("spec.podCIDRs"), "node updates may not change podCIDR except from \"\" to valid"));
  }
  if (!old.providerid().empty() && old.providerid() != updated.providerid()) {
    errors.push_back(
        field::Forbidden(Path("spec.providerID"), "node updates may not change providerID except from \"\" to valid"));
  }
}

void ValidateAtMost(const std::string& text, size_t max, std::string_view name, ErrorList& errors) {
  if (text.size() <= max) return;
  errors.push_back(field::Invalid(Path(name), "", fmt::format("can have at most {} characters", max)));
}

void RequireAtMost(const std::string& text, size_t max, std::string_view name, ErrorList& errors) {
  RequireText(errors, Path(name), text);
  ValidateAtMost(text, max, name, errors);
}

bool IsNewStyle(const core::Event& event) {
  return event.eventtime().seconds() != 0 || event.eventtime().nanos() != 0;
}

void ValidateEventSeries(const core::Event& event, ErrorList& errors) {
  if (!event.has_series()) return;
  if (event.series().count() < 2) {
    errors.push_back(field::Invalid(Path("series.count"), "", "should be at least 2"));
  }
  if (event.series().lastobservedtime().seconds() == 0) {
    errors.push_back(field::Required(Path("series.lastObservedTime"), ""));
  }
}

void ValidateStrictNewEvent(const core::Event& event, ErrorList& errors) {
  ValidateEventSeries(event, errors);
  if (!IsNewStyle(event)) errors.push_back(field::Required(Path("eventTime"), ""));
  if (event.type() != "Normal" && event.type() != "Warning") {
    errors.push_back(field::Invalid(Path("type"), "", fmt::format("has invalid value: {}", event.type())));
  }
  const auto unset = [&](bool is_set, const char* name) {
    if (is_set) errors.push_back(field::Invalid(Path(name), "", "needs to be unset"));
  };
  unset(event.firsttimestamp().seconds() != 0, "firstTimestamp");
  unset(event.lasttimestamp().seconds() != 0, "lastTimestamp");
  unset(event.count() != 0, "count");
  unset(!event.source().component().empty() || !event.source().host().empty(), "source");
}

// The series is what may change.
void ValidateStrictChangedEvent(const core::Event& event, const core::Event& old, ErrorList& errors) {
  if (!SemanticEqual(event.series(), old.series())) ValidateEventSeries(event, errors);
  const auto immutable = [&](bool same, const char* name, const std::string& value) {
    if (!same) errors.push_back(field::Invalid(Path(name), value, kFieldImmutable));
  };
  immutable(SemanticEqual(event.involvedobject(), old.involvedobject()), "involvedObject",
            event.involvedobject().name());
  immutable(event.reason() == old.reason(), "reason", event.reason());
  immutable(event.message() == old.message(), "message", event.message());
  immutable(SemanticEqual(event.source(), old.source()), "source", event.source().component());
  immutable(event.firsttimestamp().seconds() == old.firsttimestamp().seconds(), "firstTimestamp", "");
  immutable(event.lasttimestamp().seconds() == old.lasttimestamp().seconds(), "lastTimestamp", "");
  if (event.count() != old.count()) {
    errors.push_back(field::Invalid(Path("count"), event.count(), kFieldImmutable));
  }
  immutable(event.type() == old.type(), "type", event.type());
  immutable(SemanticEqual(event.eventtime(), old.eventtime()), "eventTime", "");
  immutable(event.action() == old.action(), "action", event.action());
  immutable(event.has_related() == old.has_related() && SemanticEqual(event.related(), old.related()), "related",
            event.related().name());
  immutable(event.reportingcomponent() == old.reportingcomponent(), "reportingController", event.reportingcomponent());
  immutable(event.reportinginstance() == old.reportinginstance(), "reportingInstance", event.reportinginstance());
}

void ValidateEndpointAddress(const core::EndpointAddress& address, const Path& path, ErrorList& errors) {
  AddInvalid(errors, path.Child("ip"), address.ip(), names::IsValidIP(address.ip()));
  if (!address.hostname().empty()) {
    AddInvalid(errors, path.Child("hostname"), address.hostname(), names::IsDNS1123Label(address.hostname()));
  }
  if (address.has_nodename()) {
    AddInvalid(errors, path.Child("nodeName"), address.nodename(),
               names::NameIsDNSSubdomain(address.nodename(), false));
  }
  ValidateNonSpecialIP(address.ip(), path.Child("ip"), errors);
}

void ValidateEndpointPort(const core::EndpointPort& port, bool require_name, const Path& path, ErrorList& errors) {
  static constexpr std::string_view kProtocols[] = {"SCTP", "TCP", "UDP"};
  if (require_name && port.name().empty()) {
    errors.push_back(field::Required(path.Child("name"), ""));
  } else if (!port.name().empty()) {
    AddInvalid(errors, path.Child("name"), port.name(), names::IsDNS1123Label(port.name()));
  }
  AddInvalid(errors, path.Child("port"), port.port(), names::IsValidPortNum(port.port()));
  RequireSetAndOneOf(errors, path.Child("protocol"), port.protocol(), kProtocols);
  if (port.has_appprotocol()) {
    AddInvalid(errors, path.Child("appProtocol"), port.appprotocol(), names::IsQualifiedName(port.appprotocol()));
  }
}

template <typename Addresses>
void ValidateEndpointAddresses(const Addresses& addresses, const Path& list, ErrorList& errors) {
  for (int i = 0; i < addresses.size(); ++i) {
    ValidateEndpointAddress(addresses[i], list.Index(static_cast<size_t>(i)), errors);
  }
}

}  // namespace

void ValidateNonSpecialIP(std::string_view text, const Path& path, ErrorList& errors) {
  const std::optional<names::IpAddress> ip = names::ParseIPSloppy(text);
  if (!ip) {
    errors.push_back(field::Invalid(path, text, "must be a valid IP address"));
    return;
  }
  const auto refuse = [&](bool is_it, const char* why) {
    if (is_it) errors.push_back(field::Invalid(path, text, why));
  };
  const auto& b = ip->bytes;  // IPv4: from byte 12
  const size_t first = ip->is_v4 ? 12 : 0;
  const bool zero_before_last =
      std::all_of(b.begin() + static_cast<ptrdiff_t>(first), b.end() - 1, [](uint8_t byte) { return byte == 0; });
  refuse(zero_before_last && b[15] == 0, "may not be unspecified (0.0.0.0)");
  refuse(ip->is_v4 ? b[12] == 127 : zero_before_last && b[15] == 1, "may not be in the loopback range (127.0.0.0/8)");
  refuse(ip->is_v4 ? b[12] == 169 && b[13] == 254 : b[0] == 0xfe && (b[1] & 0xc0) == 0x80,
         "may not be in the link-local range (169.254.0.0/16)");
  refuse(ip->is_v4 ? b[12] == 224 && b[13] == 0 && b[14] == 0 : b[0] == 0xff && (b[1] & 0x0f) == 0x02,
         "may not be in the link-local multicast range (224.0.0.0/24)");
}

}  // namespace validation

using namespace validation;  // NOLINT: what follows is made of its steps

field::ErrorList ValidateNamespace(const core::Namespace& space) {
  ErrorList errors;
  for (const std::string& finalizer : space.spec().finalizers()) {
    Append(errors, ValidateFinalizerName(finalizer, Path("spec.finalizers")));
  }
  return errors;
}

field::ErrorList ValidateNamespaceStatusUpdate(const core::Namespace& updated, const core::Namespace&) {
  const std::string& phase = updated.status().phase();
  const Path path("status.Phase");
  if (!updated.metadata().has_deletiontimestamp()) {
    if (phase == "Active") return {};
    return {field::Invalid(path, phase, "may only be 'Active' if `deletionTimestamp` is empty")};
  }
  if (phase == "Terminating") return {};
  return {field::Invalid(path, phase, "may only be 'Terminating' if `deletionTimestamp` is not empty")};
}

field::ErrorList ValidateNamespaceFinalizeUpdate(const core::Namespace& updated, const core::Namespace&) {
  ErrorList errors;
  for (int i = 0; i < updated.spec().finalizers_size(); ++i) {
    Append(errors,
           ValidateFinalizerName(updated.spec().finalizers(i), Path("spec.finalizers").Index(static_cast<size_t>(i))));
  }
  return errors;
}

// Taints are reported below metadata, as upstream does.
field::ErrorList ValidateNode(const core::Node& node) {
  ErrorList errors;
  ValidateNodeTaints(node.spec(), Path("metadata.taints"), errors);
  ValidateNodeResources(node, errors);
  ValidatePodCIDRs(node.spec(), errors);
  return errors;
}

field::ErrorList ValidateNodeUpdate(const core::Node& updated, const core::Node& old) {
  ErrorList errors;
  ValidateNodeResources(updated, errors);
  ValidateNodeAddressesUnique(updated, errors);
  ValidateAssignedOnce(updated.spec(), old.spec(), errors);
  ValidateNodeTaints(updated.spec(), Path("metadata.taints"), errors);
  if (updated.spec().externalid() != old.spec().externalid()) {
    errors.push_back(field::Forbidden(Path("spec.externalID"), "may not be updated"));
  }
  return errors;
}

field::ErrorList ValidateEvent(const core::Event& event) {
  ErrorList errors;
  const std::string& space = event.metadata().namespace_();
  const std::string& about = event.involvedobject().namespace_();
  const Path about_path("involvedObject.namespace");
  constexpr std::string_view kMismatch = "does not match event.namespace";
  if (!IsNewStyle(event)) {
    const bool matches = about.empty() ? space.empty() || space == "default" : about == space;
    if (!matches) errors.push_back(field::Invalid(about_path, about, kMismatch));
  } else {
    if (about.empty() && space != "default" && space != "kube-system") {
      errors.push_back(field::Invalid(about_path, about, kMismatch));
    }
    RequireText(errors, Path("reportingController"), event.reportingcomponent());
    AddInvalid(errors, Path("reportingController"), event.reportingcomponent(),
               names::IsQualifiedName(event.reportingcomponent()));
    RequireAtMost(event.reportinginstance(), kEventNameMax, "reportingInstance", errors);
    RequireAtMost(event.action(), kEventNameMax, "action", errors);
    RequireAtMost(event.reason(), kEventNameMax, "reason", errors);
    ValidateAtMost(event.message(), kEventNoteMax, "message", errors);
  }
  AddInvalid(errors, Path("namespace"), space, names::IsDNS1123Subdomain(space));
  return errors;
}

field::ErrorList ValidateEventStrictly(const core::Event& event, const core::Event* old) {
  ErrorList errors = ValidateEvent(event);
  if (old == nullptr) {
    ValidateStrictNewEvent(event, errors);
  } else {
    ValidateStrictChangedEvent(event, *old, errors);
  }
  return errors;
}

field::ErrorList ValidateEndpoints(const core::Endpoints& endpoints) {
  ErrorList errors;
  for (int i = 0; i < endpoints.subsets_size(); ++i) {
    const core::EndpointSubset& subset = endpoints.subsets(i);
    const Path path = Path("subsets").Index(static_cast<size_t>(i));
    if (subset.addresses_size() == 0 && subset.notreadyaddresses_size() == 0) {
      errors.push_back(field::Required(path, "must specify `addresses` or `notReadyAddresses`"));
    }
    ValidateEndpointAddresses(subset.addresses(), path.Child("addresses"), errors);
    ValidateEndpointAddresses(subset.notreadyaddresses(), path.Child("notReadyAddresses"), errors);
    for (int j = 0; j < subset.ports_size(); ++j) {
      ValidateEndpointPort(subset.ports(j), subset.ports_size() > 1, path.Child("ports").Index(static_cast<size_t>(j)),
                           errors);
    }
  }
  return errors;
}

}  // namespace knarr::api
