#include "pkg/base/workqueue.h"

#include <boost/test/unit_test.hpp>

namespace knarr {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

BOOST_AUTO_TEST_SUITE(workqueue)

BOOST_AUTO_TEST_CASE(a_key_added_twice_runs_once) {
  FakeClock clock;
  WorkQueue queue(clock);
  queue.Add("a");
  queue.Add("a");
  BOOST_TEST(queue.TryGet().value() == "a");
  BOOST_TEST(!queue.TryGet().has_value());
}

BOOST_AUTO_TEST_CASE(a_key_added_while_processed_runs_again_after_done_not_before) {
  FakeClock clock;
  WorkQueue queue(clock);
  queue.Add("a");
  BOOST_TEST(queue.TryGet().value() == "a");
  queue.Add("a");
  BOOST_TEST(!queue.TryGet().has_value());
  queue.Done("a");
  BOOST_TEST(queue.TryGet().value() == "a");
}

BOOST_AUTO_TEST_CASE(the_earliest_delayed_add_wins) {
  FakeClock clock;
  WorkQueue queue(clock);
  queue.AddAfter("a", seconds(10));
  queue.AddAfter("a", seconds(2));
  queue.AddAfter("a", seconds(5));
  clock.Advance(seconds(1));
  BOOST_TEST(queue.Length() == 0u);
  clock.Advance(seconds(1));
  BOOST_TEST(queue.TryGet().value() == "a");
  queue.Done("a");
  clock.Advance(seconds(20));
  BOOST_TEST(queue.Length() == 0u);
  BOOST_TEST(clock.Pending() == 0u);
}

BOOST_AUTO_TEST_CASE(back_off_doubles_up_to_the_cap_and_forget_resets_it) {
  FakeClock clock;
  WorkQueue queue(clock, {.base_delay = milliseconds(10), .max_delay = milliseconds(40)});
  for (const int wait : {10, 20, 40, 40}) {
    queue.AddRateLimited("a");
    clock.Advance(milliseconds(wait) - milliseconds(1));
    BOOST_TEST(queue.Length() == 0u);
    clock.Advance(milliseconds(1));
    BOOST_TEST(queue.TryGet().value() == "a");
    queue.Done("a");
  }
  BOOST_TEST(queue.Failures("a") == 4);
  queue.Forget("a");
  queue.AddRateLimited("a");
  clock.Advance(milliseconds(10));
  BOOST_TEST(queue.TryGet().value() == "a");
}

BOOST_AUTO_TEST_CASE(shut_down_wakes_getters) {
  FakeClock clock;
  WorkQueue queue(clock);
  queue.ShutDown();
  BOOST_TEST(!queue.Get().has_value());
  queue.Add("a");
  BOOST_TEST(queue.Length() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr
