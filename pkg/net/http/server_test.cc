#include "pkg/net/http/server.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>

#include <atomic>
#include <filesystem>
#include <future>
#include <thread>

#include "pkg/base/file.h"
#include "pkg/net/http/client.h"

namespace knarr::http {
namespace {

// For threads beside the test's own: Boost.Test's checks are not for several threads at once.
void Sure(bool condition) {
  if (!condition) std::abort();
}

using namespace std::chrono_literals;

Context TenSeconds() {
  return Context::Background().WithTimeout(10s);
}

// Waits for what another thread is about to do; a failure is a bounded wait, not a hang.
template <typename Condition>
bool Eventually(Condition condition) {
  for (int i = 0; i < 1'000'000; ++i) {
    if (condition()) return true;
    std::this_thread::yield();
  }
  const auto end = std::chrono::steady_clock::now() + 10s;
  while (std::chrono::steady_clock::now() < end) {
    if (condition()) return true;
    std::this_thread::yield();
  }
  return false;
}

struct Fixture {
  FakeClock clock;
  ElasticPool pool{"test", 8};
  Handler handler = [](const Request& request, ResponseWriter& response) {
    response.Reply(200, "text/plain", request.method + " " + request.path);
  };
  Limits limits;
  std::unique_ptr<Server> server;

  void Start(std::vector<Listen> listen = {{.name = "main", .host = "127.0.0.1"}}) {
    Result<std::unique_ptr<Server>> started = Server::Start(
        {.listen = std::move(listen), .limits = limits}, pool,
        [this](const Request& q, ResponseWriter& w) { handler(q, w); }, clock);
    BOOST_REQUIRE_MESSAGE(started.ok(), started.status().message());
    server = std::move(*started);
  }
  net::StreamPtr Dial() { return std::move(*net::DialTcp(TenSeconds(), "127.0.0.1", server->Port("main"))); }
  // Sends raw bytes, closes its side if asked, and returns all that comes back until the server closes.
  std::string Raw(const std::string& bytes, bool close_write = false) {
    const net::StreamPtr stream = Dial();
    BOOST_TEST(stream->Write(TenSeconds(), bytes).ok());
    if (close_write) stream->CloseWrite();
    return ReadAll(*stream);
  }
  static std::string ReadAll(net::Stream& stream) {
    std::string all;
    char buffer[4096];
    for (;;) {
      const Result<size_t> n = stream.Read(TenSeconds(), buffer, sizeof(buffer));
      // A server that hangs up on bytes it has not read yet resets the connection: to the peer the same end.
      if (n.status().error_number() == ECONNRESET) return all;
      if (!n.ok()) return all + "[" + std::string(n.status().message()) + "]";
      if (*n == 0) return all;
      all.append(buffer, *n);
    }
  }
  static std::string ReadUntil(net::Stream& stream, std::string_view end) {
    std::string all;
    char c;
    while (!all.ends_with(end)) {
      const Result<size_t> n = stream.Read(TenSeconds(), &c, 1);
      if (!n.ok() || *n == 0) return all + "[end]";
      all += c;
    }
    return all;
  }
  ClientRequest Get(const std::string& target) {
    ClientRequest request;
    request.url = *ParseUrl("http://127.0.0.1:" + std::to_string(server->Port("main")) + target);
    return request;
  }
};

std::string StatusLine(const std::string& response) {
  return response.substr(0, response.find("\r\n"));
}

BOOST_FIXTURE_TEST_SUITE(http_server, Fixture)

BOOST_AUTO_TEST_CASE(a_small_answer_has_its_length_and_the_connection_carries_the_next_request) {
  Start();
  const net::StreamPtr stream = Dial();
  for (int i = 0; i < 3; ++i) {
    BOOST_TEST(stream->Write(TenSeconds(), "GET /a HTTP/1.1\r\nHost: x\r\n\r\n").ok());
    const std::string head = ReadUntil(*stream, "\r\n\r\n");
    BOOST_TEST(StatusLine(head) == "HTTP/1.1 200 OK");
    BOOST_TEST(head.find("Content-Length: 6\r\n") != std::string::npos);
    BOOST_TEST(ReadUntil(*stream, "GET /a") == "GET /a");
  }
  BOOST_TEST(server->Connections() == 1u);
}

BOOST_AUTO_TEST_CASE(pipelined_requests_are_answered_in_order) {
  Start();
  const std::string all =
      Raw("GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  BOOST_TEST(all.find("GET /1") < all.find("GET /2"));
  BOOST_TEST(all.find("GET /2") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(hostile_requests_get_400_and_the_connection_is_closed) {
  std::atomic<int> handled = 0;
  handler = [&](const Request&, ResponseWriter& w) {
    ++handled;
    w.Reply(200, "text/plain", "");
  };
  limits.header = 2048;
  Start();
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nGET /admin",
       "HTTP/1.1 400 Bad Request"},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       "HTTP/1.1 400 Bad Request"},
      {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", "HTTP/1.1 501 Not Implemented"},
      {"GET / HTTP/1.1\nHost: x\n\n", "HTTP/1.1 400 Bad Request"},
      {"GET /../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 400 Bad Request"},
      {"GET http://evil/ HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 400 Bad Request"},
      {"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request"},
      {"GET /" + std::string(5000, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n",
       "HTTP/1.1 431 Request Header Fields Too Large"},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", "HTTP/1.1 413 Request Entity Too Large"},
      {"POST / HTTP/1.1\r\nHost: x\r\nExpect: magic\r\nContent-Length: 3\r\n\r\nabc",
       "HTTP/1.1 417 Expectation Failed"},
  };
  for (const auto& [request, status] : cases) BOOST_TEST(StatusLine(Raw(request)) == status, request.substr(0, 80));
  BOOST_TEST(handled == 0);
}

BOOST_AUTO_TEST_CASE(a_header_that_never_ends_is_cut_off_at_its_deadline) {
  Start();
  const net::StreamPtr stream = Dial();
  BOOST_TEST(stream->Write(TenSeconds(), "GET / HTTP/1.1\r\nHost:").ok());
  BOOST_REQUIRE(Eventually([&] { return server->Connections() == 1; }));
  clock.Advance(9s);
  BOOST_TEST(server->Connections() == 1u);
  clock.Advance(2s);
  BOOST_TEST(ReadAll(*stream) == "");
  BOOST_TEST(Eventually([&] { return server->Connections() == 0; }));
  BOOST_TEST(clock.Pending() == 0u);  // nothing wakes an idle server
}

BOOST_AUTO_TEST_CASE(a_body_that_never_ends_is_cut_off_too) {
  Start();
  const net::StreamPtr stream = Dial();
  BOOST_TEST(
      stream->Write(TenSeconds(), "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n")
          .ok());
  BOOST_TEST(ReadUntil(*stream, "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
  clock.Advance(61s);
  BOOST_TEST(ReadAll(*stream) == "");
}

BOOST_AUTO_TEST_CASE(an_idle_connection_is_closed_after_its_time) {
  Start();
  const net::StreamPtr stream = Dial();
  BOOST_TEST(stream->Write(TenSeconds(), "GET /a HTTP/1.1\r\nHost: x\r\n\r\n").ok());
  ReadUntil(*stream, "GET /a");
  // The idle deadline stands when the io thread has the connection back, which the next request proves.
  BOOST_TEST(stream->Write(TenSeconds(), "GET /b HTTP/1.1\r\nHost: x\r\n\r\n").ok());
  ReadUntil(*stream, "GET /b");
  BOOST_TEST(Eventually([&] {
    clock.Advance(100s);
    return server->Connections() == 0;
  }));
  BOOST_TEST(ReadAll(*stream) == "");
}

BOOST_AUTO_TEST_CASE(idle_connections_give_way_and_busy_ones_do_not) {
  limits.connections = 2;
  std::promise<void> release;
  auto released = release.get_future().share();
  handler = [released](const Request& request, ResponseWriter& w) {
    if (request.path == "/wait") released.wait();
    w.Reply(200, "text/plain", "done");
  };
  Start();
  const net::StreamPtr busy = Dial(), idle = Dial();
  BOOST_TEST(busy->Write(TenSeconds(), "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n").ok());
  BOOST_TEST(idle->Write(TenSeconds(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n").ok());
  ReadUntil(*idle, "done");
  // The third may come before the io thread has taken the second back; it is then turned away and tries again.
  BOOST_TEST(Eventually([&] {
    const net::StreamPtr third = Dial();
    if (!third->Write(TenSeconds(), "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()) return false;
    return ReadAll(*third).find("done") != std::string::npos;
  }));
  BOOST_TEST(ReadAll(*idle) == "");
  release.set_value();
  BOOST_TEST(ReadUntil(*busy, "done").ends_with("done"));
}

BOOST_AUTO_TEST_CASE(a_flood_of_silent_connections_keeps_nobody_out) {
  limits.connections = 4;
  Start({{.name = "main", .host = "127.0.0.1"}, {.name = "other", .host = "127.0.0.1"}});
  std::vector<net::StreamPtr> silent;
  for (int i = 0; i < 20; ++i) silent.push_back(Dial());
  const std::string answer = Raw("GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  BOOST_TEST(answer.ends_with("GET /a"), answer);
  BOOST_TEST(server->Connections() <= 4u);
  const net::StreamPtr other = std::move(*net::DialTcp(TenSeconds(), "127.0.0.1", server->Port("other")));
  BOOST_TEST(other->Write(TenSeconds(), "GET /b HTTP/1.1\r\nHost: x\r\n\r\n").ok());
  BOOST_TEST(ReadUntil(*other, "GET /b").ends_with("GET /b"));
}

BOOST_AUTO_TEST_CASE(long_and_flushed_bodies_are_chunked_and_http_1_0_ends_with_the_connection) {
  const std::string big(100'000, 'b');
  handler = [&](const Request&, ResponseWriter& w) {
    Sure(w.Write("first").ok());
    Sure(w.Flush().ok());
    Sure(w.Write(big).ok());
  };
  Start();
  const Response response = *Do(TenSeconds(), Get("/"));
  BOOST_TEST(response.headers.Get("Transfer-Encoding") == "chunked");
  BOOST_TEST((response.body == "first" + big));
  const std::string old = Raw("GET / HTTP/1.0\r\n\r\n");
  BOOST_TEST(old.find("chunked") == std::string::npos);
  BOOST_TEST(old.ends_with("first" + big));
}

BOOST_AUTO_TEST_CASE(head_gets_the_header_alone) {
  Start();
  const std::string all = Raw("HEAD /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  BOOST_TEST(all.find("Content-Length: 7\r\n") != std::string::npos);
  BOOST_TEST(all.ends_with("\r\n\r\n"));
}

BOOST_AUTO_TEST_CASE(a_client_that_closes_its_side_still_gets_its_answer) {
  Start();
  BOOST_TEST(Raw("GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", true).ends_with("GET /a"));
}

BOOST_AUTO_TEST_CASE(a_handler_learns_that_its_client_left) {
  std::promise<Status> ended;
  handler = [&](const Request& request, ResponseWriter& w) {
    Sure(w.Write("x").ok());
    Sure(w.Flush().ok());
    ended.set_value(request.ctx.WithTimeout(10s).Sleep(20s));
  };
  Start();
  net::StreamPtr stream = Dial();
  // Bytes that nobody reads must not hide the end.
  BOOST_TEST(stream->Write(TenSeconds(), "GET / HTTP/1.1\r\nHost: x\r\n\r\nunread").ok());
  ReadUntil(*stream, "x\r\n");
  stream.reset();
  BOOST_TEST((ended.get_future().get().code() == Code::kCancelled));
}

BOOST_AUTO_TEST_CASE(a_body_shorter_than_its_declared_length_ends_the_connection) {
  handler = [&](const Request&, ResponseWriter& w) {
    w.headers().Set("Content-Length", "10");
    Sure(w.Write("short").ok());
  };
  Start();
  BOOST_TEST(Raw("GET / HTTP/1.1\r\nHost: x\r\n\r\n").ends_with("short"));
}

BOOST_AUTO_TEST_CASE(field_values_cannot_smuggle_lines) {
  handler = [&](const Request&, ResponseWriter& w) {
    w.headers().Set("X", "a\r\nEvil: 1");
    w.Reply(200, "text/plain", "");
  };
  Start();
  BOOST_TEST(Raw("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").find("\nEvil") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_hijacked_connection_belongs_to_the_handler_with_all_its_bytes) {
  handler = [&](const Request& request, ResponseWriter& w) {
    Sure(request.UpgradeProtocol() == "echo");
    Result<net::StreamPtr> stream = w.Hijack();
    Sure(stream.ok());
    char buffer[5];
    size_t have = 0;
    while (have < 5) have += *(*stream)->Read(request.ctx, buffer + have, 5 - have);
    Sure((*stream)->Write(request.ctx, "raw:" + std::string(buffer, 5)).ok());
    Sure(!w.Hijack().ok());
    Sure(!w.Write("x").ok());
  };
  Start();
  BOOST_TEST(Raw("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello") == "raw:hello");
}

BOOST_AUTO_TEST_CASE(stopping_cancels_what_runs_and_waits_for_it) {
  std::promise<void> entered;
  std::atomic<bool> left = false;
  handler = [&](const Request& request, ResponseWriter&) {
    entered.set_value();
    (void)request.ctx.WithTimeout(10s).Sleep(20s);
    left = true;
  };
  Start();
  const net::StreamPtr stream = Dial();
  BOOST_TEST(stream->Write(TenSeconds(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n").ok());
  entered.get_future().wait();
  server.reset();
  BOOST_TEST(left);
}

BOOST_AUTO_TEST_CASE(a_unix_socket_has_its_mode_and_tells_the_peers_user) {
  const std::string dir = "/tmp/knarr-http-" + std::to_string(::getpid());
  const std::string path = dir + "/k.sock";
  handler = [](const Request& q, ResponseWriter& w) {
    w.Reply(200, "text/plain", fmt::format("{} {}", q.peer.uid, q.peer.unix_socket));
  };
  Start({{.name = "unix", .unix_path = path}});
  struct stat st {};
  BOOST_REQUIRE(::stat(path.c_str(), &st) == 0);
  BOOST_TEST((st.st_mode & 0777) == 0600u);
  ClientRequest request;
  request.url = *ParseUrl("unix://" + path);
  BOOST_TEST(Do(TenSeconds(), request)->body == fmt::format("{} true", ::getuid()));
  // A living socket is not taken away.
  Result<std::unique_ptr<Server>> second =
      Server::Start({.listen = {{.name = "unix", .unix_path = path}}}, pool, handler, clock);
  BOOST_TEST(second.status().message().find("another process serves this socket") != std::string_view::npos);
  server.reset();
  BOOST_TEST(::access(path.c_str(), F_OK) != 0);
  std::filesystem::remove_all(dir);
}

BOOST_AUTO_TEST_CASE(a_port_in_use_is_an_error_with_the_address) {
  Start();
  const uint16_t port = server->Port("main");
  const Result<std::unique_ptr<Server>> second =
      Server::Start({.listen = {{.name = "b", .host = "127.0.0.1", .port = port}}}, pool, handler, clock);
  BOOST_TEST(second.status().message() == fmt::format("listen tcp 127.0.0.1:{}: bind: address already in use", port));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(router)

class Recorder : public ResponseWriter {
 public:
  Headers& headers() override { return headers_; }
  void WriteHeader(int status) override { status_ = status; }
  Status Write(std::string_view bytes) override {
    body += bytes;
    return {};
  }
  Status Flush() override { return {}; }
  Result<net::StreamPtr> Hijack() override { return knarr::Error(Code::kUnimplemented, "no"); }
  bool HeaderSent() const override { return false; }
  int status() const override { return status_; }
  std::string body;

 private:
  Headers headers_;
  int status_ = 0;
};

std::string Route(const Router& router, const std::string& method, const std::string& path) {
  Request request;
  request.method = method;
  request.raw_path = path;
  Recorder recorder;
  router.Serve(request, recorder);
  if (recorder.status() != 0) return std::to_string(recorder.status());
  return recorder.body;
}

BOOST_AUTO_TEST_CASE(the_most_specific_pattern_wins_and_parameters_are_decoded_by_segment) {
  Router router;
  const auto tell = [](const std::string& name) {
    return [name](const Request& q, ResponseWriter& w) {
      std::string text = name;
      for (const auto& [key, value] : q.params) text += " " + key + "=" + value;
      (void)w.Write(text);
    };
  };
  router.Handle("GET", "/pods", tell("pods"));
  router.Handle("GET", "/logs/{namespace}/{pod}", tell("logs"));
  router.Handle("GET", "/logs/all/{pod}", tell("all"));
  router.Handle("GET", "/files/{path...}", tell("files"));
  router.Handle("", "/any/", tell("any"));
  router.Handle("GET", "/exec/{pod}/{container}", tell("short"));
  router.Handle("GET", "/exec/{pod}/{uid}/{container}", tell("long"));
  BOOST_TEST(Route(router, "GET", "/pods") == "pods");
  BOOST_TEST(Route(router, "HEAD", "/pods/") == "pods");
  BOOST_TEST(Route(router, "GET", "/logs/a/b%2Fc") == "logs namespace=a pod=b/c");
  BOOST_TEST(Route(router, "GET", "/logs/all/x") == "all pod=x");
  BOOST_TEST(Route(router, "GET", "/exec/p/c") == "short pod=p container=c");
  BOOST_TEST(Route(router, "GET", "/exec/p/u/c") == "long pod=p uid=u container=c");
  BOOST_TEST(Route(router, "GET", "/files/") == "files path=");
  BOOST_TEST(Route(router, "GET", "/files/a/b") == "files path=a/b");
  BOOST_TEST(Route(router, "DELETE", "/any") == "any");
  BOOST_TEST(Route(router, "POST", "/pods") == "405");
  BOOST_TEST(Route(router, "GET", "/logs//b") == "404");
  BOOST_TEST(Route(router, "GET", "/logs/a") == "404");
  BOOST_TEST(Route(router, "GET", "/") == "404");
  BOOST_TEST(Route(router, "GET", "/podsx") == "404");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::http
