// Bytes from a peer into an HTTP/2 session; handlers run at once, on the same thread, so a crash can be repeated.
#include <algorithm>
#include <cstdint>
#include <cstring>

#include "pkg/net/http/h2.h"

namespace knarr::http {
namespace {

class Peer1 : public net::Stream {
 public:
  explicit Peer1(std::string_view bytes) : bytes_(bytes) {}
  Result<net::Io> TryWrite(std::string_view bytes) override { return net::Io{.bytes = bytes.size()}; }
  int fd() const override { return -1; }
  void CloseWrite() override {}
  bool Empty() const { return bytes_.empty(); }

 protected:
  // In pieces whose size the input decides.
  Result<net::Io> DoTryRead(char* buffer, size_t size) override {
    if (bytes_.empty() || turn_ == 4) {
      turn_ = 0;
      return net::Io{.wait = 1};
    }
    ++turn_;
    const size_t n = std::min({size, bytes_.size(), size_t{1} + static_cast<uint8_t>(bytes_[0]) * 7U});
    std::memcpy(buffer, bytes_.data(), n);
    bytes_.remove_prefix(n);
    return net::Io{.bytes = n};
  }

 private:
  std::string_view bytes_;
  int turn_ = 0;
};

class Twice : public BodySource {
 public:
  State Pull(std::string* out, size_t) override {
    out->append(1000, 'x');
    return ++pulls_ < 3 ? State::kMore : State::kEnd;
  }
  void SetWake(std::function<void()>) override {}

 private:
  int pulls_ = 0;
};

}  // namespace
}  // namespace knarr::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace knarr;
  using namespace knarr::http;
  FakeClock clock;
  Loop loop([](uint64_t, uint32_t) {});  // never started: the wakes are served here
  WakeQueue wakes(loop, [](const std::vector<WakeKey>&) {});
  const Limits limits{.header = 2048, .header_fields = 20, .body = 4096};
  const Handler handler = [](const Request& request, ResponseWriter& response) {
    if (request.method == "PUT") return response.Pump(std::make_unique<Twice>());
    response.Reply(200, "text/plain", request.path + request.body);
  };
  Peer1 stream({reinterpret_cast<const char*>(data), size});
  Http2Session session({.limits = &limits,
                        .handler = &handler,
                        .clock = &clock,
                        .logger = {},
                        .wakes = &wakes,
                        .run = [](const std::function<void()>& task) { task(); },
                        .handling = [](int) {}},
                       1, stream, {}, "fuzz");
  bool alive = session.Start("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  while (alive && !stream.Empty()) {
    alive = session.OnReadable();
    for (int32_t id = 1; id < 64 && alive; id += 2) session.OnWake(id);
    alive = alive && session.Flush();
  }
  if (!alive) return 0;
  session.Shutdown();
  (void)session.Flush();
  (void)session.Deadline();
  clock.Advance(std::chrono::hours(1));
  (void)session.OnDeadline();
  return 0;
}
