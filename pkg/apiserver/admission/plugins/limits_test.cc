// LimitRanger, ServiceAccount, NodeRestriction, ResourceQuota.
#include "k8s.io/api/apps/v1/generated.pb.h"
#include "k8s.io/api/authentication/v1/generated.pb.h"
#include "k8s.io/api/coordination/v1/generated.pb.h"
#include "pkg/apiserver/admission/plugins/test_util.h"

namespace knarr::admission {
namespace {

using namespace testing;  // NOLINT: test helpers

std::string Quantities(const std::string& field, const std::string& list) {
  std::string out;
  size_t at = 0;
  while (at < list.size()) {
    const size_t end = std::min(list.find(' ', at), list.size());
    const std::string item = list.substr(at, end - at);
    const size_t equals = item.find('=');
    out += fmt::format("{} {{ key: \"{}\" value {{ string: \"{}\" }} }} ", field, item.substr(0, equals),
                       item.substr(equals + 1));
    at = end + 1;
  }
  return out;
}
std::string Container(const std::string& name, const std::string& requests, const std::string& limits) {
  return fmt::format("containers {{ name: \"{}\" resources {{ {} {} }} }} ", name, Quantities("requests", requests),
                     Quantities("limits", limits));
}

BOOST_FIXTURE_TEST_SUITE(admission_limits, Fixture)

BOOST_AUTO_TEST_CASE(limit_ranges_set_defaults_and_say_so) {
  access.Put<core::LimitRange>({"", "limitranges"},
                               "metadata { name: \"l\" namespace: \"ns\" } spec { limits { type: \"Container\" " +
                                   Quantities("default", "cpu=2 memory=1Gi") + Quantities("defaultRequest", "cpu=1") +
                                   "} }");
  auto pod = Request::Pod(Container("a", "", "cpu=3") + "initContainers { name: \"i\" }");
  BOOST_TEST(Run(*New(NewLimitRanger), pod) == "");
  const auto& resources = pod.pod().spec().containers(0).resources();
  BOOST_TEST(resources.requests().at("cpu").string() == "1");
  BOOST_TEST(resources.limits().at("cpu").string() == "3");
  BOOST_TEST(resources.limits().at("memory").string() == "1Gi");
  BOOST_TEST(pod.object->metadata().annotations().at("kubernetes.io/limit-ranger") ==
             "LimitRanger plugin set: cpu request for container a; memory limit for container a; cpu request for init "
             "container i; cpu, memory limit for init container i");
}

BOOST_AUTO_TEST_CASE(limit_ranges_refuse_in_upstreams_words) {
  const auto check = [&](const std::string& type, const std::string& limit, const std::string& pod) {
    access.Put<core::LimitRange>(
        {"", "limitranges"},
        fmt::format("metadata {{ name: \"l\" namespace: \"ns\" }} spec {{ limits {{ type: \"{}\" {} }} }}", type,
                    limit));
    return Run(New(NewLimitRanger), Request::Pod(pod));
  };
  const std::string f = "pods \"p\" is forbidden: ";
  BOOST_TEST(check("Container", Quantities("min", "cpu=1"), Container("a", "", "")) ==
             f + "minimum cpu usage per Container is 1.  No request is specified");
  BOOST_TEST(check("Container", Quantities("min", "cpu=1"), Container("a", "cpu=500m", "")) ==
             f + "minimum cpu usage per Container is 1, but request is 500m");
  BOOST_TEST(check("Container", Quantities("min", "cpu=1"), Container("a", "cpu=1", "cpu=900m")) ==
             f + "minimum cpu usage per Container is 1, but limit is 900m");
  BOOST_TEST(
      check("Container", Quantities("max", "cpu=1 memory=1Gi"), Container("a", "", "cpu=2")) ==
      f + "[maximum cpu usage per Container is 1, but limit is 2, maximum memory usage per Container is 1Gi.  No "
          "limit is specified]");
  BOOST_TEST(check("Container", Quantities("maxLimitRequestRatio", "cpu=2"), Container("a", "cpu=1", "cpu=3")) ==
             f + "cpu max limit to request ratio per Container is 2, but provided ratio is 3.000000");
  BOOST_TEST(check("Container", Quantities("maxLimitRequestRatio", "cpu=2"), Container("a", "cpu=1", "cpu=2")) == "");
  BOOST_TEST(check("Pod", Quantities("max", "cpu=2"), Container("a", "", "cpu=1500m") + Container("b", "", "cpu=1")) ==
             f + "maximum cpu usage per Pod is 2, but limit is 2500m");
  BOOST_TEST(check("Pod", Quantities("max", "cpu=2"), Container("a", "cpu=1", "cpu=1")) == "");
}

BOOST_AUTO_TEST_CASE(limit_ranges_of_claims) {
  access.Put<core::LimitRange>(
      {"", "limitranges"},
      "metadata { name: \"l\" namespace: \"ns\" } spec { limits { type: \"PersistentVolumeClaim\" " +
          Quantities("min", "storage=1Gi") + Quantities("max", "storage=2Gi") + "} }");
  const auto check = [&](const std::string& size) {
    return Run(New(NewLimitRanger), Request::Create<core::PersistentVolumeClaim>(
                                        "", "PersistentVolumeClaim", "persistentvolumeclaims",
                                        "metadata { name: \"c\" namespace: \"ns\" } spec { resources { " +
                                            Quantities("requests", size) + "} }"));
  };
  BOOST_TEST(check("storage=1Gi") == "");
  BOOST_TEST(check("storage=3Gi") ==
             "persistentvolumeclaims \"c\" is forbidden: maximum storage usage per "
             "PersistentVolumeClaim is 2Gi, but request is 3Gi");
}

BOOST_AUTO_TEST_CASE(service_accounts_are_set_and_their_tokens_mounted) {
  const auto plugin = New(NewServiceAccount);
  BOOST_TEST(
      Run(plugin, Request::Pod("")) ==
      "pods \"p\" is forbidden: error looking up service account ns/default: serviceaccount \"default\" not found");
  access.Put<core::ServiceAccount>({"", "serviceaccounts"},
                                   R"(metadata { name: "default" namespace: "ns" } imagePullSecrets { name: "reg" })");
  auto pod = Request::Pod(R"(containers { name: "a" } containers { name: "b" volumeMounts { name: "own"
    mountPath: "/var/run/secrets/kubernetes.io/serviceaccount" } } initContainers { name: "i" })");
  BOOST_TEST(Run(*plugin, pod) == "");
  const auto& spec = pod.pod().spec();
  BOOST_TEST(spec.serviceaccountname() == "default");
  BOOST_TEST(spec.imagepullsecrets(0).name() == "reg");
  BOOST_REQUIRE(spec.volumes_size() == 1);
  const auto& volume = spec.volumes(0);
  BOOST_TEST(volume.name().starts_with("kube-api-access-"));
  BOOST_TEST(volume.name().size() == 21U);
  const auto& sources = volume.volumesource().projected().sources();
  BOOST_TEST(volume.volumesource().projected().defaultmode() == 420);
  BOOST_TEST(sources[0].serviceaccounttoken().expirationseconds() == 3607);
  BOOST_TEST(sources[1].configmap().localobjectreference().name() == "kube-root-ca.crt");
  BOOST_TEST(sources[2].downwardapi().items(0).fieldref().fieldpath() == "metadata.namespace");
  BOOST_TEST(spec.initcontainers(0).volumemounts(0).name() == volume.name());
  BOOST_TEST(spec.containers(0).volumemounts(0).readonly());
  BOOST_TEST(spec.containers(1).volumemounts_size() == 1);
  // A second pass (a dry run's object, a client that sent it back) adds nothing.
  BOOST_TEST(Run(*plugin, pod) == "");
  BOOST_TEST(pod.pod().spec().volumes_size() == 1);
  BOOST_TEST(pod.pod().spec().containers(0).volumemounts_size() == 1);

  auto without = Request::Pod(R"(automountServiceAccountToken: false containers { name: "a" })");
  BOOST_TEST(Run(*plugin, without) == "");
  BOOST_TEST(without.pod().spec().volumes_size() == 0);
}

BOOST_AUTO_TEST_CASE(mirror_pods_and_enforced_secrets) {
  const auto plugin = New(NewServiceAccount);
  const std::string mirror = R"(annotations { key: "kubernetes.io/config.mirror" value: "x" })";
  BOOST_TEST(Run(plugin, Request::Pod("containers { name: \"a\" }", mirror)) == "");
  BOOST_TEST(Run(plugin, Request::Pod("serviceAccountName: \"x\"", mirror)) ==
             "pods \"p\" is forbidden: a mirror pod may not reference service accounts");
  BOOST_TEST(Run(plugin, Request::Pod("volumes { name: \"v\" volumeSource { secret { secretName: \"s\" } } }",
                                      mirror)) == "pods \"p\" is forbidden: a mirror pod may not reference secrets");
  BOOST_TEST(
      Run(plugin, Request::Pod("volumes { name: \"v\" volumeSource { projected { sources { serviceAccountToken { "
                               "path: \"t\" } } } } }",
                               mirror)) ==
      "pods \"p\" is forbidden: a mirror pod may not use ServiceAccountToken volume projections");

  access.Put<core::ServiceAccount>(
      {"", "serviceaccounts"},
      R"(metadata { name: "default" namespace: "ns" annotations { key: "kubernetes.io/enforce-mountable-secrets" value: "true" } } secrets { name: "ok" })");
  BOOST_TEST(Run(plugin, Request::Pod("volumes { name: \"v\" volumeSource { secret { secretName: \"ok\" } } }")) == "");
  BOOST_TEST(Run(plugin, Request::Pod("volumes { name: \"v\" volumeSource { secret { secretName: \"s\" } } }")) ==
             "pods \"p\" is forbidden: volume with secret.secretName=\"s\" is not allowed because service account "
             "default does not reference that secret");
}

struct NodeFixture : Fixture {
  NodeFixture() {
    access.Put<core::Node>({"", "nodes"}, R"(metadata { name: "n1" uid: "u1" })");
    access.Put<core::Pod>({"", "pods"},
                          R"(metadata { name: "mine" namespace: "ns" uid: "pu" } spec { nodeName: "n1" })");
    access.Put<core::Pod>({"", "pods"}, R"(metadata { name: "other" namespace: "ns" } spec { nodeName: "n2" })");
  }
  std::string AsNode(Request request) {
    request.As("system:node:n1", {"system:nodes"});
    return Run(*plugin, request);
  }
  std::unique_ptr<Plugin> plugin = New(NewNodeRestriction);
};

BOOST_FIXTURE_TEST_CASE(nodes_make_and_delete_their_own_mirror_pods, NodeFixture) {
  const std::string good =
      R"(annotations { key: "kubernetes.io/config.mirror" value: "x" } ownerReferences { apiVersion: "v1" kind: "Node" name: "n1" uid: "u1" controller: true })";
  const std::string f = "pods \"p\" is forbidden: ";
  BOOST_TEST(AsNode(Request::Pod("nodeName: \"n1\"", good)) == "");
  BOOST_TEST(Run(plugin, Request::Pod("nodeName: \"n1\"")) == "");  // not a node
  BOOST_TEST(
      AsNode(Request::Pod("nodeName: \"n1\"")) ==
      f + "pod does not have \"kubernetes.io/config.mirror\" annotation, node \"n1\" can only create mirror pods");
  BOOST_TEST(AsNode(Request::Pod("nodeName: \"n2\"", good)) ==
             f + "node \"n1\" can only create pods with spec.nodeName set to itself");
  std::string wrong_uid = good;
  wrong_uid.replace(wrong_uid.find("\"u1\""), 4, "\"u9\"");
  BOOST_TEST(AsNode(Request::Pod("nodeName: \"n1\"", wrong_uid)) == f + "node n1 UID mismatch: expected u9 got u1");
  BOOST_TEST(AsNode(Request::Pod("nodeName: \"n1\" serviceAccountName: \"x\"", good)) ==
             f + "node \"n1\" can not create pods that reference a service account");
  BOOST_TEST(AsNode(Request::Pod("nodeName: \"n1\" volumes { name: \"v\" volumeSource { configMap { } } }", good)) ==
             f + "node \"n1\" can not create pods that reference configmaps");
  BOOST_TEST(AsNode(Request::Delete("", "Pod", "pods", "ns", "mine")) == "");
  BOOST_TEST(AsNode(Request::Delete("", "Pod", "pods", "ns", "other")) ==
             "pods \"other\" is forbidden: node \"n1\" can only delete pods with spec.nodeName set to itself");
  BOOST_TEST(AsNode(Request::Delete("", "Pod", "pods", "ns", "gone")) == "pods \"gone\" not found");
  auto exec = Request::Pod("");
  exec.a.subresource = "exec";
  BOOST_TEST(AsNode(std::move(exec)) ==
             f + "unexpected pod subresource \"exec\", only 'status' and 'eviction' are allowed");
}

BOOST_FIXTURE_TEST_CASE(nodes_change_only_themselves, NodeFixture) {
  const auto node = [](const std::string& labels, const std::string& spec = "") {
    return "metadata { name: \"n1\" " + labels + " } spec { " + spec + " }";
  };
  const auto update = [&](const std::string& now, const std::string& old) {
    return AsNode(Request::Update<core::Node>("", "Node", "nodes", now, old));
  };
  const auto label = [](const std::string& key, const std::string& value) {
    return "labels { key: \"" + key + "\" value: \"" + value + "\" }";
  };
  BOOST_TEST(AsNode(Request::Create<core::Node>("", "Node", "nodes", R"(metadata { name: "n2" })")) ==
             "nodes \"n2\" is forbidden: node \"n1\" is not allowed to modify node \"n2\"");
  BOOST_TEST(update(node(label("kubernetes.io/hostname", "a")), node("")) == "");
  BOOST_TEST(update(node(label("x.node.kubernetes.io/y", "a")), node("")) == "");
  BOOST_TEST(update(node(label("example.com/y", "a")), node("")) == "");
  BOOST_TEST(update(node(label("node-restriction.kubernetes.io/y", "a")),
                    node(label("node-restriction.kubernetes.io/y", "b"))) ==
             "nodes \"n1\" is forbidden: is not allowed to modify labels: node-restriction.kubernetes.io/y");
  BOOST_TEST(AsNode(Request::Create<core::Node>("", "Node", "nodes", node(label("node-role.kubernetes.io/x", "")))) ==
             "nodes \"n1\" is forbidden: node \"n1\" is not allowed to set the following labels: "
             "node-role.kubernetes.io/x");
  BOOST_TEST(update(node(""), node("", "taints { key: \"a\" }")) ==
             "nodes \"n1\" is forbidden: node \"n1\" is not allowed to modify taints");
}

BOOST_FIXTURE_TEST_CASE(nodes_have_tokens_of_their_pods_and_their_lease, NodeFixture) {
  ::k8s::io::api::authentication::v1::TokenRequest token;
  const auto ask = [&] {
    auto request = Request::Delete("", "ServiceAccount", "serviceaccounts", "ns", "default");
    request.a.operation = Operation::kCreate;
    request.a.subresource = "token";
    request.a.body = &token;
    return AsNode(std::move(request));
  };
  const std::string f = "serviceaccounts \"default\" is forbidden: ";
  BOOST_TEST(ask() == f + "node requested token not bound to a pod");
  auto* ref = token.mutable_spec()->mutable_boundobjectref();
  ref->set_apiversion("v1");
  ref->set_kind("Pod");
  ref->set_name("mine");
  BOOST_TEST(ask() == f + "node requested token with a pod binding without a uid");
  ref->set_uid("pu");
  BOOST_TEST(ask() == "");
  ref->set_uid("else");
  BOOST_TEST(ask().starts_with(f + "the UID in the bound object reference (else) does not match"));

  const auto lease = [&](const std::string& ns, const std::string& name) {
    return AsNode(Request::Create<::k8s::io::api::coordination::v1::Lease>(
        "coordination.k8s.io", "Lease", "leases", "metadata { name: \"" + name + "\" namespace: \"" + ns + "\" }"));
  };
  BOOST_TEST(lease("kube-node-lease", "n1") == "");
  BOOST_TEST(lease("kube-node-lease", "n2") ==
             "leases.coordination.k8s.io \"n2\" is forbidden: can only access node lease with the same name as the "
             "requesting node");
  BOOST_TEST(lease("default", "n1") ==
             "leases.coordination.k8s.io \"n1\" is forbidden: can only access leases in the \"kube-node-lease\" system "
             "namespace");
}

BOOST_FIXTURE_TEST_CASE(nodes_write_the_status_of_their_pods, NodeFixture) {
  const auto status = [&](const std::string& labels, const std::string& node) {
    auto request = Request::Update<core::Pod>(
        "", "Pod", "pods", "metadata { name: \"p\" namespace: \"ns\" " + labels + " } status { phase: \"Running\" }",
        "metadata { name: \"p\" namespace: \"ns\" } spec { nodeName: \"" + node + "\" }");
    request.a.subresource = "status";
    return AsNode(std::move(request));
  };
  BOOST_TEST(status("", "n1") == "");
  BOOST_TEST(
      status("", "n2") ==
      "pods \"p\" is forbidden: node \"n1\" can only update pod status for pods with spec.nodeName set to itself");
  BOOST_TEST(status("labels { key: \"a\" value: \"b\" }", "n1") ==
             "pods \"p\" is forbidden: node \"n1\" cannot update labels through pod status");
}

struct QuotaFixture : Fixture {
  void Quota(const std::string& hard, const std::string& used, const std::string& spec = "") {
    access.Put<core::ResourceQuota>(
        {"", "resourcequotas"},
        fmt::format("metadata {{ name: \"q\" namespace: \"ns\" uid: \"quota\" }} spec {{ {} }} status {{ {} {} }}",
                    spec, Quantities("hard", hard), Quantities("used", used)));
  }
  std::string Used(const std::string& name) {
    return access.Find({"", "resourcequotas"}, "ns", "q")->As<core::ResourceQuota>().status().used().at(name).string();
  }
};

BOOST_FIXTURE_TEST_CASE(pods_are_counted_until_there_are_too_many, QuotaFixture) {
  const auto plugin = New(NewResourceQuota);
  BOOST_TEST(Run(plugin, Request::Pod(Container("c", "", ""))) == "");  // no quota
  Quota("pods=2 requests.cpu=1", "pods=1 requests.cpu=500m");
  BOOST_TEST(Run(plugin, Request::Pod(Container("c", "cpu=250m", ""))) == "");
  BOOST_TEST(Used("pods") == "2");
  BOOST_TEST(Used("requests.cpu") == "750m");
  BOOST_TEST(Run(plugin, Request::Pod(Container("c", "cpu=250m", ""))) ==
             "pods \"p\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2");
  BOOST_TEST(Run(plugin, Request::Pod(Container("c", "", ""))) ==
             "pods \"p\" is forbidden: failed quota: q: must specify requests.cpu for: c");
  BOOST_TEST(Used("pods") == "2");
}

BOOST_FIXTURE_TEST_CASE(a_quota_of_which_nothing_is_known_yet_refuses, QuotaFixture) {
  Quota("pods=2", "");
  BOOST_TEST(Run(New(NewResourceQuota), Request::Pod("")) ==
             "pods \"p\" is forbidden: status unknown for quota: q, resources: pods");
}

BOOST_FIXTURE_TEST_CASE(dry_runs_and_stale_caches_do_not_miscount, QuotaFixture) {
  Quota("pods=2", "pods=0");
  const auto plugin = New(NewResourceQuota);
  auto dry = Request::Pod("");
  dry.a.dry_run = true;
  BOOST_TEST(Run(*plugin, dry) == "");
  BOOST_TEST(Used("pods") == "0");
  access.HoldCache(true);
  BOOST_TEST(Run(plugin, Request::Pod("")) == "");
  BOOST_TEST(Run(plugin, Request::Pod("")) == "");
  BOOST_TEST(Used("pods") == "2");
  BOOST_TEST(Run(plugin, Request::Pod("")) != "");
  // Another server took the last place between the look and the write.
  Quota("pods=2", "pods=1");
  access.HoldCache(false);
  access.HoldCache(true);
  access.BeforeUpdate([&] { Quota("pods=2", "pods=2"); });
  BOOST_TEST(Run(New(NewResourceQuota), Request::Pod("")) ==
             "pods \"p\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2");
}

BOOST_FIXTURE_TEST_CASE(scopes_pick_pods, QuotaFixture) {
  Quota("pods=0", "pods=0", "scopes: \"BestEffort\"");
  const auto plugin = New(NewResourceQuota);
  BOOST_TEST(Run(plugin, Request::Pod(Container("c", "cpu=1", ""))) == "");
  BOOST_TEST(Run(plugin, Request::Pod(Container("c", "", ""))) != "");
  Quota("pods=0", "pods=0",
        "scopeSelector { matchExpressions { scopeName: \"PriorityClass\" operator: \"In\" values: \"high\" } }");
  BOOST_TEST(Run(New(NewResourceQuota), Request::Pod("priorityClassName: \"low\"")) == "");
  BOOST_TEST(Run(New(NewResourceQuota), Request::Pod("priorityClassName: \"high\"")) != "");
}

BOOST_FIXTURE_TEST_CASE(services_claims_and_counts, QuotaFixture) {
  const auto service = [](const std::string& spec) {
    return "metadata { name: \"s\" namespace: \"ns\" } spec { " + spec + " }";
  };
  Quota("services.nodeports=2 services.loadbalancers=1", "services.nodeports=0 services.loadbalancers=0");
  const auto plugin = New(NewResourceQuota);
  const std::string cluster = service("type: \"ClusterIP\" ports { port: 1 }");
  const std::string node = service("type: \"NodePort\" ports { port: 1 } ports { port: 2 }");
  BOOST_TEST(Run(plugin, Request::Create<core::Service>("", "Service", "services", cluster)) == "");
  BOOST_TEST(Used("services.nodeports") == "0");
  BOOST_TEST(Run(plugin, Request::Update<core::Service>("", "Service", "services", node, cluster)) == "");
  BOOST_TEST(Used("services.nodeports") == "2");
  BOOST_TEST(Run(plugin, Request::Update<core::Service>("", "Service", "services", node, node)) == "");
  BOOST_TEST(
      Run(plugin, Request::Create<core::Service>(
                      "", "Service", "services",
                      service("type: \"LoadBalancer\" allocateLoadBalancerNodePorts: false ports { port: 1 }"))) == "");
  BOOST_TEST(Used("services.loadbalancers") == "1");

  Quota("count/deployments.apps=0 fast.storageclass.storage.k8s.io/requests.storage=1Gi",
        "count/deployments.apps=0 fast.storageclass.storage.k8s.io/requests.storage=0");
  BOOST_TEST(Run(plugin, Request::Create<apps::Deployment>("apps", "Deployment", "deployments",
                                                           R"(metadata { name: "d" namespace: "ns" })")) ==
             "deployments.apps \"d\" is forbidden: exceeded quota: q, requested: count/deployments.apps=1, used: "
             "count/deployments.apps=0, limited: count/deployments.apps=0");
  const auto claim = [](const std::string& cls) {
    return Request::Create<core::PersistentVolumeClaim>(
        "", "PersistentVolumeClaim", "persistentvolumeclaims",
        "metadata { name: \"c\" namespace: \"ns\" } spec { storageClassName: \"" + cls + "\" resources { " +
            Quantities("requests", "storage=2Gi") + "} }");
  };
  BOOST_TEST(Run(plugin, claim("slow")) == "");
  BOOST_TEST(Run(plugin, claim("fast")) ==
             "persistentvolumeclaims \"c\" is forbidden: exceeded quota: q, requested: "
             "fast.storageclass.storage.k8s.io/requests.storage=2Gi, used: "
             "fast.storageclass.storage.k8s.io/requests.storage=0, limited: "
             "fast.storageclass.storage.k8s.io/requests.storage=1Gi");
}

BOOST_FIXTURE_TEST_CASE(limited_resources_need_a_quota, QuotaFixture) {
  const auto plugin = New(NewResourceQuota, R"(
apiVersion: apiserver.config.k8s.io/v1
kind: ResourceQuotaConfiguration
limitedResources:
- resource: pods
  matchContains: [requests.cpu]
)");
  BOOST_TEST(Run(plugin, Request::Pod(Container("c", "cpu=1", ""))) ==
             "pods \"p\" is forbidden: insufficient quota to consume: requests.cpu");
  BOOST_TEST(Run(plugin, Request::Pod(Container("c", "", ""))) == "");
  Quota("requests.cpu=2", "requests.cpu=0");
  BOOST_TEST(Run(plugin, Request::Pod(Container("c", "cpu=1", ""))) == "");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::admission
