// Blocking HTTP/1.1 client for probes, hooks, webhooks and proxied upgrades. A connection for each request
// ("Connection: close"); nothing is pooled, followed or decompressed unless asked. The Context's deadline covers
// all of it, from the dial to the last byte.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "pkg/base/context.h"
#include "pkg/base/status.h"
#include "pkg/net/http/message.h"
#include "pkg/net/stream.h"
#include "pkg/net/tls/tls.h"

namespace knarr::http {

struct ClientRequest {
  std::string method = "GET";
  Url url;
  // Host, Content-Length and Connection are added unless given. "Host" here overrides the URL's.
  Headers headers;
  std::string body;
  std::string unix_path;                   // dial this socket instead of the URL's host
  std::string dial_host;                   // dial this address instead of the URL's host
  std::shared_ptr<tls::ClientConfig> tls;  // https; null: system roots
  size_t max_header = 64 << 10;
  size_t max_body = 1 << 20;
  bool truncate_body = false;  // keep max_body bytes instead of failing above them
  // Accept bare LF as a line's end in the response's header, as Go's client does; for probes of home-made servers.
  // Safe because a connection carries one response.
  bool lenient_newlines = false;
  int max_redirects = 0;
  // For the dial and the TLS handshake alone, in exchanges that may last; zero: no limit of its own.
  Context::Duration dial_timeout{};
  // Asked before each redirect; false ends with the redirect as the response. Null: all (up to max_redirects).
  std::function<bool(const Url& from, const Url& to)> follow;
};

struct Response {
  int status = 0;
  std::string reason;
  Headers headers;
  std::string body;
};

// Sends and reads the whole response. Error texts follow Go's where users grep for them:
//   dial tcp 10.0.0.1:80: connect: connection refused
//   context deadline exceeded
Result<Response> Do(const Context& ctx, const ClientRequest& request);

// The body as it comes: `head` sees status and headers, `chunk` each piece; an error of theirs ends the call.
Status Stream(const Context& ctx, const ClientRequest& request, const std::function<Status(const Response& head)>& head,
              const std::function<Status(std::string_view)>& chunk);

// An upgrade: exactly one of the two. `stream` only after a real 101 with `Connection: upgrade`; any other answer is
// handed back whole (bounded) and its connection is closed.
struct Upgraded {
  net::StreamPtr stream;
  Response response;  // of the 101 too
};
Result<Upgraded> Upgrade(const Context& ctx, const ClientRequest& request);
// The same, but any other answer is streamed as by Stream (then `stream` is null and the response empty). Errors do not
// name the request.
Result<Upgraded> UpgradeOrStream(const Context& ctx, const ClientRequest& request,
                                 const std::function<Status(const Response& head)>& head,
                                 const std::function<Status(std::string_view)>& chunk);

}  // namespace knarr::http
