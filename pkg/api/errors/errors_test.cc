#include "pkg/api/errors/errors.h"

#include <boost/test/unit_test.hpp>

#include "k8s.io/apimachinery/pkg/apis/meta/v1/generated.pb.h"

namespace knarr::errors {
namespace {

BOOST_AUTO_TEST_SUITE(errors)

BOOST_AUTO_TEST_CASE(not_found_is_upstreams_body) {
  BOOST_TEST(ToJson(NotFound("apps", "deployments", "web")) ==
             R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",)"
             R"("message":"deployments.apps \"web\" not found","reason":"NotFound",)"
             R"("details":{"name":"web","group":"apps","kind":"deployments"},"code":404})");
}

BOOST_AUTO_TEST_CASE(invalid_lists_a_cause_for_each_field) {
  const field::ErrorList errors = {field::Required(field::Path("metadata").Child("name"), "name is required")};
  const Status status = Invalid("", "Pod", "web", errors);
  BOOST_TEST(status.message() == "Pod \"web\" is invalid: metadata.name: Required value: name is required");
  BOOST_REQUIRE(status.details());
  BOOST_TEST(status.details()->causes.at(0).reason == "FieldValueRequired");
  BOOST_TEST(status.details()->causes.at(0).field == "metadata.name");
}

BOOST_AUTO_TEST_CASE(a_status_survives_the_way_to_a_client_and_back) {
  const Status sent = TooManyRequests("slow down", 7);
  const Status got = FromHttp(429, "application/json", ToJson(sent));
  BOOST_TEST((got.code() == Code::kTooManyRequests));
  BOOST_TEST(got.message() == "slow down");
  BOOST_REQUIRE(got.details());
  BOOST_TEST(got.details()->retry_after_seconds == 7);
}

BOOST_AUTO_TEST_CASE(an_answer_that_is_no_status_keeps_its_code) {
  const Status got = FromHttp(503, "text/plain", "no backend");
  BOOST_TEST((got.code() == Code::kServiceUnavailable));
  BOOST_TEST(got.message() == "the server answered with status 503: no backend");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::errors
