// What every request goes through: limits, who asks, as whom, whether they may; then to the verbs, discovery or one of
// the few other paths.
//
// Thread-safe; all parts outlive it. Mirrors: DefaultBuildHandlerChain in
// staging/src/k8s.io/apiserver/pkg/server/config.go
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "pkg/apiserver/auth/user.h"
#include "pkg/apiserver/endpoints/discovery.h"
#include "pkg/apiserver/endpoints/request_info.h"
#include "pkg/apiserver/endpoints/verbs.h"
#include "pkg/apiserver/registry/registry.h"
#include "pkg/apiserver/server/health.h"
#include "pkg/base/metrics/metrics.h"
#include "pkg/net/http/server.h"

namespace knarr::apiserver {

class RequestMetrics {
 public:
  explicit RequestMetrics(metrics::Registry& registry);
  void Observe(const endpoints::RequestInfo& info, bool long_running, bool dry_run, int code, double seconds);
  metrics::Gauge& inflight_read;
  metrics::Gauge& inflight_write;

 private:
  metrics::Family<metrics::Counter>& total_;
  metrics::Family<metrics::Histogram>& duration_;
};

class Chain {
 public:
  struct Parts {
    auth::Authenticator* authenticator = nullptr;
    auth::Authorizer* authorizer = nullptr;
    registry::Registry* registry = nullptr;
    endpoints::Verbs* verbs = nullptr;
    endpoints::Discovery* discovery = nullptr;
    Health* health = nullptr;
    // Answers the other paths (/metrics, /openapi, ...); false: 404.
    std::function<bool(const http::Request&, http::ResponseWriter&)> other;
    // What / lists.
    std::vector<std::string> paths;
  };
  struct Limits {
    int read = 400, write = 200;  // at a time; 0: no limit
    std::chrono::nanoseconds request_timeout = std::chrono::seconds(60);
  };
  Chain(Parts parts, Limits limits, Clock& clock, metrics::Registry& metrics);

  void Serve(const http::Request& request, http::ResponseWriter& response);

 private:
  // The request is served; what it was goes into *info.
  void ServeCounted(const http::Request& request, http::ResponseWriter& response, const endpoints::RequestInfo& info,
                    bool long_running);
  Status Authorize(const http::Request& request, const auth::UserInfo& user, const endpoints::RequestInfo& info);
  void Dispatch(const http::Request& request, http::ResponseWriter& response, const endpoints::RequestInfo& info,
                const auth::UserInfo& user);
  void ServePaths(const http::Request& request, http::ResponseWriter& response);

  const Parts parts_;
  const Limits limits_;
  Clock& clock_;
  RequestMetrics metrics_;
  std::atomic<int> reads_{0}, writes_{0};
};

// Watches and streams: no time limit, not counted among the requests in flight.
bool LongRunning(const endpoints::RequestInfo& info);

}  // namespace knarr::apiserver
