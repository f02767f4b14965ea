#include "pkg/apiserver/auth/authz/escalation.h"

#include <boost/test/unit_test.hpp>

#include "k8s.io/api/rbac/v1/generated.pb.h"
#include "pkg/apiserver/auth/authz/authz.h"
#include "pkg/apiserver/registry/fake/fake_access.h"

namespace knarr::auth {
namespace {

namespace pb = ::k8s::io::api::rbac::v1;

template <typename T>
api::Object Make(const std::string& text) {
  auto message = std::make_unique<T>();
  KNARR_CHECK(google::protobuf::TextFormat::ParseFromString(text, message.get()));
  return api::Object(std::move(message));
}

struct Fixture {
  registry::FakeAccess access;
  AuthorizerPtr rbac = NewRbacAuthorizer(access);
  UserInfo jane{.name = "jane", .groups = {"dev"}};
  UserInfo root{.name = "root", .groups = {"system:masters"}};
  registry::RequestContext rc{.ctx = Context::Background(), .user = &jane, .namespace_ = "shop", .access = &access};

  void Grant(const std::string& rules) {
    access.Put<pb::Role>({"rbac.authorization.k8s.io", "roles"}, "metadata { name: 'own' namespace: 'shop' } " + rules);
    access.Put<pb::RoleBinding>({"rbac.authorization.k8s.io", "rolebindings"},
                                "metadata { name: 'own' namespace: 'shop' } roleRef { kind: 'Role' name: 'own' } "
                                "subjects { kind: 'User' name: 'jane' }");
  }
  Status Role(const std::string& text, const api::Object* old = nullptr) {
    return CheckRoleEscalation(rc, rbac.get(), Make<pb::Role>(text), old, false);
  }
  Status Binding(const std::string& role, const std::string& kind = "Role") {
    return CheckBindingEscalation(
        rc, rbac.get(),
        Make<pb::RoleBinding>(fmt::format("metadata {{ name: 'b' }} roleRef {{ apiGroup: 'rbac.authorization.k8s.io' "
                                          "kind: '{}' name: '{}' }} subjects {{ kind: 'User' name: 'joe' }}",
                                          kind, role)),
        nullptr, false);
  }
};

const std::string kPods = "rules { verbs: 'get' verbs: 'list' apiGroups: '' resources: 'pods' }";

BOOST_FIXTURE_TEST_SUITE(escalation, Fixture)

BOOST_AUTO_TEST_CASE(a_role_may_not_say_more_than_its_author_may) {
  const std::string role = "metadata { name: 'r' } " + kPods +
                           "rules { verbs: 'delete' apiGroups: 'apps' resources: 'deployments' resourceNames: 'web' }"
                           "rules { verbs: 'get' nonResourceURLs: '/metrics' }";
  BOOST_TEST(
      Role(role).message() ==
      "roles.rbac.authorization.k8s.io \"r\" is forbidden: user \"jane\" (groups=[\"dev\"]) is attempting to grant "
      "RBAC permissions not currently held:\n"
      "{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"get\" \"list\"]}\n"
      "{APIGroups:[\"apps\"], Resources:[\"deployments\"], ResourceNames:[\"web\"], Verbs:[\"delete\"]}\n"
      "{NonResourceURLs:[\"/metrics\"], Verbs:[\"get\"]}");
  Grant("rules { verbs: 'get' verbs: 'list' apiGroups: '*' resources: '*' }");
  BOOST_TEST(Role("metadata { name: 'r' } " + kPods).ok());
  BOOST_TEST(!Role("metadata { name: 'r' } rules { verbs: '*' apiGroups: '' resources: 'pods' }").ok());
  BOOST_TEST(
      !Role("metadata { name: 'r' } rules { verbs: 'get' verbs: 'create' apiGroups: '' resources: 'pods' }").ok());
  rc.namespace_ = "other";
  BOOST_TEST(!Role("metadata { name: 'r' } " + kPods).ok());
}

BOOST_AUTO_TEST_CASE(names_and_subresources_are_covered_by_what_is_wider_only) {
  Grant(
      "rules { verbs: 'get' apiGroups: '' resources: 'secrets' resourceNames: 'a' resourceNames: 'b' }"
      "rules { verbs: 'update' apiGroups: 'apps' resources: '*/scale' }");
  BOOST_TEST(Role("rules { verbs: 'get' apiGroups: '' resources: 'secrets' resourceNames: 'b' }").ok());
  BOOST_TEST(!Role("rules { verbs: 'get' apiGroups: '' resources: 'secrets' }").ok());
  BOOST_TEST(!Role("rules { verbs: 'get' apiGroups: '' resources: 'secrets' resourceNames: 'c' }").ok());
  BOOST_TEST(Role("rules { verbs: 'update' apiGroups: 'apps' resources: 'deployments/scale' }").ok());
  BOOST_TEST(!Role("rules { verbs: 'update' apiGroups: 'apps' resources: 'deployments' }").ok());
}

BOOST_AUTO_TEST_CASE(masters_the_server_itself_and_escalate_pass) {
  rc.user = &root;
  BOOST_TEST(Role(kPods).ok());
  rc.user = nullptr;
  BOOST_TEST(Role(kPods).ok());
  rc.user = &jane;
  Grant("rules { verbs: 'escalate' apiGroups: 'rbac.authorization.k8s.io' resources: 'roles' resourceNames: 'r' }");
  BOOST_TEST(!Role(kPods).ok());
  rc.name = "r";
  BOOST_TEST(Role(kPods).ok());
  BOOST_TEST(!CheckRoleEscalation(rc, rbac.get(), Make<pb::ClusterRole>(kPods), nullptr, true).ok());
}

BOOST_AUTO_TEST_CASE(what_only_concerns_owners_passes) {
  const api::Object old = Make<pb::Role>("metadata { name: 'r' finalizers: 'f' resourceVersion: '1' } " + kPods);
  BOOST_TEST(Role("metadata { name: 'r' ownerReferences { name: 'o' } resourceVersion: '1' } " + kPods, &old).ok());
  BOOST_TEST(!Role("metadata { name: 'r' labels { key: 'a' value: 'b' } } " + kPods, &old).ok());
}

BOOST_AUTO_TEST_CASE(aggregation_is_for_cluster_admins) {
  const auto aggregated = [] {
    return Make<pb::ClusterRole>("metadata { name: 'r' } aggregationRule { clusterRoleSelectors { } }");
  };
  BOOST_TEST(CheckRoleEscalation(rc, rbac.get(), aggregated(), nullptr, true).message() ==
             "clusterroles.rbac.authorization.k8s.io \"r\" is forbidden: must have cluster-admin privileges to use the "
             "aggregationRule");
  const api::Object old = aggregated();
  BOOST_TEST(!CheckRoleEscalation(rc, rbac.get(), Make<pb::ClusterRole>("metadata { name: 'r' }"), &old, true).ok());
  Grant("rules { verbs: '*' apiGroups: '*' resources: '*' } rules { verbs: '*' nonResourceURLs: '*' }");
  BOOST_TEST(CheckRoleEscalation(rc, rbac.get(), aggregated(), nullptr, true).ok());
}

BOOST_AUTO_TEST_CASE(a_role_is_bound_by_who_has_its_rights_or_may_bind) {
  access.Put<pb::Role>({"rbac.authorization.k8s.io", "roles"}, "metadata { name: 'r' namespace: 'shop' } " + kPods);
  access.Put<pb::ClusterRole>({"rbac.authorization.k8s.io", "clusterroles"}, "metadata { name: 'cr' } " + kPods);
  const Status refused = Binding("r");
  BOOST_TEST(refused.message().starts_with("rolebindings.rbac.authorization.k8s.io \"b\" is forbidden: user \"jane\""));
  BOOST_TEST(!Binding("cr", "ClusterRole").ok());
  BOOST_TEST(Binding("gone").message() == "role.rbac.authorization.k8s.io \"gone\" not found");
  BOOST_TEST(!Binding("r", "Mystery").ok());
  Grant("rules { verbs: 'bind' apiGroups: 'rbac.authorization.k8s.io' resources: 'clusterroles' resourceNames: 'cr' }");
  BOOST_TEST(Binding("cr", "ClusterRole").ok());
  BOOST_TEST(!Binding("r").ok());
  Grant(kPods);
  BOOST_TEST(Binding("r").ok());
  // In a namespace is not everywhere.
  rc.namespace_ = "";
  BOOST_TEST(!CheckBindingEscalation(rc, rbac.get(),
                                     Make<pb::ClusterRoleBinding>("roleRef { kind: 'ClusterRole' name: 'cr' }"),
                                     nullptr, true)
                  .ok());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::auth
