#include "pkg/net/websocket/server.h"

#include <boost/test/unit_test.hpp>

#include <future>

#include "pkg/net/http/client.h"
#include "pkg/net/websocket/client.h"

namespace knarr::websocket {
namespace {

using namespace std::chrono_literals;

Context TenSeconds() {
  return Context::Background().WithTimeout(10s);
}

class Lines : public http::BodySource {
 public:
  struct Script {
    std::mutex mutex;
    std::string ready;
    bool ended = false;
    std::function<void()> wake;
    std::promise<bool> end;
    void Put(const std::string& bytes, bool last = false) {
      const std::lock_guard lock(mutex);
      ready += bytes;
      ended = ended || last;
      if (wake) wake();
    }
  };
  explicit Lines(Script& script) : script_(script) {}
  ~Lines() override {
    {
      const std::lock_guard lock(script_.mutex);
      script_.wake = nullptr;
    }
    script_.end.set_value(delivered_);
  }
  State Pull(std::string* out, size_t) override {
    const std::lock_guard lock(script_.mutex);
    out->append(std::exchange(script_.ready, {}));
    return script_.ended ? State::kEnd : State::kWait;
  }
  void SetWake(std::function<void()> wake) override {
    const std::lock_guard lock(script_.mutex);
    script_.wake = std::move(wake);
  }
  void OnEnd(bool delivered) override { delivered_ = delivered; }

 private:
  Script& script_;
  bool delivered_ = false;
};

struct Fixture {
  ElasticPool pool{"test", 8};
  Connection::Options options{.protocols = {"", "v5.channel.k8s.io", "v4.channel.k8s.io"}, .max_message = 1000};
  Lines::Script script;
  std::function<void(const http::Request&, Connection&)> serve = [](const http::Request& request, Connection& c) {
    // An echo.
    for (;;) {
      const Result<std::optional<Frame>> frame = c.Read(request.ctx);
      if (!frame.ok() || !*frame) return;
      if (!c.Write(request.ctx, (*frame)->opcode, c.protocol() + ":" + (*frame)->payload).ok()) return;
    }
  };
  std::unique_ptr<http::Server> server;

  Fixture() {
    Result<std::unique_ptr<http::Server>> started =
        http::Server::Start({.listen = {{.name = "main", .host = "127.0.0.1"}}}, pool,
                            [this](const http::Request& request, http::ResponseWriter& response) {
                              const auto connection = Connection::Accept(request, response, options);
                              if (connection.ok()) serve(request, **connection);
                            });
    BOOST_REQUIRE(started.ok());
    server = std::move(*started);
  }
  Result<std::unique_ptr<Client>> Connect(const std::vector<std::string>& protocols) {
    http::ClientRequest request;
    request.url = *http::ParseUrl(fmt::format("http://127.0.0.1:{}/", server->Port("main")));
    return Client::Connect(TenSeconds(), request, protocols);
  }
  // Raw bytes of a client after a handshake; what comes back to the end of the connection.
  std::string Raw(const std::string& bytes, const std::string& key = "dGhlIHNhbXBsZSBub25jZQ==") {
    const net::StreamPtr stream = *net::DialTcp(TenSeconds(), "127.0.0.1", server->Port("main"));
    const std::string head =
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " +
        key + "\r\n\r\n";
    BOOST_TEST(stream->Write(TenSeconds(), head + bytes).ok());
    std::string all;
    char buffer[4096];
    for (;;) {
      const Result<size_t> n = stream->Read(TenSeconds(), buffer, sizeof(buffer));
      if (!n.ok() || *n == 0) return all;
      all.append(buffer, *n);
    }
  }
};

BOOST_FIXTURE_TEST_SUITE(websocket_server, Fixture)

BOOST_AUTO_TEST_CASE(the_first_protocol_of_the_clients_that_is_ours_is_chosen) {
  for (const auto& [asked, chosen] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{}, ""},
           {{"v4.channel.k8s.io"}, "v4.channel.k8s.io"},
           {{"x", "v5.channel.k8s.io", "v4.channel.k8s.io"}, "v5.channel.k8s.io"}}) {
    const auto client = std::move(*Connect(asked));
    BOOST_TEST(client->protocol() == chosen);
    BOOST_TEST(client->Write(TenSeconds(), Opcode::kBinary, "hello").ok());
    BOOST_TEST((*client->Read(TenSeconds()))->payload == chosen + ":hello");
    client->Close(TenSeconds());
    BOOST_TEST(!*client->Read(TenSeconds()));
  }
  const auto refused = Connect({"other"});
  BOOST_TEST(std::string(refused.status().message()).find("requested protocol(s) are not supported: [other]") !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(pings_are_answered_and_goodbyes_too) {
  const std::array<uint8_t, 4> mask{1, 2, 3, 4};
  const std::string all = Raw(EncodeFrame({.opcode = Opcode::kPing, .payload = "are you there"}, mask) +
                              EncodeFrame({.opcode = Opcode::kClose, .payload = "\x03\xe8"}, mask));
  BOOST_TEST(all.starts_with("HTTP/1.1 101 Switching Protocols\r\n"));
  BOOST_TEST(all.find("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n") != std::string::npos);
  BOOST_TEST(
      all.ends_with("\r\n\r\n\x8a\x0d"
                    "are you there\x88\x02\x03\xe8"));
}

BOOST_AUTO_TEST_CASE(broken_peers_are_told_and_left) {
  const std::array<uint8_t, 4> mask{1, 2, 3, 4};
  BOOST_TEST(Raw(EncodeFrame({.payload = "unmasked"}, std::nullopt)).find("\x03\xea") != std::string::npos);
  BOOST_TEST(Raw(EncodeFrame({.payload = std::string(1001, 'x')}, mask)).find("\x03\xf1") != std::string::npos);
  BOOST_TEST(Raw("", "short").starts_with("HTTP/1.1 400 Bad Request\r\n"));
  const std::string no_upgrade = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  const net::StreamPtr stream = *net::DialTcp(TenSeconds(), "127.0.0.1", server->Port("main"));
  BOOST_TEST(stream->Write(TenSeconds(), no_upgrade).ok());
  char buffer[12];
  BOOST_TEST(*stream->Read(TenSeconds(), buffer, sizeof(buffer)) == 12u);
  BOOST_TEST(std::string(buffer, 12) == "HTTP/1.1 400");
}

BOOST_AUTO_TEST_CASE(a_watch_is_a_text_message_for_each_event) {
  serve = [&](const http::Request& request, Connection& c) {
    (void)ServeWatch(request.ctx, c, std::make_unique<Lines>(script));
  };
  const auto client = std::move(*Connect({}));
  script.Put("{\"type\":\"ADDED\"}\n{\"type\":\"MODI");
  std::optional<Frame> frame = *client->Read(TenSeconds());
  BOOST_TEST(frame->payload == "{\"type\":\"ADDED\"}\n");
  BOOST_TEST((frame->opcode == Opcode::kText));
  script.Put("FIED\"}\n");
  BOOST_TEST((*client->Read(TenSeconds()))->payload == "{\"type\":\"MODIFIED\"}\n");
  // What a client says is ignored.
  BOOST_TEST(client->Write(TenSeconds(), Opcode::kText, "hello?").ok());
  script.Put("{}\n", true);
  BOOST_TEST((*client->Read(TenSeconds()))->payload == "{}\n");
  BOOST_TEST(!*client->Read(TenSeconds()));
  BOOST_TEST(script.end.get_future().get());
}

BOOST_AUTO_TEST_CASE(a_watcher_that_leaves_ends_the_source_and_so_does_the_server) {
  serve = [&](const http::Request& request, Connection& c) {
    (void)ServeWatch(request.ctx, c, std::make_unique<Lines>(script));
  };
  {
    const auto client = std::move(*Connect({}));
    script.Put("{}\n");
    BOOST_TEST((*client->Read(TenSeconds()))->payload == "{}\n");
  }
  BOOST_TEST(!script.end.get_future().get());
  script.end = {};
  const auto client = std::move(*Connect({}));
  script.Put("{}\n");
  BOOST_TEST((*client->Read(TenSeconds()))->payload == "{}\n");
  server.reset();
  BOOST_TEST(!script.end.get_future().get());
  BOOST_TEST(!*client->Read(TenSeconds()));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::websocket
