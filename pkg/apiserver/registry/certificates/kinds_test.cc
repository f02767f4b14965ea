#include "pkg/apiserver/registry/certificates/kinds.h"

#include <fmt/format.h>

#include <boost/test/unit_test.hpp>

#include "k8s.io/api/certificates/v1/generated.pb.h"
#include "pkg/api/certificates/validation.h"
#include "pkg/apiserver/registry/test_kinds.h"

namespace knarr::registry {
namespace {

constexpr std::string_view kRequest =
    "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlIck1JR1NBZ0VBTURBeEZUQVRCZ05WQkFvTURITjVjM1JsYlRwdWIyUmxjekVYTU"
    "JVR0ExVUVBd3dPYzNsegpkR1Z0T201dlpHVTZiakV3V1RBVEJnY3Foa2pPUFFJQkJnZ3Foa2pPUFFNQkJ3TkNBQVNORm1oQ3Rxai9oOER1Ckw3bmJH"
    "MWhIVWdnWXJvZWZZaFJEaHdhcTVpMmNRYjBuS0xnQW5YaHVlT0JpYkdGSWdlOW80N3V2REN4aVdWR1IKd1lhZ0phV3VvQUF3Q2dZSUtvWkl6ajBFQX"
    "dJRFNBQXdSUUloQUlsUWM5cVNxUnNTT2tRVXFzUnZRY1ExUG53cQpzdWl3dGZBTDJTZFFnd1o0QWlCVVVIeGVtZ1BxalJUVmJ2R3dmYUVmOE5odjNK"
    "L2pzbHpnVHBEYjFDZnFPUT09Ci0tLS0tRU5EIENFUlRJRklDQVRFIFJFUVVFU1QtLS0tLQo=";
constexpr std::string_view kCertificate =
    "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUJiakNDQVJXZ0F3SUJBZ0lVYy9JRjRnQ0N4cStvRmVRenN1bmU1OUtUTzdvd0NnWUlLb1pJem"
    "owRUF3SXcKRERFS01BZ0dBMVVFQXd3Qll6QWdGdzB5TmpFeE1qQXlNRFEwTXpCYUdBOHlNVEkyTVRBeU56SXdORFF6TUZvdwpEREVLTUFnR0ExVUVB"
    "d3dCWXpCWk1CTUdCeXFHU000OUFnRUdDQ3FHU000OUF3RUhBMElBQklLZDVkRE9VYjVxCk5xTUl4OG9QS1RyWWhWUlFVbXRzKzlHNmxNdzRKUVZJaD"
    "BzaXk0TmFHaERCTENBbnpJY1phMEw2SjQzV3kwVXoKTHRqdENoeE56WDJqVXpCUk1CMEdBMVVkRGdRV0JCUW0wTzlNeStWVlY0MEc2eldqWjNITXZs"
    "WTRmVEFmQmdOVgpIU01FR0RBV2dCUW0wTzlNeStWVlY0MEc2eldqWjNITXZsWTRmVEFQQmdOVkhSTUJBZjhFQlRBREFRSC9NQW9HCkNDcUdTTTQ5Qk"
    "FNQ0EwY0FNRVFDSUZXdTdjWCtmL2U1M0lrbVd1L2RBNnlsQ1BwWDBBcEQ1Ymd5Z1JOQ3NqYk8KQWlBNU1NRzB4OXNLYlVVRHpIVmpYblZmUDcwdHlp"
    "Y3Z3RWV3ZEs1N2R6aElmZz09Ci0tLS0tRU5EIENFUlRJRklDQVRFLS0tLS0K";
constexpr std::string_view kResource = "certificatesigningrequests";

std::string Request(std::string_view rest) {
  return fmt::format(
      "metadata: {{name: c}}\nspec: {{request: {}, signerName: a.example/b, usages: [client auth], username: "
      "root}}\n{}",
      kRequest, rest);
}

BOOST_AUTO_TEST_SUITE(certificates_kinds)

BOOST_AUTO_TEST_CASE(who_asks_is_what_the_server_knows) {
  TestKinds kinds(CertificatesKinds({}));
  auth::UserInfo user{.name = "ann", .uid = "7", .groups = {"devs"}, .extra = {{"k", {"v"}}}};
  kinds.context().user = &user;
  const Object object = kinds.Created(kResource, Request("status: {conditions: [{type: Approved, status: 'True'}]}"));
  const auto& request = object.As<certificates_v1::CertificateSigningRequest>();
  BOOST_TEST(request.spec().username() == "ann");
  BOOST_TEST(request.spec().groups(0) == "devs");
  BOOST_TEST(request.spec().extra().at("k").items(0) == "v");
  BOOST_TEST(request.status().conditions_size() == 0);
  BOOST_TEST(kinds.CreateErrors(kResource, Request("")) == "");
}

BOOST_AUTO_TEST_CASE(what_is_wrong) {
  TestKinds kinds(CertificatesKinds({}));
  const std::string errors = kinds.CreateErrors(
      kResource, "spec: {request: YQ==, signerName: b, usages: [any, any, odd], expirationSeconds: 1}");
  BOOST_TEST(
      errors.starts_with("spec.request: Invalid value: []byte{0x61}: PEM block type must be CERTIFICATE REQUEST\n"
                         "spec.usages[2]: Unsupported value: \"odd\": supported values: \"any\", \"cert sign\", "));
  BOOST_TEST(
      errors.ends_with("spec.usages[1]: Duplicate value: \"any\"\n"
                       "spec.signerName: Invalid value: \"b\": must be a fully qualified domain and path of the "
                       "form 'example.com/signer-name'\n"
                       "spec.expirationSeconds: Invalid value: 1: may not specify a duration less than 600 "
                       "seconds (10 minutes)"));
}

BOOST_AUTO_TEST_CASE(approval_and_status_are_apart) {
  TestKinds kinds(CertificatesKinds({}));
  FakeClock clock;
  kinds.context().clock = &clock;
  const std::string approved = Request("status: {conditions: [{type: Approved, status: 'True'}]}");
  const std::string issued = Request(fmt::format("status: {{certificate: {}}}", kCertificate));
  BOOST_TEST(kinds.UpdateErrors(kResource, "approval", approved, Request("")) == "");
  BOOST_TEST(kinds.UpdateErrors(kResource, "status", issued, Request("")) == "");
  BOOST_TEST(kinds.UpdateErrors(kResource, "status", approved, Request("")) ==
             "status.conditions: Forbidden: updates may not add a condition of type \"Approved\"");
  BOOST_TEST(kinds.UpdateErrors(kResource, "approval", Request(""), approved) ==
             "status.conditions: Forbidden: updates may not remove a condition of type \"Approved\"");
  BOOST_TEST(kinds.UpdateErrors(kResource, "status", Request("status: {certificate: YQ==}"), issued) ==
             "status.certificate: Invalid value: \"<certificate data>\": must contain at least one CERTIFICATE PEM "
             "block\n"
             "status.certificate: Forbidden: updates may not modify existing certificate content");
  BOOST_TEST(
      kinds.UpdateErrors(kResource, "approval",
                         Request("status: {conditions: [{type: Approved, status: 'False'}, {type: Denied, status: "
                                 "'True'}]}"),
                         Request("")) ==
      "status.conditions[0].status: Unsupported value: \"False\": supported values: \"True\"\n"
      "status.conditions[1].type: Invalid value: \"Denied\": Approved and Denied conditions are mutually exclusive");
  // The main resource changes neither; a signer does not take an approval back; times are set.
  const Object old = kinds.Updated(kResource, "approval", approved, kinds.Created(kResource, Request("")));
  const auto& stamped = old.As<certificates_v1::CertificateSigningRequest>().status().conditions(0);
  BOOST_TEST(stamped.lasttransitiontime().seconds() == 1700000000);
  const Object signed_object = kinds.Updated(kResource, "status", issued, old);
  BOOST_TEST(signed_object.As<certificates_v1::CertificateSigningRequest>().status().conditions_size() == 1);
  const Object main = kinds.Updated(kResource, "", issued, old);
  BOOST_TEST(main.As<certificates_v1::CertificateSigningRequest>().status().certificate().empty());
}

BOOST_AUTO_TEST_CASE(rows) {
  TestKinds kinds(CertificatesKinds({}));
  BOOST_TEST(kinds.Header(kResource) == "Name | Age | SignerName | Requestor | RequestedDuration | Condition");
  BOOST_TEST(kinds.Row(kResource, Request("")) == "c | <unknown> | a.example/b | root | <none> | Pending");
  BOOST_TEST(kinds.Row(kResource,
                       "metadata: {name: c}\nspec: {expirationSeconds: 7200}\nstatus: {certificate: YQ==, "
                       "conditions: [{type: Approved}]}") == "c | <unknown> | <none> |  | 120m | Approved,Issued");
}

BOOST_AUTO_TEST_CASE(signer_names) {
  const auto errors = [](std::string_view signer) {
    std::string text;
    for (const auto& error : api::ValidateSignerName(field::Path("s"), signer)) text += error.ToString() + "\n";
    return text;
  };
  BOOST_TEST(errors("kubernetes.io/kubelet-serving") == "");
  BOOST_TEST(errors("") == "s: Required value: signerName must be provided\n");
  BOOST_TEST(errors("a/b").find("should be a domain with at least two segments") != std::string::npos);
  BOOST_TEST(errors("a.b/C").find("validating label \"C\": ") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::registry
