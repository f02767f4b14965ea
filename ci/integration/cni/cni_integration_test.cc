// The relay with the real plugins of containernetworking-plugins: connectivity, host ports, and that nothing is left of an
// attachment after a DEL, a crash or a reboot.
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdio>
#include <thread>

#include "ci/integration/cni/net_fixture.h"
#include "ci/integration/cni/relay_child.h"
#include "pkg/base/file.h"
#include "pkg/base/process.h"
#include "pkg/cni/cache.h"
#include "pkg/cni/result.h"
#include "pkg/kubelet/network/cni_relay.h"

namespace knarr::integration {
namespace {

using namespace std::chrono_literals;

std::string SandboxId(int n) {
  const std::string digits = std::to_string(n);
  return std::string(64 - digits.size(), 'a') + digits;
}

struct Fixture {
  Fixture() {
    char path[] = "/tmp/knarr-cni-it-XXXXXX";
    dir = ::mkdtemp(path);
    BOOST_REQUIRE(kubelet::WriteDefaultNetwork(dir + "/conf", "10.88.0.0/24", dir + "/networks").ok());
    StartRelay("boot-1");
  }
  ~Fixture() {
    relay.reset();
    for (const std::string& ns : namespaces) RemovePodNamespace(ns);
    Shell("ip link del cni0; iptables -t nat -F; iptables -t nat -X");
    BOOST_TEST(RemoveAll(dir).ok());
  }

  void StartRelay(const std::string& boot_id) {
    relay.reset();
    relay = std::make_unique<Relay>(std::vector<std::string>{dir + "/cni.sock", dir + "/conf", dir + "/state", dir + "/networks", boot_id,
                                                             dir + "/bin", "/usr/lib/cni"});
  }
  std::string Namespace(int n) {
    namespaces.push_back(MakePodNamespace("cni-" + std::to_string(n)));
    return namespaces.back();
  }

  ProcessSpec Client(const std::string& command, int n, const std::string& netns, const std::string& runtime_config = "{}") {
    ProcessSpec spec;
    spec.path = RealPath("cmd/knarr-cni/knarr-cni");
    spec.env = {"CNI_COMMAND=" + command, "CNI_CONTAINERID=" + SandboxId(n), "CNI_NETNS=" + netns, "CNI_IFNAME=eth0", "CNI_PATH=/x",
                "CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web"};
    spec.stdin_data = R"({"cniVersion":"1.0.0","name":"knarr","type":"knarr-cni","socket":")" + dir + R"(/cni.sock","stateDir":")" +
                      dir + R"(/state","runtimeConfig":)" + runtime_config + "}";
    return spec;
  }
  ProcessResult Call(const std::string& command, int n, const std::string& netns, const std::string& runtime_config = "{}") {
    auto done = RunProcess(Context().WithTimeout(60s), Client(command, n, netns, runtime_config));
    BOOST_REQUIRE_MESSAGE(done.ok(), done.status().message());
    return *done;
  }
  // The pod's address.
  std::string Add(int n, const std::string& netns, const std::string& runtime_config = "{}") {
    const ProcessResult done = Call("ADD", n, netns, runtime_config);
    BOOST_REQUIRE_MESSAGE(done.exit_code == 0, done.out);
    return cni::SummarizeResult(done.out)->ips.at(0);
  }

  std::vector<std::string> Leases() {
    std::vector<std::string> leases;
    for (const std::string& name : ListDir(dir + "/networks/knarr").value_or(std::vector<std::string>())) {
      if (name.starts_with("10.")) leases.push_back(name);
    }
    return leases;
  }
  // Chains of attachments; portmap's shared ones stay.
  std::string Chains() { return Shell("iptables-save -t nat | grep -E '^:CNI-(DN-)?[0-9a-f]{10}|id: ' || true"); }
  void NothingIsLeft() {
    BOOST_TEST(Leases().empty());
    BOOST_TEST(!HasInterfaceLike("veth"));
    BOOST_TEST(Chains() == "");
    BOOST_TEST(cni::RecordStore(dir + "/state").List()->records.empty());
  }

  std::string dir;
  std::vector<std::string> namespaces;
  std::unique_ptr<Relay> relay;
};

const std::string kPorts = R"({"portMappings":[{"hostPort":18080,"containerPort":8080,"protocol":"tcp"}]})";

BOOST_AUTO_TEST_SUITE(cni_integration, *boost::unit_test::precondition(CanIsolate()))

BOOST_FIXTURE_TEST_CASE(pods_reach_each_other_the_host_and_out, Fixture) {
  const std::string one = Namespace(1), two = Namespace(2);
  const std::string ip1 = Add(1, one), ip2 = Add(2, two);
  BOOST_TEST(ip1 != ip2);
  const EchoServer in_pod(two, 8080), on_host("", 9090);
  BOOST_TEST(Ask("", ip2, 8080) == "10.88.0.1");
  BOOST_TEST(Ask(one, ip2, 8080) == ip1);
  BOOST_TEST(Ask(one, "10.88.0.1", 9090) == ip1);
  // A world outside: another namespace behind a veth pair. The pod's address must not be seen there.
  const std::string outside = Namespace(9);
  BOOST_REQUIRE(Shell("ip link add out0 type veth peer name in0 && ip link set in0 netns /run/netns/cni-9 && "
                      "ip addr add 192.0.2.1/24 dev out0 && ip link set out0 up") == "");
  InNamespace(outside, [] { Shell("ip addr add 192.0.2.2/24 dev in0; ip link set in0 up"); });
  const EchoServer world(outside, 7070);
  BOOST_TEST(Ask(one, "192.0.2.2", 7070) == "192.0.2.1");
  Shell("ip link del out0");
  BOOST_TEST(Call("DEL", 1, one).exit_code == 0);
  BOOST_TEST(Call("DEL", 2, two).exit_code == 0);
  NothingIsLeft();
}

BOOST_FIXTURE_TEST_CASE(a_host_port_reaches_the_pod_from_everywhere, Fixture) {
  const std::string one = Namespace(1), two = Namespace(2);
  Add(1, one, kPorts);
  Add(2, two);
  const EchoServer server(one, 8080);
  BOOST_TEST(Ask("", "10.88.0.1", 18080).find("10.88.0.") == 0u);
  BOOST_TEST(Ask("", "127.0.0.1", 18080).find("10.88.0.") == 0u);
  BOOST_TEST(Ask(two, "10.88.0.1", 18080).find("10.88.0.") == 0u);
  BOOST_TEST(Ask(one, "10.88.0.1", 18080).find("10.88.0.") == 0u);  // itself: hairpin
  // No CHECK here: portmap 1.1.1 looks for an IPv4 port's chain in ip6tables too, and fails.
  BOOST_TEST(Call("DEL", 1, one).exit_code == 0);
  BOOST_TEST(Ask("", "10.88.0.1", 18080).find("error") == 0u);
  BOOST_TEST(Call("DEL", 2, two).exit_code == 0);
  NothingIsLeft();
}

BOOST_FIXTURE_TEST_CASE(check_notices_a_missing_interface, Fixture) {
  const std::string one = Namespace(1);
  Add(1, one);
  BOOST_TEST(Call("CHECK", 1, one).exit_code == 0);
  InNamespace(one, [] { Shell("ip link del eth0"); });
  BOOST_TEST(Call("CHECK", 1, one).exit_code == 1);
  BOOST_TEST(Call("DEL", 1, one).exit_code == 0);
  BOOST_TEST(Leases().empty());
}

// A plugin in the middle of the chain that stops until it is killed.
void AddStallingPlugin(Fixture& f) {
  BOOST_REQUIRE(MakeDirs(f.dir + "/bin").ok());
  const std::string script = "#!/bin/sh\n[ $CNI_COMMAND = ADD ] || exit 0\necho $$ > " + f.dir + "/stalled\nexec sleep 1000\n";
  BOOST_REQUIRE(WriteFileAtomically(f.dir + "/bin/stall", script, 0755).ok());
  const std::string file = f.dir + "/conf/10-knarr.conflist";
  std::string text = ReadFile(file).value();
  text.insert(text.find("{\n      \"type\": \"portmap\""), "{\"type\": \"stall\"},\n    ");
  BOOST_REQUIRE(WriteFileAtomically(file, text, 0644).ok());
}

pid_t WaitForStall(Fixture& f) {
  for (int i = 0; i < 1000; ++i) {
    const std::string pid = ReadFile(f.dir + "/stalled").value_or("");
    if (pid.ends_with('\n')) return std::atoi(pid.c_str());
    ::usleep(10'000);
  }
  BOOST_FAIL("the plugin did not start");
  return -1;
}

BOOST_FIXTURE_TEST_CASE(a_plugin_killed_in_the_middle_of_an_add_leaves_nothing, Fixture) {
  AddStallingPlugin(*this);
  const std::string one = Namespace(1);
  ProcessResult add;
  std::thread caller([&] { add = *RunProcess(Context().WithTimeout(60s), Client("ADD", 1, one, kPorts)); });
  const pid_t plugin = WaitForStall(*this);
  BOOST_TEST(Leases().size() == 1u);
  ::kill(plugin, SIGKILL);
  caller.join();
  BOOST_TEST(add.exit_code == 1);
  BOOST_TEST(cni::ParsePluginError(add.out)->msg ==
             "plugin type=\"stall\" name=\"knarr\" failed (add): netplugin failed with no error message: signal: killed");
  NothingIsLeft();
}

BOOST_FIXTURE_TEST_CASE(a_kubelet_killed_in_the_middle_of_an_add_leaves_nothing_after_its_next_start, Fixture) {
  AddStallingPlugin(*this);
  const std::string one = Namespace(1);
  ProcessResult add;
  std::thread caller([&] { add = *RunProcess(Context().WithTimeout(60s), Client("ADD", 1, one, kPorts)); });
  const pid_t plugin = WaitForStall(*this);
  relay->Kill();
  caller.join();
  BOOST_TEST(add.exit_code == 1);
  BOOST_TEST(cni::ParsePluginError(add.out)->code == 11u);
  const auto plugin_lives = [&] {  // a zombie does not
    const std::string stat = ReadFile("/proc/" + std::to_string(plugin) + "/stat").value_or("");
    return !stat.empty() && stat.find(") Z ") == std::string::npos;
  };
  for (int i = 0; i < 500 && plugin_lives(); ++i) ::usleep(10'000);
  BOOST_TEST(!plugin_lives());  // it does not outlive the kubelet
  BOOST_TEST(Leases().size() == 1u);
  BOOST_TEST(HasInterfaceLike("veth"));
  StartRelay("boot-1");
  BOOST_TEST(relay->Collect("") == "removed=1 forced=0 leases=0 namespaces=1 problems=0");
  BOOST_TEST(!PathExists(one));
  NothingIsLeft();
}

BOOST_FIXTURE_TEST_CASE(a_reboot_leaves_nothing_of_the_boot_before, Fixture) {
  for (int n = 1; n <= 3; ++n) Add(n, Namespace(n), n == 1 ? kPorts : "{}");
  BOOST_TEST(Leases().size() == 3u);
  relay->Kill();
  // What a reboot does: namespaces, interfaces and rules are gone, /run is empty, the disk is as it was.
  for (const std::string& ns : namespaces) RemovePodNamespace(ns);
  Shell("ip link del cni0; iptables -t nat -F; iptables -t nat -X");
  // And one whose record did not reach the disk, one that was torn.
  BOOST_REQUIRE(RemoveAll(dir + "/state/results/knarr-" + SandboxId(2) + "-eth0").ok());
  BOOST_REQUIRE(WriteFileAtomically(dir + "/state/results/knarr-" + SandboxId(3) + "-eth0", "", 0600).ok());
  StartRelay("boot-2");
  BOOST_TEST(relay->Collect("") == "removed=1 forced=0 leases=2 namespaces=0 problems=0");
  NothingIsLeft();
  BOOST_TEST(relay->Collect("") == "removed=0 forced=0 leases=0 namespaces=0 problems=0");
}

BOOST_FIXTURE_TEST_CASE(wiped_state_and_vanished_namespaces_in_the_same_boot_leave_nothing, Fixture) {
  for (int n = 1; n <= 3; ++n) Add(n, Namespace(n), n == 1 ? kPorts : "{}");
  relay->Kill();
  // Sandbox 1 lost its namespace (its rules stay), 2 lost its record, 3 lives.
  RemovePodNamespace(namespaces[0]);
  RemovePodNamespace(namespaces[1]);
  BOOST_REQUIRE(RemoveAll(dir + "/state/results/knarr-" + SandboxId(2) + "-eth0").ok());
  StartRelay("boot-1");
  BOOST_TEST(relay->Collect(SandboxId(3)) == "removed=1 forced=0 leases=1 namespaces=0 problems=0");
  BOOST_TEST(Leases().size() == 1u);
  BOOST_TEST(Chains().find(SandboxId(3)) != std::string::npos);
  BOOST_TEST(Chains().find(SandboxId(1)) == std::string::npos);
  BOOST_TEST(Chains().find(SandboxId(2)) == std::string::npos);
  const EchoServer server(namespaces[2], 8080);
  BOOST_TEST(Ask("", Leases()[0], 8080) == "10.88.0.1");
  BOOST_TEST(Call("DEL", 3, namespaces[2]).exit_code == 0);
  NothingIsLeft();
}

BOOST_FIXTURE_TEST_CASE(a_del_without_the_kubelet_is_made_up_for, Fixture) {
  const std::string one = Namespace(1);
  Add(1, one, kPorts);
  relay->Kill();
  BOOST_TEST(Call("DEL", 1, one).exit_code == 0);
  RemovePodNamespace(one);  // as the runtime does after a successful DEL
  StartRelay("boot-1");
  BOOST_TEST(relay->Collect(SandboxId(1)) == "removed=1 forced=0 leases=0 namespaces=0 problems=0");
  NothingIsLeft();
}

BOOST_FIXTURE_TEST_CASE(plugins_that_vanished_do_not_keep_an_attachment, Fixture) {
  const std::string one = Namespace(1);
  Add(1, one, kPorts);
  relay->Kill();
  // The recorded configuration now names a plugin that is not there any more.
  const cni::RecordStore store(dir + "/state");
  cni::Record record = store.Get("knarr", SandboxId(1), "eth0").value();
  const std::string portmap = "\"type\":\"portmap\"";
  record.config.replace(record.config.find(portmap), portmap.size(), "\"type\":\"gone\"");
  BOOST_REQUIRE(store.Put(record).ok());
  StartRelay("boot-1");
  BOOST_TEST(relay->Collect("") == "removed=0 forced=1 leases=0 namespaces=1 problems=1");
  BOOST_TEST(Leases().empty());
  BOOST_TEST(!HasInterfaceLike("veth"));
  BOOST_TEST(Chains() == "");
}

BOOST_FIXTURE_TEST_CASE(thirty_pods_at_once_get_thirty_addresses_and_leave_nothing, Fixture) {
  std::vector<std::string> ns, ips(30);
  for (int n = 0; n < 30; ++n) ns.push_back(Namespace(100 + n));
  const auto start = std::chrono::steady_clock::now();
  {
    std::vector<std::jthread> threads;
    for (size_t t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (size_t n = t; n < 30; n += 4) {
          const auto done = RunProcess(Context().WithTimeout(60s), Client("ADD", static_cast<int>(100 + n), ns[n]));
          if (done.ok() && done->Succeeded()) ips[n] = cni::SummarizeResult(done->out)->ips.at(0);
        }
      });
    }
  }
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start);
  std::printf("30 ADDs, 4 at a time: %lld ms\n", static_cast<long long>(took.count()));
  std::sort(ips.begin(), ips.end());
  BOOST_TEST((std::unique(ips.begin(), ips.end()) == ips.end()));
  BOOST_TEST(!ips.front().empty());
  for (int n = 0; n < 30; ++n) BOOST_TEST(Call("DEL", 100 + n, ns[static_cast<size_t>(n)]).exit_code == 0);
  NothingIsLeft();
}

BOOST_FIXTURE_TEST_CASE(the_loopback_plugin_brings_lo_up, Fixture) {
  const std::string one = Namespace(1);
  BOOST_REQUIRE(MakeDirs(dir + "/bin").ok());
  BOOST_REQUIRE(::symlink(RealPath("cmd/knarr-cni/knarr-cni").c_str(), (dir + "/bin/loopback").c_str()) == 0);
  ProcessSpec spec = Client("ADD", 1, one);
  spec.path = dir + "/bin/loopback";
  spec.stdin_data = R"({"cniVersion":"0.3.1","name":"cni-loopback","type":"loopback"})";
  const auto up = RunProcess(Context(), spec);
  BOOST_REQUIRE(up.ok());
  BOOST_TEST(up->exit_code == 0);
  BOOST_TEST(cni::SummarizeResult(up->out)->ips.at(0) == "127.0.0.1");
  const EchoServer server(one, 8080);
  BOOST_TEST(Ask(one, "127.0.0.1", 8080) == "127.0.0.1");
  spec.env[0] = "CNI_COMMAND=DEL";
  BOOST_TEST(RunProcess(Context(), spec)->exit_code == 0);
  BOOST_TEST(Ask(one, "127.0.0.1", 8080).find("error") == 0u);
  spec.env[2] = "CNI_NETNS=/nonexistent";
  BOOST_TEST(RunProcess(Context(), spec)->exit_code == 0);
  spec.env[0] = "CNI_COMMAND=ADD";
  BOOST_TEST(RunProcess(Context(), spec)->exit_code == 1);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::integration
