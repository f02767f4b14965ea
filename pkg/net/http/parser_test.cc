#include "pkg/net/http/parser.h"

#include <boost/test/unit_test.hpp>

namespace knarr::http {
namespace {

// What feeding the whole text came to: "" for a complete message, the error text, or "more".
std::string Outcome(const std::string& text, size_t step, Parser::Kind kind = Parser::Kind::kRequest) {
  ParserLimits limits;
  limits.header = 1024;
  limits.header_fields = 20;
  limits.body = 100;
  Parser parser(kind, limits);
  std::string buffer;
  for (size_t i = 0; i < text.size(); i += step) {
    buffer += text.substr(i, step);
    const Result<size_t> used = parser.Feed(buffer);
    if (!used.ok())
      return std::to_string(static_cast<int>(used.status().code())) + " " + std::string(used.status().message());
    buffer.erase(0, *used);
    if (parser.Done()) return "";
  }
  return "more";
}

const std::string kGet = "GET / HTTP/1.1\r\nHost: x\r\n";

BOOST_AUTO_TEST_SUITE(parser)

BOOST_AUTO_TEST_CASE(a_request_is_read_however_it_is_cut) {
  const std::string text = "POST /a?b=c HTTP/1.1\r\nHost: node:10250\r\nContent-Length: 5\r\nX-A:  v \r\n\r\nhelloNEXT";
  for (size_t step = 1; step <= text.size(); ++step) {
    Parser parser(Parser::Kind::kRequest, {});
    std::string buffer;
    for (size_t i = 0; i < text.size() && !parser.Done(); i += step) {
      buffer += text.substr(i, step);
      const Result<size_t> used = parser.Feed(buffer);
      BOOST_REQUIRE(used.ok());
      buffer.erase(0, *used);
    }
    BOOST_REQUIRE(parser.Done());
    BOOST_TEST(parser.method == "POST");
    BOOST_TEST(parser.target == "/a?b=c");
    BOOST_TEST(parser.headers.Get("x-a") == "v");
    BOOST_TEST(parser.TakeBody() == "hello");
    if (step == text.size()) BOOST_TEST(buffer == "NEXT");
  }
}

BOOST_AUTO_TEST_CASE(chunks_are_joined_and_trailers_dropped) {
  const std::string text = kGet + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-Late: 1\r\n\r\n";
  for (const size_t step : {1, 7, 1000}) {
    Parser parser(Parser::Kind::kRequest, {});
    std::string buffer, body;
    for (size_t i = 0; i < text.size(); i += step) {
      buffer += text.substr(i, step);
      const Result<size_t> used = parser.Feed(buffer);
      BOOST_REQUIRE(used.ok());
      buffer.erase(0, *used);
      body += parser.TakeBody();
    }
    BOOST_TEST(parser.Done());
    BOOST_TEST(body == "abcde");
    BOOST_TEST(!parser.headers.Has("X-Late"));
  }
}

BOOST_AUTO_TEST_CASE(what_two_servers_could_read_differently_is_refused) {
  const std::vector<std::string> hostile = {
      kGet + "Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
      kGet + "Content-Length: 1\r\nContent-Length: 2\r\n\r\na",
      kGet + "Content-Length: 1, 1\r\n\r\na",
      kGet + "Content-Length: +1\r\n\r\na",
      kGet + "Content-Length: 0x1\r\n\r\na",
      kGet + "Content-Length: \r\n\r\n",
      kGet + "Content-Length: -1\r\n\r\n",
      kGet + "Content-Length: 99999999999999999999\r\n\r\n",
      kGet + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      kGet + "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
      kGet + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      kGet + "Transfer-Encoding: identity\r\n\r\n",
      kGet + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
      kGet + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
      kGet + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
      "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "GET / HTTP/1.1\nHost: x\n\n",
      "GET / HTTP/1.1\r\nHost: x\nX: y\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: x\rX: y\r\n\r\n",
      kGet + "X: a\r\n b\r\n\r\n",
      kGet + "X: a\r\n\tb\r\n\r\n",
      kGet + " X: a\r\n\r\n",
      kGet + ": a\r\n\r\n",
      kGet + "X\r\n\r\n",
      kGet + "X Y: a\r\n\r\n",
      kGet + std::string("X: a\0b\r\n\r\n", 10),
      kGet +
          "X: a\x01"
          "b\r\n\r\n",
      kGet + "Host: y\r\n\r\n",
      "GET / HTTP/1.1\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
      "GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
      "GET / HTTP/2.0\r\nHost: x\r\n\r\n",
      "GET / HTTP/1.2\r\nHost: x\r\n\r\n",
      "GET / HTTP/1.1 \r\nHost: x\r\n\r\n",
      "GET /\r\n\r\n",
      "\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
      " GET / HTTP/1.1\r\nHost: x\r\n\r\n",
      "G(T / HTTP/1.1\r\nHost: x\r\n\r\n",
      "GET /\x7f HTTP/1.1\r\nHost: x\r\n\r\n",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 15),
      kGet + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
      kGet + "Transfer-Encoding: chunked\r\n\r\n-1\r\n",
      kGet + "Transfer-Encoding: chunked\r\n\r\n1 1\r\na\r\n0\r\n\r\n",
      kGet + "Transfer-Encoding: chunked\r\n\r\n 1\r\na\r\n0\r\n\r\n",
      kGet + "Transfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n",
      kGet + "Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
      kGet + "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
      kGet + "Transfer-Encoding: chunked\r\n\r\n1\r\na\n0\r\n\r\n",
      kGet + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
      kGet + "Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 5\r\n\r\n",
  };
  for (const std::string& text : hostile) {
    for (const size_t step : {size_t{1}, text.size()}) {
      const std::string outcome = Outcome(text, step);
      BOOST_TEST((outcome != "" && outcome != "more"), "accepted (" << outcome << "): " << text);
    }
  }
}

BOOST_AUTO_TEST_CASE(sizes_are_bounded_before_the_end_is_seen) {
  const std::string too_large = std::to_string(static_cast<int>(Code::kOutOfRange)) + " header too large";
  BOOST_TEST(Outcome("GET /" + std::string(2000, 'a'), 100) == too_large);
  BOOST_TEST(Outcome(kGet + "X: " + std::string(2000, 'a'), 100) == too_large);
  std::string many = kGet;
  for (int i = 0; i < 30; ++i) many += "A: b\r\n";
  BOOST_TEST(Outcome(many + "\r\n", 1000) == too_large);
  const std::string body =
      std::to_string(static_cast<int>(Code::kRequestEntityTooLarge)) + " http: request body too large";
  BOOST_TEST(Outcome(kGet + "Content-Length: 101\r\n\r\n", 1000) == body);
  BOOST_TEST(Outcome(kGet + "Transfer-Encoding: chunked\r\n\r\n32\r\n" + std::string(50, 'a') + "\r\n33\r\n", 1000) ==
             body);
  const std::string long_chunk = Outcome(kGet + "Transfer-Encoding: chunked\r\n\r\n1;" + std::string(20000, 'a'), 1000);
  BOOST_TEST(long_chunk.find("malformed") != std::string::npos, long_chunk);
  const std::string long_trailer =
      Outcome(kGet + "Transfer-Encoding: chunked\r\n\r\n0\r\nA: " + std::string(20000, 'a'), 1000);
  BOOST_TEST(long_trailer.find("malformed") != std::string::npos, long_trailer);
}

BOOST_AUTO_TEST_CASE(a_response_without_length_ends_with_the_connection_and_one_with_length_must_be_whole) {
  Parser open_ended(Parser::Kind::kResponse, {});
  const std::string head = "HTTP/1.1 200 OK\r\n\r\n";
  BOOST_REQUIRE(open_ended.Feed(head + "abc").ok());
  BOOST_TEST(!open_ended.Done());
  BOOST_TEST(open_ended.FeedEof().ok());
  BOOST_TEST(open_ended.TakeBody() == "abc");
  Parser cut(Parser::Kind::kResponse, {});
  BOOST_REQUIRE(cut.Feed("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc").ok());
  BOOST_TEST(!cut.FeedEof().ok());
  Parser nothing(Parser::Kind::kResponse, {});
  BOOST_TEST(!nothing.FeedEof().ok());
}

BOOST_AUTO_TEST_CASE(targets_must_be_clean_paths) {
  const Target target = *ParseTarget("/logs/a%20b?x=%2F");
  BOOST_TEST(target.path == "/logs/a b");
  BOOST_TEST(target.raw_path == "/logs/a%20b");
  BOOST_TEST(target.query.at(0).second == "/");
  for (const char* bad : {"http://x/", "*", "x", "/a#b", "/a/../b", "/..", "/./a", "/%2e%2e/x", "/a/%2E%2e%2fb", "/%00",
                          "/%", "/a?b=%"}) {
    BOOST_TEST(!ParseTarget(bad).ok(), bad);
  }
  BOOST_TEST(ParseTarget("/a..b/...").ok());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::http
