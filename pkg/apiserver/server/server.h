// kube-apiserver: the composition root. Parts are made in the order of their members and end in reverse.
// Mirrors: cmd/kube-apiserver/app/server.go
#pragma once

#include <memory>

#include "pkg/apiserver/options/options.h"
#include "pkg/base/context.h"
#include "pkg/base/status.h"

namespace knarr::apiserver {

class ApiServer {
 public:
  // Opens the store, reads keys and certificates, makes every part; nothing is served yet. Errors name the flag or
  // file.
  static Result<std::unique_ptr<ApiServer>> New(Options options, Logger log = {});
  ~ApiServer();
  // Serves until the context is cancelled, then ends gracefully: readiness fails, watches and requests end, the store
  // is closed.
  Status Run(const Context& ctx);
  // The port bound, after Run began to serve (0 before): --secure-port=0 picks one.
  uint16_t port() const;

 private:
  struct Parts;
  explicit ApiServer(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace knarr::apiserver
