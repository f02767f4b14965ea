#include "pkg/apiserver/registry/node/kinds.h"

#include <boost/test/unit_test.hpp>

#include "pkg/apiserver/registry/test_kinds.h"

namespace knarr::registry {
namespace {

BOOST_AUTO_TEST_CASE(runtime_classes) {
  TestKinds kinds(NodeGroupKinds({}));
  BOOST_TEST(kinds.Get("runtimeclasses").storage_version == "node.k8s.io/v1beta1");
  BOOST_TEST(kinds.CreateErrors("runtimeclasses", "handler: runc\noverhead: {podFixed: {cpu: 10m}}") == "");
  BOOST_TEST(kinds.CreateErrors("runtimeclasses",
                                "handler: runc\nscheduling: {tolerations: [{key: a, operator: Exists}, "
                                "{key: a, operator: Exists}]}") ==
             "scheduling.tolerations[1]: Duplicate value: core.Toleration{Key:\"a\", Operator:\"Exists\", Value:\"\", "
             "Effect:\"\", TolerationSeconds:(*int64)(nil)}");
  BOOST_TEST(kinds.UpdateErrors("runtimeclasses", "", "handler: b", "handler: a") ==
             "handler: Invalid value: \"b\": field is immutable");
  BOOST_TEST(kinds.Row("runtimeclasses", "metadata: {name: r}\nhandler: runc") == "r | runc | <unknown>");
  BOOST_TEST(kinds.Get("runtimeclasses").FindVersion("v1beta1")->deprecation_warning ==
             "node.k8s.io/v1beta1 RuntimeClass is deprecated in v1.22+, unavailable in v1.25+");
}

}  // namespace
}  // namespace knarr::registry
