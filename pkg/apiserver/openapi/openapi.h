// The OpenAPI documents of what the server serves: /openapi/v2 (JSON and protobuf), /openapi/v3 and
// /openapi/v3/<group version>. Made from the generated tables and upstream's descriptions for built-in kinds, from
// their CRD's schema for custom ones.
//
// Nothing is made before somebody asks, and documents are let go when nobody asked for a while: at rest this costs a
// few pointers. Thread-safe. Mirrors: k8s.io/kube-openapi/pkg/{builder,builder3,handler,handler3},
// k8s.io/apiserver/pkg/endpoints/openapi
#pragma once

#include <boost/json/fwd.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/apiserver/registry/kind.h"
#include "pkg/base/clock.h"
#include "pkg/net/http/message.h"

namespace knarr::http {
struct Request;
class ResponseWriter;
}  // namespace knarr::http

namespace knarr::openapi {

struct Options {
  // What is served now, in any order, and a number that changes with it (Registry::All, Registry::Generation).
  std::function<std::vector<registry::KindPtr>()> kinds;
  std::function<uint64_t()> generation;
  // The structural schema (openAPIV3Schema) of a custom kind's version as JSON; null: it has none. Asked only for kinds
  // with `custom`.
  std::function<std::shared_ptr<const boost::json::object>(const registry::Kind& kind, std::string_view version)>
      custom_schema;
  std::string git_version = "v1.32.0";  // info.version
  // Documents that nobody asked for this long are dropped.
  Duration keep = std::chrono::seconds(60);
};

struct Response {
  int status = 200;
  http::Headers headers;  // Content-Type, Etag, Vary, Content-Encoding, ...
  std::shared_ptr<const std::string> body;
};

class OpenApi {
 public:
  explicit OpenApi(Options options, Clock& clock = Clock::Real());
  ~OpenApi();

  // GET and HEAD of /openapi/v2, /openapi/v3 and everything below; 404 and 405 as upstream.
  Response Serve(const http::Request& request);
  // The same, sent.
  void Handle(const http::Request& request, http::ResponseWriter& response);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace knarr::openapi
