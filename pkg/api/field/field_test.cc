#include "pkg/api/field/field.h"

#include <boost/test/unit_test.hpp>

#include <string>

#include "pkg/api/field/quote.h"

namespace knarr::field {
namespace {

BOOST_AUTO_TEST_SUITE(field)

BOOST_AUTO_TEST_CASE(paths_render_children_indexes_and_keys) {
  const Path spec("spec");
  BOOST_TEST(spec.ToString() == "spec");
  BOOST_TEST(spec.Child("containers").Index(0).Child("env").Index(2).Child("name").ToString() ==
             "spec.containers[0].env[2].name");
  BOOST_TEST(Path("data").Key("a.b/c").ToString() == "data[a.b/c]");
  BOOST_TEST(spec.Child("securityContext.runAsUser").ToString() == "spec.securityContext.runAsUser");
  BOOST_TEST(Path("a").Index(0).Key("b").Index(1).ToString() == "a[0][b][1]");
}

BOOST_AUTO_TEST_CASE(every_kind_of_error_has_upstreams_words) {
  const Path path = Path("spec").Child("x");
  const struct {
    FieldError error;
    std::string text;
    std::string reason;
  } cases[] = {
      {Required(path, ""), "spec.x: Required value", "FieldValueRequired"},
      {Required(path, "must be specified"), "spec.x: Required value: must be specified", "FieldValueRequired"},
      {Duplicate(path, "a"), "spec.x: Duplicate value: \"a\"", "FieldValueDuplicate"},
      {Duplicate(path, 80), "spec.x: Duplicate value: 80", "FieldValueDuplicate"},
      {Invalid(path, "a", "detail"), "spec.x: Invalid value: \"a\": detail", "FieldValueInvalid"},
      {Invalid(path, "", "detail"), "spec.x: Invalid value: \"\": detail", "FieldValueInvalid"},
      {Invalid(path, 70000, "must be small"), "spec.x: Invalid value: 70000: must be small", "FieldValueInvalid"},
      {InvalidLiteral(path, "null", "d"), "spec.x: Invalid value: null: d", "FieldValueInvalid"},
      {TypeInvalid(path, "a", "d"), "spec.x: Invalid value: \"a\": d", "FieldValueTypeInvalid"},
      {NotSupported(path, "c", {"B", "A"}), "spec.x: Unsupported value: \"c\": supported values: \"B\", \"A\"",
       "FieldValueNotSupported"},
      {NotSupported(path, "c", {}), "spec.x: Unsupported value: \"c\"", "FieldValueNotSupported"},
      {Forbidden(path, "no"), "spec.x: Forbidden: no", "FieldValueForbidden"},
      {NotFound(path, "v"), "spec.x: Not found: \"v\"", "FieldValueNotFound"},
      {TooLong(path, "vvv", 2), "spec.x: Too long: may not be more than 2 bytes", "FieldValueTooLong"},
      {TooLong(path, "vvv", -1), "spec.x: Too long: value is too long", "FieldValueTooLong"},
      {TooMany(path, 3, 2), "spec.x: Too many: 3: must have at most 2 items", "FieldValueTooMany"},
      {TooMany(path, -1, 2), "spec.x: Too many: must have at most 2 items", "FieldValueTooMany"},
      {TooMany(path, 3, -1), "spec.x: Too many: 3: has too many items", "FieldValueTooMany"},
      {InternalError(path, "boom"), "spec.x: Internal error: boom", "InternalError"},
  };
  for (const auto& test : cases) {
    BOOST_TEST(test.error.ToString() == test.text);
    BOOST_TEST(std::string(Reason(test.error.type)) == test.reason);
  }
}

BOOST_AUTO_TEST_CASE(a_list_becomes_one_status_that_says_every_text_once) {
  const Path path("p");
  BOOST_TEST(ToStatus({}).ok());
  BOOST_TEST(ToStatus({Required(path, "")}).message() == "p: Required value");
  BOOST_TEST(ToStatus({Required(path, ""), Required(path, "")}).message() == "p: Required value");
  const Status two = ToStatus({Required(path, ""), Forbidden(path, "x"), Required(path, "")});
  BOOST_TEST(two.message() == "[p: Required value, p: Forbidden: x]");
  BOOST_TEST(two.Is(Code::kInvalid));
}

BOOST_AUTO_TEST_CASE(quoting_is_gos) {
  using namespace std::string_literals;
  const std::pair<std::string, std::string> cases[] = {
      {"plain", "\"plain\""},
      {"a\"b\\c", "\"a\\\"b\\\\c\""},
      {"\a\b\f\n\r\t\v", "\"\\a\\b\\f\\n\\r\\t\\v\""},
      {"\x01\x7f"s, "\"\\x01\\x7f\""},
      {"\0"s, "\"\\x00\""},
      {"grün ☺ 😀", "\"grün ☺ 😀\""},
      {"\xc2\xad", "\"\\u00ad\""},             // soft hyphen
      {"\xc2\xa0", "\"\\u00a0\""},             // no-break space
      {"\xe2\x80\xa8", "\"\\u2028\""},         // line separator
      {"\xef\xbb\xbf", "\"\\ufeff\""},         // byte order mark
      {"\xf4\x8f\xbf\xbf", "\"\\U0010ffff\""},
      {"\xff", "\"\\xff\""},
      {"a\xe2\x98", "\"a\\xe2\\x98\""},        // cut short
      {"\xc0\x80", "\"\\xc0\\x80\""},          // overlong
      {"\xed\xa0\x80", "\"\\xed\\xa0\\x80\""}, // surrogate
      {"\xf5\x80\x80\x80", "\"\\xf5\\x80\\x80\\x80\""},
  };
  for (const auto& [in, out] : cases) BOOST_TEST(Quote(in) == out);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::field
