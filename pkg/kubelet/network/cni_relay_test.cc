// The relay end to end without root: the real knarr-cni talks to the server, which runs fake plugins (shell scripts).
#include "pkg/kubelet/network/cni_relay.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstring>
#include <thread>

#include "pkg/base/file.h"
#include "pkg/base/process.h"
#include "pkg/cni/cache.h"
#include "pkg/kubelet/network/cleanup.h"

namespace knarr::kubelet {
namespace {

using namespace std::chrono_literals;

constexpr const char* kResult = R"(echo '{"cniVersion":"1.0.0","ips":[{"address":"10.0.0.5/24"}]}')";
const std::string kSandbox(64, 'a');

struct Fixture {
  Fixture() : pool("cni-test", 8) {
    char path[] = "/tmp/knarr-relay-XXXXXX";
    dir = ::mkdtemp(path);
    options.socket_path = dir + "/s/cni.sock";
    options.conf_dir = dir + "/conf";
    options.bin_dirs = {dir};
    options.state_dir = dir + "/state";
    options.host_local_dir = dir + "/networks";
    options.boot_id = "boot-1";
    options.client_uid = ::getuid();
    BOOST_REQUIRE(MakeDirs(options.conf_dir).ok());
    Conf("1.0.0", R"({"type":"fake"})");
    Plugin("fake", kResult);
  }
  ~Fixture() {
    server.reset();
    BOOST_TEST(RemoveAll(dir).ok());
  }

  void Start() {
    server.reset();
    auto started = CniRelayServer::Start(Context(), options, pool);
    BOOST_REQUIRE_MESSAGE(started.ok(), started.status().message());
    server = std::move(*started);
  }
  void Conf(const std::string& version, const std::string& plugins) {
    Write("conf/10-net.conflist", "{\"cniVersion\":\"" + version + "\",\"name\":\"net\",\"plugins\":[" + plugins + "]}");
  }
  void Write(const std::string& name, const std::string& content, mode_t mode = 0644) {
    BOOST_REQUIRE(WriteFileAtomically(dir + "/" + name, content, mode).ok());
  }
  void Plugin(const std::string& type, const std::string& body) {
    Write(type, "#!/bin/sh\necho \"$CNI_COMMAND $CNI_CONTAINERID ns=$CNI_NETNS\" >> " + dir + "/log\ncat > " + dir +
                    "/stdin.$CNI_COMMAND\n[ $CNI_COMMAND = ADD ] || { " + (del.empty() ? ":" : del) + "; exit; }\n" + body + "\n", 0755);
  }
  std::string Log() { return ReadFile(dir + "/log").value_or(""); }

  ProcessSpec Client(const std::string& command, const std::string& id = kSandbox) {
    ProcessSpec spec;
    spec.path = RealPath("cmd/knarr-cni/knarr-cni");
    spec.env = {"CNI_COMMAND=" + command, "CNI_CONTAINERID=" + id, "CNI_NETNS=/nonexistent/ns", "CNI_IFNAME=eth0", "CNI_PATH=" + dir,
                "CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web;K8S_POD_UID=u1"};
    spec.stdin_data = R"({"cniVersion":")" + version + R"(","name":"knarr","type":"knarr-cni","socket":")" + options.socket_path +
                      R"(","stateDir":")" + options.state_dir + R"(","runtimeConfig":{"portMappings":[{"hostPort":80}]}})";
    return spec;
  }
  ProcessResult Call(const std::string& command, const std::string& id = kSandbox) {
    auto done = RunProcess(Context().WithTimeout(30s), Client(command, id));
    BOOST_REQUIRE_MESSAGE(done.ok(), done.status().message());
    return *done;
  }
  static std::string RealPath(const char* path) {
    char* real = ::realpath(path, nullptr);
    BOOST_REQUIRE(real != nullptr);
    std::string text = real;
    ::free(real);
    return text;
  }
  size_t Records() { return cni::RecordStore(options.state_dir).List()->records.size(); }

  std::string dir, del, version = "1.0.0";
  CniRelayOptions options;
  ElasticPool pool;
  std::unique_ptr<CniRelayServer> server;
};

BOOST_FIXTURE_TEST_SUITE(cni_relay, Fixture)

BOOST_AUTO_TEST_CASE(an_add_and_a_del_go_through) {
  Conf("1.0.0", R"({"type":"fake","capabilities":{"portMappings":true}})");
  Start();
  const ProcessResult add = Call("ADD");
  BOOST_TEST(add.exit_code == 0);
  BOOST_TEST(add.out.find("\"10.0.0.5/24\"") != std::string::npos, add.out);
  BOOST_TEST(ReadFile(dir + "/stdin.ADD")->find(R"("runtimeConfig":{"portMappings":[{"hostPort":80}]})") != std::string::npos);
  const auto attachments = server->Attachments();
  BOOST_REQUIRE(attachments.size() == 1u);
  BOOST_TEST(attachments[0].pod_name == "web");
  BOOST_TEST(attachments[0].pod_uid == "u1");
  BOOST_TEST(attachments[0].ips.at(0) == "10.0.0.5");
  BOOST_TEST(attachments[0].boot_id == "boot-1");
  BOOST_TEST(Records() == 1u);
  const ProcessResult del_result = Call("DEL");
  BOOST_TEST(del_result.exit_code == 0);
  BOOST_TEST(ReadFile(dir + "/stdin.DEL")->find("\"prevResult\"") != std::string::npos);
  BOOST_TEST(server->Attachments().empty());
  BOOST_TEST(Records() == 0u);
}

BOOST_AUTO_TEST_CASE(the_result_has_the_version_the_runtime_asked_for) {
  version = "0.3.1";
  Start();
  const ProcessResult add = Call("ADD");
  BOOST_TEST(add.out.find("\"version\":\"4\"") != std::string::npos, add.out);
}

BOOST_AUTO_TEST_CASE(the_attachment_is_recorded_before_a_plugin_runs) {
  Plugin("fake", "ls " + options.state_dir + "/results > " + dir + "/seen\n" + kResult);
  Start();
  Call("ADD");
  BOOST_TEST(ReadFile(dir + "/seen").value() == "net-" + kSandbox + "-eth0\n");
}

BOOST_AUTO_TEST_CASE(a_failing_add_tells_why_and_is_undone) {
  Plugin("fake", R"(echo '{"cniVersion":"1.0.0","code":7,"msg":"no addresses left"}'; exit 1)");
  Start();
  const ProcessResult add = Call("ADD");
  BOOST_TEST(add.exit_code == 1);
  const auto error = cni::ParsePluginError(add.out);
  BOOST_REQUIRE(error.has_value());
  BOOST_TEST(error->code == 7u);
  BOOST_TEST(error->msg == "plugin type=\"fake\" name=\"net\" failed (add): no addresses left");
  BOOST_TEST(Log() == "ADD " + kSandbox + " ns=/nonexistent/ns\nDEL " + kSandbox + " ns=\n");
  BOOST_TEST(Records() == 0u);
}

BOOST_AUTO_TEST_CASE(without_a_network_add_waits_and_the_condition_says_why) {
  BOOST_REQUIRE(RemoveAll(options.conf_dir + "/10-net.conflist").ok());
  Start();
  NetworkCondition condition = server->Condition(Context());
  BOOST_TEST(!condition.ready);
  BOOST_TEST(condition.reason == "NetworkPluginNotReady");
  BOOST_TEST(condition.message == "Network plugin returns error: cni plugin not initialized");
  BOOST_TEST(condition.detail == "no network config found in " + options.conf_dir);
  const ProcessResult add = Call("ADD");
  BOOST_TEST(cni::ParsePluginError(add.out)->code == 11u);
  BOOST_TEST(cni::ParsePluginError(add.out)->msg == "cni plugin not initialized: no network config found in " + options.conf_dir);
  BOOST_TEST(Call("DEL").exit_code == 0);  // nothing was attached, nothing to remove
  Conf("1.0.0", R"({"type":"fake"})");     // seen without a restart
  BOOST_TEST(server->Condition(Context()).ready);
  BOOST_TEST(Call("ADD").exit_code == 0);
  Conf("1.0.0", R"({"type":"absent"})");
  condition = server->Condition(Context());
  BOOST_TEST(condition.message == "Network plugin returns error: failed to find plugin \"absent\" in path [" + dir + "]");
}

BOOST_AUTO_TEST_CASE(del_goes_by_what_was_recorded_not_by_what_is_configured_now) {
  Start();
  Call("ADD");
  Conf("1.0.0", R"({"type":"absent"})");
  BOOST_TEST(Call("DEL").exit_code == 0);
  BOOST_TEST(Log().ends_with("DEL " + kSandbox + " ns=\n"));
}

BOOST_AUTO_TEST_CASE(without_the_kubelet_add_says_what_to_do_and_del_leaves_a_note) {
  Start();
  Call("ADD");
  server.reset();
  const ProcessResult add = Call("ADD", "other");
  BOOST_TEST(add.exit_code == 1);
  const auto error = cni::ParsePluginError(add.out);
  BOOST_REQUIRE(error.has_value());
  BOOST_TEST(error->code == 11u);
  BOOST_TEST(error->msg.find("the kubelet does not answer on " + options.socket_path) == 0u, error->msg);
  BOOST_TEST(Call("DEL").exit_code == 0);
  BOOST_TEST(PathExists(options.state_dir + "/deferred/" + kSandbox + ",eth0"));
  BOOST_TEST(Call("DEL", "unknown").exit_code == 0);

  Start();
  // The sandbox may still be listed as ready: the note counts.
  const auto report = server->CollectGarbage(Context(), {kSandbox});
  BOOST_REQUIRE(report.ok());
  BOOST_TEST(report->attachments_removed == 1);
  BOOST_TEST(report->problems.empty());
  BOOST_TEST(Log().find("DEL unknown ns=\n") != std::string::npos);
  BOOST_TEST(Records() == 0u);
  BOOST_TEST(ListDir(options.state_dir + "/deferred")->empty());
}

BOOST_AUTO_TEST_CASE(a_plugin_is_ended_when_the_runtime_gives_up_and_the_add_is_undone) {
  Plugin("fake", "touch " + dir + "/started; sleep 1000");
  Start();
  std::stop_source stop;
  std::jthread canceller([&] {
    while (!PathExists(dir + "/started")) std::this_thread::yield();
    stop.request_stop();
  });
  BOOST_TEST(!RunProcess(Context().WithStop(stop.get_token()), Client("ADD")).ok());
  canceller.join();
  while (Records() != 0) std::this_thread::yield();  // bounded by the test's timeout
  BOOST_TEST(Log().ends_with("DEL " + kSandbox + " ns=\n"));
}

BOOST_AUTO_TEST_CASE(calls_for_one_sandbox_exclude_one_another_and_others_do_not_wait) {
  // An ADD of "slow" waits for an ADD of "quick"; its own DEL must come after it.
  Plugin("fake", "if [ $CNI_CONTAINERID = slow ]; then touch " + dir + "/slow; while [ ! -e " + dir + "/quick ]; do sleep 0.01; done; fi\n" +
                     "touch " + dir + "/$CNI_CONTAINERID\necho \"end $CNI_CONTAINERID\" >> " + dir + "/log\n" + kResult);
  Start();
  std::jthread slow([&] { Call("ADD", "slow"); });
  while (!PathExists(dir + "/slow")) std::this_thread::yield();
  std::jthread delete_slow([&] { Call("DEL", "slow"); });
  BOOST_TEST(Call("ADD", "quick").exit_code == 0);
  slow.join();
  delete_slow.join();
  const std::string log = Log();
  BOOST_TEST(log.find("end slow") < log.find("DEL slow"), log);
}

BOOST_AUTO_TEST_CASE(a_second_add_first_removes_what_the_first_left) {
  Start();
  Call("ADD");
  BOOST_TEST(Call("ADD").exit_code == 0);
  BOOST_TEST(Log() == "ADD " + kSandbox + " ns=/nonexistent/ns\nDEL " + kSandbox + " ns=\nADD " + kSandbox + " ns=/nonexistent/ns\n");
  BOOST_TEST(Records() == 1u);
}

BOOST_AUTO_TEST_CASE(a_del_that_keeps_failing_is_given_up_only_after_a_while) {
  del = "exit 1";
  Plugin("fake", kResult);
  Start();
  Call("ADD");
  for (int i = 0; i < 4; ++i) BOOST_TEST(Call("DEL").exit_code == 1);
  const cni::RecordStore store(options.state_dir);
  cni::Record record = store.Get("net", kSandbox, "eth0").value();
  BOOST_TEST(record.failures == 4);
  BOOST_TEST(record.last_error.find("plugin type=\"fake\" name=\"net\" failed (delete)") == 0u);
  record.first_failure -= 3600;
  BOOST_REQUIRE(store.Put(record).ok());
  BOOST_TEST(Call("DEL").exit_code == 0);
  BOOST_TEST(Records() == 0u);
}

BOOST_AUTO_TEST_CASE(attachments_of_another_boot_and_of_gone_sandboxes_are_collected_and_live_ones_kept) {
  Start();
  Call("ADD", "live");
  Call("ADD", "gone");
  options.boot_id = "boot-2";
  Start();
  BOOST_TEST(server->Attachments().empty());  // of another boot
  Call("ADD", "mine");
  options.boot_id = "boot-1";
  server.reset();
  Start();
  Call("ADD", "own");
  const auto report = server->CollectGarbage(Context(), {"live", "mine"});
  BOOST_REQUIRE(report.ok());
  // "gone" has no sandbox, "mine" is of another boot whatever the runtime says, "own" is newer than the list of sandboxes.
  BOOST_TEST(report->attachments_removed == 2);
  std::vector<std::string> left;
  for (const auto& a : server->Attachments()) left.push_back(a.sandbox_id);
  BOOST_TEST((left == std::vector<std::string>{"live", "own"}));
  BOOST_TEST(server->CollectGarbage(Context(), {"live"})->attachments_removed == 0);
}

BOOST_AUTO_TEST_CASE(a_failing_del_does_not_stop_the_clean_up_and_ends_after_three_starts) {
  Conf("1.0.0", R"({"type":"fake","ipam":{"type":"host-local"}})");
  del = "exit 1";
  Plugin("fake", kResult);
  Start();
  Call("ADD");
  BOOST_REQUIRE(MakeDirs(options.host_local_dir + "/net").ok());
  Write("networks/net/10.0.0.5", kSandbox + "\r\neth0");
  for (int start = 1; start <= 3; ++start) {
    Start();
    const auto report = server->CollectGarbage(Context(), {});
    BOOST_REQUIRE(report.ok());
    BOOST_TEST(report->attachments_forced == 1);
    BOOST_TEST(report->problems.size() == 1u);
    BOOST_TEST(!PathExists(options.host_local_dir + "/net/10.0.0.5"));
    BOOST_TEST(Records() == (start < 3 ? 1u : 0u));
  }
}

BOOST_AUTO_TEST_CASE(leases_without_an_owner_are_released) {
  Conf("1.0.0", R"({"type":"fake","ipam":{"type":"host-local"}})");
  Start();
  Call("ADD");
  BOOST_REQUIRE(MakeDirs(options.host_local_dir + "/net").ok());
  const auto lease = [&](const std::string& ip, const std::string& content) { Write("networks/net/" + ip, content); };
  lease("10.0.0.5", kSandbox + "\r\neth0");
  lease("10.0.0.6", std::string(64, 'b') + "\r\neth0");
  lease("10.0.0.7", "");                             // the power went
  lease("10.0.0.8", "cnitool-77a1\r\neth0");         // somebody else's, of this boot
  lease("10.0.0.9", std::string(64, 'c') + "\r\neth0");  // live, attached without the relay
  lease("last_reserved_ip.0", "10.0.0.9");
  lease("lock", "");
  const auto report = server->CollectGarbage(Context(), {std::string(64, 'c')});
  BOOST_REQUIRE(report.ok());
  BOOST_TEST(report->leases_released == 2);
  BOOST_TEST((ListDir(options.host_local_dir + "/net").value() ==
              std::vector<std::string>{"10.0.0.5", "10.0.0.8", "10.0.0.9", "last_reserved_ip.0", "lock"}));
}

BOOST_AUTO_TEST_CASE(networks_of_cni_1_1_are_asked_for_status_and_told_what_is_valid) {
  Conf("1.1.0", R"({"type":"fake"})");
  del = R"([ $CNI_COMMAND != STATUS ] || { echo '{"code":50,"msg":"no backend"}'; exit 1; })";
  Plugin("fake", kResult);
  Start();
  const NetworkCondition condition = server->Condition(Context());
  BOOST_TEST(!condition.ready);
  BOOST_TEST(condition.message == "Network plugin returns error: plugin type=\"fake\" name=\"net\" failed (status): no backend");
  Call("ADD", "one");
  BOOST_REQUIRE(server->CollectGarbage(Context(), {}).ok());
  BOOST_TEST(ReadFile(dir + "/stdin.GC")->find(R"("cni.dev/valid-attachments":[{"containerID":"one","ifname":"eth0"}])") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(unreadable_records_are_removed_at_start) {
  BOOST_REQUIRE(MakeDirs(options.state_dir + "/results").ok());
  Write("state/results/net-x-eth0", "{");
  Start();
  BOOST_TEST(ListDir(options.state_dir + "/results")->empty());
}

BOOST_AUTO_TEST_CASE(garbage_on_the_socket_is_survived_and_other_users_are_refused) {
  Start();
  for (const std::string& bytes : {std::string("GET / HTTP/1.0\r\n\r\n"), std::string("KCN1\xff\xff\xff\xff"), std::string("KCN1\x04\0\0\0abcd", 12)}) {
    const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, options.socket_path.c_str());
    BOOST_REQUIRE(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    BOOST_TEST(::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
    char byte;
    BOOST_TEST(::recv(fd.get(), &byte, 1, 0) <= 0);
  }
  BOOST_TEST(Call("ADD").exit_code == 0);
  options.client_uid = ::getuid() + 1;
  Start();
  const ProcessResult refused = Call("ADD", "x");
  BOOST_TEST(refused.exit_code == 1);
  BOOST_TEST(cni::ParsePluginError(refused.out)->code == 11u);
}

BOOST_AUTO_TEST_CASE(bad_ids_and_commands_are_refused) {
  Start();
  BOOST_TEST(cni::ParsePluginError(Call("ADD", "../x").out)->code == 4u);
  BOOST_TEST(cni::ParsePluginError(Call("FROB").out)->msg == "unknown CNI_COMMAND: FROB");
  BOOST_TEST(Log().empty());
  BOOST_TEST(Call("VERSION").out.find("\"supportedVersions\"") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_default_network_is_written_once) {
  BOOST_TEST(!WriteDefaultNetwork(options.conf_dir, "10.88.0.0/16").value());
  const std::string fresh = dir + "/fresh";
  BOOST_TEST(WriteDefaultNetwork(fresh, "10.88.0.0/16").value());
  BOOST_TEST(!WriteDefaultNetwork(fresh, "10.88.0.0/16").value());
  const cni::LoadedNetwork loaded = cni::LoadNetworkDirectory(fresh);
  BOOST_REQUIRE(loaded.network.has_value());
  BOOST_TEST(loaded.problems.empty());
  BOOST_TEST(loaded.network->plugins.size() == 2u);
  BOOST_TEST(loaded.network->plugins[0].ipam_type == "host-local");
  BOOST_TEST(loaded.network->plugins[0].ipam_data_dir.empty());
  BOOST_REQUIRE(WriteDefaultNetwork(dir + "/private", "fd00::/64", dir + "/leases").ok());
  const auto own = cni::LoadNetworkDirectory(dir + "/private");
  BOOST_TEST(own.network->plugins[0].ipam_data_dir == dir + "/leases");
  BOOST_TEST(own.network->plugins[0].json.find("\"::/0\"") != std::string::npos);
  for (const char* bad : {"", "10.88.0.0", "10.88.0.0/33", "10.88.0.0/32", "x/16"}) BOOST_TEST(!WriteDefaultNetwork(dir + "/f2", bad).ok());
}

BOOST_AUTO_TEST_CASE(the_relays_configuration_is_one_that_we_read_ourselves) {
  BOOST_REQUIRE(WriteRelayConfig(dir + "/relay", "/run/knarr/cni.sock", "/var/lib/knarr/cni").ok());
  const auto network = cni::LoadNetworkFile(dir + "/relay/00-knarr-relay.conflist");
  BOOST_REQUIRE_MESSAGE(network.ok(), network.status().message());
  BOOST_TEST(network->plugins.at(0).type == "knarr-cni");
  BOOST_TEST(network->plugins.at(0).capabilities.at("portMappings"));
  BOOST_TEST(!WriteRelayConfig(dir + "/relay", "relative", "/x").ok());
}

BOOST_AUTO_TEST_CASE(the_iptables_plan_touches_only_the_dead) {
  constexpr const char* kSave =
      "*nat\n:POSTROUTING ACCEPT [0:0]\n:CNI-1111 - [0:0]\n:CNI-DN-2222 - [0:0]\n"
      "-A POSTROUTING -s 10.0.0.5/32 -m comment --comment \"name: \\\"net\\\" id: \\\"dead\\\"\" -j CNI-1111\n"
      "-A POSTROUTING -s 10.0.0.6/32 -m comment --comment \"name: \\\"net\\\" id: \\\"alive\\\"\" -j CNI-3333\n"
      "-A POSTROUTING -m comment --comment \"CNI portfwd requiring masquerade\" -j CNI-HOSTPORT-MASQ\n"
      "-A CNI-1111 -d 10.0.0.0/24 -m comment --comment \"name: \\\"net\\\" id: \\\"dead\\\"\" -j ACCEPT\n"
      "-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment \"dnat name: \\\"net\\\" id: \\\"dead\\\"\" -m multiport --destination-ports 80 -j CNI-DN-2222\n"
      "COMMIT\n";
  int rules = 0;
  const std::string plan = PlanIptablesSweep(kSave, [](std::string_view n, std::string_view id) { return n == "net" && id == "dead"; }, rules);
  BOOST_TEST(rules == 3);
  BOOST_TEST(plan ==
             "*nat\n-D POSTROUTING -s 10.0.0.5/32 -m comment --comment \"name: \\\"net\\\" id: \\\"dead\\\"\" -j CNI-1111\n"
             "-D CNI-HOSTPORT-DNAT -p tcp -m comment --comment \"dnat name: \\\"net\\\" id: \\\"dead\\\"\" -m multiport --destination-ports 80 -j CNI-DN-2222\n"
             "-F CNI-1111\n-F CNI-DN-2222\n-X CNI-1111\n-X CNI-DN-2222\nCOMMIT\n");
  BOOST_TEST(PlanIptablesSweep(kSave, [](std::string_view, std::string_view) { return false; }, rules).empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::kubelet
