#include "pkg/apiserver/proxy/translate.h"

#include <boost/test/unit_test.hpp>
#include <cstdlib>

#include <future>
#include <map>

#include "pkg/net/spdy/frame.h"
#include "pkg/net/websocket/client.h"

namespace knarr::proxy {
namespace {

using namespace std::chrono_literals;

Context TenSeconds() {
  return Context::Background().WithTimeout(10s);
}

void Sure(bool condition) {
  if (!condition) std::abort();
}

constexpr char kSuccess[] = R"({"metadata":{},"status":"Success"})";

// A kubelet whose runtime speaks SPDY: stdin comes back on stdout, window sizes on stderr's place are noted; when stdin
// ends, so does the command.
struct Kubelet {
  ElasticPool pool{"kubelet", 4};
  std::unique_ptr<http::Server> server;
  std::promise<std::string> over;
  std::string target, protocol;

  Kubelet() {
    server = std::move(*http::Server::Start(
        {.listen = {{.name = "main", .host = "127.0.0.1"}}}, pool,
        [this](const http::Request& request, http::ResponseWriter& response) {
          target = request.method + " " + request.target;
          protocol = std::string(request.headers.Get("X-Stream-Protocol-Version"));
          if (request.path == "/refuse") return response.Error(404, "container not found (\"c\")");
          const auto stream = std::move(*response.Hijack());
          Sure(stream
                   ->Write(request.ctx,
                           "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
                           "X-Stream-Protocol-Version: " +
                               protocol + "\r\n\r\n")
                   .ok());
          over.set_value(protocol == "portforward.k8s.io" ? Raw(request.ctx, *stream) : Exec(request.ctx, *stream));
        }));
  }
  static std::string Raw(const Context& ctx, net::Stream& stream) {
    char buffer[100];
    std::string all;
    for (;;) {
      const Result<size_t> n = stream.Read(ctx, buffer, sizeof(buffer));
      if (!n.ok() || *n == 0) return all;
      all.append(buffer, *n);
      if (!stream.Write(ctx, "<" + std::string(buffer, *n) + ">").ok()) return all;
      if (all.ends_with("quit")) return all;
    }
  }
  static std::string Exec(const Context& ctx, net::Stream& stream) {
    spdy::Encoder encoder;
    spdy::Decoder decoder;
    std::map<std::string, uint32_t> ids;
    std::string out, note;
    char buffer[5000];
    for (;;) {
      if (!out.empty() && !stream.Write(ctx, std::exchange(out, {})).ok()) return note + "broken";
      const Result<size_t> n = stream.Read(ctx, buffer, sizeof(buffer));
      if (!n.ok() || *n == 0) return note + "gone";
      decoder.Feed({buffer, *n});
      for (;;) {
        const auto next = decoder.Next();
        Sure(next.ok());
        if (!*next) break;
        const spdy::Frame& f = **next;
        if (f.type == spdy::Type::kSynStream) {
          ids[f.fields[0].second] = f.stream;
          note += f.fields[0].second + " ";
          out += encoder.Encode({.type = spdy::Type::kSynReply, .stream = f.stream});
        } else if (f.type == spdy::Type::kData && f.stream == ids["stdin"] && !f.fin) {
          out += encoder.Encode({.stream = ids["stdout"], .payload = f.payload});
        } else if (f.type == spdy::Type::kData && f.fin) {
          if (ids.contains("stderr")) out += encoder.Encode({.stream = ids["stderr"], .payload = "warning"});
          out += encoder.Encode({.stream = ids["error"], .payload = kSuccess});
          out += encoder.Encode({.type = spdy::Type::kRstStream, .stream = ids["error"], .number = 5});
        } else if (f.type == spdy::Type::kData) {
          note += f.payload + " ";
        }
      }
    }
  }
};

struct Fixture {
  Kubelet kubelet;
  ElasticPool pool{"test", 4};
  RemoteStreams wanted{.in = true, .out = true, .err = true};
  std::string path = "/exec/ns/web/c";
  std::unique_ptr<http::Server> front;

  Fixture() {
    front = std::move(*http::Server::Start({.listen = {{.name = "main", .host = "127.0.0.1"}}}, pool,
                                           [this](const http::Request& request, http::ResponseWriter& response) {
                                             const Backend backend{.scheme = "http",
                                                                   .host = "127.0.0.1",
                                                                   .port = kubelet.server->Port("main"),
                                                                   .path = path,
                                                                   .raw_query = "input=1",
                                                                   .dial_host = "",
                                                                   .tls = nullptr};
                                             if (WantsStreamTranslation(request))
                                               return TranslateStreams(request, response, backend, wanted);
                                             if (WantsPortForwardTunnel(request))
                                               return TunnelPortForward(request, response, backend);
                                             response.Error(400, "neither");
                                           }));
  }
  Result<std::unique_ptr<websocket::Client>> Connect(const std::string& protocol) {
    http::ClientRequest request;
    request.url = *http::ParseUrl(fmt::format("http://127.0.0.1:{}/", front->Port("main")));
    return websocket::Client::Connect(TenSeconds(), request, {"base64url.bearer.authorization.k8s.io.eA", protocol});
  }
};

std::string Message(char channel, const std::string& bytes) {
  return std::string(1, channel) + bytes;
}

BOOST_FIXTURE_TEST_SUITE(stream_translation, Fixture)

BOOST_AUTO_TEST_CASE(channels_become_streams_and_input_can_end) {
  const auto client = std::move(*Connect("v5.channel.k8s.io"));
  BOOST_TEST(client->protocol() == "v5.channel.k8s.io");
  BOOST_TEST((*client->Read(TenSeconds()))->payload == Message(1, ""));
  BOOST_TEST(client->Write(TenSeconds(), websocket::Opcode::kBinary, Message(0, "hello")).ok());
  BOOST_TEST((*client->Read(TenSeconds()))->payload == Message(1, "hello"));
  BOOST_TEST(client->Write(TenSeconds(), websocket::Opcode::kBinary, Message('\xff', std::string(1, '\0'))).ok());
  BOOST_TEST((*client->Read(TenSeconds()))->payload == Message(2, "warning"));
  BOOST_TEST((*client->Read(TenSeconds()))->payload == Message(3, kSuccess));
  BOOST_TEST(!*client->Read(TenSeconds()));
  client->Close(TenSeconds());
  BOOST_TEST(kubelet.over.get_future().get() == "error stdin stdout stderr gone");
  BOOST_TEST(kubelet.target == "POST /exec/ns/web/c?input=1");
  BOOST_TEST(kubelet.protocol == "v4.channel.k8s.io");
}

BOOST_AUTO_TEST_CASE(a_terminal_has_sizes_and_no_stderr_and_a_client_that_leaves_ends_all) {
  wanted.tty = true;
  {
    const auto client = std::move(*Connect("v5.channel.k8s.io"));
    BOOST_TEST((*client->Read(TenSeconds()))->payload == Message(1, ""));
    BOOST_TEST(client->Write(TenSeconds(), websocket::Opcode::kBinary, Message(4, "{\"Width\":80}")).ok());
    BOOST_TEST(client->Write(TenSeconds(), websocket::Opcode::kBinary, Message(0, "x")).ok());
    BOOST_TEST((*client->Read(TenSeconds()))->payload == Message(1, "x"));
  }
  BOOST_TEST(kubelet.over.get_future().get() == "error stdin stdout resize {\"Width\":80} gone");
}

BOOST_AUTO_TEST_CASE(a_kubelet_that_refuses_is_an_error_before_the_upgrade) {
  path = "/refuse";
  BOOST_TEST(std::string(Connect("v5.channel.k8s.io").status().message())
                 .find("unable to upgrade connection: container not found (\\\"c\\\")") != std::string::npos);
  BOOST_TEST(std::string(Connect("SPDY/3.1+portforward.k8s.io").status().message()).find("container not found") !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(port_forwarding_is_bytes_in_messages) {
  const auto client = std::move(*Connect("SPDY/3.1+portforward.k8s.io"));
  BOOST_TEST(client->protocol() == "SPDY/3.1+portforward.k8s.io");
  BOOST_TEST(client->Write(TenSeconds(), websocket::Opcode::kBinary, "abc").ok());
  BOOST_TEST((*client->Read(TenSeconds()))->payload == "<abc>");
  BOOST_TEST(client->Write(TenSeconds(), websocket::Opcode::kBinary, "quit").ok());
  BOOST_TEST((*client->Read(TenSeconds()))->payload == "<quit>");
  BOOST_TEST(!*client->Read(TenSeconds()));
  BOOST_TEST(kubelet.over.get_future().get() == "abcquit");
  BOOST_TEST(kubelet.protocol == "portforward.k8s.io");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::proxy
