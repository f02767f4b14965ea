#include "pkg/cni/config.h"

#include <stdlib.h>

#include <boost/test/unit_test.hpp>

#include "pkg/base/file.h"

namespace knarr::cni {
namespace {

struct Fixture {
  Fixture() {
    char path[] = "/tmp/knarr-cniconf-XXXXXX";
    dir = ::mkdtemp(path);
  }
  ~Fixture() { BOOST_TEST(RemoveAll(dir).ok()); }
  void Write(const std::string& name, std::string_view content) {
    BOOST_REQUIRE(MakeDirs(std::string(DirName(dir + "/" + name))).ok());
    BOOST_REQUIRE(WriteFileAtomically(dir + "/" + name, content, 0644).ok());
  }
  std::string dir;
};

std::string ListError(std::string_view json) {
  const auto network = ParseNetworkList(json);
  return network.ok() ? "" : std::string(network.error().message());
}

BOOST_FIXTURE_TEST_SUITE(cni_config, Fixture)

BOOST_AUTO_TEST_CASE(reads_a_list_with_capabilities_and_ipam) {
  const auto network = ParseNetworkList(R"({"cniVersion":"1.0.0","name":"n","disableCheck":"true","plugins":[
    {"type":"bridge","ipam":{"type":"host-local","dataDir":"/x"}},{"type":"portmap","capabilities":{"portMappings":true,"a":false}}]})");
  BOOST_REQUIRE(network.ok());
  BOOST_TEST(network->name == "n");
  BOOST_TEST(network->disable_check);
  BOOST_REQUIRE(network->plugins.size() == 2u);
  BOOST_TEST(network->plugins[0].ipam_type == "host-local");
  BOOST_TEST(network->plugins[0].ipam_data_dir == "/x");
  BOOST_TEST(network->plugins[1].capabilities.at("portMappings"));
  BOOST_TEST(!network->plugins[1].capabilities.at("a"));
  const auto again = ParseNetworkList(network->json);
  BOOST_REQUIRE(again.ok());
  BOOST_TEST(again->json == network->json);
  BOOST_TEST(again->plugins[1].json == network->plugins[1].json);
}

BOOST_AUTO_TEST_CASE(words_errors_as_libcni_does) {
  BOOST_TEST(ListError("{") == "error parsing configuration list: unexpected end of JSON input");
  BOOST_TEST(ListError("{}") == "error parsing configuration list: no name");
  BOOST_TEST(ListError(R"({"name":1})") == "error parsing configuration list: invalid name type float64");
  BOOST_TEST(ListError(R"({"name":"a","cniVersion":[]})") == "error parsing configuration list: invalid cniVersion type []interface {}");
  BOOST_TEST(ListError(R"({"name":"a"})") == "error parsing configuration list: no 'plugins' key");
  BOOST_TEST(ListError(R"({"name":"a","plugins":{}})") ==
             "error parsing configuration list: invalid 'plugins' type map[string]interface {}");
  BOOST_TEST(ListError(R"({"name":"a","plugins":[]})") == "error parsing configuration list: no plugins in list");
  BOOST_TEST(ListError(R"({"name":"a","plugins":[{}]})") ==
             "failed to parse plugin config 0: error parsing configuration: missing 'type'");
  BOOST_TEST(ListError(R"({"name":"a","disableGC":"maybe","plugins":[]})") ==
             "error parsing configuration list: invalid value \"maybe\" for disableGC");
  BOOST_TEST(ListError(R"({"name":"../x","plugins":[{"type":"a"}]})") ==
             "error parsing configuration list: invalid characters found in network name; ../x");
  BOOST_TEST(ListError(R"({"name":"a","cniVersion":"2.0.0","plugins":[{"type":"a"}]})") ==
             "error parsing configuration list: cniVersion \"2.0.0\" is not supported, the newest is 1.1.0");
}

BOOST_AUTO_TEST_CASE(takes_the_highest_version_it_speaks) {
  const auto network = ParseNetworkList(
      R"({"name":"a","cniVersion":"0.3.1","cniVersions":["0.4.0","1.1.0","9.0.0"],"plugins":[{"type":"a"}]})");
  BOOST_REQUIRE(network.ok());
  BOOST_TEST(network->cni_version == "1.1.0");
  BOOST_TEST(AtLeast("1.0.0", "0.4.0"));
  BOOST_TEST(!AtLeast("", "0.3.0"));
}

BOOST_AUTO_TEST_CASE(depth_and_size_are_limited) {
  std::string deep = R"({"name":"a","plugins":[{"type":"a","x":)" + std::string(100, '[') + std::string(100, ']') + "}]}";
  BOOST_TEST(ListError(deep).find("error parsing configuration list: ") == 0u);
  BOOST_TEST(ListError(std::string(2 << 20, ' ')).find("the limit is") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_first_good_file_wins_and_broken_ones_are_named) {
  Write("20-good.conf", R"({"cniVersion":"0.4.0","name":"good","type":"bridge"})");
  Write("10-bad.conflist", "{");
  Write("30-other.conflist", R"({"name":"other","plugins":[{"type":"a"}]})");
  Write("05-not-mine.txt", "x");
  Write("15-typeless.json", R"({"name":"x"})");
  const LoadedNetwork loaded = LoadNetworkDirectory(dir);
  BOOST_REQUIRE(loaded.network.has_value());
  BOOST_TEST(loaded.network->name == "good");
  BOOST_TEST(loaded.network->file == dir + "/20-good.conf");
  BOOST_TEST(loaded.network->plugins[0].type == "bridge");
  BOOST_REQUIRE(loaded.problems.size() == 2u);
  BOOST_TEST(loaded.problems[0].message() == "failed to load CNI config list file " + dir +
                                                 "/10-bad.conflist: error parsing configuration list: unexpected end of JSON input");
  BOOST_TEST(loaded.problems[1].message() ==
             "failed to load CNI config file " + dir + "/15-typeless.json: error parsing configuration: missing 'type'");
}

BOOST_AUTO_TEST_CASE(an_empty_or_missing_directory_says_so) {
  BOOST_TEST(LoadNetworkDirectory(dir).problems.at(0).message() == "no network config found in " + dir);
  BOOST_TEST(LoadNetworkDirectory("/nonexistent").problems.at(0).message() == "no network config found in /nonexistent");
}

BOOST_AUTO_TEST_CASE(appends_the_plugins_of_the_networks_own_folder) {
  Write("10-a.conflist", R"({"cniVersion":"1.1.0","name":"a","plugins":[{"type":"one"}]})");
  Write("a/20-three.conf", R"({"type":"three"})");
  Write("a/10-two.conf", R"({"type":"two"})");
  const LoadedNetwork loaded = LoadNetworkDirectory(dir);
  BOOST_REQUIRE(loaded.network.has_value());
  BOOST_REQUIRE(loaded.network->plugins.size() == 3u);
  BOOST_TEST(loaded.network->plugins[1].type == "two");
  // What is remembered for DEL is complete.
  BOOST_TEST(ParseNetworkList(loaded.network->json)->plugins.size() == 3u);
}

BOOST_AUTO_TEST_CASE(names_are_checked) {
  BOOST_TEST(ValidateContainerId("").message() == "missing containerID");
  BOOST_TEST(!ValidateContainerId("../../etc").ok());
  BOOST_TEST(!ValidateContainerId("a/b").ok());
  BOOST_TEST(ValidateContainerId("0a1b-x_y.z").ok());
  BOOST_TEST(ValidateInterfaceName("eth0").ok());
  for (const char* bad : {"", ".", "..", "a/b", "a b", "a:b", "0123456789abcdef"}) BOOST_TEST(!ValidateInterfaceName(bad).ok());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::cni
