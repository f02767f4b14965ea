#include "pkg/apiserver/registry/discovery/kinds.h"

#include <boost/test/unit_test.hpp>

#include "k8s.io/apimachinery/pkg/apis/meta/v1/generated.pb.h"
#include "pkg/apiserver/registry/test_kinds.h"

namespace knarr::registry {
namespace {

constexpr std::string_view kSlices = "endpointslices";

BOOST_AUTO_TEST_SUITE(discovery_kinds)

BOOST_AUTO_TEST_CASE(slices) {
  TestKinds kinds(DiscoveryKinds({}));
  BOOST_TEST(kinds.Get(kSlices).storage_version == "discovery.k8s.io/v1beta1");
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"ports: []", "addressType: Required value"},
      {"addressType: IPv4\nendpoints: [{addresses: [10.0.0.1], hints: {forZones: [{name: a}]}}]\nports: [{port: 80}]",
       ""},
      {"addressType: IPv4\nendpoints: [{}, {addresses: [127.0.0.1, '::1', 0.0.0.0]}]",
       "endpoints[0].addresses: Required value: must contain at least 1 address\n"
       "endpoints[1].addresses[0]: Invalid value: \"127.0.0.1\": may not be in the loopback range (127.0.0.0/8, "
       "::1/128)\n"
       "endpoints[1].addresses[1]: Invalid value: \"::1\": must be a valid IPv4 address\n"
       "endpoints[1].addresses[1]: Invalid value: \"::1\": may not be in the loopback range (127.0.0.0/8, ::1/128)\n"
       "endpoints[1].addresses[2]: Invalid value: \"0.0.0.0\": may not be unspecified (0.0.0.0)"},
      {"addressType: FQDN\nendpoints: [{addresses: [host, a.example.]}]",
       "endpoints[0].addresses[0]: Invalid value: \"host\": should be a domain with at least two segments separated by "
       "dots"},
      {"addressType: DNS\nports: [{name: a}, {name: a, protocol: X}]",
       "addressType: Unsupported value: \"DNS\": supported values: \"FQDN\", \"IPv4\", \"IPv6\"\n"
       "ports[1].name: Duplicate value: \"a\"\n"
       "ports[1].protocol: Unsupported value: \"X\": supported values: \"SCTP\", \"TCP\", \"UDP\""},
  };
  for (const auto& [yaml, errors] : cases) BOOST_TEST(kinds.CreateErrors(kSlices, yaml) == errors);
  BOOST_TEST(kinds.UpdateErrors(kSlices, "", "addressType: IPv6", "addressType: IPv4") ==
             "addressType: Invalid value: \"IPv6\": field is immutable");
}

BOOST_AUTO_TEST_CASE(generations_and_rows) {
  TestKinds kinds(DiscoveryKinds({}));
  constexpr std::string_view kSlice =
      "metadata: {name: s}\naddressType: IPv4\nendpoints: [{addresses: [10.0.0.1, 10.0.0.2]}, {addresses: [10.0.0.3]}, "
      "{addresses: [10.0.0.4]}]\nports: [{port: 80}, {name: x}]";
  const Object old = kinds.Created(kSlices, kSlice);
  BOOST_TEST(kinds.Updated(kSlices, "", kSlice, old).metadata().generation() == 1);
  BOOST_TEST(kinds.Updated(kSlices, "", "addressType: IPv4", old).metadata().generation() == 2);
  BOOST_TEST(kinds.Header(kSlices) == "Name | AddressType | Ports | Endpoints | Age");
  BOOST_TEST(kinds.Row(kSlices, kSlice) == "s | IPv4 | 80,x | 10.0.0.1,10.0.0.2,10.0.0.3 + 1 more... | <unknown>");
  BOOST_TEST(kinds.Row(kSlices, "metadata: {name: s}\naddressType: IPv4") ==
             "s | IPv4 | <unset> | <unset> | <unknown>");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::registry
