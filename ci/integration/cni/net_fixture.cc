#include "ci/integration/cni/net_fixture.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <thread>

#include "pkg/base/process.h"

namespace knarr::integration {
namespace {

void Check(bool ok, const std::string& what) {
  if (!ok) throw std::runtime_error(what + ": " + std::strerror(errno));
}

void Enter(const std::string& path) {
  if (path.empty()) return;
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  Check(fd.valid(), "open " + path);
  Check(::setns(fd.get(), CLONE_NEWNET) == 0, "setns " + path);
}

sockaddr_in Address(const std::string& address, int port) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(static_cast<uint16_t>(port));
  Check(::inet_pton(AF_INET, address.c_str(), &in.sin_addr) == 1, "address " + address);
  return in;
}

}  // namespace

std::string CannotIsolate() {
  if (::geteuid() != 0) return "needs root";
  for (const char* file : {"/usr/lib/cni/bridge", "/usr/lib/cni/host-local", "/usr/lib/cni/portmap", "/usr/sbin/iptables"}) {
    if (::access(file, X_OK) != 0) return std::string("needs ") + file + " (packages containernetworking-plugins, iptables)";
  }
  return {};
}

void Isolate() {
  Check(::unshare(CLONE_NEWNET | CLONE_NEWNS) == 0, "unshare");
  Check(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "make mounts private");
  Check(::mount("tmpfs", "/run", "tmpfs", 0, "mode=755") == 0, "mount /run");
  Check(::mkdir("/run/netns", 0755) == 0, "mkdir /run/netns");
  SetUp("lo");
}

std::string MakePodNamespace(const std::string& name) {
  const std::string path = "/run/netns/" + name;
  Check(UniqueFd(::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0444)).valid(), "create " + path);
  std::exception_ptr failure;
  std::thread([&] {
    try {
      Check(::unshare(CLONE_NEWNET) == 0, "unshare");
      const std::string own = "/proc/self/task/" + std::to_string(::syscall(SYS_gettid)) + "/ns/net";
      Check(::mount(own.c_str(), path.c_str(), nullptr, MS_BIND, nullptr) == 0, "bind " + path);
    } catch (...) {
      failure = std::current_exception();
    }
  }).join();
  if (failure) std::rethrow_exception(failure);
  return path;
}

void RemovePodNamespace(const std::string& path) {
  ::umount2(path.c_str(), MNT_DETACH);
  ::unlink(path.c_str());
}

void InNamespace(const std::string& path, const std::function<void()>& body) {
  std::exception_ptr failure;
  std::thread([&] {
    try {
      Enter(path);
      body();
    } catch (...) {
      failure = std::current_exception();
    }
  }).join();
  if (failure) std::rethrow_exception(failure);
}

void SetUp(const std::string& interface) {
  const UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strncpy(request.ifr_name, interface.c_str(), sizeof request.ifr_name - 1);
  Check(::ioctl(fd.get(), SIOCGIFFLAGS, &request) == 0, "flags of " + interface);
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  Check(::ioctl(fd.get(), SIOCSIFFLAGS, &request) == 0, "set " + interface + " up");
}

std::vector<std::string> Interfaces() {
  std::vector<std::string> names;
  struct if_nameindex* all = ::if_nameindex();
  for (const struct if_nameindex* i = all; i != nullptr && i->if_index != 0; ++i) names.emplace_back(i->if_name);
  ::if_freenameindex(all);
  return names;
}

bool HasInterfaceLike(const std::string& prefix) {
  for (const std::string& name : Interfaces()) {
    if (name.starts_with(prefix)) return true;
  }
  return false;
}

EchoServer::EchoServer(const std::string& netns, int port) {
  InNamespace(netns, [&] {
    listen_ = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int on = 1;
    ::setsockopt(listen_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const sockaddr_in address = Address("0.0.0.0", port);
    Check(::bind(listen_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0, "bind");
    Check(::listen(listen_.get(), 16) == 0, "listen");
  });
  stop_ = UniqueFd(::eventfd(0, EFD_CLOEXEC));
  thread_ = new std::thread([this] {
    for (;;) {
      std::array<pollfd, 2> polls = {{{listen_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}}};
      ::poll(polls.data(), polls.size(), -1);
      if (polls[1].revents != 0) return;
      sockaddr_in peer{};
      socklen_t size = sizeof peer;
      const UniqueFd fd(::accept4(listen_.get(), reinterpret_cast<sockaddr*>(&peer), &size, SOCK_CLOEXEC));
      char text[INET_ADDRSTRLEN] = {};
      ::inet_ntop(AF_INET, &peer.sin_addr, text, sizeof text);
      if (fd) (void)!::send(fd.get(), text, std::strlen(text), MSG_NOSIGNAL);
    }
  });
}

EchoServer::~EchoServer() {
  const uint64_t one = 1;
  (void)!::write(stop_.get(), &one, sizeof one);
  auto* thread = static_cast<std::thread*>(thread_);
  thread->join();
  delete thread;
}

std::string Ask(const std::string& netns, const std::string& address, int port) {
  std::string answer;
  InNamespace(netns, [&] {
    const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const timeval limit{3, 0};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    const sockaddr_in to = Address(address, port);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
      answer = std::string("error: ") + std::strerror(errno);
      return;
    }
    char buffer[64];
    const ssize_t n = ::recv(fd.get(), buffer, sizeof buffer, MSG_WAITALL);
    answer = n < 0 ? std::string("error: ") + std::strerror(errno) : std::string(buffer, static_cast<size_t>(n));
  });
  return answer;
}

std::string Shell(const std::string& command) {
  ProcessSpec spec;
  spec.path = "/bin/sh";
  spec.argv = {"sh", "-c", command};
  spec.env = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"};
  const auto done = RunProcess(Context().WithTimeout(std::chrono::seconds(30)), spec);
  return done.ok() ? done->out + done->err : std::string(done.error().message());
}

}  // namespace knarr::integration
