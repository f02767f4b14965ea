#include <nghttp2/nghttp2.h>
#include <poll.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>

#include <atomic>
#include <filesystem>
#include <future>
#include <map>
#include <thread>

#include "pkg/base/file.h"
#include "pkg/net/http/server.h"

namespace knarr::http {
namespace {

using namespace std::chrono_literals;

Context TenSeconds() {
  return Context::Background().WithTimeout(10s);
}

void Sure(bool condition) {
  if (!condition) std::abort();
}

template <typename Condition>
bool Eventually(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + 10s;
  while (std::chrono::steady_clock::now() < end) {
    if (condition()) return true;
    std::this_thread::yield();
  }
  return false;
}

struct Reply {
  std::map<std::string, std::string> fields;
  std::string body;
  bool closed = false;
  uint32_t error = 0;
};

// A client over nghttp2, as far as frames that nghttp2 would not send are not needed.
class Client {
 public:
  explicit Client(net::StreamPtr stream, bool auto_window = true) : stream_(std::move(stream)) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(
        callbacks, [](nghttp2_session*, const nghttp2_frame* f, const uint8_t* n, size_t ns, const uint8_t* v,
                      size_t vs, uint8_t, void* user) {
          static_cast<Client*>(user)->replies[f->hd.stream_id].fields[std::string(n, n + ns)] = std::string(v, v + vs);
          return 0;
        });
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        callbacks, [](nghttp2_session*, uint8_t, int32_t id, const uint8_t* data, size_t size, void* user) {
          static_cast<Client*>(user)->replies[id].body.append(data, data + size);
          return 0;
        });
    nghttp2_session_callbacks_set_on_stream_close_callback(
        callbacks, [](nghttp2_session*, int32_t id, uint32_t error, void* user) {
          Reply& reply = static_cast<Client*>(user)->replies[id];
          reply.closed = true;
          reply.error = error;
          return 0;
        });
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks,
                                                         [](nghttp2_session*, const nghttp2_frame* f, void* user) {
                                                           auto* self = static_cast<Client*>(user);
                                                           ++self->frames;
                                                           if (f->hd.type == NGHTTP2_GOAWAY)
                                                             self->goaways.push_back(f->goaway.error_code);
                                                           return 0;
                                                         });
    nghttp2_option* option = nullptr;
    nghttp2_option_new(&option);
    nghttp2_option_set_no_auto_window_update(option, auto_window ? 0 : 1);
    nghttp2_session_client_new2(&session, callbacks, this, option);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, nullptr, 0);
  }
  ~Client() { nghttp2_session_del(session); }

  int32_t Request(const std::string& method, const std::string& path,
                  const std::vector<std::pair<std::string, std::string>>& fields = {},
                  const std::string* body = nullptr) {
    std::vector<std::pair<std::string, std::string>> all{
        {":method", method}, {":scheme", "http"}, {":authority", "x"}, {":path", path}};
    all.insert(all.end(), fields.begin(), fields.end());
    std::vector<nghttp2_nv> nvs;
    for (auto& [n, v] : all) {
      nvs.push_back(
          {reinterpret_cast<uint8_t*>(n.data()), reinterpret_cast<uint8_t*>(v.data()), n.size(), v.size(), 0});
    }
    nghttp2_data_provider provider{};
    if (body != nullptr) {
      provider.source.ptr = &bodies_.emplace_back(std::make_unique<std::string>(*body));
      provider.source.ptr = bodies_.back().get();
      provider.read_callback = [](nghttp2_session*, int32_t, uint8_t* buffer, size_t size, uint32_t* flags,
                                  nghttp2_data_source* source, void*) -> ssize_t {
        auto& text = *static_cast<std::string*>(source->ptr);
        const size_t n = text.copy(reinterpret_cast<char*>(buffer), size);
        text.erase(0, n);
        if (text.empty()) *flags |= NGHTTP2_DATA_FLAG_EOF;
        return static_cast<ssize_t>(n);
      };
    }
    return nghttp2_submit_request(session, nullptr, nvs.data(), nvs.size(), body ? &provider : nullptr, nullptr);
  }

  // Sends what is due. False: the server is gone.
  bool Send() {
    for (;;) {
      const uint8_t* data = nullptr;
      const ssize_t size = nghttp2_session_mem_send(session, &data);
      if (size <= 0) return size == 0;
      if (!stream_->Write(TenSeconds(), {reinterpret_cast<const char*>(data), static_cast<size_t>(size)}).ok())
        return false;
    }
  }
  // Exchanges frames until the condition holds. False: the server closed or ten seconds went by.
  bool Until(const std::function<bool()>& condition) {
    char buffer[16384];
    while (!condition()) {
      if (!Send()) return false;
      if (condition()) break;
      const Result<size_t> n = stream_->Read(TenSeconds(), buffer, sizeof(buffer));
      if (!n.ok() || *n == 0) {
        closed = n.ok();
        return condition();
      }
      ++reads;
      if (nghttp2_session_mem_recv(session, reinterpret_cast<uint8_t*>(buffer), *n) < 0) return false;
    }
    return Send();
  }
  Reply Get(const std::string& path) {
    const int32_t id = Request("GET", path);
    BOOST_TEST(Until([&] { return replies[id].closed; }));
    return replies[id];
  }

  net::Stream& stream() { return *stream_; }
  nghttp2_session* session = nullptr;
  std::map<int32_t, Reply> replies;
  std::vector<uint32_t> goaways;
  int frames = 0, reads = 0;
  bool closed = false;

 private:
  net::StreamPtr stream_;
  std::vector<std::unique_ptr<std::string>> bodies_;
};

std::string Frame(uint8_t type, uint8_t flags, uint32_t stream, const std::string& payload) {
  std::string out;
  for (const int shift : {16, 8, 0}) out += static_cast<char>(payload.size() >> shift);
  out += static_cast<char>(type);
  out += static_cast<char>(flags);
  for (const int shift : {24, 16, 8, 0}) out += static_cast<char>(stream >> shift);
  return out + payload;
}

// A literal field without indexing.
std::string Literal(const std::string& name, const std::string& value) {
  Sure(name.size() < 127 && value.size() < 127);
  return std::string(1, '\0') + static_cast<char>(name.size()) + name + static_cast<char>(value.size()) + value;
}
const std::string kGetBlock = "\x82\x86\x84" + Literal(":authority", "x");  // GET http /
const std::string kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + Frame(4, 0, 0, "");
constexpr uint8_t kEndStream = 1, kEndHeaders = 4;

// What the server's GOAWAY said, and that it hung up.
struct Verdict {
  bool closed = false;
  std::optional<uint32_t> goaway;
  int answers = 0;  // HEADERS
  int resets = 0;
};
Verdict ReadVerdict(net::Stream& stream) {
  Verdict verdict;
  std::string in;
  char buffer[16384];
  for (;;) {
    const Result<size_t> n = stream.Read(TenSeconds(), buffer, sizeof(buffer));
    verdict.closed = (n.ok() && *n == 0) || n.status().error_number() == ECONNRESET;
    if (!n.ok() || *n == 0) return verdict;
    in.append(buffer, *n);
    while (in.size() >= 9) {
      const auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<uint8_t>(in[i])); };
      const size_t size = byte(0) << 16 | byte(1) << 8 | byte(2);
      if (in.size() < 9 + size) break;
      if (in[3] == 7) verdict.goaway = byte(13) << 24 | byte(14) << 16 | byte(15) << 8 | byte(16);
      if (in[3] == 1) ++verdict.answers;
      if (in[3] == 3) ++verdict.resets;
      in.erase(0, 9 + size);
    }
  }
}

class StringSource : public BodySource {
 public:
  struct Script {
    std::mutex mutex;
    std::string ready;
    bool ended = false, endless = false;
    std::function<void()> wake;
    std::atomic<size_t> pulled{0};
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
  explicit StringSource(Script& script) : script_(script) {}
  ~StringSource() override {
    {
      const std::lock_guard lock(script_.mutex);
      script_.wake = nullptr;
    }
    script_.end.set_value(delivered_);
  }
  State Pull(std::string* out, size_t max) override {
    const std::lock_guard lock(script_.mutex);
    if (script_.endless) {
      out->append(max, 'e');
      script_.pulled += max;
      return State::kMore;
    }
    const std::string piece = script_.ready.substr(0, max);
    script_.ready.erase(0, piece.size());
    out->append(piece);
    if (!script_.ready.empty()) return State::kMore;
    return script_.ended ? State::kEnd : State::kWait;
  }
  void SetWake(std::function<void()> wake) override {
    const std::lock_guard lock(script_.mutex);
    script_.wake = std::move(wake);
  }
  void Shutdown() override {
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
  ElasticPool pool{"test", 128};
  Limits limits;
  std::atomic<int> handled{0};
  StringSource::Script script;
  Handler handler = [this](const Request& q, ResponseWriter& w) {
    ++handled;
    if (q.path == "/pump") return w.Pump(std::make_unique<StringSource>(script));
    w.Reply(200, "text/plain", q.method + " " + q.path + " " + q.host + " " + q.body);
  };
  std::unique_ptr<Server> server;

  void Start(std::shared_ptr<tls::ServerConfig> tls = nullptr) {
    Result<std::unique_ptr<Server>> started = Server::Start(
        {.listen = {{.name = "main", .host = "127.0.0.1", .tls = std::move(tls), .plain_http2 = true}},
         .limits = limits},
        pool, [this](const Request& q, ResponseWriter& w) { handler(q, w); }, clock);
    BOOST_REQUIRE_MESSAGE(started.ok(), started.status().message());
    server = std::move(*started);
  }
  net::StreamPtr Dial() { return std::move(*net::DialTcp(TenSeconds(), "127.0.0.1", server->Port("main"))); }
  Verdict Attack(const std::string& bytes) {
    const net::StreamPtr stream = Dial();
    std::thread writer([&] { (void)stream->Write(TenSeconds(), bytes); });
    const Verdict verdict = ReadVerdict(*stream);
    stream->Abort();
    writer.join();
    return verdict;
  }
  bool Delivered() {
    std::future<bool> end = script.end.get_future();
    BOOST_REQUIRE(end.wait_for(10s) == std::future_status::ready);
    return end.get();
  }
};

BOOST_FIXTURE_TEST_SUITE(http2, Fixture)

BOOST_AUTO_TEST_CASE(requests_and_answers_of_both_versions_by_one_handler) {
  Start();
  Client client(Dial());
  const std::string body(100'000, 'b');
  const int32_t post = client.Request("POST", "/p%20q?a=b", {{"cookie", "a=1"}, {"cookie", "b=2"}}, &body);
  const int32_t head = client.Request("HEAD", "/h");
  const Reply get = client.Get("/g");
  BOOST_TEST(get.body == "GET /g x ");
  BOOST_TEST(get.fields.at(":status") == "200");
  BOOST_TEST(get.fields.at("content-length") == "9");
  BOOST_TEST(get.fields.at("content-type") == "text/plain");
  BOOST_TEST(get.fields.count("date") == 1u);
  BOOST_TEST(client.Until([&] { return client.replies[post].closed && client.replies[head].closed; }));
  BOOST_TEST((client.replies[post].body == "POST /p q x " + body));
  BOOST_TEST(client.replies[head].body.empty());
  BOOST_TEST(client.replies[head].fields.at("content-length") == "10");
}

BOOST_AUTO_TEST_CASE(a_handler_may_stream_and_its_fields_are_made_to_fit) {
  handler = [](const Request& q, ResponseWriter& w) {
    Sure(q.headers.Get("Host") == "x");
    Sure(q.headers.Get("cookie") == "a=1; b=2");
    w.headers().Set("X-Mixed-Case", "evil\r\nvalue");
    w.headers().Set("Connection", "close");
    for (int i = 0; i < 100; ++i) {
      Sure(w.Write(std::string(10'000, static_cast<char>('a' + i % 26))).ok());
      if (i % 10 == 0) Sure(w.Flush().ok());
    }
  };
  Start();
  Client client(Dial());
  const int32_t id = client.Request("GET", "/", {{"cookie", "a=1"}, {"cookie", "b=2"}});
  BOOST_TEST(client.Until([&] { return client.replies[id].closed; }));
  BOOST_TEST(client.replies[id].error == 0u);
  BOOST_TEST(client.replies[id].body.size() == 1'000'000u);
  BOOST_TEST(client.replies[id].fields.at("x-mixed-case") == "evil  value");
  BOOST_TEST(client.replies[id].fields.count("connection") == 0u);
}

BOOST_AUTO_TEST_CASE(small_answers_share_writes) {
  std::promise<void> go;
  std::shared_future<void> gate = go.get_future().share();
  handler = [&](const Request&, ResponseWriter& w) {
    ++handled;
    gate.wait();
    w.Reply(200, "text/plain", "x");
  };
  Start();
  Client client(Dial());
  std::vector<int32_t> ids;
  for (int i = 0; i < 60; ++i) ids.push_back(client.Request("GET", "/"));
  BOOST_TEST(client.Until([&] {
    return nghttp2_session_get_remote_settings(client.session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS) == 100;
  }));
  BOOST_TEST(Eventually([&] { return handled == 60; }));
  const int before = client.reads;
  const int frames = client.frames;
  go.set_value();
  BOOST_TEST(client.Until(
      [&] { return std::all_of(ids.begin(), ids.end(), [&](int32_t id) { return client.replies[id].closed; }); }));
  BOOST_TEST(client.frames - frames >= 120);
  BOOST_TEST(client.reads - before <= 60);
}

BOOST_AUTO_TEST_CASE(a_reset_cancels_the_handlers_context_and_ends_a_pump) {
  std::promise<bool> cancelled;
  handler = [&](const Request& q, ResponseWriter& w) {
    if (q.path == "/pump") return w.Pump(std::make_unique<StringSource>(script));
    ++handled;
    (void)q.ctx.WithTimeout(10s).Sleep(20s);
    cancelled.set_value(q.ctx.Cancelled());
    w.Reply(200, "text/plain", "late");
  };
  Start();
  Client client(Dial());
  const int32_t id = client.Request("GET", "/");
  const int32_t pump = client.Request("GET", "/pump");
  BOOST_TEST(client.Until([&] { return !client.replies[pump].fields.empty(); }));
  script.Put("one");
  BOOST_TEST(client.Until([&] { return client.replies[pump].body == "one"; }));
  BOOST_TEST(Eventually([&] { return handled == 1; }));
  nghttp2_submit_rst_stream(client.session, 0, id, NGHTTP2_CANCEL);
  nghttp2_submit_rst_stream(client.session, 0, pump, NGHTTP2_CANCEL);
  BOOST_TEST(client.Send());
  BOOST_TEST(cancelled.get_future().get());
  BOOST_TEST(!Delivered());
  handler = [](const Request&, ResponseWriter& w) { w.Reply(200, "text/plain", "still here"); };
  BOOST_TEST(client.Get("/").body == "still here");
}

BOOST_AUTO_TEST_CASE(a_pumped_body_arrives_in_pieces_and_ends) {
  Start();
  Client client(Dial());
  const int32_t id = client.Request("GET", "/pump");
  BOOST_TEST(client.Until([&] { return !client.replies[id].fields.empty(); }));
  pool.Drain();
  script.Put("a");
  BOOST_TEST(client.Until([&] { return client.replies[id].body == "a"; }));
  const std::string big(3 << 20, 'z');
  script.Put(big);
  BOOST_TEST(client.Until([&] { return client.replies[id].body.size() == big.size() + 1; }));
  script.Put("", true);
  BOOST_TEST(client.Until([&] { return client.replies[id].closed; }));
  BOOST_TEST(client.replies[id].error == 0u);
  BOOST_TEST(Delivered());
}

BOOST_AUTO_TEST_CASE(a_reader_that_gives_no_window_is_never_buffered_for_and_cut_off) {
  script.endless = true;
  Start();
  Client client(Dial(), false);
  const int32_t id = client.Request("GET", "/pump");
  // The default window.
  BOOST_TEST(client.Until([&] { return client.replies[id].body.size() == 65535; }));
  BOOST_TEST(script.pulled <= 3u * 65536);
  clock.Advance(61s);
  BOOST_TEST(client.Until([&] { return client.replies[id].closed; }));
  BOOST_TEST(client.replies[id].error == static_cast<uint32_t>(NGHTTP2_CANCEL));
  BOOST_TEST(!Delivered());
  // The connection lives.
  nghttp2_submit_window_update(client.session, 0, 0, 65535);
  BOOST_TEST(client.Get("/").body == "GET / x ");
}

BOOST_AUTO_TEST_CASE(a_handler_that_writes_to_a_stalled_reader_is_freed) {
  std::promise<std::string> outcome;
  handler = [&](const Request&, ResponseWriter& w) {
    Status status;
    for (int i = 0; i < 1000 && status.ok(); ++i) status = w.Write(std::string(10'000, 'x'));
    outcome.set_value(std::string(status.message()));
  };
  Start();
  Client client(Dial(), false);
  const int32_t id = client.Request("GET", "/");
  BOOST_TEST(client.Until([&] { return client.replies[id].body.size() == 65535; }));
  clock.Advance(61s);
  BOOST_TEST(outcome.get_future().get() == "http2: stream closed");
}

BOOST_AUTO_TEST_CASE(a_client_that_leaves_cancels_all_its_streams) {
  std::atomic<int> cancelled = 0;
  handler = [&](const Request& q, ResponseWriter&) {
    ++handled;
    (void)q.ctx.WithTimeout(10s).Sleep(20s);
    cancelled += q.ctx.Cancelled() ? 1 : 0;
  };
  Start();
  {
    Client client(Dial());
    for (int i = 0; i < 5; ++i) client.Request("GET", "/");
    BOOST_TEST(client.Send());
    BOOST_TEST(Eventually([&] { return handled == 5; }));
  }
  BOOST_TEST(Eventually([&] { return cancelled == 5 && server->Connections() == 0; }));
}

BOOST_AUTO_TEST_CASE(bad_requests_do_not_reach_the_handler) {
  limits.header = 4096;
  limits.body = 1000;
  Start();
  Client client(Dial());
  BOOST_TEST(client.Get("/../etc").fields.at(":status") == "400");
  int32_t id = client.Request("GET", "/", {{"host", "y"}});
  BOOST_TEST(client.Until([&] { return client.replies[id].closed; }));
  BOOST_TEST(client.replies[id].fields.at(":status") == "400");
  id = client.Request("GET", "/", {{"a", std::string(5000, 'a')}});
  BOOST_TEST(client.Until([&] { return client.replies[id].closed; }));
  BOOST_TEST(client.replies[id].fields.at(":status") == "431");
  std::vector<std::pair<std::string, std::string>> many(300, {"a", "b"});
  id = client.Request("GET", "/", many);
  BOOST_TEST(client.Until([&] { return client.replies[id].closed; }));
  BOOST_TEST(client.replies[id].fields.at(":status") == "431");
  const std::string body(50'000, 'b');
  id = client.Request("POST", "/", {}, &body);
  BOOST_TEST(client.Until([&] { return client.replies[id].closed; }));
  BOOST_TEST(client.replies[id].fields.at(":status") == "413");
  BOOST_TEST(client.replies[id].error == 0u);
  id = client.Request("POST", "/", {{"expect", "magic"}}, &body);
  BOOST_TEST(client.Until([&] { return client.replies[id].closed; }));
  BOOST_TEST(client.replies[id].fields.at(":status") == "417");
  BOOST_TEST(handled == 0);
  BOOST_TEST(client.Get("/").fields.at(":status") == "200");
}

BOOST_AUTO_TEST_CASE(fields_that_http2_forbids_reset_the_stream) {
  Start();
  const std::vector<std::string> blocks = {
      kGetBlock + Literal("connection", "close"),
      kGetBlock + Literal("transfer-encoding", "chunked"),
      kGetBlock + Literal("upgrade", "websocket"),
      kGetBlock + Literal("te", "gzip"),
      kGetBlock + Literal("Upper", "x"),
      kGetBlock + Literal("a", "b\r\nc: d"),
      kGetBlock + "\x84",                          // :path twice
      kGetBlock + Literal("a", "b") + "\x82",      // a pseudo field behind others
      kGetBlock + Literal(":status", "200"),       // of responses
      kGetBlock + Literal("content-length", "5"),  // and no body
      "\x86\x84" + Literal(":authority", "x"),     // no method
  };
  std::string all = kPreface;
  uint32_t id = 1;
  for (const std::string& block : blocks) {
    all += Frame(1, kEndHeaders | kEndStream, id, block);
    id += 2;
  }
  const net::StreamPtr stream = Dial();
  BOOST_TEST(stream->Write(TenSeconds(), all + Frame(7, 0, 0, std::string(8, '\0'))).ok());
  const Verdict verdict = ReadVerdict(*stream);
  BOOST_TEST(verdict.closed);
  BOOST_TEST(verdict.resets == static_cast<int>(blocks.size()));
  BOOST_TEST(verdict.answers == 0);
  BOOST_TEST(handled == 0);
}

BOOST_AUTO_TEST_CASE(floods_end_the_connection) {
  std::promise<void> go;
  std::shared_future<void> gate = go.get_future().share();
  handler = [&](const Request&, ResponseWriter&) {
    ++handled;
    gate.wait();
  };
  Start();
  const auto repeat = [](int n, const std::function<std::string(uint32_t)>& piece) {
    std::string all = kPreface;
    for (int i = 0; i < n; ++i) all += piece(static_cast<uint32_t>(2 * i + 1));
    return all;
  };
  const uint32_t calm = NGHTTP2_ENHANCE_YOUR_CALM;
  // Rapid reset: no more handlers than concurrent streams, whatever the number of requests.
  Verdict v = Attack(repeat(5000, [](uint32_t id) {
    return Frame(1, kEndHeaders | kEndStream, id, kGetBlock) + Frame(3, 0, id, std::string("\0\0\0\x08", 4));
  }));
  BOOST_TEST(v.closed);
  BOOST_TEST(v.goaway.value_or(0) == calm);
  BOOST_TEST(handled <= 100);
  // Made to reset: a window update of zero.
  v = Attack(repeat(5000, [](uint32_t id) {
    return Frame(1, kEndHeaders | kEndStream, id, kGetBlock) + Frame(8, 0, id, std::string(4, '\0'));
  }));
  BOOST_TEST(v.closed);
  go.set_value();
  v = Attack(repeat(20'000, [](uint32_t) { return Frame(6, 0, 0, std::string(8, 'p')); }));
  BOOST_TEST(v.closed);
  BOOST_TEST(v.goaway.value_or(0) == calm);
  v = Attack(repeat(20'000, [](uint32_t) { return Frame(4, 0, 0, ""); }));
  BOOST_TEST(v.closed);
  BOOST_TEST(v.goaway.value_or(0) == calm);
  // Empty DATA and CONTINUATION without end.
  v = Attack(repeat(20'000, [](uint32_t id) {
    return id == 1 ? Frame(1, kEndHeaders, 1, "\x83\x86\x84" + Literal(":authority", "x")) : Frame(0, 0, 1, "");
  }));
  BOOST_TEST(v.goaway.value_or(0) == calm);
  v = Attack(repeat(100'000, [](uint32_t id) { return id == 1 ? Frame(1, 0, 1, kGetBlock) : Frame(9, 0, 1, ""); }));
  BOOST_TEST(v.closed);
  // A dictionary entry that is asked for again and again.
  const std::string entry =
      "\x40\x01"
      "a"
      "\x7f\xf9\x0f" +
      std::string(2168, 'a');
  v = Attack(kPreface + Frame(1, kEndHeaders | kEndStream, 1, kGetBlock + entry + std::string(10'000, '\xbe')) +
             Frame(7, 0, 0, std::string(8, '\0')));
  BOOST_TEST(v.closed);
  BOOST_TEST(v.answers == 0);
  // Not HTTP/2 at all behind the preface.
  v = Attack("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n");
  BOOST_TEST(v.closed);
  Client client(Dial());
  BOOST_TEST(client.Get("/").fields.at(":status") == "200");
}

BOOST_AUTO_TEST_CASE(what_is_too_slow_ends) {
  Start();
  // A header that does not come to its end.
  const net::StreamPtr half = Dial();
  BOOST_TEST(half->Write(TenSeconds(), kPreface + Frame(1, 0, 1, kGetBlock)).ok());
  BOOST_TEST(Eventually([&] { return server->Connections() == 1; }));
  // A body that does not: after a request, to know that the server has seen it.
  const net::StreamPtr body = Dial();
  BOOST_TEST(body->Write(TenSeconds(), kPreface + Frame(1, kEndHeaders | kEndStream, 1, kGetBlock) +
                                           Frame(1, kEndHeaders, 3, "\x83\x86\x84" + Literal(":authority", "x")))
                 .ok());
  BOOST_TEST(Eventually([&] { return handled == 1; }));
  clock.Advance(11s);
  BOOST_TEST(ReadVerdict(*half).closed);
  clock.Advance(50s);
  Verdict verdict;
  std::thread reader([&] { verdict = ReadVerdict(*body); });
  // The body's time is over, then the idle connection's.
  BOOST_TEST(Eventually([&] {
    clock.Advance(1s);
    return server->Connections() == 0;
  }));
  reader.join();
  BOOST_TEST(verdict.answers == 1);
  BOOST_TEST(verdict.resets == 1);
  BOOST_TEST(verdict.goaway.value_or(99) == 0u);
}

BOOST_AUTO_TEST_CASE(without_prior_knowledge_allowed_the_preface_is_a_bad_request) {
  Result<std::unique_ptr<Server>> plain = Server::Start(
      {.listen = {{.name = "main", .host = "127.0.0.1"}}, .limits = limits}, pool,
      [this](const Request& q, ResponseWriter& w) { handler(q, w); }, clock);
  server = std::move(*plain);
  const net::StreamPtr stream = Dial();
  BOOST_TEST(stream->Write(TenSeconds(), kPreface).ok());
  char buffer[12];
  BOOST_TEST(*stream->Read(TenSeconds(), buffer, sizeof(buffer)) == sizeof(buffer));
  BOOST_TEST(std::string(buffer, 9) == "HTTP/1.1 ");
  BOOST_TEST(handled == 0);
}

BOOST_AUTO_TEST_CASE(alpn_chooses_the_version) {
  const std::string dir = std::string(std::getenv("TEST_TMPDIR")) + "/h2tls";
  BOOST_REQUIRE(tls::EnsureSelfSigned({.dir = dir, .host = "127.0.0.1", .alternates = {}}).ok());
  Start(*tls::ServerConfig::New(
      {.cert_file = dir + "/kubelet.crt", .key_file = dir + "/kubelet.key", .alpn = {"h2", "http/1.1"}}));
  for (const std::string protocol : {"h2", "http/1.1"}) {
    const auto config = *tls::ClientConfig::New({.insecure_skip_verify = true, .alpn = {protocol}});
    Result<UniqueFd> none = Error(Code::kUnknown, "");
    net::StreamPtr tcp = Dial();
    UniqueFd fd(::dup(tcp->fd()));
    tcp.reset();
    std::unique_ptr<tls::TlsStream> stream = std::move(*tls::Connect(*config, std::move(fd), "127.0.0.1"));
    BOOST_REQUIRE(stream->Handshake(TenSeconds()).ok());
    BOOST_TEST(stream->Alpn() == protocol);
    if (protocol == "h2") {
      Client client(std::move(stream));
      BOOST_TEST(client.Get("/tls").body == "GET /tls x ");
      const int32_t id = client.Request("GET", "/pump");
      script.Put(std::string(5 << 20, 'p'), true);
      BOOST_TEST(client.Until([&] { return client.replies[id].closed; }));
      BOOST_TEST(client.replies[id].body.size() == 5u << 20);
    } else {
      BOOST_TEST(stream->Write(TenSeconds(), "GET /tls HTTP/1.1\r\nHost: x\r\n\r\n").ok());
      char buffer[15];
      BOOST_TEST(*stream->Read(TenSeconds(), buffer, sizeof(buffer)) == sizeof(buffer));
      BOOST_TEST(std::string(buffer, 15) == "HTTP/1.1 200 OK");
    }
  }
}

BOOST_AUTO_TEST_CASE(connection_close_sends_the_client_elsewhere_and_ends_nothing_else) {
  handler = [&](const Request& q, ResponseWriter& w) {
    Sure(q.http2);
    if (q.path == "/pump") return w.Pump(std::make_unique<StringSource>(script));
    w.headers().Set("Connection", "close");
    w.Reply(200, "text/plain", "bye");
  };
  Start();
  Client client(Dial());
  const int32_t pump = client.Request("GET", "/pump");
  BOOST_TEST(client.Until([&] { return !client.replies[pump].fields.empty(); }));
  const int32_t id = client.Request("GET", "/");
  BOOST_TEST(client.Until([&] { return client.replies[id].closed && client.goaways.size() == 2; }));
  BOOST_TEST(client.replies[id].body == "bye");
  BOOST_TEST(client.goaways == (std::vector<uint32_t>{0, 0}), boost::test_tools::per_element());
  script.Put("still here", true);
  BOOST_TEST(client.Until([&] { return client.replies[pump].closed; }));
  BOOST_TEST(client.replies[pump].body == "still here");
  BOOST_TEST(client.Until([&] { return client.closed; }));
}

BOOST_AUTO_TEST_CASE(a_graceful_shutdown_lets_everything_end_well) {
  std::promise<void> go;
  handler = [&](const Request& q, ResponseWriter& w) {
    ++handled;
    if (q.path == "/pump") return w.Pump(std::make_unique<StringSource>(script));
    go.get_future().wait();
    w.Reply(200, "text/plain", "done");
  };
  Start();
  auto client = std::make_unique<Client>(Dial());
  const int32_t slow = client->Request("GET", "/slow");
  const int32_t pump = client->Request("GET", "/pump");
  BOOST_TEST(client->Until([&] { return !client->replies[pump].fields.empty(); }));
  BOOST_TEST(Eventually([&] { return handled == 2; }));
  const uint16_t port = server->Port("main");
  Status outcome;
  std::thread stop([&] { outcome = server->Shutdown(TenSeconds()); });
  BOOST_TEST(client->Until([&] { return client->replies[pump].closed && client->goaways.size() == 2; }));
  BOOST_TEST(client->replies[pump].body == "bye");
  BOOST_TEST(Delivered());
  BOOST_TEST(!net::DialTcp(TenSeconds(), "127.0.0.1", port).ok());
  go.set_value();
  BOOST_TEST(client->Until([&] { return client->closed; }));
  BOOST_TEST(client->replies[slow].body == "done");
  client.reset();
  stop.join();
  BOOST_TEST(outcome.ok());
}

BOOST_AUTO_TEST_CASE(a_shutdown_ends_what_does_not_end_in_time) {
  std::promise<bool> cancelled;
  handler = [&](const Request& q, ResponseWriter&) {
    ++handled;
    (void)q.ctx.WithTimeout(10s).Sleep(20s);
    cancelled.set_value(q.ctx.Cancelled());
  };
  Start();
  Client client(Dial());
  client.Request("GET", "/");
  BOOST_TEST(client.Send());
  BOOST_TEST(Eventually([&] { return handled == 1; }));
  BOOST_TEST(server->Shutdown(Context::Background().WithTimeout(10ms)).Is(Code::kTimeout));
  BOOST_TEST(cancelled.get_future().get());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::http
