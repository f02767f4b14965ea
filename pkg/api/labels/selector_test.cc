#include "pkg/api/labels/selector.h"

#include <boost/test/unit_test.hpp>

#include <map>
#include <string>

#include <google/protobuf/text_format.h>

#include "k8s.io/apimachinery/pkg/apis/meta/v1/generated.pb.h"

namespace knarr::labels {
namespace {

using LabelSelector = ::k8s::io::apimachinery::pkg::apis::meta::v1::LabelSelector;
using Set = std::map<std::string, std::string>;

std::string Canonical(std::string_view text) {
  const Result<Selector> selector = Parse(text);
  return selector.ok() ? selector->ToString() : "error: " + std::string(selector.error().message());
}

BOOST_AUTO_TEST_SUITE(labels)

BOOST_AUTO_TEST_CASE(texts_have_a_canonical_form) {
  const std::pair<std::string, std::string> cases[] = {
      {"x=a,y=b,z=c", "x=a,y=b,z=c"}, {"", ""}, {"  ", ""}, {"x!=a,y=b", "x!=a,y=b"}, {"x=", "x="}, {"x= ", "x="},
      {"x=,z= ", "x=,z="}, {"!x", "!x"}, {"x>1", "x>1"}, {"x>1,z<5", "x>1,z<5"}, {"x == a", "x==a"},
      {"z=1,a=2", "a=2,z=1"}, {"x in (b,a)", "x in (a,b)"}, {"x in (b)", "x in (b)"}, {"x notin (a,a)", "x notin (a)"},
      {"x in ()", "x in ()"}, {"x in (,)", "x in ()"}, {"x in (a,,b)", "x in (,a,b)"}, {"x in (,a)", "x in (,a)"},
      {"x in (a,)", "x in (,a)"}, {"x in (foo,,baz),y,z notin ()", "x in (,baz,foo),y,z notin ()"},
      {"notin=in", "notin=in"}, {"in in (in,notin)", "in in (in,notin)"}, {"a.b/c in (1)", "a.b/c in (1)"},
      {"\tx\n=\r1 ", "x=1"}, {"x=a,x!=b", "x=a,x!=b"}, {"!x,!y", "!x,!y"},
  };
  for (const auto& [in, out] : cases) {
    BOOST_TEST(Canonical(in) == out);
    BOOST_TEST(Canonical(out) == out);
  }
}

BOOST_AUTO_TEST_CASE(malformed_texts_are_refused_in_upstreams_words) {
  const std::string parse = "error: unable to parse requirement: ";
  const std::string operators = "', expected: in, notin, =, ==, !=, gt, lt";
  const std::string name =
      "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
      "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
      "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
  const std::string value =
      "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
      "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
      "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
  const std::pair<std::string, std::string> cases[] = {
      {"x=a||y=b", parse + "values[0][x]: Invalid value: \"a||y\": " + value},
      {"x==a==b", "error: found '==', expected: ',' or 'end of string'"},
      {"!x=a", "error: found '=', expected: ',' or 'end of string'"},
      {"x<a", parse + "values[0]: Invalid value: \"a\": for 'Gt', 'Lt' operators, the value must be an integer"},
      {"x,", "error: found '', expected: identifier after ','"},
      {"x,,y", "error: found ',', expected: identifier after ','"},
      {",x", "error: found ',', expected: !, identifier, or 'end of string'"},
      {"=a", "error: found '=', expected: !, identifier, or 'end of string'"},
      {"!", parse + "found '', expected: identifier"},
      {"!!x", parse + "found '!', expected: identifier"},
      {"x a", parse + "found 'a" + operators},
      {"x(", parse + "found '(" + operators},
      {"x in", parse + "found '' expected: '('"},
      {"x in a", parse + "found 'a' expected: '('"},
      {"x in (", parse + "found '', expected: ',', ')' or identifier"},
      {"x in (a", parse + "found '', expected: ',' or ')'"},
      {"x in (a b)", parse + "found 'b', expected: ',' or ')'"},
      {"x in (a,", parse + "found '', expected: ',', or identifier"},
      {"x in (a,(", parse + "found '(', expected: ',', or identifier"},
      {"x=(", parse + "found '(', expected: identifier"},
      {"-x", parse + "<nil>: Invalid value: \"-x\": " + name},
      {"a/b/c=d", parse + "<nil>: Invalid value: \"a/b/c\": a qualified " + name.substr(0, 4) + name.substr(9) +
                      " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"},
      {"x=-", parse + "values[0][x]: Invalid value: \"-\": " + value},
  };
  for (const auto& [text, message] : cases) BOOST_TEST(Canonical(text) == message, text);
}

BOOST_AUTO_TEST_CASE(selectors_match_labels) {
  const struct {
    std::string selector;
    Set labels;
    bool matches;
  } cases[] = {
      {"", {{"x", "y"}}, true},
      {"x=y", {{"x", "y"}}, true},
      {"x=y,z=w", {{"x", "y"}, {"z", "w"}}, true},
      {"x!=y,z!=w", {{"x", "z"}, {"z", "a"}}, true},
      {"notin=in", {{"notin", "in"}}, true},
      {"x", {{"x", "z"}}, true},
      {"!x", {{"y", "z"}}, true},
      {"x>1", {{"x", "2"}}, true},
      {"x<1", {{"x", "0"}}, true},
      {"x<1", {{"x", "-5"}}, true},
      {"x=z", {}, false},
      {"x!=z", {}, true},
      {"x=y", {{"x", "z"}}, false},
      {"x=y,z=w", {{"x", "w"}, {"z", "w"}}, false},
      {"x!=y,z!=w", {{"x", "z"}, {"z", "w"}}, false},
      {"x", {{"y", "z"}}, false},
      {"!x", {{"x", "z"}}, false},
      {"x>1", {{"x", "1"}}, false},
      {"x>1", {{"x", "abc"}}, false},
      {"x>1", {}, false},
      {"x in (a,b)", {{"x", "b"}}, true},
      {"x in (a,b)", {{"x", "c"}}, false},
      {"x in (a,b)", {}, false},
      {"x in ()", {{"x", ""}}, true},
      {"x notin (a,b)", {{"x", "c"}}, true},
      {"x notin (a,b)", {}, true},
      {"x notin (a,b)", {{"x", "a"}}, false},
  };
  for (const auto& test : cases) {
    const Result<Selector> selector = Parse(test.selector);
    BOOST_REQUIRE_MESSAGE(selector.ok(), test.selector);
    BOOST_TEST(selector->Matches(test.labels) == test.matches, test.selector);
  }
  BOOST_TEST(Selector::Everything().Matches(Set{}));
  BOOST_TEST(Selector::Everything().Empty());
  BOOST_TEST(!Selector::Nothing().Matches(Set{}));
  BOOST_TEST(!Selector::Nothing().Empty());
}

BOOST_AUTO_TEST_CASE(requirements_check_the_number_of_their_values) {
  const struct {
    Operator op;
    std::vector<std::string> values;
    std::string error;
  } cases[] = {
      {Operator::kIn, {}, "values: Invalid value: []string{}: for 'in', 'notin' operators, values set can't be empty"},
      {Operator::kEquals, {"a", "b"},
       "values: Invalid value: []string{\"a\", \"b\"}: exact-match compatibility requires one single value"},
      {Operator::kExists, {"a"},
       "values: Invalid value: []string{\"a\"}: values set must be empty for exists and does not exist"},
      {Operator::kLessThan, {"1", "2"},
       "values: Invalid value: []string{\"1\", \"2\"}: for 'Gt', 'Lt' operators, exactly one value is required"},
      {Operator::kNotIn, {"a", "b"}, ""},
      {Operator::kDoesNotExist, {}, ""},
  };
  for (const auto& test : cases) {
    const auto requirement = Requirement::Make("x", test.op, test.values);
    BOOST_TEST(requirement.ok() == test.error.empty());
    if (!requirement.ok()) BOOST_TEST(requirement.error().message() == test.error);
  }
}

BOOST_AUTO_TEST_CASE(exact_matches_can_be_asked_for) {
  const Selector selector = *Parse("a=1,b in (2),c in (3,4),d!=5,e");
  BOOST_TEST(selector.RequiresExactMatch("a").value_or("") == "1");
  BOOST_TEST(selector.RequiresExactMatch("b").value_or("") == "2");
  for (const char* key : {"c", "d", "e", "f"}) BOOST_TEST(!selector.RequiresExactMatch(key).has_value());
}

BOOST_AUTO_TEST_CASE(api_selectors_become_selectors) {
  const auto convert = [](const std::string& text) {
    LabelSelector message;
    BOOST_REQUIRE(google::protobuf::TextFormat::ParseFromString(text, &message));
    const auto selector = LabelSelectorAsSelector(&message);
    return selector.ok() ? selector->ToString() : "error: " + std::string(selector.error().message());
  };
  BOOST_TEST(LabelSelectorAsSelector(nullptr)->SelectsNothing());
  BOOST_TEST(convert("") == "");
  BOOST_TEST(convert(R"(matchLabels { key: "b" value: "1" } matchLabels { key: "a" value: "2" })") == "a=2,b=1");
  BOOST_TEST(convert(R"(matchLabels { key: "foo" value: "bar" } matchExpressions { key: "baz" operator: "In" values: "qux" values: "norf" })") ==
             "baz in (norf,qux),foo=bar");
  BOOST_TEST(convert(R"(matchExpressions { key: "a" operator: "Exists" } matchExpressions { key: "b" operator: "DoesNotExist" } matchExpressions { key: "c" operator: "NotIn" values: "1" })") ==
             "a,!b,c notin (1)");
  BOOST_TEST(convert(R"(matchExpressions { key: "a" operator: "Like" })") ==
             "error: \"Like\" is not a valid label selector operator");
  BOOST_TEST(convert(R"(matchExpressions { key: "a" operator: "In" })") ==
             "error: values: Invalid value: []string{}: for 'in', 'notin' operators, values set can't be empty");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::labels
