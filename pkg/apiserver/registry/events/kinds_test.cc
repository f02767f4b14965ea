#include "pkg/apiserver/registry/events/kinds.h"

#include <boost/test/unit_test.hpp>

#include "pkg/api/conversion/conversion.h"
#include "pkg/apiserver/registry/core/event.h"
#include "pkg/apiserver/registry/test_kinds.h"

namespace knarr::registry {
namespace {

constexpr std::string_view kEvent = R"(
metadata: {name: web.1, namespace: d}
eventTime: "2023-11-14T22:13:10.000000Z"
regarding: {kind: Pod, name: web, namespace: d}
reason: Started
note: Started container
action: Start
type: Normal
reportingController: k8s.io/kubelet
reportingInstance: n1
)";

BOOST_AUTO_TEST_SUITE(events_kinds)

BOOST_AUTO_TEST_CASE(events_are_the_core_groups) {
  TestKinds kinds(EventsKinds({}));
  const Kind core = core_group::EventKind();
  const Kind& kind = kinds.Get("events");
  BOOST_TEST(kind.storage_version == "v1");
  BOOST_TEST(kind.storage_prefix == core.storage_prefix);
  BOOST_TEST(kind.ttl_seconds == core.ttl_seconds);
  BOOST_TEST(kinds.Row("events", kEvent).find("10s | Normal | Started | pod/web") == 0u);
  std::string name;
  for (const auto& [field, value] : kind.strategy->SelectableFields(kinds.Decoded("events", kEvent))) {
    if (field == "involvedObject.name") name = value;
  }
  BOOST_TEST(name == "web");
}

BOOST_AUTO_TEST_CASE(events_are_validated_strictly) {
  TestKinds kinds(EventsKinds({}));
  BOOST_TEST(kinds.CreateErrors("events", kEvent) == "");
  const std::string errors = kinds.CreateErrors("events", "metadata: {namespace: d}\nregarding: {namespace: d}");
  BOOST_TEST(errors.find("eventTime: Required value") != std::string::npos);
  // The core group's own strategy lets it pass.
  const Object event = kinds.Decoded("events", "metadata: {namespace: d}\nregarding: {namespace: d}");
  auto core = conversion::Convert(event.message(), "Event", "events.k8s.io/v1", "v1");
  BOOST_REQUIRE(core.ok());
  const Object core_event(std::move(*core));
  BOOST_TEST(core_group::EventKind().strategy->Validate(kinds.context(), core_event).empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::registry
