#include "pkg/net/http/message.h"

#include <boost/test/unit_test.hpp>

namespace knarr::http {
namespace {

BOOST_AUTO_TEST_SUITE(message)

BOOST_AUTO_TEST_CASE(header_names_compare_without_case_and_tokens_are_found_in_lists) {
  Headers headers{{"Connection", "keep-alive, Upgrade"}, {"X", "1"}, {"x", "2"}};
  BOOST_TEST(headers.HasToken("connection", "upgrade"));
  BOOST_TEST(!headers.HasToken("connection", "up"));
  BOOST_TEST(headers.Get("X") == "1");
  BOOST_TEST(headers.Count("x") == 2u);
  headers.Set("X", "3");
  BOOST_TEST(headers.Count("x") == 1u);
  BOOST_TEST(headers.Get("none").empty());
}

BOOST_AUTO_TEST_CASE(percent_encoding_is_decoded_exactly_and_bad_escapes_are_errors) {
  BOOST_TEST(*PercentDecode("a%2Fb+c%20d", false) == "a/b+c d");
  BOOST_TEST(*PercentDecode("a+b", true) == "a b");
  for (const char* bad : {"%", "%2", "%zz", "a%2", "%%30"}) BOOST_TEST(!PercentDecode(bad, false).ok(), bad);
  BOOST_TEST(*PercentDecode("%41", false) == "A");
  BOOST_TEST(PercentEncode("a b/ü") == "a%20b%2F%C3%BC");
}

BOOST_AUTO_TEST_CASE(queries_keep_order_and_repeated_keys) {
  const Query query = *ParseQuery("command=ls&command=-l+%26&tty&x=");
  BOOST_REQUIRE(query.size() == 4u);
  BOOST_TEST(query[1].second == "-l &");
  BOOST_TEST(query[2].first == "tty");
  BOOST_TEST(EncodeQuery(query) == "command=ls&command=-l%20%26&tty=&x=");
}

BOOST_AUTO_TEST_CASE(urls_are_taken_apart) {
  const Url url = *ParseUrl("HTTPS://[::1]:8443/a/b?c=d#f");
  BOOST_TEST(url.scheme == "https");
  BOOST_TEST(url.host == "::1");
  BOOST_TEST(url.port == 8443);
  BOOST_TEST(url.target == "/a/b?c=d");
  BOOST_TEST(url.ToString() == "https://[::1]:8443/a/b?c=d");
  BOOST_TEST(ParseUrl("http://host")->port == 80);
  BOOST_TEST(ParseUrl("http://host?x")->target == "/?x");
  BOOST_TEST(ParseUrl("http://host:")->port == 80);
  BOOST_TEST(ParseUrl("unix:///run/x.sock")->host == "/run/x.sock");
  for (const char* bad : {"", "host", "ftp://x", "http://", "http://x:99999", "http://x:1a", "http://a b/",
                          "http://x/\r\nEvil: 1", "http://u:p@x/"}) {
    BOOST_TEST(!ParseUrl(bad).ok(), bad);
  }
}

BOOST_AUTO_TEST_CASE(redirects_resolve_against_their_base) {
  const Url base = *ParseUrl("http://h:81/a/b?q");
  BOOST_TEST(ResolveUrl(base, "/x")->ToString() == "http://h:81/x");
  BOOST_TEST(ResolveUrl(base, "y?z")->ToString() == "http://h:81/a/y?z");
  BOOST_TEST(ResolveUrl(base, "?z")->ToString() == "http://h:81/a/b?z");
  BOOST_TEST(ResolveUrl(base, "//o/p")->ToString() == "http://o/p");
  BOOST_TEST(ResolveUrl(base, "https://o/p")->ToString() == "https://o/p");
  BOOST_TEST(!ResolveUrl(base, "/a\r\nb").ok());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::http
