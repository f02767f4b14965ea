#include "pkg/net/stream.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stop_token>

namespace knarr::net {
namespace {

constexpr auto kLinger = std::chrono::seconds(2);

int PollTimeout(std::optional<Context::Duration> remaining) {
  if (!remaining) return -1;
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(*remaining).count();
  return static_cast<int>(std::clamp<int64_t>(ms, 0, 1 << 30));
}

class FdStream : public Stream {
 public:
  explicit FdStream(UniqueFd fd) : fd_(std::move(fd)) {}

  Result<Io> TryWrite(std::string_view bytes) override {
    for (;;) {
      const ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n >= 0) return Io{.bytes = static_cast<size_t>(n)};
      if (errno == EINTR) continue;
      if (errno == EAGAIN) return Io{.wait = POLLOUT};
      return ErrnoError(errno, "write");
    }
  }
  int fd() const override { return fd_.get(); }
  void CloseWrite() override { ::shutdown(fd_.get(), SHUT_WR); }

 protected:
  Result<Io> DoTryRead(char* buffer, size_t size) override {
    for (;;) {
      const ssize_t n = ::recv(fd_.get(), buffer, size, 0);
      if (n > 0) return Io{.bytes = static_cast<size_t>(n)};
      if (n == 0) return Io{.eof = true};
      if (errno == EINTR) continue;
      if (errno == EAGAIN) return Io{.wait = POLLIN};
      return ErrnoError(errno, "read");
    }
  }

 private:
  UniqueFd fd_;
};

// One direction of a tunnel.
struct Pipe {
  Stream& from;
  Stream& to;
  std::array<char, 32 << 10> buffer{};
  size_t begin = 0, end = 0;
  bool eof = false, delivered = false;
  short wait_from = 0, wait_to = 0;

  // Moves what can be moved without waiting; true when something did.
  Result<bool> Step() {
    bool moved = false;
    wait_from = wait_to = 0;
    if (begin == end && !eof) {
      begin = end = 0;
      const Io io = KNARR_TRY(from.TryRead(buffer.data(), buffer.size()));
      end = io.bytes;
      eof = io.eof;
      wait_from = io.wait;
      moved = io.wait == 0;
    }
    if (begin != end) {
      const Io io = KNARR_TRY(to.TryWrite({buffer.data() + begin, end - begin}));
      begin += io.bytes;
      wait_to = io.wait;
      moved = moved || io.bytes > 0;
    }
    if (eof && begin == end && !delivered) {
      to.CloseWrite();
      delivered = true;
    }
    return moved;
  }
};

Status RunTunnel(const Context& ctx, Pipe& ab, Pipe& ba, Context::Duration idle) {
  using Clock = std::chrono::steady_clock;
  Clock::time_point last = Clock::now();
  std::optional<Clock::time_point> end;
  for (;;) {
    KNARR_TRY(ctx.Err());
    const bool moved_ab = KNARR_TRY(ab.Step());
    const bool moved_ba = KNARR_TRY(ba.Step());
    if (ab.delivered && ba.delivered) return {};
    const Clock::time_point now = Clock::now();
    // One side has ended: a moment for the other to say its last words, so that closing does not reset what it reads.
    if (!end && (ab.delivered || ba.delivered)) end = now + kLinger;
    if (end && now >= *end) return {};
    if (moved_ab || moved_ba) {
      last = now;
      continue;
    }
    std::optional<Context::Duration> wait = ctx.Remaining();
    const auto at_most = [&](Context::Duration d) { wait = wait ? std::min(*wait, d) : d; };
    if (end) at_most(*end - now);
    if (idle > Context::Duration::zero()) {
      if (now - last >= idle)
        return Error(Code::kTimeout, "stream idle for {}s, closed",
                     std::chrono::duration_cast<std::chrono::seconds>(idle).count());
      at_most(idle - (now - last));
    }
    std::array<pollfd, 2> fds{pollfd{ab.from.fd(), static_cast<short>(ab.wait_from | ba.wait_to), 0},
                              pollfd{ba.from.fd(), static_cast<short>(ba.wait_from | ab.wait_to), 0}};
    // A side that ended reports POLLHUP for ever: leave it out when nothing is wanted of it.
    for (pollfd& p : fds) {
      if (p.events == 0) p.fd = -1;
    }
    if (::poll(fds.data(), fds.size(), PollTimeout(wait)) < 0 && errno != EINTR) return ErrnoError(errno, "poll");
  }
}

}  // namespace

Result<Io> Stream::TryRead(char* buffer, size_t size) {
  if (unread_.empty()) return DoTryRead(buffer, size);
  const size_t n = std::min(size, unread_.size());
  std::memcpy(buffer, unread_.data(), n);
  unread_.erase(0, n);
  if (unread_.empty()) unread_.shrink_to_fit();
  return Io{.bytes = n};
}

void Stream::Abort() {
  ::shutdown(fd(), SHUT_RDWR);
}

Result<size_t> Stream::Read(const Context& ctx, char* buffer, size_t size) {
  for (;;) {
    const Io io = KNARR_TRY(TryRead(buffer, size));
    if (io.wait == 0) return io.bytes;
    KNARR_TRY(WaitFd(ctx, fd(), io.wait));
  }
}

Status Stream::Write(const Context& ctx, std::string_view bytes) {
  while (!bytes.empty()) {
    const Io io = KNARR_TRY(TryWrite(bytes));
    bytes.remove_prefix(io.bytes);
    if (io.wait != 0) KNARR_TRY(WaitFd(ctx, fd(), io.wait));
  }
  return {};
}

Status WaitFd(const Context& ctx, int fd, short events) {
  const auto abort = [fd] { ::shutdown(fd, SHUT_RDWR); };
  std::optional<std::stop_callback<decltype(abort)>> on_stop;
  if (ctx.stop_token().stop_possible()) on_stop.emplace(ctx.stop_token(), abort);
  for (;;) {
    KNARR_TRY(ctx.Err());
    pollfd p{fd, events, 0};
    const int n = ::poll(&p, 1, PollTimeout(ctx.Remaining()));
    KNARR_TRY(ctx.Err());
    if (n > 0) return {};
    if (n < 0 && errno != EINTR) return ErrnoError(errno, "poll");
  }
}

StreamPtr MakeFdStream(UniqueFd fd) {
  ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
  return std::make_unique<FdStream>(std::move(fd));
}

Status Tunnel(const Context& ctx, Stream& a, Stream& b, Context::Duration idle) {
  const auto abort = [&] {
    a.Abort();
    b.Abort();
  };
  std::optional<std::stop_callback<decltype(abort)>> on_stop;
  if (ctx.stop_token().stop_possible()) on_stop.emplace(ctx.stop_token(), abort);
  const auto ab = std::make_unique<Pipe>(Pipe{.from = a, .to = b});
  const auto ba = std::make_unique<Pipe>(Pipe{.from = b, .to = a});
  const Status status = RunTunnel(ctx, *ab, *ba, idle);
  abort();
  return status;
}

}  // namespace knarr::net
