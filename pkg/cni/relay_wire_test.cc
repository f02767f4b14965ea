#include "pkg/cni/relay_wire.h"

#include <boost/test/unit_test.hpp>

namespace knarr::cni {
namespace {

BOOST_AUTO_TEST_SUITE(relay_wire)

BOOST_AUTO_TEST_CASE(requests_and_replies_survive_the_way) {
  const RelayRequest request{"ADD", "id", "/ns", "eth0", "A=1", std::string("{\"a\0b\"}", 7)};
  const std::string frame = EncodeRequest(request);
  BOOST_REQUIRE(PayloadLength(frame).value() == frame.size() - kRelayHeader);
  const auto back = DecodeRequest(frame.substr(kRelayHeader));
  BOOST_REQUIRE(back.has_value());
  BOOST_TEST(back->container_id == "id");
  BOOST_TEST(back->stdin_data == request.stdin_data);
  const std::string reply = EncodeReply({7, "out"});
  BOOST_TEST(DecodeReply(reply.substr(kRelayHeader))->exit_code == 7u);
  BOOST_TEST(DecodeReply(reply.substr(kRelayHeader))->out == "out");
}

BOOST_AUTO_TEST_CASE(every_prefix_and_every_long_length_is_refused) {
  const std::string payload = EncodeRequest({"ADD", "id", "/ns", "eth0", "", "{}"}).substr(kRelayHeader);
  for (size_t i = 0; i < payload.size(); ++i) BOOST_TEST(!DecodeRequest(payload.substr(0, i)).has_value());
  BOOST_TEST(!DecodeRequest(payload + "x").has_value());
  BOOST_TEST(!PayloadLength(std::string("KCN1\xff\xff\xff\x7f", 8)).has_value());
  BOOST_TEST(!PayloadLength("GET / HT").has_value());
  BOOST_TEST(!PayloadLength("KCN1").has_value());
}

BOOST_AUTO_TEST_CASE(finds_a_string_at_the_top_level_only) {
  BOOST_TEST(TopLevelString(R"( {"a":{"socket":"wrong"}, "b":[1,"}",{"x":"]"}], "socket" : "/run/x" })", "socket") == "/run/x");
  BOOST_TEST(TopLevelString(R"({"socket":"a\/b\"c"})", "socket") == "a/b\"c");
  BOOST_TEST(TopLevelString(R"({"socket":"\u0041"})", "socket").empty());
  BOOST_TEST(TopLevelString(R"({"n":-1.5e3,"t":true,"z":null,"socket":"s"})", "socket") == "s");
  for (const char* bad : {"", "{", "[]", "{\"a\"", "{\"a\":", "{\"a\":\"", "{\"a\":\"\\", "{\"a\":[", "{\"a\":1]", "{\"socket\":1}"}) {
    BOOST_TEST(TopLevelString(bad, "socket").empty());
  }
}

BOOST_AUTO_TEST_CASE(names_of_deferred_dels_round_trip) {
  std::string id, ifname;
  BOOST_TEST(ParseDeferredName(DeferredName("abc", "eth0"), id, ifname));
  BOOST_TEST(id == "abc");
  BOOST_TEST(ifname == "eth0");
  for (const char* bad : {"", "x", ",", "a,", ",b", ".a,b"}) BOOST_TEST(!ParseDeferredName(bad, id, ifname));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::cni
