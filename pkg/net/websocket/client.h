// The client's side of a WebSocket over any stream: handshake through http::Upgrade, then whole messages.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "pkg/base/context.h"
#include "pkg/net/http/client.h"
#include "pkg/net/stream.h"
#include "pkg/net/websocket/frame.h"

namespace knarr::websocket {

// One thread may read while others write.
class Client {
 public:
  // request: url, unix_path, headers and TLS as for any other request; the upgrade's own fields are added. An answer other
  // than a valid 101 is an error with the body's text.
  static Result<std::unique_ptr<Client>> Connect(const Context& ctx, http::ClientRequest request, const std::vector<std::string>& protocols);

  const std::string& protocol() const { return protocol_; }
  // Text and binary messages; pings are answered on the way. nullopt: the peer closed.
  Result<std::optional<Frame>> Read(const Context& ctx);
  Status Write(const Context& ctx, Opcode opcode, std::string_view payload);
  void Close(const Context& ctx);

 private:
  explicit Client(net::StreamPtr stream) : stream_(std::move(stream)) {}

  net::StreamPtr stream_;
  std::string protocol_;
  FrameReader reader_{/*masked=*/false, 4 << 20};
  std::mutex write_mutex_;
};

}  // namespace knarr::websocket
