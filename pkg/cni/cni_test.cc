// The real exec path with fake plugins: shell scripts that log what they get and print what they are told to.
#include "pkg/cni/cni.h"

#include <stdlib.h>
#include <sys/stat.h>

#include <boost/test/unit_test.hpp>

#include "pkg/base/file.h"
#include "pkg/cni/cache.h"
#include "pkg/cni/json.h"

namespace knarr::cni {
namespace {

using namespace std::chrono_literals;
namespace json = boost::json;

struct Fixture {
  Fixture() {
    char path[] = "/tmp/knarr-cni-XXXXXX";
    dir = ::mkdtemp(path);
    rt.container_id = "c1";
    rt.netns = "/var/run/netns/x";
    rt.ifname = "eth0";
    rt.args = {{"IgnoreUnknown", "1"}, {"K8S_POD_NAME", "web"}};
  }
  ~Fixture() { BOOST_TEST(RemoveAll(dir).ok()); }

  // A plugin that logs "<type> <command>", keeps its stdin and environment in files, then runs `body`.
  void Plugin(const std::string& type, const std::string& body) {
    const std::string path = dir + "/" + type;
    const std::string script = "#!/bin/sh\necho \"" + type + " $CNI_COMMAND\" >> " + dir + "/log\ncat > " + path +
                               ".$CNI_COMMAND.stdin\nenv > " + path + ".$CNI_COMMAND.env\n" + body + "\n";
    BOOST_REQUIRE(WriteFileAtomically(path, script, 0755).ok());
  }
  std::string Log() { return ReadFile(dir + "/log").value_or(""); }
  json::object Stdin(const std::string& name) { return json::parse(ReadFile(dir + "/" + name + ".stdin").value()).as_object(); }
  bool HasEnv(const std::string& name, const std::string& line) {
    return ("\n" + ReadFile(dir + "/" + name + ".env").value()).find("\n" + line + "\n") != std::string::npos;
  }
  static NetworkConfig Network(const std::string& version, const std::string& plugins) {
    return ParseNetworkList("{\"cniVersion\":\"" + version + "\",\"name\":\"net\",\"plugins\":[" + plugins + "]}").value();
  }

  std::string dir;
  RuntimeConf rt;
  Context ctx;
};

constexpr const char* kTwo = R"({"type":"one","x":1},{"type":"two","capabilities":{"portMappings":true,"bandwidth":false}})";
constexpr const char* kResult = R"(echo '{"cniVersion":"1.0.0","ips":[{"address":"10.0.0.5/24"}]}')";

BOOST_FIXTURE_TEST_SUITE(cni, Fixture)

BOOST_AUTO_TEST_CASE(add_runs_the_chain_with_the_previous_result_and_the_capabilities) {
  Plugin("one", kResult);
  Plugin("two", R"(echo '{"cniVersion":"1.0.0","ips":[{"address":"10.0.0.6/24"}]}')");
  rt.capability_args = R"({"portMappings":[{"hostPort":80}],"bandwidth":{"x":1},"mac":"y"})";
  const auto result = Runner({"/nonexistent", dir}).Add(ctx, Network("1.0.0", kTwo), rt);
  BOOST_REQUIRE_MESSAGE(result.ok(), result.status().message());
  BOOST_TEST(SummarizeResult(*result)->ips.at(0) == "10.0.0.6");
  BOOST_TEST(Log() == "one ADD\ntwo ADD\n");
  const json::object one = Stdin("one.ADD"), two = Stdin("two.ADD");
  BOOST_TEST(one.at("name").as_string() == "net");
  BOOST_TEST(one.at("x").as_int64() == 1);
  BOOST_TEST(!one.contains("prevResult"));
  BOOST_TEST(!one.contains("runtimeConfig"));
  BOOST_TEST(json::serialize(two.at("prevResult").at("ips")) == R"([{"address":"10.0.0.5/24"}])");
  BOOST_TEST(json::serialize(two.at("runtimeConfig")) == R"({"portMappings":[{"hostPort":80}]})");
  BOOST_TEST(HasEnv("one.ADD", "CNI_CONTAINERID=c1"));
  BOOST_TEST(HasEnv("one.ADD", "CNI_NETNS=/var/run/netns/x"));
  BOOST_TEST(HasEnv("one.ADD", "CNI_IFNAME=eth0"));
  BOOST_TEST(HasEnv("one.ADD", "CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAME=web"));
  BOOST_TEST(HasEnv("one.ADD", "CNI_PATH=/nonexistent:" + dir));
}

BOOST_AUTO_TEST_CASE(del_goes_backwards_with_the_cached_result) {
  Plugin("one", "");
  Plugin("two", "");
  const std::string cached = R"({"cniVersion":"1.0.0","ips":[]})";
  BOOST_TEST(Runner({dir}).Del(ctx, Network("1.0.0", kTwo), rt, cached).ok());
  BOOST_TEST(Log() == "two DEL\none DEL\n");
  BOOST_TEST(Stdin("one.DEL").contains("prevResult"));
  BOOST_TEST(Runner({dir}).Del(ctx, Network("0.3.1", kTwo), rt, cached).ok());
  BOOST_TEST(!Stdin("one.DEL").contains("prevResult"));  // 0.4.0 brought it
}

BOOST_AUTO_TEST_CASE(check_needs_0_4_and_honours_disable_check) {
  Plugin("one", "");
  const auto old = Runner({dir}).Check(ctx, Network("0.3.1", R"({"type":"one"})"), rt, "{}");
  BOOST_TEST((old.code() == Code::kUnimplemented));
  BOOST_TEST(old.message() == "configuration version \"0.3.1\" does not support the CHECK command");
  BOOST_TEST(Runner({dir}).Check(ctx, Network("0.4.0", R"({"type":"one"})"), rt, "{}").ok());
  NetworkConfig off = Network("0.4.0", R"({"type":"missing"})");
  off.disable_check = true;
  BOOST_TEST(Runner({dir}).Check(ctx, off, rt, "{}").ok());
  BOOST_TEST(Log() == "one CHECK\n");
}

BOOST_AUTO_TEST_CASE(a_plugins_error_names_plugin_and_network_and_keeps_its_code) {
  Plugin("one", R"(echo '{"cniVersion":"1.0.0","code":11,"msg":"busy","details":"wait"}'; exit 1)");
  PluginError error;
  const auto result = Runner({dir}).Add(ctx, Network("1.0.0", R"({"type":"one"})"), rt, &error);
  BOOST_REQUIRE(!result.ok());
  BOOST_TEST(result.error().message() == "plugin type=\"one\" name=\"net\" failed (add): busy; wait");
  BOOST_TEST((result.error().code() == Code::kServiceUnavailable));
  BOOST_TEST(error.code == 11u);
}

BOOST_AUTO_TEST_CASE(plugins_that_do_not_speak_json_are_quoted) {
  const auto fail = [&](const char* body) {
    Plugin("one", body);
    return std::string(Runner({dir}).Add(ctx, Network("1.0.0", R"({"type":"one"})"), rt).error().message());
  };
  const std::string prefix = "plugin type=\"one\" name=\"net\" failed (add): ";
  BOOST_TEST(fail("echo panic >&2; exit 2") == prefix + "netplugin failed: \"panic\\n\": exit status 2");
  BOOST_TEST(fail("exit 3") == prefix + "netplugin failed with no error message: exit status 3");
  BOOST_TEST(fail("kill -9 $$") == prefix + "netplugin failed with no error message: signal: killed");
  BOOST_TEST(fail("echo oops; exit 1").find(prefix + "netplugin failed but error parsing its diagnostic message \"oops\\n\"") == 0u);
  BOOST_TEST(fail("echo not json").find(prefix + "error parsing CNI result") == 0u);
  BOOST_TEST(fail("head -c 2000000 /dev/zero").find("printed more than") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_missing_plugin_is_named_with_the_search_path) {
  const auto result = Runner({dir, "/opt/x"}).Add(ctx, Network("1.0.0", R"({"type":"calico"})"), rt);
  BOOST_TEST(result.error().message() ==
             "plugin type=\"calico\" name=\"net\" failed (add): failed to find plugin \"calico\" in path [" + dir + " /opt/x]");
  BOOST_TEST(!Runner({dir}).FindPlugin("../../bin/sh").ok());
}

BOOST_AUTO_TEST_CASE(a_plugin_that_hangs_is_ended_with_the_deadline) {
  Plugin("one", "sleep 1000");
  const auto result = Runner({dir}).Add(ctx.WithTimeout(200ms), Network("1.0.0", R"({"type":"one"})"), rt);
  BOOST_REQUIRE(!result.ok());
  BOOST_TEST((result.error().code() == Code::kTimeout));
  BOOST_TEST(result.error().message() ==
             "plugin type=\"one\" name=\"net\" failed (add): " + dir + "/one: context deadline exceeded");
}

BOOST_AUTO_TEST_CASE(old_results_are_converted_to_the_networks_version) {
  Plugin("one", R"(echo '{"cniVersion":"0.2.0","ip4":{"ip":"10.0.0.5/24"}}')");
  const auto result = Runner({dir}).Add(ctx, Network("0.3.1", R"({"type":"one"})"), rt);
  BOOST_REQUIRE(result.ok());
  BOOST_TEST(json::parse(*result).at("ips").at(0).at("version").as_string() == "4");
}

BOOST_AUTO_TEST_CASE(status_and_gc_are_for_1_1_only) {
  Plugin("one", "[ $CNI_COMMAND != STATUS ] || { echo '{\"code\":50,\"msg\":\"not yet\"}'; exit 1; }");
  BOOST_TEST(Runner({dir}).GetStatus(ctx, Network("1.0.0", R"({"type":"one"})")).ok());
  PluginError error;
  const Status status = Runner({dir}).GetStatus(ctx, Network("1.1.0", R"({"type":"one"})"), &error);
  BOOST_TEST(status.message() == "plugin type=\"one\" name=\"net\" failed (status): not yet");
  BOOST_TEST(error.code == 50u);
  BOOST_TEST(Runner({dir}).Gc(ctx, Network("1.1.0", R"({"type":"one"})"), {{"c1", "eth0"}}).ok());
  BOOST_TEST(json::serialize(Stdin("one.GC").at("cni.dev/valid-attachments")) == R"([{"containerID":"c1","ifname":"eth0"}])");
  BOOST_TEST(Log() == "one STATUS\none GC\n");
}

BOOST_AUTO_TEST_CASE(validate_asks_plugins_for_their_versions) {
  Plugin("one", R"(echo '{"cniVersion":"1.0.0","supportedVersions":["0.4.0","1.0.0"]}')");
  BOOST_TEST(Runner({dir}).Validate(ctx, Network("1.0.0", R"({"type":"one"})")).ok());
  BOOST_TEST(Runner({dir}).Validate(ctx, Network("1.1.0", R"({"type":"one"})")).message() ==
             "plugin one does not support config version \"1.1.0\"");
  Plugin("one", R"(echo '{"code":4,"msg":"unknown CNI_COMMAND: VERSION"}'; exit 1)");
  BOOST_TEST((Runner({dir}).Versions(ctx, "one").value() == std::vector<std::string>{"0.1.0"}));
}

BOOST_AUTO_TEST_CASE(bad_ids_never_reach_a_plugin) {
  Plugin("one", kResult);
  rt.container_id = "../../x";
  BOOST_TEST(!Runner({dir}).Add(ctx, Network("1.0.0", R"({"type":"one"})"), rt).ok());
  BOOST_TEST(Log().empty());
}

BOOST_AUTO_TEST_CASE(arguments_are_parsed_and_printed) {
  const auto args = ParseArgs("IgnoreUnknown=1;K8S_POD_NAME=a=b;X=");
  BOOST_REQUIRE(args.ok());
  BOOST_TEST(FormatArgs(*args) == "IgnoreUnknown=1;K8S_POD_NAME=a=b;X=");
  BOOST_TEST(!ParseArgs("nonsense").ok());
}

BOOST_AUTO_TEST_CASE(records_round_trip_and_foreign_files_are_told_apart) {
  const RecordStore store(dir + "/state");
  Record record;
  record.rt = rt;
  record.rt.capability_args = R"({"portMappings":[]})";
  record.network_name = "net";
  record.config = Network("1.0.0", kTwo).json;
  record.result = R"({"cniVersion":"1.0.0"})";
  record.boot_id = "b";
  record.failures = 2;
  record.first_failure = 77;
  record.last_error = "no";
  BOOST_REQUIRE(store.Put(record).ok());
  const auto back = store.Get("net", "c1", "eth0");
  BOOST_REQUIRE(back.ok());
  BOOST_TEST(FormatRecord(*back) == FormatRecord(record));
  BOOST_TEST(back->config == record.config);
  BOOST_TEST(back->Arg("K8S_POD_NAME") == "web");
  BOOST_REQUIRE(WriteFileAtomically(dir + "/state/results/net-c2-eth0", "", 0600).ok());
  BOOST_REQUIRE(WriteFileAtomically(dir + "/state/results/net-c3-eth0", FormatRecord(record), 0600).ok());  // says c1
  const auto listing = store.List();
  BOOST_REQUIRE(listing.ok());
  BOOST_TEST(listing->records.size() == 1u);
  BOOST_TEST(listing->broken.size() == 2u);
  BOOST_TEST(store.Remove("net", "c1", "eth0").ok());
  BOOST_TEST(store.Remove("net", "c1", "eth0").ok());
  BOOST_TEST((store.Get("net", "c1", "eth0").error().code() == Code::kNotFound));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::cni
