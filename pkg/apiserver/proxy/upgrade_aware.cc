#include "pkg/apiserver/proxy/upgrade_aware.h"

#include <algorithm>
#include <array>

#include "pkg/api/errors/errors.h"

namespace knarr::proxy {
namespace {

constexpr std::string_view kHopByHop[] = {
    "Connection", "Proxy-Connection",  "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "TE",
    "Trailer",    "Transfer-Encoding", "Upgrade"};
constexpr std::string_view kCors[] = {"Access-Control-Allow-Credentials", "Access-Control-Allow-Headers",
                                      "Access-Control-Allow-Methods", "Access-Control-Allow-Origin"};
constexpr std::string_view kBearerProtocol = "base64url.bearer.authorization.k8s.io.";

bool Any(const auto& names, std::string_view name) {
  return std::any_of(std::begin(names), std::end(names), [&](std::string_view n) { return http::EqualFold(n, name); });
}

bool StartsFold(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && http::EqualFold(text.substr(0, prefix.size()), prefix);
}

bool Secret(std::string_view name) {
  return http::EqualFold(name, "Authorization") || StartsFold(name, "X-Remote-") || StartsFold(name, "Impersonate-");
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Browsers can say who they are only here; it is not the backend's business.
std::string WithoutBearer(std::string_view protocols) {
  std::string out;
  for (std::string_view rest = protocols; !rest.empty();) {
    const size_t comma = rest.find(',');
    const std::string_view protocol = Trim(rest.substr(0, comma));
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    if (protocol.empty() || protocol.starts_with(kBearerProtocol)) continue;
    out.append(out.empty() ? "" : ", ").append(protocol);
  }
  return out;
}

std::string ClientAddress(const http::Request& request) {
  const Result<net::HostPort> peer = net::SplitHostPort(request.peer.address);
  return peer.ok() ? peer->host : std::string();
}

// Path of the proxy itself: the request's without what the backend sees.
std::string PrefixOf(const http::Request& request, std::string_view backend_path) {
  std::string suffix(backend_path);
  if (request.path.ends_with('/') && !suffix.ends_with('/')) suffix += '/';
  std::string_view prefix = request.path;
  if (prefix.ends_with(suffix)) prefix.remove_suffix(suffix.size());
  return std::string(prefix);
}

http::Headers RequestHeaders(const http::Request& request, const ProxyOptions& options, bool upgrade) {
  http::Headers out;
  for (const auto& [name, value] : EndToEnd(request.headers)) {
    if (Secret(name) || http::EqualFold(name, "Host") || http::EqualFold(name, "Content-Length") ||
        http::EqualFold(name, "Expect")) {
      continue;
    }
    if (!http::EqualFold(name, "Sec-WebSocket-Protocol")) {
      out.Add(name, value);
    } else if (std::string rest = WithoutBearer(value); !rest.empty()) {
      out.Add(name, std::move(rest));
    }
  }
  if (request.headers.HasToken("TE", "trailers")) out.Set("TE", "trailers");
  if (const std::string client = ClientAddress(request); !client.empty()) {
    std::string chain;
    for (const auto& [name, value] : out) {
      if (http::EqualFold(name, "X-Forwarded-For")) chain += value + ", ";
    }
    out.Set("X-Forwarded-For", chain + client);
  }
  if (options.rewrite && !upgrade) out.Set("X-Forwarded-Uri", EncodePath(request.path));
  for (const auto& [name, value] : options.extra_headers) out.Set(name, value);
  // As upstream: the backend sees the name that the client used.
  if (!options.backend_host && !request.host.empty()) out.Set("Host", request.host);
  if (upgrade) {
    out.Set("Connection", "Upgrade");
    out.Set("Upgrade", std::string(request.UpgradeProtocol()));
  }
  if (!request.body.empty() || request.headers.Has("Content-Length"))
    out.Set("Content-Length", std::to_string(request.body.size()));
  return out;
}

// Passes a response on as it comes.
class Relay {
 public:
  Relay(const http::Request& request, http::ResponseWriter& response, const http::Url& url, const Backend& backend,
        const ProxyOptions& options)
      : request_(request), response_(response), url_(url), backend_(backend), options_(options) {}

  Status Head(const http::Response& head) {
    // A status that ends nothing cannot be passed on.
    if (head.status < 200 || head.status > 999)
      return Error(Code::kUnknown, "invalid response: status code {}", head.status);
    const bool redirect = head.status >= 300 && head.status <= 399 && head.headers.Has("Location");
    if (options_.reject_redirects && redirect) {
      refused_ = true;
      response_.Error(502, "the backend attempted to redirect this request, which is not permitted");
      return Error(Code::kCancelled, "redirect");
    }
    for (const auto& [name, value] : EndToEnd(head.headers)) {
      if (options_.rewrite && Any(kCors, name)) continue;
      if (options_.rewrite && http::EqualFold(name, "Location")) {
        response_.headers().Add(
            name, RewriteLocation(value, PrefixOf(request_, backend_.path), url_.Authority(), request_.host));
        continue;
      }
      response_.headers().Add(name, value);
    }
    // Answered, yet not upgraded: nothing else shall come over this connection.
    if (!request_.UpgradeProtocol().empty()) response_.headers().Set("Connection", "close");
    response_.WriteHeader(head.status);
    begun_ = true;
    return {};
  }
  Status Body(std::string_view piece) {
    KNARR_TRY(response_.Write(piece));
    return response_.Flush();
  }
  bool begun() const { return begun_; }
  bool refused() const { return refused_; }

 private:
  const http::Request& request_;
  http::ResponseWriter& response_;
  const http::Url& url_;
  const Backend& backend_;
  const ProxyOptions& options_;
  bool begun_ = false, refused_ = false;
};

// The backend has agreed: from here on bytes go both ways.
void TunnelTo(const http::Request& request, http::ResponseWriter& response, http::Upgraded& upgraded,
              const ProxyOptions& options) {
  const std::string_view chosen = upgraded.response.headers.Get("Upgrade");
  if (!http::EqualFold(chosen, request.UpgradeProtocol())) {
    response.headers().Set("Connection", "close");
    return ReplyStatus(response, Error(Code::kUnknown, "invalid upgrade response: protocol \"{}\"", chosen));
  }
  std::string head = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n";
  head.append("Upgrade: ").append(chosen).append("\r\n");
  for (const auto& [name, value] : EndToEnd(upgraded.response.headers)) {
    if (!http::EqualFold(name, "Content-Length")) head.append(name).append(": ").append(value).append("\r\n");
  }
  Result<net::StreamPtr> client = response.Hijack();
  if (!client.ok())
    return ReplyStatus(response, Error(Code::kUnknown, "error hijacking connection: {}", client.status()));
  const Context& ctx = request.ctx;
  if (!(*client)->Write(ctx.WithTimeout(options.dial_timeout), head + "\r\n").ok()) return;
  const Status ended = net::Tunnel(ctx, **client, *upgraded.stream, options.tunnel_idle);
  if (!ended.ok() && ctx.log().V(4))
    ctx.log().Info("Proxied connection ended", {{"path", request.path}, {"reason", ended.message()}});
}

}  // namespace

void ReplyStatus(http::ResponseWriter& response, const Status& status) {
  response.Reply(InfoOf(status.code()).http, "application/json", errors::ToJson(status) + "\n");
}

Status MethodNotAllowed() {
  return Error(Code::kMethodNotAllowed, "the server does not allow this method on the requested resource")
      .WithDetails({});
}

http::Headers EndToEnd(const http::Headers& headers) {
  http::Headers out;
  for (const auto& [name, value] : headers) {
    if (!Any(kHopByHop, name) && !headers.HasToken("Connection", name)) out.Add(name, value);
  }
  return out;
}

std::string EncodePath(std::string_view path) {
  constexpr std::string_view kAllowed = "/:@!$&'()*+,;=-._~";
  std::string out;
  for (const char c : path) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       kAllowed.find(c) != std::string_view::npos;
    out += plain ? std::string(1, c) : http::PercentEncode(std::string_view(&c, 1));
  }
  return out;
}

std::string RewriteLocation(std::string_view location, std::string_view prefix, std::string_view backend_authority,
                            std::string_view request_host) {
  std::string_view rest = location;
  std::string_view kept;  // scheme and host, where they are the client's own
  const size_t scheme = location.find("://");
  const bool absolute = scheme != std::string_view::npos && location.find_first_of("/?#") > scheme;
  if (absolute || location.starts_with("//")) {
    const size_t begin = absolute ? scheme + 3 : 2;
    const size_t end = std::min(location.find_first_of("/?#", begin), location.size());
    const std::string_view host = location.substr(begin, end - begin);
    if (host != backend_authority && host != request_host) return std::string(location);
    if (host == request_host) kept = location.substr(0, end);
    rest.remove_prefix(end);
  }
  // Relative to the present page: right as it is.
  if (!rest.starts_with('/')) return std::string(location);
  const std::string_view path = rest.substr(0, std::min(rest.find_first_of("?#"), rest.size()));
  std::string out(kept);
  if (!path.starts_with(prefix)) out += EncodePath(prefix);
  return out.append(rest);
}

void Serve(const http::Request& request, http::ResponseWriter& response, const Backend& backend,
           const ProxyOptions& options) {
  const bool upgrade = !request.UpgradeProtocol().empty();
  if (options.upgrade_required && !upgrade)
    return ReplyStatus(response, errors::BadRequest("Upgrade request required"));
  std::string path = backend.path;
  if (!path.ends_with('/') && request.path.ends_with('/')) path += '/';
  if (path.empty() && !upgrade) {
    // Relative links of a page at ".../proxy" would lead astray.
    response.headers().Set("Location",
                           EncodePath(request.path) + "/" + (backend.raw_query.empty() ? "" : "?" + backend.raw_query));
    return response.WriteHeader(301);
  }
  http::ClientRequest forward;
  forward.method = request.method;
  forward.url.scheme = backend.scheme.empty() ? "http" : backend.scheme;
  forward.url.host = backend.host;
  forward.url.port = backend.port != 0 ? backend.port : forward.url.scheme == "https" ? 443 : 80;
  forward.url.target =
      (path.empty() ? "/" : EncodePath(path)) + (backend.raw_query.empty() ? std::string() : "?" + backend.raw_query);
  forward.dial_host = backend.dial_host;
  forward.tls = backend.tls;
  forward.headers = RequestHeaders(request, options, upgrade);
  forward.body = request.body;
  forward.dial_timeout = options.dial_timeout;
  Relay relay(request, response, forward.url, backend, options);
  const auto head = [&](const http::Response& h) { return relay.Head(h); };
  const auto body = [&](std::string_view piece) { return relay.Body(piece); };
  Result<http::Upgraded> answer = http::UpgradeOrStream(request.ctx, forward, head, body);
  Status failed = answer.status();
  if (answer.ok() && answer->stream) {
    if (upgrade) return TunnelTo(request, response, *answer, options);
    failed = Error(Code::kUnknown, "invalid response: status code 101");
  }
  if (failed.ok() || relay.refused() || request.ctx.Cancelled()) return;
  if (relay.begun()) return response.Abort();
  const std::string_view what = upgrade ? "error dialing backend" : "error trying to reach service";
  ReplyStatus(response, Error(Code::kUnknown, "{}: {}", what, failed));
}

}  // namespace knarr::proxy
