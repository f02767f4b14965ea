#include "pkg/apiserver/registry/scheduling/kinds.h"

#include <boost/test/unit_test.hpp>

#include "pkg/apiserver/registry/coordination/kinds.h"
#include "pkg/apiserver/registry/test_kinds.h"

namespace knarr::registry {
namespace {

BOOST_AUTO_TEST_SUITE(scheduling_kinds)

BOOST_AUTO_TEST_CASE(priority_classes) {
  TestKinds kinds(SchedulingKinds({}));
  BOOST_TEST(kinds.CreateErrors("priorityclasses", "metadata: {name: high}\nvalue: 1000000000") == "");
  BOOST_TEST(kinds.CreateErrors("priorityclasses", "metadata: {name: high}\nvalue: 1000000001") ==
             "value: Forbidden: maximum allowed value of a user defined priority is 1000000000");
  BOOST_TEST(kinds.CreateErrors("priorityclasses", "metadata: {name: system-node-critical}\nvalue: 2000001000") == "");
  BOOST_TEST(kinds.CreateErrors("priorityclasses", "metadata: {name: system-mine}\nvalue: 1") ==
             "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. "
             "error: system-mine is not a known system priority class");
  BOOST_TEST(kinds.UpdateErrors("priorityclasses", "", "value: 2\npreemptionPolicy: Never", "value: 1") ==
             "value: Forbidden: may not be changed in an update.\n"
             "preemptionPolicy: Invalid value: \"Never\": field is immutable");
  BOOST_TEST(kinds.Header("priorityclasses") == "Name | Value | Global-Default | Age | PreemptionPolicy");
  BOOST_TEST(kinds.Row("priorityclasses", "metadata: {name: high}\nvalue: 10\nglobalDefault: true") ==
             "high | 10 | true | <unknown> | PreemptLowerPriority");
}

BOOST_AUTO_TEST_CASE(leases) {
  TestKinds kinds(CoordinationKinds({}));
  BOOST_TEST(kinds.CreateErrors("leases", "spec: {leaseDurationSeconds: 0, leaseTransitions: -1}") ==
             "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0\n"
             "spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0");
  BOOST_TEST(kinds.Row("leases", "metadata: {name: l}\nspec: {holderIdentity: h}") == "l | h | <unknown>");
  BOOST_TEST(kinds.Get("leases").strategy->AllowCreateOnUpdate());
  BOOST_TEST(!kinds.Get("leases").strategy->AllowUnconditionalUpdate());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::registry
