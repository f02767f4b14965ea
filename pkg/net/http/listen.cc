#include "pkg/net/http/listen.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "pkg/base/file.h"

namespace knarr::http {
namespace {

constexpr int kBacklog = 128;

Result<UniqueFd> BindUnix(const Listen& listen) {
  const std::string& path = listen.unix_path;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path))
    return Error(Code::kInvalid, "listen unix {}: the path is longer than 107 bytes", path);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  KNARR_TRY_CTX(MakeDirs(std::string(DirName(path))), "listen unix {}", path);
  struct stat st {};
  if (::lstat(path.c_str(), &st) == 0) {
    if (!S_ISSOCK(st.st_mode))
      return Error(Code::kAlreadyExists, "listen unix {}: the path exists and is not a socket", path);
    if (net::DialUnix(Context::Background().WithTimeout(std::chrono::seconds(1)), path).ok()) {
      return Error(Code::kAlreadyExists, "listen unix {}: another process serves this socket", path);
    }
    ::unlink(path.c_str());
  }
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return ErrnoError(errno, "listen unix {}: socket", path);
  // The mode of the descriptor becomes that of the file: there is no moment with a wider one.
  ::fchmod(fd.get(), listen.unix_mode);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    return ErrnoError(errno, "listen unix {}: bind", path);
  if (::listen(fd.get(), kBacklog) != 0) return ErrnoError(errno, "listen unix {}", path);
  return fd;
}

}  // namespace

Result<UniqueFd> Bind(const Listen& listen, uint16_t* port) {
  if (!listen.unix_path.empty()) return BindUnix(listen);
  const std::string what = "listen tcp " + net::JoinHostPort(listen.host, listen.port);
  sockaddr_storage storage{};
  socklen_t size = 0;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
  if (::inet_pton(AF_INET, listen.host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(listen.port);
    size = sizeof(*v4);
  } else if (::inet_pton(AF_INET6, listen.host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(listen.port);
    size = sizeof(*v6);
  } else {
    return Error(Code::kInvalid, "{}: the address is not numeric", what);
  }
  UniqueFd fd(::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return ErrnoError(errno, "{}: socket", what);
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&storage), size) != 0)
    return ErrnoError(errno, "{}: bind", what);
  if (::listen(fd.get(), kBacklog) != 0) return ErrnoError(errno, "{}", what);
  size = sizeof(storage);
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&storage), &size);
  *port = ntohs(storage.ss_family == AF_INET ? v4->sin_port : v6->sin6_port);
  return fd;
}

Peer PeerOf(int fd, bool unix_socket) {
  Peer peer;
  if (unix_socket) {
    peer.unix_socket = true;
    peer.loopback = true;
    peer.address = "@";
    ucred credentials{};
    socklen_t size = sizeof(credentials);
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0) {
      peer.uid = credentials.uid;
      peer.gid = credentials.gid;
      peer.pid = credentials.pid;
    }
    return peer;
  }
  const int on = 1, idle = 60;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  // A client that lost power during `logs -f` is found out by the kernel.
  ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return peer;
  char host[NI_MAXHOST] = {}, port[NI_MAXSERV] = {};
  ::getnameinfo(reinterpret_cast<sockaddr*>(&storage), size, host, sizeof(host), port, sizeof(port),
                NI_NUMERICHOST | NI_NUMERICSERV);
  const bool v6 = storage.ss_family == AF_INET6;
  peer.address = v6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
  if (v6) {
    peer.loopback = IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<sockaddr_in6*>(&storage)->sin6_addr);
  } else {
    peer.loopback = (ntohl(reinterpret_cast<sockaddr_in*>(&storage)->sin_addr.s_addr) >> 24) == 127;
  }
  return peer;
}

}  // namespace knarr::http
