#include "pkg/api/names/names.h"

#include <boost/test/unit_test.hpp>

#include <string>

namespace knarr::names {
namespace {

using Checker = Messages (*)(std::string_view);

std::string Joined(const Messages& messages) {
  std::string text;
  for (const std::string& message : messages) text.append(text.empty() ? "" : "; ").append(message);
  return text;
}

void ExpectGood(Checker check, std::initializer_list<std::string> values) {
  for (const std::string& value : values) BOOST_TEST(Joined(check(value)) == "", value);
}

void ExpectBad(Checker check, std::initializer_list<std::string> values) {
  for (const std::string& value : values) BOOST_TEST(!check(value).empty(), value);
}

std::string X(size_t count) { return std::string(count, 'x'); }

BOOST_AUTO_TEST_SUITE(names)

BOOST_AUTO_TEST_CASE(dns_labels) {
  ExpectGood(IsDNS1123Label, {"a", "ab", "abc", "a1", "a-1", "a--1--2--b", "0", "01", "012", "1a", "1-a", "1--a--b--2", X(63)});
  ExpectBad(IsDNS1123Label, {"", "A", "ABC", "aBc", "A1", "-", "a-", "-a", "1-", "-1", "_", "a_", "_a", "a_b", "1_2", ".",
                             "a.", ".a", "a.b", " ", "a ", " a", "a b", "a\n", X(64)});
  ExpectGood(IsDNS1035Label, {"a", "a1", "a-1", "a--1--2--b", X(63)});
  ExpectBad(IsDNS1035Label, {"", "0", "1a", "-a", "a-", "A", "a.b", "a_b", X(64)});
  BOOST_TEST(Joined(IsDNS1123Label("a.b")) == "must not contain dots");
  BOOST_TEST(Joined(IsDNS1123Label("A")) ==
             "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and "
             "end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
             "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')");
  BOOST_TEST(Joined(IsDNS1123Label(X(64))) == "must be no more than 63 characters");
}

BOOST_AUTO_TEST_CASE(dns_subdomains) {
  ExpectGood(IsDNS1123Subdomain, {"a", "a.b.c", "0.0", "a1.b-2.3", "1.2.3.4", X(253)});
  ExpectBad(IsDNS1123Subdomain, {"", "A", ".", "a.", ".a", "a..b", "a.-b", "a-.b", "a_b", "a.B", "a b", X(254)});
  ExpectGood(IsDNS1123SubdomainWithUnderscore, {"a", "_a.b_c", "_srv._tcp.x"});
  ExpectBad(IsDNS1123SubdomainWithUnderscore, {"", "_", "a_", "__a", "a._"});
  ExpectGood(IsWildcardDNS1123Subdomain, {"*.a", "*.foo.bar.com"});
  ExpectBad(IsWildcardDNS1123Subdomain, {"*", "*.", "*.*.a", "a.b", "*a.b", ""});
  BOOST_TEST(Joined(IsDNS1123Subdomain("Bad")) ==
             "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
             "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
             "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')");
}

BOOST_AUTO_TEST_CASE(qualified_names_and_label_values) {
  ExpectGood(IsQualifiedName, {"simple", "now-with-dashes", "1-starts-with-num", "1234", "simple/simple",
                               "now-with-dashes/simple", "now.with.dots/simple", "simple/1-starts-with-num",
                               "Uppercase_Is_OK_123", "example.com/Uppercase_Is_OK_123", "requests.storage-foo", X(63),
                               X(253) + "/" + X(63)});
  ExpectBad(IsQualifiedName, {"nospecialchars%^=@", "cantendwithadash-", "-cantstartwithadash-", "only/one/slash",
                              "Example.com/abc", "example_com/abc", "example.com/", "/simple", X(64),
                              X(254) + "/abc", "", "a b"});
  BOOST_TEST(Joined(IsQualifiedName("/x")) == "prefix part must be non-empty");
  BOOST_TEST(Joined(IsQualifiedName("a/b/c")) ==
             "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
             "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
             "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. "
             "'example.com/MyName')");
  BOOST_TEST(IsQualifiedName("").size() == 2u);
  ExpectGood(IsValidLabelValue, {"", "simple", "now-with-dashes", "1234", "UpperCase", X(63)});
  ExpectBad(IsValidLabelValue, {"nospecialchars%^=@", "-", "a-", "_a", "a b", "a/b", X(64)});
}

BOOST_AUTO_TEST_CASE(ports) {
  for (const int port : {1, 2, 80, 65535}) BOOST_TEST(IsValidPortNum(port).empty());
  for (const int port : {0, -1, 65536, 100000}) {
    BOOST_TEST(Joined(IsValidPortNum(port)) == "must be between 1 and 65535, inclusive");
  }
  ExpectGood(IsValidPortName, {"telnet", "re-mail-ck", "pop3", "a", "a-1", "1-a", "a-1-b-2-c", "1-a-2-b-3"});
  ExpectBad(IsValidPortName, {"longerthan15characters", "", "1", "12345", "1-2-3-4", "-begin", "end-", "two--hyphens",
                              "whois++", "Caps"});
  BOOST_TEST(Joined(IsValidPortName("")) ==
             "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-); must contain at least one letter (a-z)");
}

BOOST_AUTO_TEST_CASE(identifiers_headers_percents_and_keys) {
  ExpectGood(IsCIdentifier, {"a", "_", "aB_1"});
  ExpectBad(IsCIdentifier, {"", "1a", "a-b", "a.b"});
  ExpectGood(IsEnvVarName, {"a", "_a", "A-b.C_1", ".a", "-a"});
  ExpectBad(IsEnvVarName, {"", "1a", ".", "..", "..a", "a b", "a/b"});
  ExpectGood(IsRelaxedEnvVarName, {"a", "1a", "a b/c", "..", "-"});
  ExpectBad(IsRelaxedEnvVarName, {"", "a=b", "a\tb", "gr\xc3\xbcn"});
  ExpectGood(IsHTTPHeaderName, {"X-Header", "a", "-"});
  ExpectBad(IsHTTPHeaderName, {"", "X_Header", "a b", "a:"});
  ExpectGood(IsValidPercent, {"0%", "1%", "999%"});
  ExpectBad(IsValidPercent, {"", "%", "1", "-1%", "1%%", "1.5%"});
  ExpectGood(IsConfigMapKey, {"a", "good", "good-good", "still.good", "this.is.also.good", ".so.is.this", "THIS_IS_GOOD", X(253)});
  ExpectBad(IsConfigMapKey, {"", ".", "..", "..bad", "b*d", "bad!&bad", X(254)});
  ExpectGood(IsDomainPrefixedPath, {"a/b", "acme.io/foo/bar:x"});
  ExpectBad(IsDomainPrefixedPath, {"", "a", "/a", "a/", "A/b", "a/b c"});
  BOOST_TEST(IsValidUserID(2147483647).empty());
  BOOST_TEST(Joined(IsValidGroupID(2147483648)) == "must be between 0 and 2147483647, inclusive");
}

BOOST_AUTO_TEST_CASE(addresses) {
  ExpectGood(IsValidIP, {"1.2.3.4", "0.0.0.0", "255.255.255.255", "010.002.003.004", "::", "::1", "2001:db8::ffff",
                         "::ffff:1.2.3.4"});
  ExpectBad(IsValidIP, {"", "1.2.3", "1.2.3.4.5", "256.0.0.1", "1.2.3.", "a.b.c.d", "1.2.3.4/24", ":::", "fe80::1%eth0",
                        "1:2:3", " 1.2.3.4", "+1.2.3.4", "99999999999.1.1.1"});
  ExpectGood(IsValidIPv4Address, {"1.2.3.4", "::ffff:1.2.3.4"});
  ExpectGood(IsValidIPv6Address, {"::1"});
  ExpectBad(IsValidIPv6Address, {"1.2.3.4", "::ffff:1.2.3.4"});
  ExpectGood(IsValidCIDR, {"10.0.0.0/8", "10.1.2.3/32", "::/0", "2001:db8::/64"});
  ExpectBad(IsValidCIDR, {"10.0.0.0", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "/8"});
}

BOOST_AUTO_TEST_CASE(prefixes_of_generated_names_may_end_in_a_dash) {
  BOOST_TEST(NameIsDNSSubdomain("my-pod-", true).empty());
  BOOST_TEST(!NameIsDNSSubdomain("my-pod-", false).empty());
  BOOST_TEST(NameIsDNSLabel("a--", true).empty());
  BOOST_TEST(!NameIsDNSLabel("-", true).empty());
  BOOST_TEST(NameIsDNS1035Label("a-", true).empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::names
