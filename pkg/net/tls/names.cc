// Go's names of versions and cipher suites.
#include <array>
#include <utility>

#include "pkg/net/tls/tls.h"

namespace knarr::tls {
namespace {

struct Suite {
  std::string_view go;
  std::string_view openssl;
};
// crypto/tls CipherSuites() and the RSA ones of InsecureCipherSuites() that OpenSSL still has.
constexpr std::array kSuites{
    Suite{"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"},
    Suite{"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"},
    Suite{"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"},
    Suite{"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384"},
    Suite{"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"},
    Suite{"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305"},
    Suite{"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305", "ECDHE-ECDSA-CHACHA20-POLY1305"},
    Suite{"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305", "ECDHE-RSA-CHACHA20-POLY1305"},
    Suite{"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "ECDHE-ECDSA-AES128-SHA"},
    Suite{"TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "ECDHE-ECDSA-AES256-SHA"},
    Suite{"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "ECDHE-RSA-AES128-SHA"},
    Suite{"TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "ECDHE-RSA-AES256-SHA"},
    Suite{"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", "ECDHE-ECDSA-AES128-SHA256"},
    Suite{"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", "ECDHE-RSA-AES128-SHA256"},
    Suite{"TLS_RSA_WITH_AES_128_GCM_SHA256", "AES128-GCM-SHA256"},
    Suite{"TLS_RSA_WITH_AES_256_GCM_SHA384", "AES256-GCM-SHA384"},
    Suite{"TLS_RSA_WITH_AES_128_CBC_SHA", "AES128-SHA"},
    Suite{"TLS_RSA_WITH_AES_256_CBC_SHA", "AES256-SHA"},
    Suite{"TLS_RSA_WITH_AES_128_CBC_SHA256", "AES128-SHA256"},
    // TLS 1.3: always on, not to be chosen.
    Suite{"TLS_AES_128_GCM_SHA256", ""},
    Suite{"TLS_AES_256_GCM_SHA384", ""},
    Suite{"TLS_CHACHA20_POLY1305_SHA256", ""},
};

// Go's defaults for TLS 1.2: forward secret and authenticated.
constexpr std::string_view kDefault = "ECDHE+AESGCM:ECDHE+CHACHA20";

}  // namespace

Result<Version> ParseVersion(std::string_view name) {
  if (name.empty() || name == "VersionTLS10" || name == "VersionTLS11" || name == "VersionTLS12")
    return Version::kTls12;
  if (name == "VersionTLS13") return Version::kTls13;
  return Error(Code::kInvalid, "unknown tls version \"{}\"", name);
}

Result<std::string> CipherList(const std::vector<std::string>& go_names) {
  std::string list;
  for (const std::string& name : go_names) {
    const Suite* found = nullptr;
    for (const Suite& suite : kSuites) {
      if (suite.go == name) found = &suite;
    }
    if (found == nullptr) return Error(Code::kInvalid, "Cipher suite {} not supported or doesn't exist", name);
    if (found->openssl.empty()) continue;
    if (!list.empty()) list += ':';
    list += found->openssl;
  }
  return list.empty() ? std::string(kDefault) : list;
}

}  // namespace knarr::tls
