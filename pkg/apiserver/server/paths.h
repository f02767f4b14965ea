// The paths beside resources, discovery and health: /version, /metrics, service account discovery.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pkg/apiserver/auth/serviceaccount/serviceaccount.h"
#include "pkg/net/http/server.h"

namespace knarr::apiserver {

class OtherPaths {
 public:
  static Result<std::unique_ptr<OtherPaths>> New(const auth::ServiceAccountKeys& keys,
                                                 const std::string& external_address);
  // True if the path is one of these (it was answered).
  bool Serve(const http::Request& request, http::ResponseWriter& response);
  // What / lists of them.
  std::vector<std::string> paths() const;

 private:
  OtherPaths() = default;
  auth::DiscoveryDocuments issuer_;
};

}  // namespace knarr::apiserver
