// ConfigMaps, Secrets, ServiceAccounts, Namespaces, Nodes, Events, Endpoints.
#include "pkg/apiserver/registry/core/test_objects.h"

namespace knarr::registry::testing {
namespace {

BOOST_AUTO_TEST_SUITE(core_objects)

BOOST_AUTO_TEST_CASE(prefixes_are_upstreams) {
  BOOST_TEST(KindOf("nodes").storage_prefix == "/registry/minions/");
  BOOST_TEST(KindOf("endpoints").storage_prefix == "/registry/services/endpoints/");
  BOOST_TEST(KindOf("configmaps").storage_prefix == "/registry/configmaps/");
  BOOST_TEST(KindOf("events").ttl_seconds == 3600);
}

BOOST_AUTO_TEST_CASE(config_maps) {
  BOOST_TEST(CreateErrors("configmaps", R"(data { key: "a" value: "1" })") == "");
  BOOST_TEST(CreateErrors("configmaps", R"(data { key: "a" value: "1" } binaryData { key: "a" value: "2" })") ==
             "data[a]: Invalid value: \"a\": duplicate of key present in binaryData");
  BOOST_TEST(UpdateErrors("configmaps", "", R"(data { key: "a" value: "2" })",
                          R"(immutable: true data { key: "a" value: "1" })") ==
             "immutable: Forbidden: field is immutable when `immutable` is set\n"
             "data: Forbidden: field is immutable when `immutable` is set");
  BOOST_TEST(UpdateErrors("configmaps", "", R"(data { key: "a" value: "2" })", R"(data { key: "a" value: "1" })") ==
             "");
  BOOST_TEST(Row("configmaps", R"(metadata { name: "n" creationTimestamp { seconds: 1699999940 } }
                                  data { key: "a" value: "1" } binaryData { key: "b" value: "1" })") == "n | 2 | 60s");
}

BOOST_AUTO_TEST_CASE(secrets) {
  BOOST_TEST(Created("secrets", R"(stringData { key: "a" value: "1" })").As<core::Secret>().type() == "Opaque");
  BOOST_TEST(CreateErrors("secrets", R"(type: "kubernetes.io/tls")") ==
             "data[tls.crt]: Required value\ndata[tls.key]: Required value");
  BOOST_TEST(UpdateErrors("secrets", "", R"(type: "x")", R"(type: "y")") ==
             "type: Invalid value: \"x\": field is immutable");
  BOOST_TEST(UpdateErrors("secrets", "", R"(immutable: true data { key: "a" value: "2" })",
                          R"(immutable: true data { key: "a" value: "1" })") ==
             "data: Forbidden: field is immutable when `immutable` is set");
  BOOST_TEST(Row("secrets", R"(metadata { name: "n" } type: "T" data { key: "a" value: "1" })") ==
             "n | T | 1 | <unknown>");
}

BOOST_AUTO_TEST_CASE(service_accounts) {
  const Object account = Created("serviceaccounts", R"(secrets { name: "s" uid: "u" namespace: "other" })");
  BOOST_TEST(account.As<core::ServiceAccount>().secrets(0).uid().empty());
  BOOST_TEST(account.As<core::ServiceAccount>().secrets(0).name() == "s");
  BOOST_TEST(Row("serviceaccounts", R"(metadata { name: "n" } secrets { name: "s" })") == "n | 1 | <unknown>");
}

BOOST_AUTO_TEST_CASE(namespaces_begin_active_and_held) {
  const Object created =
      Created("namespaces", R"(metadata { name: "n" } spec { finalizers: "x.io/y" } status { phase: "Terminating" })");
  const auto& space = created.As<core::Namespace>();
  BOOST_TEST(space.status().phase() == "Active");
  BOOST_TEST(space.spec().finalizers_size() == 2);
  BOOST_TEST(space.spec().finalizers(1) == "kubernetes");
  BOOST_TEST(space.metadata().labels().at("kubernetes.io/metadata.name") == "n");
  BOOST_TEST(KindOf("namespaces").strategy->HeldBySpec(created));
}

BOOST_AUTO_TEST_CASE(namespaces_are_finalized_through_their_subresource) {
  const Object old = Created("namespaces", R"(metadata { name: "n" })");
  BOOST_TEST(Updated("namespaces", "", "", old).As<core::Namespace>().spec().finalizers_size() == 1);
  BOOST_TEST(Updated("namespaces", "status", "", old).As<core::Namespace>().spec().finalizers_size() == 1);
  const Object finalized = Updated("namespaces", "finalize", R"(status { phase: "Terminating" })", old);
  BOOST_TEST(finalized.As<core::Namespace>().spec().finalizers_size() == 0);
  BOOST_TEST(finalized.As<core::Namespace>().status().phase() == "Active");
  BOOST_TEST(!KindOf("namespaces").strategy->HeldBySpec(finalized));
  BOOST_TEST(UpdateErrors("namespaces", "status", R"(status { phase: "Terminating" })", "") ==
             "status.Phase: Invalid value: \"Terminating\": may only be 'Active' if `deletionTimestamp` is empty");
  BOOST_TEST(UpdateErrors("namespaces", "finalize", R"(spec { finalizers: "mine" })", "") ==
             "spec.finalizers[0]: Invalid value: \"mine\": name is neither a standard finalizer name nor is it fully "
             "qualified");
}

BOOST_AUTO_TEST_CASE(nodes) {
  BOOST_TEST(CreateErrors("nodes", R"(spec { taints { key: "k" effect: "Now" } taints { key: "a b" } })") ==
             "metadata.taints[0].effect: Unsupported value: \"Now\": supported values: \"NoSchedule\", "
             "\"PreferNoSchedule\", \"NoExecute\"\n"
             "metadata.taints[1].key: Invalid value: \"a b\": name part must consist of alphanumeric characters, '-', "
             "'_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or "
             "'123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')\n"
             "metadata.taints[1].effect: Required value");
  BOOST_TEST(CreateErrors("nodes", R"(spec { podCIDRs: "10.0.0.0/24" podCIDRs: "10.0.1.0/24" })") ==
             "spec.podCIDRs: Invalid value: []string{\"10.0.0.0/24\", \"10.0.1.0/24\"}: may specify no more than one "
             "CIDR for each IP family");
  BOOST_TEST(CreateErrors("nodes", R"(status { capacity { key: "cpu" value { string: "-1" } } })") ==
             "status.capacity.cpu: Invalid value: \"-1\": must be greater than or equal to 0\n"
             "status.allocatable.cpu: Invalid value: \"-1\": must be greater than or equal to 0");
}

BOOST_AUTO_TEST_CASE(changes_of_nodes) {
  const auto node = [](const std::string& rest) {
    return "spec { podCIDR: \"10.0.0.0/24\" podCIDRs: \"10.0.0.0/24\" " + rest + " }";
  };
  const std::string old = node("providerID: \"p\"");
  BOOST_TEST(UpdateErrors("nodes", "", old, old) == "");
  BOOST_TEST(UpdateErrors("nodes", "", old, "") == "");
  BOOST_TEST(UpdateErrors("nodes", "",
                          node("providerID: \"p\" unschedulable: true taints { key: \"k\" effect: \"NoSchedule\" }"),
                          old) == "");
  BOOST_TEST(UpdateErrors("nodes", "", node("providerID: \"q\" externalID: \"x\""), old) ==
             "spec.providerID: Forbidden: node updates may not change providerID except from \"\" to valid\n"
             "spec.externalID: Forbidden: may not be updated");
  BOOST_TEST(UpdateErrors("nodes", "", "spec { providerID: \"p\" }", old) ==
             "spec.podCIDRs: Forbidden: node updates may not change podCIDR except from \"\" to valid");
}

BOOST_AUTO_TEST_CASE(status_and_spec_of_nodes_are_apart) {
  const Object old = FromText("nodes", R"(spec { providerID: "p" } status { phase: "old" })");
  const Object by_spec =
      Updated("nodes", "", R"(spec { unschedulable: true providerID: "p" } status { phase: "new" })", old);
  BOOST_TEST(by_spec.As<core::Node>().spec().unschedulable());
  BOOST_TEST(by_spec.As<core::Node>().status().phase() == "old");
  const Object by_status = Updated("nodes", "status", R"(spec { unschedulable: true } status { phase: "new" })", old);
  BOOST_TEST(!by_status.As<core::Node>().spec().unschedulable());
  BOOST_TEST(by_status.As<core::Node>().status().phase() == "new");
}

BOOST_AUTO_TEST_CASE(rows_of_nodes) {
  BOOST_TEST(Row("nodes", R"(metadata { name: "n" creationTimestamp { seconds: 1699990000 }
      labels { key: "node-role.kubernetes.io/control-plane" value: "" }
      labels { key: "kubernetes.io/role" value: "a" } }
    spec { unschedulable: true }
    status { conditions { type: "Ready" status: "True" } addresses { type: "InternalIP" address: "10.0.0.1" }
             nodeInfo { kubeletVersion: "v1.32.0" osImage: "Debian" } })") ==
             "n | Ready,SchedulingDisabled | a,control-plane | 166m | v1.32.0 | 10.0.0.1 | <none> | Debian | "
             "<unknown> | <unknown>");
  BOOST_TEST(Row("nodes", R"(metadata { name: "n" })") ==
             "n | Unknown | <none> | <unknown> |  | <none> | <none> | <unknown> | <unknown> | <unknown>");
}

BOOST_AUTO_TEST_CASE(events) {
  BOOST_TEST(CreateErrors("events", R"(metadata { namespace: "a" } involvedObject { namespace: "b" })") ==
             "involvedObject.namespace: Invalid value: \"b\": does not match event.namespace");
  BOOST_TEST(CreateErrors("events", R"(metadata { namespace: "default" })") == "");
  BOOST_TEST(CreateErrors("events", R"(metadata { namespace: "default" } eventTime { seconds: 1 } reason: "r")") ==
             "reportingController: Required value\n"
             "reportingController: Invalid value: \"\": name part must be non-empty\n"
             "reportingController: Invalid value: \"\": name part must consist of alphanumeric characters, '-', '_' or "
             "'.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', "
             "regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')\n"
             "reportingInstance: Required value\naction: Required value");
  BOOST_TEST(Row("events", R"(metadata { name: "e" } type: "Normal" reason: "R" message: " m\n" count: 3
      involvedObject { kind: "Pod" name: "web" fieldPath: "f" } source { component: "kubelet" host: "n1" }
      firstTimestamp { seconds: 1699999940 } lastTimestamp { seconds: 1699999990 })") ==
             "10s | Normal | R | pod/web | f | kubelet, n1 | m | 60s | 3 | e");
  BOOST_TEST(Row("events", R"(metadata { name: "e" } involvedObject { kind: "Node" } reportingComponent: "c"
      eventTime { seconds: 1699999940 } series { count: 4 lastObservedTime { seconds: 1699999995 } })") ==
             "5s |  |  | node |  | c |  | 60s | 5 | e");
}

BOOST_AUTO_TEST_CASE(endpoints) {
  BOOST_TEST(
      CreateErrors("endpoints", R"(subsets { addresses { ip: "127.0.0.1" } ports { port: 0 } ports { port: 1 } }
                                          subsets { ports { port: 80 } })") ==
      "subsets[0].addresses[0].ip: Invalid value: \"127.0.0.1\": may not be in the loopback range (127.0.0.0/8)\n"
      "subsets[0].ports[0].name: Required value\n"
      "subsets[0].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive\n"
      "subsets[0].ports[1].name: Required value\n"
      "subsets[1]: Required value: must specify `addresses` or `notReadyAddresses`");
  BOOST_TEST(CreateErrors("endpoints", R"(subsets { addresses { ip: "fe80::1" } ports { port: 80 } })") ==
             "subsets[0].addresses[0].ip: Invalid value: \"fe80::1\": may not be in the link-local range "
             "(169.254.0.0/16)");
  BOOST_TEST(Row("endpoints", R"(metadata { name: "e" } subsets { addresses { ip: "1.1.1.1" } addresses { ip: "::2" }
      ports { port: 80 } ports { port: 443 } })") == "e | 1.1.1.1:80,[::2]:80,1.1.1.1:443 + 1 more... | <unknown>");
  BOOST_TEST(Row("endpoints", R"(metadata { name: "e" })") == "e | <none> | <unknown>");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::registry::testing
