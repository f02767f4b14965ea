#include "pkg/net/websocket/server.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include <fmt/ranges.h>

namespace knarr::websocket {
namespace {

constexpr uint16_t kNormal = 1000, kGoingAway = 1001, kProtocolError = 1002, kTooBig = 1009;

std::string_view Trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

// A Sec-WebSocket-Key is the base64 of 16 bytes.
bool ValidKey(std::string_view key) {
  if (key.size() != 24 || !key.ends_with("==")) return false;
  return std::all_of(key.begin(), key.end() - 2, [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
  });
}

// nullopt: none of the client's is ours.
std::optional<std::string> Choose(const http::Headers& headers, const std::vector<std::string>& ours) {
  bool named = false;
  for (const auto& [name, value] : headers) {
    if (!http::EqualFold(name, "Sec-WebSocket-Protocol")) continue;
    for (std::string_view rest = value; !rest.empty();) {
      const size_t comma = rest.find(',');
      const std::string_view protocol = Trim(rest.substr(0, comma));
      rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
      if (protocol.empty()) continue;
      named = true;
      if (std::find(ours.begin(), ours.end(), protocol) != ours.end()) return std::string(protocol);
    }
  }
  if (!named && std::find(ours.begin(), ours.end(), "") != ours.end()) return std::string();
  return std::nullopt;
}

Status Refuse(http::ResponseWriter& response, int status, const std::string& text) {
  response.headers().Set("Connection", "close");
  if (status == 400) response.headers().Set("Sec-WebSocket-Version", "13");
  response.Error(status, text);
  return Error(Code::kBadRequest, "{}", text);
}

}  // namespace

bool IsWebSocketRequest(const http::Request& request) {
  return http::EqualFold(request.UpgradeProtocol(), "websocket");
}

Result<std::unique_ptr<Connection>> Connection::Accept(const http::Request& request, http::ResponseWriter& response,
                                                       Options options) {
  if (request.method != "GET" || !IsWebSocketRequest(request) || !request.body.empty())
    return Refuse(response, 400, "websocket: the handshake is not a GET that asks for an upgrade");
  if (request.headers.Get("Sec-WebSocket-Version") != "13")
    return Refuse(response, 400, "websocket: unsupported version, 13 is spoken");
  const std::string_view key = request.headers.Get("Sec-WebSocket-Key");
  if (request.headers.Count("Sec-WebSocket-Key") != 1 || !ValidKey(key))
    return Refuse(response, 400, "websocket: missing or invalid Sec-WebSocket-Key");
  const std::optional<std::string> protocol = Choose(request.headers, options.protocols);
  if (!protocol) {
    return Refuse(response, 403,
                  fmt::format("requested protocol(s) are not supported: [{}]; supports {}",
                              request.headers.Get("Sec-WebSocket-Protocol"), options.protocols));
  }
  net::StreamPtr stream = KNARR_TRY(response.Hijack());
  std::string head = fmt::format(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n",
      AcceptKey(key));
  if (!protocol->empty()) head += "Sec-WebSocket-Protocol: " + *protocol + "\r\n";
  KNARR_TRY(stream->Write(request.ctx.WithTimeout(options.write_stall), head + "\r\n"));
  std::unique_ptr<Connection> connection(new Connection(std::move(stream), std::move(options)));
  connection->protocol_ = *protocol;
  return connection;
}

Result<std::optional<Frame>> Connection::Next(const Context& ctx, bool* closed) {
  for (;;) {
    Result<std::optional<Frame>> next = reader_.Next();
    if (!next.ok()) {
      Close(ctx, next.status().Is(Code::kRequestEntityTooLarge) ? kTooBig : kProtocolError, next.status().message());
      return next.status();
    }
    if (!*next) return next;
    switch ((*next)->opcode) {
      case Opcode::kPing: KNARR_TRY(Write(ctx, Opcode::kPong, (*next)->payload)); break;
      case Opcode::kPong: break;
      case Opcode::kClose:
        *closed = true;
        Close(ctx, kNormal);
        return std::optional<Frame>();
      default: return next;
    }
  }
}

Result<std::optional<Frame>> Connection::Read(const Context& ctx) {
  char buffer[16 << 10];
  for (bool closed = false;;) {
    std::optional<Frame> frame = KNARR_TRY(Next(ctx, &closed));
    if (frame || closed) return frame;
    const size_t n = KNARR_TRY(stream_->Read(ctx, buffer, sizeof(buffer)));
    if (n == 0) return std::optional<Frame>();
    reader_.Feed({buffer, n});
  }
}

Status Connection::Write(const Context& ctx, Opcode opcode, std::string_view payload) {
  const std::string bytes = EncodeFrame({.fin = true, .opcode = opcode, .payload = std::string(payload)}, std::nullopt);
  const std::lock_guard lock(write_mutex_);
  if (closed_) return Error(Code::kFailedPrecondition, "websocket: closed");
  closed_ = opcode == Opcode::kClose;
  for (std::string_view rest = bytes; !rest.empty();) {
    const std::string_view piece = rest.substr(0, 64 << 10);
    rest.remove_prefix(piece.size());
    KNARR_TRY(stream_->Write(ctx.WithTimeout(options_.write_stall), piece));
  }
  return {};
}

void Connection::Close(const Context& ctx, uint16_t code, std::string_view reason) {
  std::string payload{static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
  payload += reason.substr(0, 120);
  // A peer that is gone needs no goodbye.
  (void)Write(ctx, Opcode::kClose, payload);
}

Status ServeWatch(const Context& ctx, Connection& connection, std::unique_ptr<http::BodySource> source) {
  using State = http::BodySource::State;
  const UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return ErrnoError(errno, "eventfd");
  const auto ring = [fd = wake.get()] {
    const uint64_t one = 1;
    // It can only fail when the counter is full: then the reader is awake.
    [[maybe_unused]] const ssize_t n = ::write(fd, &one, sizeof(one));
  };
  const std::stop_callback on_stop(ctx.stop_token(), ring);
  source->SetWake(ring);
  const auto run = [&]() -> Result<bool> {
    std::string lines;
    char buffer[4096];
    for (State state = State::kMore;;) {
      if (ctx.Done()) {
        connection.Close(Context::Background(), kGoingAway);
        return false;
      }
      for (bool closed = false;;) {
        while (KNARR_TRY(connection.Next(ctx, &closed))) continue;
        if (closed) return false;
        const net::Io io = KNARR_TRY(connection.stream_->TryRead(buffer, sizeof(buffer)));
        if (io.eof) return false;
        if (io.wait != 0) break;
        connection.reader_.Feed({buffer, io.bytes});
      }
      state = source->Pull(&lines, 64 << 10);
      size_t sent = 0;
      for (size_t end; (end = lines.find('\n', sent)) != std::string::npos; sent = end + 1)
        KNARR_TRY(connection.Write(ctx, Opcode::kText, std::string_view(lines).substr(sent, end + 1 - sent)));
      lines.erase(0, sent);
      if (state == State::kEnd) {
        if (!lines.empty()) KNARR_TRY(connection.Write(ctx, Opcode::kText, lines));
        connection.Close(ctx, kNormal);
        return true;
      }
      if (state == State::kMore) continue;
      std::array<pollfd, 2> fds{pollfd{connection.stream_->fd(), POLLIN, 0}, pollfd{wake.get(), POLLIN, 0}};
      int timeout = -1;
      if (const auto left = ctx.Remaining())
        timeout = static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(*left).count());
      if (::poll(fds.data(), fds.size(), timeout) < 0 && errno != EINTR) return ErrnoError(errno, "poll");
      uint64_t count = 0;
      [[maybe_unused]] const ssize_t n = ::read(wake.get(), &count, sizeof(count));
    }
  };
  const Result<bool> delivered = run();
  source->OnEnd(delivered.ok() && *delivered);
  source.reset();  // before the descriptor that it rings
  return delivered.status();
}

}  // namespace knarr::websocket
