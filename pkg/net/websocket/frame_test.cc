#include "pkg/net/websocket/frame.h"

#include <boost/test/unit_test.hpp>

namespace knarr::websocket {
namespace {

constexpr std::array<uint8_t, 4> kMask{1, 2, 3, 4};

BOOST_AUTO_TEST_SUITE(websocket)

BOOST_AUTO_TEST_CASE(the_accept_key_of_the_rfc) {
  BOOST_TEST(AcceptKey("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

BOOST_AUTO_TEST_CASE(messages_of_every_length_form_come_back) {
  for (const size_t size : {0u, 1u, 125u, 126u, 65535u, 65536u, 100000u}) {
    const std::string payload(size, 'x');
    FrameReader server(true, 1 << 20), client(false, 1 << 20);
    server.Feed(EncodeFrame({.payload = payload}, kMask));
    client.Feed(EncodeFrame({.payload = payload}, std::nullopt));
    BOOST_TEST((server.Next().value()->payload == payload));
    BOOST_TEST((client.Next().value()->payload == payload));
  }
}

BOOST_AUTO_TEST_CASE(bytes_may_come_one_by_one_and_fragments_are_joined) {
  const std::string bytes = EncodeFrame({.fin = false, .opcode = Opcode::kText, .payload = "Hel"}, std::nullopt) +
                            EncodeFrame({.opcode = Opcode::kPing, .payload = "?"}, std::nullopt) +
                            EncodeFrame({.opcode = Opcode::kContinuation, .payload = "lo"}, std::nullopt);
  FrameReader reader(false, 100);
  std::vector<std::string> got;
  for (const char c : bytes) {
    reader.Feed({&c, 1});
    while (const auto frame = reader.Next().value()) got.push_back(frame->payload);
  }
  BOOST_TEST(got == (std::vector<std::string>{"?", "Hello"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(broken_peers_get_an_error) {
  const std::pair<const char*, std::string> cases[] = {
      {"reserved bits", std::string("\xf2\x00", 2)},
      {"unknown opcode", std::string("\x83\x00", 2)},
      {"masked where it must not be", EncodeFrame({.payload = "x"}, kMask)},
      {"continuation of nothing", EncodeFrame({.opcode = Opcode::kContinuation, .payload = "x"}, std::nullopt)},
      {"too large", EncodeFrame({.payload = std::string(101, 'x')}, std::nullopt)},
      {"fragmented ping", EncodeFrame({.fin = false, .opcode = Opcode::kPing, .payload = ""}, std::nullopt)},
      {"64-bit length", std::string("\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff", 10)},
  };
  for (const auto& [name, bytes] : cases) {
    FrameReader reader(false, 100);
    reader.Feed(bytes);
    BOOST_TEST_CONTEXT(name) BOOST_TEST(!reader.Next().ok());
  }
}

BOOST_AUTO_TEST_CASE(joined_fragments_are_bounded_too) {
  FrameReader reader(false, 100);
  for (int i = 0; i < 3; ++i) {
    reader.Feed(EncodeFrame({.fin = false, .opcode = i == 0 ? Opcode::kBinary : Opcode::kContinuation, .payload = std::string(40, 'x')}, std::nullopt));
  }
  BOOST_TEST(reader.Next().status().Is(Code::kRequestEntityTooLarge));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::websocket
