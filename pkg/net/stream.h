// A connected byte stream (TCP, unix, TLS over either) for blocking code with a Context, and for loops that poll.
//
// The descriptor is always non-blocking. One thread may read while another writes; Abort may be called from any.
// Cancelling the Context of a blocking call aborts the stream: a half-done exchange is worth nothing to a peer.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "pkg/base/context.h"
#include "pkg/base/status.h"
#include "pkg/base/unique_fd.h"

namespace knarr::net {

// What a non-blocking step came to.
struct Io {
  size_t bytes = 0;
  bool eof = false;
  short wait = 0;  // 0, or POLLIN/POLLOUT: nothing moved, poll for this
};

class Stream {
 public:
  virtual ~Stream() = default;
  Stream() = default;
  Stream(const Stream&) = delete;

  Result<Io> TryRead(char* buffer, size_t size);
  virtual Result<Io> TryWrite(std::string_view bytes) = 0;
  // Bytes that a read can return without the descriptor becoming readable.
  virtual bool Buffered() const { return !unread_.empty(); }
  virtual int fd() const = 0;
  // Tells the peer that nothing more follows (FIN, close_notify); reading goes on.
  virtual void CloseWrite() = 0;
  // Ends both directions at once; blocked calls return.
  void Abort();
  // Puts bytes back in front of what is read next.
  void Unread(std::string bytes) { unread_.insert(0, bytes); }

  // Blocking. Read returns 0 at the end of the stream.
  Result<size_t> Read(const Context& ctx, char* buffer, size_t size);
  Status Write(const Context& ctx, std::string_view bytes);

 protected:
  virtual Result<Io> DoTryRead(char* buffer, size_t size) = 0;

 private:
  std::string unread_;
};

using StreamPtr = std::unique_ptr<Stream>;

// Takes a connected socket; sets it non-blocking.
StreamPtr MakeFdStream(UniqueFd fd);

// "10.0.0.1", "::1" or a name; names are resolved with getaddrinfo, which does not heed the Context.
Result<StreamPtr> DialTcp(const Context& ctx, const std::string& host, uint16_t port);
Result<StreamPtr> DialUnix(const Context& ctx, const std::string& path);

// Waits until the descriptor is ready for `events`; kTimeout, kCancelled.
Status WaitFd(const Context& ctx, int fd, short events);

// Copies both ways until one side ends and what it sent is delivered, the Context is done, or nothing moves for
// `idle` (zero: no limit). Bounded memory: 2 x 32 KiB. Both streams are aborted on return.
Status Tunnel(const Context& ctx, Stream& a, Stream& b, Context::Duration idle = {});

// "1.2.3.4:80", "[::1]:80", ":80".
struct HostPort {
  std::string host;
  uint16_t port = 0;
};
Result<HostPort> SplitHostPort(std::string_view text);
std::string JoinHostPort(std::string_view host, uint16_t port);

}  // namespace knarr::net
