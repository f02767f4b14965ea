#include "pkg/api/certificates/csr.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <climits>
#include <memory>
#include <set>

namespace knarr::certificates {
namespace {

template <auto Free>
struct Deleter {
  template <typename T>
  void operator()(T* value) const {
    Free(value);
  }
};
using Request = std::unique_ptr<X509_REQ, Deleter<X509_REQ_free>>;
using Certificate = std::unique_ptr<X509, Deleter<X509_free>>;
using Bio = std::unique_ptr<BIO, Deleter<BIO_free>>;

void FreeExtensions(STACK_OF(X509_EXTENSION) * extensions) {
  sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
}

struct Block {
  std::string type;
  std::string headers;
  std::string der;
};

// One after another; stops at the first that is no PEM. OpenSSL skips text between blocks, as Go does.
class PemReader {
 public:
  explicit PemReader(std::string_view pem)
      : bio_(BIO_new_mem_buf(pem.data(), static_cast<int>(std::min<size_t>(pem.size(), INT_MAX)))) {}

  bool Next(Block* block) {
    char* name = nullptr;
    char* header = nullptr;
    unsigned char* data = nullptr;
    long length = 0;
    const bool ok = bio_ != nullptr && PEM_read_bio(bio_.get(), &name, &header, &data, &length) == 1;
    if (ok) {
      block->type = name;
      block->headers = header;
      block->der.assign(reinterpret_cast<const char*>(data), static_cast<size_t>(length));
    }
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(data);
    ERR_clear_error();
    return ok;
  }

 private:
  Bio bio_;
};

std::string Text(const ASN1_STRING* value) {
  if (value == nullptr) return {};
  unsigned char* utf8 = nullptr;
  const int length = ASN1_STRING_to_UTF8(&utf8, value);
  if (length < 0) return {};
  std::string text(reinterpret_cast<const char*>(utf8), static_cast<size_t>(length));
  OPENSSL_free(utf8);
  return text;
}

Result<Request> Decode(std::string_view pem) {
  Block block;
  if (!PemReader(pem).Next(&block) || block.type != "CERTIFICATE REQUEST") {
    return Status(Code::kInvalid, "PEM block type must be CERTIFICATE REQUEST");
  }
  const auto* data = reinterpret_cast<const unsigned char*>(block.der.data());
  const unsigned char* end = data + block.der.size();
  Request request(d2i_X509_REQ(nullptr, &data, static_cast<long>(block.der.size())));
  ERR_clear_error();
  if (request == nullptr) return Status(Code::kInvalid, "asn1: structure error: malformed certificate request");
  if (data != end) return Status(Code::kInvalid, "asn1: syntax error: trailing data");
  return request;
}

void AddText(const ASN1_STRING* text, std::vector<std::string>* out) {
  out->emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                    static_cast<size_t>(ASN1_STRING_length(text)));
}

void ReadAlternativeNames(X509_REQ* request, ParsedRequest* parsed) {
  std::unique_ptr<STACK_OF(X509_EXTENSION), Deleter<FreeExtensions>> extensions(X509_REQ_get_extensions(request));
  if (extensions == nullptr) return;
  std::unique_ptr<GENERAL_NAMES, Deleter<GENERAL_NAMES_free>> alternatives(
      static_cast<GENERAL_NAMES*>(X509V3_get_d2i(extensions.get(), NID_subject_alt_name, nullptr, nullptr)));
  if (alternatives == nullptr) return;
  for (int i = 0; i < sk_GENERAL_NAME_num(alternatives.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(alternatives.get(), i);
    if (name->type == GEN_DNS) AddText(name->d.dNSName, &parsed->dns_names);
    if (name->type == GEN_EMAIL) AddText(name->d.rfc822Name, &parsed->emails);
    if (name->type == GEN_URI) AddText(name->d.uniformResourceIdentifier, &parsed->uris);
    if (name->type == GEN_IPADD) ++parsed->ip_addresses;
  }
}

bool IsNode(const ParsedRequest& request) {
  return request.organizations == std::vector<std::string>{"system:nodes"} &&
         request.common_name.starts_with("system:node:");
}

bool HasUsages(const std::vector<std::string>& usages, const char* extended) {
  const std::set<std::string> have(usages.begin(), usages.end());
  return have == std::set<std::string>{"key encipherment", "digital signature", extended} ||
         have == std::set<std::string>{"digital signature", extended};
}

}  // namespace

Result<ParsedRequest> ParseRequest(std::string_view pem) {
  auto request = Decode(pem);
  if (!request.ok()) return request.error();
  ParsedRequest parsed;
  X509_NAME* subject = X509_REQ_get_subject_name(request->get());
  for (int i = 0; i < X509_NAME_entry_count(subject); ++i) {
    X509_NAME_ENTRY* entry = X509_NAME_get_entry(subject, i);
    const int nid = OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry));
    // The last common name counts, as in Go.
    if (nid == NID_commonName) parsed.common_name = Text(X509_NAME_ENTRY_get_data(entry));
    if (nid == NID_organizationName) parsed.organizations.push_back(Text(X509_NAME_ENTRY_get_data(entry)));
  }
  ReadAlternativeNames(request->get(), &parsed);
  ERR_clear_error();
  return parsed;
}

Status CheckRequest(std::string_view pem) {
  auto request = Decode(pem);
  if (!request.ok()) return request.error();
  EVP_PKEY* key = X509_REQ_get0_pubkey(request->get());
  const bool valid = key != nullptr && X509_REQ_verify(request->get(), key) == 1;
  ERR_clear_error();
  if (!valid) return Status(Code::kInvalid, "x509: certificate request signature verification failed");
  return Status();
}

// Mirrors: validateCertificate in pkg/apis/certificates/validation/validation.go
Status CheckCertificates(std::string_view pem) {
  if (pem.empty()) return Status();
  PemReader reader(pem);
  Block block;
  int count = 0;
  while (reader.Next(&block)) {
    ++count;
    if (block.type != "CERTIFICATE") {
      return Error(Code::kInvalid, "only CERTIFICATE PEM blocks are allowed, found \"{}\"", block.type);
    }
    if (!block.headers.empty()) return Status(Code::kInvalid, "no PEM block headers are permitted");
    const auto* data = reinterpret_cast<const unsigned char*>(block.der.data());
    const unsigned char* end = data + block.der.size();
    const Certificate certificate(d2i_X509(nullptr, &data, static_cast<long>(block.der.size())));
    ERR_clear_error();
    if (certificate == nullptr || data != end) return Status(Code::kInvalid, "x509: malformed certificate");
  }
  if (count == 0) return Status(Code::kInvalid, "must contain at least one CERTIFICATE PEM block");
  return Status();
}

std::string_view DefaultSignerName(std::string_view pem, const std::vector<std::string>& usages) {
  constexpr std::string_view kLegacy = "kubernetes.io/legacy-unknown";
  const auto request = ParseRequest(pem);
  if (!request.ok() || !IsNode(*request)) return kLegacy;
  const bool names = !request->dns_names.empty() || request->ip_addresses > 0;
  const bool foreign = !request->emails.empty() || !request->uris.empty();
  if (!names && !foreign && HasUsages(usages, "client auth")) return "kubernetes.io/kube-apiserver-client-kubelet";
  if (names && !foreign && HasUsages(usages, "server auth")) return "kubernetes.io/kubelet-serving";
  return kLegacy;
}

}  // namespace knarr::certificates
