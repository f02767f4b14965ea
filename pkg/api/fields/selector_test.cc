#include "pkg/api/fields/selector.h"

#include <boost/test/unit_test.hpp>

#include <map>
#include <string>

namespace knarr::fields {
namespace {

using Set = std::map<std::string, std::string>;

std::string Canonical(std::string_view text) {
  const Result<Selector> selector = ParseSelector(text);
  return selector.ok() ? selector->ToString() : "error: " + std::string(selector.error().message());
}

bool Matches(std::string_view text, const Set& set) {
  const Result<Selector> selector = ParseSelector(text);
  BOOST_REQUIRE_MESSAGE(selector.ok(), text);
  return selector->Matches([&](const std::string& field) {
    const auto found = set.find(field);
    return found == set.end() ? std::string() : found->second;
  });
}

BOOST_AUTO_TEST_SUITE(fields)

BOOST_AUTO_TEST_CASE(texts_have_a_canonical_form) {
  const std::pair<std::string, std::string> cases[] = {
      {"x=a,y=b,z=c", "x=a,y=b,z=c"}, {"", ""}, {",", ""}, {"x!=a,y=b", "x!=a,y=b"}, {"x==a", "x=a"},
      {"y=1,x=2", "x=2,y=1"}, {R"(x=a||y\=b)", R"(x=a||y\=b)"}, {R"(x=a\=\=b)", R"(x=a\=\=b)"},
      {R"(k=\,,k2=v2)", R"(k2=v2,k=\,)"}, {R"(k=\\,k2=v2)", R"(k2=v2,k=\\)"}, {"x=", "x="}, {"=", ""},
      {"함=수,목=록", "목=록,함=수"},
      {"metadata.name=x,spec.nodeName!=y", "metadata.name=x,spec.nodeName!=y"},
  };
  for (const auto& [in, out] : cases) BOOST_TEST(Canonical(in) == out);
}

BOOST_AUTO_TEST_CASE(malformed_texts_are_refused_in_upstreams_words) {
  const std::pair<std::string, std::string> cases[] = {
      {"x=a||y=b", "error: invalid field selector: unescaped character in value: 61"},
      {"x==a==b", "error: invalid field selector: unescaped character in value: 61"},
      {"x=a,b", "error: invalid selector: 'x=a,b'; can't understand 'b'"},
      {"x in (a)", "error: invalid selector: 'x in (a)'; can't understand 'x in (a)'"},
      {"x", "error: invalid selector: 'x'; can't understand 'x'"},
      {"!x", "error: invalid selector: '!x'; can't understand '!x'"},
      {R"(x=\)", R"(error: invalid field selector: invalid escape sequence: \)"},
      {R"(x=\a)", R"(error: invalid field selector: invalid escape sequence: \a)"},
      {R"(x=\함)", R"(error: invalid field selector: invalid escape sequence: \함)"},
  };
  for (const auto& [text, message] : cases) BOOST_TEST(Canonical(text) == message);
}

BOOST_AUTO_TEST_CASE(values_escape_and_unescape) {
  const std::pair<std::string, std::string> cases[] = {
      {"", ""}, {"a", "a"}, {"=", R"(\=)"}, {",", R"(\,)"}, {R"(\)", R"(\\)"}, {R"(\=\,\)", R"(\\\=\\\,\\)"}};
  for (const auto& [plain, escaped] : cases) {
    BOOST_TEST(EscapeValue(plain) == escaped);
    BOOST_TEST(UnescapeValue(escaped).value_or("?") == plain);
  }
}

BOOST_AUTO_TEST_CASE(selectors_match_fields) {
  const Set set = {{"foo", "bar"}, {"baz", "blah"}, {"complex", R"(=value\,\)"}};
  for (const char* text : {"", "foo=bar", "baz=blah", "foo=bar,baz=blah", "foo!=blah", "unknown=", "unknown!=x",
                           R"(foo=bar,baz=blah,complex=\=value\\\,\\)"}) {
    BOOST_TEST(Matches(text, set), text);
  }
  for (const char* text : {"foo=blah", "baz=bar", "foo=bar,foobar=bar,baz=blah", "foo!=bar", "unknown!="}) {
    BOOST_TEST(!Matches(text, set), text);
  }
}

BOOST_AUTO_TEST_CASE(exact_matches_can_be_asked_for) {
  const Selector selector = *ParseSelector("metadata.name=x,spec.nodeName!=y");
  BOOST_TEST(selector.RequiresExactMatch("metadata.name").value_or("") == "x");
  BOOST_TEST(!selector.RequiresExactMatch("spec.nodeName").has_value());
  BOOST_TEST(!selector.Empty());
  BOOST_TEST(ParseSelector("")->Empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::fields
