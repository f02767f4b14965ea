#include "pkg/apiserver/auth/serviceaccount/jwt.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "pkg/apiserver/auth/base64url.h"
#include "pkg/apiserver/auth/serviceaccount/test_keys.h"

namespace knarr::auth::jwt {
namespace {

// Made with the openssl command line: genrsa, ecparam, dgst -sha256 -sign.
constexpr std::string_view kRsaPublic = R"(-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAzB4FcA5zSvNOazjYT3wZ
iAA/J63S7I2GTplDSl975oKBJ220ZZ0J9yUCr84X539zvaE+1y2/NysJRJvoC5xt
XYExE+7VJ3GZ0dnrzs+8yoqQ2nh6tvhwwTQK34ihP5hUAJNGNLnKTKKh/NppXGJ9
+oHH+GxEyzBW/ajQ1Q1HqDsKzbnOJ1gMW9QTu9D7t+RjL3O/RrzuPIqaHy/Z2Q1U
CWwcLC+ih2oZyLZQo72SDjs1WjxmBMHWuXn1gSQttp+R7ulU+1v1tHpcblDPbcjV
NQVSNxASlKNIG3Xy70esAqSDI4EUSSDaKSC6WHP26DuUSxl+ctAouyph9vjdEZnO
GwIDAQAB
-----END PUBLIC KEY-----
)";
constexpr std::string_view kRsaToken =
    "eyJhbGciOiJSUzI1NiIsImtpZCI6IktOQmo5ZjhmNnRmcnNmd1FKNXdTOURMTmhMQTlLczRDRHgwWko2ZlZybkEifQ."
    "eyJpc3MiOiJodHRwczovL2t1YmVybmV0ZXMuZGVmYXVsdC5zdmMiLCJzdWIiOiJ4In0."
    "JI2_7oy1BRhyFVTxpclTdlpjPrKewvp512FmM-TQYmcziSTrEePhJGH7ZrQ8zv7AA7Kj9rVREHRwZSH6yM284fdCmFm8bdFOYplZnM7_"
    "i0VpeKFAf-zftpuRh2YVCGIsrtqtMKHQgvzzsRAA31sKGALwthNnBFCdf9mkiiiZK-"
    "dXeZzCOhbDSp560Xr9P3npdYvpdr2ntqINOFJBMIoRt7Yjqaa"
    "gbw3BamdebqBBS44cnk2DWaawAx2aApBmDweUf02pgLZSA0f7HTaRg64kAdu_"
    "V54utqoxkuvhJmAmpiia6HKFZshjKq3gFZyF9EM8vf0z5wJEerVYA8"
    "7NbHXxhQ";
constexpr std::string_view kEcPublic = R"(-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAELGUzig0lQVE5Hm1ks/qQdaqUcBm3
L09n4q7G6XH9PRdbsNM29O8dx0QlOvn0+9HqKpt7LzWnd+X5bksU0GZZRA==
-----END PUBLIC KEY-----
)";
constexpr std::string_view kEcToken =
    "eyJhbGciOiJFUzI1NiIsImtpZCI6IklUcGpVRlJOQTVrX25VTnJMMmdtRUpYX3RCN291ZjlJT0thYkxmMFJTSlEifQ."
    "eyJpc3MiOiJodHRwczovL2t1YmVybmV0ZXMuZGVmYXVsdC5zdmMiLCJzdWIiOiJ4In0."
    "eBNk4N37ByAMw_BLCN0uHKN9eemsXMdqsEBhaayLxx12Es9rgJ6oBNSZt6NlSXhobWW0C9olGliUBotDH_J0cg";

std::vector<PublicKey> Keys(std::string_view pem) {
  return *PublicKey::ParsePem(pem, "test.pub");
}

std::string Raw(std::string_view header, std::string_view payload, std::string_view signature) {
  return EncodeBase64Url(header) + "." + EncodeBase64Url(payload) + "." + EncodeBase64Url(signature);
}

BOOST_AUTO_TEST_SUITE(jwt_tokens)

BOOST_AUTO_TEST_CASE(tokens_and_key_ids_of_openssl_are_ours) {
  const auto rsa = Keys(kRsaPublic), ec = Keys(kEcPublic);
  BOOST_TEST(rsa.at(0).id() == "KNBj9f8f6tfrsfwQJ5wS9DLNhLA9Ks4CDx0ZJ6fVrnA");
  BOOST_TEST(ec.at(0).id() == "ITpjUFRNA5k_nUNrL2gmEJX_tB7ouf9IOKabLf0RSJQ");
  const Token rsa_token = *Parse(kRsaToken), ec_token = *Parse(kEcToken);
  BOOST_TEST(rsa_token.payload == R"({"iss":"https://kubernetes.default.svc","sub":"x"})");
  BOOST_TEST(VerifiedBy(rsa_token, rsa));
  BOOST_TEST(VerifiedBy(ec_token, ec));
  BOOST_TEST(!VerifiedBy(rsa_token, ec));
  BOOST_TEST(!VerifiedBy(ec_token, rsa));
  BOOST_TEST(!VerifiedBy(ec_token, {}));
  BOOST_TEST(VerifiedBy(ec_token, {rsa[0], ec[0]}));
  BOOST_TEST(ec[0].ToJwk() ==
             R"({"use":"sig","kty":"EC","kid":"ITpjUFRNA5k_nUNrL2gmEJX_tB7ouf9IOKabLf0RSJQ","crv":"P-256",)"
             R"("alg":"ES256","x":"LGUzig0lQVE5Hm1ks_qQdaqUcBm3L09n4q7G6XH9PRc",)"
             R"("y":"W7DTNvTvHcdEJTr59PvR6iqbey81p3fl-W5LFNBmWUQ"})");
  BOOST_TEST(rsa[0].ToJwk().starts_with(
      R"({"use":"sig","kty":"RSA","kid":"KNBj9f8f6tfrsfwQJ5wS9DLNhLA9Ks4CDx0ZJ6fVrnA","alg":"RS256","n":"zB4FcA5z)"));
  BOOST_TEST(rsa[0].ToJwk().ends_with(R"(","e":"AQAB"})"));
}

BOOST_AUTO_TEST_CASE(what_is_signed_is_verified_and_a_changed_byte_is_not) {
  for (const std::string& pem : {NewRsaKey(), NewEcKey("P-256"), NewEcKey("P-384"), NewEcKey("P-521")}) {
    const Signer signer = *Signer::ParsePem(pem, "k");
    const std::string text = *signer.Sign(R"({"sub":"x"})");
    const Token token = *Parse(text);
    BOOST_TEST(token.key_id == signer.public_key().id());
    const auto keys = Keys(pem);
    BOOST_TEST(VerifiedBy(token, keys));
    Token changed = token;
    changed.signing_input.back() = changed.signing_input.back() == 'A' ? 'B' : 'A';
    BOOST_TEST(!VerifiedBy(changed, keys));
    changed = token;
    changed.signature[changed.signature.size() / 2] =
        static_cast<char>(changed.signature[changed.signature.size() / 2] ^ 1);
    BOOST_TEST(!VerifiedBy(changed, keys));
    changed = token;
    changed.signature.clear();
    BOOST_TEST(!VerifiedBy(changed, keys));
    changed = token;
    changed.signature += '\0';
    BOOST_TEST(!VerifiedBy(changed, keys));
  }
}

// CVE-2022-21449: r = s = 0 satisfied a careless verifier.
BOOST_AUTO_TEST_CASE(a_signature_of_zeros_is_none) {
  Token token = *Parse(kEcToken);
  token.signature.assign(64, '\0');
  BOOST_TEST(!VerifiedBy(token, Keys(kEcPublic)));
}

// CVE-2015-9235 and its kin: the header must not choose how its token is verified.
BOOST_AUTO_TEST_CASE(algorithms_are_of_the_key_not_of_the_header) {
  const std::string payload = R"({"iss":"https://kubernetes.default.svc"})";
  for (const std::string_view none : {"none", "None", "NONE", "", "HS256", "PS256", "RS512", "EdDSA"}) {
    BOOST_TEST(!Parse(Raw(fmt::format(R"({{"alg":"{}"}})", none), payload, "")).ok(), none);
    BOOST_TEST(!Parse(Raw(fmt::format(R"({{"alg":"{}"}})", none), payload, "x")).ok(), none);
  }
  // A MAC keyed with the public key's text.
  const std::string input = EncodeBase64Url(R"({"alg":"HS256"})") + "." + EncodeBase64Url(payload);
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_sha256(), kRsaPublic.data(), static_cast<int>(kRsaPublic.size()),
       reinterpret_cast<const unsigned char*>(input.data()), input.size(), mac, &size);
  const std::string forged = input + "." + EncodeBase64Url({reinterpret_cast<const char*>(mac), size});
  BOOST_TEST(!Parse(forged).ok());
  // The right signature under the wrong name.
  Token token = *Parse(kRsaToken);
  token.algorithm = "ES256";
  BOOST_TEST(!VerifiedBy(token, Keys(kRsaPublic)));
}

BOOST_AUTO_TEST_CASE(a_key_id_that_is_not_known_finds_no_key) {
  Token token = *Parse(kRsaToken);
  token.key_id = "other";
  BOOST_TEST(!VerifiedBy(token, Keys(kRsaPublic)));
  token.key_id.clear();
  BOOST_TEST(VerifiedBy(token, Keys(kRsaPublic)));
}

constexpr std::string_view kMalformed[] = {
    "",
    ".",
    "..",
    "a.b",
    "a.b.c.d",
    "e30.e30.",                                   // no algorithm
    "eyJhbGciOiJSUzI1NiJ9.W10.AA",                // claims are a list
    "W10.e30.AA",                                 // header is a list
    "eyJhbGciOiJSUzI1NiJ9.e30.A",                 // impossible length
    "eyJhbGciOiJSUzI1NiJ9.e30.AB",                // stray bits
    "eyJhbGciOiJSUzI1NiJ9.e30.AA==",              // padding
    "eyJhbGciOiJSUzI1NiJ9 .e30.AA",               // white space
    "eyJhbGciOiJSUzI1NiJ9.e3+/.AA",               // the other alphabet
    "eyJhbGciOjF9.e30.AA",                        // the algorithm is a number
    "eyJhbGciOiJSUzI1NiIsImNyaXQiOltdfQ.e30.AA",  // critical extensions
};
BOOST_DATA_TEST_CASE(malformed_tokens_are_refused, boost::unit_test::data::make(kMalformed), text) {
  BOOST_TEST(!Parse(text).ok());
}

BOOST_AUTO_TEST_CASE(huge_tokens_are_refused_unread) {
  BOOST_TEST(Parse(std::string(kMaxToken + 1, 'A')).status().message() == "token: too long");
  const std::string deep = std::string(100, '[') + std::string(100, ']');
  BOOST_TEST(!Parse(Raw(R"({"alg":"RS256","x":)" + deep + "}", "{}", "x")).ok());
}

BOOST_AUTO_TEST_CASE(keys_come_in_every_pem_form_and_several_in_a_file) {
  const std::string rsa = NewRsaKey(), ec = NewEcKey("P-256");
  const auto both = Keys(rsa + "text between\n" + std::string(kEcPublic) + ec);
  BOOST_REQUIRE(both.size() == 3u);
  BOOST_TEST(both[0].algorithm() == "RS256");
  BOOST_TEST(both[1].algorithm() == "ES256");
  BOOST_TEST(!Signer::ParsePem(kEcPublic, "public").ok());
  BOOST_TEST(!PublicKey::ParsePem("garbage", "f").ok());
  BOOST_TEST(!PublicKey::ParsePem(NewEcKey("secp256k1"), "f").ok());
  // The first private key signs, wherever it stands.
  BOOST_TEST(Signer::ParsePem(std::string(kEcPublic) + ec, "f")->public_key().id() == Keys(ec)[0].id());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::auth::jwt
