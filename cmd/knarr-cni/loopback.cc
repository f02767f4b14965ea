#include "cmd/knarr-cni/loopback.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace knarr {
namespace {

LoopbackOutcome Failed(unsigned code, std::string text) { return {{}, code, std::move(text)}; }

std::string Escape(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

// The kernel gives lo 127.0.0.1/8, and ::1/128 unless IPv6 is off, when it comes up.
std::string ResultJson(const std::string& netns, const std::string& version, bool ipv6) {
  const bool old = version == "0.3.0" || version == "0.3.1" || version == "0.4.0";
  const std::string v4 = old ? "\"version\":\"4\"," : "", v6 = old ? "\"version\":\"6\"," : "";
  std::string out = "{\"cniVersion\":\"" + Escape(version) +
                    "\",\"interfaces\":[{\"name\":\"lo\",\"mac\":\"00:00:00:00:00:00\",\"sandbox\":\"" + Escape(netns) +
                    "\"}],\"ips\":[{" + v4 + "\"interface\":0,\"address\":\"127.0.0.1/8\"}";
  if (ipv6) out += ",{" + v6 + "\"interface\":0,\"address\":\"::1/128\"}";
  return out + "]}\n";
}

}  // namespace

LoopbackOutcome Loopback(const std::string& command, const std::string& netns, const std::string& version,
                         const std::string& stdin_data) {
  if (command == "STATUS" || command == "GC") return {};
  if (command == "DEL" && netns.empty()) return {};
  if (command != "ADD" && command != "DEL" && command != "CHECK") return Failed(4, "unknown CNI_COMMAND: " + command);
  if (stdin_data.find("\"prevResult\"") != std::string::npos && command == "ADD") {
    return Failed(7, "loopback must be the only plugin of its network here");
  }
  const int ns = ::open(netns.c_str(), O_RDONLY | O_CLOEXEC);
  if (ns < 0) {
    if (command == "DEL" && errno == ENOENT) return {};
    return Failed(8, "failed to open netns \"" + netns + "\": " + std::strerror(errno));
  }
  if (::setns(ns, CLONE_NEWNET) != 0) {
    if (command == "DEL" && errno == EINVAL) return {};  // a leftover file without a namespace
    return Failed(8, "failed to enter netns \"" + netns + "\": " + std::strerror(errno));
  }
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  if (socket < 0 || ::ioctl(socket, SIOCGIFFLAGS, &request) != 0) {
    return Failed(5, std::string("failed to read the state of lo: ") + std::strerror(errno));
  }
  const bool up = (request.ifr_flags & IFF_UP) != 0;
  if (command == "CHECK") return up ? LoopbackOutcome{} : Failed(100, "loopback interface is down");
  const bool wanted = command == "ADD";
  if (up != wanted) {
    request.ifr_flags = static_cast<short>(wanted ? request.ifr_flags | IFF_UP : request.ifr_flags & ~IFF_UP);
    if (::ioctl(socket, SIOCSIFFLAGS, &request) != 0) {
      return Failed(5, std::string("failed to change the state of lo: ") + std::strerror(errno));
    }
  }
  if (!wanted) return {};
  const bool ipv6 = ::access("/proc/self/net/if_inet6", F_OK) == 0;
  return {ResultJson(netns, version, ipv6), 0, {}};
}

}  // namespace knarr
