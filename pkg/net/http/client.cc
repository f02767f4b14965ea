#include "pkg/net/http/client.h"

#include <limits>

#include "pkg/net/http/parser.h"

namespace knarr::http {
namespace {

constexpr int kMaxInformational = 8;

Result<net::StreamPtr> Open(const Context& caller, const ClientRequest& request) {
  const Context ctx =
      request.dial_timeout > Context::Duration::zero() ? caller.WithTimeout(request.dial_timeout) : caller;
  const Url& url = request.url;
  const std::string& socket = url.scheme == "unix" ? url.host : request.unix_path;
  net::StreamPtr plain;
  if (!socket.empty()) {
    plain = KNARR_TRY(net::DialUnix(ctx, socket));
  } else {
    plain = KNARR_TRY(net::DialTcp(ctx, request.dial_host.empty() ? url.host : request.dial_host, url.port));
  }
  if (url.scheme != "https") return plain;
  std::shared_ptr<tls::ClientConfig> config = request.tls;
  if (!config) config = KNARR_TRY(tls::ClientConfig::New({}));
  UniqueFd fd(::dup(plain->fd()));
  if (!fd) return ErrnoError(errno, "dup");
  plain.reset();
  std::unique_ptr<tls::TlsStream> secure = KNARR_TRY(tls::Connect(*config, std::move(fd), url.host));
  KNARR_TRY(secure->Handshake(ctx));
  return net::StreamPtr(std::move(secure));
}

Result<std::string> RequestText(const ClientRequest& request) {
  std::string text = request.method + " " + request.url.target + " HTTP/1.1\r\n";
  const auto add = [&](std::string_view name, std::string_view value) {
    text.append(name).append(": ").append(value).append("\r\n");
  };
  if (!request.headers.Has("Host")) add("Host", request.url.scheme == "unix" ? "localhost" : request.url.Authority());
  for (const auto& [name, value] : request.headers) {
    if ((name + value).find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos || name.empty()) {
      return Error(Code::kInvalid, "invalid header field \"{}\"", name);
    }
    add(name, value);
  }
  if (!request.headers.Has("Connection")) add("Connection", "close");
  const bool has_body =
      !request.body.empty() || request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
  if (has_body && !request.headers.Has("Content-Length")) add("Content-Length", std::to_string(request.body.size()));
  return text + "\r\n" + request.body;
}

// The head of a response with every line ending in CRLF; empty while it is incomplete. *used: bytes of `bytes` it took.
std::string NormalHead(std::string_view bytes, size_t* used) {
  std::string head;
  for (size_t start = 0;;) {
    const size_t end = bytes.find('\n', start);
    if (end == std::string_view::npos) return {};
    std::string_view line = bytes.substr(start, end - start);
    if (line.ends_with('\r')) line.remove_suffix(1);
    head.append(line).append("\r\n");
    start = end + 1;
    if (!line.empty()) continue;
    *used = start;
    return head;
  }
}

// Reads one response from a stream.
class Reader {
 public:
  Reader(const Context& ctx, net::Stream& stream, const ClientRequest& request, uint64_t body_limit)
      : ctx_(ctx), stream_(stream), request_(request), limits_{request.max_header, 200, body_limit} {
    Reset();
  }

  // Past interim responses, up to the end of the head.
  Status ReadHead() {
    for (int i = 0; i < kMaxInformational; ++i) {
      while (!parser_->HeadDone()) {
        KNARR_TRY(FeedHead());
        if (parser_->HeadDone()) break;
        if (!KNARR_TRY(Fill())) {
          if (buffer_.empty()) return Error(Code::kServiceUnavailable, "EOF");
          return Error(Code::kServiceUnavailable, "unexpected EOF");
        }
      }
      if (parser_->status >= 200 || parser_->status == 101) return {};
      Reset();
    }
    return Error(Code::kBadRequest, "too many 1xx informational responses");
  }

  // More of the body; empty at its end.
  Result<std::string> ReadBody() {
    for (;;) {
      if (parser_->Done()) return parser_->TakeBody();
      KNARR_TRY(Feed());
      if (parser_->BodySize() > 0 || parser_->Done()) return parser_->TakeBody();
      if (KNARR_TRY(Fill())) continue;
      KNARR_TRY(parser_->FeedEof());
    }
  }

  Response TakeHead() {
    Response response;
    response.status = parser_->status;
    response.reason = parser_->reason;
    response.headers = std::move(parser_->headers);
    return response;
  }
  std::string TakeUnread() { return std::move(buffer_); }

 private:
  void Reset() { parser_ = std::make_unique<Parser>(Parser::Kind::kResponse, limits_, request_.method == "HEAD"); }

  Status FeedHead() {
    if (buffer_.empty()) return {};
    if (!request_.lenient_newlines) return Feed();
    size_t used = 0;
    const std::string head = NormalHead(buffer_, &used);
    if (buffer_.size() > limits_.header && head.empty())
      return Error(Code::kOutOfRange, "net/http: server response headers exceeded {} bytes", limits_.header);
    if (head.empty()) return {};
    KNARR_TRY(parser_->Feed(head));
    buffer_.erase(0, used);
    return {};
  }

  Status Feed() {
    if (buffer_.empty()) return {};
    buffer_.erase(0, KNARR_TRY(parser_->Feed(buffer_)));
    return {};
  }

  // False at the end of the stream.
  Result<bool> Fill() {
    char chunk[16 << 10];
    const size_t n = KNARR_TRY(stream_.Read(ctx_, chunk, sizeof(chunk)));
    buffer_.append(chunk, n);
    return n > 0;
  }

  const Context& ctx_;
  net::Stream& stream_;
  const ClientRequest& request_;
  const ParserLimits limits_;
  std::unique_ptr<Parser> parser_;
  std::string buffer_;
};

// The whole body, at most max_body bytes of it.
Status ReadWhole(Reader& reader, const ClientRequest& request, bool truncate, std::string* body) {
  for (;;) {
    const std::string piece = KNARR_TRY(reader.ReadBody());
    if (piece.empty()) return {};
    *body += piece;
    if (body->size() <= request.max_body) continue;
    if (!truncate)
      return Error(Code::kRequestEntityTooLarge, "response body is larger than {} bytes", request.max_body);
    body->resize(request.max_body);
    return {};
  }
}

Result<Response> DoOnce(const Context& ctx, const ClientRequest& request) {
  const std::string text = KNARR_TRY(RequestText(request));
  const net::StreamPtr stream = KNARR_TRY(Open(ctx, request));
  KNARR_TRY(stream->Write(ctx, text));
  Reader reader(ctx, *stream, request, std::numeric_limits<uint64_t>::max());
  KNARR_TRY(reader.ReadHead());
  Response response = reader.TakeHead();
  KNARR_TRY(ReadWhole(reader, request, request.truncate_body, &response.body));
  return response;
}

bool IsRedirect(const Response& response) {
  const int s = response.status;
  return (s == 301 || s == 302 || s == 303 || s == 307 || s == 308) && !response.headers.Get("Location").empty();
}

// "Get", as Go's url.Error begins.
std::string Operation(const ClientRequest& request) {
  std::string name = request.method;
  for (size_t i = 1; i < name.size(); ++i) name[i] = static_cast<char>(name[i] | 0x20);
  return fmt::format("{} \"{}\"", name, request.url.ToString());
}

}  // namespace

Result<Response> Do(const Context& ctx, const ClientRequest& original) {
  ClientRequest request = original;
  for (int redirects = 0;; ++redirects) {
    Result<Response> response = DoOnce(ctx, request);
    if (!response.ok()) return response.status().WithContext(Operation(request));
    if (original.max_redirects == 0 || !IsRedirect(*response)) return response;
    const Url to = KNARR_TRY(ResolveUrl(request.url, response->headers.Get("Location")));
    if (request.follow && !request.follow(request.url, to)) return response;
    if (redirects >= original.max_redirects) {
      return Error(Code::kFailedPrecondition, "{}: stopped after {} redirects", Operation(request),
                   original.max_redirects);
    }
    if (response->status <= 303 && request.method != "HEAD") {
      request.method = "GET";
      request.body.clear();
    }
    if (to.host != request.url.host) {
      for (const char* secret : {"Authorization", "Cookie", "Host"}) request.headers.Remove(secret);
      request.dial_host.clear();
    }
    request.url = to;
  }
}

Status Stream(const Context& ctx, const ClientRequest& request, const std::function<Status(const Response&)>& head,
              const std::function<Status(std::string_view)>& chunk) {
  const auto run = [&]() -> Status {
    const std::string text = KNARR_TRY(RequestText(request));
    const net::StreamPtr stream = KNARR_TRY(Open(ctx, request));
    KNARR_TRY(stream->Write(ctx, text));
    Reader reader(ctx, *stream, request, std::numeric_limits<uint64_t>::max());
    KNARR_TRY(reader.ReadHead());
    KNARR_TRY(head(reader.TakeHead()));
    for (;;) {
      const std::string piece = KNARR_TRY(reader.ReadBody());
      if (piece.empty()) return {};
      KNARR_TRY(chunk(piece));
    }
  };
  const Status status = run();
  return status.ok() ? status : status.WithContext(Operation(request));
}

Result<Upgraded> UpgradeOrStream(const Context& ctx, const ClientRequest& request,
                                 const std::function<Status(const Response&)>& head,
                                 const std::function<Status(std::string_view)>& chunk) {
  const std::string text = KNARR_TRY(RequestText(request));
  net::StreamPtr stream = KNARR_TRY(Open(ctx, request));
  KNARR_TRY(stream->Write(ctx, text));
  Reader reader(ctx, *stream, request, std::numeric_limits<uint64_t>::max());
  KNARR_TRY(reader.ReadHead());
  Upgraded upgraded;
  upgraded.response = reader.TakeHead();
  if (upgraded.response.status != 101) {
    KNARR_TRY(head(upgraded.response));
    for (;;) {
      const std::string piece = KNARR_TRY(reader.ReadBody());
      if (piece.empty()) return Upgraded{};
      KNARR_TRY(chunk(piece));
    }
  }
  const Headers& headers = upgraded.response.headers;
  if (!headers.HasToken("Connection", "upgrade") || headers.Get("Upgrade").empty()) {
    return Error(Code::kServiceUnavailable, "unable to upgrade connection: the 101 answer names no protocol");
  }
  stream->Unread(reader.TakeUnread());
  upgraded.stream = std::move(stream);
  return upgraded;
}

Result<Upgraded> Upgrade(const Context& ctx, const ClientRequest& request) {
  Response other;
  Result<Upgraded> upgraded = UpgradeOrStream(
      ctx, request,
      [&](const Response& head) {
        other = head;
        return Status();
      },
      [&](std::string_view piece) {
        if (other.body.size() < request.max_body) other.body += piece.substr(0, request.max_body - other.body.size());
        return other.body.size() < request.max_body ? Status() : Error(Code::kRequestEntityTooLarge, "cut off");
      });
  if (upgraded.ok() && upgraded->stream) return upgraded;
  // An answer that was cut off at the limit is one, too.
  if (!upgraded.ok() && (other.status == 0 || !upgraded.status().Is(Code::kRequestEntityTooLarge)))
    return upgraded.status().WithContext(Operation(request));
  return Upgraded{.stream = nullptr, .response = std::move(other)};
}

}  // namespace knarr::http
