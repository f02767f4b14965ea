// /healthz, /livez, /readyz and a path for each check.
// Mirrors: staging/src/k8s.io/apiserver/pkg/server/healthz/healthz.go
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/base/context.h"
#include "pkg/net/http/server.h"

namespace knarr::apiserver {

// Checks are added before the server starts. A check must answer within its context's two seconds.
class Health {
 public:
  using Check = std::function<Status(const Context& ctx)>;
  // In which of the three it counts; all are listed under /healthz.
  enum Where : uint8_t { kHealthz = 1, kLivez = 2, kReadyz = 4, kEverywhere = 7 };
  void Add(std::string name, Check check, uint8_t where = kEverywhere);
  // True if the path is one of these (it was answered). Details of a failure go to the log, not to the client.
  bool Serve(const http::Request& request, http::ResponseWriter& response) const;

 private:
  struct Named {
    std::string name;
    Check check;
    uint8_t where;
  };
  Status Run(const Named& named, const Context& ctx) const;

  std::vector<Named> checks_;
  mutable std::mutex mutex_;
  mutable std::map<std::string, std::string> failures_;  // logged once, by check
};

}  // namespace knarr::apiserver
