// Certificate requests in PEM, as far as the API server looks into them.
// Mirrors: pkg/apis/certificates/helpers.go
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pkg/base/status.h"

namespace knarr::certificates {

struct ParsedRequest {
  std::string common_name;
  std::vector<std::string> organizations;
  std::vector<std::string> dns_names, emails, uris;
  int ip_addresses = 0;
};

// The first PEM block, which must be a CERTIFICATE REQUEST; its signature is not checked here.
Result<ParsedRequest> ParseRequest(std::string_view pem);
// Whether the request is signed by the key it contains. Upstream's: ParseCSR, then CheckSignature.
Status CheckRequest(std::string_view pem);
// A chain of CERTIFICATE blocks and nothing else that could be mistaken for one. Texts are upstream's.
Status CheckCertificates(std::string_view pem);

// What v1beta1 chooses where no signer is named.
std::string_view DefaultSignerName(std::string_view pem, const std::vector<std::string>& usages);

}  // namespace knarr::certificates
