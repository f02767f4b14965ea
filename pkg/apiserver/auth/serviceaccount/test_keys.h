// Fresh keys for tests, as PEM texts.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>

#include <string>

namespace knarr::auth {

inline std::string TakePrivatePem(EVP_PKEY* key) {
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string pem(data, static_cast<size_t>(size));
  BIO_free(bio);
  EVP_PKEY_free(key);
  return pem;
}

inline std::string NewRsaKey() {
  return TakePrivatePem(EVP_RSA_gen(2048));
}

inline std::string NewEcKey(const char* curve) {
  return TakePrivatePem(EVP_EC_gen(curve));
}

}  // namespace knarr::auth
