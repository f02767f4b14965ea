// The relay behind a real containerd: sandboxes get their network from the kubelet's side, host ports arrive as capabilities,
// and whatever is killed in between leaves nothing behind.
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <thread>

#include "ci/integration/cni/net_fixture.h"
#include "ci/integration/cni/relay_child.h"
#include "ci/integration/lib/containerd.h"
#include "pkg/base/file.h"
#include "pkg/cni/cache.h"
#include "pkg/kubelet/network/cni_relay.h"

namespace knarr::integration {
namespace {

using namespace std::chrono_literals;

using testing::Containerd;

struct Fixture {
  explicit Fixture(Containerd::Version version) {
    char path[] = "/tmp/kctr-XXXXXX";
    dir = ::mkdtemp(path);
    BOOST_REQUIRE(MakeDirs(dir + "/bin").ok());
    BOOST_REQUIRE(MakeDirs(dir + "/plugins").ok());
    const std::string relay_plugin = RealPath("cmd/knarr-cni/knarr-cni");
    for (const char* name : {"/bin/knarr-cni", "/bin/loopback"}) BOOST_REQUIRE(::symlink(relay_plugin.c_str(), (dir + name).c_str()) == 0);
    BOOST_REQUIRE(kubelet::WriteRelayConfig(dir + "/relay.d", dir + "/cni.sock", dir + "/state").ok());
    UseNetwork("");
    StartRelay();
    auto started = Containerd::Start({.version = version, .images = {"pause"}, .cni_bin_dir = dir + "/bin", .cni_conf_dir = dir + "/relay.d"});
    BOOST_REQUIRE_MESSAGE(started.ok(), started.status().message());
    containerd = std::move(*started);
  }
  ~Fixture() {
    containerd.reset();
    relay.reset();
    Shell("ip link del cni0; iptables -t nat -F; iptables -t nat -X");
    RemoveAll(dir).ok();
  }

  cri::CriRuntime& runtime() { return containerd->runtime(); }
  void StartRelay() {
    relay.reset();
    relay = std::make_unique<Relay>(std::vector<std::string>{dir + "/cni.sock", dir + "/conf", dir + "/state", dir + "/networks",
                                                             ReadFile("/proc/sys/kernel/random/boot_id").value().substr(0, 36),
                                                             dir + "/plugins", "/usr/lib/cni"});
  }
  void UseNetwork(const std::string& extra_plugin) {
    RemoveAll(dir + "/conf").ok();
    BOOST_REQUIRE(kubelet::WriteDefaultNetwork(dir + "/conf", "10.88.0.0/24", dir + "/networks").ok());
    const std::string file = dir + "/conf/10-knarr.conflist";
    std::string text = ReadFile(file).value();
    if (!extra_plugin.empty()) text.insert(text.find("{\n      \"type\": \"portmap\""), extra_plugin + ",\n    ");
    BOOST_REQUIRE(WriteFileAtomically(file, text, 0644).ok());
  }

  cri::v1::PodSandboxConfig Config(const std::string& name, int host_port) {
    cri::v1::PodSandboxConfig config;
    config.mutable_metadata()->set_name(name);
    config.mutable_metadata()->set_uid("uid-" + name);
    config.mutable_metadata()->set_namespace_("default");
    config.mutable_linux()->set_cgroup_parent(containerd->cgroup_parent());
    if (host_port != 0) {
      cri::v1::PortMapping* port = config.add_port_mappings();
      port->set_protocol(cri::v1::TCP);
      port->set_container_port(8080);
      port->set_host_port(host_port);
    }
    return config;
  }
  std::string Run(const std::string& name, int host_port = 0) {
    const auto id = runtime().RunPodSandbox(Context().WithTimeout(60s), Config(name, host_port));
    BOOST_REQUIRE_MESSAGE(id.ok(), id.status().message());
    return *id;
  }
  void Remove(const std::string& id) {
    const Status stopped = runtime().StopPodSandbox(Context(), id);
    BOOST_TEST(stopped.ok(), stopped.message());
    const Status removed = runtime().RemovePodSandbox(Context(), id);
    BOOST_TEST(removed.ok(), removed.message());
  }
  cni::Record RecordOf(const std::string& id) { return cni::RecordStore(dir + "/state").Get("knarr", id, "eth0").value(); }

  std::vector<std::string> Leases() {
    std::vector<std::string> leases;
    for (const std::string& name : ListDir(dir + "/networks/knarr").value_or(std::vector<std::string>())) {
      if (name.starts_with("10.")) leases.push_back(name);
    }
    return leases;
  }
  size_t Namespaces() {
    return ListDir(containerd->dir() + "/state/io.containerd.grpc.v1.cri/netns").value_or(std::vector<std::string>()).size();
  }
  void NothingIsLeft() {
    BOOST_TEST(Leases().empty());
    BOOST_TEST(!HasInterfaceLike("veth"));
    BOOST_TEST(Shell("iptables-save -t nat | grep -E '^:CNI-(DN-)?[0-9a-f]{10}|id: ' || true") == "");
    BOOST_TEST(cni::RecordStore(dir + "/state").List()->records.empty());
    BOOST_TEST(Namespaces() == 0u);
  }

  std::string dir;
  std::unique_ptr<Relay> relay;
  std::unique_ptr<Containerd> containerd;
};

// The cases, once for each containerd.
struct Cases : Fixture {
  using Fixture::Fixture;
  void AddressAndHostPort();
  void WithoutTheKubelet();
  void KilledInTheMiddle();
};

void Cases::AddressAndHostPort() {
  const std::string id = Run("web", 18080);
  const auto status = runtime().PodSandboxStatus(Context(), id);
  BOOST_REQUIRE(status.ok());
  const std::string ip = status->status().network().ip();
  const cni::Record record = RecordOf(id);
  BOOST_TEST(cni::SummarizeResult(record.result)->ips.at(0) == ip);
  BOOST_TEST(record.Arg("K8S_POD_NAME") == "web");
  BOOST_TEST(record.Arg("K8S_POD_UID") == "uid-web");
  {
    const EchoServer in_pod(record.rt.netns, 8080);
    BOOST_TEST(Ask("", ip, 8080) == "10.88.0.1");
    BOOST_TEST(Ask("", "10.88.0.1", 18080).find("10.88.0.") == 0u);
    BOOST_TEST(Ask(record.rt.netns, "127.0.0.1", 8080) == "127.0.0.1");  // lo, by knarr-cni as the plugin loopback
  }
  BOOST_TEST(relay->Collect(id) == "removed=0 forced=0 leases=0 namespaces=0 problems=0");
  Remove(id);
  NothingIsLeft();
}

void Cases::WithoutTheKubelet() {
  const std::string id = Run("web", 18080);
  relay->Kill();
  const auto refused = runtime().RunPodSandbox(Context().WithTimeout(60s), Config("other", 0));
  BOOST_REQUIRE(!refused.ok());
  BOOST_TEST(refused.error().message().find("the kubelet does not answer on " + dir + "/cni.sock") != std::string::npos, refused.error().message());
  Remove(id);
  StartRelay();
  relay->Collect("");
  NothingIsLeft();
}

void Cases::KilledInTheMiddle() {
  const std::string good = Run("good");
  const std::string stall = "#!/bin/sh\n[ $CNI_COMMAND = ADD ] || exit 0\necho $$ > " + dir + "/stalled\nexec sleep 1000\n";
  BOOST_REQUIRE(WriteFileAtomically(dir + "/plugins/stall", stall, 0755).ok());
  UseNetwork(R"({"type": "stall"})");
  std::thread caller([&] { BOOST_TEST(!runtime().RunPodSandbox(Context().WithTimeout(60s), Config("bad", 18080)).ok()); });
  for (int i = 0; i < 1000 && !PathExists(dir + "/stalled"); ++i) ::usleep(10'000);
  BOOST_TEST(Leases().size() == 2u);
  // Containerd first: otherwise it has time to take the sandbox down again.
  BOOST_REQUIRE(containerd->Kill().ok());
  relay->Kill();
  caller.join();
  RemoveAll(dir + "/plugins/stall").ok();
  UseNetwork("");
  BOOST_REQUIRE(containerd->StartAgain().ok());
  StartRelay();
  auto listed = runtime().ListPodSandbox(Context());
  for (int i = 0; i < 200 && !listed.ok(); ++i) {  // the channel is in back-off
    ::usleep(50'000);
    listed = runtime().ListPodSandbox(Context());
  }
  BOOST_REQUIRE_MESSAGE(listed.ok(), listed.status().message());
  std::string live;
  for (const auto& sandbox : *listed) {
    if (sandbox.state() == cri::v1::SANDBOX_READY) live += sandbox.id() + " ";
  }
  BOOST_TEST(live == good + " ");
  // The plugin that stalled is not there any more: its DEL fails once, the rest is removed by hand.
  const std::string report = relay->Collect(live);
  BOOST_TEST(report == "removed=0 forced=1 leases=0 namespaces=1 problems=1");
  BOOST_TEST(Leases().size() == 1u);
  BOOST_TEST(Namespaces() == 1u);
  // The one that was healthy still works, and goes as it should.
  const cni::Record record = RecordOf(good);
  {
    const EchoServer in_pod(record.rt.netns, 8080);
    BOOST_TEST(Ask("", Leases()[0], 8080) == "10.88.0.1");
  }
  Remove(good);
  for (int start = 0; start < 2; ++start) {  // the failed record is dropped after three starts
    StartRelay();
    relay->Collect("");
  }
  NothingIsLeft();
}

#define KNARR_SUITE(name, version)                                                                              \
  BOOST_AUTO_TEST_SUITE(name, *boost::unit_test::precondition(CanIsolate()) *                                    \
                                  boost::unit_test::precondition(testing::CanRun(Containerd::Version::version))) \
  BOOST_AUTO_TEST_CASE(a_sandbox_gets_its_address_and_host_port_from_the_kubelet) {                              \
    Cases(Containerd::Version::version).AddressAndHostPort();                                                    \
  }                                                                                                              \
  BOOST_AUTO_TEST_CASE(a_sandbox_can_be_removed_without_the_kubelet_and_not_be_made) {                           \
    Cases(Containerd::Version::version).WithoutTheKubelet();                                                     \
  }                                                                                                              \
  BOOST_AUTO_TEST_CASE(killing_kubelet_and_containerd_in_the_middle_of_an_add_leaves_nothing) {                  \
    Cases(Containerd::Version::version).KilledInTheMiddle();                                                     \
  }                                                                                                              \
  BOOST_AUTO_TEST_SUITE_END()

KNARR_SUITE(containerd_1_6_relay, k1_6)
KNARR_SUITE(containerd_1_7_relay, k1_7)

}  // namespace
}  // namespace knarr::integration
