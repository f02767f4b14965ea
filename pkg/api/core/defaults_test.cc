#include "pkg/api/core/defaults.h"

#include <boost/test/unit_test.hpp>

#include <string>

#include <google/protobuf/text_format.h>

#include "k8s.io/api/core/v1/generated.pb.h"

namespace knarr::api {
namespace {

template <typename Message>
Message FromText(const std::string& text) {
  Message message;
  BOOST_REQUIRE_MESSAGE(google::protobuf::TextFormat::ParseFromString(text, &message), text);
  return message;
}

core::Pod Defaulted(const std::string& text) {
  core::Pod pod = FromText<core::Pod>(text);
  SetDefaults(pod);
  return pod;
}

// Compares the defaulted message with the expected text form.
void ExpectText(const google::protobuf::Message& actual, const google::protobuf::Message& expected) {
  BOOST_TEST(actual.DebugString() == expected.DebugString());
}

BOOST_AUTO_TEST_SUITE(defaults)

BOOST_AUTO_TEST_CASE(a_small_pod_gets_every_default) {
  const core::Pod pod = Defaulted(R"(spec { containers { name: "a" image: "nginx:1.25" ports { containerPort: 80 } } })");
  ExpectText(pod.spec(), FromText<core::PodSpec>(R"(
    containers {
      name: "a" image: "nginx:1.25" ports { containerPort: 80 protocol: "TCP" }
      terminationMessagePath: "/dev/termination-log" terminationMessagePolicy: "File" imagePullPolicy: "IfNotPresent"
    }
    restartPolicy: "Always" terminationGracePeriodSeconds: 30 dnsPolicy: "ClusterFirst" securityContext {}
    schedulerName: "default-scheduler" enableServiceLinks: true)"));
}

BOOST_AUTO_TEST_CASE(defaulting_twice_changes_nothing) {
  core::Pod pod = Defaulted(R"(spec {
    hostNetwork: true
    volumes { name: "e" } volumes { name: "c" volumeSource { configMap { localObjectReference { name: "x" } } } }
    initContainers { name: "i" image: "x" resources { limits { key: "cpu" value { string: "0.0001" } } } }
    containers { name: "a" image: "nginx" ports { containerPort: 80 } livenessProbe { handler { httpGet {} } } } })");
  const std::string once = pod.DebugString();
  SetDefaults(pod);
  BOOST_TEST(pod.DebugString() == once);
}

BOOST_AUTO_TEST_CASE(what_is_set_stays) {
  const std::string given = R"(
    containers { name: "a" image: "nginx" imagePullPolicy: "Never" terminationMessagePath: "/x"
      terminationMessagePolicy: "FallbackToLogsOnError" }
    restartPolicy: "Never" terminationGracePeriodSeconds: 0 dnsPolicy: "Default" securityContext { runAsUser: 1 }
    schedulerName: "mine" enableServiceLinks: false)";
  ExpectText(Defaulted("spec {" + given + "}").spec(), FromText<core::PodSpec>(given));
}

BOOST_AUTO_TEST_CASE(the_pull_policy_follows_the_tag) {
  const std::pair<std::string, std::string> cases[] = {
      {"nginx", "Always"},
      {"nginx:latest", "Always"},
      {"registry:5000/nginx", "Always"},
      {"registry:5000/nginx:latest", "Always"},
      {"nginx:1.25", "IfNotPresent"},
      {"nginx@sha256:" + std::string(64, 'a'), "IfNotPresent"},
      {"nginx:latest@sha256:" + std::string(64, 'a'), "Always"},
      {"Not An Image", "IfNotPresent"},
      {"", "IfNotPresent"},
  };
  for (const auto& [image, policy] : cases) {
    core::Pod pod;
    pod.mutable_spec()->add_containers()->set_image(image);
    pod.mutable_spec()->add_initcontainers()->set_image(image);
    pod.mutable_spec()->add_ephemeralcontainers()->mutable_ephemeralcontainercommon()->set_image(image);
    SetDefaults(pod);
    BOOST_TEST(pod.spec().containers(0).imagepullpolicy() == policy, image);
    BOOST_TEST(pod.spec().initcontainers(0).imagepullpolicy() == policy, image);
    BOOST_TEST(pod.spec().ephemeralcontainers(0).ephemeralcontainercommon().imagepullpolicy() == policy, image);
  }
}

BOOST_AUTO_TEST_CASE(probes_and_lifecycle_hooks) {
  const core::Pod pod = Defaulted(R"(spec { containers {
    livenessProbe { handler { httpGet { port { type: 0 intVal: 80 } } } }
    readinessProbe { handler { grpc { port: 1 } } periodSeconds: 1 failureThreshold: 9 }
    startupProbe { handler { tcpSocket {} } initialDelaySeconds: 2 }
    lifecycle { postStart { httpGet { path: "/x" } } preStop { httpGet { scheme: "HTTPS" } } } } })");
  const core::Container& container = pod.spec().containers(0);
  ExpectText(container.livenessprobe(), FromText<core::Probe>(R"(
    handler { httpGet { path: "/" port { type: 0 intVal: 80 } scheme: "HTTP" } }
    timeoutSeconds: 1 periodSeconds: 10 successThreshold: 1 failureThreshold: 3)"));
  ExpectText(container.readinessprobe(), FromText<core::Probe>(R"(handler { grpc { port: 1 service: "" } }
    timeoutSeconds: 1 periodSeconds: 1 successThreshold: 1 failureThreshold: 9)"));
  ExpectText(container.startupprobe(), FromText<core::Probe>(R"(handler { tcpSocket {} } initialDelaySeconds: 2
    timeoutSeconds: 1 periodSeconds: 10 successThreshold: 1 failureThreshold: 3)"));
  ExpectText(container.lifecycle(), FromText<core::Lifecycle>(R"(
    postStart { httpGet { path: "/x" scheme: "HTTP" } } preStop { httpGet { path: "/" scheme: "HTTPS" } })"));
}

BOOST_AUTO_TEST_CASE(host_network_ports_become_host_ports) {
  const core::Pod pod = Defaulted(R"(spec { hostNetwork: true
    containers { ports { containerPort: 80 } ports { containerPort: 81 hostPort: 8081 } }
    initContainers { ports { containerPort: 90 } } })");
  BOOST_TEST(pod.spec().containers(0).ports(0).hostport() == 80);
  BOOST_TEST(pod.spec().containers(0).ports(1).hostport() == 8081);
  BOOST_TEST(pod.spec().initcontainers(0).ports(0).hostport() == 90);
  BOOST_TEST(!Defaulted("spec { containers { ports { containerPort: 80 } } }").spec().containers(0).ports(0).has_hostport());
}

BOOST_AUTO_TEST_CASE(requests_default_to_limits_and_are_whole_millis) {
  const core::Pod pod = Defaulted(R"(spec {
    containers { resources {
      limits { key: "cpu" value { string: "1.0005" } } limits { key: "memory" value { string: "1Gi" } }
      requests { key: "memory" value { string: "512Mi" } } } }
    initContainers { resources { requests { key: "cpu" value { string: "1u" } } } }
    overhead { key: "cpu" value { string: "100u" } } })");
  const auto& resources = pod.spec().containers(0).resources();
  BOOST_TEST(resources.limits().at("cpu").string() == "1001m");
  BOOST_TEST(resources.requests().at("cpu").string() == "1001m");
  BOOST_TEST(resources.limits().at("memory").string() == "1Gi");
  BOOST_TEST(resources.requests().at("memory").string() == "512Mi");
  BOOST_TEST(pod.spec().initcontainers(0).resources().requests().at("cpu").string() == "1m");
  BOOST_TEST(pod.spec().initcontainers(0).resources().limits().empty());
  BOOST_TEST(pod.spec().overhead().at("cpu").string() == "1m");
}

BOOST_AUTO_TEST_CASE(volumes) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "emptyDir {}"},
      {"volumeSource { hostPath { path: \"/x\" } }", "hostPath { path: \"/x\" type: \"\" }"},
      {"volumeSource { hostPath { path: \"/x\" type: \"File\" } }", "hostPath { path: \"/x\" type: \"File\" }"},
      {"volumeSource { secret {} }", "secret { defaultMode: 420 }"},
      {"volumeSource { secret { defaultMode: 0 } }", "secret { defaultMode: 0 }"},
      {"volumeSource { configMap {} }", "configMap { defaultMode: 420 }"},
      {"volumeSource { downwardAPI { items { path: \"a\" fieldRef { fieldPath: \"metadata.name\" } } } }",
       "downwardAPI { items { path: \"a\" fieldRef { apiVersion: \"v1\" fieldPath: \"metadata.name\" } } defaultMode: 420 }"},
      {"volumeSource { projected { sources { serviceAccountToken {} } sources { downwardAPI { items { fieldRef {} } } } } }",
       "projected { sources { serviceAccountToken { expirationSeconds: 3600 } } "
       "sources { downwardAPI { items { fieldRef { apiVersion: \"v1\" } } } } defaultMode: 420 }"},
      {"volumeSource { iscsi {} }", "iscsi { iscsiInterface: \"default\" }"},
      {"volumeSource { rbd {} }", "rbd { pool: \"rbd\" user: \"admin\" keyring: \"/etc/ceph/keyring\" }"},
      {"volumeSource { azureDisk {} }",
       "azureDisk { cachingMode: \"ReadWrite\" fsType: \"ext4\" readOnly: false kind: \"Shared\" }"},
      {"volumeSource { scaleIO {} }", "scaleIO { storageMode: \"ThinProvisioned\" fsType: \"xfs\" }"},
      {"volumeSource { ephemeral { volumeClaimTemplate { spec {} } } }",
       "ephemeral { volumeClaimTemplate { spec { volumeMode: \"Filesystem\" } } }"},
      {"volumeSource { image { reference: \"x:1\" } }", "image { reference: \"x:1\" pullPolicy: \"IfNotPresent\" }"},
      {"volumeSource { nfs {} }", "nfs {}"},
  };
  for (const auto& [given, expected] : cases) {
    const core::Pod pod = Defaulted("spec { volumes { " + given + " } }");
    ExpectText(pod.spec().volumes(0).volumesource(), FromText<core::VolumeSource>(expected));
  }
}

BOOST_AUTO_TEST_CASE(environment_field_references_get_an_api_version) {
  const core::Pod pod = Defaulted(R"(spec {
    ephemeralContainers { ephemeralContainerCommon { env { valueFrom { fieldRef { fieldPath: "spec.nodeName" } } } } }
    containers { env { value: "x" } env { valueFrom { fieldRef { apiVersion: "v2" } } } } })");
  BOOST_TEST(pod.spec().ephemeralcontainers(0).ephemeralcontainercommon().env(0).valuefrom().fieldref().apiversion() == "v1");
  BOOST_TEST(!pod.spec().containers(0).env(0).has_valuefrom());
  BOOST_TEST(pod.spec().containers(0).env(1).valuefrom().fieldref().apiversion() == "v2");
}

BOOST_AUTO_TEST_CASE(conversions_of_old_fields) {
  const core::Pod pod = Defaulted(R"(
    metadata { annotations { key: "pod.beta.kubernetes.io/init-containers" value: "[]" } annotations { key: "a" value: "b" } }
    spec { serviceAccount: "sa" terminationGracePeriodSeconds: -5 })");
  BOOST_TEST(pod.spec().serviceaccountname() == "sa");
  BOOST_TEST(Defaulted("spec { serviceAccountName: \"a\" serviceAccount: \"b\" }").spec().serviceaccount() == "a");
  BOOST_TEST(pod.spec().terminationgraceperiodseconds() == 1);
  BOOST_TEST(pod.metadata().annotations_size() == 1);
}

BOOST_AUTO_TEST_CASE(templates_get_no_requests_ports_or_service_links) {
  auto spec = FromText<core::PodSpec>(R"(hostNetwork: true terminationGracePeriodSeconds: -1
    containers { ports { containerPort: 1 } resources { limits { key: "cpu" value { string: "1" } } } })");
  SetDefaults(spec);
  BOOST_TEST(spec.containers(0).resources().requests().empty());
  BOOST_TEST(spec.containers(0).ports(0).hostport() == 0);
  BOOST_TEST(!spec.has_enableservicelinks());
  BOOST_TEST(spec.terminationgraceperiodseconds() == -1);
}

BOOST_AUTO_TEST_CASE(secrets_are_opaque_and_their_string_data_wins) {
  auto secret = FromText<core::Secret>(R"(data { key: "a" value: "old" } data { key: "b" value: "x" }
    stringData { key: "a" value: "new" })");
  SetDefaults(secret);
  ExpectText(secret, FromText<core::Secret>(R"(data { key: "a" value: "new" } data { key: "b" value: "x" } type: "Opaque")"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::api
