#include <boost/test/unit_test.hpp>
#include <cstdlib>

#include <atomic>
#include <future>
#include <thread>

#include "pkg/net/http/client.h"
#include "pkg/net/http/server.h"
#include "pkg/net/http/wake.h"

namespace knarr::http {
namespace {

using namespace std::chrono_literals;

Context TenSeconds() {
  return Context::Background().WithTimeout(10s);
}

bool Eventually(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + 10s;
  while (std::chrono::steady_clock::now() < end) {
    if (condition()) return true;
    std::this_thread::yield();
  }
  return false;
}

// What the test hands to a source and learns from it.
struct Script {
  std::mutex mutex;
  std::string ready;
  bool ended = false;
  bool endless = false;  // always has more
  std::function<void()> wake;
  std::atomic<size_t> pulled{0};
  std::atomic<int> pulls{0};
  std::atomic<bool> shut_down{false};
  std::promise<bool> end;

  void Put(const std::string& bytes, bool last = false) {
    std::function<void()> ring;
    {
      const std::lock_guard lock(mutex);
      ready += bytes;
      ended = ended || last;
      ring = wake;
    }
    if (ring) ring();
  }
};

class ScriptedSource : public BodySource {
 public:
  explicit ScriptedSource(Script& script) : script_(script) {}
  ~ScriptedSource() override {
    {
      const std::lock_guard lock(script_.mutex);
      script_.wake = nullptr;
    }
    script_.end.set_value(delivered_);
  }
  State Pull(std::string* out, size_t max) override {
    const std::lock_guard lock(script_.mutex);
    ++script_.pulls;
    if (script_.endless) {
      out->append(max, 'e');
      script_.pulled += max;
      return State::kMore;
    }
    const std::string piece = script_.ready.substr(0, max);
    script_.ready.erase(0, piece.size());
    script_.pulled += piece.size();
    out->append(piece);
    if (!script_.ready.empty()) return State::kMore;
    return script_.ended ? State::kEnd : State::kWait;
  }
  void SetWake(std::function<void()> wake) override {
    const std::lock_guard lock(script_.mutex);
    script_.wake = std::move(wake);
  }
  void Shutdown() override {
    script_.shut_down = true;
    const std::lock_guard lock(script_.mutex);
    script_.ready += "bye";
    script_.ended = true;
  }
  void OnEnd(bool delivered) override { delivered_ = delivered; }

 private:
  Script& script_;
  bool delivered_ = false;
};

struct Fixture {
  FakeClock clock;
  ElasticPool pool{"test", 8};
  Script script;
  Limits limits;
  Handler handler = [this](const Request& request, ResponseWriter& response) {
    if (request.path == "/plain") return response.Reply(200, "text/plain", "plain");
    response.headers().Set("Content-Type", "application/json");
    if (request.HasQuery("length")) response.headers().Set("Content-Length", std::string(request.QueryValue("length")));
    response.Pump(std::make_unique<ScriptedSource>(script));
  };
  std::unique_ptr<Server> server;

  void Start() {
    Result<std::unique_ptr<Server>> started = Server::Start(
        {.listen = {{.name = "main", .host = "127.0.0.1"}}, .limits = limits}, pool,
        [this](const Request& q, ResponseWriter& w) { handler(q, w); }, clock);
    BOOST_REQUIRE_MESSAGE(started.ok(), started.status().message());
    server = std::move(*started);
  }
  net::StreamPtr Send(const std::string& text) {
    net::StreamPtr stream = std::move(*net::DialTcp(TenSeconds(), "127.0.0.1", server->Port("main")));
    BOOST_TEST(stream->Write(TenSeconds(), text).ok());
    return stream;
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
  bool Delivered() {
    std::future<bool> end = script.end.get_future();
    BOOST_REQUIRE(end.wait_for(10s) == std::future_status::ready);
    return end.get();
  }
};

constexpr char kGet[] = "GET /watch HTTP/1.1\r\nHost: x\r\n\r\n";

BOOST_FIXTURE_TEST_SUITE(pump, Fixture)

BOOST_AUTO_TEST_CASE(pieces_are_sent_as_they_come_and_the_connection_goes_on) {
  Start();
  const net::StreamPtr stream = Send(kGet);
  const std::string head = ReadUntil(*stream, "\r\n\r\n");
  BOOST_TEST(head.starts_with("HTTP/1.1 200 OK\r\n"));
  BOOST_TEST(head.find("Transfer-Encoding: chunked\r\n") != std::string::npos);
  // No thread waits with the response.
  pool.Drain();
  script.Put("{\"type\":\"ADDED\"}");
  BOOST_TEST(ReadUntil(*stream, "}\r\n") == "10\r\n{\"type\":\"ADDED\"}\r\n");
  script.Put("x");
  BOOST_TEST(ReadUntil(*stream, "x\r\n") == "1\r\nx\r\n");
  script.Put("end", true);
  BOOST_TEST(ReadUntil(*stream, "0\r\n\r\n") == "3\r\nend\r\n0\r\n\r\n");
  BOOST_TEST(Delivered());
  BOOST_TEST(stream->Write(TenSeconds(), "GET /plain HTTP/1.1\r\nHost: x\r\n\r\n").ok());
  BOOST_TEST(ReadUntil(*stream, "plain").find("HTTP/1.1 200 OK") == 0u);
}

BOOST_AUTO_TEST_CASE(a_request_that_was_pipelined_behind_it_is_answered_after_it) {
  Start();
  const net::StreamPtr stream = Send(std::string(kGet) + "GET /plain HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  (void)ReadUntil(*stream, "\r\n\r\n");
  script.Put("a", true);
  const std::string rest = ReadUntil(*stream, "[");
  BOOST_TEST(rest.starts_with("1\r\na\r\n0\r\n\r\nHTTP/1.1 200 OK"));
  BOOST_TEST(rest.ends_with("plain[end]"));
}

BOOST_AUTO_TEST_CASE(old_clients_heads_and_declared_lengths) {
  {
    Start();
    script.Put("body", true);
    const net::StreamPtr stream = Send("GET / HTTP/1.0\r\nHost: x\r\n\r\n");
    const std::string all = ReadUntil(*stream, "[");
    BOOST_TEST(all.find("chunked") == std::string::npos);
    BOOST_TEST(all.ends_with("\r\n\r\nbody[end]"));
    BOOST_TEST(Delivered());
  }
  script.end = {};
  script.Put("", true);
  {
    const net::StreamPtr stream = Send("HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    BOOST_TEST(ReadUntil(*stream, "[").ends_with("\r\n\r\n[end]"));
    BOOST_TEST(Delivered());
  }
  script.end = {};
  script.Put("123456789");
  {
    // Never more than declared: the rest would be taken for the next response.
    const net::StreamPtr stream = Send("GET /?length=5 HTTP/1.1\r\nHost: x\r\n\r\n");
    BOOST_TEST(ReadUntil(*stream, "[").ends_with("\r\n\r\n12345[end]"));
    BOOST_TEST(Delivered());
  }
  script.end = {};
  script.Put("1");
  {
    const net::StreamPtr stream = Send("GET /?length=5 HTTP/1.1\r\nHost: x\r\n\r\n");
    const std::string all = ReadUntil(*stream, "[");
    BOOST_TEST(all.ends_with("\r\n\r\n1[end]"), all);
    BOOST_TEST(!Delivered());
  }
}

BOOST_AUTO_TEST_CASE(a_client_that_leaves_ends_its_source) {
  Start();
  net::StreamPtr stream = Send(kGet);
  (void)ReadUntil(*stream, "\r\n\r\n");
  stream.reset();
  BOOST_TEST(!Delivered());
  BOOST_TEST(Eventually([&] { return server->Connections() == 0; }));
}

BOOST_AUTO_TEST_CASE(a_client_that_closes_its_side_still_gets_what_is_there) {
  Start();
  const std::string big(5 << 20, 'x');
  script.Put(big, true);
  const net::StreamPtr stream = Send("GET / HTTP/1.0\r\nHost: x\r\n\r\n");
  stream->CloseWrite();
  std::string all;
  std::vector<char> buffer(100'000);
  for (;;) {
    const Result<size_t> n = stream->Read(TenSeconds(), buffer.data(), buffer.size());
    if (!n.ok() || *n == 0) break;
    all.append(buffer.data(), *n);
  }
  BOOST_TEST(all.ends_with("x"));
  BOOST_TEST(all.size() > big.size());
  BOOST_TEST(Delivered());
}

BOOST_AUTO_TEST_CASE(a_client_that_left_before_the_pump_began_ends_its_source) {
  std::promise<void> entered, go;
  handler = [&](const Request& request, ResponseWriter& response) {
    entered.set_value();
    go.get_future().wait();
    if (!Eventually([&] { return request.ctx.Cancelled(); })) std::abort();
    response.Pump(std::make_unique<ScriptedSource>(script));
  };
  Start();
  net::StreamPtr stream = Send(kGet);
  entered.get_future().wait();
  stream.reset();
  go.set_value();
  BOOST_TEST(!Delivered());
}

BOOST_AUTO_TEST_CASE(a_reader_that_stalls_is_cut_off_and_never_buffered_for) {
  Start();
  const net::StreamPtr stream = Send(kGet);
  (void)ReadUntil(*stream, "\r\n\r\n");
  clock.Advance(3600s);
  BOOST_TEST(Eventually([&] { return clock.Pending() == 0; }));
  script.endless = true;
  script.Put("");
  // The kernel's buffers fill; then nothing more is pulled and the clock runs.
  BOOST_TEST(Eventually([&] { return clock.Pending() == 1; }));
  const size_t pulled = script.pulled;
  BOOST_TEST(pulled < 32u << 20);
  clock.Advance(59s);
  BOOST_TEST(server->Connections() == 1u);
  BOOST_TEST(script.pulled == pulled);
  clock.Advance(2s);
  BOOST_TEST(!Delivered());
  BOOST_TEST(Eventually([&] { return server->Connections() == 0; }));
}

BOOST_AUTO_TEST_CASE(a_slow_reader_gets_everything) {
  Start();
  std::string big(20 << 20, 'x');
  big += "END";
  script.Put(big, true);
  const net::StreamPtr stream = Send("GET / HTTP/1.0\r\nHost: x\r\n\r\n");
  (void)ReadUntil(*stream, "\r\n\r\n");
  std::string all;
  std::vector<char> buffer(100'000);
  for (;;) {
    const Result<size_t> n = stream->Read(TenSeconds(), buffer.data(), buffer.size());
    BOOST_REQUIRE(n.ok());
    if (*n == 0) break;
    all.append(buffer.data(), *n);
  }
  BOOST_TEST((all == big));
  BOOST_TEST(Delivered());
}

BOOST_AUTO_TEST_CASE(a_stopping_server_ends_its_sources) {
  Start();
  const net::StreamPtr stream = Send(kGet);
  (void)ReadUntil(*stream, "\r\n\r\n");
  server.reset();
  BOOST_TEST(!Delivered());
}

BOOST_AUTO_TEST_CASE(a_shutdown_lets_responses_end_and_closes_what_is_idle) {
  std::promise<void> entered, go;
  const Handler plain = handler;
  handler = [&](const Request& request, ResponseWriter& response) {
    if (request.path == "/slow") {
      entered.set_value();
      go.get_future().wait();
      return response.Reply(200, "text/plain", "slow");
    }
    plain(request, response);
  };
  Start();
  const net::StreamPtr watch = Send(kGet);
  (void)ReadUntil(*watch, "\r\n\r\n");
  const net::StreamPtr idle = Send("GET /plain HTTP/1.1\r\nHost: x\r\n\r\n");
  BOOST_TEST(ReadUntil(*idle, "\r\n\r\nplain").find("Connection: close") == std::string::npos);
  const net::StreamPtr slow = Send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  entered.get_future().wait();
  const uint16_t port = server->Port("main");
  Status outcome;
  std::thread stop([&] { outcome = server->Shutdown(TenSeconds()); });
  BOOST_TEST(ReadUntil(*watch, "[") == "3\r\nbye\r\n0\r\n\r\n[end]");
  BOOST_TEST(Delivered());
  BOOST_TEST(ReadUntil(*idle, "[") == "[end]");
  BOOST_TEST(!net::DialTcp(TenSeconds(), "127.0.0.1", port).ok());
  go.set_value();
  const std::string last = ReadUntil(*slow, "[");
  BOOST_TEST(last.find("Connection: close") != std::string::npos);
  BOOST_TEST(last.ends_with("slow[end]"));
  stop.join();
  BOOST_TEST(outcome.ok());
  BOOST_TEST(server->Connections() == 0u);
}

BOOST_AUTO_TEST_CASE(an_idle_pump_has_no_timer_and_is_not_pulled) {
  Start();
  const net::StreamPtr stream = Send(kGet);
  script.Put("a");
  (void)ReadUntil(*stream, "a\r\n");
  clock.Advance(3600s);
  BOOST_TEST(Eventually([&] { return clock.Pending() == 0; }));
  const int pulls = script.pulls;
  clock.Advance(3600s);
  BOOST_TEST(script.pulls == pulls);
  BOOST_TEST(server->Connections() == 1u);
}

BOOST_AUTO_TEST_CASE(many_wakes_are_served_in_one_batch) {
  std::vector<size_t> batches;
  std::promise<void> done;
  Loop loop([](uint64_t, uint32_t) {});
  WakeQueue queue(loop, [&](const std::vector<WakeKey>& keys) {
    batches.push_back(keys.size());
    done.set_value();
  });
  std::vector<std::unique_ptr<Bell>> bells;
  for (uint64_t i = 0; i < 1000; ++i) bells.push_back(std::make_unique<Bell>(queue, WakeKey{i, 0}));
  std::promise<void> busy, go;
  BOOST_TEST(loop.Start("test").ok());
  loop.Post([&] {
    busy.set_value();
    go.get_future().wait();
  });
  busy.get_future().wait();
  for (int event = 0; event < 3; ++event) {
    for (auto& bell : bells) bell->Ring();
  }
  go.set_value();
  done.get_future().wait();
  loop.Stop();
  BOOST_TEST(batches == std::vector<size_t>{1000}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::http
