// A client that we did not write, against the server: both versions of HTTP over TLS.
#include <boost/test/unit_test.hpp>
#include <cstdlib>

#include "pkg/base/process.h"
#include "pkg/net/http/server.h"

namespace knarr::http {
namespace {

using namespace std::chrono_literals;

class Counting : public BodySource {
 public:
  State Pull(std::string* out, size_t) override {
    out->append("line " + std::to_string(++lines_) + "\n");
    return lines_ < 20'000 ? State::kMore : State::kEnd;
  }
  void SetWake(std::function<void()>) override {}

 private:
  int lines_ = 0;
};

struct Fixture {
  ElasticPool pool{"test", 16};
  std::unique_ptr<Server> server;
  std::string dir = std::string(std::getenv("TEST_TMPDIR")) + "/curl";

  Fixture() {
    BOOST_REQUIRE(tls::EnsureSelfSigned({.dir = dir, .host = "127.0.0.1", .alternates = {}}).ok());
    const auto config = *tls::ServerConfig::New(
        {.cert_file = dir + "/kubelet.crt", .key_file = dir + "/kubelet.key", .alpn = {"h2", "http/1.1"}});
    Result<std::unique_ptr<Server>> started =
        Server::Start({.listen = {{.name = "main", .host = "127.0.0.1", .tls = config}}}, pool,
                      [](const Request& q, ResponseWriter& w) {
                        if (q.path == "/lines") return w.Pump(std::make_unique<Counting>());
                        w.Reply(200, "text/plain", fmt::format("{} {} {}\n", q.method, q.path, q.body.size()));
                      });
    BOOST_REQUIRE(started.ok());
    server = std::move(*started);
  }
  std::string Url(const std::string& path) { return fmt::format("https://127.0.0.1:{}{}", server->Port("main"), path); }
  ProcessResult Curl(std::vector<std::string> args) {
    args.insert(args.begin(),
                {"curl", "-sS", "--cacert", dir + "/kubelet.crt", "-w", "[%{http_code} %{http_version}]"});
    const Result<ProcessResult> done =
        RunProcess(Context::Background().WithTimeout(30s), {.path = "/usr/bin/curl", .argv = args, .env = {}});
    BOOST_REQUIRE_MESSAGE(done.ok(), done.status().message());
    BOOST_TEST(done->exit_code == 0, done->err);
    return *done;
  }
};

BOOST_FIXTURE_TEST_SUITE(curl, Fixture)

BOOST_AUTO_TEST_CASE(both_versions_carry_requests_bodies_and_streams) {
  for (const auto& [flag, version] : {std::pair{"--http1.1", "1.1"}, std::pair{"--http2", "2"}}) {
    BOOST_TEST_CONTEXT(flag) {
      BOOST_TEST(Curl({flag, Url("/a")}).out == fmt::format("GET /a 0\n[200 {}]", version));
      BOOST_TEST(Curl({flag, "--data-binary", std::string(100'000, 'x'), Url("/b")}).out ==
                 fmt::format("POST /b 100000\n[200 {}]", version));
      BOOST_TEST(Curl({flag, "-I", Url("/h")}).out.find("[200 ") != std::string::npos);
      const std::string lines = Curl({flag, Url("/lines")}).out;
      BOOST_TEST(lines.ends_with(fmt::format("line 20000\n[200 {}]", version)));
      BOOST_TEST(static_cast<size_t>(std::count(lines.begin(), lines.end(), '\n')) == 20'000u);
      // Several at once: on one connection where the version can.
      const std::string many = Curl({flag, "--parallel", Url("/p/[1-40]")}).out;
      for (int i = 1; i <= 40; ++i) BOOST_TEST(many.find(fmt::format("GET /p/{} 0\n", i)) != std::string::npos);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::http
