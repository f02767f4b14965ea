#include "pkg/net/http/gzip.h"

#include <zlib.h>

#include <boost/test/unit_test.hpp>

namespace knarr::http {
namespace {

class Recorder : public ResponseWriter {
 public:
  Headers& headers() override { return headers_; }
  void WriteHeader(int status) override { status_ = status; }
  Status Write(std::string_view bytes) override {
    body += bytes;
    return {};
  }
  Status Flush() override { return {}; }
  void Pump(std::unique_ptr<BodySource> source) override { pumped = std::move(source); }
  Result<net::StreamPtr> Hijack() override { return knarr::Error(Code::kUnimplemented, "no"); }
  bool HeaderSent() const override { return !body.empty(); }
  int status() const override { return status_; }
  std::string body;
  std::unique_ptr<BodySource> pumped;

 private:
  Headers headers_;
  int status_ = 0;
};

std::string Inflate(const std::string& bytes) {
  z_stream z{};
  inflateInit2(&z, 15 + 16);
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  z.avail_in = static_cast<uInt>(bytes.size());
  std::string out;
  int rc = Z_OK;
  while (rc == Z_OK) {
    char piece[4096];
    z.next_out = reinterpret_cast<Bytef*>(piece);
    z.avail_out = sizeof(piece);
    rc = inflate(&z, Z_SYNC_FLUSH);
    if (rc == Z_BUF_ERROR) break;
    out.append(piece, sizeof(piece) - z.avail_out);
    if (z.avail_in == 0 && z.avail_out > 0) break;
  }
  inflateEnd(&z);
  return out;
}

// Gives its pieces one by one; "" is a wait.
class Pieces : public BodySource {
 public:
  Pieces(std::vector<std::string> pieces, int* ended) : pieces_(std::move(pieces)), ended_(ended) {}
  State Pull(std::string* out, size_t) override {
    if (at_ == pieces_.size()) return State::kEnd;
    const std::string& piece = pieces_[at_++];
    out->append(piece);
    return piece.empty() ? State::kWait : State::kMore;
  }
  void SetWake(std::function<void()>) override {}
  void OnEnd(bool delivered) override { *ended_ = delivered ? 1 : -1; }

 private:
  const std::vector<std::string> pieces_;
  size_t at_ = 0;
  int* const ended_;
};

BOOST_AUTO_TEST_SUITE(gzip)

BOOST_AUTO_TEST_CASE(what_a_client_accepts) {
  const auto accepts = [](const std::string& value) { return AcceptsGzip({{"accept-encoding", value}}); };
  BOOST_TEST(accepts("gzip"));
  BOOST_TEST(accepts("deflate, GZIP;q=0.5"));
  BOOST_TEST(accepts("*"));
  BOOST_TEST(accepts("br;q=1 , gzip ; q=0.001"));
  BOOST_TEST(!accepts("gzip;q=0"));
  BOOST_TEST(!accepts("gzip; q=0.000, *"));
  BOOST_TEST(!accepts("*;q=0"));
  BOOST_TEST(!accepts("identity"));
  BOOST_TEST(!accepts("xgzip"));
  BOOST_TEST(!accepts(""));
  BOOST_TEST(!AcceptsGzip({}));
}

BOOST_AUTO_TEST_CASE(only_large_bodies_are_compressed) {
  const std::string large(300'000, 'x');
  Recorder small, big, declared;
  {
    GzipWriter w(small);
    w.Reply(404, "text/plain", "not found");
    BOOST_TEST(small.body.empty());
  }
  BOOST_TEST(small.body == "not found");
  BOOST_TEST(small.status() == 404);
  BOOST_TEST(!small.headers().Has("Content-Encoding"));
  {
    GzipWriter w(big);
    w.WriteHeader(200);
    for (size_t i = 0; i < large.size(); i += 1000) BOOST_TEST(w.Write(large.substr(i, 1000)).ok());
  }
  BOOST_TEST(big.headers().Get("Content-Encoding") == "gzip");
  BOOST_TEST(big.headers().Get("Vary") == "Accept-Encoding");
  BOOST_TEST(big.body.size() < 10'000u);
  BOOST_TEST((Inflate(big.body) == large));
  {
    GzipWriter w(declared);
    w.headers().Set("Content-Length", "300000");
    BOOST_TEST(w.Write(large).ok());
  }
  BOOST_TEST((declared.body == large));
}

BOOST_AUTO_TEST_CASE(a_flush_delivers_what_was_written) {
  Recorder plain, compressed;
  GzipWriter a(plain);
  BOOST_TEST(a.Write("first").ok());
  BOOST_TEST(a.Flush().ok());
  BOOST_TEST(plain.body == "first");
  GzipWriter b(compressed, {.threshold = 10, .level = 1});
  BOOST_TEST(b.Write("more than ten bytes").ok());
  BOOST_TEST(b.Flush().ok());
  BOOST_TEST(Inflate(compressed.body) == "more than ten bytes");
}

BOOST_AUTO_TEST_CASE(pumped_lists_are_compressed_and_watches_are_not) {
  int ended = 0;
  Recorder list, watch, late;
  {
    GzipWriter w(list, {.threshold = 10, .level = 1});
    w.Pump(std::make_unique<Pieces>(std::vector<std::string>{"12345", "67890", "abcde"}, &ended));
  }
  BOOST_TEST(ended == 1);
  BOOST_TEST(!list.pumped);
  BOOST_TEST(Inflate(list.body) == "1234567890abcde");
  {
    GzipWriter w(watch, {.threshold = 10, .level = 1});
    w.Pump(std::make_unique<Pieces>(std::vector<std::string>{"event1", "", "event2"}, &ended));
  }
  BOOST_TEST(watch.body == "event1");
  BOOST_REQUIRE(watch.pumped);
  std::string rest;
  while (watch.pumped->Pull(&rest, 100) != BodySource::State::kEnd) continue;
  BOOST_TEST(rest == "event2");
  BOOST_TEST(!watch.headers().Has("Content-Encoding"));
  {
    GzipWriter w(late, {.threshold = 10, .level = 1});
    w.Pump(std::make_unique<Pieces>(std::vector<std::string>{"0123456789abc", "", "def"}, &ended));
  }
  BOOST_TEST(Inflate(late.body) == "0123456789abc");
  BOOST_REQUIRE(late.pumped);
  while (late.pumped->Pull(&late.body, 100) != BodySource::State::kEnd) continue;
  BOOST_TEST(Inflate(late.body) == "0123456789abcdef");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::http
