#include "pkg/apiserver/registry/rbac/kinds.h"

#include <boost/test/unit_test.hpp>

#include "pkg/apiserver/registry/test_kinds.h"

namespace knarr::registry {
namespace {

BOOST_AUTO_TEST_SUITE(rbac_kinds)

BOOST_AUTO_TEST_CASE(roles) {
  TestKinds kinds(RbacKinds({}));
  BOOST_TEST(kinds.CreateErrors("roles", "rules: [{verbs: [get], apiGroups: [''], resources: [pods]}]") == "");
  BOOST_TEST(kinds.CreateErrors("roles", "rules: [{}, {verbs: [get], nonResourceURLs: [/a], resources: [b]}]") ==
             "rules[0].verbs: Required value: verbs must contain at least one value\n"
             "rules[0].apiGroups: Required value: resource rules must supply at least one api group\n"
             "rules[0].resources: Required value: resource rules must supply at least one resource\n"
             "rules[1].nonResourceURLs: Invalid value: []string{\"/a\"}: namespaced rules cannot apply to "
             "non-resource URLs\n"
             "rules[1].nonResourceURLs: Invalid value: []string{\"/a\"}: rules cannot apply to both regular resources "
             "and non-resource URLs");
  BOOST_TEST(kinds.CreateErrors("clusterroles", "aggregationRule: {}") ==
             "aggregationRule.clusterRoleSelectors: Required value: at least one clusterRoleSelector required if "
             "aggregationRule is non-nil");
  BOOST_TEST(kinds.Row("clusterroles", "metadata: {name: r, creationTimestamp: '2023-11-14T22:11:20Z'}") ==
             "r | 2023-11-14T22:11:20Z");
  BOOST_TEST(kinds.Get("roles").storage_prefix == "/registry/roles/");
  BOOST_TEST(kinds.Get("roles").name_validator("system:a", false).empty());
  BOOST_TEST(!kinds.Get("roles").name_validator("a/b", false).empty());
  BOOST_TEST(kinds.Get("roles").FindVersion("v1beta1")->deprecation_warning ==
             "rbac.authorization.k8s.io/v1beta1 Role is deprecated in v1.17+, unavailable in v1.22+; use "
             "rbac.authorization.k8s.io/v1 Role");
}

BOOST_AUTO_TEST_CASE(bindings) {
  TestKinds kinds(RbacKinds({}));
  constexpr std::string_view kBinding = R"(
metadata: {name: b}
roleRef: {kind: ClusterRole, name: edit}
subjects: [{kind: User, name: u}, {kind: Group, name: g}, {kind: ServiceAccount, name: s, namespace: ns}, {kind: User, name: w}]
)";
  BOOST_TEST(kinds.CreateErrors("rolebindings", kBinding) == "");
  BOOST_TEST(kinds.Row("rolebindings", kBinding) == "b | ClusterRole/edit | <unknown> | u, w | g | ns/s");
  BOOST_TEST(
      kinds.CreateErrors("clusterrolebindings",
                         "roleRef: {kind: Role}\nsubjects: [{kind: ServiceAccount, name: A}, {kind: Robot}]") ==
      "roleRef.kind: Unsupported value: \"Role\": supported values: \"ClusterRole\"\n"
      "roleRef.name: Required value\n"
      "subjects[0].name: Invalid value: \"A\": a lowercase RFC 1123 subdomain must consist of lower case "
      "alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. "
      "'example.com', regex used for validation is "
      "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')\n"
      "subjects[0].namespace: Required value\n"
      "subjects[1].name: Required value\n"
      "subjects[1].kind: Unsupported value: \"Robot\": supported values: \"ServiceAccount\", \"User\", \"Group\"");
  BOOST_TEST(
      kinds.UpdateErrors("rolebindings", "", "roleRef: {kind: Role, name: b}", "roleRef: {kind: Role, name: a}") ==
      "roleRef: Invalid value: rbac.RoleRef{APIGroup:\"rbac.authorization.k8s.io\", Kind:\"Role\", "
      "Name:\"b\"}: cannot change roleRef");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::registry
