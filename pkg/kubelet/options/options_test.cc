#include "pkg/kubelet/options/options.h"

#include <stdlib.h>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <fstream>
#include <ostream>

#include "pkg/base/file.h"

namespace knarr::kubelet {
namespace {

constexpr char kHead[] = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n";

struct Fixture {
  std::string dir;
  Fixture() {
    const char* root = ::getenv("TEST_TMPDIR");
    std::string pattern = std::string(root != nullptr ? root : "/tmp") + "/options.XXXXXX";
    BOOST_REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    dir = pattern;
  }
  ~Fixture() { (void)RemoveAll(dir); }
  std::string Write(const std::string& name, const std::string& text) const {
    (void)MakeDirs(std::string(DirName(dir + "/" + name)));
    std::ofstream(dir + "/" + name) << text;
    return dir + "/" + name;
  }
  std::string Config(const std::string& body) const { return "--config=" + Write("config.yaml", kHead + body); }
};

KubeletOptions Parse(const std::vector<std::string>& args) {
  Result<ParsedCommandLine> parsed = ParseCommandLine(args);
  BOOST_REQUIRE_MESSAGE(parsed.ok(), parsed.status().message());
  return parsed->options;
}
std::string ErrorOf(const std::vector<std::string>& args) {
  return std::string(ParseCommandLine(args).status().message());
}

struct Case {
  std::vector<std::string> args;
  std::string expected;
};
std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << (c.args.empty() ? "" : c.args[0]);
}

const std::vector<Case> kFlagErrors = {
    {{"--foo"}, "unknown flag: --foo"},
    {{"run"}, "unknown command run"},
    {{"--port"}, "flag needs an argument: --port"},
    {{"--container-runtime=docker"},
     "invalid argument \"docker\" for \"--container-runtime\" flag: only \"remote\" (CRI) is supported; dockershim was "
     "removed in 1.24"},
    {{"--network-plugin=kubenet"},
     "invalid argument \"kubenet\" for \"--network-plugin\" flag: only \"cni\" is supported"},
    {{"--cloud-provider=aws"},
     "invalid argument \"aws\" for \"--cloud-provider\" flag: built-in cloud providers were removed in 1.29; use "
     "\"external\" or leave it empty"},
    {{"--port=0"}, "invalid configuration: port (--port) 0 must be between 1 and 65535, inclusive"},
    {{"--runonce"},
     "invalid configuration: runOnce (--runOnce) true, Runonce mode has been deprecated and should not be set"},
    {{"--cpu-manager-policy=static"},
     "invalid configuration: cpuManagerPolicy (--cpu-manager-policy) \"static\" is not supported; only \"none\" is"},
    {{"--container-runtime-endpoint=tcp://1.2.3.4:5"},
     "invalid configuration: container runtime endpoint \"tcp://1.2.3.4:5\": only unix sockets are supported, "
     "unix:///path/to/runtime.sock"},
    {{"--image-gc-low-threshold=90", "--max-pods=-1"},
     "[invalid configuration: maxPods (--max-pods) -1 must not be a negative number, invalid configuration: "
     "imageGCLowThresholdPercent "
     "(--image-gc-low-threshold) 90 must be less than imageGCHighThresholdPercent (--image-gc-high-threshold) 85]"},
    {{"--eviction-hard=memory.free<1Gi"},
     "invalid configuration: evictionHard (--eviction-hard): unsupported eviction signal memory.free"},
    {{"--eviction-soft=memory.available<1Gi"},
     "invalid configuration: grace period must be specified for the soft eviction threshold memory.available"},
    {{"--authorization-mode=Webhook"},
     "no client provided, cannot use webhook authorization; set authorization.mode (--authorization-mode) to "
     "AlwaysAllow or give --kubeconfig"},
    {{"--tls-cert-file=/a"},
     "invalid configuration: tlsCertFile (--tls-cert-file) and tlsPrivateKeyFile (--tls-private-key-file) belong "
     "together: one of them is missing"},
    {{"--register-with-taints=a"}, "invalid taint spec: a"},
    {{"--system-reserved=disk=1"},
     "invalid configuration: systemReserved (--system-reserved): cannot reserve \"disk\" resource"},
    {{"--enforce-node-allocatable=pods,kube-reserved"},
     "invalid configuration: kubeReservedCgroup (--kube-reserved-cgroup) must be specified when \"kube-reserved\" "
     "contained in "
     "enforceNodeAllocatable (--enforce-node-allocatable)"},
    {{"--config=/no/such/file"},
     "failed to load kubelet config file, path: /no/such/file, error: open /no/such/file: no such file or directory"},
};

// The body after apiVersion and kind; what follows "error: ".
struct FileCase {
  std::string body;
  std::string expected;
};
std::ostream& operator<<(std::ostream& out, const FileCase& c) {
  return out << c.body;
}

const std::vector<FileCase> kFileErrors = {
    {"foo: 1\n", "strict decoding error: line 3: unknown field \"foo\""},
    {"authentication:\n  x509:\n    clientCA: /x\n",
     "strict decoding error: line 5: unknown field \"authentication.x509.clientCA\""},
    {"port: abc\n",
     "strict decoding error: line 3: json: cannot unmarshal string into Go struct field KubeletConfiguration.port of "
     "type int32"},
    {"maxPods: 1\nport: 2\nmaxPods: 3\n",
     "strict decoding error: line 5: yaml: unmarshal errors:\n  line 5: key \"maxPods\" already set in map"},
    {"syncFrequency: soon\n", "strict decoding error: line 3: syncFrequency: time: invalid duration \"soon\""},
    {"a: b: c\n", "yaml: line 3: mapping values are not allowed in this context"},
};

BOOST_AUTO_TEST_SUITE(kubelet_options)

BOOST_DATA_TEST_CASE(bad_command_lines_are_refused_with_the_reason, boost::unit_test::data::make(kFlagErrors), c) {
  BOOST_TEST(ErrorOf(c.args) == c.expected);
}

BOOST_DATA_TEST_CASE(bad_configuration_files_are_refused_with_line_and_path, boost::unit_test::data::make(kFileErrors),
                     c) {
  const Fixture f;
  BOOST_TEST(ErrorOf({f.Config(c.body)}) ==
             "failed to load kubelet config file, path: " + f.dir + "/config.yaml, error: " + c.expected);
}

BOOST_AUTO_TEST_CASE(a_file_of_another_kind_or_an_empty_one_is_refused) {
  const Fixture f;
  const auto error = [&](const std::string& text) { return ErrorOf({"--config=" + f.Write("c", text)}); };
  BOOST_TEST(error("").ends_with("error: kubelet config file was empty"));
  BOOST_TEST(error("kind: Pod\napiVersion: v1\n").find("no kind \"Pod\" is registered for version \"v1\"") !=
             std::string::npos);
  BOOST_TEST(error("port: 1\n").ends_with("Object 'Kind' is missing"));
}

BOOST_AUTO_TEST_CASE(the_defaults_are_upstreams_and_standalone_needs_no_webhooks) {
  const KubeletOptions o = Parse({"--hostname-override= NODE-1 "});
  BOOST_TEST(o.node.node_name == "node-1");
  BOOST_TEST(o.node.standalone());
  BOOST_TEST(o.runtime.container_runtime_endpoint == "unix:///run/containerd/containerd.sock");
  BOOST_TEST(o.root_dir == "/var/lib/kubelet");
  BOOST_TEST(!o.server.anonymous_auth);
  BOOST_TEST(!o.server.authentication_webhook);
  BOOST_TEST(o.server.authorization_mode == "SystemMasters");
  BOOST_TEST(o.pods.container_log_max_size == 10 << 20);
  BOOST_TEST(o.warnings.empty());
  const KubeletOptions cluster = Parse({"--kubeconfig=/etc/kubernetes/kubelet.conf"});
  BOOST_TEST(cluster.server.authentication_webhook);
  BOOST_TEST(cluster.server.authorization_mode == "Webhook");
}

BOOST_AUTO_TEST_CASE(the_unit_file_of_an_old_guide_starts) {
  const KubeletOptions o = Parse({"--allow-privileged=true",
                                  "--anonymous-auth=false",
                                  "--authorization-mode=AlwaysAllow",
                                  "--cgroup-driver=cgroupfs",
                                  "--client-ca-file=/ca.pem",
                                  "--cloud-provider=",
                                  "--cluster-dns=10.32.0.10",
                                  "--cluster-domain=cluster.local",
                                  "--cni-bin-dir=/usr/lib/cni,/opt/cni/bin",
                                  "--cni-conf-dir=/etc/cni/custom.d",
                                  "--container-runtime=remote",
                                  "--container-runtime-endpoint=unix:///var/run/containerd/containerd.sock",
                                  "--image-pull-progress-deadline=2m",
                                  "--network-plugin=cni",
                                  "--pod-infra-container-image=k8s.gcr.io/pause:3.2",
                                  "--pod-manifest-path=/etc/kubernetes/manifests",
                                  "--register-node=true",
                                  "--root_dir=/data/kubelet",
                                  "--runtime-request-timeout=15m",
                                  "--logtostderr",
                                  "-v=2"});
  BOOST_TEST(o.sources.static_pod_path == "/etc/kubernetes/manifests");
  BOOST_TEST(o.runtime.cni_conf_dir == "/etc/cni/custom.d");
  BOOST_TEST(o.runtime.cni_bin_dirs.size() == 2U);
  BOOST_TEST(o.runtime.pod_infra_container_image == "k8s.gcr.io/pause:3.2");
  BOOST_TEST(o.root_dir == "/data/kubelet");
  BOOST_TEST(o.pods.cluster_dns.at(0) == "10.32.0.10");
  BOOST_TEST(o.log.verbosity == 2);
  const std::vector<std::string> expected = {
      "Flag --allow-privileged has no effect: privileged containers are allowed, as in upstream since 1.15; restrict "
      "them by policy",
      "Flag --image-pull-progress-deadline has no effect: dockershim was removed in 1.24",
      "Flag --logtostderr has no effect: logs go to stderr in klog's format"};
  BOOST_TEST(o.warnings == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_file_wins_over_defaults_and_flags_win_over_the_file) {
  const Fixture f;
  const KubeletOptions o =
      Parse({f.Config("maxPods: 50\nport: 1234\nclusterDNS: [1.1.1.1]\nhealthzPort: 0\nresolvConf: ''\n"
                      "featureGates: {A: true, B: true}\nstaticPodPath: /m\nevictionHard: {memory.available: 5%}\n"
                      "logging: {format: json, verbosity: 3}\ncontainerLogMaxSize: 1Mi\n"
                      "registerWithTaints:\n- {key: a, value: b, effect: NoSchedule}\n"),
             "--port=4321", "--cluster-dns=2.2.2.2", "--feature-gates=B=false"});
  BOOST_TEST(o.pods.max_pods == 50);
  BOOST_TEST(o.server.port == 4321);
  BOOST_TEST(o.pods.cluster_dns == std::vector<std::string>{"2.2.2.2"}, boost::test_tools::per_element());
  BOOST_TEST(o.server.healthz_port == 0);
  BOOST_TEST(o.pods.resolv_conf == "");
  BOOST_TEST((o.feature_gates == std::map<std::string, bool>{{"A", true}, {"B", false}}));
  BOOST_TEST((o.eviction.hard == std::map<std::string, std::string>{{"memory.available", "5%"}}));
  BOOST_TEST((o.log.format == LogFormat::kJson));
  BOOST_TEST(o.log.verbosity == 3);
  BOOST_TEST(o.pods.container_log_max_size == 1 << 20);
  BOOST_TEST(o.node.register_with_taints.at(0).effect == "NoSchedule");
  BOOST_TEST(o.config_file == f.dir + "/config.yaml");
}

BOOST_AUTO_TEST_CASE(drop_ins_are_merged_in_the_order_of_their_names) {
  const Fixture f;
  f.Write("d/20-b.conf", kHead + std::string("maxPods: 20\nsystemReserved: {memory: 1Gi}\n"));
  f.Write("d/10-a.conf", kHead + std::string("maxPods: 10\nsystemReserved: {cpu: 100m}\nclusterDNS: [3.3.3.3]\n"));
  f.Write("d/readme.txt", "not a configuration");
  const KubeletOptions o =
      Parse({f.Config("maxPods: 5\nclusterDNS: [1.1.1.1, 2.2.2.2]\n"), "--config-dir=" + f.dir + "/d"});
  BOOST_TEST(o.pods.max_pods == 20);
  BOOST_TEST(o.cgroups.system_reserved.size() == 2U);
  BOOST_TEST(o.pods.cluster_dns.size() == 1U);
  f.Write("d/30-bad.conf", kHead + std::string("maxPod: 1\n"));
  BOOST_TEST(ErrorOf({"--config-dir=" + f.dir + "/d"}) ==
             "failed to load kubelet config file, path: " + f.dir +
                 "/d/30-bad.conf, error: strict decoding error: line 3: unknown field \"maxPod\"");
}

BOOST_AUTO_TEST_CASE(values_that_depend_on_others_follow_them) {
  const Fixture f;
  KubeletOptions o =
      Parse({f.Config("nodeStatusUpdateFrequency: 7s\nmaxParallelImagePulls: 4\npodPidsLimit: -5\n"
                      "mergeDefaultEvictionSettings: true\nevictionHard: {memory.available: 1Mi}\n"
                      "evictionSoft: {memory.available: 2Mi}\nevictionSoftGracePeriod: {memory.available: 30s}\n")});
  BOOST_TEST((o.node.node_status_report_frequency == Seconds(7)));
  BOOST_TEST(!o.images.serialize_image_pulls);
  BOOST_TEST(o.pods.pod_pids_limit == -1);
  BOOST_TEST(o.eviction.hard.size() == 5U);
  BOOST_TEST(o.eviction.hard.at("memory.available") == "1Mi");
  BOOST_TEST((o.eviction.soft_grace_period.at("memory.available") == Seconds(30)));
  BOOST_TEST(ErrorOf({f.Config("maxParallelImagePulls: 4\nserializeImagePulls: true\n")})
                 .find("maxParallelImagePulls cannot be larger than 1") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_configuration_of_kubeadm_starts) {
  const Fixture f;
  const KubeletOptions o = Parse({f.Config(R"(authentication:
  anonymous: {enabled: false}
  webhook: {cacheTTL: 0s, enabled: true}
  x509: {clientCAFile: /etc/kubernetes/pki/ca.crt}
authorization:
  mode: Webhook
  webhook: {cacheAuthorizedTTL: 0s, cacheUnauthorizedTTL: 0s}
cgroupDriver: systemd
clusterDNS: [10.96.0.10]
clusterDomain: cluster.local
containerRuntimeEndpoint: ""
cpuManagerReconcilePeriod: 0s
crashLoopBackOff: {}
evictionPressureTransitionPeriod: 0s
fileCheckFrequency: 0s
healthzBindAddress: 127.0.0.1
healthzPort: 10248
httpCheckFrequency: 0s
imageMaximumGCAge: 0s
imageMinimumGCAge: 0s
logging: {flushFrequency: 0, options: {json: {infoBufferSize: "0"}, text: {infoBufferSize: "0"}}, verbosity: 0}
memorySwap: {}
nodeStatusReportFrequency: 0s
nodeStatusUpdateFrequency: 0s
rotateCertificates: true
runtimeRequestTimeout: 0s
shutdownGracePeriod: 0s
shutdownGracePeriodCriticalPods: 0s
staticPodPath: /etc/kubernetes/manifests
streamingConnectionIdleTimeout: 0s
syncFrequency: 0s
volumeStatsAggPeriod: 0s
)"),
                                  "--kubeconfig=/etc/kubernetes/kubelet.conf",
                                  "--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf"});
  BOOST_TEST(o.server.authorization_mode == "Webhook");
  BOOST_TEST((o.server.authentication_webhook_cache_ttl == std::chrono::minutes(2)));
  BOOST_TEST((o.sources.file_check_frequency == Seconds(20)));
  BOOST_TEST(o.warnings.size() == 1U);
  BOOST_TEST(o.cgroups.cgroup_driver == "cgroupfs");
}

BOOST_AUTO_TEST_CASE(the_effective_configuration_can_be_loaded_again) {
  const Fixture f;
  const KubeletOptions first =
      Parse({f.Config("maxPods: 7\nauthorization: {mode: AlwaysAllow}\nauthentication: {webhook: {enabled: false}}\n"),
             "--cluster-dns=1.1.1.1"});
  BOOST_TEST(first.kubelet_config_json.starts_with(
      R"({"kind":"KubeletConfiguration","apiVersion":"kubelet.config.k8s.io/v1beta1","enableServer":true,)"));
  const KubeletOptions second = Parse({"--config=" + f.Write("again.json", first.kubelet_config_json)});
  BOOST_TEST(second.kubelet_config_json == first.kubelet_config_json);
  BOOST_TEST(second.pods.max_pods == 7);
}

BOOST_AUTO_TEST_CASE(help_version_and_validate_are_actions) {
  using Action = ParsedCommandLine::Action;
  BOOST_TEST((ParseCommandLine({"--help"})->action == Action::kHelp));
  BOOST_TEST((ParseCommandLine({"-h", "--config=/no/such"})->action == Action::kHelp));
  const Result<ParsedCommandLine> version = ParseCommandLine({"--version"});
  BOOST_TEST((version->action == Action::kVersion));
  BOOST_TEST(version->text.starts_with("Kubernetes v1.32"));
  BOOST_TEST((ParseCommandLine({"--validate-config"})->action == Action::kValidateConfig));
  BOOST_TEST(ErrorOf({"--validate-config", "--port=0"}) != "");
}

BOOST_AUTO_TEST_CASE(the_help_text_is_the_golden_one) {
  const std::string text = ParseCommandLine({"--help"})->text;
  if (const char* out = ::getenv("TEST_UNDECLARED_OUTPUTS_DIR")) std::ofstream(std::string(out) + "/help.txt") << text;
  const Result<std::string> golden = ReadFile("pkg/kubelet/options/testdata/help.txt");
  BOOST_REQUIRE(golden.ok());
  BOOST_TEST((text == *golden), "help.txt differs; the new text is in the test's outputs");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::kubelet
