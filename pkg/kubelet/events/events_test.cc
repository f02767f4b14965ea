#include "pkg/kubelet/events/events.h"

#include <boost/test/unit_test.hpp>

namespace knarr::kubelet {
namespace {

BOOST_AUTO_TEST_SUITE(events)

BOOST_AUTO_TEST_CASE(identical_events_count_up_and_move_to_the_end) {
  FakeClock clock;
  EventStore store(clock, Logger());
  const ObjectRef web{.kind = "Pod", .ns = "default", .name = "web", .uid = "1", .field_path = ""};
  store.Record(web, EventType::kWarning, "BackOff", "Back-off restarting failed container");
  clock.Advance(std::chrono::seconds(1));
  store.Record(web, EventType::kNormal, "Pulled", "image is there");
  clock.Advance(std::chrono::seconds(1));
  store.Record(web, EventType::kWarning, "BackOff", "Back-off restarting failed container");
  const auto events = store.List("default", "web");
  BOOST_REQUIRE(events.size() == 2u);
  BOOST_TEST(events[1].reason == "BackOff");
  BOOST_TEST(events[1].count == 2);
  BOOST_TEST((events[1].last_seen - events[1].first_seen == std::chrono::seconds(2)));
}

BOOST_AUTO_TEST_CASE(memory_is_bounded_in_objects_and_events) {
  FakeClock clock;
  EventStore store(clock, Logger(), 3, 2);
  for (int pod = 0; pod < 10; ++pod) {
    for (int i = 0; i < 5; ++i) {
      clock.Advance(std::chrono::seconds(1));
      store.Record({.kind = "Pod", .ns = "ns", .name = std::to_string(pod), .uid = "", .field_path = ""}, EventType::kNormal,
                   "R", std::to_string(i));
    }
  }
  BOOST_TEST(store.List("", "").size() == 6u);
  BOOST_TEST(store.List("ns", "9").back().message == "4");
  BOOST_TEST(store.List("ns", "0").empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::kubelet
