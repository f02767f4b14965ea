// The subresources behind a real server, before kubelets and backends that behave, misbehave and are not there.
#include <boost/test/unit_test.hpp>
#include <cstdlib>

#include <filesystem>
#include <future>
#include <thread>

#include "k8s.io/api/core/v1/generated.pb.h"
#include "pkg/apiserver/proxy/pod_streams.h"
#include "pkg/apiserver/proxy/proxies.h"
#include "pkg/apiserver/proxy/upgrade_aware.h"
#include "pkg/apiserver/registry/fake/fake_access.h"
#include "pkg/net/http/client.h"

namespace knarr::proxy {
namespace {

using namespace std::chrono_literals;

Context TenSeconds() {
  return Context::Background().WithTimeout(10s);
}

void Sure(bool condition) {
  if (!condition) std::abort();
}

struct Fixture {
  std::string dir = std::string(std::getenv("TEST_TMPDIR")) + "/proxy";
  ElasticPool pool{"test", 16};
  registry::FakeAccess access;
  registry::BuiltinDeps deps;
  // What the kubelet or backend was asked, and what it does.
  std::mutex mutex;
  std::vector<std::string> asked;
  http::Headers last;
  http::Handler backend = [](const http::Request&, http::ResponseWriter& w) { w.Reply(200, "text/plain", "ok"); };
  std::unique_ptr<http::Server> kubelet, front;
  std::vector<registry::Subresource> subresources;
  std::string name = "web";
  ProxyOptions options;
  Backend target;

  Fixture() {
    BOOST_REQUIRE(tls::EnsureSelfSigned({.dir = dir, .host = "127.0.0.1", .alternates = {}}).ok());
    const auto config = *tls::ServerConfig::New({.cert_file = dir + "/kubelet.crt", .key_file = dir + "/kubelet.key"});
    const auto record = [this](const http::Request& request, http::ResponseWriter& response) {
      {
        const std::lock_guard lock(mutex);
        asked.push_back(request.method + " " + request.target + (request.body.empty() ? "" : " " + request.body));
        last = request.headers;
      }
      backend(request, response);
    };
    kubelet = std::move(*http::Server::Start(
        {.listen = {{.name = "tls", .host = "127.0.0.1", .tls = config}, {.name = "plain", .host = "127.0.0.1"}}}, pool,
        record));
    deps.access = &access;
    deps.kubelet_preferred_address_types = {"InternalIP"};
    deps.kubelet_certificate_authority = dir + "/kubelet.crt";
    access.Put<core::Node>({"", "nodes"}, fmt::format(R"(metadata {{ name: "node1" }}
        status {{ addresses {{ type: "InternalIP" address: "127.0.0.1" }}
                  daemonEndpoints {{ kubeletEndpoint {{ Port: {} }} }} }})",
                                                      kubelet->Port("tls")));
    access.Put<core::Pod>({"", "pods"}, R"(metadata { namespace: "ns" name: "web" }
        spec { nodeName: "node1" containers { name: "c" } } status { podIP: "127.0.0.1" })");
    access.Put<core::Pod>({"", "pods"}, R"(metadata { namespace: "ns" name: "two" }
        spec { nodeName: "node1" containers { name: "a" } containers { name: "b" } })");
    access.Put<core::Pod>({"", "pods"},
                          R"(metadata { namespace: "ns" name: "pending" } spec { containers { name: "c" } })");
    access.Put<core::Pod>({"", "pods"}, R"(metadata { namespace: "ns" name: "lost" }
        spec { nodeName: "gone" containers { name: "c" } })");
    StartFront();
    target = {.scheme = "http", .host = "127.0.0.1", .port = kubelet->Port("plain")};
  }
  // Serves /<subresource> of the pod `name`, and /direct/... through Serve alone.
  void StartFront() {
    subresources = PodStreamSubresources(deps);
    for (auto& more : {PodProxySubresources(deps), NodeProxySubresources(deps)}) {
      subresources.insert(subresources.end(), more.begin(), more.end());
    }
    subresources.back().name = "nodeproxy";
    front.reset();
    front = std::move(*http::Server::Start(
        {.listen = {{.name = "main", .host = "127.0.0.1"}}}, pool,
        [this](const http::Request& request, http::ResponseWriter& response) {
          if (request.path.starts_with("/direct")) {
            Backend to = target;
            to.path = request.path.substr(7);
            const size_t query = request.target.find('?');
            if (query != std::string::npos) to.raw_query = request.target.substr(query + 1);
            return Serve(request, response, to, options);
          }
          std::vector<std::string> warnings;
          const registry::RequestContext rc{.ctx = request.ctx,
                                            .namespace_ = "ns",
                                            .name = name,
                                            .warnings = &warnings,
                                            .access = &access,
                                            .clock = &Clock::Real()};
          for (const auto& s : subresources) {
            if (request.path == "/" + s.name || request.path.starts_with("/" + s.name + "/"))
              return s.connect(rc, request, response, std::string_view(request.path).substr(s.name.size() + 1));
          }
          response.Error(404, "no such subresource");
        }));
  }
  http::Response Ask(const std::string& path, const std::string& method = "GET", http::Headers headers = {},
                     const std::string& body = "") {
    http::ClientRequest request;
    request.method = method;
    request.url = *http::ParseUrl(fmt::format("http://127.0.0.1:{}{}", front->Port("main"), path));
    request.headers = std::move(headers);
    request.body = body;
    Result<http::Response> response = http::Do(TenSeconds(), request);
    BOOST_REQUIRE_MESSAGE(response.ok(), response.status().message());
    return std::move(*response);
  }
  // The message and reason of a metav1.Status.
  std::string StatusOf(const http::Response& response) {
    const auto value = [&](const std::string& key) {
      const size_t at = response.body.find("\"" + key + "\":\"");
      if (at == std::string::npos) return std::string();
      std::string out;
      for (size_t i = at + key.size() + 4; i < response.body.size() && response.body[i] != '"'; ++i) {
        if (response.body[i] == '\\') ++i;
        out += response.body[i];
      }
      return out;
    };
    BOOST_TEST(response.headers.Get("Content-Type") == "application/json");
    BOOST_TEST(value("kind") == "Status");
    return fmt::format("{} {}: {}", response.status, value("reason"), value("message"));
  }
  std::string Asked() {
    const std::lock_guard lock(mutex);
    return asked.empty() ? "" : asked.back();
  }
};

// A backend of raw bytes: reads a head, writes the answer, then echoes in a loop or waits for the end.
class RawBackend {
 public:
  explicit RawBackend(std::string answer, bool close = false) {
    server_ = std::move(
        *http::Server::Start({.listen = {{.name = "raw", .host = "127.0.0.1"}}}, pool_,
                             [this, answer, close](const http::Request& request, http::ResponseWriter& response) {
                               ++requests;
                               target = request.target;
                               const auto stream = std::move(*response.Hijack());
                               Sure(stream->Write(TenSeconds(), answer).ok());
                               char buffer[1000];
                               while (!close) {
                                 const Result<size_t> n = stream->Read(TenSeconds(), buffer, sizeof(buffer));
                                 if (!n.ok() || *n == 0) break;
                                 after.append(buffer, *n);
                                 (void)stream->Write(TenSeconds(), "<" + std::string(buffer, *n) + ">");
                               }
                               done.set_value();
                             }));
  }
  uint16_t port() const { return server_->Port("raw"); }
  std::atomic<int> requests{0};
  std::string target, after;
  std::promise<void> done;

 private:
  ElasticPool pool_{"raw", 4};
  std::unique_ptr<http::Server> server_;
};

BOOST_FIXTURE_TEST_SUITE(apiserver_proxy, Fixture)

BOOST_AUTO_TEST_CASE(logs_come_from_the_kubelet) {
  backend = [](const http::Request&, http::ResponseWriter& w) {
    w.Reply(200, "text/plain; charset=weird", "line 1\nline 2\n");
  };
  http::Response r = Ask("/log");
  BOOST_TEST(r.status == 200);
  BOOST_TEST(r.body == "line 1\nline 2\n");
  BOOST_TEST(r.headers.Get("Content-Type") == "text/plain");
  BOOST_TEST(Asked() == "GET /containerLogs/ns/web/c");
  Ask("/log?follow=true&previous=1&timestamps&sinceSeconds=5&tailLines=0&limitBytes=10&container=c&unknown=x");
  BOOST_TEST(
      Asked() ==
      "GET /containerLogs/ns/web/c?follow=true&limitBytes=10&previous=true&sinceSeconds=5&tailLines=0&timestamps=true");
  Ask("/log?follow=false&previous=0&sinceTime=2024-05-06T07:08:09.5%2B02:00");
  BOOST_TEST(Asked() == "GET /containerLogs/ns/web/c?sinceTime=2024-05-06T05%3A08%3A09Z");
}

BOOST_AUTO_TEST_CASE(log_options_are_checked_first) {
  BOOST_TEST(StatusOf(Ask("/log?limitBytes=0")) ==
             "422 Invalid: PodLogOptions \"web\" is invalid: limitBytes: Invalid value: 0: must be greater than 0");
  BOOST_TEST(StatusOf(Ask("/log?tailLines=-1")) ==
             "422 Invalid: PodLogOptions \"web\" is invalid: tailLines: Invalid value: -1: must be greater than or "
             "equal to 0");
  BOOST_TEST(StatusOf(Ask("/log?sinceSeconds=1&sinceTime=2024-05-06T07:08:09Z")) ==
             "422 Invalid: PodLogOptions \"web\" is invalid: []: Forbidden: at most one of `sinceTime` or "
             "`sinceSeconds` may be specified");
  BOOST_TEST(StatusOf(Ask("/log?tailLines=many")) ==
             "400 BadRequest: strconv.ParseInt: parsing \"many\": invalid syntax");
  BOOST_TEST(StatusOf(Ask("/log?sinceTime=yesterday")) ==
             "400 BadRequest: parsing time \"yesterday\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"yesterday\" "
             "as \"2006\"");
  BOOST_TEST(StatusOf(Ask("/log?container=x")) == "400 BadRequest: container x is not valid for pod web");
  name = "two";
  BOOST_TEST(StatusOf(Ask("/log")) ==
             "400 BadRequest: a container name must be specified for pod two, choose one of: [a b]");
  name = "pending";
  BOOST_TEST(Ask("/log").status == 204);
  name = "none";
  BOOST_TEST(StatusOf(Ask("/log")) == "404 NotFound: pods \"none\" not found");
  name = "lost";
  BOOST_TEST(StatusOf(Ask("/log")) == "404 NotFound: pods \"gone\" not found");
  BOOST_TEST(asked.empty());
}

BOOST_AUTO_TEST_CASE(a_kubelets_refusals_are_statuses) {
  int code = 400;
  backend = [&](const http::Request&, http::ResponseWriter& w) {
    w.headers().Set("Location", "http://169.254.169.254/");
    w.Reply(code, "text/plain", "the container is waiting to start");
  };
  BOOST_TEST(StatusOf(Ask("/log")) == "400 BadRequest: the container is waiting to start");
  code = 500;
  BOOST_TEST(StatusOf(Ask("/log")) == "500 InternalError: Internal error occurred: the container is waiting to start");
  code = 404;
  BOOST_TEST(StatusOf(Ask("/log")) == "404 NotFound: the server could not find the requested resource ( pods/log web)");
  code = 401;
  BOOST_TEST(StatusOf(Ask("/log")).starts_with("401 Unauthorized: the server has asked"));
  code = 302;  // never followed
  BOOST_TEST(StatusOf(Ask("/log")).find("status code 302") != std::string::npos);
  kubelet.reset();
  BOOST_TEST(StatusOf(Ask("/log")).find("connect: connection refused") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_kubelet_that_does_not_verify_is_not_asked_unless_the_client_says_so) {
  const auto ca = *tls::IssueCertificate({.common_name = "other",
                                          .ca = true,
                                          .not_before = WallTime::clock::now() - 1h,
                                          .not_after = WallTime::clock::now() + 1h},
                                         nullptr);
  std::filesystem::create_directories(dir);
  FILE* file = std::fopen((dir + "/other.crt").c_str(), "w");
  std::fwrite(ca.cert_pem.data(), 1, ca.cert_pem.size(), file);
  std::fclose(file);
  deps.kubelet_certificate_authority = dir + "/other.crt";
  StartFront();
  BOOST_TEST(Ask("/log").status == 500);
  BOOST_TEST(asked.empty());
  BOOST_TEST(Ask("/log?insecureSkipTLSVerifyBackend=true").body == "ok");
}

BOOST_AUTO_TEST_CASE(a_followed_log_flows_and_ends_with_its_client) {
  std::promise<void> gone;
  backend = [&](const http::Request& request, http::ResponseWriter& w) {
    for (int i = 0; i < 3; ++i) {
      Sure(w.Write("tick\n").ok());
      Sure(w.Flush().ok());
    }
    (void)request.ctx.WithTimeout(10s).Sleep(20s);
    if (request.ctx.Cancelled()) gone.set_value();
  };
  {
    const net::StreamPtr stream = *net::DialTcp(TenSeconds(), "127.0.0.1", front->Port("main"));
    BOOST_TEST(stream->Write(TenSeconds(), "GET /log?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n").ok());
    std::string all;
    char buffer[1000];
    while (std::count(all.begin(), all.end(), '\n') < 20 &&
           all.find("tick\n\r\n5\r\ntick\n\r\n5\r\ntick") == std::string::npos &&
           all.find("f\r\ntick\ntick\ntick") == std::string::npos) {
      const Result<size_t> n = stream->Read(TenSeconds(), buffer, sizeof(buffer));
      BOOST_REQUIRE(n.ok());
      all.append(buffer, *n);
    }
  }
  BOOST_TEST((gone.get_future().wait_for(10s) == std::future_status::ready));
}

BOOST_AUTO_TEST_CASE(a_backend_that_breaks_off_is_not_a_whole_answer) {
  RawBackend raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", true);
  target.port = raw.port();
  http::ClientRequest request;
  request.url = *http::ParseUrl(fmt::format("http://127.0.0.1:{}/direct/x", front->Port("main")));
  BOOST_TEST(!http::Do(TenSeconds(), request).ok());
}

BOOST_AUTO_TEST_CASE(exec_is_upgraded_and_its_url_is_the_kubelets) {
  backend = [](const http::Request& request, http::ResponseWriter& w) {
    Sure(request.UpgradeProtocol() == "SPDY/3.1");
    const auto stream = std::move(*w.Hijack());
    Sure(stream
             ->Write(request.ctx,
                     "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
                     "X-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\nhello ")
             .ok());
    char buffer[100];
    const size_t n = *stream->Read(request.ctx, buffer, sizeof(buffer));
    Sure(stream->Write(request.ctx, "you said " + std::string(buffer, n)).ok());
  };
  http::ClientRequest request;
  request.method = "POST";
  request.url = *http::ParseUrl(fmt::format(
      "http://127.0.0.1:{}/exec?command=ls&command=-l&stdin=true&stdout=1&stderr=false&tty=0", front->Port("main")));
  request.headers = {{"Connection", "Upgrade"},          {"Upgrade", "SPDY/3.1"},
                     {"Authorization", "Bearer secret"}, {"X-Stream-Protocol-Version", "v4.channel.k8s.io"},
                     {"X-Remote-User", "admin"},         {"Impersonate-User", "x"}};
  const Result<http::Upgraded> upgraded = http::Upgrade(TenSeconds(), request);
  BOOST_REQUIRE(upgraded.ok());
  BOOST_REQUIRE(upgraded->stream);
  BOOST_TEST(upgraded->response.headers.Get("X-Stream-Protocol-Version") == "v4.channel.k8s.io");
  BOOST_TEST(upgraded->stream->Write(TenSeconds(), "hi").ok());
  std::string all;
  char buffer[100];
  for (;;) {
    const Result<size_t> n = upgraded->stream->Read(TenSeconds(), buffer, sizeof(buffer));
    if (!n.ok() || *n == 0) break;
    all.append(buffer, *n);
  }
  BOOST_TEST(all == "hello you said hi");
  BOOST_TEST(Asked() == "POST /exec/ns/web/c?command=ls&command=-l&input=1&output=1");
  BOOST_TEST(last.Get("X-Stream-Protocol-Version") == "v4.channel.k8s.io");
  BOOST_TEST(last.Get("X-Forwarded-For") == "127.0.0.1");
  for (const char* secret : {"Authorization", "X-Remote-User", "Impersonate-User"}) BOOST_TEST(!last.Has(secret));
}

BOOST_AUTO_TEST_CASE(streams_that_cannot_be) {
  BOOST_TEST(StatusOf(Ask("/exec?command=ls", "POST")) == "400 BadRequest: Upgrade request required");
  BOOST_TEST(StatusOf(Ask("/exec", "PUT")) ==
             "405 MethodNotAllowed: the server does not allow this method on the requested resource");
  BOOST_TEST(StatusOf(Ask("/attach?container=x")) == "400 BadRequest: container x is not valid for pod web");
  BOOST_TEST(StatusOf(Ask("/portforward?ports=x", "GET")) ==
             "400 BadRequest: cannot convert to []int32: strconv.ParseUint: parsing \"x\": invalid syntax");
  name = "pending";
  BOOST_TEST(StatusOf(Ask("/portforward", "POST")) == "400 BadRequest: pod pending does not have a host assigned");
  BOOST_TEST(StatusOf(Ask("/exec", "POST")) == "400 BadRequest: pod pending does not have a host assigned");
}

BOOST_AUTO_TEST_CASE(an_upgrade_that_the_backend_declines_is_no_tunnel) {
  // CVE-2018-1002105: bytes sent behind a declined upgrade reached the kubelet with the API server's rights.
  RawBackend raw("HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\nX-Why: y\r\n\r\ndenied");
  target.port = raw.port();
  const net::StreamPtr stream = *net::DialTcp(TenSeconds(), "127.0.0.1", front->Port("main"));
  BOOST_TEST(stream
                 ->Write(TenSeconds(),
                         "GET /direct/exec HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
                         "GET /runningpods/ HTTP/1.1\r\nHost: x\r\n\r\n")
                 .ok());
  std::string all;
  char buffer[1000];
  for (;;) {
    const Result<size_t> n = stream->Read(TenSeconds(), buffer, sizeof(buffer));
    if (!n.ok() || *n == 0) break;
    all.append(buffer, *n);
  }
  BOOST_TEST(all.starts_with("HTTP/1.1 403 Forbidden\r\n"));
  BOOST_TEST(all.find("Connection: close\r\n") != std::string::npos);
  BOOST_TEST(all.find("X-Why: y\r\n") != std::string::npos);
  BOOST_TEST(all.ends_with("\r\n\r\ndenied"));
  raw.done.get_future().wait();
  BOOST_TEST(raw.after == "");
  BOOST_TEST(raw.requests == 1);
}

BOOST_AUTO_TEST_CASE(a_101_must_name_the_protocol_asked_for) {
  for (const char* answer :
       {"HTTP/1.1 101 Switching Protocols\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n"}) {
    RawBackend raw(answer);
    target.port = raw.port();
    const http::Response r = Ask("/direct/exec", "GET", {{"Connection", "Upgrade"}, {"Upgrade", "websocket"}});
    BOOST_TEST(r.status == 500);
    raw.done.get_future().wait();
    BOOST_TEST(raw.after == "");
  }
  // Nor may it come unasked.
  RawBackend raw("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  target.port = raw.port();
  BOOST_TEST(Ask("/direct/x").status == 500);
}

BOOST_AUTO_TEST_CASE(requests_are_passed_on_without_what_belongs_to_the_hop) {
  backend = [](const http::Request&, http::ResponseWriter& w) {
    w.headers().Set("X-Backend", "1");
    w.headers().Set("Keep-Alive", "timeout=5");
    w.headers().Set("Access-Control-Allow-Origin", "*");
    w.Reply(201, "application/x", "created");
  };
  options.rewrite = true;
  const http::Response r =
      Ask("/direct/a%20b/c?x=%20y&z", "POST",
          {{"Connection", "close, X-Hop"},
           {"X-Hop", "1"},
           {"X-Keep", "2"},
           {"Proxy-Authorization", "z"},
           {"Cookie", "c=1"},
           {"X-Forwarded-For", "1.2.3.4"},
           {"Authorization", "Bearer t"},
           {"Sec-WebSocket-Protocol", "base64url.bearer.authorization.k8s.io.dG9rZW4, v4.channel.k8s.io"}},
          "body");
  BOOST_TEST(r.status == 201);
  BOOST_TEST(r.body == "created");
  BOOST_TEST(r.headers.Get("Content-Type") == "application/x");
  BOOST_TEST(r.headers.Get("X-Backend") == "1");
  BOOST_TEST(!r.headers.Has("Keep-Alive"));
  BOOST_TEST(!r.headers.Has("Access-Control-Allow-Origin"));
  BOOST_TEST(Asked() == "POST /a%20b/c?x=%20y&z body");
  BOOST_TEST(last.Get("X-Keep") == "2");
  BOOST_TEST(last.Get("Cookie") == "c=1");
  BOOST_TEST(last.Get("X-Forwarded-For") == "1.2.3.4, 127.0.0.1");
  BOOST_TEST(last.Get("X-Forwarded-Uri") == "/direct/a%20b/c");
  BOOST_TEST(last.Get("Sec-WebSocket-Protocol") == "v4.channel.k8s.io");
  BOOST_TEST(last.Get("Host") == fmt::format("127.0.0.1:{}", front->Port("main")));
  for (const char* hop : {"X-Hop", "Proxy-Authorization", "Authorization"}) BOOST_TEST(!last.Has(hop));
  // A path of nothing: links would lead astray.
  const http::Response moved = Ask("/direct?q=1");
  BOOST_TEST(moved.status == 301);
  BOOST_TEST(moved.headers.Get("Location") == "/direct/?q=1");
  BOOST_TEST(Ask("/direct/h", "HEAD").status == 201);
}

BOOST_AUTO_TEST_CASE(redirects_are_the_clients_business) {
  backend = [&](const http::Request& request, http::ResponseWriter& w) {
    w.headers().Set("Location", std::string(request.QueryValue("to")));
    w.WriteHeader(302);
  };
  options.rewrite = true;
  const auto location = [&](const std::string& to) {
    const http::Response r = Ask("/direct/app/?to=" + http::PercentEncode(to));
    BOOST_TEST(r.status == 302);
    return std::string(r.headers.Get("Location"));
  };
  const std::string self = fmt::format("http://127.0.0.1:{}", kubelet->Port("plain"));
  BOOST_TEST(location("/login?a=b") == "/direct/login?a=b");
  BOOST_TEST(location(self + "/login") == "/direct/login");
  BOOST_TEST(location("/direct/login") == "/direct/login");
  BOOST_TEST(location("other/page") == "other/page");
  BOOST_TEST(location("http://elsewhere/x") == "http://elsewhere/x");
  BOOST_TEST(location("//elsewhere/x") == "//elsewhere/x");
  const size_t before = asked.size();
  options.reject_redirects = true;
  const http::Response r = Ask("/direct/app/?to=%2Fx");
  BOOST_TEST(r.status == 502);
  BOOST_TEST(r.body.find("the backend attempted to redirect this request") == 0u);
  BOOST_TEST(asked.size() == before + 1);
}

BOOST_AUTO_TEST_CASE(large_bodies_stream_with_bounded_memory_and_both_ways) {
  backend = [](const http::Request& request, http::ResponseWriter& w) {
    Sure(request.body.size() == 500'000);
    for (int i = 0; i < 200; ++i) Sure(w.Write(std::string(10'000, 'x')).ok());
  };
  http::ClientRequest request;
  request.method = "PUT";
  request.url = *http::ParseUrl(fmt::format("http://127.0.0.1:{}/direct/big", front->Port("main")));
  request.body = std::string(500'000, 'b');
  request.max_body = 10 << 20;
  BOOST_TEST(http::Do(TenSeconds(), request)->body.size() == 2'000'000u);
}

BOOST_AUTO_TEST_CASE(pods_and_nodes_on_this_machine_are_not_reached) {
  BOOST_TEST(StatusOf(Ask("/proxy/metrics")) == "400 BadRequest: address not allowed");
  name = "node1";
  BOOST_TEST(StatusOf(Ask("/nodeproxy/metrics")) == "400 BadRequest: address not allowed");
  name = "node1:22";
  BOOST_TEST(StatusOf(Ask("/nodeproxy/")) == "400 BadRequest: address not allowed");
  name = "a:b:c:d";
  BOOST_TEST(StatusOf(Ask("/nodeproxy/")) == "400 BadRequest: invalid node request \"a:b:c:d\"");
  BOOST_TEST(asked.empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::proxy
