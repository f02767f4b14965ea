// The client's side of a SPDY/3.1 connection: streams over an upgraded connection, as exec, attach and port forwarding
// use them. Unlike WebSocket's channels before version 5, a stream can say that it ended.
// Mirrors: k8s.io/apimachinery/pkg/util/httpstream/spdy
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/base/context.h"
#include "pkg/net/http/client.h"
#include "pkg/net/spdy/frame.h"
#include "pkg/net/stream.h"

namespace knarr::spdy {

// One thread may read (and open) while others write.
class Client {
 public:
  // The upgrade's fields are added to the request; protocols as in X-Stream-Protocol-Version, the best first. An answer
  // other than a valid 101 is an error with the body's text.
  static Result<std::unique_ptr<Client>> Connect(const Context& ctx, http::ClientRequest request,
                                                 const std::vector<std::string>& protocols);

  const std::string& protocol() const { return protocol_; }
  // Waits for the peer's reply: data before it would be lost. Returns the stream's number.
  Result<uint32_t> Open(const Context& ctx, const Fields& fields);
  // What came for a stream: bytes, its end (`fin`), or both; `reset` where it was broken off. nullopt: the connection
  // ended.
  struct Event {
    uint32_t stream = 0;
    std::string bytes;
    bool fin = false, reset = false;
  };
  Result<std::optional<Event>> Read(const Context& ctx);
  Status Write(const Context& ctx, uint32_t stream, std::string_view bytes);
  // Nothing more will be written to the stream.
  Status Finish(const Context& ctx, uint32_t stream);
  void Close(const Context& ctx);
  // Ends the connection at once; blocked calls return. Any thread.
  void Abort() { stream_->Abort(); }

 private:
  explicit Client(net::StreamPtr stream) : stream_(std::move(stream)) {}
  Result<std::optional<Frame>> ReadFrame(const Context& ctx);
  Status Send(const Context& ctx, const Frame& frame);

  net::StreamPtr stream_;
  std::string protocol_;
  Decoder decoder_;
  std::deque<Frame> early_;  // came while Open waited
  std::mutex write_mutex_;
  Encoder encoder_;  // under write_mutex_
  uint32_t next_ = 1;
};

}  // namespace knarr::spdy
