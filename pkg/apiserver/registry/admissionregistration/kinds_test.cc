#include "pkg/apiserver/registry/admissionregistration/kinds.h"

#include <boost/test/unit_test.hpp>

#include "pkg/apiserver/registry/test_kinds.h"

namespace knarr::registry {
namespace {

BOOST_AUTO_TEST_CASE(webhooks_are_refused) {
  TestKinds kinds(AdmissionRegistrationKinds({}));
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"mutatingwebhookconfigurations",
       "mutatingwebhookconfigurations.admissionregistration.k8s.io \"w\" is forbidden: this server does not call "
       "admission webhooks yet"},
      {"validatingwebhookconfigurations",
       "validatingwebhookconfigurations.admissionregistration.k8s.io \"w\" is forbidden: this server does not call "
       "admission webhooks yet"},
      {"validatingadmissionpolicies",
       "validatingadmissionpolicies.admissionregistration.k8s.io \"w\" is forbidden: this server does not call "
       "validating admission policies yet"},
      {"validatingadmissionpolicybindings",
       "validatingadmissionpolicybindings.admissionregistration.k8s.io \"w\" is forbidden: this server does not call "
       "validating admission policies yet"},
  };
  for (const auto& [resource, message] : cases) {
    Object object = kinds.Created(resource, "metadata: {name: w}");
    const auto begun = kinds.Get(resource).strategy->Begin(kinds.context(), object, nullptr);
    BOOST_REQUIRE(!begun.ok());
    BOOST_TEST(begun.error().message() == message);
    BOOST_TEST(static_cast<int>(begun.error().code()) == static_cast<int>(Code::kForbidden));
  }
  BOOST_TEST(kinds.Row("mutatingwebhookconfigurations", "metadata: {name: w}\nwebhooks: [{name: a}]") ==
             "w | 1 | <unknown>");
}

}  // namespace
}  // namespace knarr::registry
