#include "pkg/cni/result.h"

#include <boost/test/unit_test.hpp>

#include "pkg/cni/json.h"

namespace knarr::cni {
namespace {

constexpr std::string_view k100 =
    R"({"cniVersion":"1.0.0","interfaces":[{"name":"cni0","mac":"aa"},{"name":"eth0","mtu":1500,"sandbox":"/ns"}],)"
    R"("ips":[{"interface":1,"address":"10.0.0.5/24","gateway":"10.0.0.1"},{"address":"fd00::5/64"}],)"
    R"("routes":[{"dst":"0.0.0.0/0","gw":"10.0.0.1"},{"dst":"::/0"}],"dns":{"nameservers":["1.1.1.1"]}})";

void CheckJson(std::string_view got, std::string_view want) {
  BOOST_TEST((internal::json::parse(std::string(got)) == internal::json::parse(std::string(want))), got);
}

std::string Convert(std::string_view json, std::string_view from, std::string_view to) {
  const auto out = ConvertResult(json, from, to);
  return out.ok() ? *out : "error: " + std::string(out.error().message());
}

BOOST_AUTO_TEST_SUITE(cni_result)

BOOST_AUTO_TEST_CASE(converts_down_to_0_4) {
  CheckJson(Convert(k100, "", "0.4.0"),
            R"({"cniVersion":"0.4.0","interfaces":[{"name":"cni0","mac":"aa"},{"name":"eth0","sandbox":"/ns"}],)"
            R"("ips":[{"version":"4","interface":1,"address":"10.0.0.5/24","gateway":"10.0.0.1"},{"version":"6","address":"fd00::5/64"}],)"
            R"("routes":[{"dst":"0.0.0.0/0","gw":"10.0.0.1"},{"dst":"::/0"}],"dns":{"nameservers":["1.1.1.1"]}})");
}

BOOST_AUTO_TEST_CASE(converts_down_to_0_2_and_back_up) {
  const std::string old = Convert(k100, "", "0.2.0");
  CheckJson(old, R"({"cniVersion":"0.2.0","ip4":{"ip":"10.0.0.5/24","gateway":"10.0.0.1","routes":[{"dst":"0.0.0.0/0","gw":"10.0.0.1"}]},)"
                 R"("ip6":{"ip":"fd00::5/64","routes":[{"dst":"::/0"}]},"dns":{"nameservers":["1.1.1.1"]}})");
  CheckJson(Convert(old, "", "1.1.0"),
            R"({"cniVersion":"1.1.0","ips":[{"address":"10.0.0.5/24","gateway":"10.0.0.1"},{"address":"fd00::5/64"}],)"
            R"("routes":[{"dst":"0.0.0.0/0","gw":"10.0.0.1"},{"dst":"::/0"}],"dns":{"nameservers":["1.1.1.1"]}})");
}

BOOST_AUTO_TEST_CASE(a_result_without_a_version_has_its_configurations) {
  CheckJson(Convert(R"({"ips":[{"version":"4","address":"10.0.0.5/24"}]})", "0.3.1", "1.0.0"),
            R"({"cniVersion":"1.0.0","ips":[{"address":"10.0.0.5/24"}]})");
  CheckJson(Convert(R"({"ip4":{"ip":"10.0.0.5/24"}})", "", "0.1.0"), R"({"cniVersion":"0.1.0","ip4":{"ip":"10.0.0.5/24"}})");
}

BOOST_AUTO_TEST_CASE(refuses_what_is_no_result) {
  BOOST_TEST(Convert(R"({"cniVersion":"7.0.0"})", "", "1.0.0") == "error: unsupported CNI result version \"7.0.0\"");
  BOOST_TEST(Convert(R"({"cniVersion":"1.0.0","ips":[{"address":"10.0.0.5"}]})", "", "1.0.0") ==
             "error: error parsing CNI result: invalid CIDR address: 10.0.0.5");
  BOOST_TEST(Convert(R"({"cniVersion":"1.0.0","ips":[{"address":"10.0.0.5/33"}]})", "", "1.0.0").find("error") == 0u);
  BOOST_TEST(Convert(R"({"cniVersion":"1.0.0","ips":7})", "", "1.0.0") == "error: error parsing CNI result: \"ips\" is float64, not a list");
  BOOST_TEST(Convert("[]", "", "1.0.0").find("error") == 0u);
  BOOST_TEST(Convert("", "", "1.0.0").find("error") == 0u);
  BOOST_TEST(Convert(R"({"cniVersion":"1.0.0"})", "", "0.2.0") == "error: cannot convert: no valid IP addresses");
}

BOOST_AUTO_TEST_CASE(summarizes_addresses_and_interfaces) {
  const auto summary = SummarizeResult(k100);
  BOOST_REQUIRE(summary.ok());
  BOOST_TEST((summary->ips == std::vector<std::string>{"10.0.0.5", "fd00::5"}));
  BOOST_TEST(summary->interfaces[1].sandbox == "/ns");
}

BOOST_AUTO_TEST_CASE(plugin_errors_are_read_and_written) {
  const auto error = ParsePluginError(R"({"cniVersion":"1.0.0","code":11,"msg":"no addresses","details":"in range"})");
  BOOST_REQUIRE(error.has_value());
  BOOST_TEST(error->code == 11u);
  BOOST_TEST(error->ToString() == "no addresses; in range");
  CheckJson(error->ToJson("1.0.0"), R"({"cniVersion":"1.0.0","code":11,"msg":"no addresses","details":"in range"})");
  BOOST_TEST(!ParsePluginError("panic: runtime error").has_value());
  BOOST_TEST(!ParsePluginError("{}").has_value());
  // Whatever bytes a plugin prints, what we pass on is UTF-8.
  BOOST_TEST(internal::ParseJson(PluginError{1, "bad \xff byte", ""}.ToJson("1.0.0"), "x").ok());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::cni
