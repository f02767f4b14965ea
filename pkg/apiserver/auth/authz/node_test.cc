#include <boost/test/unit_test.hpp>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "k8s.io/api/storage/v1/generated.pb.h"
#include "pkg/api/types.h"
#include "pkg/apiserver/auth/authz/authz.h"
#include "pkg/apiserver/registry/fake/fake_access.h"

namespace knarr::auth {
namespace {

using namespace std::chrono_literals;
namespace storage_pb = ::k8s::io::api::storage::v1;

struct Fixture {
  FakeClock clock;
  registry::FakeAccess access{clock};
  AuthorizerPtr node = NewNodeAuthorizer(access, clock);
  UserInfo n1{.name = "system:node:n1", .groups = {"system:nodes"}};

  Fixture() {
    access.Put<core::Pod>({"", "pods"}, R"(
      metadata { name: "p" namespace: "shop" }
      spec {
        nodeName: "n1" serviceAccountName: "web" imagePullSecrets { name: "pull" }
        initContainers { env { valueFrom { secretKeyRef { localObjectReference { name: "init" } } } } }
        containers { envFrom { configMapRef { localObjectReference { name: "env" } } } }
        volumes { name: "a" volumeSource { secret { secretName: "vol" } } }
        volumes { name: "b" volumeSource { projected { sources { configMap { localObjectReference { name: "kube-root-ca.crt" } } } } } }
        volumes { name: "c" volumeSource { persistentVolumeClaim { claimName: "data" } } }
        volumes { name: "d" volumeSource { ephemeral { } } }
      })");
    access.Put<core::Pod>({"", "pods"}, R"(metadata { name: "other" namespace: "shop" }
      spec { nodeName: "n2" volumes { volumeSource { secret { secretName: "theirs" } } } })");
    access.Put<core::Pod>({"", "pods"}, R"(metadata { name: "mirror" namespace: "shop"
        annotations { key: "kubernetes.io/config.mirror" value: "x" } }
      spec { nodeName: "n1" volumes { volumeSource { secret { secretName: "stolen" } } } })");
    access.Put<core::PersistentVolume>({"", "persistentvolumes"}, R"(metadata { name: "pv" }
      spec { claimRef { name: "data" namespace: "shop" }
             persistentVolumeSource { csi { nodeStageSecretRef { name: "stage" namespace: "csi" }
                                            controllerPublishSecretRef { name: "controller" namespace: "csi" } } } })");
    access.Put<core::PersistentVolume>({"", "persistentvolumes"}, R"(metadata { name: "free" })");
    access.Put<storage_pb::VolumeAttachment>({"storage.k8s.io", "volumeattachments"},
                                             R"(metadata { name: "va" } spec { nodeName: "n1" })");
  }

  // "" where it is allowed, else the reason (or "no").
  std::string Ask(const UserInfo& user, const std::string& verb, std::string resource, const std::string& ns = "",
                  const std::string& name = "", const std::string& group = "", const std::string& selector = "") {
    Attributes a{.user = &user,
                 .verb = verb,
                 .resource_request = true,
                 .api_group = group,
                 .name = name,
                 .namespace_ = ns,
                 .field_selector = selector};
    if (const size_t slash = resource.find('/'); slash != std::string::npos) {
      a.subresource = resource.substr(slash + 1);
      resource.resize(slash);
    }
    a.resource = resource;
    const Verdict verdict = node->Authorize(Context::Background(), a);
    if (verdict.decision == Decision::kAllow) return "";
    return verdict.reason.empty() ? "no" : verdict.reason;
  }
};

const std::string kNoRelation = "no relationship found between node 'n1' and this object";

BOOST_FIXTURE_TEST_SUITE(node_authorizer, Fixture)

BOOST_AUTO_TEST_CASE(only_nodes_are_its_business) {
  BOOST_TEST(Ask({.name = "system:node:n1"}, "get", "nodes", "", "n1") == "no");
  BOOST_TEST(Ask({.name = "jane", .groups = {"system:nodes"}}, "get", "nodes", "", "n1") == "no");
  BOOST_TEST(Ask({.name = "system:node:", .groups = {"system:nodes"}}, "get", "nodes", "", "n1") ==
             "unknown node for user \"system:node:\"");
}

BOOST_AUTO_TEST_CASE(what_its_pods_refer_to_may_be_read) {
  for (const char* name : {"pull", "init", "vol"}) BOOST_TEST(Ask(n1, "get", "secrets", "shop", name) == "", name);
  for (const char* name : {"env", "kube-root-ca.crt"})
    BOOST_TEST(Ask(n1, "watch", "configmaps", "shop", name) == "", name);
  for (const char* name : {"theirs", "stolen", "nope"})
    BOOST_TEST(Ask(n1, "get", "secrets", "shop", name) == kNoRelation, name);
  BOOST_TEST(Ask(n1, "get", "secrets", "default", "vol") == kNoRelation);
  BOOST_TEST(Ask(n1, "list", "secrets", "shop") == "No Object name found");
  BOOST_TEST(Ask(n1, "list", "secrets") == "can only read namespaced object of this type");
  BOOST_TEST(Ask(n1, "update", "secrets", "shop", "vol") == "can only read resources of this type");
  BOOST_TEST(Ask(n1, "get", "secrets/x", "shop", "vol") == "cannot read subresource");
}

BOOST_AUTO_TEST_CASE(claims_volumes_and_their_secrets_follow_the_pods) {
  BOOST_TEST(Ask(n1, "get", "persistentvolumeclaims", "shop", "data") == "");
  BOOST_TEST(Ask(n1, "get", "persistentvolumeclaims", "shop", "p-d") == "");
  BOOST_TEST(Ask(n1, "patch", "persistentvolumeclaims/status", "shop", "data") == "");
  BOOST_TEST(Ask(n1, "get", "persistentvolumeclaims/status", "shop", "data") == "can only get/update/patch this type");
  BOOST_TEST(Ask(n1, "list", "persistentvolumeclaims", "shop") == "can only get individual resources of this type");
  BOOST_TEST(Ask(n1, "get", "persistentvolumes", "", "pv") == "");
  BOOST_TEST(Ask(n1, "get", "persistentvolumes", "", "free") == kNoRelation);
  BOOST_TEST(Ask(n1, "get", "secrets", "csi", "stage") == "");
  BOOST_TEST(Ask(n1, "get", "secrets", "csi", "controller") == kNoRelation);
  BOOST_TEST(Ask(n1, "get", "volumeattachments", "", "va", "storage.k8s.io") == "");
  BOOST_TEST(Ask({.name = "system:node:n2", .groups = {"system:nodes"}}, "get", "volumeattachments", "", "va",
                 "storage.k8s.io") == "no relationship found between node 'n2' and this object");
}

BOOST_AUTO_TEST_CASE(tokens_are_of_accounts_that_run_here) {
  BOOST_TEST(Ask(n1, "create", "serviceaccounts/token", "shop", "web") == "");
  BOOST_TEST(Ask(n1, "create", "serviceaccounts/token", "shop", "admin") == kNoRelation);
  BOOST_TEST(Ask(n1, "create", "serviceaccounts/token", "kube-system", "web") == kNoRelation);
  BOOST_TEST(Ask(n1, "get", "serviceaccounts", "shop", "web") ==
             "can only create tokens for individual service accounts");
  BOOST_TEST(Ask(n1, "create", "serviceaccounts", "shop", "web") ==
             "can only create token subresource of serviceaccount");
}

BOOST_AUTO_TEST_CASE(a_node_keeps_to_its_own_name) {
  BOOST_TEST(Ask(n1, "get", "nodes", "", "n1") == "");
  BOOST_TEST(Ask(n1, "watch", "nodes", "", "", "", "metadata.name=n1") == "");
  BOOST_TEST(Ask(n1, "get", "nodes", "", "n2") == "node 'n1' cannot read 'n2', only its own Node object");
  BOOST_TEST(Ask(n1, "list", "nodes") == "node 'n1' cannot read all nodes, only its own Node object");
  BOOST_TEST(Ask(n1, "create", "nodes") == "");
  BOOST_TEST(Ask(n1, "patch", "nodes/status", "", "n1") == "");
  BOOST_TEST(Ask(n1, "delete", "nodes", "", "n1") == "no");
  const std::string leases = "leases", group = "coordination.k8s.io", ns = "kube-node-lease";
  BOOST_TEST(Ask(n1, "update", leases, ns, "n1", group) == "");
  BOOST_TEST(Ask(n1, "create", leases, ns, "", group) == "");
  BOOST_TEST(Ask(n1, "update", leases, ns, "n2", group) ==
             "can only access node lease with the same name as the requesting node");
  BOOST_TEST(Ask(n1, "get", leases, "kube-system", "n1", group) ==
             "can only access leases in the \"kube-node-lease\" system namespace");
  BOOST_TEST(Ask(n1, "list", leases, ns, "", group) == "can only get, create, update, patch, or delete a node lease");
  BOOST_TEST(Ask(n1, "update", "csinodes", "", "n1", "storage.k8s.io") == "");
  BOOST_TEST(Ask(n1, "get", "csinodes", "", "n2", "storage.k8s.io") ==
             "can only access CSINode with the same name as the requesting node");
}

BOOST_AUTO_TEST_CASE(pods_are_read_by_node_name_only) {
  BOOST_TEST(Ask(n1, "list", "pods", "", "", "", "spec.nodeName=n1") == "");
  BOOST_TEST(Ask(n1, "watch", "pods", "", "", "", "status.phase!=Failed,spec.nodeName==n1") == "");
  for (const char* selector : {"", "spec.nodeName=n2", "spec.nodeName!=n1", "spec.nodeName=n1x"})
    BOOST_TEST(
        Ask(n1, "list", "pods", "", "", "", selector) == "can only list/watch pods with spec.nodeName field selector",
        selector);
  BOOST_TEST(Ask(n1, "get", "pods", "shop", "p") == "");
  BOOST_TEST(Ask(n1, "get", "pods", "shop", "other") == kNoRelation);
  BOOST_TEST(Ask(n1, "delete", "pods", "shop", "p") == "");
  BOOST_TEST(Ask(n1, "patch", "pods/status", "shop", "p") == "");
  BOOST_TEST(Ask(n1, "create", "pods/eviction", "shop", "p") == "");
  BOOST_TEST(Ask(n1, "get", "pods/log", "shop", "p") == "no");
}

BOOST_AUTO_TEST_CASE(the_rest_is_by_the_nodes_static_rules) {
  BOOST_TEST(Ask(n1, "list", "services") == "");
  BOOST_TEST(Ask(n1, "create", "tokenreviews", "", "", "authentication.k8s.io") == "");
  BOOST_TEST(Ask(n1, "create", "certificatesigningrequests", "", "", "certificates.k8s.io") == "");
  BOOST_TEST(Ask(n1, "update", "services", "shop", "x") == "no");
  BOOST_TEST(Ask(n1, "list", "deployments", "", "", "apps") == "no");
  const Rules rules = node->RulesFor(Context::Background(), n1, "shop");
  BOOST_TEST(rules.incomplete);
  BOOST_TEST(rules.error == "node authorizer does not support user rule resolution");
}

BOOST_AUTO_TEST_CASE(a_new_pod_counts_at_once_and_a_gone_one_within_a_second) {
  BOOST_TEST(Ask(n1, "get", "secrets", "shop", "new") == kNoRelation);
  access.Put<core::Pod>({"", "pods"}, R"(metadata { name: "q" namespace: "shop" }
    spec { nodeName: "n1" volumes { volumeSource { secret { secretName: "new" } } } })");
  BOOST_TEST(Ask(n1, "get", "secrets", "shop", "new") == "");
  BOOST_REQUIRE(access.Delete(Context::Background(), {"", "pods"}, "shop", "q", "").ok());
  clock.Advance(1s);
  BOOST_TEST(Ask(n1, "get", "secrets", "shop", "new") == kNoRelation);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::auth
