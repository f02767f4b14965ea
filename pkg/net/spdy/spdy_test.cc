#include <boost/test/unit_test.hpp>
#include <cstdlib>

#include <future>
#include <map>

#include "pkg/net/http/server.h"
#include "pkg/net/spdy/client.h"
#include "pkg/net/spdy/frame.h"

namespace knarr::spdy {
namespace {

using namespace std::chrono_literals;

Context TenSeconds() {
  return Context::Background().WithTimeout(10s);
}

void Sure(bool condition) {
  if (!condition) std::abort();
}

std::string Bytes(std::string_view hex) {
  std::string out;
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    out += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  return out;
}

BOOST_AUTO_TEST_SUITE(spdy)

BOOST_AUTO_TEST_CASE(header_blocks_of_another_implementation) {
  // zlib with the protocol's dictionary, by another program: two SYN_STREAMs that share a context.
  Decoder decoder;
  decoder.Feed(
      Bytes("80030001000000280000000100000000000078f9e3c6a7c202a62346703a2b294a4dcc851625aca9a08006000000ffff"
            "800300010000001700000003000000000000c22e555c02cc2e00000000ffff"));
  const Frame error = **decoder.Next();
  BOOST_TEST((error.type == Type::kSynStream));
  BOOST_TEST(error.stream == 1u);
  BOOST_TEST((error.fields == Fields{{"streamtype", "error"}}));
  const Frame in = **decoder.Next();
  BOOST_TEST(in.stream == 3u);
  BOOST_TEST((in.fields == Fields{{"streamtype", "stdin"}}));
  BOOST_TEST(!decoder.Next()->has_value());
}

BOOST_AUTO_TEST_CASE(frames_come_back) {
  Encoder encoder;
  Decoder decoder;
  const std::vector<Frame> frames = {
      {.type = Type::kSynStream, .stream = 1, .fields = {{"streamtype", "stdout"}, {"port", "80"}}},
      {.type = Type::kSynReply, .stream = 1, .fields = {}},
      {.stream = 1, .payload = std::string(100'000, 'x')},
      {.stream = 1, .fin = true},
      {.type = Type::kPing, .number = 7},
      {.type = Type::kRstStream, .stream = 1, .number = 5},
      {.type = Type::kGoAway, .stream = 1, .number = 0},
      {.type = Type::kSynStream, .stream = 3, .fin = true, .fields = {{"a", std::string(5000, 'v')}}},
  };
  for (const Frame& f : frames) decoder.Feed(encoder.Encode(f));
  for (const Frame& f : frames) {
    const Frame got = **decoder.Next();
    BOOST_TEST((got.type == f.type));
    BOOST_TEST(got.fin == f.fin);
    BOOST_TEST((got.fields == f.fields));
    BOOST_TEST((got.payload == f.payload));
    if (f.type != Type::kGoAway && f.type != Type::kPing) BOOST_TEST(got.stream == f.stream);
    BOOST_TEST(got.number == f.number);
  }
}

BOOST_AUTO_TEST_CASE(broken_peers_get_an_error) {
  const auto error = [](const std::string& bytes) {
    Decoder decoder;
    decoder.Feed(bytes);
    return std::string(decoder.Next().status().message());
  };
  BOOST_TEST(error(Bytes("0000000101100001")) == "spdy: frame of 1048577 bytes is over the limit");
  BOOST_TEST(error(Bytes("8002000100000000")) == "spdy: version is not 3");
  BOOST_TEST(error(Bytes("8003000100000000")) == "spdy: short frame");
  BOOST_TEST(error(Bytes("800300020000000800000001ffffffff")) == "spdy: broken header block");
  // A small block that unpacks to a large one.
  Encoder encoder;
  BOOST_TEST(
      error(encoder.Encode({.type = Type::kSynReply, .stream = 1, .fields = {{"a", std::string(200'000, 'v')}}})) ==
      "spdy: header block is too large");
}

// A server as moby's: replies to each stream, echoes stdin to stdout, says how it went when stdin ends.
BOOST_AUTO_TEST_CASE(streams_end_one_by_one) {
  ElasticPool pool("test", 4);
  const auto server = std::move(*http::Server::Start(
      {.listen = {{.name = "main", .host = "127.0.0.1"}}}, pool,
      [](const http::Request& request, http::ResponseWriter& response) {
        if (request.path != "/exec") return response.Error(403, "no");
        Sure(request.headers.Count("X-Stream-Protocol-Version") == 2);
        const auto stream = std::move(*response.Hijack());
        std::string out =
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
            "X-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n";
        Encoder encoder;
        Decoder decoder;
        std::map<std::string, uint32_t> ids;
        char buffer[5000];
        for (bool over = false; !over;) {
          Sure(stream->Write(request.ctx, std::exchange(out, {})).ok());
          const Result<size_t> n = stream->Read(request.ctx, buffer, sizeof(buffer));
          if (!n.ok() || *n == 0) return;
          decoder.Feed({buffer, *n});
          for (;;) {
            const auto frame = decoder.Next();
            Sure(frame.ok());
            if (!*frame) break;
            const Frame& f = **frame;
            if (f.type == Type::kSynStream) {
              ids[f.fields[0].second] = f.stream;
              // A ping and data in front of the reply, to see that neither is lost.
              out += encoder.Encode({.type = Type::kPing, .number = 2});
              if (f.fields[0].second == "stdout") out += encoder.Encode({.stream = ids["error"], .payload = "early "});
              out += encoder.Encode({.type = Type::kSynReply, .stream = f.stream});
            } else if (f.type == Type::kData && f.fin) {
              out += encoder.Encode({.stream = ids["error"], .payload = "done"});
              out += encoder.Encode({.type = Type::kRstStream, .stream = ids["stdout"], .number = 5});
              out += encoder.Encode({.stream = ids["error"], .fin = true});
            } else if (f.type == Type::kData) {
              out += encoder.Encode({.stream = ids["stdout"], .payload = f.payload});
            } else if (f.type == Type::kGoAway) {
              over = true;
            }
          }
        }
      }));
  http::ClientRequest request;
  request.method = "POST";
  request.url = *http::ParseUrl(fmt::format("http://127.0.0.1:{}/exec", server->Port("main")));
  const auto client = std::move(*Client::Connect(TenSeconds(), request, {"v5.channel.k8s.io", "v4.channel.k8s.io"}));
  BOOST_TEST(client->protocol() == "v4.channel.k8s.io");
  const uint32_t error = *client->Open(TenSeconds(), {{"streamtype", "error"}});
  const uint32_t in = *client->Open(TenSeconds(), {{"streamtype", "stdin"}});
  const uint32_t out = *client->Open(TenSeconds(), {{"streamtype", "stdout"}});
  const std::string big(100'000, 'b');
  BOOST_TEST(client->Write(TenSeconds(), in, big).ok());
  BOOST_TEST(client->Finish(TenSeconds(), in).ok());
  std::map<uint32_t, std::string> got;
  bool reset = false;
  for (;;) {
    const std::optional<Client::Event> event = *client->Read(TenSeconds());
    BOOST_REQUIRE(event);
    got[event->stream] += event->bytes;
    reset = reset || (event->reset && event->stream == out);
    if (event->fin && event->stream == error) break;
  }
  BOOST_TEST((got[out] == big));
  BOOST_TEST(got[error] == "early done");
  BOOST_TEST(reset);
  client->Close(TenSeconds());
  BOOST_TEST(!*client->Read(TenSeconds()));
  request.url.target = "/other";
  BOOST_TEST(Client::Connect(TenSeconds(), request, {}).status().message() == "unable to upgrade connection: no");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::spdy
