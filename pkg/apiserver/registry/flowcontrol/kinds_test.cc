#include "pkg/apiserver/registry/flowcontrol/kinds.h"

#include <boost/test/unit_test.hpp>

#include "pkg/apiserver/registry/test_kinds.h"

namespace knarr::registry {
namespace {

constexpr std::string_view kSchemas = "flowschemas";
constexpr std::string_view kLevels = "prioritylevelconfigurations";

BOOST_AUTO_TEST_SUITE(flowcontrol_kinds)

BOOST_AUTO_TEST_CASE(flow_schemas) {
  TestKinds kinds(FlowcontrolKinds({}));
  BOOST_TEST(kinds.Get(kSchemas).storage_version == "flowcontrol.apiserver.k8s.io/v1beta1");
  constexpr std::string_view kGood = R"(
metadata: {name: s}
spec:
  priorityLevelConfiguration: {name: global-default}
  distinguisherMethod: {type: ByUser}
  rules:
  - subjects: [{kind: User, user: {name: ann}}]
    resourceRules: [{verbs: ['*'], apiGroups: [''], resources: [pods], namespaces: ['*']}]
    nonResourceRules: [{verbs: [get], nonResourceURLs: [/healthz, /api/*]}]
)";
  BOOST_TEST(kinds.CreateErrors(kSchemas, kGood) == "");
  BOOST_TEST(
      kinds.CreateErrors(kSchemas, R"(
spec:
  matchingPrecedence: 1
  rules:
  - {}
  - subjects: [{kind: User, group: {name: g}}, {kind: Robot}, {kind: ServiceAccount, serviceAccount: {name: '*'}}]
    resourceRules: [{verbs: [get, fly], apiGroups: ['*', a]}]
    nonResourceRules: [{verbs: ['*', get], nonResourceURLs: [healthz, /a//b, /a*]}]
)") ==
      "spec.matchingPrecedence: Invalid value: 1: only the schema named 'exempt' may have matchingPrecedence 1\n"
      "spec.priorityLevelConfiguration.name: Required value: must reference a priority level\n"
      "spec.rules[0].subjects: Required value: subjects must contain at least one value\n"
      "spec.rules[0]: Required value: at least one of resourceRules and nonResourceRules has to be non-empty\n"
      "spec.rules[1].subjects[0].user: Required value: user is required when subject kind is 'User'\n"
      "spec.rules[1].subjects[0].group: Forbidden: group is forbidden when subject kind is not 'Group'\n"
      "spec.rules[1].subjects[1].kind: Unsupported value: \"Robot\": supported values: \"Group\", \"ServiceAccount\", "
      "\"User\"\n"
      "spec.rules[1].subjects[2].serviceAccount.namespace: Required value: must specify namespace for service account\n"
      "spec.rules[1].resourceRules[0].verbs: Unsupported value: []string{\"get\", \"fly\"}: supported values: "
      "\"create\", \"delete\", \"deletecollection\", \"get\", \"list\", \"patch\", \"proxy\", \"update\", \"watch\"\n"
      "spec.rules[1].resourceRules[0].apiGroups: Invalid value: []string{\"*\", \"a\"}: if '*' is present, must not "
      "specify other api groups\n"
      "spec.rules[1].resourceRules[0].resources: Required value: resource rules must supply at least one resource\n"
      "spec.rules[1].resourceRules[0].namespaces: Required value: resource rules that are not cluster scoped must "
      "supply at least one namespace\n"
      "spec.rules[1].nonResourceRules[0].verbs: Invalid value: []string{\"*\", \"get\"}: if '*' is present, must not "
      "specify other verbs\n"
      "spec.rules[1].nonResourceRules[0].nonResourceURLs[0]: Invalid value: \"healthz\": must start with slash\n"
      "spec.rules[1].nonResourceRules[0].nonResourceURLs[1]: Invalid value: \"/a//b\": must not contain double slash\n"
      "spec.rules[1].nonResourceRules[0].nonResourceURLs[2]: Invalid value: \"/a*\": wildcard can only do suffix "
      "matching");
  BOOST_TEST(kinds.UpdateErrors(kSchemas, "status", "status: {conditions: [{type: a}, {type: a}, {}]}", kGood) ==
             "status.conditions[1].type: Duplicate value: \"a\"\n"
             "status.conditions[2].type: Required value: must not be empty");
  BOOST_TEST(kinds.Header(kSchemas) ==
             "Name | PriorityLevel | MatchingPrecedence | DistinguisherMethod | Age | MissingPL");
  BOOST_TEST(kinds.Row(kSchemas, kGood) == "s | global-default | 1000 | ByUser | <unknown> | ?");
}

BOOST_AUTO_TEST_CASE(priority_levels) {
  TestKinds kinds(FlowcontrolKinds({}));
  constexpr std::string_view kGood =
      "metadata: {name: l}\nspec: {type: Limited, limited: {limitResponse: {type: Queue, queuing: {}}}}";
  BOOST_TEST(kinds.CreateErrors(kLevels, kGood) == "");
  BOOST_TEST(kinds.CreateErrors(kLevels, "spec: {type: Exempt, limited: {}}") ==
             "spec.type: Invalid value: \"Exempt\": type must be 'Exempt' if and only if name is 'exempt'\n"
             "spec.limited: Forbidden: must be nil if the type is not Limited");
  BOOST_TEST(kinds.CreateErrors(kLevels,
                                "spec: {type: Limited, limited: {nominalConcurrencyShares: -1, lendablePercent: "
                                "101, borrowingLimitPercent: -1, limitResponse: {type: Queue, queuing: {queues: "
                                "100000, handSize: 9}}}}") ==
             "spec.limited.nominalConcurrencyShares: Invalid value: -1: must be a non-negative integer\n"
             "spec.limited.limitResponse.queuing.handSize: Invalid value: 9: required entropy bits of deckSize 100000 "
             "and handSize 9 should not be greater than 60\n"
             "spec.limited.lendablePercent: Invalid value: 101: must be between 0 and 100, inclusive\n"
             "spec.limited.borrowingLimitPercent: Invalid value: -1: if specified, must be a non-negative integer");
  BOOST_TEST(kinds.Row(kLevels, kGood) == "l | Limited | 30 | 64 | 8 | 50 | <unknown>");
  BOOST_TEST(kinds.Row(kLevels, "metadata: {name: exempt}\nspec: {type: Exempt}") ==
             "exempt | Exempt | <none> | <none> | <none> | <none> | <unknown>");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::registry
