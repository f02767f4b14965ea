// Issuing certificates: the kubelet's self-signed one, and those of tests.
// Mirrors: k8s.io/client-go/util/cert GenerateSelfSignedCertKey
#include <arpa/inet.h>

#include "pkg/base/file.h"
#include "pkg/net/tls/impl.h"
#include "pkg/net/tls/openssl.h"
#include "pkg/net/tls/tls.h"

namespace knarr::tls {
namespace {

using namespace internal;
using std::chrono::hours;

constexpr auto kLifetime = hours(24 * 365);
constexpr auto kBackdate = hours(1);

std::string TakePem(const BioPtr& bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<size_t>(size)};
}

BioPtr PemBio(std::string_view text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

Status AddExtension(X509* cert, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, cert, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  if (extension == nullptr) return Error(Code::kInvalid, "certificate extension {}: {}", value, LastError());
  X509_add_ext(cert, extension, -1);
  X509_EXTENSION_free(extension);
  return {};
}

bool IsAddress(const std::string& text) {
  in6_addr buffer{};
  return ::inet_pton(AF_INET, text.c_str(), &buffer) == 1 || ::inet_pton(AF_INET6, text.c_str(), &buffer) == 1;
}

// "DNS:node1,IP:10.0.0.1". A name may only hold what a host name holds: it goes into OpenSSL's little language.
Result<std::string> AltNames(const std::vector<std::string>& names) {
  std::string value;
  for (const std::string& name : names) {
    const bool address = IsAddress(name);
    if (!address && name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._*") !=
                        std::string::npos) {
      return Error(Code::kInvalid, "\"{}\" is neither a host name nor an address", name);
    }
    if (!value.empty()) value += ',';
    value += (address ? "IP:" : "DNS:") + name;
  }
  return value;
}

Status SetSerial(X509* cert) {
  BIGNUM* number = BN_new();
  BN_rand(number, 127, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY);
  BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));
  BN_free(number);
  return {};
}

void AddName(X509_NAME* name, const char* field, const std::string& value) {
  X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(value.data()),
                             static_cast<int>(value.size()), -1, 0);
}

// True when both files are there, fit and have more than half of their life left.
bool StillGood(const std::string& cert_file, const std::string& key_file, WallTime now) {
  const Result<std::string> cert_pem = ReadFile(cert_file, 1 << 20);
  const Result<std::string> key_pem = ReadFile(key_file, 1 << 20);
  if (!cert_pem.ok() || !key_pem.ok()) return false;
  const X509Ptr cert(PEM_read_bio_X509(PemBio(*cert_pem).get(), nullptr, nullptr, nullptr));
  const KeyPtr key(PEM_read_bio_PrivateKey(PemBio(*key_pem).get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (!cert || !key || X509_check_private_key(cert.get(), key.get()) != 1) return false;
  tm from{}, to{};
  if (ASN1_TIME_to_tm(X509_get0_notBefore(cert.get()), &from) != 1 ||
      ASN1_TIME_to_tm(X509_get0_notAfter(cert.get()), &to) != 1) {
    return false;
  }
  const auto not_before = std::chrono::system_clock::from_time_t(::timegm(&from));
  const auto not_after = std::chrono::system_clock::from_time_t(::timegm(&to));
  return now >= not_before && now < not_before + (not_after - not_before) / 2;
}

}  // namespace

Result<KeyPair> IssueCertificate(const CertTemplate& what, const KeyPair* issuer) {
  const KeyPtr key(EVP_EC_gen("P-256"));
  const X509Ptr cert(X509_new());
  if (!key || !cert) return Error(Code::kInternal, "new key: {}", LastError());
  X509Ptr issuer_cert;
  KeyPtr issuer_key;
  if (issuer != nullptr) {
    issuer_cert.reset(PEM_read_bio_X509(PemBio(issuer->cert_pem).get(), nullptr, nullptr, nullptr));
    issuer_key.reset(PEM_read_bio_PrivateKey(PemBio(issuer->key_pem).get(), nullptr, nullptr, nullptr));
    if (!issuer_cert || !issuer_key) return Error(Code::kInvalid, "issuer's certificate or key: {}", LastError());
  }
  X509_set_version(cert.get(), X509_VERSION_3);
  KNARR_TRY(SetSerial(cert.get()));
  ASN1_TIME_set(X509_getm_notBefore(cert.get()), std::chrono::system_clock::to_time_t(what.not_before));
  ASN1_TIME_set(X509_getm_notAfter(cert.get()), std::chrono::system_clock::to_time_t(what.not_after));
  X509_set_pubkey(cert.get(), key.get());
  X509_NAME* subject = X509_get_subject_name(cert.get());
  for (const std::string& organization : what.organizations) AddName(subject, "O", organization);
  AddName(subject, "CN", what.common_name);
  X509* signer = issuer_cert ? issuer_cert.get() : cert.get();
  X509_set_issuer_name(cert.get(), X509_get_subject_name(signer));
  KNARR_TRY(
      AddExtension(cert.get(), signer, NID_basic_constraints, what.ca ? "critical,CA:TRUE" : "critical,CA:FALSE"));
  KNARR_TRY(AddExtension(
      cert.get(), signer, NID_key_usage,
      what.ca ? "critical,digitalSignature,keyEncipherment,keyCertSign" : "critical,digitalSignature,keyEncipherment"));
  KNARR_TRY(AddExtension(cert.get(), signer, NID_subject_key_identifier, "hash"));
  if (issuer_cert) KNARR_TRY(AddExtension(cert.get(), signer, NID_authority_key_identifier, "keyid"));
  if (!what.ca)
    KNARR_TRY(AddExtension(cert.get(), signer, NID_ext_key_usage, what.client ? "clientAuth" : "serverAuth"));
  const std::string names = KNARR_TRY(AltNames(what.names));
  if (!names.empty()) KNARR_TRY(AddExtension(cert.get(), signer, NID_subject_alt_name, names));
  if (X509_sign(cert.get(), issuer_key ? issuer_key.get() : key.get(), EVP_sha256()) == 0) {
    return Error(Code::kInternal, "sign certificate: {}", LastError());
  }
  const BioPtr cert_out(BIO_new(BIO_s_mem())), key_out(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(cert_out.get(), cert.get());
  PEM_write_bio_PrivateKey(key_out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  return KeyPair{TakePem(cert_out), TakePem(key_out)};
}

Result<bool> EnsureSelfSigned(const SelfSignedOptions& options, Clock& clock) {
  const std::string cert_file = JoinPath(options.dir, options.name + ".crt");
  const std::string key_file = JoinPath(options.dir, options.name + ".key");
  const WallTime now = clock.Now();
  if (StillGood(cert_file, key_file, now)) return false;
  const auto stamp = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  CertTemplate ca{.common_name = fmt::format("{}-ca@{}", options.host, stamp),
                  .ca = true,
                  .not_before = now - kBackdate,
                  .not_after = now + kLifetime};
  const KeyPair authority = KNARR_TRY(IssueCertificate(ca, nullptr));
  CertTemplate leaf{.common_name = fmt::format("{}@{}", options.host, stamp),
                    .names = {options.host},
                    .not_before = ca.not_before,
                    .not_after = ca.not_after};
  leaf.names.insert(leaf.names.end(), options.alternates.begin(), options.alternates.end());
  const KeyPair pair = KNARR_TRY(IssueCertificate(leaf, &authority));
  KNARR_TRY_CTX(MakeDirs(options.dir), "certificate directory");
  KNARR_TRY(WriteFileAtomically(key_file, pair.key_pem, 0600));
  KNARR_TRY(WriteFileAtomically(cert_file, pair.cert_pem + authority.cert_pem, 0644));
  return true;
}

}  // namespace knarr::tls
