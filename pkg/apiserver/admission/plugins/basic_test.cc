// Namespaces, chain and configuration, storage and network classes, scheduling.
#include "k8s.io/api/networking/v1/generated.pb.h"
#include "k8s.io/api/node/v1/generated.pb.h"
#include "k8s.io/api/scheduling/v1/generated.pb.h"
#include "k8s.io/api/storage/v1/generated.pb.h"
#include "pkg/apiserver/admission/config.h"
#include "pkg/apiserver/admission/plugins/test_util.h"

namespace knarr::admission {
namespace {

using namespace testing;  // NOLINT: test helpers
using NodeClass = ::k8s::io::api::node::v1::RuntimeClass;
using ::k8s::io::api::networking::v1::Ingress;
using ::k8s::io::api::networking::v1::IngressClass;
using ::k8s::io::api::scheduling::v1::PriorityClass;
using ::k8s::io::api::storage::v1::StorageClass;

BOOST_FIXTURE_TEST_SUITE(admission, Fixture)

BOOST_AUTO_TEST_CASE(the_default_chain_has_upstreams_plugins_in_order) {
  const auto chain = Chain::New({}, deps);
  BOOST_REQUIRE(chain.ok());
  const std::vector<std::string> expected = {"NamespaceLifecycle",
                                             "LimitRanger",
                                             "ServiceAccount",
                                             "TaintNodesByCondition",
                                             "PodSecurity",
                                             "Priority",
                                             "DefaultTolerationSeconds",
                                             "DefaultStorageClass",
                                             "StorageObjectInUseProtection",
                                             "PersistentVolumeClaimResize",
                                             "RuntimeClass",
                                             "CertificateApproval",
                                             "CertificateSigning",
                                             "CertificateSubjectRestriction",
                                             "DefaultIngressClass",
                                             "ResourceQuota"};
  const auto names = (*chain)->Names();
  BOOST_TEST(names == expected, boost::test_tools::per_element());
  const auto fewer = Chain::New({.enable = {"NodeRestriction"}, .disable = {"PodSecurity"}}, deps);
  BOOST_REQUIRE(fewer.ok());
  BOOST_TEST((*fewer)->Names()[3] == "NodeRestriction");
  BOOST_TEST((*fewer)->Names().size() == expected.size());
}

BOOST_AUTO_TEST_CASE(wrong_names_of_plugins_are_refused) {
  const auto why = [&](ChainOptions options) { return std::string(Chain::New(options, deps).status().message()); };
  BOOST_TEST(why({.enable = {"Nope"}}) == "enable-admission-plugins plugin \"Nope\" is unknown");
  BOOST_TEST(why({.disable = {"Nope"}}) == "disable-admission-plugins plugin \"Nope\" is unknown");
  BOOST_TEST(why({.enable = {"Priority"}, .disable = {"Priority"}}) ==
             "[Priority] in enable-admission-plugins and disable-admission-plugins overlapped");
  BOOST_TEST(why({.enable = {"EventRateLimit"}}) ==
             "enable-admission-plugins plugin \"EventRateLimit\" is not implemented by this server");
  BOOST_TEST(why({.disable = {"MutatingAdmissionWebhook"}}) == "ok");
}

BOOST_AUTO_TEST_CASE(the_configuration_file_is_read_strictly) {
  const auto parsed = ParseConfiguration(R"(
apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
- name: PodSecurity
  configuration:
    kind: PodSecurityConfiguration
)",
                                         "/etc/a.yaml");
  BOOST_REQUIRE_MESSAGE(parsed.ok(), parsed.status().message());
  BOOST_TEST(parsed->at("PodSecurity").text == R"({"kind":"PodSecurityConfiguration"})");
  const auto why = [](const std::string& text) {
    return std::string(ParseConfiguration(text, "f").status().message());
  };
  const std::string head = "apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\n";
  BOOST_TEST(why(head + "plugins: [{name: A, foo: 1}]") ==
             "f: strict decoding error: unknown field \"plugins[0].foo\"");
  BOOST_TEST(why(head + "plugins: 3") == "f: plugins: expected a list of objects");
  BOOST_TEST(why(head + "plugins: [{name: A}, {name: A}]") == "f: plugin \"A\" is configured twice");
  BOOST_TEST(why("apiVersion: v1\nkind: Pod").starts_with("f: no kind \"Pod\" is registered for version \"v1\""));
}

BOOST_AUTO_TEST_CASE(namespace_lifecycle_protects_and_closes_namespaces) {
  access.Put<core::Namespace>({"", "namespaces"}, R"(metadata { name: "ns" } status { phase: "Active" })");
  access.Put<core::Namespace>({"", "namespaces"}, R"(metadata { name: "dying" } status { phase: "Terminating" })");
  const auto plugin = New(NewNamespaceLifecycle);
  BOOST_TEST(Run(plugin, Request::Delete("", "Namespace", "namespaces", "", "kube-system")) ==
             "namespaces \"kube-system\" is forbidden: this namespace may not be deleted");
  BOOST_TEST(Run(plugin, Request::Pod("")) == "");
  auto closed = Request::Create<core::Pod>("", "Pod", "pods", R"(metadata { name: "p" namespace: "dying" })");
  const Status refused = plugin->Admit(kCtx, closed.a);
  BOOST_TEST(refused.message() ==
             "pods \"p\" is forbidden: unable to create new content in namespace dying because it is being terminated");
  BOOST_REQUIRE(refused.details()->causes.size() == 1U);
  BOOST_TEST(refused.details()->causes[0].reason == "NamespaceTerminating");
  BOOST_TEST(refused.details()->causes[0].message == "namespace dying is being terminated");
  auto missing = Request::Create<core::Pod>("", "Pod", "pods", R"(metadata { name: "p" namespace: "none" })");
  const Status absent = plugin->Admit(kCtx, missing.a);
  BOOST_TEST(absent.message() == "namespaces \"none\" not found");
  BOOST_TEST(absent.Is(Code::kNotFound));
  BOOST_TEST(Run(plugin, Request::Delete("", "Pod", "pods", "none", "p")) == "");
}

BOOST_AUTO_TEST_CASE(namespace_lifecycle_does_not_trust_a_stale_cache) {
  access.Put<core::Namespace>({"", "namespaces"}, R"(metadata { name: "ns" } status { phase: "Active" })");
  access.HoldCache(true);
  access.Put<core::Namespace>({"", "namespaces"}, R"(metadata { name: "young" } status { phase: "Active" })");
  access.Put<core::Namespace>({"", "namespaces"}, R"(metadata { name: "ns" } status { phase: "Terminating" })");
  const auto plugin = New(NewNamespaceLifecycle);
  const auto create_in = [&](const std::string& ns) {
    return Run(plugin,
               Request::Create<core::Pod>("", "Pod", "pods", "metadata { name: \"p\" namespace: \"" + ns + "\" }"));
  };
  BOOST_TEST(create_in("young") == "");
  BOOST_TEST(create_in("ns") == "");  // nobody told this server
  BOOST_TEST(Run(plugin, Request::Delete("", "Namespace", "namespaces", "", "ns")) == "");
  BOOST_TEST(create_in("ns") != "");
  clock.Advance(std::chrono::seconds(31));
  const int reads = access.consistent_reads();
  BOOST_TEST(create_in("ns") == "");
  BOOST_TEST(access.consistent_reads() == reads);
}

BOOST_AUTO_TEST_CASE(namespaces_can_be_demanded_or_made) {
  BOOST_TEST(Run(New(NewNamespaceExists), Request::Pod("")) == "namespaces \"ns\" not found");
  BOOST_TEST(Run(New(NewNamespaceAutoProvision), Request::Pod("")) == "");
  BOOST_TEST(Run(New(NewNamespaceExists), Request::Pod("")) == "");
  BOOST_TEST(Run(New(NewAlwaysDeny), Request::Pod("")) ==
             "pods \"p\" is forbidden: admission control is denying all modifications");
}

BOOST_AUTO_TEST_CASE(an_object_without_a_name_is_named_by_its_prefix) {
  auto request = Request::Create<core::Pod>("", "Pod", "pods", R"(metadata { generateName: "web-" namespace: "ns" })");
  BOOST_TEST(Forbidden(request.a, "no").message() == "pods \"web-\" is forbidden: no");
  request.object->metadata().clear_generatename();
  BOOST_TEST(Forbidden(request.a, "no").message() == "pods \"Unknown!\" is forbidden: no");
}

BOOST_AUTO_TEST_CASE(claims_get_the_youngest_default_class) {
  const auto add = [&](const std::string& name, int64_t created, const char* key) {
    access.Put<StorageClass>({"storage.k8s.io", "storageclasses"},
                             fmt::format("metadata {{ name: \"{}\" creationTimestamp {{ seconds: {} }} annotations {{ "
                                         "key: \"{}\" value: \"true\" }} }}",
                                         name, created, key));
  };
  add("old", 10, "storageclass.kubernetes.io/is-default-class");
  add("b", 20, "storageclass.kubernetes.io/is-default-class");
  add("a", 20, "storageclass.beta.kubernetes.io/is-default-class");
  add("other", 30, "x/y");
  const auto plugin = New(NewDefaultStorageClass);
  const auto class_of = [&](const std::string& text) {
    auto request = Request::Create<core::PersistentVolumeClaim>("", "PersistentVolumeClaim", "persistentvolumeclaims",
                                                                "metadata { name: \"c\" namespace: \"ns\" } " + text);
    BOOST_TEST(Run(*plugin, request) == "");
    const auto& spec = request.Get<core::PersistentVolumeClaim>().spec();
    return spec.has_storageclassname() ? "<" + spec.storageclassname() + ">" : "none";
  };
  BOOST_TEST(class_of("") == "<a>");
  BOOST_TEST(class_of("spec { storageClassName: \"\" }") == "<>");
  BOOST_TEST(class_of("spec { storageClassName: \"x\" }") == "<x>");
}

BOOST_AUTO_TEST_CASE(volumes_and_claims_get_their_finalizers_once) {
  const auto plugin = New(NewStorageObjectInUseProtection);
  auto claim = Request::Create<core::PersistentVolumeClaim>("", "PersistentVolumeClaim", "persistentvolumeclaims",
                                                            R"(metadata { name: "c" namespace: "ns" })");
  BOOST_TEST(Run(*plugin, claim) == "");
  BOOST_TEST(Run(*plugin, claim) == "");
  BOOST_REQUIRE(claim.object->metadata().finalizers_size() == 1);
  BOOST_TEST(claim.object->metadata().finalizers(0) == "kubernetes.io/pvc-protection");
}

BOOST_AUTO_TEST_CASE(claims_grow_only_when_bound_and_their_class_allows_it) {
  access.Put<StorageClass>({"storage.k8s.io", "storageclasses"},
                           R"(metadata { name: "yes" } allowVolumeExpansion: true)");
  access.Put<StorageClass>({"storage.k8s.io", "storageclasses"}, R"(metadata { name: "no" })");
  const auto plugin = New(NewPersistentVolumeClaimResize);
  const auto grow = [&](const std::string& cls, const std::string& phase, const std::string& size) {
    const auto text = [&](const std::string& s) {
      return fmt::format(
          "metadata {{ name: \"c\" namespace: \"ns\" }} spec {{ storageClassName: \"{}\" resources {{ "
          "requests {{ key: \"storage\" value {{ string: \"{}\" }} }} }} }} status {{ phase: \"{}\" }}",
          cls, s, phase);
    };
    return Run(plugin, Request::Update<core::PersistentVolumeClaim>("", "PersistentVolumeClaim",
                                                                    "persistentvolumeclaims", text(size), text("1Gi")));
  };
  BOOST_TEST(grow("yes", "Bound", "2Gi") == "");
  BOOST_TEST(grow("no", "Bound", "1024Mi") == "");
  BOOST_TEST(grow("yes", "Pending", "2Gi") ==
             "persistentvolumeclaims \"c\" is forbidden: Only bound persistent volume claims can be expanded");
  BOOST_TEST(grow("no", "Bound", "2Gi") ==
             "persistentvolumeclaims \"c\" is forbidden: only dynamically provisioned pvc can be resized and the "
             "storageclass that provisions the pvc must support resize");
}

BOOST_AUTO_TEST_CASE(ingresses_and_services) {
  access.Put<IngressClass>(
      {"networking.k8s.io", "ingressclasses"},
      R"(metadata { name: "nginx" annotations { key: "ingressclass.kubernetes.io/is-default-class" value: "true" } })");
  auto ingress = Request::Create<Ingress>("networking.k8s.io", "Ingress", "ingresses",
                                          R"(metadata { name: "i" namespace: "ns" })");
  BOOST_TEST(Run(*New(NewDefaultIngressClass), ingress) == "");
  BOOST_TEST(ingress.Get<Ingress>().spec().ingressclassname() == "nginx");

  const auto plugin = New(NewDenyServiceExternalIPs);
  const std::string one = R"(metadata { name: "s" namespace: "ns" } spec { externalIPs: "1.2.3.4" })";
  const std::string two =
      R"(metadata { name: "s" namespace: "ns" } spec { externalIPs: "1.2.3.4" externalIPs: "1.2.3.5" })";
  BOOST_TEST(Run(plugin, Request::Create<core::Service>("", "Service", "services", one)) ==
             "services \"s\" is forbidden: Use of external IPs is denied by admission control.");
  BOOST_TEST(Run(plugin, Request::Update<core::Service>("", "Service", "services", one, two)) == "");
  BOOST_TEST(Run(plugin, Request::Update<core::Service>("", "Service", "services", two, one)) != "");
}

BOOST_AUTO_TEST_CASE(tolerations_and_taints_by_default) {
  auto pod = Request::Pod(R"(tolerations { key: "node.kubernetes.io/not-ready" operator: "Exists" })");
  const auto plugin = New(NewDefaultTolerationSeconds);
  BOOST_TEST(Run(*plugin, pod) == "");
  BOOST_TEST(Run(*plugin, pod) == "");
  BOOST_REQUIRE(pod.pod().spec().tolerations_size() == 2);
  BOOST_TEST(pod.pod().spec().tolerations(1).key() == "node.kubernetes.io/unreachable");
  BOOST_TEST(pod.pod().spec().tolerations(1).tolerationseconds() == 300);

  auto node = Request::Create<core::Node>("", "Node", "nodes", R"(metadata { name: "n" })");
  const auto taints = New(NewTaintNodesByCondition);
  BOOST_TEST(Run(*taints, node) == "");
  BOOST_TEST(Run(*taints, node) == "");
  BOOST_REQUIRE(node.Get<core::Node>().spec().taints_size() == 1);
  BOOST_TEST(node.Get<core::Node>().spec().taints(0).effect() == "NoSchedule");

  auto gpu =
      Request::Pod(R"(containers { name: "c" resources { requests { key: "example.com/gpu" value { string: "1" } }
    requests { key: "cpu" value { string: "1" } } } })");
  BOOST_TEST(Run(*New(NewExtendedResourceToleration), gpu) == "");
  BOOST_REQUIRE(gpu.pod().spec().tolerations_size() == 1);
  BOOST_TEST(gpu.pod().spec().tolerations(0).key() == "example.com/gpu");
}

BOOST_AUTO_TEST_CASE(images_are_always_pulled_and_node_selectors_come_from_namespaces) {
  auto pod = Request::Pod(R"(containers { name: "c" imagePullPolicy: "Never" })");
  BOOST_TEST(Run(*New(NewAlwaysPullImages), pod) == "");
  BOOST_TEST(pod.pod().spec().containers(0).imagepullpolicy() == "Always");

  access.Put<core::Namespace>(
      {"", "namespaces"},
      R"(metadata { name: "ns" annotations { key: "scheduler.alpha.kubernetes.io/node-selector" value: "disk=ssd" } })");
  const auto selector = New(NewPodNodeSelector, "podNodeSelectorPluginConfig:\n  ns: disk=ssd,zone=a\n");
  auto plain = Request::Pod("");
  BOOST_TEST(Run(*selector, plain) == "");
  BOOST_TEST(plain.pod().spec().nodeselector().at("disk") == "ssd");
  BOOST_TEST(Run(selector, Request::Pod(R"(nodeSelector { key: "disk" value: "hdd" })")) ==
             "pods \"p\" is forbidden: pod node label selector conflicts with its namespace node label selector");
  BOOST_TEST(Run(selector, Request::Pod(R"(nodeSelector { key: "gpu" value: "1" })")) ==
             "pods \"p\" is forbidden: pod node label selector labels conflict with its namespace whitelist");
}

BOOST_AUTO_TEST_CASE(priority_comes_from_the_class) {
  const registry::GroupResource classes{"scheduling.k8s.io", "priorityclasses"};
  access.Put<PriorityClass>(classes, R"(metadata { name: "high" } value: 100 preemptionPolicy: "Never")");
  const auto plugin = New(NewPriority);
  auto none = Request::Pod("");
  BOOST_TEST(Run(*plugin, none) == "");
  BOOST_TEST(none.pod().spec().priority() == 0);
  BOOST_TEST(none.pod().spec().preemptionpolicy() == "PreemptLowerPriority");
  auto high = Request::Pod(R"(priorityClassName: "high")");
  BOOST_TEST(Run(*plugin, high) == "");
  BOOST_TEST(high.pod().spec().priority() == 100);
  BOOST_TEST(high.pod().spec().preemptionpolicy() == "Never");
  BOOST_TEST(Run(plugin, Request::Pod(R"(priorityClassName: "nope")")) ==
             "pods \"p\" is forbidden: no PriorityClass with name nope was found");
  BOOST_TEST(Run(plugin, Request::Pod(R"(priorityClassName: "high" priority: 7)")) ==
             "pods \"p\" is forbidden: the integer value of priority (7) must not be provided in pod spec; priority "
             "admission controller computed 100 from the given PriorityClass name");

  access.Put<PriorityClass>(classes, R"(metadata { name: "usual" } value: 5 globalDefault: true)");
  auto usual = Request::Pod("");
  BOOST_TEST(Run(*plugin, usual) == "");
  BOOST_TEST(usual.pod().spec().priorityclassname() == "usual");
  BOOST_TEST(usual.pod().spec().priority() == 5);
  BOOST_TEST(Run(plugin, Request::Create<PriorityClass>("scheduling.k8s.io", "PriorityClass", "priorityclasses",
                                                        R"(metadata { name: "second" } globalDefault: true)")) ==
             "priorityclasses.scheduling.k8s.io \"second\" is forbidden: PriorityClass usual is already marked as "
             "default. Only one default can exist");
}

BOOST_AUTO_TEST_CASE(runtime_classes_add_overhead_and_placement) {
  const registry::GroupResource classes{"node.k8s.io", "runtimeclasses"};
  access.Put<NodeClass>(classes, R"(metadata { name: "kata" } handler: "kata"
    overhead { podFixed { key: "cpu" value { string: "100m" } } }
    scheduling { nodeSelector { key: "kata" value: "yes" } tolerations { key: "kata" operator: "Exists" } })");
  const auto plugin = New(NewRuntimeClass);
  auto pod = Request::Pod(R"(runtimeClassName: "kata" tolerations { key: "kata" operator: "Equal" value: "x" })");
  BOOST_TEST(Run(*plugin, pod) == "");
  BOOST_TEST(pod.pod().spec().overhead().at("cpu").string() == "100m");
  BOOST_TEST(pod.pod().spec().nodeselector().at("kata") == "yes");
  BOOST_REQUIRE(pod.pod().spec().tolerations_size() == 1);  // Exists covers Equal
  BOOST_TEST(pod.pod().spec().tolerations(0).operator_() == "Exists");
  BOOST_TEST(Run(plugin, Request::Pod(R"(runtimeClassName: "none")")) ==
             "pods \"p\" is forbidden: pod rejected: runtimeclasses.node.k8s.io \"none\" not found");
  BOOST_TEST(
      Run(plugin, Request::Pod(R"(overhead { key: "cpu" value { string: "1" } })")) ==
      "pods \"p\" is forbidden: pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead");
  BOOST_TEST(Run(plugin, Request::Pod(R"(runtimeClassName: "kata" nodeSelector { key: "kata" value: "no" })")) ==
             "pods \"p\" is forbidden: conflict: runtimeClass.scheduling.nodeSelector[kata] = yes; "
             "pod.spec.nodeSelector[kata] = no");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::admission
