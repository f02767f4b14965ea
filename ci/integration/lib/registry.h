// Debian's docker-registry on a port of 127.0.0.1: plain, with TLS of a private CA, or with a password.
#pragma once

#include <optional>
#include <string>

#include "ci/integration/lib/command.h"
#include "pkg/base/status.h"

namespace knarr::testing {

class Registry {
 public:
  enum class Access {
    kPlain,
    kTls,       // certificate of a private CA, for the address 127.0.0.1
    kPassword,  // plain HTTP; kUser and kPassword of below
  };
  static constexpr const char* kUser = "tester";
  static constexpr const char* kSecret = "s3cret";

  // Registries with the same storage folder serve the same images. dir is for the registry's own files.
  static Result<Registry> Start(Access access, const std::string& dir, const std::string& storage);

  // "127.0.0.1:port", as it stands in an image reference.
  const std::string& host() const { return host_; }
  // With kTls: the CA's certificate.
  const std::string& ca_file() const { return ca_file_; }

 private:
  explicit Registry(BackgroundCommand command) : command_(std::move(command)) {}
  BackgroundCommand command_;
  std::string host_, ca_file_;
};

}  // namespace knarr::testing
