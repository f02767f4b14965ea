// The pure parts: names, labels, environment, security context, credentials, back-off.
#include <boost/test/unit_test.hpp>

#include "pkg/base/file.h"
#include "pkg/kubelet/kuberuntime/backoff.h"
#include "pkg/kubelet/kuberuntime/container_config.h"
#include "pkg/kubelet/kuberuntime/env.h"
#include "pkg/kubelet/kuberuntime/expansion.h"
#include "pkg/kubelet/kuberuntime/keyring.h"
#include "pkg/kubelet/kuberuntime/labels.h"
#include "pkg/kubelet/kuberuntime/names.h"
#include "pkg/kubelet/kuberuntime/sandbox_config.h"
#include "pkg/kubelet/kuberuntime/sysctls.h"
#include "pkg/kubelet/kuberuntime/termination_message.h"
#include "pkg/kubelet/kuberuntime/test_fixture.h"

namespace knarr::kubelet {
namespace {

using namespace std::chrono_literals;
using boost::test_tools::per_element;

BOOST_AUTO_TEST_SUITE(kuberuntime_plan)

BOOST_AUTO_TEST_CASE(the_hash_is_upstreams) {
  core::Container container;
  container.set_name("test_container");
  container.set_image("foo/image:v1");
  BOOST_TEST(HashContainer(container) == 0x8e45cbd0u);  // from upstream's own test
}

BOOST_AUTO_TEST_CASE(annotations_carry_what_a_later_kubelet_needs) {
  core::Pod pod = MakePod(
      "containers: [{name: web, image: 'web:1', ports: [{name: http, containerPort: 80}],"
      " lifecycle: {preStop: {httpGet: {path: /bye, port: http}}}}]\nterminationGracePeriodSeconds: 9\n");
  const core::Container& container = pod.spec().containers(0);
  const StringMap annotations = ContainerAnnotations(pod, container, 3);
  BOOST_TEST(annotations.at("io.kubernetes.container.restartCount") == "3");
  BOOST_TEST(annotations.at("io.kubernetes.container.hash") == fmt::format("{:x}", HashContainer(container)));
  BOOST_TEST(annotations.at("io.kubernetes.pod.terminationGracePeriod") == "9");
  BOOST_TEST(annotations.at("io.kubernetes.container.ports") == R"([{"name":"http","containerPort":80,"protocol":"TCP"}])");
  BOOST_TEST(annotations.at("io.kubernetes.container.preStopHandler") ==
             R"({"httpGet":{"path":"/bye","port":"http","scheme":"HTTP"}})");
  const ContainerInfo info = ParseContainerInfo(ContainerLabels(pod, container), annotations);
  BOOST_TEST(info.pod_uid == "uid-1");
  BOOST_TEST(info.restart_count == 3);
  BOOST_TEST(info.hash == HashContainer(container));
  BOOST_TEST(*info.termination_grace_period == 9);
  BOOST_TEST(info.pre_stop->httpget().port().strval() == "http");
  BOOST_TEST(info.ports.at(0).containerport() == 80);
}

BOOST_AUTO_TEST_CASE(a_hash_by_another_algorithm_says_nothing) {
  const ContainerInfo info = ParseContainerInfo({}, {{"io.kubernetes.container.hash", "3c42280f"}});
  BOOST_TEST(info.hash == 0u);
}

BOOST_AUTO_TEST_CASE(broken_annotations_are_as_if_they_were_not_there) {
  const ContainerInfo info = ParseContainerInfo(
      {}, {{"io.kubernetes.container.preStopHandler", "{"}, {"io.kubernetes.container.ports", "]["}, {"io.kubernetes.container.restartCount", "x"}});
  BOOST_TEST(!info.pre_stop);
  BOOST_TEST(info.ports.empty());
  BOOST_TEST(info.restart_count == 0);
}

BOOST_AUTO_TEST_CASE(log_names_go_both_ways) {
  BOOST_TEST(PodLogsDirectory("/var/log/pods", "ns", "web", "u-1") == "/var/log/pods/ns_web_u-1");
  BOOST_TEST(*PodUidFromLogsDirectory("ns_web_u-1") == "u-1");
  BOOST_TEST(!PodUidFromLogsDirectory("lost+found"));
  BOOST_TEST(!PodUidFromLogsDirectory("a_b"));
  const std::string link = LegacyLogLink("web", "ns", "app", "0123456789abcdef");
  BOOST_TEST(link == "web_ns_app-0123456789abcdef.log");
  BOOST_TEST(*ContainerIdFromLegacyLogLink(link) == "0123456789abcdef");
  BOOST_TEST(LegacyLogLink(std::string(300, 'p'), "ns", "app", "id").size() == 255u);
}

BOOST_AUTO_TEST_CASE(variables_expand_as_upstream) {
  const std::map<std::string, std::string> vars = {{"A", "1"}, {"B", "$(A)"}, {"E", ""}};
  const std::pair<const char*, const char*> table[] = {
      {"$(A)", "1"},     {"x$(A)y", "x1y"}, {"$$(A)", "$(A)"}, {"$$$(A)", "$1"},  {"$(B)", "$(A)"}, {"$(NO)", "$(NO)"},
      {"$A", "$A"},      {"$", "$"},        {"$$", "$"},       {"$(A", "$(A"},    {"$()", "$()"},   {"$(E)", ""},
      {"a$(A)$(A)b$", "a11b$"}};
  for (const auto& [in, out] : table) BOOST_TEST(Expand(in, vars) == out, in);
}

struct EnvFixture {
  Result<Environment> Make(const std::string& env) {
    pod = MakePod("containers: [{name: web, image: x, resources: {limits: {cpu: 1500m}, requests: {memory: 1Gi}}, " + env + "}]\n");
    return MakeEnvironment(pod, pod.spec().containers(0),
                           {objects, ips, host_ips, allocatable,
                            [this](std::string_view, const std::string&, const std::vector<std::string>& keys) { invalid = keys; }});
  }
  core::Pod pod;
  FakeObjects objects;
  std::vector<std::string> ips = {"10.0.0.1", "fd00::1"}, host_ips = {"192.0.2.1"}, invalid;
  std::map<std::string, std::string> allocatable = {{"cpu", "4"}, {"memory", "8Gi"}};
};

BOOST_FIXTURE_TEST_CASE(env_overrides_env_from_and_expands_what_came_before, EnvFixture) {
  auto& data = *objects.config_maps["c"].mutable_data();
  data["A"] = "from-map";
  data["B"] = "b";
  data["a=b"] = "bad";
  const auto env = Make("envFrom: [{prefix: P_, configMapRef: {name: c}}], env: [{name: X, value: '$(P_A) $(LATER)'}, {name: LATER, value: z},"
                        " {name: P_B, value: mine}]");
  BOOST_REQUIRE(env.ok());
  BOOST_TEST(env->by_name.at("X") == "from-map $(LATER)");
  BOOST_TEST(env->by_name.at("P_B") == "mine");
  BOOST_TEST(env->ordered.size() == 4u);
  BOOST_TEST(invalid == std::vector<std::string>{"P_a=b"}, per_element());
}

BOOST_FIXTURE_TEST_CASE(env_takes_fields_resources_and_secrets, EnvFixture) {
  (*objects.secrets["s"].mutable_data())["key"] = "secret";
  const auto env = Make(
      "env: [{name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}, {name: IPS, valueFrom: {fieldRef: {fieldPath: status.podIPs}}},"
      " {name: UID, valueFrom: {fieldRef: {fieldPath: metadata.uid}}},"
      " {name: SRC, valueFrom: {fieldRef: {fieldPath: 'metadata.annotations[''kubernetes.io/config.source'']'}}},"
      " {name: CPU, valueFrom: {resourceFieldRef: {resource: limits.cpu}}},"
      " {name: MILLI, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 1m}}},"
      " {name: MEM, valueFrom: {resourceFieldRef: {resource: limits.memory, divisor: 1Mi}}},"
      " {name: REQ, valueFrom: {resourceFieldRef: {resource: requests.memory, divisor: 1Mi}}},"
      " {name: S, valueFrom: {secretKeyRef: {name: s, key: key}}}]");
  BOOST_REQUIRE(env.ok());
  BOOST_TEST(env->by_name.at("IP") == "10.0.0.1");
  BOOST_TEST(env->by_name.at("IPS") == "10.0.0.1,fd00::1");
  BOOST_TEST(env->by_name.at("UID") == "uid-1");
  BOOST_TEST(env->by_name.at("SRC") == "file");
  BOOST_TEST(env->by_name.at("CPU") == "2");  // rounded up
  BOOST_TEST(env->by_name.at("MILLI") == "1500");
  BOOST_TEST(env->by_name.at("MEM") == "8192");  // the node's
  BOOST_TEST(env->by_name.at("REQ") == "1024");
  BOOST_TEST(env->by_name.at("S") == "secret");
}

BOOST_FIXTURE_TEST_CASE(what_is_optional_may_be_missing_and_nothing_else, EnvFixture) {
  BOOST_TEST(Make("env: [{name: S, valueFrom: {secretKeyRef: {name: missing, key: k, optional: true}}}]")->ordered.empty());
  BOOST_TEST(Make("envFrom: [{secretRef: {name: missing, optional: true}}]").ok());
  objects.config_maps["c"];
  BOOST_TEST(Make("env: [{name: S, valueFrom: {configMapKeyRef: {name: c, key: k, optional: true}}}]").ok());
  BOOST_TEST(std::string(Make("env: [{name: S, valueFrom: {configMapKeyRef: {name: c, key: k}}}]").status().message()) ==
             "couldn't find key k in ConfigMap default/c");
  BOOST_TEST(std::string(Make("envFrom: [{secretRef: {name: missing}}]").status().message()) == "secret \"missing\" not found");
}

BOOST_AUTO_TEST_CASE(run_as_non_root_is_verified_against_the_image) {
  const auto check = [](const std::string& pod_context, const std::string& context, ImageUser user) {
    const core::Pod pod = MakePod("securityContext: {" + pod_context + "}\ncontainers: [{name: web, image: x, securityContext: {" + context + "}}]\n");
    return std::string(VerifyRunAsNonRoot(pod, pod.spec().containers(0), user).message());
  };
  BOOST_TEST(check("", "", {.uid = 0}) == "ok");
  BOOST_TEST(check("runAsNonRoot: true", "", {.uid = 1}) == "ok");
  BOOST_TEST(check("runAsNonRoot: true", "runAsNonRoot: false", {.uid = 0}) == "ok");
  BOOST_TEST(check("runAsNonRoot: true", "runAsUser: 5", {.uid = 0}) == "ok");
  BOOST_TEST(check("runAsNonRoot: true", "", {.uid = 0}) ==
             "container has runAsNonRoot and image will run as root (pod: \"web-node_default(uid-1)\", container: web)");
  BOOST_TEST(check("runAsNonRoot: true", "", {.username = "app"}) ==
             "container has runAsNonRoot and image has non-numeric user (app), cannot verify user is non-root (pod: "
             "\"web-node_default(uid-1)\", container: web)");
  BOOST_TEST(check("runAsUser: 0", "runAsNonRoot: true", {.uid = 4}) ==
             "container's runAsUser breaks non-root policy (pod: \"web-node_default(uid-1)\", container: web)");
}

BOOST_AUTO_TEST_CASE(the_security_context_is_passed_whole) {
  const core::Pod pod = MakePod(
      "securityContext: {runAsUser: 1, runAsGroup: 2, fsGroup: 3, supplementalGroups: [4], seccompProfile: {type: RuntimeDefault}}\n"
      "shareProcessNamespace: true\nhostIPC: true\n"
      "containers: [{name: web, image: x, securityContext: {runAsUser: 10, readOnlyRootFilesystem: true, allowPrivilegeEscalation: false,"
      " capabilities: {add: [NET_ADMIN], drop: [ALL]}, seccompProfile: {type: Localhost, localhostProfile: p.json},"
      " appArmorProfile: {type: Localhost, localhostProfile: mine}}}, {name: raw, image: x, securityContext: {procMount: Unmasked, privileged: true}}]\n");
  const SeccompSettings settings{"/seccomp", false};
  const auto web = ContainerSecurityContext(pod, pod.spec().containers(0), {.uid = 99}, settings).value();
  BOOST_TEST(web.run_as_user().value() == 10);
  BOOST_TEST(web.run_as_group().value() == 2);
  BOOST_TEST(web.readonly_rootfs());
  BOOST_TEST(web.no_new_privs());
  BOOST_TEST(web.capabilities().add_capabilities(0) == "NET_ADMIN");
  BOOST_TEST(web.capabilities().drop_capabilities(0) == "ALL");
  BOOST_TEST(web.supplemental_groups(0) == 3);
  BOOST_TEST(web.supplemental_groups(1) == 4);
  BOOST_TEST(web.seccomp().localhost_ref() == "/seccomp/p.json");
  BOOST_TEST(web.apparmor().localhost_ref() == "mine");
  BOOST_TEST(web.namespace_options().pid() == cri_v1::POD);
  BOOST_TEST(web.namespace_options().ipc() == cri_v1::NODE);
  BOOST_TEST(web.masked_paths_size() > 5);
  const auto raw = ContainerSecurityContext(pod, pod.spec().containers(1), {}, settings).value();
  BOOST_TEST(raw.privileged());
  BOOST_TEST(raw.masked_paths_size() == 0);
  BOOST_TEST(raw.seccomp().profile_type() == cri_v1::SecurityProfile::RuntimeDefault);
  BOOST_TEST(SandboxSecurityContext(pod).privileged());
}

BOOST_AUTO_TEST_CASE(without_a_profile_seccomp_follows_the_default) {
  const core::Pod pod = WebPod();
  const auto profile = [&](bool by_default) {
    return ContainerSecurityContext(pod, pod.spec().containers(0), {}, {"/s", by_default})->seccomp().profile_type();
  };
  BOOST_TEST(profile(false) == cri_v1::SecurityProfile::Unconfined);
  BOOST_TEST(profile(true) == cri_v1::SecurityProfile::RuntimeDefault);
}

BOOST_AUTO_TEST_CASE(the_sandbox_gets_ports_sysctls_and_names) {
  const core::Pod pod = MakePod(
      "securityContext: {sysctls: [{name: net/ipv4/tcp_syncookies, value: '1'}]}\n"
      "containers: [{name: web, image: x, ports: [{containerPort: 80, hostPort: 8080, protocol: UDP}]}]\n");
  const auto config = MakeSandboxConfig(pod, 2, {"web", {"10.0.0.10"}, {}, {}}, "/logs", "/kubepods/x");
  BOOST_TEST(config.metadata().attempt() == 2u);
  BOOST_TEST(config.port_mappings(0).host_port() == 8080);
  BOOST_TEST(config.port_mappings(0).protocol() == cri_v1::UDP);
  BOOST_TEST(config.linux().sysctls().at("net.ipv4.tcp_syncookies") == "1");
  BOOST_TEST(config.labels().at("io.kubernetes.pod.uid") == "uid-1");
  BOOST_TEST(config.dns_config().servers(0) == "10.0.0.10");
}

BOOST_AUTO_TEST_CASE(sysctls_are_safe_or_allowed) {
  const auto check = [](const std::string& name, const std::string& more = "") {
    const core::Pod pod = MakePod("securityContext: {sysctls: [{name: " + name + ", value: '1'}]}\ncontainers: [{name: a, image: x}]\n" + more);
    return std::string(CheckSysctls(pod, {"kernel.msg*", "net.core.somaxconn"}).message());
  };
  BOOST_TEST(check("net.ipv4.tcp_syncookies") == "ok");
  BOOST_TEST(check("kernel/msgmax") == "ok");
  BOOST_TEST(check("vm.swappiness") == "forbidden sysctl: \"vm.swappiness\" not allowlisted");
  BOOST_TEST(check("net.core.somaxconn", "hostNetwork: true\n") ==
             "forbidden sysctl: \"net.core.somaxconn\" not allowed with host net enabled");
}

BOOST_AUTO_TEST_CASE(credentials_are_found_by_registry_and_path) {
  core::Secret secret;
  secret.mutable_metadata()->set_name("pull");
  secret.set_type("kubernetes.io/dockerconfigjson");
  (*secret.mutable_data())[".dockerconfigjson"] =
      R"({"auths":{"https://index.docker.io/v1/":{"username":"hub","password":"p"},"reg.local:5000/team":{"auth":"dGVhbTpzZTpjcmV0"},)"
      R"("reg.local:5000":{"username":"all","password":"p"},"*.example.com":{"username":"wild","password":"p"}}})";
  Keyring keyring;
  BOOST_REQUIRE(keyring.Add(secret).ok());
  const auto users = [&](const char* image) {
    std::vector<std::string> out;
    for (const Credential& c : keyring.Lookup(names::ParseImageName(image).value())) out.push_back(c.username + "/" + c.password);
    return out;
  };
  using List = std::vector<std::string>;
  BOOST_TEST(users("busybox") == List{"hub/p"}, per_element());
  BOOST_TEST(users("reg.local:5000/team/app:1") == (List{"team/se:cret", "all/p"}), per_element());
  BOOST_TEST(users("reg.local:5000/other") == List{"all/p"}, per_element());
  BOOST_TEST(users("a.example.com/x") == List{"wild/p"}, per_element());
  BOOST_TEST(users("a.b.example.com/x").empty());
  (*secret.mutable_data())[".dockerconfigjson"] = R"({"auths":{"r":{"auth":"!"}}})";
  BOOST_TEST(std::string(keyring.Add(secret).message()) == "secret pull: credentials of r cannot be read");
}

BOOST_AUTO_TEST_CASE(the_tail_of_a_log_is_text_without_stamps) {
  char path[] = "/tmp/kuberuntime-log.XXXXXX";
  const UniqueFd fd(mkstemp(path));
  std::string log;
  for (int i = 0; i < 5000; ++i) log += fmt::format("2024-01-01T00:00:00.000000000Z stdout F line {}\n", i);
  log += "2024-01-01T00:00:00.000000000Z stderr P half ";
  BOOST_REQUIRE(WriteAll(fd.get(), log, path).ok());
  BOOST_TEST(TailOfLog(path, 3, 2048) == "line 4998\nline 4999\nhalf ");
  BOOST_TEST(TailOfLog(path, 80, 12) == "e 4999\nhalf ");
  BOOST_TEST(TailOfLog("/nowhere/at/all", 80, 2048).starts_with("Error on reading termination message from logs: "));
  (void)unlink(path);
}

BOOST_AUTO_TEST_CASE(back_off_doubles_and_forgets) {
  FakeClock clock;
  Backoff backoff(clock, 10s, 5min);
  BOOST_TEST(!backoff.LeftSinceUpdate("k"));
  backoff.Next("k", clock.Now());
  BOOST_TEST((backoff.LeftSinceUpdate("k") == Duration(10s)));
  clock.Advance(10s);
  BOOST_TEST(!backoff.LeftSinceUpdate("k"));
  for (int i = 0; i < 9; ++i) backoff.Next("k", clock.Now());
  BOOST_TEST((backoff.Get("k") == Duration(5min)));
  clock.Advance(10min + 1s);
  backoff.Next("k", clock.Now());
  BOOST_TEST((backoff.Get("k") == Duration(10s)));
  clock.Advance(11min);
  backoff.CollectGarbage();
  BOOST_TEST((backoff.Get("k") == Duration::zero()));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::kubelet
