#include "pkg/apiserver/auth/serviceaccount/jwt.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <boost/json.hpp>

#include "pkg/apiserver/auth/base64url.h"

namespace knarr::auth::jwt {
namespace {

template <auto Free>
struct Deleter {
  template <typename T>
  void operator()(T* p) const {
    Free(p);
  }
};
using KeyPtr = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using BioPtr = std::unique_ptr<BIO, Deleter<BIO_free_all>>;
using X509Ptr = std::unique_ptr<X509, Deleter<X509_free>>;
using MdPtr = std::unique_ptr<EVP_MD_CTX, Deleter<EVP_MD_CTX_free>>;
using SigPtr = std::unique_ptr<ECDSA_SIG, Deleter<ECDSA_SIG_free>>;
using NumberPtr = std::unique_ptr<BIGNUM, Deleter<BN_free>>;

constexpr size_t kMaxPem = 1 << 20;
constexpr int kMaxKeys = 64;
constexpr int kMinRsaBits = 1024;

struct Algorithm {
  std::string_view name, curve, group;  // curve as JWK and as OpenSSL call it; "" for RSA
  const EVP_MD* (*digest)();
  size_t half;  // bytes of r and of s
};
constexpr Algorithm kAlgorithms[] = {
    {"RS256", "", "", EVP_sha256, 0},
    {"ES256", "P-256", "prime256v1", EVP_sha256, 32},
    {"ES384", "P-384", "secp384r1", EVP_sha384, 48},
    {"ES512", "P-521", "secp521r1", EVP_sha512, 66},
};

const Algorithm* FindAlgorithm(std::string_view name) {
  for (const Algorithm& algorithm : kAlgorithms) {
    if (algorithm.name == name) return &algorithm;
  }
  return nullptr;
}

// What this key signs with; null for kinds and sizes that are not used.
const Algorithm* AlgorithmOf(EVP_PKEY* key) {
  if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA)
    return EVP_PKEY_get_bits(key) >= kMinRsaBits ? &kAlgorithms[0] : nullptr;
  if (EVP_PKEY_get_base_id(key) != EVP_PKEY_EC) return nullptr;
  char group[64];
  size_t size = 0;
  if (EVP_PKEY_get_group_name(key, group, sizeof(group), &size) != 1) return nullptr;
  for (const Algorithm& algorithm : kAlgorithms) {
    if (!algorithm.group.empty() && algorithm.group == std::string_view(group, size)) return &algorithm;
  }
  return nullptr;
}

std::string Take(unsigned char* bytes, int size) {
  std::string out(reinterpret_cast<const char*>(bytes), size > 0 ? static_cast<size_t>(size) : 0);
  OPENSSL_free(bytes);
  return out;
}

std::string PublicDer(EVP_PKEY* key) {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key, &der);
  return Take(der, size);
}

std::string NumberParam(EVP_PKEY* key, const char* name, size_t width) {
  BIGNUM* raw = nullptr;
  if (EVP_PKEY_get_bn_param(key, name, &raw) != 1) return {};
  const NumberPtr number(raw);
  const size_t size = width == 0 ? static_cast<size_t>(BN_num_bytes(number.get())) : width;
  std::string bytes(size, '\0');
  if (BN_bn2binpad(number.get(), reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(size)) < 0) return {};
  return bytes;
}

// One PEM block's key, private where it has one; null for blocks of other kinds.
KeyPtr KeyOfBlock(std::string_view kind, const unsigned char* der, long size) {
  const unsigned char* at = der;
  if (kind == "PUBLIC KEY") return KeyPtr(d2i_PUBKEY(nullptr, &at, size));
  if (kind == "RSA PUBLIC KEY") return KeyPtr(d2i_PublicKey(EVP_PKEY_RSA, nullptr, &at, size));
  if (kind == "CERTIFICATE") {
    const X509Ptr cert(d2i_X509(nullptr, &at, size));
    return cert ? KeyPtr(X509_get_pubkey(cert.get())) : nullptr;
  }
  if (kind == "RSA PRIVATE KEY" || kind == "EC PRIVATE KEY" || kind == "PRIVATE KEY")
    return KeyPtr(d2i_AutoPrivateKey(nullptr, &at, size));
  return nullptr;
}

std::vector<std::pair<KeyPtr, bool>> KeysOfPem(std::string_view pem) {
  std::vector<std::pair<KeyPtr, bool>> keys;
  if (pem.size() > kMaxPem) return keys;
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  char *kind = nullptr, *header = nullptr;
  unsigned char* der = nullptr;
  long size = 0;
  for (int i = 0; i < kMaxKeys && PEM_read_bio(bio.get(), &kind, &header, &der, &size) == 1; ++i) {
    const std::string_view name(kind);
    KeyPtr key = KeyOfBlock(name, der, size);
    if (key && AlgorithmOf(key.get()) != nullptr) keys.emplace_back(std::move(key), name.ends_with("PRIVATE KEY"));
    OPENSSL_free(kind);
    OPENSSL_free(header);
    OPENSSL_clear_free(der, static_cast<size_t>(size));
  }
  ERR_clear_error();
  return keys;
}

Result<boost::json::object> ParseObject(std::string_view text) {
  boost::system::error_code error;
  boost::json::parse_options options;
  options.max_depth = 16;
  boost::json::value value = boost::json::parse({text.data(), text.size()}, error, {}, options);
  if (error || !value.is_object()) return Error(Code::kUnauthorized, "token: malformed JSON");
  return std::move(value.as_object());
}

}  // namespace

struct KeyData {
  KeyPtr key;
  const Algorithm* algorithm = nullptr;
};

namespace {

std::shared_ptr<KeyData> MakeKeyData(KeyPtr key) {
  auto data = std::make_shared<KeyData>();
  data->algorithm = AlgorithmOf(key.get());
  data->key = std::move(key);
  return data;
}

}  // namespace

Result<std::vector<PublicKey>> PublicKey::ParsePem(std::string_view pem, std::string_view name) {
  std::vector<PublicKey> out;
  for (auto& [key, is_private] : KeysOfPem(pem)) {
    PublicKey made;
    const std::string der = PublicDer(key.get());
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (der.empty() || EVP_Digest(der.data(), der.size(), digest, &size, EVP_sha256(), nullptr) != 1) continue;
    made.id_ = EncodeBase64Url({reinterpret_cast<const char*>(digest), size});
    made.algorithm_ = AlgorithmOf(key.get())->name;
    // Of a private key only the public half is kept.
    const auto* at = reinterpret_cast<const unsigned char*>(der.data());
    if (KeyPtr half{d2i_PUBKEY(nullptr, &at, static_cast<long>(der.size()))}) {
      made.key_ = MakeKeyData(std::move(half));
      out.push_back(std::move(made));
    }
  }
  if (out.empty())
    return Error(Code::kInvalid,
                 "error reading public key file {}: data does not contain any valid RSA or ECDSA public keys", name);
  return out;
}

bool PublicKey::Verify(std::string_view signing_input, std::string_view signature) const {
  const Algorithm& algorithm = *key_->algorithm;
  std::string der;
  if (algorithm.half != 0) {
    if (signature.size() != 2 * algorithm.half) return false;
    const auto* bytes = reinterpret_cast<const unsigned char*>(signature.data());
    const int half = static_cast<int>(algorithm.half);
    const SigPtr pair(ECDSA_SIG_new());
    if (ECDSA_SIG_set0(pair.get(), BN_bin2bn(bytes, half, nullptr), BN_bin2bn(bytes + half, half, nullptr)) != 1)
      return false;
    unsigned char* out = nullptr;
    const int size = i2d_ECDSA_SIG(pair.get(), &out);
    der = Take(out, size);
    signature = der;
  }
  const MdPtr ctx(EVP_MD_CTX_new());
  const bool good =
      EVP_DigestVerifyInit(ctx.get(), nullptr, algorithm.digest(), nullptr, key_->key.get()) == 1 &&
      EVP_DigestVerify(ctx.get(), reinterpret_cast<const unsigned char*>(signature.data()), signature.size(),
                       reinterpret_cast<const unsigned char*>(signing_input.data()), signing_input.size()) == 1;
  ERR_clear_error();
  return good;
}

std::string PublicKey::ToJwk() const {
  EVP_PKEY* key = key_->key.get();
  const Algorithm& algorithm = *key_->algorithm;
  if (algorithm.half == 0) {
    return fmt::format(R"({{"use":"sig","kty":"RSA","kid":"{}","alg":"{}","n":"{}","e":"{}"}})", id_, algorithm_,
                       EncodeBase64Url(NumberParam(key, OSSL_PKEY_PARAM_RSA_N, 0)),
                       EncodeBase64Url(NumberParam(key, OSSL_PKEY_PARAM_RSA_E, 0)));
  }
  return fmt::format(R"({{"use":"sig","kty":"EC","kid":"{}","crv":"{}","alg":"{}","x":"{}","y":"{}"}})", id_,
                     algorithm.curve, algorithm_,
                     EncodeBase64Url(NumberParam(key, OSSL_PKEY_PARAM_EC_PUB_X, algorithm.half)),
                     EncodeBase64Url(NumberParam(key, OSSL_PKEY_PARAM_EC_PUB_Y, algorithm.half)));
}

Result<Signer> Signer::ParsePem(std::string_view pem, std::string_view name) {
  std::vector<std::pair<KeyPtr, bool>> keys = KeysOfPem(pem);
  const auto found = std::find_if(keys.begin(), keys.end(), [](const auto& key) { return key.second; });
  if (found == keys.end())
    return Error(Code::kInvalid,
                 "error reading private key file {}: data does not contain a valid RSA or ECDSA private key", name);
  Signer signer;
  signer.key_ = KNARR_TRY(PublicKey::ParsePem(pem, name)).front();
  // Several keys in one file: the public half must be this one's.
  for (const PublicKey& candidate : KNARR_TRY(PublicKey::ParsePem(pem, name))) {
    if (EVP_PKEY_eq(candidate.key_->key.get(), found->first.get()) == 1) signer.key_ = candidate;
  }
  signer.key_.key_ = MakeKeyData(std::move(found->first));
  return signer;
}

Result<std::string> Signer::Sign(std::string_view payload_json) const {
  const Algorithm& algorithm = *key_.key_->algorithm;
  const std::string header = fmt::format(R"({{"alg":"{}","kid":"{}"}})", algorithm.name, key_.id());
  std::string token = EncodeBase64Url(header) + "." + EncodeBase64Url(payload_json);
  const auto* input = reinterpret_cast<const unsigned char*>(token.data());
  const MdPtr ctx(EVP_MD_CTX_new());
  size_t size = 0;
  if (EVP_DigestSignInit(ctx.get(), nullptr, algorithm.digest(), nullptr, key_.key_->key.get()) != 1 ||
      EVP_DigestSign(ctx.get(), nullptr, &size, input, token.size()) != 1) {
    ERR_clear_error();
    return Error(Code::kInternal, "sign token: the key refuses");
  }
  std::string signature(size, '\0');
  if (EVP_DigestSign(ctx.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, input, token.size()) != 1) {
    ERR_clear_error();
    return Error(Code::kInternal, "sign token: the key refuses");
  }
  signature.resize(size);
  if (algorithm.half != 0) {
    const auto* der = reinterpret_cast<const unsigned char*>(signature.data());
    const SigPtr pair(d2i_ECDSA_SIG(nullptr, &der, static_cast<long>(signature.size())));
    const int half = static_cast<int>(algorithm.half);
    std::string raw(2 * algorithm.half, '\0');
    auto* out = reinterpret_cast<unsigned char*>(raw.data());
    if (!pair || BN_bn2binpad(ECDSA_SIG_get0_r(pair.get()), out, half) < 0 ||
        BN_bn2binpad(ECDSA_SIG_get0_s(pair.get()), out + half, half) < 0) {
      return Error(Code::kInternal, "sign token: malformed signature");
    }
    signature = std::move(raw);
  }
  return token + "." + EncodeBase64Url(signature);
}

Result<Token> Parse(std::string_view token) {
  const Status malformed(Code::kUnauthorized, "token: compact JWS format must have three parts");
  if (token.size() > kMaxToken) return Error(Code::kUnauthorized, "token: too long");
  const size_t first = token.find('.');
  if (first == std::string_view::npos) return malformed;
  const size_t second = token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) return malformed;

  Token out;
  const std::string header_text = KNARR_TRY(DecodeBase64Url(token.substr(0, first)));
  out.payload = KNARR_TRY(DecodeBase64Url(token.substr(first + 1, second - first - 1)));
  out.signature = KNARR_TRY(DecodeBase64Url(token.substr(second + 1)));
  out.signing_input = token.substr(0, second);

  const boost::json::object header = KNARR_TRY(ParseObject(header_text));
  if (header.contains("crit")) return Error(Code::kUnauthorized, "token: unsupported crit header");
  const auto text = [&](const char* name, std::string* to) {
    const auto* value = header.if_contains(name);
    if (value == nullptr) return true;
    if (!value->is_string()) return false;
    *to = std::string(value->as_string().data(), value->as_string().size());
    return true;
  };
  if (!text("alg", &out.algorithm) || !text("kid", &out.key_id))
    return Error(Code::kUnauthorized, "token: malformed header");
  if (FindAlgorithm(out.algorithm) == nullptr) return Error(Code::kUnauthorized, "token: unsupported algorithm");
  KNARR_TRY(ParseObject(out.payload));
  return out;
}

bool VerifiedBy(const Token& token, const std::vector<PublicKey>& keys) {
  return std::any_of(keys.begin(), keys.end(), [&](const PublicKey& key) {
    return key.algorithm() == token.algorithm && (token.key_id.empty() || token.key_id == key.id()) &&
           key.Verify(token.signing_input, token.signature);
  });
}

}  // namespace knarr::auth::jwt
