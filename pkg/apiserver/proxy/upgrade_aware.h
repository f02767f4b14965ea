// Forwards a request to a backend: a whole exchange, streamed with bounded memory, or an upgraded connection.
//
// A connection becomes a tunnel only after a real 101 that names the protocol asked for (CVE-2018-1002105): whatever
// else a backend says to an upgrade is relayed as an ordinary response and both connections are closed. Each request
// has a backend connection of its own, so none is ever used again. Redirects are not followed (CVE-2020-8559). The
// request's credentials do not leave: Authorization, front-proxy and impersonation fields, bearer tokens in
// Sec-WebSocket-Protocol.
//
// Mirrors: k8s.io/apimachinery/pkg/util/proxy/{upgradeaware,transport}.go. HTML is passed on as it is (upstream
// rewrites its links).
#pragma once

#include <memory>
#include <string>

#include "pkg/net/http/client.h"
#include "pkg/net/http/message.h"
#include "pkg/net/http/server.h"
#include "pkg/net/tls/tls.h"

namespace knarr::proxy {

struct Backend {
  std::string scheme = "http";
  std::string host;       // name or address, without brackets
  uint16_t port = 0;      // 0: the scheme's
  std::string path;       // decoded
  std::string raw_query;  // as sent
  std::string dial_host;  // dial this address instead of host
  std::shared_ptr<tls::ClientConfig> tls;
};

struct ProxyOptions {
  bool upgrade_required = false;
  // The backend does not know under which path it is seen: X-Forwarded-Uri and Location are fitted, CORS fields
  // dropped.
  bool rewrite = false;
  // 502 in place of the backend's redirects (aggregated servers, CVE-2022-3172).
  bool reject_redirects = false;
  bool backend_host = false;    // Host is the backend's, not the client's
  http::Headers extra_headers;  // set for the backend: X-Remote-User
  Context::Duration dial_timeout = std::chrono::seconds(30);
  Context::Duration tunnel_idle = std::chrono::hours(4);
};

// Answers the request. Errors become a metav1.Status, unless the response has begun: then the connection ends.
void Serve(const http::Request& request, http::ResponseWriter& response, const Backend& backend,
           const ProxyOptions& options);

// A metav1.Status with its HTTP code.
void ReplyStatus(http::ResponseWriter& response, const Status& status);

// A method that the subresource has no route for.
Status MethodNotAllowed();

// What may be forwarded of a request or a response: no hop-by-hop fields (nor those that Connection names).
http::Headers EndToEnd(const http::Headers& headers);
// A path as a URL has it: everything but what RFC 3986 allows in paths is escaped.
std::string EncodePath(std::string_view path);
// The Location header of a backend at `backend_authority`, seen by the client. prefix: path of the proxy itself.
std::string RewriteLocation(std::string_view location, std::string_view prefix, std::string_view backend_authority,
                            std::string_view request_host);

}  // namespace knarr::proxy
