#include "pkg/net/http/client.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <boost/test/unit_test.hpp>

#include <deque>
#include <filesystem>
#include <thread>

#include "pkg/base/file.h"
#include "pkg/net/http/server.h"

namespace knarr::http {
namespace {

using namespace std::chrono_literals;

Context TenSeconds() {
  return Context::Background().WithTimeout(10s);
}

// A backend that answers each connection with the next of its canned texts and closes.
class Canned {
 public:
  explicit Canned(std::deque<std::string> answers) : answers_(std::move(answers)) {
    fd_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    BOOST_REQUIRE(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
    BOOST_REQUIRE(::listen(fd_.get(), 8) == 0);
    ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(address.sin_port);
    thread_ = std::thread([this] { Run(); });
  }
  ~Canned() {
    ::shutdown(fd_.get(), SHUT_RDWR);
    thread_.join();
  }
  Url At(const std::string& target) const { return *ParseUrl("http://127.0.0.1:" + std::to_string(port) + target); }
  uint16_t port = 0;
  std::string requests;

 private:
  void Run() {
    while (!answers_.empty()) {
      UniqueFd fd(::accept(fd_.get(), nullptr, nullptr));
      if (!fd) return;
      const net::StreamPtr stream = net::MakeFdStream(std::move(fd));
      char buffer[4096];
      std::string request;
      while (request.find("\r\n\r\n") == std::string::npos) {
        const Result<size_t> n = stream->Read(TenSeconds(), buffer, sizeof(buffer));
        if (!n.ok() || *n == 0) break;
        request.append(buffer, *n);
      }
      requests += request;
      (void)stream->Write(TenSeconds(), answers_.front());
      answers_.pop_front();
      stream->CloseWrite();
      while (stream->Read(TenSeconds(), buffer, sizeof(buffer)).value_or(0) > 0) {
      }
    }
  }
  UniqueFd fd_;
  std::deque<std::string> answers_;
  std::thread thread_;
};

BOOST_AUTO_TEST_SUITE(http_client)

BOOST_AUTO_TEST_CASE(a_request_carries_what_was_asked_and_the_answer_comes_whole) {
  Canned backend({"HTTP/1.1 201 Created\r\nX: y\r\nContent-Length: 2\r\n\r\nok"});
  ClientRequest request;
  request.method = "POST";
  request.url = backend.At("/p?q=1");
  request.headers = {{"User-Agent", "kube-probe/1.32"}, {"Host", "web.local"}};
  request.body = "data";
  const Response response = *Do(TenSeconds(), request);
  BOOST_TEST(response.status == 201);
  BOOST_TEST(response.headers.Get("x") == "y");
  BOOST_TEST(response.body == "ok");
  BOOST_TEST(backend.requests ==
             "POST /p?q=1 HTTP/1.1\r\nUser-Agent: kube-probe/1.32\r\nHost: web.local\r\nConnection: "
             "close\r\nContent-Length: 4\r\n\r\ndata");
}

BOOST_AUTO_TEST_CASE(errors_are_worded_like_gos) {
  ClientRequest request;
  request.url = *ParseUrl("http://127.0.0.1:1/healthz");
  BOOST_TEST(Do(TenSeconds(), request).status().message() ==
             "Get \"http://127.0.0.1:1/healthz\": dial tcp 127.0.0.1:1: connect: connection refused");
  Canned silent({""});
  request.url = silent.At("/");
  BOOST_TEST(Do(TenSeconds(), request).status().message() ==
             fmt::format("Get \"http://127.0.0.1:{}/\": EOF", silent.port));
  request.headers = {{"X", "a\r\nb: c"}};
  BOOST_TEST(!Do(TenSeconds(), request).ok());
}

BOOST_AUTO_TEST_CASE(the_deadline_covers_the_answer) {
  ElasticPool pool("test", 4);
  const auto server =
      std::move(*Server::Start({.listen = {{.name = "a", .host = "127.0.0.1"}}}, pool,
                               [](const Request& q, ResponseWriter&) { (void)q.ctx.WithTimeout(10s).Sleep(20s); }));
  ClientRequest request;
  request.url = *ParseUrl("http://127.0.0.1:" + std::to_string(server->Port("a")) + "/");
  const Status status = Do(Context::Background().WithTimeout(500ms), request).status();
  BOOST_TEST((status.code() == Code::kTimeout));
  BOOST_TEST(status.message().find("context deadline exceeded") != std::string_view::npos);
}

BOOST_AUTO_TEST_CASE(bodies_are_bounded_or_truncated_and_interim_answers_skipped) {
  const std::string answer = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n" + std::string(100'000, 'x');
  Canned backend({answer, answer, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", "garbage\r\n\r\n"});
  ClientRequest request;
  request.url = backend.At("/");
  request.max_body = 1000;
  BOOST_TEST((Do(TenSeconds(), request).status().code() == Code::kRequestEntityTooLarge));
  request.truncate_body = true;
  BOOST_TEST(Do(TenSeconds(), request)->body.size() == 1000u);
  BOOST_TEST(!Do(TenSeconds(), request).ok());
  BOOST_TEST(!Do(TenSeconds(), request).ok());
}

BOOST_AUTO_TEST_CASE(bare_newlines_are_understood_only_where_asked) {
  const std::string answer = "HTTP/1.0 200 OK\nX: y\n\n hi\n";
  Canned backend({answer, answer});
  ClientRequest request;
  request.url = backend.At("/");
  BOOST_TEST(!Do(TenSeconds(), request).ok());
  request.lenient_newlines = true;
  const Result<Response> response = Do(TenSeconds(), request);
  BOOST_REQUIRE(response.ok());
  BOOST_TEST(response->headers.Get("X") == "y");
  BOOST_TEST(response->body == " hi\n");
}

BOOST_AUTO_TEST_CASE(redirects_are_followed_only_when_asked_and_bounded) {
  const std::string redirect = "HTTP/1.1 302 Found\r\nLocation: /next\r\nContent-Length: 0\r\n\r\n";
  Canned backend({redirect, redirect, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", redirect, redirect, redirect});
  ClientRequest request;
  request.url = backend.At("/");
  BOOST_TEST(Do(TenSeconds(), request)->status == 302);
  request.max_redirects = 2;
  BOOST_TEST(Do(TenSeconds(), request)->body == "ok");
  BOOST_TEST(Do(TenSeconds(), request).status().message().find("stopped after 2 redirects") != std::string_view::npos);
}

BOOST_AUTO_TEST_CASE(an_upgrade_gives_a_stream_only_for_a_real_101) {
  Canned backend({"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\nfirst",
                  "HTTP/1.1 200 OK\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nContent-Length: 2\r\n\r\nok",
                  "HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nbad",
                  "HTTP/1.1 101 Switching Protocols\r\n\r\n",
                  "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n", "HTTP/9 101\r\n\r\n"});
  ClientRequest request;
  request.method = "POST";
  request.headers = {{"Connection", "Upgrade"}, {"Upgrade", "SPDY/3.1"}};
  request.url = backend.At("/exec/x");
  const Upgraded upgraded = *Upgrade(TenSeconds(), request);
  BOOST_REQUIRE(upgraded.stream != nullptr);
  BOOST_TEST(upgraded.response.headers.Get("Upgrade") == "SPDY/3.1");
  char buffer[6] = {};
  size_t have = 0;
  while (have < 5) have += *upgraded.stream->Read(TenSeconds(), buffer + have, 5 - have);
  BOOST_TEST(std::string(buffer) == "first");
  upgraded.stream->Abort();
  for (const int status : {200, 400}) {
    const Upgraded answer = *Upgrade(TenSeconds(), request);
    BOOST_TEST(answer.response.status == status);
    BOOST_TEST((answer.stream == nullptr));
    BOOST_TEST(!answer.response.body.empty());
  }
  for (int i = 0; i < 3; ++i) BOOST_TEST(!Upgrade(TenSeconds(), request).ok());
}

BOOST_AUTO_TEST_CASE(https_reaches_a_server_that_sees_the_clients_certificate) {
  char name[] = "/tmp/knarr-https-XXXXXX";
  const std::string dir = ::mkdtemp(name);
  const WallTime now = std::chrono::system_clock::now();
  const auto put = [&](const std::string& file, const std::string& text) {
    BOOST_REQUIRE(WriteFileAtomically(dir + "/" + file, text, 0600).ok());
    return dir + "/" + file;
  };
  const tls::KeyPair ca =
      *tls::IssueCertificate({.common_name = "ca", .ca = true, .not_before = now - 1h, .not_after = now + 1h}, nullptr);
  const tls::KeyPair s = *tls::IssueCertificate(
      {.common_name = "s", .names = {"127.0.0.1"}, .not_before = now - 1h, .not_after = now + 1h}, &ca);
  const tls::KeyPair c = *tls::IssueCertificate(
      {.common_name = "admin", .client = true, .not_before = now - 1h, .not_after = now + 1h}, &ca);
  const std::string ca_file = put("ca.crt", ca.cert_pem);
  const auto server_tls = *tls::ServerConfig::New(
      {.cert_file = put("s.crt", s.cert_pem), .key_file = put("s.key", s.key_pem), .client_ca_file = ca_file});
  ElasticPool pool("test", 4);
  const std::string big(300'000, 'z');
  const auto server = std::move(*Server::Start(
      {.listen = {{.name = "a", .host = "127.0.0.1", .tls = server_tls}}}, pool,
      [&](const Request& q, ResponseWriter& w) {
        w.Reply(200, "text/plain", (q.peer.certificate ? q.peer.certificate->common_name : "nobody") + big);
      }));
  ClientRequest request;
  request.url = *ParseUrl("https://127.0.0.1:" + std::to_string(server->Port("a")) + "/");
  request.tls = *tls::ClientConfig::New({.ca_file = ca_file});
  BOOST_TEST((Do(TenSeconds(), request)->body == "nobody" + big));
  request.tls = *tls::ClientConfig::New(
      {.ca_file = ca_file, .cert_file = put("c.crt", c.cert_pem), .key_file = put("c.key", c.key_pem)});
  BOOST_TEST((Do(TenSeconds(), request)->body == "admin" + big));
  request.tls = nullptr;  // the system's roots do not know this CA
  BOOST_TEST(!Do(TenSeconds(), request).ok());
  std::filesystem::remove_all(dir);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::http
