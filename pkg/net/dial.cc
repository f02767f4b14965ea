// Connecting, and host:port texts.
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "pkg/net/stream.h"

namespace knarr::net {
namespace {

Status DialError(const std::string& what, const Status& cause) {
  if (cause.Is(Code::kTimeout)) return Error(Code::kTimeout, "{}: i/o timeout", what);
  return cause.WithContext(what);
}

Result<StreamPtr> Connect(const Context& ctx, const sockaddr* address, socklen_t size, const std::string& what) {
  UniqueFd fd(::socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return ErrnoError(errno, "{}: socket", what);
  int error = ::connect(fd.get(), address, size) == 0 ? 0 : errno;
  if (error == EINPROGRESS) {
    if (const Status waited = WaitFd(ctx, fd.get(), POLLOUT); !waited.ok()) return DialError(what, waited);
    socklen_t length = sizeof(error);
    ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  }
  if (error != 0) return ErrnoError(error, "{}: connect", what);
  if (address->sa_family != AF_UNIX) {
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }
  return MakeFdStream(std::move(fd));
}

struct AddressList {
  addrinfo* list = nullptr;
  ~AddressList() {
    if (list != nullptr) ::freeaddrinfo(list);
  }
};

}  // namespace

Result<StreamPtr> DialTcp(const Context& ctx, const std::string& host, uint16_t port) {
  KNARR_TRY(ctx.Err());
  const std::string service = std::to_string(port);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  AddressList found;
  if (::getaddrinfo(host.c_str(), service.c_str(), &hints, &found.list) != 0) {
    hints.ai_flags = AI_NUMERICSERV;
    if (const int rc = ::getaddrinfo(host.c_str(), service.c_str(), &hints, &found.list); rc != 0) {
      const Code code = rc == EAI_NONAME ? Code::kNotFound : Code::kServiceUnavailable;
      return Error(code, "dial tcp: lookup {}: {}", host, rc == EAI_NONAME ? "no such host" : ::gai_strerror(rc));
    }
  }
  Status last;
  for (const addrinfo* address = found.list; address != nullptr; address = address->ai_next) {
    char numeric[NI_MAXHOST] = {};
    ::getnameinfo(address->ai_addr, address->ai_addrlen, numeric, sizeof(numeric), nullptr, 0, NI_NUMERICHOST);
    Result<StreamPtr> stream =
        Connect(ctx, address->ai_addr, address->ai_addrlen, "dial tcp " + JoinHostPort(numeric, port));
    if (stream.ok() || ctx.Done()) return stream;
    last = stream.status();
  }
  return last;
}

Result<StreamPtr> DialUnix(const Context& ctx, const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path))
    return Error(Code::kInvalid, "dial unix {}: the path is longer than 107 bytes", path);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return Connect(ctx, reinterpret_cast<const sockaddr*>(&address), sizeof(address), "dial unix " + path);
}

Result<HostPort> SplitHostPort(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return Error(Code::kInvalid, "address {}: missing port in address", text);
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']') && host.size() > 2) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find_first_of(":[]") != std::string_view::npos) {
    return Error(Code::kInvalid, "address {}: too many colons in address", text);
  }
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size())
    return Error(Code::kInvalid, "address {}: invalid port", text);
  return HostPort{std::string(host), port};
}

std::string JoinHostPort(std::string_view host, uint16_t port) {
  if (host.find(':') != std::string_view::npos) return fmt::format("[{}]:{}", host, port);
  return fmt::format("{}:{}", host, port);
}

}  // namespace knarr::net
