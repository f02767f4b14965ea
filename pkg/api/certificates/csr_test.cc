#include "pkg/api/certificates/csr.h"

#include <boost/test/unit_test.hpp>

namespace knarr::certificates {
namespace {

constexpr std::string_view kClient = R"(-----BEGIN CERTIFICATE REQUEST-----
MIHrMIGSAgEAMDAxFTATBgNVBAoMDHN5c3RlbTpub2RlczEXMBUGA1UEAwwOc3lz
dGVtOm5vZGU6bjEwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASNFmhCtqj/h8Du
L7nbG1hHUggYroefYhRDhwaq5i2cQb0nKLgAnXhueOBibGFIge9o47uvDCxiWVGR
wYagJaWuoAAwCgYIKoZIzj0EAwIDSAAwRQIhAIlQc9qSqRsSOkQUqsRvQcQ1Pnwq
suiwtfAL2SdQgwZ4AiBUUHxemgPqjRTVbvGwfaEf8Nhv3J/jslzgTpDb1CfqOQ==
-----END CERTIFICATE REQUEST-----
)";
constexpr std::string_view kServing = R"(-----BEGIN CERTIFICATE REQUEST-----
MIIBETCBuAIBADAwMRUwEwYDVQQKDAxzeXN0ZW06bm9kZXMxFzAVBgNVBAMMDnN5
c3RlbTpub2RlOm4xMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYZzkV01/K8zh
26c3b/cYj20SYBktf3vIgIrNOZlByycfpgzDszazOhuVJMwLo+Zlef1zpxaxpJKs
GKvNmI4UWaAmMCQGCSqGSIb3DQEJDjEXMBUwEwYDVR0RBAwwCoICbjGHBAoAAAEw
CgYIKoZIzj0EAwIDSAAwRQIgYsPwfiHB97lmu/Ar9iZjTXEn5TODY1x+fffjyxiE
+cACIQDVp58tnchBKy1l77Nt/cQl1uLA5Gl60noNPfhKl4WjbA==
-----END CERTIFICATE REQUEST-----
)";
constexpr std::string_view kCertificate = R"(-----BEGIN CERTIFICATE-----
MIIBbjCCARWgAwIBAgIUc/IF4gCCxq+oFeQzsune59KTO7owCgYIKoZIzj0EAwIw
DDEKMAgGA1UEAwwBYzAgFw0yNjExMjAyMDQ0MzBaGA8yMTI2MTAyNzIwNDQzMFow
DDEKMAgGA1UEAwwBYzBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABIKd5dDOUb5q
NqMIx8oPKTrYhVRQUmts+9G6lMw4JQVIh0siy4NaGhDBLCAnzIcZa0L6J43Wy0Uz
LtjtChxNzX2jUzBRMB0GA1UdDgQWBBQm0O9My+VVV40G6zWjZ3HMvlY4fTAfBgNV
HSMEGDAWgBQm0O9My+VVV40G6zWjZ3HMvlY4fTAPBgNVHRMBAf8EBTADAQH/MAoG
CCqGSM49BAMCA0cAMEQCIFWu7cX+f/e53IkmWu/dA6ylCPpX0ApD5bgygRNCsjbO
AiA5MMG0x9sKbUUDzHVjXnVfP70tyicvwEewdK57dzhIfg==
-----END CERTIFICATE-----
)";

std::string ErrorOf(const Status& status) {
  return status.ok() ? "" : std::string(status.message());
}

BOOST_AUTO_TEST_SUITE(csr)

BOOST_AUTO_TEST_CASE(requests_are_read) {
  const auto request = ParseRequest(kServing);
  BOOST_REQUIRE(request.ok());
  BOOST_TEST(request->common_name == "system:node:n1");
  BOOST_REQUIRE(request->organizations.size() == 1u);
  BOOST_TEST(request->organizations[0] == "system:nodes");
  BOOST_REQUIRE(request->dns_names.size() == 1u);
  BOOST_TEST(request->dns_names[0] == "n1");
  BOOST_TEST(request->ip_addresses == 1);
  BOOST_TEST(ErrorOf(CheckRequest(kServing)) == "");
}

BOOST_AUTO_TEST_CASE(what_is_no_request) {
  BOOST_TEST(ErrorOf(CheckRequest("")) == "PEM block type must be CERTIFICATE REQUEST");
  BOOST_TEST(ErrorOf(CheckRequest(kCertificate)) == "PEM block type must be CERTIFICATE REQUEST");
  // A bit of the signature is another.
  std::string broken(kClient);
  const size_t at = broken.rfind("-----END") - 12;
  broken[at] = broken[at] == 'A' ? 'B' : 'A';
  BOOST_TEST(!CheckRequest(broken).ok());
}

BOOST_AUTO_TEST_CASE(certificates_only) {
  BOOST_TEST(ErrorOf(CheckCertificates("")) == "");
  BOOST_TEST(ErrorOf(CheckCertificates(kCertificate)) == "");
  BOOST_TEST(ErrorOf(CheckCertificates(std::string(kCertificate) + std::string(kCertificate))) == "");
  BOOST_TEST(ErrorOf(CheckCertificates("abc")) == "must contain at least one CERTIFICATE PEM block");
  BOOST_TEST(ErrorOf(CheckCertificates(kClient)) ==
             "only CERTIFICATE PEM blocks are allowed, found \"CERTIFICATE REQUEST\"");
}

BOOST_AUTO_TEST_CASE(default_signers) {
  const std::vector<std::string> client = {"digital signature", "key encipherment", "client auth"};
  const std::vector<std::string> server = {"digital signature", "server auth"};
  BOOST_TEST(DefaultSignerName(kClient, client) == "kubernetes.io/kube-apiserver-client-kubelet");
  BOOST_TEST(DefaultSignerName(kServing, server) == "kubernetes.io/kubelet-serving");
  BOOST_TEST(DefaultSignerName(kClient, server) == "kubernetes.io/legacy-unknown");
  BOOST_TEST(DefaultSignerName(kServing, client) == "kubernetes.io/legacy-unknown");
  BOOST_TEST(DefaultSignerName("x", client) == "kubernetes.io/legacy-unknown");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::certificates
