#include "pkg/kubelet/network/cni_relay.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>

#include "pkg/base/file.h"
#include "pkg/base/unique_fd.h"
#include "pkg/cni/relay_wire.h"
#include "pkg/kubelet/network/attachments.h"
#include "pkg/kubelet/network/cleanup.h"

namespace knarr::kubelet {
namespace {

constexpr uint64_t kListenTag = 0, kStopTag = 1, kFirstConnection = 2;
constexpr size_t kMaxConnections = 256;
constexpr timeval kIoLimit{10, 0};  // a client that is this slow over a unix socket is broken

struct Connection {
  explicit Connection(UniqueFd f) : fd(std::move(f)) {}
  const UniqueFd fd;
  std::stop_source gone;  // the client hung up, or the server stops
};

// Bound under another name and renamed, so that clients always find a socket that somebody serves.
Result<UniqueFd> Listen(const std::string& path) {
  const std::string temporary = path + ".new";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (temporary.size() >= sizeof address.sun_path) {
    return Error(Code::kInvalid, "the path {} is too long for a unix socket ({} bytes, the limit is {})", path, path.size(),
                 sizeof address.sun_path - 5);
  }
  std::memcpy(address.sun_path, temporary.c_str(), temporary.size());
  KNARR_TRY(MakeDirs(std::string(DirName(path)), 0755));
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return ErrnoError(errno, "socket");
  ::unlink(temporary.c_str());
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return ErrnoError(errno, "bind {}", temporary);
  if (::chmod(temporary.c_str(), 0600) != 0) return ErrnoError(errno, "chmod {}", temporary);
  if (::listen(fd.get(), SOMAXCONN) != 0) return ErrnoError(errno, "listen on {}", temporary);
  if (::rename(temporary.c_str(), path.c_str()) != 0) return ErrnoError(errno, "rename {} to {}", temporary, path);
  return fd;
}

bool ReadExactly(int fd, char* to, size_t size) {
  while (size > 0) {
    const ssize_t n = TEMP_FAILURE_RETRY(::recv(fd, to, size, 0));
    if (n <= 0) return false;
    to += n;
    size -= static_cast<size_t>(n);
  }
  return true;
}

Result<cni::RelayRequest> ReadRequest(int fd) {
  char header[cni::kRelayHeader];
  if (!ReadExactly(fd, header, sizeof header)) return Error(Code::kBadRequest, "no request within 10s");
  const std::optional<size_t> length = cni::PayloadLength({header, sizeof header});
  if (!length) return Error(Code::kBadRequest, "not a request of knarr-cni");
  std::string payload(*length, '\0');
  if (!ReadExactly(fd, payload.data(), payload.size())) return Error(Code::kBadRequest, "incomplete request");
  std::optional<cni::RelayRequest> request = cni::DecodeRequest(payload);
  if (!request) return Error(Code::kBadRequest, "malformed request");
  return std::move(*request);
}

bool SendAll(int fd, std::string_view data) {
  while (!data.empty()) {
    const ssize_t n = TEMP_FAILURE_RETRY(::send(fd, data.data(), data.size(), MSG_NOSIGNAL));
    if (n < 0) return false;
    data.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

class Server final : public CniRelayServer {
 public:
  Server(const Context& ctx, CniRelayOptions options, ElasticPool& pool)
      : ctx_(ctx), options_(options), pool_(pool), attachments_(std::move(options), ctx.log()) {}

  ~Server() override {
    const uint64_t one = 1;
    if (stop_) (void)!::write(stop_.get(), &one, sizeof one);
    thread_.StopAndJoin();
    std::unique_lock lock(mutex_);
    for (const auto& [tag, connection] : connections_) connection->gone.request_stop();
    idle_.wait(lock, [this] { return connections_.empty(); });
  }

  Status Init() {
    KNARR_TRY(MakeDirs(options_.state_dir, 0700));
    KNARR_TRY(attachments_.Load());
    epoll_ = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
    stop_ = UniqueFd(::eventfd(0, EFD_CLOEXEC));
    if (!epoll_ || !stop_) return ErrnoError(errno, "epoll");
    listen_ = KNARR_TRY_CTX(Listen(options_.socket_path), "CNI relay");
    KNARR_TRY(Watch(listen_.get(), EPOLLIN, kListenTag));
    KNARR_TRY(Watch(stop_.get(), EPOLLIN, kStopTag));
    thread_.Go("cni-relay", [this](std::stop_token) { Loop(); });
    return {};
  }

  NetworkCondition Condition(const Context& ctx) override { return attachments_.Condition(ctx); }
  std::vector<NetworkAttachment> Attachments() const override { return attachments_.List(); }
  Result<GarbageReport> CollectGarbage(const Context& ctx, const std::set<std::string>& live) override {
    return attachments_.CollectGarbage(ctx, live);
  }

 private:
  Status Watch(int fd, uint32_t events, uint64_t tag) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = tag;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return ErrnoError(errno, "epoll_ctl");
    return {};
  }

  void Loop() {
    std::array<epoll_event, 16> events;
    for (;;) {
      const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < count; ++i) {
        const uint64_t tag = events[static_cast<size_t>(i)].data.u64;
        if (tag == kStopTag) return;
        if (tag == kListenTag) {
          Accept();
        } else {
          HungUp(tag);
        }
      }
    }
  }

  void Accept() {
    UniqueFd fd(::accept4(listen_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!fd) {
      // Out of descriptors: the connection stays in the queue; do not spin on it.
      if (errno == EMFILE || errno == ENFILE) ::usleep(100'000);
      return;
    }
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.uid != options_.client_uid) {
      ctx_.log().Warning("Refused a CNI relay client", {{"uid", peer.uid}, {"pid", peer.pid}});
      return;
    }
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kIoLimit, sizeof kIoLimit);
    ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &kIoLimit, sizeof kIoLimit);
    const uint64_t tag = next_tag_++;
    auto connection = std::make_shared<Connection>(std::move(fd));
    {
      std::lock_guard lock(mutex_);
      if (connections_.size() >= kMaxConnections) return;  // the client fails and is repeated
      connections_[tag] = connection;
    }
    // One event, when the client's end is closed.
    if (!Watch(connection->fd.get(), EPOLLRDHUP | EPOLLONESHOT, tag).ok()) connection->gone.request_stop();
    pool_.Post([this, tag, connection] { Serve(tag, *connection); });
  }

  void HungUp(uint64_t tag) {
    std::shared_ptr<Connection> connection;
    {
      std::lock_guard lock(mutex_);
      const auto found = connections_.find(tag);
      if (found == connections_.end()) return;
      connection = found->second;
    }
    connection->gone.request_stop();
  }

  void Serve(uint64_t tag, const Connection& connection) {
    if (Result<cni::RelayRequest> request = ReadRequest(connection.fd.get()); !request.ok()) {
      ctx_.log().Error(request.error(), "Bad CNI relay request");
    } else {
      const cni::RelayReply reply = attachments_.Handle(ctx_.WithStop(connection.gone.get_token()), *request);
      SendAll(connection.fd.get(), cni::EncodeReply(reply));
    }
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, connection.fd.get(), nullptr);
    ::shutdown(connection.fd.get(), SHUT_RDWR);
    std::lock_guard lock(mutex_);
    connections_.erase(tag);
    if (connections_.empty()) idle_.notify_all();
  }

  const Context ctx_;
  const CniRelayOptions options_;
  ElasticPool& pool_;
  kubelet::Attachments attachments_;
  UniqueFd epoll_, stop_, listen_;
  uint64_t next_tag_ = kFirstConnection;  // of the loop's thread
  std::mutex mutex_;
  std::condition_variable idle_;
  std::map<uint64_t, std::shared_ptr<Connection>> connections_;
  TaskGroup thread_;
};

}  // namespace

Result<std::unique_ptr<CniRelayServer>> CniRelayServer::Start(const Context& ctx, CniRelayOptions options, ElasticPool& pool) {
  if (options.boot_id.empty()) options.boot_id = KNARR_TRY(BootId());
  auto server = std::make_unique<Server>(ctx, std::move(options), pool);
  KNARR_TRY(server->Init());
  return std::unique_ptr<CniRelayServer>(std::move(server));
}

}  // namespace knarr::kubelet
