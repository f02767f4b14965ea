// The server's side of a WebSocket: the handshake on a request, then whole messages; and watches in text frames.
//
// Mirrors: k8s.io/apimachinery/pkg/util/httpstream/wsstream, k8s.io/apiserver/pkg/endpoints/handlers/watch.go
// (HandleWS)
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/base/context.h"
#include "pkg/net/http/server.h"
#include "pkg/net/stream.h"
#include "pkg/net/websocket/frame.h"

namespace knarr::websocket {

// Does the request ask for an upgrade to WebSocket?
bool IsWebSocketRequest(const http::Request& request);

// One thread may read while others write.
class Connection {
 public:
  struct Options {
    // Ours; the first that the client names is chosen. "" stands for none: accepted when the client names none.
    std::vector<std::string> protocols = {""};
    size_t max_message = 1 << 20;  // of the client's
    Context::Duration write_stall = std::chrono::seconds(60);
  };
  // Takes the connection over. A handshake that fails is answered (400, or 403 for a protocol that is not ours) and is
  // an error here.
  static Result<std::unique_ptr<Connection>> Accept(const http::Request& request, http::ResponseWriter& response,
                                                    Options options);

  const std::string& protocol() const { return protocol_; }
  // Text and binary messages; pings are answered on the way. nullopt: the peer closed (and was answered) or left.
  Result<std::optional<Frame>> Read(const Context& ctx);
  Status Write(const Context& ctx, Opcode opcode, std::string_view payload);
  // Says goodbye. 1000: normal, 1001: going away, 1002: protocol error, 1009: too big, 1011: internal error.
  void Close(const Context& ctx, uint16_t code, std::string_view reason = {});
  net::Stream& stream() { return *stream_; }

 private:
  Connection(net::StreamPtr stream, Options options)
      : stream_(std::move(stream)), options_(std::move(options)), reader_(/*masked=*/true, options_.max_message) {}
  friend Status ServeWatch(const Context& ctx, Connection& connection, std::unique_ptr<http::BodySource> source);
  // The next message if one is there; control frames are dealt with. *closed: the peer has.
  Result<std::optional<Frame>> Next(const Context& ctx, bool* closed);

  net::StreamPtr stream_;
  const Options options_;
  std::string protocol_;
  FrameReader reader_;
  std::mutex write_mutex_;
  bool closed_ = false;  // under write_mutex_
};

// Sends what the source has, a text message for each line (with its newline, as upstream), until the source ends, the
// client closes or leaves, or the context is done. What the client sends is ignored. Blocks.
Status ServeWatch(const Context& ctx, Connection& connection, std::unique_ptr<http::BodySource> source);

}  // namespace knarr::websocket
