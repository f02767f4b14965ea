#include "pkg/cri/client.h"

#include <boost/test/unit_test.hpp>

namespace knarr::cri {
namespace {

BOOST_AUTO_TEST_SUITE(cri_client)

BOOST_AUTO_TEST_CASE(the_usual_spellings_of_an_endpoint_name_its_socket) {
  for (const char* endpoint : {"unix:///run/c.sock", "unix:/run/c.sock", "/run/c.sock"})
    BOOST_TEST(SocketPathOf(endpoint).value() == "/run/c.sock");
}

BOOST_AUTO_TEST_CASE(an_endpoint_that_cannot_work_is_refused_with_the_reason) {
  BOOST_TEST(SocketPathOf("tcp://127.0.0.1:1").error().message() ==
             "container runtime endpoint \"tcp://127.0.0.1:1\": protocol \"tcp\" not supported, use unix:///path");
  BOOST_TEST(SocketPathOf("run/c.sock").error().message() ==
             "container runtime endpoint \"run/c.sock\": not an absolute path, use unix:///path");
  BOOST_TEST(!SocketPathOf("unix://" + std::string(200, '/')).ok());
  BOOST_TEST(!SocketPathOf("").ok());
}

BOOST_AUTO_TEST_CASE(a_runtime_that_is_not_there_is_unavailable_at_once_in_go_s_words) {
  auto runtime = Connect({.endpoint = "unix:///nowhere/c.sock"});
  const auto version = (*runtime)->Version(Context::Background().WithTimeout(std::chrono::seconds(30)));
  BOOST_TEST(version.error().Is(Code::kServiceUnavailable));
  BOOST_TEST(version.error().message() ==
             "connection error: desc = \"transport: Error while dialing: dial unix /nowhere/c.sock: connect: "
             "no such file or directory\"");
}

BOOST_AUTO_TEST_CASE(a_context_that_is_over_makes_no_call) {
  auto runtime = Connect({.endpoint = "unix:///nowhere/c.sock"});
  std::stop_source stop;
  stop.request_stop();
  const Context over = Context::Background().WithStop(stop.get_token());
  BOOST_TEST((*runtime)->Version(over).error().Is(Code::kCancelled));
  BOOST_TEST((*runtime)->GetContainerEvents(over, nullptr, nullptr).Is(Code::kCancelled));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::cri
