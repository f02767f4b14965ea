#include "pkg/net/stream.h"

#include <sys/socket.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>

#include <thread>

namespace knarr::net {
namespace {

// For threads beside the test's own: Boost.Test's checks are not for several threads at once.
void Sure(bool condition) {
  if (!condition) std::abort();
}

using namespace std::chrono_literals;

struct Pair {
  StreamPtr a, b;
  Pair() {
    int fds[2];
    BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    a = MakeFdStream(UniqueFd(fds[0]));
    b = MakeFdStream(UniqueFd(fds[1]));
  }
};

std::string ReadAll(Stream& stream) {
  std::string all;
  char buffer[4096];
  for (;;) {
    const Result<size_t> n = stream.Read(Context::Background().WithTimeout(10s), buffer, sizeof(buffer));
    if (!n.ok() || *n == 0) return all;
    all.append(buffer, *n);
  }
}

BOOST_AUTO_TEST_SUITE(net)

BOOST_AUTO_TEST_CASE(bytes_put_back_are_read_first) {
  Pair pair;
  BOOST_TEST(pair.a->Write(Context::Background(), "world").ok());
  pair.a->CloseWrite();
  pair.b->Unread("hello ");
  BOOST_TEST(pair.b->Buffered());
  BOOST_TEST(ReadAll(*pair.b) == "hello world");
}

BOOST_AUTO_TEST_CASE(a_read_ends_at_the_deadline) {
  Pair pair;
  char c;
  BOOST_TEST((pair.a->Read(Context::Background().WithTimeout(1ms), &c, 1).status().code() == Code::kTimeout));
}

BOOST_AUTO_TEST_CASE(cancelling_wakes_a_blocked_read) {
  Pair pair;
  std::stop_source stop;
  std::thread canceller([&] { stop.request_stop(); });
  char c;
  BOOST_TEST(
      (pair.a->Read(Context::Background().WithStop(stop.get_token()), &c, 1).status().code() == Code::kCancelled));
  canceller.join();
}

BOOST_AUTO_TEST_CASE(writing_to_a_closed_peer_is_an_error_not_a_signal) {
  Pair pair;
  pair.b.reset();
  BOOST_TEST(!pair.a->Write(Context::Background(), std::string(1 << 20, 'x')).ok());
}

BOOST_AUTO_TEST_CASE(a_tunnel_carries_both_directions_whole) {
  Pair left, right;
  const std::string up(3 << 20, 'u'), down(2 << 20, 'd');
  std::thread tunnel([&] { Sure(Tunnel(Context::Background(), *left.b, *right.a).ok()); });
  std::thread upper([&] {
    Sure(left.a->Write(Context::Background(), up).ok());
    left.a->CloseWrite();
  });
  std::thread downer([&] {
    Sure(right.b->Write(Context::Background(), down).ok());
    right.b->CloseWrite();
  });
  std::string got_down;
  std::thread reader([&] { got_down = ReadAll(*left.a); });
  BOOST_TEST((ReadAll(*right.b) == up));
  for (std::thread* t : {&tunnel, &upper, &downer, &reader}) t->join();
  BOOST_TEST((got_down == down));
}

BOOST_AUTO_TEST_CASE(an_idle_tunnel_is_closed) {
  Pair left, right;
  const Status status = Tunnel(Context::Background(), *left.b, *right.a, 1ms);
  BOOST_TEST((status.code() == Code::kTimeout));
  BOOST_TEST(ReadAll(*left.a).empty());
}

BOOST_AUTO_TEST_CASE(dialling_names_the_address_and_the_cause) {
  // Port 1 on loopback: nobody listens.
  const Result<StreamPtr> tcp = DialTcp(Context::Background(), "127.0.0.1", 1);
  BOOST_TEST(tcp.status().message() == "dial tcp 127.0.0.1:1: connect: connection refused");
  const Result<StreamPtr> unix_socket = DialUnix(Context::Background(), "/nonexistent/x.sock");
  BOOST_TEST(unix_socket.status().message() == "dial unix /nonexistent/x.sock: connect: no such file or directory");
  BOOST_TEST(!DialUnix(Context::Background(), std::string(200, 'x')).ok());
}

BOOST_AUTO_TEST_CASE(host_and_port_texts_are_taken_apart_and_put_together) {
  BOOST_TEST(SplitHostPort("1.2.3.4:80")->host == "1.2.3.4");
  BOOST_TEST(SplitHostPort("[::1]:8080")->host == "::1");
  BOOST_TEST(SplitHostPort("[::1]:8080")->port == 8080);
  BOOST_TEST(SplitHostPort(":1")->host.empty());
  for (const char* bad : {"", "a", "::1:80", "a:b", "a:70000", "a:", "[]:1", "[::1:80"})
    BOOST_TEST(!SplitHostPort(bad).ok(), bad);
  BOOST_TEST(JoinHostPort("::1", 80) == "[::1]:80");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::net
