#include <boost/test/unit_test.hpp>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "k8s.io/api/rbac/v1/generated.pb.h"
#include "pkg/api/types.h"
#include "pkg/apiserver/auth/authz/authz.h"
#include "pkg/apiserver/auth/authz/bootstrap.h"
#include "pkg/apiserver/auth/authz/bootstrap_table.h"
#include "pkg/apiserver/registry/fake/fake_access.h"

namespace knarr::auth {
namespace {

namespace pb = ::k8s::io::api::rbac::v1;
using registry::FakeAccess;
using registry::GroupResource;

constexpr GroupResource kClusterRoles{"rbac.authorization.k8s.io", "clusterroles"};
constexpr GroupResource kRoles{"rbac.authorization.k8s.io", "roles"};
constexpr GroupResource kClusterRoleBindings{"rbac.authorization.k8s.io", "clusterrolebindings"};
constexpr GroupResource kRoleBindings{"rbac.authorization.k8s.io", "rolebindings"};

Attributes Resource(const UserInfo& user, std::string verb, std::string resource, std::string ns = "",
                    std::string name = "", std::string group = "") {
  Attributes a{.user = &user, .verb = std::move(verb), .resource_request = true, .api_group = std::move(group)};
  if (const size_t slash = resource.find('/'); slash != std::string::npos) {
    a.subresource = resource.substr(slash + 1);
    resource.resize(slash);
  }
  a.resource = std::move(resource);
  a.name = std::move(name);
  a.namespace_ = std::move(ns);
  return a;
}

struct Fixture {
  FakeAccess access;
  AuthorizerPtr rbac = NewRbacAuthorizer(access);
  UserInfo jane{.name = "jane", .groups = {"dev", "system:authenticated"}};
  UserInfo web{.name = "system:serviceaccount:shop:web", .groups = {"system:serviceaccounts"}};

  Verdict Ask(const Attributes& a) { return rbac->Authorize(Context::Background(), a); }
  bool May(const Attributes& a) { return Ask(a).decision == Decision::kAllow; }
  void ClusterRole(const std::string& name, const std::string& rules) {
    access.Put<pb::ClusterRole>(kClusterRoles, fmt::format("metadata {{ name: '{}' }} {}", name, rules));
  }
  void Bind(const std::string& name, const std::string& ns, const std::string& role, const std::string& subject,
            const std::string& kind = "ClusterRole") {
    const std::string text =
        fmt::format("metadata {{ name: '{}' namespace: '{}' }} roleRef {{ kind: '{}' name: '{}' }} subjects {{ {} }}",
                    name, ns, kind, role, subject);
    if (ns.empty()) {
      access.Put<pb::ClusterRoleBinding>(kClusterRoleBindings, text);
    } else {
      access.Put<pb::RoleBinding>(kRoleBindings, text);
    }
  }
};

BOOST_FIXTURE_TEST_SUITE(rbac_authorizer, Fixture)

BOOST_AUTO_TEST_CASE(rules_match_as_upstreams) {
  ClusterRole("r", R"(
    rules { verbs: "get" apiGroups: "" resources: "pods" resources: "pods/log" }
    rules { verbs: "update" apiGroups: "*" resources: "*/scale" }
    rules { verbs: "*" apiGroups: "batch" resources: "jobs" resourceNames: "a" resourceNames: "b" }
    rules { verbs: "list" apiGroups: "all" resources: "*" }
    rules { verbs: "get" nonResourceURLs: "/healthz" nonResourceURLs: "/logs/*" })");
  Bind("b", "", "r", "kind: 'User' name: 'jane'");
  struct Case {
    Attributes attributes;
    bool allowed;
  };
  const std::vector<Case> cases = {
      {Resource(jane, "get", "pods", "default", "x"), true},
      {Resource(jane, "get", "pods/log", "default", "x"), true},
      {Resource(jane, "get", "pods/exec", "default", "x"), false},
      {Resource(jane, "get", "pods", "default", "x", "apps"), false},
      {Resource(jane, "list", "pods"), false},
      {Resource(jane, "update", "deployments/scale", "d", "x", "apps"), true},
      {Resource(jane, "update", "deployments", "d", "x", "apps"), false},
      {Resource(jane, "update", "scale", "d", "x", "apps"), false},
      {Resource(jane, "delete", "jobs", "d", "a", "batch"), true},
      {Resource(jane, "delete", "jobs", "d", "c", "batch"), false},
      {Resource(jane, "create", "jobs", "d", "", "batch"), false},
      {Resource(jane, "list", "anything/at-all", "", "", "all"), true},
      {Resource(web, "get", "pods", "default", "x"), false},
      {{.user = &jane, .verb = "get", .path = "/healthz"}, true},
      {{.user = &jane, .verb = "get", .path = "/healthz/x"}, false},
      {{.user = &jane, .verb = "get", .path = "/logs/a/b"}, true},
      {{.user = &jane, .verb = "get", .path = "/logs"}, false},
      {{.user = &jane, .verb = "post", .path = "/healthz"}, false},
      {{.user = &jane, .verb = "get", .path = "pods"}, false},
  };
  for (size_t i = 0; i < cases.size(); ++i) BOOST_TEST(May(cases[i].attributes) == cases[i].allowed, i);
}

BOOST_AUTO_TEST_CASE(bindings_reach_their_subjects_and_their_namespace_only) {
  ClusterRole("pods", R"(rules { verbs: "get" apiGroups: "" resources: "pods" })");
  access.Put<pb::Role>(kRoles, R"(metadata { name: "pods" namespace: "shop" }
                                  rules { verbs: "list" apiGroups: "" resources: "pods" })");
  Bind("g", "shop", "pods", "kind: 'Group' name: 'dev'");
  BOOST_TEST(May(Resource(jane, "get", "pods", "shop", "x")));
  BOOST_TEST(!May(Resource(jane, "get", "pods", "other", "x")));
  BOOST_TEST(!May(Resource(jane, "get", "pods", "", "x")));
  BOOST_TEST(!May(Resource(jane, "list", "pods", "shop")));
  // A role of the same name in the namespace; an account without namespace is of the binding's.
  Bind("a", "shop", "pods", "kind: 'ServiceAccount' name: 'web'", "Role");
  BOOST_TEST(May(Resource(web, "list", "pods", "shop")));
  BOOST_TEST(!May(Resource(web, "get", "pods", "shop")));
  // Names of another kind of subject are not the same.
  Bind("u", "", "pods", "kind: 'User' name: 'dev'");
  BOOST_TEST(!May(Resource(jane, "get", "pods", "other", "x")));
  // Without a namespace there is no account.
  Bind("c", "", "pods", "kind: 'ServiceAccount' name: 'web'");
  BOOST_TEST(!May(Resource(web, "get", "pods", "other", "x")));
}

BOOST_AUTO_TEST_CASE(reasons_name_the_binding_or_the_missing_role) {
  ClusterRole("pods", R"(rules { verbs: "get" apiGroups: "" resources: "pods" })");
  Bind("b", "", "pods", "kind: 'Group' name: 'dev'");
  Bind("nb", "shop", "pods", "kind: 'ServiceAccount' name: 'web'");
  BOOST_TEST(Ask(Resource(jane, "get", "pods")).reason ==
             R"(RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "pods" to Group "dev")");
  BOOST_TEST(Ask(Resource(web, "get", "pods", "shop")).reason ==
             R"(RBAC: allowed by RoleBinding "nb/shop" of ClusterRole "pods" to ServiceAccount "web/shop")");
  BOOST_TEST(Ask(Resource(jane, "list", "pods")).reason == "");
  Bind("gone", "", "nope", "kind: 'User' name: 'jane'");
  BOOST_TEST(Ask(Resource(jane, "list", "pods")).reason ==
             R"(RBAC: clusterrole.rbac.authorization.k8s.io "nope" not found)");
  BOOST_TEST((Ask(Resource(jane, "list", "pods")).decision == Decision::kNoOpinion));
}

BOOST_AUTO_TEST_CASE(changes_are_seen_at_once) {
  ClusterRole("pods", R"(rules { verbs: "get" apiGroups: "" resources: "pods" })");
  BOOST_TEST(!May(Resource(jane, "get", "pods")));
  Bind("b", "", "pods", "kind: 'User' name: 'jane'");
  BOOST_TEST(May(Resource(jane, "get", "pods")));
  ClusterRole("pods", R"(rules { verbs: "list" apiGroups: "" resources: "pods" })");
  BOOST_TEST(!May(Resource(jane, "get", "pods")));
  BOOST_REQUIRE(access.Delete(Context::Background(), kClusterRoleBindings, "", "b", "").ok());
  BOOST_TEST(!May(Resource(jane, "list", "pods")));
}

BOOST_AUTO_TEST_CASE(rules_are_listed_for_a_user) {
  ClusterRole("r", R"(rules { verbs: "get" apiGroups: "" resources: "pods" }
                      rules { verbs: "get" nonResourceURLs: "/version" })");
  Bind("b", "", "r", "kind: 'User' name: 'jane'");
  Bind("n", "shop", "nope", "kind: 'User' name: 'jane'");
  const Rules rules = rbac->RulesFor(Context::Background(), jane, "shop");
  BOOST_REQUIRE(rules.resource.size() == 1u);
  BOOST_TEST(rules.resource[0].resources[0] == "pods");
  BOOST_REQUIRE(rules.non_resource.size() == 1u);
  BOOST_TEST(rules.error == R"(clusterrole.rbac.authorization.k8s.io "nope" not found)");
  BOOST_TEST(rbac->RulesFor(Context::Background(), web, "shop").resource.empty());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(modes, Fixture)

BOOST_AUTO_TEST_CASE(masters_may_everything_and_modes_are_asked_in_order) {
  FakeClock clock;
  const UserInfo master{.name = "root", .groups = {"system:masters"}};
  const auto deny = *NewAuthorizer({"AlwaysDeny"}, access, clock);
  BOOST_TEST((deny->Authorize(Context::Background(), Resource(master, "get", "x")).decision == Decision::kAllow));
  const Verdict no = deny->Authorize(Context::Background(), Resource(jane, "get", "x"));
  BOOST_TEST((no.decision == Decision::kNoOpinion));
  BOOST_TEST(no.reason == "Everything is forbidden.");
  const auto all = *NewAuthorizer({"Node", "RBAC", "AlwaysAllow"}, access, clock);
  BOOST_TEST((all->Authorize(Context::Background(), Resource(jane, "get", "x")).decision == Decision::kAllow));
  BOOST_TEST(NewAuthorizer({"Webhook"}, access, clock).status().message() ==
             "authorization-mode \"Webhook\" is not supported yet");
  BOOST_TEST(NewAuthorizer({"Nope"}, access, clock).status().message() ==
             "authorization-mode \"Nope\" is not a valid mode");
  BOOST_TEST(NewAuthorizer({"RBAC", "RBAC"}, access, clock).status().message() ==
             "authorization-mode [\"RBAC\" \"RBAC\"] has mode specified more than once");
  BOOST_TEST(!NewAuthorizer({}, access, clock).ok());
}

BOOST_AUTO_TEST_CASE(refusals_are_worded_as_upstreams) {
  BOOST_TEST(
      Forbidden(Resource(jane, "get", "pods", "default", "web"), "").message() ==
      R"(pods "web" is forbidden: User "jane" cannot get resource "pods" in API group "" in the namespace "default")");
  BOOST_TEST(
      Forbidden(Resource(jane, "list", "deployments/scale", "", "", "apps"), "because").message() ==
      R"(deployments.apps is forbidden: User "jane" cannot list resource "deployments/scale" in API group "apps" at the cluster scope: because)");
  const UserInfo odd{.name = "<b>"};
  const Status path = Forbidden({.user = &odd, .verb = "get", .path = "/healthz"}, "");
  BOOST_TEST(path.message() == R"(forbidden: User "&lt;b&gt;" cannot get path "/healthz")");
  BOOST_TEST(path.Is(Code::kForbidden));
  BOOST_REQUIRE(Forbidden(Resource(jane, "get", "pods", "d", "web"), "").details() != nullptr);
  BOOST_TEST(Forbidden(Resource(jane, "get", "pods", "d", "web"), "").details()->name == "web");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(bootstrap_policy, Fixture)

BOOST_AUTO_TEST_CASE(the_table_makes_upstreams_objects) {
  BOOST_REQUIRE(EnsureBootstrapPolicy(Context::Background(), access).ok());
  const auto admin = access.Find(kClusterRoles, "", "cluster-admin");
  BOOST_REQUIRE(admin);
  const auto& role = admin->As<pb::ClusterRole>();
  BOOST_REQUIRE(role.rules_size() == 2);
  BOOST_TEST(role.rules(0).apigroups(0) == "*");
  BOOST_TEST(role.rules(1).nonresourceurls(0) == "*");
  BOOST_TEST(role.rules(1).apigroups_size() == 0);
  BOOST_TEST(role.metadata().labels().at("kubernetes.io/bootstrapping") == "rbac-defaults");
  BOOST_TEST(role.metadata().annotations().at("rbac.authorization.kubernetes.io/autoupdate") == "true");
  const auto& edit = access.Find(kClusterRoles, "", "edit")->As<pb::ClusterRole>();
  BOOST_TEST(edit.aggregationrule().clusterroleselectors(0).matchlabels().at(
                 "rbac.authorization.k8s.io/aggregate-to-edit") == "true");
  BOOST_TEST(edit.metadata().labels().at("rbac.authorization.k8s.io/aggregate-to-admin") == "true");
  const auto& node = access.Find(kClusterRoleBindings, "", "system:node")->As<pb::ClusterRoleBinding>();
  BOOST_TEST(node.subjects_size() == 0);
  BOOST_TEST(access.Find({"", "namespaces"}, "", "kube-public"));
  BOOST_TEST(access.Find(kRoleBindings, "kube-system", "system:controller:token-cleaner"));

  const int writes = access.writes();
  BOOST_REQUIRE(EnsureBootstrapPolicy(Context::Background(), access).ok());
  BOOST_TEST(access.writes() == writes);

  const UserInfo kcm{.name = "system:kube-controller-manager", .groups = {"system:authenticated"}};
  const UserInfo nobody{.name = "system:anonymous", .groups = {"system:unauthenticated"}};
  const UserInfo gc{.name = "system:serviceaccount:kube-system:generic-garbage-collector"};
  BOOST_TEST(May(Resource(kcm, "create", "serviceaccounts/token", "kube-system", "x")));
  BOOST_TEST(May(Resource(kcm, "update", "leases", "kube-system", "kube-controller-manager", "coordination.k8s.io")));
  BOOST_TEST(!May(Resource(kcm, "update", "leases", "kube-system", "kube-scheduler", "coordination.k8s.io")));
  BOOST_TEST(May(Resource(kcm, "get", "configmaps", "kube-system", "extension-apiserver-authentication")));
  BOOST_TEST(May(Resource(gc, "delete", "anything", "x", "y", "any.group")));
  BOOST_TEST(May({.user = &nobody, .verb = "get", .path = "/version"}));
  BOOST_TEST(!May({.user = &nobody, .verb = "get", .path = "/api"}));
  BOOST_TEST(May({.user = &jane, .verb = "get", .path = "/apis/apps/v1"}));
  BOOST_TEST(May(Resource(jane, "create", "selfsubjectaccessreviews", "", "", "authorization.k8s.io")));
  BOOST_TEST(!May(Resource(jane, "get", "pods", "default")));
}

BOOST_AUTO_TEST_CASE(what_people_changed_stays_and_what_is_missing_is_added) {
  ClusterRole("system:kube-dns", R"(rules { verbs: "list" apiGroups: "" resources: "endpoints" resources: "services" }
                                    rules { verbs: "get" apiGroups: "" resources: "pods" })");
  Bind("system:kube-dns", "", "system:kube-dns", "kind: 'User' name: 'jane' apiGroup: 'rbac.authorization.k8s.io'");
  access.Put<pb::ClusterRole>(kClusterRoles, R"(metadata { name: "system:kube-aggregator" annotations {
      key: "rbac.authorization.kubernetes.io/autoupdate" value: "false" } })");
  Bind("system:node-proxier", "", "other", "kind: 'User' name: 'jane'");
  BOOST_REQUIRE(EnsureBootstrapPolicy(Context::Background(), access).ok());
  const auto& role = access.Find(kClusterRoles, "", "system:kube-dns")->As<pb::ClusterRole>();
  BOOST_TEST(role.rules_size() == 4);  // two of people, watch of endpoints and of services
  BOOST_TEST(role.rules(1).resources(0) == "pods");
  BOOST_TEST(role.rules(2).verbs(0) == "watch");
  BOOST_TEST(access.Find(kClusterRoles, "", "system:kube-aggregator")->As<pb::ClusterRole>().rules_size() == 0);
  const auto dns = access.Find(kClusterRoleBindings, "", "system:kube-dns");
  BOOST_TEST(dns->As<pb::ClusterRoleBinding>().roleref().apigroup() == "rbac.authorization.k8s.io");
  const auto proxier = access.Find(kClusterRoleBindings, "", "system:node-proxier");
  BOOST_TEST(proxier->As<pb::ClusterRoleBinding>().roleref().name() == "system:node-proxier");
  BOOST_TEST(proxier->As<pb::ClusterRoleBinding>().subjects_size() == 1);
}

BOOST_AUTO_TEST_CASE(an_error_does_not_keep_the_rest_from_being_made) {
  access.FailWrites({Error(Code::kTimeout, "slow")});
  const Status status = EnsureBootstrapPolicy(Context::Background(), access);
  BOOST_TEST(status.message() == "unable to reconcile clusterrole admin: slow");
  BOOST_TEST(access.Find(kClusterRoles, "", "view"));
  BOOST_TEST(EnsureBootstrapPolicy(Context::Background(), access).ok());
  BOOST_TEST(access.Find(kClusterRoles, "", "admin"));
}

BOOST_AUTO_TEST_CASE(every_line_of_the_table_is_a_rule_with_sorted_verbs) {
  for (const bootstrap::RoleRow& row : bootstrap::Roles()) {
    for (const rbac::Rule& rule : bootstrap::ParseRules(row.rules)) {
      BOOST_TEST(!rule.verbs.empty(), row.name);
      BOOST_TEST(std::is_sorted(rule.verbs.begin(), rule.verbs.end()), row.name << " " << rbac::Describe(rule));
      BOOST_TEST(std::is_sorted(rule.resources.begin(), rule.resources.end()), row.name << " " << rbac::Describe(rule));
      BOOST_TEST((rule.urls.empty() != rule.resources.empty()), row.name);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::auth
