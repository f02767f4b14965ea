#include <cstddef>
#include <cstdint>

#include "pkg/api/certificates/csr.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view pem(reinterpret_cast<const char*>(data), size);
  // What has a valid signature can be read.
  if (knarr::certificates::CheckRequest(pem).ok() && !knarr::certificates::ParseRequest(pem).ok()) __builtin_trap();
  (void)knarr::certificates::CheckCertificates(pem).ok();
  return 0;
}
