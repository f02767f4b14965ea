#include "pkg/kubelet/housekeeping.h"

#include <atomic>
#include <condition_variable>
#include <mutex>

#include <boost/test/unit_test.hpp>

#include "pkg/kubelet/podworker/test_fakes.h"

namespace knarr::kubelet {
namespace {

using std::chrono::hours;

struct Node {
  FakeClock clock;
  FakeManager runtime;
  FakeVolumes volumes;
  FakeCgroups cgroups;
};

BOOST_AUTO_TEST_SUITE(housekeeping)

BOOST_AUTO_TEST_CASE(the_certificate_is_looked_at_every_day) {
  Node node;
  std::mutex mutex;
  std::condition_variable changed;
  int renewed = 0;
  Housekeeping housekeeping({.log_interval = hours(24 * 365),
                             .image_interval = hours(24 * 365),
                             .image_policy = {},
                             .renew_certificate =
                                 [&] {
                                   const std::lock_guard lock(mutex);
                                   ++renewed;
                                   changed.notify_all();
                                 }},
                            node.runtime, node.volumes, node.cgroups, node.clock, Logger());
  const auto pending = node.clock.Pending();
  housekeeping.Start();
  BOOST_TEST(node.clock.Pending() == pending + 3);
  node.clock.Advance(hours(23));
  BOOST_TEST(renewed == 0);
  node.clock.Advance(hours(1));
  std::unique_lock lock(mutex);
  BOOST_TEST(changed.wait_for(lock, std::chrono::seconds(20), [&] { return renewed == 1; }));
}

BOOST_AUTO_TEST_CASE(a_configured_certificate_is_left_alone) {
  Node node;
  Housekeeping housekeeping({.image_policy = {}}, node.runtime, node.volumes, node.cgroups, node.clock, Logger());
  housekeeping.Start();
  BOOST_TEST(node.clock.Pending() == 2u);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::kubelet
