#include "pkg/apiserver/registry/policy/kinds.h"

#include <fmt/format.h>

#include <boost/test/unit_test.hpp>

#include "pkg/apiserver/registry/test_kinds.h"

namespace knarr::registry {
namespace {

BOOST_AUTO_TEST_SUITE(policy_kinds)

BOOST_AUTO_TEST_CASE(budgets) {
  TestKinds kinds(PolicyKinds({}));
  BOOST_TEST(kinds.Get("poddisruptionbudgets").storage_version == "policy/v1beta1");
  BOOST_TEST(kinds.Get("poddisruptionbudgets").storage_prefix == "/registry/poddisruptionbudgets/");
  BOOST_TEST(kinds.CreateErrors("poddisruptionbudgets", "spec: {minAvailable: 1, selector: {matchLabels: {a: b}}}") ==
             "");
  BOOST_TEST(kinds.CreateErrors("poddisruptionbudgets",
                                "spec: {minAvailable: -1, maxUnavailable: 200%, unhealthyPodEvictionPolicy: X}") ==
             "spec: Invalid value: policy.PodDisruptionBudgetSpec{...}: minAvailable and maxUnavailable cannot be both "
             "set\n"
             "spec.minAvailable: Invalid value: -1: must be greater than or equal to 0\n"
             "spec.maxUnavailable: Invalid value: intstr.IntOrString{Type:1, IntVal:0, StrVal:\"200%\"}: must not be "
             "greater than 100%\n"
             "spec.unhealthyPodEvictionPolicy: Unsupported value: \"X\": supported values: \"AlwaysAllow\", "
             "\"IfHealthyBudget\"");
  BOOST_TEST(kinds.UpdateErrors("poddisruptionbudgets", "status", "status: {currentHealthy: -1}", "spec: {}") ==
             "status.currentHealthy: Invalid value: -1: must be greater than or equal to 0");
  BOOST_TEST(kinds.Row("poddisruptionbudgets",
                       "metadata: {name: b}\nspec: {minAvailable: 50%}\nstatus: {disruptionsAllowed: 2}") ==
             "b | 50% | N/A | 2 | <unknown>");
}

BOOST_AUTO_TEST_CASE(the_label_of_v1beta1_is_taken_out) {
  TestKinds kinds(PolicyKinds({}));
  constexpr std::string_view kLabel = "pdb.kubernetes.io/deprecated-v1beta1-empty-selector-match";
  const auto selector = [&](std::string_view rest) {
    return kinds.CreatedYaml(
        "poddisruptionbudgets",
        fmt::format("spec: {{selector: {{matchExpressions: [{{key: {}, operator: Exists}}]{}}}}}", kLabel, rest));
  };
  BOOST_TEST(selector("").find(kLabel) != std::string::npos);
  BOOST_TEST(selector(", matchLabels: {a: b}").find(kLabel) == std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::registry
